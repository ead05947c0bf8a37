package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"sconce/api"
	"sconce/cmd/sconce/plain"
)

const versionUsage = `version
Show which program this is`

func version(_ context.Context, a *app, args []string) error {
	if _, err := parse(a.options(), args, 0, 0); err != nil {
		return err
	}
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = ", revision " + plain.Short(s.Value)
			}
		}
	}
	fmt.Fprintf(a.out, "sconce %s, protocol %d, %s %s/%s%s\n", programVersion(), api.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, revision)
	return nil
}

// programVersion is the release that this program was built from.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
