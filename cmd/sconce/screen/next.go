package screen

import (
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"sconce/client"
	"sconce/client/bridge"
)

// next takes what happened and gives what the model wants done. It does nothing
// itself: no clock, no door, no terminal.
func (m *model) next(now time.Time, happened tea.Msg) []wish {
	m.now = now
	wishes := m.take(happened)
	for _, key := range m.timeline.sweep(now) {
		m.forget(key)
	}
	if !m.note.until.After(now) {
		m.note = note{}
	}
	if m.lock > 0 && now.Sub(m.touched) >= m.lock && !m.left {
		m.left, m.ended = true, ErrLocked
	}
	return append(wishes, m.view()...)
}

func (m *model) take(happened tea.Msg) []wish {
	switch e := happened.(type) {
	case answer:
		return e(m)
	case client.Event:
		return m.takeEvent(e)
	case behind:
		return m.begin()
	case lost:
		m.left, m.ended = true, ErrLost
	case tea.KeyPressMsg:
		return m.press(e)
	case tea.PasteMsg:
		m.paste(e.Content)
	case tea.FocusMsg:
		m.focused, m.touched = true, m.now
	case tea.BlurMsg:
		m.focused = false
	case tea.WindowSizeMsg:
		m.resize(e.Width, e.Height)
	case tea.BackgroundColorMsg:
		m.dark = e.IsDark()
		m.theme = newTheme(m.profile, m.dark)
	case tea.ColorProfileMsg:
		m.profile = e.Profile
		m.theme = newTheme(m.profile, m.dark)
	case tea.ModeReportMsg:
		if e.Mode == ansi.ModeUnicodeCore && !e.Value.IsNotRecognized() {
			m.ruler = ruler{ansi.GraphemeWidth}
		}
	}
	return nil
}

func (m *model) resize(width, height int) {
	m.width, m.height = width, height
	m.compose.area.SetWidth(max(m.layout().main-composerMargin, 1))
}

func (m *model) takeEvent(e client.Event) (wishes []wish) {
	if e.Room != nil {
		m.takeRoom(*e.Room)
	}
	if e.Message != nil {
		wishes = append(wishes, m.takeMessage(*e.Message)...)
	}
	if e.Gone != nil {
		wishes = append(wishes, m.takeGone(*e.Gone)...)
	}
	if e.Me != nil {
		m.me = *e.Me
	}
	if e.Online != nil {
		m.online = e.Online
	}
	if e.Problem != "" {
		m.warn(e.Problem)
	}
	if over, ok := m.over.(*details); ok && e.Room != nil && e.Room.Room == over.room {
		over.clamp(m)
	}
	return wishes
}

func (m *model) takeMessage(said client.MessageView) (wishes []wish) {
	m.count(said)
	if said.Room == m.open && m.timeline.loaded {
		t := &m.timeline
		// Where the room begins on this screen, an older one that changed is none
		// of it yet.
		known := t.index(keyOf(said)) >= 0
		if known || t.whole || said.Seq == 0 || len(t.all) == 0 || said.Seq > t.all[0].Seq {
			t.put(said)
		}
		if !known && !said.Mine && !aside(said) && t.fresh == "" && !m.attentive() {
			t.fresh = keyOf(said)
		}
	}
	c := m.room(said.Room)
	if c == nil {
		return []wish{ask(bridge.Room, bridge.RoomParams{Room: said.Room}, func(m *model, r client.RoomView) []wish {
			m.takeRoom(r)
			return []wish{m.readNewest(r.Room)}
		})}
	}
	c.note(said)
	m.sort()
	return nil
}

func (m *model) takeGone(gone client.GoneEvent) []wish {
	delete(m.queued, gone.ID)
	if gone.Room == m.open {
		m.timeline.drop(gone.ID)
	}
	m.forget(gone.ID)
	if c := m.room(gone.Room); c != nil && c.newest.ID == gone.ID {
		c.newest = client.MessageView{}
		return []wish{m.readNewest(gone.Room)}
	}
	return nil
}

// forget drops what a message left elsewhere on the screen than on the timeline.
func (m *model) forget(id string) {
	drop := func(about **client.MessageView) bool {
		mine := *about != nil && (*about).ID == id
		if mine {
			*about = nil
		}
		return mine
	}
	drop(&m.compose.replyTo)
	if drop(&m.compose.editing) {
		m.compose.take(unsent{}) // its text is the message's
	}
	for i := range m.rooms {
		u := &m.rooms[i].unsent
		drop(&u.replyTo)
		if drop(&u.editing) {
			*u = unsent{}
		}
	}
	if over, ok := m.over.(*reading); ok && over.key == id {
		m.over = nil
	}
}

// view tells that the person has seen the room as far as the screen shows it,
// while they are there to see.
func (m *model) view() []wish {
	c := m.room(m.open)
	if c == nil || !m.timeline.loaded || !m.attentive() || m.height == 0 {
		return nil
	}
	rows, height := m.rows(), m.timelineHeight()
	seq := m.timeline.upTo(rows, height)
	if seq <= m.timeline.seen || !m.timeline.unseen(seq) {
		return nil
	}
	m.timeline.seen = seq
	return []wish{tell(bridge.View, bridge.ViewParams{Room: m.open, UpTo: seq}, nil)}
}
