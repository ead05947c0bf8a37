import { openDoor } from "./core/door";
import { readLook, wear } from "./core/look";

// The core is on its way before the screens are read: it takes the longest.
const door = openDoor();
wear(readLook());
void import("./start").then(({ start }) => start(door, { shell: true }));
