package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"sconce/client"
	"sconce/cmd/sconce/plain"
)

// frame is one picture of the screen.
type frame struct {
	content string
	cursor  *tea.Cursor
	title   string // of the window; it names nobody, because terminals show and keep it
}

// layout says where things are.
type layout struct {
	side int // columns of the list; 0: there is no room for it
	main int // columns of the timeline
	body int // lines between the top and the bottom bar
}

const (
	leastWidth, leastHeight = 30, 9
	narrow                  = 64 // columns; below, the list is left out
	composerMargin          = 4
	headLines               = 2 // the name of the room, and a rule
)

func (m *model) layout() layout {
	l := layout{main: m.width, body: m.height - 1}
	if m.width >= narrow {
		l.side = min(max(m.width*3/10, 22), 36)
		l.main = m.width - l.side - 1
	}
	return l
}

// timelineHeight is how many lines the timeline has.
func (m *model) timelineHeight() int {
	return max(1, m.layout().body-headLines-len(m.alarmLines())-len(m.composerHead())-1-m.compose.area.Height())
}

func (m *model) frame() frame {
	f := frame{title: "Sconce"}
	if n := m.unread(); n > 0 {
		f.title = fmt.Sprintf("(%d) Sconce", n)
	}
	switch {
	case m.width == 0:
		return f
	case m.width < leastWidth || m.height < leastHeight:
		f.content = m.ruler.cut(fmt.Sprintf("The window is too small: %d×%d is the least.", leastWidth, leastHeight), m.width)
		return f
	}
	l := m.layout()
	lines, cursor := m.mainPane(l)
	if l.side > 0 {
		side := m.sidePane(l)
		for i := range lines {
			bar := "│"
			if i == headLines-1 {
				bar = "┼"
			}
			lines[i] = side[i] + m.theme.faint.Render(bar) + lines[i]
		}
	}
	lines = append(lines, m.statusBar())
	if cursor != nil && l.side > 0 {
		cursor.X += l.side + 1
	}
	if m.over != nil {
		m.drawOver(lines)
		cursor = nil
	}
	f.content, f.cursor = strings.Join(lines, "\n"), cursor
	return f
}

func (m *model) unread() (n int) {
	for _, c := range m.rooms {
		n += c.Unread
	}
	return n
}

// sidePane draws the list of conversations, two lines each.
func (m *model) sidePane(l layout) []string {
	r, t := m.ruler, m.theme
	head := " " + t.accent.Render("Sconce")
	if m.me.Name != "" {
		head += t.dim.Render("  " + m.me.Name)
	}
	lines := []string{r.fit(head, l.side), t.faint.Render(strings.Repeat("─", l.side))}
	room := (l.body - len(lines)) / 2
	at := 0
	for i, c := range m.rooms {
		if c.Room == m.open {
			at = i
		}
	}
	from := max(0, min(at-room/2, len(m.rooms)-room))
	for i := from; i < min(len(m.rooms), from+room); i++ {
		lines = append(lines, m.entry(m.rooms[i], l.side)...)
	}
	if len(m.rooms) == 0 {
		lines = append(lines, r.fit(" "+t.dim.Render("Nobody here yet."), l.side), r.fit(" "+t.dim.Render("Ctrl-N begins."), l.side))
	}
	for len(lines) < l.body {
		lines = append(lines, strings.Repeat(" ", l.side))
	}
	return lines[:l.body]
}

// entry draws one conversation of the list.
func (m *model) entry(c conversation, width int) []string {
	r, t := m.ruler, m.theme
	name := plain.Name(c.Name)
	if c.Pinned {
		name = "★ " + name
	}
	when := ""
	if c.Activity > 0 {
		when = m.shortWhen(clock(m, c.Activity))
	}
	if c.Expire > 0 || c.Burn > 0 {
		when = "◷ " + when
	}
	badge := ""
	switch {
	case trouble(c.RoomView) != "" && !c.Left:
		badge = t.bad.Render("!")
	case c.Mentions > 0:
		badge = t.badge.Render(fmt.Sprintf(" @%s ", atMost(c.Unread, 99)))
	case c.Unread > 0 && c.Notify == client.NotifyNone:
		badge = t.dim.Render(fmt.Sprintf(" %s ", atMost(c.Unread, 99)))
	case c.Unread > 0:
		badge = t.badge.Render(fmt.Sprintf(" %s ", atMost(c.Unread, 99)))
	}
	preview := m.preview(c)
	inner := width - 2
	if c.Room == m.open {
		bar := t.accent.Render("▌")
		return []string{bar + t.chosen.Render(r.ends(name, when, inner)+" "), bar + t.chosen.Render(r.fit(preview, inner)+" ")}
	}
	top := name
	if c.Unread > 0 {
		top = t.bold.Render(r.cut(name, inner-r.width(when)-1))
	}
	return []string{
		" " + r.ends(top, t.dim.Render(when), inner) + " ",
		" " + r.ends(t.dim.Render(r.cut(preview, inner-r.width(badge)-1)), badge, inner) + " ",
	}
}

func atMost(n, most int) string {
	if n > most {
		return fmt.Sprintf("%d+", most)
	}
	return fmt.Sprint(n)
}

// preview is what the list shows of what was said last. What burns after
// reading is not shown before it is read.
func (m *model) preview(c conversation) string {
	draft := c.unsent.text
	if c.Room != m.open && draft == "" {
		draft = c.Draft
	}
	switch said := c.LastMessage; {
	case c.Left:
		return "you left"
	case len(m.writing(c)) > 0:
		return "writing …"
	case c.Room != m.open && strings.TrimSpace(draft) != "":
		return "not sent: " + plain.Line(draft)
	case said == nil || over(*said, m.now):
		return ""
	case unread(*said):
		return "burns after reading"
	case aside(*said):
		return plain.Line(said.Text)
	case said.Mine:
		return "You: " + plain.Line(spoken(*said))
	case c.Kind != "direct":
		const longest = 10 // columns: of who said it, to leave some for what was said
		return m.ruler.cut(plain.Name(said.Name), longest) + ": " + plain.Line(spoken(*said))
	default:
		return plain.Line(spoken(*said))
	}
}

// writing names who writes in a room at the moment.
func (m *model) writing(c conversation) (all []string) {
	for _, p := range c.Members {
		if until := c.typing[p.User]; int64(until) > m.now.UnixMilli() || slices.Contains(c.Typing, p.User) && until == 0 {
			all = append(all, plain.Name(p.Name))
		}
	}
	return all
}

// shortWhen names a time in at most six columns.
func (m *model) shortWhen(at time.Time) string {
	switch age := m.now.Sub(at); {
	case dayWord(m, at) == "Today":
		return at.Format("15:04")
	case age < 6*24*time.Hour:
		return at.Format("Mon")
	case at.Year() == m.now.Year():
		return at.Format("2 Jan")
	}
	return at.Format("2006")
}

// mainPane draws the room: its name, what was said, and where one writes.
func (m *model) mainPane(l layout) (lines []string, cursor *tea.Cursor) {
	r, t := m.ruler, m.theme
	lines = append(lines, m.roomHead(l.main), t.faint.Render(strings.Repeat("─", l.main)))
	lines = append(lines, m.alarmLines()...)
	lines = append(lines, m.seen(l.main)...)
	lines = append(lines, m.composerHead()...)
	lines = append(lines, m.composerRule(l.main))
	area := strings.Split(m.compose.area.View(), "\n")
	if m.compose.empty() {
		area[0] = t.dim.Render(m.hint())
	}
	top := len(lines)
	for i, a := range area {
		mark := "  "
		if i == 0 {
			mark = t.accent.Render("›") + " "
		}
		lines = append(lines, r.fit(" "+mark+a, l.main))
	}
	if m.timeline.chosen == "" {
		if cursor = m.compose.area.Cursor(); cursor != nil {
			cursor.X += 3
			cursor.Y += top
		}
	}
	for i := range lines {
		lines[i] = r.fit(lines[i], l.main)
	}
	for len(lines) < l.body { // cannot be shorter but where the window is tiny
		lines = append(lines, strings.Repeat(" ", l.main))
	}
	return lines[:l.body], cursor
}

// composerRule is the line above where one writes: it says what is below the
// screen, or who writes.
func (m *model) composerRule(width int) string {
	r, t := m.ruler, m.theme
	if below := m.below(); below > 0 {
		return t.accent.Render(r.rule(fmt.Sprintf("↓ %s below: Ctrl-End", plain.Count(below, "line", "lines")), width))
	}
	label := ""
	if c := m.room(m.open); c != nil {
		if who := m.writing(*c); len(who) > 0 {
			label = " " + r.cut(strings.Join(who, ", "), width/2) + " writes … "
		}
	}
	const before = 5
	return t.faint.Render(strings.Repeat("─", before)) + t.dim.Render(label) + t.faint.Render(strings.Repeat("─", max(0, width-before-r.width(label))))
}

func (m *model) hint() string {
	switch c := m.room(m.open); {
	case c == nil:
		return ""
	case c.Left:
		return "You are not in this room any more."
	case m.compose.editing != nil:
		return "The new text"
	}
	return "Write a message"
}

func (m *model) roomHead(width int) string {
	r, t := m.ruler, m.theme
	c := m.room(m.open)
	if c == nil {
		return ""
	}
	var about []string
	if c.Kind != "direct" {
		about = append(about, plain.Count(len(c.Members), "person", "people"))
	}
	if trusted := m.verified(c.RoomView); trusted != "" {
		about = append(about, trusted)
	}
	if stay := timerWord(c.Expire, c.Burn); stay != "" {
		about = append(about, "◷ "+stay)
	}
	// How the room is matters more than the end of a long name.
	said := strings.Join(about, " · ")
	name := t.bold.Render(r.cut(plain.Name(c.Name), max(10, width-6-r.width(said))))
	return " " + r.cut(name+"  "+t.dim.Render(said), width-2)
}

// verified says whether the numbers of all others were compared.
func (m *model) verified(r client.RoomView) string {
	others, compared := 0, 0
	for _, p := range r.Members {
		if p.User != m.me.User {
			others++
			if p.Trust == client.Verified {
				compared++
			}
		}
	}
	switch {
	case others == 0:
		return ""
	case compared == others:
		return "✓ verified"
	case r.Kind == "direct":
		return "not verified"
	case compared > 0:
		return fmt.Sprintf("%d of %d verified", compared, others)
	}
	return ""
}

// alarmLines says what is wrong with the room on the screen.
func (m *model) alarmLines() (lines []string) {
	c := m.room(m.open)
	if c == nil {
		return nil
	}
	wrong := trouble(c.RoomView)
	if wrong == "" {
		return nil
	}
	const most = 3
	all := m.ruler.wrap("! "+wrong, m.layout().main-2)
	for _, l := range all[:min(len(all), most)] {
		lines = append(lines, " "+m.theme.bad.Render(l))
	}
	return lines
}

// seen draws the part of the timeline that is on the screen.
func (m *model) seen(width int) []string {
	height := m.timelineHeight()
	lines := make([]string, 0, height)
	rows := m.rows()
	from, to := m.timeline.window(rows, height)
	if blank := height - (to - from); len(rows) == 0 && m.width > 0 {
		lines = append(lines, m.welcome(width, blank)...)
	} else {
		for range blank { // what is said stands at the bottom
			lines = append(lines, "")
		}
	}
	for _, r := range rows[from:to] {
		lines = append(lines, r.text)
	}
	return lines[:min(len(lines), height)]
}

// welcome is what stands where there is nothing to read.
func (m *model) welcome(width, height int) []string {
	lines := make([]string, height)
	text := []string{"Nothing said yet."}
	switch {
	case m.open != "" && !m.timeline.loaded:
		text = nil
	case m.open == "" && len(m.rooms) == 0:
		text = []string{"Welcome.", "", "Ctrl-N begins a conversation", "F1 lists the keys"}
	case m.open == "":
		text = []string{"Ctrl-K goes to a conversation"}
	}
	for i, l := range text {
		if at := height/2 - len(text)/2 + i; at >= 0 && at < height {
			lines[at] = m.theme.dim.Render(m.ruler.centre(l, width))
		}
	}
	return lines
}

// below is how many lines of the timeline are under the screen.
func (m *model) below() int {
	rows := m.rows()
	_, to := m.timeline.window(rows, m.timelineHeight())
	return len(rows) - to
}

// composerHead says what the next message is beside its text.
func (m *model) composerHead() (lines []string) {
	r, t, c := m.ruler, m.theme, m.compose
	width := m.layout().main
	add := func(mark, text string) {
		lines = append(lines, " "+t.accent.Render(mark)+" "+t.dim.Render(r.cut(text, width-4)))
	}
	if c.editing != nil {
		add("edit", "your message; Esc gives up")
	}
	if c.replyTo != nil {
		add("↳", m.brief(c.replyTo.Sender, c.replyTo.Name, c.replyTo.Text))
	}
	if stay := timerWord(c.expire, c.burn); stay != "" {
		add("◷", "this message "+stay)
	}
	return lines
}

func (m *model) statusBar() string {
	r, t := m.ruler, m.theme
	state := t.dim.Render("◌ connecting")
	switch m.connection.State {
	case client.ReachOnline:
		state = t.good.Render("●") + " online"
		if m.connection.Behind > 0 {
			state += t.dim.Render(fmt.Sprintf(" · %d to come", m.connection.Behind))
		}
	case client.ReachOffline:
		state = t.bad.Render("○ offline")
	case client.ReachFull:
		state = t.bad.Render("○ no space left on this device")
	}
	if off := time.Duration(m.connection.Ahead) * time.Second; off != 0 {
		way := " ahead"
		if off < 0 {
			way = " behind"
		}
		state += t.bad.Render(" · your clock is " + strings.TrimSuffix(off.Abs().Round(time.Minute).String(), "0s") + way)
	}
	if n := m.waiting(); n > 0 && m.connection.State != client.ReachOnline {
		state += t.accent.Render(" · " + plain.Count(n, "message waits", "messages wait"))
	}
	if m.me.Removed {
		state = t.bad.Render("this device was removed")
	}
	left := " " + state
	if m.note.text != "" {
		style := t.accent
		if m.note.bad {
			style = t.bad
		}
		return r.fit(left+"  "+style.Render(m.note.text), m.width)
	}
	keys := "Ctrl-K go to · Ctrl-F find · Ctrl-O room · F1 keys "
	switch {
	case m.over == nil && m.timeline.chosen != "":
		keys = "↑↓ · r reply · e edit · d delete · + react · Esc "
		if said := m.timeline.message(m.timeline.chosen); said != nil && said.State.GivenUp() {
			keys = "↑↓ · s send again · x drop it · Esc "
		}
	case m.open != "" && m.focused && m.over == nil && !m.attentive():
		keys = "away: press a key to read on "
	}
	if r.width(left)+r.width(keys)+2 > m.width {
		keys = "F1 keys "
	}
	return r.ends(left, t.dim.Render(keys), m.width)
}

// waiting is how many messages are not sent yet.
func (m *model) waiting() (n int) {
	for _, c := range m.rooms {
		n += c.Queued
	}
	return max(n, m.connection.Queued)
}

// drawOver puts the box over the picture.
func (m *model) drawOver(lines []string) {
	r, t := m.ruler, m.theme
	width := min(m.width-4, 64)
	height := min(m.height-6, 18)
	if read, ok := m.over.(*reading); ok && len(read.text) > 800 { // a long one gets all there is
		width, height = min(m.width, 92), m.height-4
	}
	title, body, keys := m.over.draw(m, width-4, height)
	box := []string{t.faint.Render("╭─") + " " + t.bold.Render(r.cut(title, width-7)) + " "}
	box[0] += t.faint.Render(strings.Repeat("─", max(0, width-1-r.width(box[0]))) + "╮")
	side := t.faint.Render("│")
	for _, l := range body {
		box = append(box, side+" "+r.fit(l, width-4)+" "+side)
	}
	for i, l := range r.wrap(keys, width-4) {
		if i == 0 {
			box = append(box, side+strings.Repeat(" ", width-2)+side)
		}
		box = append(box, side+" "+r.fit(t.dim.Render(l), width-4)+" "+side)
	}
	box = append(box, t.faint.Render("╰"+strings.Repeat("─", width-2)+"╯"))
	left, top := (m.width-width)/2, max(0, (len(lines)-len(box))/3)
	for i, b := range box {
		if top+i >= len(lines) {
			break
		}
		under := lines[top+i]
		lines[top+i] = r.fit(r.left(under, left), left) + b + r.fit(r.right(under, left+width), m.width-left-width)
	}
}
