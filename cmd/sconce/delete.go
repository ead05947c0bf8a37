package main

import (
	"context"

	"sconce/client"
	"sconce/client/bridge"
)

const deleteUsage = `delete ROOM ID
Take a message of yours back on every device in the room

ID is the beginning of the id that "sconce read" shows. Devices that follow the
rules drop the message; nothing can make a dishonest one forget.`

func deleteMessage(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 2, 2)
	if err != nil {
		return err
	}
	return a.aboutMessage(ctx, args[0], args[1], func(ctx context.Context, s *session, m client.MessageView) error {
		_, err := bridge.Delete.Call(ctx, s.door, bridge.DeleteParams{Room: m.Room, Message: m.ID})
		return err
	})
}
