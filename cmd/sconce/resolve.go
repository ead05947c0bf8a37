package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
	"sconce/identity"
)

// called is something that people name.
type called struct {
	name string // as shown
	id   string
	what string // where there are several kinds: "room", "person"
}

// ambiguousError lists what a text could mean.
type ambiguousError struct {
	what, text string
	candidates []called
}

func (e *ambiguousError) Error() string {
	const most = 10
	var names []string
	for _, c := range e.candidates[:min(len(e.candidates), most)] {
		names = append(names, strings.TrimSpace(c.what+" "+c.name+" ("+c.id+")"))
	}
	if more := len(e.candidates) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%q could be any of: %s", e.text, strings.Join(names, ", "))
}

// shortestID is how many characters of an id may stand for it.
const shortestID = 4

// pick gives the index of what a text means: by id, by exact name, by name in
// any case, by the beginning of one name, by the beginning of one id. The first
// of these that fits at all decides, so that a longer name never hides a
// shorter one.
func pick(what, text string, all []called) (int, error) {
	text = plain.Line(text)
	lower := strings.ToLower(text)
	ways := []func(called) bool{
		func(c called) bool { return c.id == text },
		func(c called) bool { return c.name == text },
		func(c called) bool { return strings.ToLower(c.name) == lower },
		func(c called) bool { return strings.HasPrefix(strings.ToLower(c.name), lower) },
		func(c called) bool { return len(text) >= shortestID && strings.HasPrefix(c.id, lower) },
	}
	if text == "" {
		ways = nil
	}
	for _, fits := range ways {
		var found []called
		at := 0
		for i, c := range all {
			if fits(c) {
				found, at = append(found, c), i
			}
		}
		switch {
		case len(found) == 1:
			return at, nil
		case len(found) > 1:
			return 0, &ambiguousError{what, text, found}
		}
	}
	return 0, fmt.Errorf("there is no %s %q here", what, text)
}

// person finds one person of the network.
func (s *session) person(ctx context.Context, text string) (client.PersonView, error) {
	if _, err := identity.ParseUserID(text); err == nil {
		return client.PersonView{User: text, Name: plain.Short(text)}, nil
	}
	found, err := bridge.People.Call(ctx, s.door, bridge.PeopleParams{Query: plain.Line(text)})
	if err != nil {
		return client.PersonView{}, err
	}
	all := make([]called, len(found))
	for i, p := range found {
		all[i] = called{name: plain.Name(p.Name), id: p.User}
	}
	i, err := pick("person", text, all)
	if err != nil {
		return client.PersonView{}, err
	}
	return found[i], nil
}

func (s *session) persons(ctx context.Context, texts []string) (users []string, err error) {
	for _, text := range texts {
		p, err := s.person(ctx, text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(users, p.User) {
			users = append(users, p.User)
		}
	}
	return users, nil
}

// room finds one room of this device.
func (s *session) room(ctx context.Context, text string) (client.RoomView, error) {
	rooms, err := bridge.Rooms.Call(ctx, s.door, bridge.None{})
	if err != nil {
		return client.RoomView{}, err
	}
	i, err := pick("room", text, roomNames(rooms))
	if err != nil {
		return client.RoomView{}, err
	}
	return rooms[i], nil
}

// participant finds a person among those in a room, and no one else.
func (s *session) participant(ctx context.Context, where, who string) (room, user string, err error) {
	r, err := s.room(ctx, where)
	if err != nil {
		return "", "", err
	}
	all := make([]called, len(r.Members))
	for i, m := range r.Members {
		all[i] = called{name: plain.Name(m.Name), id: m.User}
	}
	i, err := pick("participant", who, all)
	if err != nil {
		return "", "", err
	}
	return r.Room, all[i].id, nil
}

func roomNames(rooms []client.RoomView) []called {
	all := make([]called, len(rooms))
	for i, r := range rooms {
		all[i] = called{name: plain.Name(r.Name), id: r.Room, what: r.Kind + " room"}
	}
	return all
}

// target finds where a message is to go: a room, or a person, whose direct room
// is made if there is none. A room that took a person's name is one of two
// candidates, not a way to get their messages.
func (s *session) target(ctx context.Context, text string) (room string, err error) {
	rooms, err := bridge.Rooms.Call(ctx, s.door, bridge.None{})
	if err != nil {
		return "", err
	}
	rooms = slices.DeleteFunc(rooms, func(r client.RoomView) bool { return r.Left })
	all := roomNames(rooms)
	if i, err := pick("room or person", text, all); err == nil && certain(text, rooms[i]) {
		return rooms[i].Room, nil
	}
	people, err := s.others(ctx, text, rooms)
	if err != nil {
		return "", err
	}
	for _, p := range people {
		all = append(all, called{name: plain.Name(p.Name), id: p.User, what: "person"})
	}
	i, err := pick("room or person", text, all)
	if err != nil {
		return "", err
	}
	if i < len(rooms) {
		return rooms[i].Room, nil
	}
	direct, err := bridge.DirectRoom.Call(ctx, s.door, bridge.DirectRoomParams{User: all[i].id})
	return direct.Room, err
}

// certain reports whether a text can mean nobody but the room that it was found
// to mean: by its id, or as the direct room with the one person of that name.
func certain(text string, r client.RoomView) bool {
	return r.Room == text || r.Kind == "direct" && strings.EqualFold(plain.Name(r.Name), plain.Line(text))
}

// others finds people to whom there is no direct room yet, and whom an id names.
// It asks for everyone: the text may be the name of a room, which the server
// must not learn.
func (s *session) others(ctx context.Context, text string, rooms []client.RoomView) ([]client.PersonView, error) {
	if _, err := identity.ParseUserID(text); err == nil {
		return []client.PersonView{{User: text, Name: plain.Short(text)}}, nil
	}
	people, err := bridge.People.Call(ctx, s.door, bridge.PeopleParams{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(people, func(p client.PersonView) bool {
		return p.Me || slices.ContainsFunc(rooms, func(r client.RoomView) bool { return r.Kind == "direct" && hasMember(r, p.User) })
	}), nil
}

func hasMember(r client.RoomView, user string) bool {
	return slices.ContainsFunc(r.Members, func(m client.MemberView) bool { return m.User == user })
}

// message finds a message of a room by the beginning of its id, among the newest
// ones.
func (s *session) message(ctx context.Context, room, text string) (client.MessageView, error) {
	const pages, perPage = 10, 500
	var all []client.MessageView
	before := 0
	for range pages {
		page, err := bridge.Messages.Call(ctx, s.door, bridge.MessagesParams{Room: room, Before: before, Limit: perPage})
		if err != nil {
			return client.MessageView{}, err
		}
		all = append(all, page...)
		if len(page) < perPage || page[0].Seq <= 1 {
			break
		}
		before = page[0].Seq
	}
	return messageIn(all, text)
}

func messageIn(all []client.MessageView, text string) (client.MessageView, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(m client.MessageView) bool { return idOf(m) == "" })
	names := make([]called, len(all))
	for i, m := range all {
		names[i] = called{id: m.ID, what: m.Kind + " of " + plain.Name(m.Name)}
	}
	i, err := pick("message", text, names)
	if err != nil {
		return client.MessageView{}, err
	}
	return all[i], nil
}
