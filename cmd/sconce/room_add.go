package main

import (
	"context"

	"sconce/client/bridge"
)

const roomAddUsage = `room add ROOM PERSON…
Bring people into a room

They read what is said from then on, not what was said before.`

func roomAdd(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 2, anyNumber)
	if err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		r, err := s.room(ctx, args[0])
		if err != nil {
			return err
		}
		users, err := s.persons(ctx, args[1:])
		if err != nil {
			return err
		}
		if _, err := bridge.AddPeople.Call(ctx, s.door, bridge.AddPeopleParams{Room: r.Room, Users: users}); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
