package main

import (
	"context"
	"fmt"
	"time"

	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const devicesUsage = `devices [--json]
List your devices`

func devices(ctx context.Context, a *app, args []string) error {
	if _, err := parse(a.options(), args, 0, 0); err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		all, err := bridge.Devices.Call(ctx, s.door, bridge.None{})
		if err != nil {
			return err
		}
		if a.json {
			return printAll(a, all)
		}
		var rows [][]string
		for _, d := range all {
			this := ""
			if d.This {
				this = "this device"
			}
			rows = append(rows, []string{plain.Short(d.Device), plain.Name(d.Name), "since " + time.UnixMilli(int64(d.Added)).Format(time.DateOnly), this})
		}
		fmt.Fprint(a.out, table(rows))
		return nil
	})
}
