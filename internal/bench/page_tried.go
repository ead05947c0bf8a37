//go:build linux

package main

// pageTried is what traces of the page's start led to. It is written by hand,
// and stands below the table of the page.
const pageTried = `### What made the page faster, and what did not

By turns with the version before, in a Chromium that had much company: the medians of seven or eight visits by an invite, with the CPU time of all the browser's
threads until the invite could be taken. By the clock all of it is several times what it is on a quiet machine.

| step | before | after |
|---|---|---|
| The splash stands in the page itself, and not in a script that draws it after 350 ms; the first script is small and starts the core's worker, which fetches the core before it reads SQLite; screens, style and letters are named in the page | first paint 817 ms; CPU 1,317 ms | 498 ms; 1,227 ms |
| The core is compiled while it comes, and its hash taken beside that: fetch with integrity holds every byte back until the last | an invite can be taken after 2,216 ms; CPU 1,353 ms | 1,859 ms; 1,199 ms |
| The desk, the composer and the service worker's copy of all files wait until the first screen is there | 3,072 ms; CPU 1,365 ms | 2,444 ms; 1,233 ms |
| The core of a tab that waits runs already, but for its store | hand-over: 160 ms of CPU time in the worker | 146 ms |
| It has also gone through all of a hand-over, in memory, with somebody made up, and so what V8 compiles at a first call is compiled; the keyring is opened beside the store; files that are still held are asked for every 3 ms | hand-over, on a quiet machine: 348 ms, of which 110 to 130 ms of CPU time in the worker | 179 ms, 60 to 110 ms |

Where the CPU time goes that is left until an invite can be taken: 250 ms in the core's worker, of which 60 are reading 12 MB of WASM into the compiler and 25 to 35 the
start of Go, whose packages initialise in some 10 once they are compiled; 200 to 300 ms on the page's own thread; 180 ms of background compiling;
170 ms for decompressing and handing the core over, in another process. Of what follows a passphrase, Argon2id is 430 to 460 ms: 64 MiB, three times.

What was tried and left: showing the splash until an invite is read, so that the form without one is never drawn, saved nothing that could be measured. Starting the
throw-away worker for Argon2id before there is a passphrase would save the start of Go, which is 9 ms there, for the code is compiled by then; it would cost its memory
on every locked page. Who comes back has the core from the service worker's cache, uncompressed: there it makes no difference who takes the hash, 265 ms of CPU time
in the worker either way.`
