// Package interop has Sconce's MLS and another implementation, npm ts-mls, be
// members of the same groups. It is tests alone: `make interop` runs all of
// them, `go test ./internal/interop` a short form of each.
//
// The other side is a Node program, tsmls/peer.mjs, that answers calls over a
// pipe. What it depends on is pinned in tsmls/package-lock.json and installed
// beside it when it is first needed. Where there is no Node, or the packages
// cannot be had, the tests are skipped and say so; `make interop` fails then.
package interop
