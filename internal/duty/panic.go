package duty

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// deepest is how many calls of a stack are told.
const deepest = 64

// Caught makes an error of what a deferred function recovered. It tells where the
// panic was: by which functions and lines, and not by what they were called with,
// as Go's own trace does. Those are words of ids and of bytes that somebody sent,
// which no log shall hold.
func Caught(p any) error {
	pc := make([]uintptr, deepest)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	var where strings.Builder
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Fprintf(&where, "\n%s (%s:%d)", f.Function, path.Base(f.File), f.Line)
	}
	return fmt.Errorf("panic: %v%s", p, where.String())
}
