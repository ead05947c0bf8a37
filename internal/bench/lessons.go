//go:build linux

package main

// lessons are what was learned when the server was made faster. They belong to
// the page, and do not change with a run.
const lessons = `
## What made the server faster, and what did not

Each step with what the server used before and after it, in CPU seconds for 100,000 deliveries unless it says otherwise. All but the first figure were taken while
other programs had one core or more, which makes them worse than they are on a quiet machine.

| step | before | after |
|---|---|---|
| Messages go onto a tape, and into the tables later and together (decision 7) | 1 to 1: 7.6; 3.9 calls each | 4.8; 2.0 |
| The committer answers appends; nobody waits in a goroutine of its own. What one batch gives to a stream is one write | 4.8; 2.0 | 4.1; 1.4 |
| A flush each second, not each tenth: most messages are acknowledged by then and never become rows | 4.1; draining 2.4 | 3.7; 1.6 |
| Pushes, answers and pages are encoded without reflection; the heap is collected at three times what is in use, not twice | 3.7; 1 to 200: 0.36; storing 4.0 | 2.3; 0.28; 3.2 |
| From here on what it takes to erase messages after a run's end is counted as well | 2.3 | 2.8 |
| A filter knows that an append is new, where each batch had asked the table | one message: 22 µs of 360 in the server | 1 µs |
| No map for the children of each stream's context; smaller page caches for readers; memory is given back after a rush of logins | 1,000 idle streams: 9.9 MB | 7.5 MB |
| Reading the answer to a ping on a borrowed stack, and giving memory back after each round of pings | 16.6 MB after two minutes | about 11 MB |
| Collecting the heap after each 250 logins of a rush, so that what streams keep does not lie among garbage | 1,000 idle streams: 8.2 MB; a login 440 µs | 7.4 MB; 490 µs |

Where a single message's time goes in the server (median, on a loaded machine): 28 µs until the committer has it, 275 µs on the tape, nearly all of it the
disk's sync, 14 µs to answer and push, 8 and 15 µs until it is written to the receiver.

What was tried and left: an SQLite table of its own in place of the tape costs 1.8 times as much for one message, and 3 times for 64 (decision 7). A file that
grows with each record syncs a third slower than one that is written over. A flush ten times a second keeps bodies on disk for a shorter time than the
checkpoint every 15 seconds does anyway, and costs a third more. At 1,000 messages a second it is the disk that
makes them wait: with the database in memory the same run had a p50 of 0.29 ms and a p99 of 1.3 to 3.2; without any flush they were what they are with it; and the bare
relay, which writes and syncs and does nothing else, misses the same goals. Writing past the page cache (O_DIRECT and O_DSYNC) took 0.28 ms alone, where a
write and an fdatasync took 0.36: not enough to change that. Tables without row ids were not tried: after the tape, what they could save is less than a
twentieth.
`
