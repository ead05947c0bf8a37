package main

import (
	"context"
	"flag"

	"sconce/client/bridge"
)

const roomSetUsage = `room set ROOM [--name NAME] [--description TEXT] [--expire TIME] [--burn TIME]
Change a room's name and timers, for everyone in it

--expire is how long a message stays, --burn how long once it was read. TIME is
such as 30s, 10m, 1h, 7d, or off. A message may have a shorter time of its own.`

func roomSet(ctx context.Context, a *app, args []string) error {
	var expire, burn timer
	fs := a.options()
	name := fs.String("name", "", "")
	description := fs.String("description", "", "")
	fs.Var(&expire, "expire", "")
	fs.Var(&burn, "burn", "")
	args, err := parse(fs, args, 1, 1)
	if err != nil {
		return err
	}
	var change bridge.SetRoomParams
	fs.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "name":
			change.Name = name
		case "description":
			change.Description = description
		case "expire":
			change.Expire = &expire.seconds
		case "burn":
			change.Burn = &burn.seconds
		}
	})
	if change == (bridge.SetRoomParams{}) {
		return badUsage("say what to change")
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		r, err := s.room(ctx, args[0])
		if err != nil {
			return err
		}
		change.Room = r.Room
		if _, err := bridge.SetRoom.Call(ctx, s.door, change); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
