package screen

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// details is a room and its people.
type details struct {
	room string
	at   int // which person is chosen
}

// openDetails shows the room on the screen.
func (m *model) openDetails() []wish {
	if m.room(m.open) == nil {
		m.say("Choose a conversation first: Ctrl-K, or Ctrl-N for a new one.")
		return nil
	}
	d := &details{room: m.open}
	d.at = max(0, slices.IndexFunc(m.room(m.open).Members, func(p client.MemberView) bool { return p.User != m.me.User }))
	m.over = d
	return nil
}

// clamp keeps the choice on somebody, when the room changed.
func (d *details) clamp(m *model) {
	if c := m.room(d.room); c != nil {
		d.at = max(0, min(d.at, len(c.Members)-1))
	}
}

func (d *details) paste(string) {}

func (d *details) press(m *model, k tea.KeyPressMsg) []wish {
	c := m.room(d.room)
	if c == nil {
		m.over = nil
		return nil
	}
	switch k.String() {
	case "esc", "q", "ctrl+c", "ctrl+o":
		m.over = nil
	case "up", "k":
		d.at = max(0, d.at-1)
	case "down", "j":
		d.at = min(d.at+1, max(0, len(c.Members)-1))
	case "a":
		return d.add(m, c.RoomView)
	case "n":
		m.over = &prompt{title: "Name", label: "A new name for the room:", back: d, field: field{text: []rune(c.Name)}, then: func(_ *model, name string) []wish {
			return []wish{tell(bridge.SetRoom, bridge.SetRoomParams{Room: d.room, Name: &name}, nil)}
		}}
	case "t":
		was := [2]int{c.Expire, c.Burn}
		m.over = timers("How long messages of this room stay", "no timer", c.Expire, c.Burn, func(m *model, expire, burn int) []wish {
			m.over = d
			if was == [2]int{expire, burn} {
				return nil
			}
			return []wish{tell(bridge.SetRoom, bridge.SetRoomParams{Room: d.room, Expire: &expire, Burn: &burn}, nil)}
		})
	case "l":
		q := confirm("Leave "+plain.Name(c.Name)+"? You get nothing more from it.", "leave", func(*model) []wish {
			return []wish{tell(bridge.Leave, bridge.RoomParams{Room: d.room}, nil)}
		})
		q.back, m.over = d, q
	case "p":
		pinned := !c.Pinned
		return []wish{tell(bridge.Preferences, bridge.PreferencesParams{Room: d.room, Preferences: client.Preferences{Pinned: &pinned}}, nil)}
	case "m":
		quieter := map[client.Notify]client.Notify{client.NotifyAll: client.NotifyMentions, client.NotifyMentions: client.NotifyNone}[c.Notify]
		if quieter == "" {
			quieter = client.NotifyAll
		}
		return []wish{tell(bridge.Preferences, bridge.PreferencesParams{Room: d.room, Preferences: client.Preferences{Notify: &quieter}}, nil)}
	case "D":
		if c.Alarm != "" {
			return []wish{tell(bridge.Dismiss, bridge.RoomParams{Room: d.room}, nil)}
		}
	default:
		if d.at < len(c.Members) {
			return d.about(m, c.Members[d.at], k.String())
		}
	}
	return nil
}

func (d *details) add(m *model, r client.RoomView) []wish {
	if r.Kind == "direct" {
		m.say("A direct conversation stays between two. Ctrl-N makes a room for more.")
		return nil
	}
	var there []string
	for _, p := range r.Members {
		there = append(there, p.User)
	}
	return m.choosePeople("Bring in", "bring in", there, func(m *model, users []string) []wish {
		m.over = d
		return []wish{tell(bridge.AddPeople, bridge.AddPeopleParams{Room: d.room, Users: users}, nil)}
	})
}

// about is a key about one person.
func (d *details) about(m *model, p client.MemberView, key string) []wish {
	if p.User == m.me.User {
		return nil
	}
	switch key {
	case "enter", "v":
		return []wish{ask(bridge.Safety, bridge.SafetyParams{User: p.User}, func(m *model, s client.SafetyView) []wish {
			m.over = d.safety(s)
			return nil
		})}
	case "w":
		return []wish{tell(bridge.DirectRoom, bridge.DirectRoomParams{User: p.User}, func(m *model, r client.RoomView) []wish {
			m.over = nil
			return m.enter(r)
		})}
	case "A":
		text, yes := "Make "+plain.Name(p.Name)+" an admin of the room?", "make admin"
		if p.Admin {
			text, yes = "Is "+plain.Name(p.Name)+" to be an admin of the room no more?", "no more"
		}
		q := confirm(text, yes, func(*model) []wish {
			return []wish{tell(bridge.SetAdmin, bridge.SetAdminParams{Room: d.room, User: p.User, Admin: !p.Admin}, nil)}
		})
		q.back, m.over = d, q
	case "x":
		q := confirm("Take "+plain.Name(p.Name)+" out of the room?", "take out", func(*model) []wish {
			return []wish{tell(bridge.RemovePerson, bridge.RemovePersonParams{Room: d.room, User: p.User}, nil)}
		})
		q.back, m.over = d, q
	}
	return nil
}

// safety shows the number that two people compare.
func (d *details) safety(s client.SafetyView) overlay {
	name := plain.Name(s.Name)
	mark := func(verified bool) func(*model) []wish {
		return func(m *model) []wish {
			m.over = d
			return []wish{tell(bridge.MarkVerified, bridge.MarkVerifiedParams{User: s.User, Verified: verified}, nil)}
		}
	}
	r := &reading{title: "Safety number with " + name, back: d, keys: map[string]func(*model) []wish{}}
	var b strings.Builder
	for i, group := range strings.Fields(s.Number) {
		if i > 0 {
			b.WriteString(map[bool]string{true: "\n", false: "  "}[i%4 == 0])
		}
		b.WriteString(group)
	}
	fmt.Fprintf(&b, "\n\nCompare it with what %s sees, face to face or on the phone. Is it the same, nobody stands between you.", name)
	switch s.Trust {
	case client.Verified:
		b.WriteString("\n\n✓ You have compared it.")
		r.more, r.keys["u"] = "u take back", mark(false)
	case client.Changed:
		b.WriteString("\n\n! This identity CHANGED in a way that it must not. Do not write before you have spoken.")
	default:
		r.more, r.keys["v"] = "v it is the same", mark(true)
	}
	r.text = b.String()
	return r
}

func (d *details) draw(m *model, width, height int) (string, []string, string) {
	c := m.room(d.room)
	if c == nil {
		return "", nil, "Esc back"
	}
	var lines []string
	if c.Description != "" {
		lines = append(lines, m.ruler.wrap(c.Description, width)...)
	}
	stay := timerWord(c.Expire, c.Burn)
	if stay == "" {
		stay = "stays until deleted"
	}
	lines = append(lines, m.theme.dim.Render("What is said here ")+stay)
	if word := map[client.Notify]string{client.NotifyMentions: "only what names you", client.NotifyNone: "nothing"}[c.Notify]; word != "" {
		lines = append(lines, m.theme.dim.Render("You want to be told of ")+word)
	}
	if c.Unchecked > 0 {
		lines = append(lines, m.theme.dim.Render(plain.Count(c.Unchecked, "device is", "devices are")+" not checked yet"))
	}
	if trouble := trouble(c.RoomView); trouble != "" {
		for _, l := range m.ruler.wrap("! "+trouble, width) {
			lines = append(lines, m.theme.bad.Render(l))
		}
	}
	lines = append(lines, "")
	room := max(1, height-len(lines))
	from := max(0, min(d.at-room/2, len(c.Members)-room))
	for i := from; i < min(len(c.Members), from+room); i++ {
		p := c.Members[i]
		about := trustWord(p.Trust)
		if p.User == m.me.User {
			about = "you"
		}
		if p.Admin && c.Kind != "direct" {
			about = strings.TrimSpace("admin  " + about)
		}
		lines = append(lines, m.theme.line(m.ruler, plain.Name(p.Name), about, width, i == d.at))
	}
	keys := "v number · t timer · p pin · m mute · l leave"
	if c.Kind != "direct" {
		keys = "v number · w write · x out · A admin · a add · n name · t timer · p pin · m mute · l leave"
	}
	if c.Alarm != "" {
		keys += " · D dismiss alarm"
	}
	return plain.Name(c.Name), lines, keys
}

// trouble says what is out of the ordinary with a room, the worst first.
func trouble(r client.RoomView) string {
	var all []string
	if r.Alarm != "" {
		all = append(all, r.Alarm)
	}
	for _, p := range r.Members {
		if p.Trust == client.Changed {
			all = append(all, "the identity of "+plain.Name(p.Name)+" CHANGED: compare numbers (Ctrl-O) before you write")
		}
	}
	if r.Left {
		all = append(all, "you are not in this room any more")
	}
	if r.Waiting != "" {
		all = append(all, r.Waiting)
	}
	return strings.Join(all, "; ")
}
