package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const sendUsage = `send TO TEXT… [--expire TIME] [--burn TIME] [--reply ID] [--all] [--json]
Send a message to a room or a person

TO is the name of a room or person, or the beginning of one. TEXT of "-" is read
from standard input. --expire is how long the message stays, --burn how long
once it was read; TIME is such as 30s, 10m, 1h, 7d. ID is the beginning of the id
that "sconce read" shows. "@Name" in TEXT mentions who is called so in the room;
--all mentions everyone in it, as its admins may.`

// longestInput is more than a message can hold, so that the client refuses it.
const longestInput = 1 << 18

func send(ctx context.Context, a *app, args []string) error {
	var expire, burn timer
	fs := a.options()
	fs.Var(&expire, "expire", "")
	fs.Var(&burn, "burn", "")
	reply := fs.String("reply", "", "")
	all := fs.Bool("all", false, "")
	args, err := parse(fs, args, 2, anyNumber)
	if err != nil {
		return err
	}
	draft := client.Draft{Text: strings.Join(args[1:], " "), Expire: expire.seconds, Burn: burn.seconds}
	if draft.Text == "-" {
		b, err := io.ReadAll(io.LimitReader(a.in, longestInput))
		if err != nil {
			return err
		}
		draft.Text = strings.TrimSuffix(string(b), "\n")
	}
	if strings.TrimSpace(draft.Text) == "" {
		return badUsage("there is nothing to send")
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		room, err := s.target(ctx, args[0])
		if err != nil {
			return err
		}
		if *reply != "" {
			to, err := s.message(ctx, room, *reply)
			if err != nil {
				return err
			}
			draft.ReplyTo = to.ID
		}
		if draft.Text, err = s.named(ctx, room, draft.Text, *all); err != nil {
			return err
		}
		m, err := bridge.Send.Call(ctx, s.door, bridge.SendParams{Room: room, Draft: draft})
		if err != nil {
			return err
		}
		if err := s.settle(ctx); err != nil {
			return fmt.Errorf("queued, and not sent yet: %w", err)
		}
		return s.sent(ctx, m)
	})
}

// named makes mentions of the names in a text, and lets it begin with everyone's.
func (s *session) named(ctx context.Context, room, text string, all bool) (string, error) {
	if !all && !strings.Contains(text, "@") {
		return text, nil
	}
	me, err := bridge.Me.Call(ctx, s.door, bridge.None{})
	if err != nil {
		return "", err
	}
	r, err := bridge.Room.Call(ctx, s.door, bridge.RoomParams{Room: room})
	if err != nil {
		return "", err
	}
	text = plain.Named(me, r, text, false) // a text calls everyone because its sender wishes it, not because it says so
	if all {
		text = client.MentionAll(me.Network, room) + " " + text
	}
	return text, nil
}

// sent tells how far a message has come.
func (s *session) sent(ctx context.Context, m client.MessageView) error {
	if newest, err := bridge.Messages.Call(ctx, s.door, bridge.MessagesParams{Room: m.Room}); err == nil {
		if now, err := messageIn(newest, m.ID); err == nil {
			m = now
		}
	}
	if s.json {
		if err := s.printJSON(m); err != nil {
			return err
		}
	}
	switch {
	case m.State == client.Failed:
		return errors.New("not sent: " + m.Problem)
	case m.State == client.Unknown:
		return errors.New("it is not known whether this was sent: " + m.Problem)
	case m.State == client.Queued && !s.offline:
		s.note("queued: %s", s.whyWaiting(ctx, m.Room))
	}
	return nil
}

func (s *session) whyWaiting(ctx context.Context, room string) string {
	r, err := bridge.Room.Call(ctx, s.door, bridge.RoomParams{Room: room})
	if err != nil || r.Waiting == "" {
		return "goes out when the room goes on"
	}
	return r.Waiting
}
