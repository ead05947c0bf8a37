package screen

import (
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// unbound names the keys of the text area that mean something else here.
func unbound(k *textarea.KeyMap) []*key.Binding {
	return []*key.Binding{&k.DeleteAfterCursor, &k.InsertNewline, &k.Paste, &k.CopySelection, &k.PageUp, &k.PageDown, &k.TransposeCharacterBackward, &k.SelectAll}
}

// press is a key, wherever one is.
func (m *model) press(k tea.KeyPressMsg) []wish {
	m.touched = m.now
	if m.note.bad {
		m.note = note{}
	}
	if m.over != nil {
		return m.over.press(m, k)
	}
	if wishes, done := m.pressAnywhere(k); done {
		return wishes
	}
	if m.timeline.chosen != "" {
		return m.pressChosen(k)
	}
	return m.pressComposer(k)
}

// pressAnywhere is a key that means the same in the composer and on a message.
func (m *model) pressAnywhere(k tea.KeyPressMsg) (wishes []wish, done bool) {
	switch k.String() {
	case "ctrl+k":
		m.over = m.switcher()
	case "ctrl+n":
		return m.startConversation(), true
	case "ctrl+o":
		return m.openDetails(), true
	case "ctrl+t":
		m.chooseTimer()
	case "f1":
		m.over = help()
	case "ctrl+f":
		m.over = &finder{}
	case "ctrl+q", "ctrl+c":
		m.left = true
	case "ctrl+l":
		m.left, m.ended = true, ErrLocked
	case "alt+up", "ctrl+shift+tab":
		return m.step(-1), true
	case "alt+down", "ctrl+tab":
		return m.step(+1), true
	case "pgup":
		return m.scroll(-(m.timelineHeight() - 2)), true
	case "pgdown":
		return m.scroll(m.timelineHeight() - 2), true
	case "shift+up":
		return m.scroll(-1), true
	case "shift+down":
		return m.scroll(+1), true
	case "ctrl+end":
		m.timeline.bottom, m.timeline.cut = "", 0
	default:
		return nil, false
	}
	return nil, true
}

func (m *model) scroll(by int) []wish {
	rows, height := m.rows(), m.timelineHeight()
	m.timeline.scroll(rows, height, by)
	if from, _ := m.timeline.window(rows, height); from < height {
		return m.readOlder()
	}
	return nil
}

// step opens the conversation above or below in the list.
func (m *model) step(by int) []wish {
	for i, c := range m.rooms {
		if c.Room == m.open {
			if to := i + by; to >= 0 && to < len(m.rooms) {
				return m.show(m.rooms[to].Room)
			}
			return nil
		}
	}
	if len(m.rooms) > 0 {
		return m.show(m.rooms[0].Room)
	}
	return nil
}

func (m *model) pressComposer(k tea.KeyPressMsg) []wish {
	switch k.String() {
	case "enter":
		return m.submit()
	case "alt+enter", "shift+enter", "ctrl+j":
		m.compose.area.InsertString("\n")
		return nil
	case "tab":
		m.choose(-1)
		return nil
	case "esc":
		m.giveUp()
		return nil
	case "up":
		if m.compose.empty() && m.compose.editing == nil {
			m.editLast()
			return nil
		}
	}
	before := m.compose.area.Value()
	m.compose.area, _ = m.compose.area.Update(k)
	if m.compose.area.Value() != before {
		return m.tellWriting()
	}
	return nil
}

// writingPause is how long others take one to be writing without being told
// again; the core refuses to say it more often.
const writingPause = 4 * time.Second

// tellWriting lets the room know that one writes, where the person wants that.
func (m *model) tellWriting() []wish {
	c := m.room(m.open)
	if c == nil || c.Left || !m.settings.Typing || m.compose.empty() || m.compose.editing != nil || m.now.Sub(m.compose.told) < writingPause {
		return nil
	}
	m.compose.told = m.now
	w := ask(bridge.Typing, bridge.RoomParams{Room: m.open}, nil)
	w.quiet = true
	return []wish{w}
}

// giveUp drops what the next message would answer, replace, or how long it
// would stay.
func (m *model) giveUp() {
	c := &m.compose
	switch {
	case c.editing != nil:
		c.take(unsent{})
	case c.replyTo != nil:
		c.replyTo = nil
	case c.expire > 0 || c.burn > 0:
		c.expire, c.burn = 0, 0
	default:
		m.timeline.bottom, m.timeline.cut = "", 0
	}
}

// editLast takes one's newest message into the composer.
func (m *model) editLast() {
	for i := len(m.timeline.all) - 1; i >= 0; i-- {
		if said := m.timeline.all[i]; editable(said) {
			m.edit(said)
			return
		}
	}
}

func editable(m client.MessageView) bool {
	return m.Mine && !m.Deleted && (m.Kind == "text" || m.Kind == "reply") && !m.State.GivenUp()
}

func (m *model) edit(said client.MessageView) {
	m.compose.take(unsent{text: plain.Mentions(said), editing: &said})
}

// submit sends what stands in the composer, or the new text of a message.
func (m *model) submit() []wish {
	c := m.room(m.open)
	text := strings.TrimRight(m.compose.area.Value(), " \n")
	switch {
	case c == nil:
		m.say("Choose a conversation first: Ctrl-K, or Ctrl-N for a new one.")
		return nil
	case strings.TrimSpace(text) == "":
		return nil
	case c.Left:
		m.warn("You are not in this room any more.")
		return nil
	}
	if m.compose.editing != nil {
		return m.submitEdit(text)
	}
	for _, p := range c.Members {
		if p.Trust == client.Changed {
			m.over = confirm("The identity of "+plain.Name(p.Name)+" CHANGED. Somebody may stand between you. Compare numbers first (Ctrl-O).", "send anyway",
				func(m *model) []wish { return m.sendIt(c.Room, text) })
			return nil
		}
	}
	return m.sendIt(c.Room, text)
}

func (m *model) sendIt(room, text string) []wish {
	u := m.compose.put()
	if c := m.room(room); c != nil {
		text = m.named(c.RoomView, text)
	}
	m.timeline.fresh, m.timeline.bottom, m.timeline.cut = "", "", 0
	p := bridge.SendParams{Room: room, Draft: client.Draft{Text: text, Expire: u.expire, Burn: u.burn}}
	if u.replyTo != nil {
		p.ReplyTo = u.replyTo.ID
	}
	w := tell(bridge.Send, p, func(m *model, said client.MessageView) []wish { m.takeMessage(said); return nil })
	w.instead = func(m *model) { // what was typed is not lost
		if m.open == room && m.compose.empty() {
			m.compose.take(u)
		}
	}
	return append([]wish{w}, m.keepDraft()...)
}

// named makes mentions of what was typed as such, "@all" among it where this person may.
func (m *model) named(r client.RoomView, text string) string {
	return plain.Named(m.me, r, text, r.Admin && r.Kind != "direct")
}

func (m *model) submitEdit(text string) []wish {
	was := m.compose.editing
	m.compose.take(unsent{})
	if text == plain.Mentions(*was) { // as it was taken
		return nil
	}
	if c := m.room(was.Room); c != nil {
		text = m.named(c.RoomView, text)
	}
	return []wish{tell(bridge.Edit, bridge.EditParams{Room: was.Room, Message: was.ID, Text: text}, nil)}
}

// paste puts text in where one types. What steers a terminal would show wherever
// it is sent, so it stays out.
func (m *model) paste(text string) {
	m.touched = m.now
	text = plain.Lines(text)
	if m.over != nil {
		m.over.paste(plain.Line(text))
		return
	}
	m.timeline.chosen = ""
	m.compose.area.InsertString(text)
}

// choose moves the choice among the messages; from none to the newest seen.
func (m *model) choose(by int) {
	t := &m.timeline
	rows, height := m.rows(), m.timelineHeight()
	at := t.index(t.chosen)
	if at < 0 {
		_, to := t.window(rows, height)
		for i := to - 1; i >= 0 && at < 0; i-- {
			at = t.index(rows[i].key)
		}
		by = 0
	}
	for at += by; at >= 0 && at < len(t.all) && aside(t.all[at]); {
		if at--; by > 0 {
			at += 2
		}
	}
	switch {
	case at >= len(t.all): // past the newest: back to writing
		t.chosen = ""
	case at >= 0:
		t.chosen = keyOf(t.all[at])
		t.reveal(rows, height, t.chosen)
	}
}

// pressChosen is a key while a message is chosen.
func (m *model) pressChosen(k tea.KeyPressMsg) []wish {
	t := &m.timeline
	said := t.message(t.chosen)
	if said == nil {
		t.chosen = ""
		return nil
	}
	switch k.String() {
	case "esc", "tab", "i":
		t.chosen = ""
	case "up", "k":
		m.choose(-1)
		if t.index(t.chosen) < page/4 {
			return m.readOlder()
		}
	case "down", "j":
		m.choose(+1)
	case "home", "g":
		m.choose(-t.index(t.chosen))
		return m.readOlder()
	case "end", "G":
		m.choose(len(t.all))
	case "?":
		m.over = help()
	default:
		return m.act(*said, k.String())
	}
	return nil
}

// act does something with the chosen message.
func (m *model) act(said client.MessageView, key string) []wish {
	real := said.ID != "" && !said.Deleted && !said.State.GivenUp()
	switch {
	case key == "enter":
		return m.readWhole(said)
	case key == "s" && said.State.GivenUp():
		return []wish{tell(bridge.Retry, bridge.MessageOfParams{Room: said.Room, Message: said.ID}, nil)}
	case key == "x" && (said.State.GivenUp() || said.State == client.Queued):
		return []wish{tell(bridge.Discard, bridge.MessageOfParams{Room: said.Room, Message: said.ID}, nil)}
	case key == "y" && said.Text != "":
		m.copied = said.Text
		m.say("Copied, if the terminal lets programs copy.")
	case key == "r" && real:
		m.compose.replyTo = &answered{client.QuoteView{ID: said.ID, Sender: said.Sender, Name: said.Name, Text: clip(spoken(said))}, said.Expires}
		m.compose.editing = nil
		m.timeline.chosen = ""
	case key == "e" && editable(said):
		m.edit(said)
		m.timeline.chosen = ""
	case key == "d" && said.Mine && real:
		m.over = confirm("Take this message back on every device in the room?", "delete", func(m *model) []wish {
			return []wish{tell(bridge.Delete, bridge.DeleteParams{Room: said.Room, Message: said.ID}, nil)}
		})
	case (key == "+" || key == "a") && real:
		m.over = reactions(said)
	default:
		return nil
	}
	return nil
}
