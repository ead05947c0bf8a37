package main

import (
	"context"
	"strings"

	"sconce/client"
	"sconce/client/bridge"
)

const editUsage = `edit ROOM ID TEXT…
Replace the text of a message of yours

ID is the beginning of the id that "sconce read" shows. Everyone sees that the
message was edited.`

func edit(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 3, anyNumber)
	if err != nil {
		return err
	}
	text := strings.Join(args[2:], " ")
	return a.aboutMessage(ctx, args[0], args[1], func(ctx context.Context, s *session, m client.MessageView) error {
		_, err := bridge.Edit.Call(ctx, s.door, bridge.EditParams{Room: m.Room, Message: m.ID, Text: text})
		return err
	})
}
