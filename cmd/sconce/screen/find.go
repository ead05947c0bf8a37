package screen

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// finder looks for messages in all that this device holds.
type finder struct {
	field field
	query string // of what was found
	hits  []client.Hit
	next  string // goes on where the search ended
	at    int
	busy  bool
}

func (f *finder) paste(text string) { f.field.insert(text) }

func (f *finder) press(m *model, k tea.KeyPressMsg) []wish {
	switch k.String() {
	case "esc", "ctrl+c", "ctrl+f":
		m.over = nil
	case "up", "shift+tab":
		f.at = max(0, f.at-1)
	case "down", "tab":
		f.at = max(0, min(f.at+1, len(f.hits)-1))
		if f.at == len(f.hits)-1 && f.next != "" {
			return f.search(m)
		}
	case "enter":
		query := strings.TrimSpace(f.field.String())
		switch {
		case query == "":
		case query != f.query:
			f.query, f.hits, f.next, f.at = query, nil, "", 0
			return f.search(m)
		case f.at < len(f.hits):
			return m.goTo(f.hits[f.at].Message)
		}
	default:
		f.field.press(k)
	}
	return nil
}

// forget drops what is gone.
func (f *finder) forget(id string) {
	f.hits = slices.DeleteFunc(f.hits, func(h client.Hit) bool { return h.Message.ID == id })
	f.at = max(0, min(f.at, len(f.hits)-1))
}

// search reads on until something is found, or all was looked at: one call looks
// at so many messages.
func (f *finder) search(m *model) []wish {
	if f.busy {
		return nil
	}
	f.busy = true
	query := f.query
	w := ask(bridge.Search, bridge.SearchParams{Query: query, Before: f.next}, func(m *model, found client.SearchView) []wish {
		f.busy = false
		if m.over != overlay(f) {
			return nil
		}
		if f.query != query { // another one was asked for meanwhile
			return f.search(m)
		}
		f.hits, f.next = append(f.hits, found.Hits...), found.Next
		if len(found.Hits) == 0 && found.Next != "" {
			return f.search(m)
		}
		return nil
	})
	w.instead = func(*model) { f.busy, f.query = false, "" }
	return []wish{w}
}

func (f *finder) draw(m *model, width, height int) (string, []string, string) {
	t := m.theme
	lines := []string{f.field.draw(m, "› ", width), ""}
	switch {
	case len(f.hits) > 0:
	case f.busy:
		lines = append(lines, t.dim.Render("Looking …"))
	case f.query != "":
		lines = append(lines, t.dim.Render("Nothing that is still here holds these words."))
	}
	room := max(1, (height-len(lines))/2)
	from := max(0, min(f.at-room/2, len(f.hits)-room))
	for i := from; i < min(len(f.hits), from+room); i++ {
		h := f.hits[i]
		text := plain.Line(clip(spoken(h.Message)))
		switch {
		case over(h.Message, m.now):
			text = "gone"
		case unread(h.Message):
			text = "burns after reading"
		}
		who := m.ruler.cut(plain.Name(h.Message.Name), longestName)
		if h.Message.Mine {
			who = "You"
		}
		lines = append(lines, t.line(m.ruler, who+" in "+plain.Name(h.RoomName), m.shortWhen(clock(m, h.Message.Time)), width, i == f.at),
			"   "+t.dim.Render(m.ruler.cut(text, width-3)))
	}
	keys := "Enter find · Esc back"
	if len(f.hits) > 0 && strings.TrimSpace(f.field.String()) == f.query {
		keys = "↑↓ choose · Enter go there · Esc back"
	}
	return "Find", lines, keys
}

// goTo shows a message where it was said; when that is far back, by itself.
func (m *model) goTo(said client.MessageView) []wish {
	m.over = nil
	var wishes []wish
	room := said.Room
	if m.open != room {
		wishes = m.turnTo(room)
	}
	return append(wishes, ask(bridge.Messages, bridge.MessagesParams{Room: room, Limit: mostAtOnce}, func(m *model, all []client.MessageView) []wish {
		if m.open != room {
			return nil
		}
		t := &m.timeline
		t.take(all, mostAtOnce)
		if t.message(keyOf(said)) == nil {
			return m.readWhole(said)
		}
		t.chosen = keyOf(said)
		t.reveal(m.rows(), m.timelineHeight(), t.chosen)
		return nil
	}))
}
