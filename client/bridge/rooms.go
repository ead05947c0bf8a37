package bridge

import (
	"context"

	"sconce/client"
)

// Rooms lists the rooms of this device, by name.
var Rooms = Method[None, []client.RoomView]{"rooms", func(_ context.Context, c *client.Client, _ None) ([]client.RoomView, error) {
	return list(c.Rooms())
}}

// RoomParams names a room.
type RoomParams struct {
	Room string `json:"room"`
}

// Room gives one room.
var Room = Method[RoomParams, client.RoomView]{"room", func(_ context.Context, c *client.Client, p RoomParams) (client.RoomView, error) {
	return c.Room(p.Room)
}}

// NewRoomParams is what [NewRoom] takes.
type NewRoomParams struct {
	Name  string   `json:"name"`
	Users []string `json:"users"` // besides oneself
}

// NewRoom makes a room and brings people in.
var NewRoom = Method[NewRoomParams, client.RoomView]{"newRoom", func(ctx context.Context, c *client.Client, p NewRoomParams) (client.RoomView, error) {
	return c.NewRoom(ctx, p.Name, p.Users)
}}

// DirectRoomParams is what [DirectRoom] takes.
type DirectRoomParams struct {
	User string `json:"user"`
}

// DirectRoom finds the room of two people, this one and another, or makes it.
var DirectRoom = Method[DirectRoomParams, client.RoomView]{"directRoom", func(ctx context.Context, c *client.Client, p DirectRoomParams) (client.RoomView, error) {
	return c.DirectRoom(ctx, p.User)
}}

// AddPeopleParams is what [AddPeople] takes.
type AddPeopleParams struct {
	Room  string   `json:"room"`
	Users []string `json:"users"`
}

// AddPeople brings people into a room. They read what is said from then on.
var AddPeople = Method[AddPeopleParams, None]{"addPeople", func(ctx context.Context, c *client.Client, p AddPeopleParams) (None, error) {
	return None{}, c.AddPeople(ctx, p.Room, p.Users)
}}

// RemovePersonParams is what [RemovePerson] takes.
type RemovePersonParams struct {
	Room string `json:"room"`
	User string `json:"user"`
}

// RemovePerson takes a person with all of their devices out of a room.
var RemovePerson = Method[RemovePersonParams, None]{"removePerson", func(ctx context.Context, c *client.Client, p RemovePersonParams) (None, error) {
	return None{}, c.RemovePerson(ctx, p.Room, p.User)
}}

// SetAdminParams is what [SetAdmin] takes.
type SetAdminParams struct {
	Room  string `json:"room"`
	User  string `json:"user"`
	Admin bool   `json:"admin"`
}

// SetAdmin makes a person an admin of a room, or takes that from them. The only
// admin stays one.
var SetAdmin = Method[SetAdminParams, None]{"setAdmin", func(ctx context.Context, c *client.Client, p SetAdminParams) (None, error) {
	return None{}, c.SetAdmin(ctx, p.Room, p.User, p.Admin)
}}

// Leave takes this person out of a room.
var Leave = Method[RoomParams, None]{"leave", func(ctx context.Context, c *client.Client, p RoomParams) (None, error) {
	return None{}, c.Leave(ctx, p.Room)
}}

// Dismiss takes note of a room's alarm: the person has looked into it and goes
// on. A room that stood still because of it is joined again; one that the server
// says they are not in counts as left.
var Dismiss = Method[RoomParams, None]{"dismiss", func(_ context.Context, c *client.Client, p RoomParams) (None, error) {
	return None{}, c.Dismiss(p.Room)
}}

// SetRoomParams is what [SetRoom] takes. What is absent stays as it is.
type SetRoomParams struct {
	Room        string  `json:"room"`
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
	Expire      *int    `json:"expire,omitempty"` // seconds that a message stays; 0 for ever
	Burn        *int    `json:"burn,omitempty"`   // seconds that it stays once it was seen; 0 for ever
}

// SetRoom changes a room's name, description and timers for everyone in it.
var SetRoom = Method[SetRoomParams, None]{"setRoom", func(ctx context.Context, c *client.Client, p SetRoomParams) (None, error) {
	now, err := c.Room(p.Room)
	if err != nil {
		return None{}, err
	}
	return None{}, c.SetRoom(ctx, p.Room, p.over(now))
}}

// PreferencesParams is what [Preferences] takes.
type PreferencesParams struct {
	Room string `json:"room"`
	client.Preferences
}

// Preferences says how this person wants a room listed, and of what in it to be
// told, on all of their devices.
var Preferences = Method[PreferencesParams, None]{"preferences", func(_ context.Context, c *client.Client, p PreferencesParams) (None, error) {
	return None{}, c.SetPreferences(p.Room, p.Preferences)
}}

// over gives a room's settings as they are after the change.
func (p SetRoomParams) over(now client.RoomView) client.RoomSettings {
	s := client.RoomSettings{Name: now.Name, Description: now.Description, Expire: now.Expire, Burn: now.Burn}
	if now.Kind == "direct" {
		s.Name = "" // what the view shows is the other person's
	}
	replace(&s.Name, p.Name)
	replace(&s.Description, p.Description)
	replace(&s.Expire, p.Expire)
	replace(&s.Burn, p.Burn)
	return s
}

func replace[T any](old, next *T) {
	if next != nil {
		*old = *next
	}
}
