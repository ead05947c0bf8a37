//go:build goexperiment.runtimesecret

package mls

import "runtime/secret"

// wiping calls f, and erases what secrets leave behind: in the stack and the
// registers at once, in memory when the collector finds it is of no use any
// more. On other systems than linux/amd64 and linux/arm64 the runtime erases
// nothing.
func wiping(f func()) { secret.Do(f) }

const wipes = true
