//go:build linux

package main

// groupsTried is what profiles led to. It is written by hand, and stands below
// the table of the groups.
const groupsTried = `### Where the time goes, and what was tried

Profiles of groups of 1,000 on one core (` + "`go test ./mls -run '^$' -bench Group/0xfa04/1000/bulk -cpuprofile cpu.prof`" + `): an unmerged commit of suite
0x0001 is 95 % sealing, and that is X25519 by nine tenths. Adding all under 0xFA04 is 41 % ECDSA verification, two for each key package, and 40 % sealing;
SHA-384 over the commit, the key packages and the tree is 6 %, allocation 4 %, copying 2 %. Joining is verification by 90 %; hashing the tree is 6 %.
What runs on every core is 96 % of adding all, and of joining 96 % under 0x0001 and 90 % under 0xFA04: on two cores 0.52 and 0.55 of the time are within reach.
It is measured only where others leave the cores alone.

| tried | brought |
|---|---|
| the part of HPKE's key schedule that depends on the context once for a commit, and HKDF on the stack | 8 to 9 % of a seal's CPU time; its allocations from 104 to 16 (0x0001) and from 92 to 25 (0xFA04). Unmerged commit -10 % and -6 %, adding all -4 % and -3 %, by turns with the version before on a busy machine |
| HMAC and HKDF on the stack, message keys in memory that is used again, one workspace for what is signed, sealing in place | 256 B: encrypt -16 %, decrypt -8 %; allocations from some 75 to 5 and 6 |
| finding clashing keys by an index that follows the tree | processing a commit on a filled tree no longer looks at each key of the group: 0.2 ms of 0.8 at 1,000 under 0xFA04, and ten times that at 10,000 |
| comparing the coefficients of an ML-KEM key without a branch | 0.07 µs a key instead of 0.65 |
| keeping parsed signature keys, so that ECDSA and ML-DSA keys are read once | 1 to 2 % of a verification: not worth the memory, left out |
| ephemeral X25519 keys by a table for the base point, as Ed25519 has | not to be had: crypto/ecdh works out the public key by the slow way whenever it takes a private one |
| fewer allocations for ECDSA | not to be had: signing takes 55 and verifying 19 inside crypto/ecdsa |
| ECDSA nonces by RFC 6979, which takes SHA-256 where mixing in randomness takes SHA-512 | signing -20 %: encrypting under 0x0002 35.9 µs to 30 |
| 65 µs to decrypt under 0x0002, as promised | out of reach: verifying an ECDSA signature alone takes 72 µs inside crypto/ecdsa |
| more of adding all under 0xFA04 | what is left is nine tenths ECDSA, ECDH, ML-KEM and SHA-384. On a busy machine, where the version before takes 334 ms, so does this one in the row above, and 3 % less by turns in one process |`
