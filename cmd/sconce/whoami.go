package main

import (
	"context"
	"fmt"

	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const whoamiUsage = `whoami [--json]
Show who you are here, and the address for "sconce link"`

func whoami(ctx context.Context, a *app, args []string) error {
	if _, err := parse(a.options(), args, 0, 0); err != nil {
		return err
	}
	return a.withDoorOffline(ctx, func(ctx context.Context, s *session) error {
		me, err := bridge.Me.Call(ctx, s.door, bridge.None{})
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(me)
		}
		rows := [][]string{
			{"name", plain.Name(me.Name)}, {"user", me.User}, {"device", plain.Name(me.DeviceName) + " (" + plain.Short(me.Device) + ")"},
			{"server", plain.Line(me.Server)}, {"network", me.Network}, {"address", plain.Line(me.Address)},
		}
		if me.Removed {
			rows = append(rows, []string{"removed", "this device was taken out by another of yours"})
		}
		fmt.Fprint(a.out, table(rows))
		return nil
	})
}
