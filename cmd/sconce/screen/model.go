package screen

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"charm.land/bubbles/v2/textarea"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// model is all that the screen knows.
type model struct {
	now           time.Time
	width, height int // of the terminal; 0 until it told
	ruler         ruler
	theme         theme
	profile       colorprofile.Profile
	dark          bool
	lock          time.Duration

	focused bool      // the terminal is in front, as far as it tells
	touched time.Time // when a key was last pressed

	me     client.Me
	online *bool // nil: not known yet
	rooms  []conversation
	queued map[string]bool // messages that wait to be sent

	open     string // the room on the screen; "" none
	timeline timeline
	compose  composer
	over     overlay // nil: none
	note     note

	copied string // for the clipboard
	left   bool   // the person is done
	ended  error  // why else the screen ends
}

// conversation is a room with the newest thing said in it.
type conversation struct {
	client.RoomView
	newest client.MessageView // Time 0: nothing
	unsent unsent
}

// unsent is what stands in a room's composer while another room is shown.
type unsent struct {
	text         string
	replyTo      *client.MessageView
	editing      *client.MessageView
	expire, burn int
}

// note is a line at the bottom: what just happened, or went wrong.
type note struct {
	text  string
	bad   bool
	until time.Time
}

func newModel(now time.Time, lock time.Duration) *model {
	m := &model{
		now: now, touched: now, lock: lock, focused: true, dark: true, profile: colorprofile.TrueColor,
		ruler: ruler{ansi.WcWidth}, queued: map[string]bool{},
	}
	m.theme = newTheme(m.profile, m.dark)
	m.compose = newComposer()
	return m
}

// begin wishes for what the first screen shows.
func (m *model) begin() []wish {
	return []wish{
		ask(bridge.Me, bridge.None{}, func(m *model, me client.Me) []wish { m.me = me; return nil }),
		m.readRooms(),
	}
}

func (m *model) readRooms() wish {
	return ask(bridge.Rooms, bridge.None{}, (*model).takeRooms)
}

// takeRooms takes the list of rooms, and wishes for what each preview shows.
func (m *model) takeRooms(all []client.RoomView) (wishes []wish) {
	m.rooms = slices.DeleteFunc(m.rooms, func(c conversation) bool {
		return !slices.ContainsFunc(all, func(r client.RoomView) bool { return r.Room == c.Room })
	})
	for _, r := range all {
		m.takeRoom(r)
		wishes = append(wishes, m.readNewest(r.Room))
	}
	switch {
	case m.open != "" && m.room(m.open) == nil:
		m.open = ""
	case m.open != "":
		wishes = append(wishes, m.readOpen())
	}
	return wishes
}

func (m *model) takeRoom(r client.RoomView) {
	if c := m.room(r.Room); c != nil {
		c.RoomView = r
		return
	}
	m.rooms = append(m.rooms, conversation{RoomView: r})
	m.sort()
}

// newestPage is enough to find one message that says something.
const newestPage = 10

// readNewest wishes for what the list shows of a room.
func (m *model) readNewest(room string) wish {
	return ask(bridge.Messages, bridge.MessagesParams{Room: room, Limit: newestPage}, func(m *model, all []client.MessageView) []wish {
		c := m.room(room)
		if c == nil {
			return nil
		}
		c.newest = client.MessageView{}
		for _, said := range all {
			m.count(said)
			c.note(said)
		}
		m.sort()
		return m.first()
	})
}

// first opens the newest conversation, once there is something to choose from.
func (m *model) first() []wish {
	if m.open != "" || m.over != nil || slices.ContainsFunc(m.rooms, func(c conversation) bool { return c.newest.Time == 0 && c.Last > 0 }) {
		return nil
	}
	for _, c := range m.rooms {
		if !c.Left {
			return m.show(c.Room)
		}
	}
	return nil
}

// note remembers the newest message for the list: what a person said, and while
// nobody has, what the room says of itself.
func (c *conversation) note(said client.MessageView) {
	spoken := func(v client.MessageView) bool { return v.Kind != "notice" && v.Kind != "gap" && v.Time != 0 }
	switch {
	case spoken(c.newest) && !spoken(said):
		return
	case c.newest.Time == 0, said.ID == c.newest.ID, spoken(said) && !spoken(c.newest), place(said) >= place(c.newest):
		c.newest = said
	}
}

// place orders messages: those in the log by their place there, then those that
// wait.
func place(m client.MessageView) int {
	if m.Seq == 0 {
		return 1 << 50
	}
	return m.Seq
}

// activity is what the list is ordered by.
func (c conversation) activity() int { return c.newest.Time }

func (m *model) sort() {
	slices.SortStableFunc(m.rooms, func(a, b conversation) int {
		if a.Left != b.Left { // what one left goes to the end
			if a.Left {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.activity(), a.activity())
	})
}

// room gives a conversation by its room's id, or nil.
func (m *model) room(id string) *conversation {
	i := slices.IndexFunc(m.rooms, func(c conversation) bool { return c.Room == id })
	if i < 0 {
		return nil
	}
	return &m.rooms[i]
}

// show opens a room.
func (m *model) show(room string) []wish {
	if m.open == room {
		return nil
	}
	if c := m.room(m.open); c != nil {
		c.unsent = m.compose.put()
	}
	m.open, m.timeline = room, timeline{}
	if c := m.room(room); c != nil {
		m.compose.take(c.unsent)
		m.timeline.unread = c.Unread
	}
	return []wish{m.readOpen()}
}

const (
	page       = 100 // messages that are read at once
	mostAtOnce = 500 // where so many are new; the door gives no more
)

// readOpen wishes for the newest messages of the room on the screen.
func (m *model) readOpen() wish {
	room, limit := m.open, min(max(page, m.timeline.unread+page/4), mostAtOnce)
	return ask(bridge.Messages, bridge.MessagesParams{Room: room, Limit: limit}, func(m *model, all []client.MessageView) []wish {
		if m.open != room {
			return nil
		}
		first := !m.timeline.loaded
		m.timeline.take(all, limit)
		for _, said := range all {
			m.count(said)
		}
		if first && m.height > 0 {
			m.timeline.openAt(m.rows(), m.timelineHeight())
		}
		return nil
	})
}

// readOlder wishes for what came before, when the person has scrolled there.
func (m *model) readOlder() []wish {
	t := &m.timeline
	if !t.loaded || t.whole || t.reading || len(t.all) == 0 || t.all[0].Seq <= 1 {
		return nil
	}
	t.reading = true
	room := m.open
	return []wish{ask(bridge.Messages, bridge.MessagesParams{Room: room, Before: t.all[0].Seq, Limit: page}, func(m *model, all []client.MessageView) []wish {
		if m.open == room {
			m.timeline.older(all, page)
		}
		return nil
	})}
}

// count keeps the number of messages that wait.
func (m *model) count(said client.MessageView) {
	if said.State == client.Queued {
		m.queued[said.ID] = true
	} else {
		delete(m.queued, said.ID)
	}
}

// attentive reports whether somebody is there to see what comes: only then does
// it count as read, and what burns after reading begins to.
func (m *model) attentive() bool {
	return m.focused && m.over == nil && m.now.Sub(m.touched) < absent
}

// absent is how long nobody touches a key before they are taken to be away.
const absent = 5 * time.Minute

// say shows a line at the bottom for a while.
func (m *model) say(text string) { m.note = note{text: text, until: m.now.Add(6 * time.Second)} }

// fail tells of an error.
func (m *model) fail(err error) {
	if refused, ok := errors.AsType[*bridge.Error](err); ok && refused.Code == bridge.Canceled {
		return
	}
	m.warn(plain.Line(err.Error()))
}

func (m *model) warn(text string) {
	m.note = note{text: text, bad: true, until: m.now.Add(30 * time.Second)}
}

// composer is where one writes.
type composer struct {
	area         textarea.Model
	replyTo      *client.MessageView
	editing      *client.MessageView
	expire, burn int // of the next message, in seconds; 0: as the room says
}

const (
	tallestComposer = 6
	longestText     = 100_000 // characters; far below what a message may hold
)

func newComposer() composer {
	a := textarea.New()
	a.Prompt, a.ShowLineNumbers, a.EndOfBufferCharacter = "", false, ' '
	a.CharLimit = longestText
	a.DynamicHeight, a.MinHeight, a.MaxHeight, a.MaxContentHeight = true, 1, tallestComposer, longestText
	a.SetVirtualCursor(false)
	a.SetStyles(textarea.Styles{}) // the terminal's own colours
	for _, b := range unbound(&a.KeyMap) {
		b.SetEnabled(false) // these keys have a meaning here, or reach for the computer's clipboard
	}
	a.Focus()
	return composer{area: a}
}

// put gives what stands in the composer, to be kept, and empties it.
func (c *composer) put() unsent {
	u := unsent{c.area.Value(), c.replyTo, c.editing, c.expire, c.burn}
	c.take(unsent{})
	return u
}

func (c *composer) take(u unsent) {
	c.area.SetValue(u.text)
	c.area.MoveToEnd()
	c.replyTo, c.editing, c.expire, c.burn = u.replyTo, u.editing, u.expire, u.burn
}

func (c *composer) empty() bool { return c.area.Length() == 0 }
