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
	release, revision := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			release = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = ", revision " + plain.Short(s.Value)
			}
		}
	}
	fmt.Fprintf(a.out, "sconce %s, protocol %d, %s %s/%s%s\n", release, api.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, revision)
	return nil
}
