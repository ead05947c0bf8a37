package main

import (
	"context"

	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const roomRemoveUsage = `room remove ROOM PERSON
Take a person, with all of their devices, out of a room`

func roomRemove(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 2, 2)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		r, err := s.room(ctx, args[0])
		if err != nil {
			return err
		}
		// Those in the room, and no one else, are meant.
		all := make([]called, len(r.Members))
		for i, m := range r.Members {
			all[i] = called{name: plain.Name(m.Name), id: m.User}
		}
		i, err := pick("participant", args[1], all)
		if err != nil {
			return err
		}
		if _, err := bridge.RemovePerson.Call(ctx, s.door, bridge.RemovePersonParams{Room: r.Room, User: all[i].id}); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
