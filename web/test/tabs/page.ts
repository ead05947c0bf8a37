// The door and nothing else, for a test that asks it from outside.

import { openDoor } from "../../src/core/door";
import type { Event } from "../../src/core/bridge";

const events: Event[] = [];
const door = openDoor();
const listen = () => void door.subscribe((event) => events.push(event), listen);
listen();

const violations: string[] = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));

Object.assign(globalThis, { door, events, violations });
