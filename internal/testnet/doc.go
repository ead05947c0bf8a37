// Package testnet runs a whole network in one process: a server with its real
// database and any number of real clients, on a wire that loses, repeats and
// reorders, with disks that lose power, and a clock that the test advances.
//
// [New] makes a network within a [testing/synctest] bubble, [Net.Person] and
// [Net.Link] put devices into it. [Simulate] then lets them live through a number
// of random steps and checks what must hold whatever happened; the same seed
// gives the same run, call for call.
package testnet
