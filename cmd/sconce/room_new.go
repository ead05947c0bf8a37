package main

import (
	"context"

	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const roomNewUsage = `room new NAME PERSON… [--json]
Make a room and bring people in`

func roomNew(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 1, anyNumber)
	if err != nil {
		return err
	}
	if plain.Line(args[0]) == "" {
		return badUsage("the room needs a name")
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		users, err := s.persons(ctx, args[1:])
		if err != nil {
			return err
		}
		if users == nil {
			users = []string{}
		}
		r, err := bridge.NewRoom.Call(ctx, s.door, bridge.NewRoomParams{Name: args[0], Users: users})
		if err != nil {
			return err
		}
		if a.json {
			err = a.printJSON(r)
		} else {
			a.printRooms(r)
		}
		if err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
