package main

import (
	"context"
	"fmt"

	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
	"sconce/identity"
)

const approveUsage = `approve CODE
Let in the new device that shows this code

CODE must come from the screen of the new device itself. From then on that
device can do all that this one can.`

func approve(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 1, 1)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		d, err := bridge.Approve.Call(ctx, s.door, bridge.ApproveParams{Code: args[0]})
		if _, mistyped := identity.ParseLinkCode(args[0]); err != nil && mistyped != nil {
			return fmt.Errorf("%w; it is the line that begins with SD1- on the screen of the new device", err)
		}
		if err != nil {
			return err
		}
		if a.json {
			err = a.printJSON(d)
		} else {
			_, err = fmt.Fprintf(a.out, "%s is one of your devices now.\n", plain.Name(d.Name))
		}
		if err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
