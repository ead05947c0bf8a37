package screen

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// overlay is a box over the chat that takes the keys while it is there.
type overlay interface {
	press(m *model, k tea.KeyPressMsg) []wish
	paste(text string) // one line, made safe
	// draw gives the box's title, its lines at most so wide and so many, and what
	// the keys do.
	draw(m *model, width, height int) (title string, lines []string, keys string)
}

// field is one line that a person types into.
type field struct{ text []rune }

const longestField = 200

func (f *field) String() string { return string(f.text) }

// press reports whether the key was for the field.
func (f *field) press(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "backspace", "ctrl+h":
		f.text = f.text[:max(0, len(f.text)-1)]
	case "ctrl+u":
		f.text = nil
	case "ctrl+w":
		kept := strings.TrimRight(string(f.text), " ")
		f.text = []rune(kept[:strings.LastIndex(kept, " ")+1])
	default:
		if k.Text == "" {
			return false
		}
		f.insert(k.Text)
	}
	return true
}

func (f *field) insert(text string) {
	f.text = append(f.text, []rune(text)...)
	f.text = f.text[:min(len(f.text), longestField)]
}

func (f *field) draw(m *model, prompt string, width int) string {
	text := string(f.text)
	for m.ruler.width(prompt+text) > width-1 && text != "" { // the end is what one looks at
		text = string([]rune(text)[1:])
	}
	return m.theme.accent.Render(prompt) + text + m.theme.chosen.Reverse(true).Render(" ")
}

// item is something to choose in a list.
type item struct {
	id           string
	label, aside string
	mark         string // before the label
}

// list is a box in which one chooses, by typing a part of it or with the arrows.
type list struct {
	title  string
	empty  string // what to say when nothing fits
	filter field
	all    []item
	at     int
	many   bool // several may be chosen, with the space bar
	picked []string
	hint   string
	then   func(m *model, ids []string) []wish
}

func (l *list) fitting() []item {
	want := strings.ToLower(strings.TrimSpace(l.filter.String()))
	fits := func(i item) bool { return strings.Contains(strings.ToLower(i.label), want) }
	return slices.DeleteFunc(slices.Clone(l.all), func(i item) bool { return !fits(i) })
}

func (l *list) press(m *model, k tea.KeyPressMsg) []wish {
	fitting := l.fitting()
	switch key := k.String(); key {
	case "esc", "ctrl+c", "ctrl+k":
		m.over = nil
	case "up", "ctrl+p", "shift+tab":
		l.at = max(0, l.at-1)
	case "down", "ctrl+n", "tab":
		l.at = max(0, min(l.at+1, len(fitting)-1))
	case "space":
		if !l.many {
			l.type_(k)
		} else if l.at < len(fitting) {
			l.toggle(fitting[l.at].id)
		}
	case "enter":
		ids := slices.Clone(l.picked)
		if len(ids) == 0 && l.at < len(fitting) {
			ids = []string{fitting[l.at].id}
		}
		if len(ids) > 0 {
			m.over = nil
			return l.then(m, ids)
		}
	default:
		l.type_(k)
	}
	return nil
}

func (l *list) type_(k tea.KeyPressMsg) {
	if l.filter.press(k) {
		l.at = 0
	}
}

func (l *list) toggle(id string) {
	if i := slices.Index(l.picked, id); i >= 0 {
		l.picked = slices.Delete(l.picked, i, i+1)
		return
	}
	l.picked = append(l.picked, id)
}

func (l *list) paste(text string) { l.filter.insert(text); l.at = 0 }

func (l *list) draw(m *model, width, height int) (string, []string, string) {
	lines := []string{l.filter.draw(m, "› ", width), ""}
	fitting := l.fitting()
	if len(fitting) == 0 {
		lines = append(lines, m.theme.dim.Render(m.ruler.cut(l.empty, width)))
	}
	room := max(1, height-len(lines))
	from := max(0, min(l.at-room/2, len(fitting)-room))
	for i := from; i < min(len(fitting), from+room); i++ {
		it := fitting[i]
		mark := it.mark
		if l.many {
			mark = "[ ] "
			if slices.Contains(l.picked, it.id) {
				mark = "[x] "
			}
		}
		lines = append(lines, m.theme.line(m.ruler, mark+it.label, it.aside, width, i == l.at))
	}
	keys := "↑↓ choose · Enter " + l.hint + " · Esc back"
	if l.many {
		keys = "↑↓ · Space mark · Enter " + l.hint + " · Esc back"
	}
	return l.title, lines, keys
}

// line draws an item of a list.
func (t theme) line(r ruler, label, aside string, width int, chosen bool) string {
	if chosen {
		return t.chosen.Render(t.accent.Inherit(t.chosen).Render("▌") + t.chosen.Render(r.ends(label, aside, width-1)))
	}
	return " " + r.ends(label, t.dim.Render(aside), width-1)
}

// question asks before something that can't be undone.
type question struct {
	text, yes string
	then      func(*model) []wish
	back      overlay // where no leads to
}

func confirm(text, yes string, then func(*model) []wish) *question {
	return &question{text: text, yes: yes, then: then}
}

func (q *question) press(m *model, k tea.KeyPressMsg) []wish {
	switch k.String() {
	case "y", "Y":
		m.over = q.back
		return q.then(m)
	case "n", "N", "esc", "ctrl+c", "enter":
		m.over = q.back
	}
	return nil
}

func (q *question) paste(string) {}

func (q *question) draw(m *model, width, _ int) (string, []string, string) {
	return "Are you sure?", m.ruler.wrap(q.text, width), "y " + q.yes + " · n back"
}

// prompt asks for one line.
type prompt struct {
	title, label string
	field        field
	then         func(m *model, text string) []wish
	back         overlay
}

func (p *prompt) press(m *model, k tea.KeyPressMsg) []wish {
	switch k.String() {
	case "esc", "ctrl+c":
		m.over = p.back
	case "enter":
		m.over = p.back
		return p.then(m, strings.TrimSpace(p.field.String()))
	default:
		p.field.press(k)
	}
	return nil
}

func (p *prompt) paste(text string) { p.field.insert(text) }

func (p *prompt) draw(m *model, width, _ int) (string, []string, string) {
	return p.title, append(m.ruler.wrap(p.label, width), "", p.field.draw(m, "› ", width)), "Enter do it · Esc back"
}

// reading is a text that may be longer than the screen.
type reading struct {
	title string
	key   string // of the message it is, if it is one
	text  string // plain
	top   int
	back  overlay
	more  string // what further keys do
	keys  map[string]func(*model) []wish
}

func (r *reading) press(m *model, k tea.KeyPressMsg) []wish {
	const leap = 10
	switch k.String() {
	case "up", "k":
		r.top--
	case "down", "j":
		r.top++
	case "pgup":
		r.top -= leap
	case "pgdown", "space":
		r.top += leap
	case "home":
		r.top = 0
	default:
		if do, ok := r.keys[k.String()]; ok {
			return do(m)
		}
		if k.String() == "esc" || k.String() == "enter" || k.String() == "q" || k.String() == "ctrl+c" || k.String() == "f1" {
			m.over = r.back
		}
	}
	return nil
}

func (r *reading) paste(string) {}

func (r *reading) draw(m *model, width, height int) (string, []string, string) {
	lines := m.ruler.wrap(r.text, width)
	r.top = max(0, min(r.top, len(lines)-height))
	keys := "Esc back"
	if len(lines) > height {
		keys = "↑↓ more · Esc back"
	}
	if r.more != "" {
		keys = r.more + " · " + keys
	}
	return r.title, lines[r.top:min(len(lines), r.top+height)], keys
}
