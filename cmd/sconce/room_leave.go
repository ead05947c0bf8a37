package main

import (
	"context"

	"sconce/client/bridge"
)

const roomLeaveUsage = `room leave ROOM
Leave a room, with all of your devices`

func roomLeave(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 1, 1)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		r, err := s.room(ctx, args[0])
		if err != nil {
			return err
		}
		if _, err := bridge.Leave.Call(ctx, s.door, bridge.RoomParams{Room: r.Room}); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
