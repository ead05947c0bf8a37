package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const readUsage = `read [ROOM] [--last N] [--follow] [--peek] [--json]
Show messages: the last of a room, or all that are new

What is shown counts as read, on all of your devices, and what burns after
reading begins to; --peek leaves it as it is. --follow stays and shows what
comes.`

func read(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	last := fs.Int("last", 50, "")
	follow := fs.Bool("follow", false, "")
	peek := fs.Bool("peek", false, "")
	args, err := parse(fs, args, 0, 1)
	if err != nil {
		return err
	}
	if *last < 1 || *last > 500 {
		return badUsage("--last is from 1 to 500")
	}
	with := a.withDoor
	if *follow {
		with = a.host
	}
	return with(ctx, func(ctx context.Context, s *session) error {
		r := &reader{session: s, timeline: &timeline{a: a, now: time.Now}, last: *last, peek: *peek, shown: map[string]string{}, rooms: map[string]client.RoomView{}}
		return r.run(ctx, args, *follow)
	})
}

// reader shows messages, each once for each thing it says.
type reader struct {
	*session
	*timeline
	last  int
	peek  bool
	only  string                     // the room to show; "" for all
	away  bool                       // the server is known to be
	shown map[string]string          // what was shown of a message, by keyOf
	rooms map[string]client.RoomView // as they were last seen
}

// run shows what is there, and then what comes.
func (r *reader) run(ctx context.Context, args []string, follow bool) error {
	if follow && r.owner != nil { // else withDoor has, or another process does
		if err := r.sync(ctx); err != nil {
			r.note("sconce: %v", err)
		}
	}
	if len(args) > 0 {
		room, err := r.session.room(ctx, args[0])
		if err != nil {
			return err
		}
		r.only = room.Room
	}
	r.noteOffline()
	for again := false; ; again = true {
		var events <-chan client.Event
		cancel := func() {}
		if follow { // before reading, so that nothing falls between
			var err error
			if events, cancel, err = r.door.Subscribe(ctx); err != nil {
				return err
			}
		}
		err := r.showThere(ctx, again)
		if err == nil && follow {
			err = r.follow(ctx, events)
		}
		cancel()
		if !errors.Is(err, errBehind) {
			return err
		}
	}
}

func (r *reader) showThere(ctx context.Context, again bool) error {
	all, err := bridge.Rooms.Call(ctx, r.door, bridge.None{})
	if err != nil {
		return err
	}
	any := false
	for _, room := range all {
		r.rooms[room.Room] = room
		if r.only != room.Room && (r.only != "" || room.Unread == 0) {
			continue
		}
		any = true
		if err := r.showRoom(ctx, room); err != nil {
			return err
		}
	}
	if !any && !again && !r.json {
		r.note("nothing new")
	}
	if r.owner != nil && !r.peek {
		return r.sync(ctx) // one's other devices learn what was read
	}
	return nil
}

func (r *reader) showRoom(ctx context.Context, room client.RoomView) error {
	limit := r.last
	if r.only == "" {
		limit = 500
	}
	found, err := bridge.Messages.Call(ctx, r.door, bridge.MessagesParams{Room: room.Room, Limit: limit})
	if err != nil {
		return err
	}
	if r.only == "" {
		found = newest(found, room.Unread)
	}
	if note := roomNote(room); note != "" && !r.json {
		r.note("%s: %s", plain.Name(room.Name), note)
	}
	return r.show(ctx, found...)
}

// newest gives the last messages, among them so many of others.
func newest(all []client.MessageView, unread int) []client.MessageView {
	for i := len(all) - 1; i >= 0; i-- {
		if m := all[i]; !m.Mine && !m.Deleted && m.Kind != "notice" && m.Kind != "gap" {
			unread--
		}
		if unread == 0 {
			return all[i:]
		}
	}
	return all
}

// show prints messages of one room that were not shown as they are now, and
// then says that they were seen.
func (r *reader) show(ctx context.Context, all ...client.MessageView) error {
	var fresh []client.MessageView
	seen := 0
	for _, m := range all {
		seen = max(seen, m.Seq)
		if key, said := keyOf(m), fingerprint(m); r.shown[key] != said {
			r.remember(key, said)
			fresh = append(fresh, m)
		}
	}
	if len(fresh) > 0 {
		if err := r.put(fresh); err != nil {
			return err
		}
	}
	if r.peek || seen == 0 {
		return nil
	}
	_, err := bridge.View.Call(ctx, r.door, bridge.ViewParams{Room: all[0].Room, UpTo: seen})
	return err
}

func (r *reader) put(fresh []client.MessageView) error {
	if r.json {
		return printAll(r.app, fresh)
	}
	if r.only == "" {
		r.heading(fresh[0].Room, r.rooms[fresh[0].Room].Name)
	}
	r.print(fresh...)
	return nil
}

// remember is bounded: what was forgotten is at worst shown again when it
// changes.
func (r *reader) remember(key, said string) {
	if len(r.shown) >= 4096 {
		clear(r.shown)
	}
	r.shown[key] = said
}

// keyOf tells messages apart. What the room says of itself has no id, but a
// place.
func keyOf(m client.MessageView) string {
	if id := idOf(m); id != "" {
		return id
	}
	return fmt.Sprintf("%s %d", m.Room, m.Seq)
}

// fingerprint is all of a message that is worth a line when it changes. That
// one's own left the outbox is not.
func fingerprint(m client.MessageView) string {
	b, err := plain.JSON([]any{m.Text, m.Edited, m.Deleted, m.Reactions, m.Problem, m.State.GivenUp()})
	if err != nil {
		return m.Text // strings and numbers always encode
	}
	return string(b)
}

// errBehind means that events were lost.
var errBehind = errors.New("events were lost")

func (r *reader) follow(ctx context.Context, events <-chan client.Event) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, ok := <-events:
			if !ok {
				return errBehind
			}
			if err := r.take(ctx, e); err != nil {
				return err
			}
		}
	}
}

func (r *reader) take(ctx context.Context, e client.Event) error {
	if e.Room != nil {
		r.rooms[e.Room.Room] = *e.Room
	}
	if e.Problem != "" {
		r.note("%s", e.Problem)
	}
	if e.Online != nil {
		r.away = !*e.Online
		if r.away && !r.json {
			r.note("offline")
		}
	}
	if e.Message == nil || r.only != "" && e.Message.Room != r.only {
		return nil
	}
	if e.Message.State == client.Queued && !r.away && !r.json {
		return nil // one's own, on its way: it comes again when it is sent
	}
	if _, ok := r.rooms[e.Message.Room]; !ok {
		room, err := bridge.Room.Call(ctx, r.door, bridge.RoomParams{Room: e.Message.Room})
		if err != nil {
			return err
		}
		r.rooms[room.Room] = room
	}
	return r.show(ctx, *e.Message)
}
