package main

import (
	"context"
	"fmt"
	"strings"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const roomsUsage = `rooms [--json]
List your rooms`

func rooms(ctx context.Context, a *app, args []string) error {
	if _, err := parse(a.options(), args, 0, 0); err != nil {
		return err
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		all, err := bridge.Rooms.Call(ctx, s.door, bridge.None{})
		if err != nil {
			return err
		}
		s.noteOffline()
		if a.json {
			return printAll(a, all)
		}
		a.printRooms(all...)
		return nil
	})
}

func (a *app) printRooms(all ...client.RoomView) {
	var rows [][]string
	for _, r := range all {
		unread := ""
		if r.Unread > 0 {
			unread = fmt.Sprintf("%d unread", r.Unread)
		}
		rows = append(rows, []string{plain.Short(r.Room), plain.Name(r.Name), roomSize(r), timers(r.Expire, r.Burn), unread, roomNote(r)})
	}
	fmt.Fprint(a.out, table(rows))
}

func roomSize(r client.RoomView) string {
	if r.Kind == "direct" {
		return "direct"
	}
	return plain.Count(len(r.Members), "person", "people")
}

// roomNote says what is out of the ordinary, the worst first.
func roomNote(r client.RoomView) string {
	var notes []string
	if r.Alarm != "" {
		notes = append(notes, "ALARM: "+plain.Line(r.Alarm))
	}
	for _, m := range r.Members {
		if m.Trust == client.Changed {
			notes = append(notes, "the identity of "+plain.Name(m.Name)+" CHANGED")
		}
	}
	if r.Left {
		notes = append(notes, "left")
	}
	if r.Waiting != "" {
		notes = append(notes, plain.Line(r.Waiting))
	}
	return strings.Join(notes, "; ")
}

// timers says how long messages stay.
func timers(expire, burn int) string {
	var parts []string
	if expire > 0 {
		parts = append(parts, "expire "+plain.Timer(expire))
	}
	if burn > 0 {
		parts = append(parts, "burn "+plain.Timer(burn))
	}
	return strings.Join(parts, ", ")
}
