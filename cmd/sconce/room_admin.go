package main

import (
	"context"

	"sconce/client/bridge"
)

const roomAdminUsage = `room admin ROOM PERSON [--off]
Make a person an admin of a room, or with --off a member again`

func roomAdmin(ctx context.Context, a *app, args []string) error {
	o := a.options()
	off := o.Bool("off", false, "")
	args, err := parse(o, args, 2, 2)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		room, user, err := s.participant(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		if _, err := bridge.SetAdmin.Call(ctx, s.door, bridge.SetAdminParams{Room: room, User: user, Admin: !*off}); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
