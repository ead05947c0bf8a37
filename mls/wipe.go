//go:build !goexperiment.runtimesecret

package mls

// wiping calls f, in which secrets pass through the stack, registers and memory
// that callees allocate. Built with GOEXPERIMENT=runtimesecret it erases these
// behind f; without, what this package allocates itself is all that is erased.
func wiping(f func()) { f() }

const wipes = false
