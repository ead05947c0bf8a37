package main

import (
	"context"
	"errors"

	"sconce/client"
	"sconce/client/bridge"
)

const reactUsage = `react ROOM ID EMOJI [--remove]
Put an emoji under a message, or take yours back

ID is the beginning of the id that "sconce read" shows.`

func react(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	remove := fs.Bool("remove", false, "")
	args, err := parse(fs, args, 3, 3)
	if err != nil {
		return err
	}
	return a.aboutMessage(ctx, args[0], args[1], func(ctx context.Context, s *session, m client.MessageView) error {
		if !*remove {
			_, err := bridge.React.Call(ctx, s.door, bridge.ReactParams{Room: m.Room, Message: m.ID, Emoji: args[2]})
			return err
		}
		for _, r := range m.Reactions {
			if r.Emoji == args[2] && r.Mine != "" {
				_, err := bridge.Unreact.Call(ctx, s.door, bridge.UnreactParams{Room: m.Room, Message: m.ID, Reaction: r.Mine})
				return err
			}
		}
		return errors.New("you did not put that emoji there")
	})
}

// aboutMessage does something with one message of a room, and sends it.
func (a *app) aboutMessage(ctx context.Context, room, id string, do func(context.Context, *session, client.MessageView) error) error {
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		r, err := s.room(ctx, room)
		if err != nil {
			return err
		}
		m, err := s.message(ctx, r.Room, id)
		if err != nil {
			return err
		}
		if err := do(ctx, s, m); err != nil {
			return err
		}
		return s.settle(ctx)
	})
}
