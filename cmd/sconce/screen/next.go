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
	for i := range m.rooms { // of messages that are not on the timeline
		if to := m.rooms[i].unsent.replyTo; to.over(now) {
			m.forget(to.ID)
		}
	}
	if !m.note.until.After(now) {
		m.note = note{}
	}
	if lock := m.lockAfter(); lock > 0 && now.Sub(m.touched) >= lock && !m.left {
		m.left, m.ended = true, ErrLocked
	}
	if _, ok := happened.(second); ok && now.Sub(m.touched) >= draftPause {
		wishes = append(wishes, m.keepDraft()...)
	}
	return append(wishes, m.view()...)
}

// draftPause is how long nothing is typed before what stands there is kept.
const draftPause = 2 * time.Second

// lockAfter is how long nobody may touch a key: as this screen was told, or as
// the person has set for all.
func (m *model) lockAfter() time.Duration {
	if m.lock > 0 {
		return m.lock
	}
	return time.Duration(m.settings.IdleLock) * time.Second
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
		if m.open == "" && m.over == nil {
			wishes = append(wishes, m.show(e.Room.Room)...)
		}
	}
	if e.Message != nil {
		m.takeMessage(*e.Message)
	}
	if e.Gone != nil {
		m.takeGone(*e.Gone)
	}
	if e.Me != nil {
		m.me = *e.Me
	}
	if e.Settings != nil {
		m.settings = *e.Settings
	}
	if e.Online != nil {
		m.connection.State = client.ReachOffline
		if *e.Online {
			m.connection.State = client.ReachOnline
		}
	}
	if e.Connection != nil {
		m.connection = *e.Connection
	}
	if e.Typing != nil {
		if c := m.room(e.Typing.Room); c != nil {
			c.typing[e.Typing.User] = e.Typing.Until
		}
	}
	if e.Problem != "" {
		m.warn(e.Problem)
	}
	if over, ok := m.over.(*details); ok && e.Room != nil && e.Room.Room == over.room {
		over.clamp(m)
	}
	return wishes
}

func (m *model) takeMessage(said client.MessageView) {
	if c := m.room(said.Room); c != nil {
		delete(c.typing, said.Sender)
	}
	t := &m.timeline
	if said.Room != m.open || !t.loaded {
		return
	}
	// Where the room begins on this screen, an older one that changed is none of
	// it yet.
	known := t.index(keyOf(said)) >= 0
	if known || t.whole || said.Seq == 0 || len(t.all) == 0 || said.Seq > t.all[0].Seq {
		t.put(said)
	}
	if !known && !said.Mine && !aside(said) && t.fresh == "" && !m.attentive() {
		t.fresh = keyOf(said)
	}
}

func (m *model) takeGone(gone client.GoneEvent) {
	if gone.Room == m.open {
		m.timeline.drop(gone.ID)
	}
	m.forget(gone.ID)
}

// forget drops what a message left elsewhere on the screen than on the timeline.
func (m *model) forget(id string) {
	if c := &m.compose; c.replyTo != nil && c.replyTo.ID == id {
		c.replyTo = nil
	}
	if c := &m.compose; c.editing != nil && c.editing.ID == id {
		c.take(unsent{}) // its text is the message's
	}
	for i := range m.rooms {
		if last := m.rooms[i].LastMessage; last != nil && last.ID == id {
			m.rooms[i].LastMessage = nil // the room's own event tells what is the last one now
		}
		u := &m.rooms[i].unsent
		if u.replyTo != nil && u.replyTo.ID == id {
			u.replyTo = nil
		}
		if u.editing != nil && u.editing.ID == id {
			*u = unsent{}
		}
	}
	switch over := m.over.(type) {
	case *reading:
		if over.key == id {
			m.over = nil
		}
	case *finder:
		over.forget(id)
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
