package main

import (
	"context"

	"sconce/client/bridge"
)

const roomDismissUsage = `room dismiss ROOM
Take note of a room's alarm and go on

Look into an alarm first: compare safety numbers, and ask those whom it names.
A room that stood still because of it is joined again; one that the server says
you are not in counts as left.`

func roomDismiss(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 1, 1)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		r, err := s.room(ctx, args[0])
		if err != nil {
			return err
		}
		if _, err := bridge.Dismiss.Call(ctx, s.door, bridge.RoomParams{Room: r.Room}); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
