import { openDoor } from "./core/door";
import { start } from "./start";

void start(openDoor(), { shell: true });
