package main

import (
	"context"

	"sconce/client/bridge"
)

const roomRemoveUsage = `room remove ROOM PERSON
Take a person, with all of their devices, out of a room`

func roomRemove(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 2, 2)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		room, user, err := s.participant(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		if _, err := bridge.RemovePerson.Call(ctx, s.door, bridge.RemovePersonParams{Room: room, User: user}); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
