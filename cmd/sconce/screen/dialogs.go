package screen

import (
	"slices"
	"strconv"
	"strings"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// switcher goes to a conversation, or to a person with whom there is none yet.
func (m *model) switcher() overlay {
	l := &list{title: "Go to", empty: "Nothing by that name. Ctrl-N begins a new conversation.", hint: "open",
		then: func(m *model, ids []string) []wish { return m.show(ids[0]) }}
	for _, c := range m.rooms {
		l.all = append(l.all, item{id: c.Room, label: plain.Name(c.Name), aside: unreadWord(c.Unread)})
	}
	if len(l.all) > 1 && l.all[0].id == m.open {
		l.at = 1 // Ctrl-K Enter goes back to where one was
	}
	return l
}

func unreadWord(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + " new"
}

// startConversation chooses people: one for a direct conversation, several for a
// room.
func (m *model) startConversation() []wish {
	return m.choosePeople("New conversation", "start", nil, func(m *model, users []string) []wish {
		if len(users) == 1 {
			return []wish{tell(bridge.DirectRoom, bridge.DirectRoomParams{User: users[0]}, (*model).enter)}
		}
		m.over = &prompt{title: "New room", label: "A name for the room:", then: func(m *model, name string) []wish {
			return []wish{tell(bridge.NewRoom, bridge.NewRoomParams{Name: name, Users: users}, (*model).enter)}
		}}
		return nil
	})
}

func (m *model) enter(r client.RoomView) []wish {
	m.takeRoom(r)
	return m.show(r.Room)
}

// choosePeople shows the network's people but for oneself and some others.
func (m *model) choosePeople(title, hint string, without []string, then func(*model, []string) []wish) []wish {
	l := &list{title: title, empty: "Looking …", many: true, hint: hint, then: then}
	m.over = l
	return []wish{ask(bridge.People, bridge.PeopleParams{}, func(_ *model, all []client.PersonView) []wish {
		for _, p := range all {
			if !p.Me && !slices.Contains(without, p.User) {
				l.all = append(l.all, item{id: p.User, label: plain.Name(p.Name), aside: trustWord(p.Trust)})
			}
		}
		l.empty = "Nobody by that name."
		return nil
	})}
}

func trustWord(t client.Trust) string {
	switch t {
	case client.Verified:
		return "✓ verified"
	case client.Changed:
		return "! CHANGED"
	}
	return ""
}

// reactions puts an emoji under a message, or takes one's own back.
func reactions(said client.MessageView) overlay {
	l := &list{title: "React", empty: "Enter takes what you typed.", hint: "react"}
	own := map[string]string{}
	for _, r := range said.Reactions {
		if r.Mine != "" {
			own[r.Emoji] = r.Mine
			l.all = append(l.all, item{id: r.Emoji, label: r.Emoji + "  take back"})
		}
	}
	for _, e := range []struct{ emoji, name string }{
		{"👍", "yes, thumbs up"}, {"👎", "no, thumbs down"}, {"❤", "heart"}, {"😂", "laughing"}, {"🎉", "party"},
		{"😮", "surprised"}, {"😢", "sad"}, {"🙏", "thanks"}, {"👀", "looking"}, {"✅", "done"},
	} {
		if own[e.emoji] == "" {
			l.all = append(l.all, item{id: e.emoji, label: e.emoji + "  " + e.name})
		}
	}
	l.then = func(_ *model, ids []string) []wish {
		if mine := own[ids[0]]; mine != "" {
			return []wish{tell(bridge.Unreact, bridge.UnreactParams{Room: said.Room, Message: said.ID, Reaction: mine}, nil)}
		}
		return []wish{tell(bridge.React, bridge.ReactParams{Room: said.Room, Message: said.ID, Emoji: ids[0]}, nil)}
	}
	return l
}

// chooseTimer sets how long the next message stays.
func (m *model) chooseTimer() {
	m.over = timers("How long the next message stays", "no timer of its own", m.compose.expire, m.compose.burn, func(m *model, expire, burn int) []wish {
		m.compose.expire, m.compose.burn = expire, burn
		return nil
	})
}

// timers chooses a time, and begins at the one that is; expire and burn are in
// seconds, 0 is "not by this one".
func timers(title, none string, expire, burn int, then func(m *model, expire, burn int) []wish) overlay {
	l := &list{title: title, hint: "choose", empty: "No such time."}
	l.all = append(l.all, item{id: "off", label: none})
	for _, t := range []string{"10s", "1m", "5m", "1h"} {
		l.all = append(l.all, item{id: "burn " + t, label: "burns " + t + " after it is read"})
	}
	for _, t := range []string{"5m", "1h", "8h", "1d", "7d", "28d"} {
		l.all = append(l.all, item{id: "stay " + t, label: "stays " + t})
	}
	is := "off"
	switch {
	case expire > 0 && burn == 0:
		is = "stay " + plain.Timer(expire)
	case burn > 0 && expire == 0:
		is = "burn " + plain.Timer(burn)
	case expire > 0:
		is = "both"
	}
	l.at = slices.IndexFunc(l.all, func(i item) bool { return i.id == is })
	if l.at < 0 { // a time that was set elsewhere
		l.at = 0
		l.all = slices.Insert(l.all, 0, item{id: "as it is", label: timerWord(expire, burn)})
	}
	l.then = func(m *model, ids []string) []wish {
		kind, t, _ := strings.Cut(ids[0], " ")
		n, err := plain.ParseTimer(t)
		switch {
		case kind == "as":
			return then(m, expire, burn)
		case kind == "burn" && err == nil:
			return then(m, 0, n)
		case kind == "stay" && err == nil:
			return then(m, n, 0)
		}
		return then(m, 0, 0)
	}
	return l
}

// timerWord says how long messages stay.
func timerWord(expire, burn int) string {
	var parts []string
	if expire > 0 {
		parts = append(parts, "stays "+plain.Timer(expire))
	}
	if burn > 0 {
		parts = append(parts, "burns "+plain.Timer(burn)+" after reading")
	}
	return strings.Join(parts, ", ")
}

// readWhole shows all of a message, what is to be known of it, and what it said
// before.
func (m *model) readWhole(said client.MessageView) []wish {
	r := whole(m, said)
	m.over = r
	if !said.Edited || said.Deleted {
		return nil
	}
	return []wish{ask(bridge.History, bridge.MessageOfParams{Room: said.Room, Message: said.ID}, func(m *model, all []client.EarlierView) []wish {
		for _, e := range all {
			r.text += "\n\nBefore, at " + clock(m, e.Time).Format("15:04") + ":\n" + e.Text
		}
		return nil
	})}
}

func whole(m *model, said client.MessageView) *reading {
	at := clock(m, said.Time).Format("Monday, 2 January 2006, 15:04:05")
	about := []string{plain.Name(said.Name) + ", " + at}
	for _, w := range said.Warnings {
		about = append(about, "! "+w)
	}
	if said.Problem != "" {
		about = append(about, "! "+said.Problem)
	}
	if c := m.room(said.Room); c != nil {
		for _, r := range said.Reactions {
			about = append(about, r.Emoji+"  "+strings.Join(names(c.RoomView, r.By), ", "))
		}
		if r := said.Receipts; r != nil && len(r.Read) > 0 {
			about = append(about, "read by "+strings.Join(names(c.RoomView, r.Read), ", "))
		}
		if r := said.Receipts; r != nil && len(r.Delivered) > len(r.Read) {
			about = append(about, "there for "+strings.Join(names(c.RoomView, r.Delivered), ", "))
		}
	}
	return &reading{title: "Message", key: keyOf(said), text: spoken(said) + "\n\n" + strings.Join(about, "\n")}
}

// names gives what people of a room are called.
func names(r client.RoomView, users []string) (all []string) {
	for _, u := range users {
		name := plain.Short(u)
		if i := slices.IndexFunc(r.Members, func(p client.MemberView) bool { return p.User == u }); i >= 0 {
			name = plain.Name(r.Members[i].Name)
		}
		all = append(all, name)
	}
	return all
}

func help() overlay {
	return &reading{title: "Keys", text: strings.TrimSpace(helpText)}
}

const helpText = `
Anywhere
  Ctrl-K            go to a conversation by its name
  Ctrl-F            find messages
  Ctrl-N            new conversation, with one person or several
  Ctrl-O            this room: people, timers, safety numbers
  Ctrl-T            how long the next message stays
  Alt-↑  Alt-↓      the conversation above, below
  PgUp  PgDn        scroll; Ctrl-End goes to the newest
  Ctrl-L            lock: close the store, ask for the passphrase
  Ctrl-Q            leave
  F1                this help

Writing
  Enter             send; @Name names somebody, an admin's @all everyone
  Alt-Enter         new line (also Ctrl-J)
  ↑                 edit your last message, when nothing is written
  Esc               give up the reply, the edit or the timer
  Tab               choose a message

On a chosen message
  ↑ ↓               another one
  r  e  d           reply, edit, delete
  +                 react
  Enter             all of it, and who reacted
  y                 copy its text
  s  x              send again, or drop, what was not sent
  Esc               back to writing

Marks
  …  waits to be sent     ✓  sent     ✓✓  on their devices     ✓✓ read
  !  something is wrong   ★  pinned   @3  somebody names you
  ◷  how long until it is gone, here and everywhere

What you see counts as read, and begins to burn, only while this terminal is in
front and a key was pressed in the last five minutes.
`
