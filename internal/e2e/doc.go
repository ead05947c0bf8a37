// Package e2e holds stories over the real programs: sconced and sconce are built
// once, and each script of testdata starts a server of its own and plays people
// on it. Begin with a script; each is one claim and reads as documentation. The
// commands that the scripts have beside testscript's own are in script_test.go.
//
// What a script can't say is a test in Go: that an answer never overtakes its
// fsync, and that kill -9 at any moment costs nothing that was acknowledged.
//
// Nothing here waits a fixed time: every wait is for something, and has a
// deadline and a message.
package e2e
