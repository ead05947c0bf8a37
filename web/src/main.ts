import { coreIsServed, openDoor } from "./core/door";
import { readLook, wear } from "./core/look";

// The core is on its way before the screens are read: it takes the longest.
const door = openDoor();
wear(readLook());
// A page that is nothing without its program keeps nothing for when that is away:
// what is at its address later may be another's.
void import("./start").then(({ start }) => start(door, { shell: !coreIsServed() }));
