import { openDoor } from "./core/door";
import { start } from "./start";

if (__STORIES__) {
  void import("./story").then(({ tell }) => tell());
} else {
  void start(openDoor(), { shell: true });
}
