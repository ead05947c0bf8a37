package main

import (
	"context"
	"errors"
	"fmt"

	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const deviceRemoveUsage = `device remove DEVICE
Shut out a device of yours, such as a lost one

DEVICE is its name, or the beginning of its id, as "sconce devices" shows them.
It leaves every room, and can come back only as a new device.`

func deviceRemove(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 1, 1)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		devices, err := bridge.Devices.Call(ctx, s.door, bridge.None{})
		if err != nil {
			return err
		}
		all := make([]called, len(devices))
		for i, d := range devices {
			all[i] = called{name: plain.Name(d.Name), id: d.Device}
		}
		i, err := pick("device of yours", args[0], all)
		if err != nil {
			return err
		}
		if devices[i].This {
			return errors.New("this is the device that you are using; remove it from another one")
		}
		if _, err := bridge.RemoveDevice.Call(ctx, s.door, bridge.RemoveDeviceParams{Device: all[i].id}); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s is shut out.\n", all[i].name)
		return s.settle(ctx)
	})
}
