package screen

import (
	"fmt"
	"strings"
	"time"

	"sconce/client"
	"sconce/cmd/sconce/plain"
)

const (
	margin       = 7                // columns before what is said, for the choice and the time
	together     = 5 * time.Minute  // what one person says within it stands under one name
	tallest      = 40               // lines of one message; Enter shows all
	longestDrawn = 8000             // characters of one message that are looked at
	lastMoments  = 10 * time.Second // before a message is gone
	longestName  = 24
)

// rows draws the timeline of the room on the screen, all that is loaded of it.
func (m *model) rows() []row {
	width := m.layout().main
	var rows []row
	var before *client.MessageView
	day, minute := "", ""
	for i := range m.timeline.all {
		said := &m.timeline.all[i]
		at := clock(m, said.Time)
		key := keyOf(*said)
		split := before == nil
		if d := at.Format("Monday, 2 January 2006"); d != day {
			if i > 0 {
				rows = append(rows, row{})
			}
			rows = append(rows, row{text: m.theme.dim.Render(m.ruler.centre("── "+dayWord(m, at)+" ──", width))})
			day, split, minute = d, true, ""
		}
		if key == m.timeline.fresh {
			rows = append(rows, row{text: m.theme.accent.Render(m.ruler.rule("new", width))})
			split = true
		}
		heading := !aside(*said) && (split || before == nil || aside(*before) || before.Sender != said.Sender || at.Sub(clock(m, before.Time)) > together)
		if heading && !split {
			rows = append(rows, row{})
		}
		b := block{m: m, said: said, width: width, heading: heading}
		if now := at.Format("15:04"); now != minute || heading {
			b.time, minute = now, now
		}
		rows = append(rows, b.rows()...)
		before = said
	}
	return rows
}

// clock gives a time of a message where the person is.
func clock(m *model, ms int) time.Time {
	return time.UnixMilli(int64(ms)).In(m.now.Location())
}

func dayWord(m *model, at time.Time) string {
	y, mo, d := m.now.Date()
	today := time.Date(y, mo, d, 0, 0, 0, 0, m.now.Location())
	switch {
	case !at.Before(today) && at.Before(today.AddDate(0, 0, 1)):
		return "Today"
	case at.Before(today) && !at.Before(today.AddDate(0, 0, -1)):
		return "Yesterday"
	case at.Year() == m.now.Year():
		return at.Format("Monday, 2 January")
	}
	return at.Format("Monday, 2 January 2006")
}

// block draws one message.
type block struct {
	m       *model
	said    *client.MessageView
	width   int
	heading bool   // begins with the name
	time    string // "": the same minute as above
}

func (b block) rows() []row {
	lines := b.lines()
	key := keyOf(*b.said)
	rows := make([]row, len(lines))
	for i, l := range lines {
		rows[i] = row{text: l, key: key, seq: b.said.Seq, last: i == len(lines)-1}
		if key == b.m.timeline.chosen {
			rows[i].text = b.m.theme.accent.Render("▌") + strings.TrimPrefix(l, " ")
		}
	}
	return rows
}

func (b block) lines() (lines []string) {
	m, t := b.m, b.m.theme
	if aside(*b.said) {
		for i, l := range m.ruler.wrap("· "+clip(b.said.Text), b.width-margin-1) {
			lines = append(lines, b.indent(i == 0)+t.dim.Render(l))
		}
		return lines
	}
	first := true
	if b.heading {
		lines = append(lines, b.indent(true)+b.name())
		first = false
	}
	add := func(l string) {
		lines = append(lines, b.indent(first)+l)
		first = false
	}
	if q := b.quote(); q != "" {
		add(t.dim.Render(m.ruler.cut("┃ "+q, b.width-margin-1)))
	}
	text := m.ruler.wrap(clip(spoken(*b.said)), b.width-margin-1)
	rest := len(text) - tallest
	for i, l := range text[:min(len(text), tallest)] {
		if b.said.Deleted || b.said.Kind == "unreadable" || b.said.Kind == "unsupported" {
			l = t.dim.Render(l)
		}
		if i == min(len(text), tallest)-1 && rest <= 0 {
			b.close(l, add)
			break
		}
		add(l)
	}
	if rest > 0 {
		b.close(t.dim.Render(fmt.Sprintf("… %d more lines: Tab, then Enter", rest)), add)
	}
	if r := b.reactions(); r != "" {
		add(m.ruler.cut(r, b.width-margin-1))
	}
	for _, w := range b.troubles() {
		for _, l := range m.ruler.wrap("! "+w, b.width-margin-1) {
			add(t.bad.Render(l))
		}
	}
	return lines
}

// close puts the marks behind the last line of the text, or under it where
// there is no room.
func (b block) close(last string, add func(string)) {
	r, width := b.m.ruler, b.width-margin-1
	marks := b.marks()
	if r.width(last)+r.width(marks)+2 > width && marks != "" {
		add(last)
		last = ""
	}
	add(r.ends(last, marks, width))
}

func (b block) indent(first bool) string {
	if first && b.time != "" {
		return " " + b.m.theme.dim.Render(b.time) + " "
	}
	return strings.Repeat(" ", margin)
}

func (b block) name() string {
	if b.said.Mine {
		return b.m.theme.mine.Render("You")
	}
	return b.m.theme.person(b.said.Sender).Render(b.m.ruler.cut(plain.Name(b.said.Name), longestName))
}

// quote is the beginning of what a message answers.
func (b block) quote() string {
	if b.said.ReplyTo == "" {
		return ""
	}
	if to := b.m.timeline.message(b.said.ReplyTo); to != nil {
		return b.m.brief(to.Sender, to.Name, spoken(*to))
	}
	if q := b.said.Quote; q != nil && !q.Gone {
		return b.m.brief(q.Sender, q.Name, q.Text)
	}
	return "a message that is not here"
}

// brief says a message in one line, with who said it.
func (m *model) brief(sender, name, text string) string {
	who := m.ruler.cut(plain.Name(name), longestName)
	if sender != "" && sender == m.me.User {
		who = "You"
	}
	return who + ": " + plain.Line(clip(text))
}

func (b block) marks() string {
	m, t, said := b.m, b.m.theme, b.said
	var marks []string
	if said.Edited && !said.Deleted {
		marks = append(marks, t.dim.Render("edited"))
	}
	switch left := clock(m, said.Expires).Sub(m.now); {
	case said.Expires > 0 && left <= lastMoments:
		left = max(left+time.Second-1, time.Second) // what is there is not at 0
		marks = append(marks, t.urgent.Render(" "+plain.Left(left)+" "))
	case said.Expires > 0 && left < time.Hour:
		marks = append(marks, t.accent.Bold(left < time.Minute).Render("◷ "+plain.Left(left)))
	case said.Expires > 0:
		marks = append(marks, t.dim.Render("◷ "+plain.Left(left)))
	case said.Burn > 0:
		marks = append(marks, t.accent.UnsetBold().Render("◷ "+plain.Timer(said.Burn)+" after reading"))
	}
	if said.Mine && !said.Deleted {
		marks = append(marks, b.progress())
	}
	return strings.Join(marks, " ")
}

// progress says how far one's own message has come.
func (b block) progress() string {
	t := b.m.theme
	switch b.said.State {
	case client.Queued:
		return t.accent.Render("…")
	case client.Failed:
		return t.bad.Render("not sent")
	case client.Unknown:
		return t.bad.Render("sent or not: unknown")
	case client.Delivered:
		return t.dim.Render("✓✓")
	case client.Read:
		return t.good.Render("✓✓ read")
	}
	return t.dim.Render("✓")
}

func (b block) reactions() string {
	var all []string
	for _, r := range b.said.Reactions {
		s := fmt.Sprintf("%s %d", r.Emoji, len(r.By))
		if r.Mine != "" {
			s = b.m.theme.mine.Render(s)
		}
		all = append(all, s)
	}
	return strings.Join(all, "   ")
}

func (b block) troubles() (all []string) {
	all = append(all, b.said.Warnings...)
	if b.said.Problem != "" {
		all = append(all, b.said.Problem)
	}
	return all
}

// spoken is what a message says, as a person reads it.
func spoken(m client.MessageView) string {
	switch {
	case m.Deleted:
		return "deleted"
	case m.Kind == "unreadable" && m.Text == "":
		return "This device can't read this message."
	}
	return strings.TrimRight(plain.Mentions(m), "\n ")
}

// clip bounds what is looked at of a message: nobody reads more of one on a
// timeline, and a hostile one would take a second to wrap.
func clip(s string) string {
	if len(s) <= longestDrawn {
		return s
	}
	return strings.ToValidUTF8(s[:longestDrawn], "") + " …"
}
