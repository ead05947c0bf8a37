import { coreIsServed, openDoor } from "./core/door";
import { start } from "./start";

// A page that is nothing without its program keeps nothing for when that is away:
// what is at its address later may be another's.
void start(openDoor(), { shell: !coreIsServed() });
