// Takes the place of a service worker that another page left at this address, and
// goes: the page of sconce app has none.
"use strict";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(registration.unregister()));
