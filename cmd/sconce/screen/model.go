package screen

import (
	"cmp"
	"errors"
	"slices"
	"strings"
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

	me         client.Me
	settings   client.Settings
	connection client.ConnectionView // State "": not known yet
	rooms      []conversation        // as the list shows them

	open     string // the room on the screen; "" none
	timeline timeline
	compose  composer
	over     overlay // nil: none
	note     note

	copied string // for the clipboard
	left   bool   // the person is done
	ended  error  // why else the screen ends
}

// conversation is a room, and what stands in its composer.
type conversation struct {
	client.RoomView
	unsent unsent
	typing map[string]int // until when somebody writes, by user id
}

// unsent is what stands in a room's composer while another room is shown.
type unsent struct {
	text         string
	replyTo      *answered
	editing      *client.MessageView
	expire, burn int
}

// answered is the message that the next one answers.
type answered struct {
	client.QuoteView
	expires int // as in MessageView; 0 also where only the core knows
}

// over reports whether it is gone; of none it is not.
func (a *answered) over(now time.Time) bool {
	return a != nil && a.expires > 0 && int64(a.expires) <= now.UnixMilli()
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
		ruler: ruler{ansi.WcWidth},
	}
	m.theme = newTheme(m.profile, m.dark)
	m.compose = newComposer()
	return m
}

// begin wishes for what the first screen shows.
func (m *model) begin() []wish {
	return []wish{
		ask(bridge.Me, bridge.None{}, func(m *model, me client.Me) []wish { m.me = me; return nil }),
		ask(bridge.Settings, bridge.None{}, func(m *model, s client.Settings) []wish { m.settings = s; return nil }),
		ask(bridge.Rooms, bridge.None{}, (*model).takeRooms),
		m.probe(),
	}
}

// probe finds out whether the server is there, where nobody has said so yet: a
// client that another process runs tells only of changes.
func (m *model) probe() wish {
	found := func(m *model, r client.Reach) {
		if m.connection.State == "" {
			m.connection.State = r
		}
	}
	w := ask(bridge.Sync, bridge.None{}, func(m *model, _ bridge.None) []wish { found(m, client.ReachOnline); return nil })
	w.instead = func(m *model) { found(m, client.ReachOffline) }
	w.quiet = true
	return w
}

// takeRooms takes the list of rooms, and opens the newest when none is open.
func (m *model) takeRooms(all []client.RoomView) []wish {
	m.rooms = slices.DeleteFunc(m.rooms, func(c conversation) bool {
		return !slices.ContainsFunc(all, func(r client.RoomView) bool { return r.Room == c.Room })
	})
	for _, r := range all {
		m.takeRoom(r)
	}
	if m.open != "" && m.room(m.open) != nil {
		return []wish{m.readOpen()}
	}
	m.open = ""
	if len(m.rooms) > 0 && !m.rooms[0].Left {
		return m.show(m.rooms[0].Room)
	}
	return nil
}

func (m *model) takeRoom(r client.RoomView) {
	c := m.room(r.Room)
	if c == nil {
		m.rooms = append(m.rooms, conversation{typing: map[string]int{}})
		c = &m.rooms[len(m.rooms)-1]
	}
	c.RoomView = r
	m.sort()
}

func (m *model) sort() {
	last := func(yes bool) int { return map[bool]int{true: 1}[yes] }
	slices.SortStableFunc(m.rooms, func(a, b conversation) int {
		return cmp.Or(last(a.Left)-last(b.Left), last(!a.Pinned)-last(!b.Pinned), cmp.Compare(b.Activity, a.Activity))
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

// show opens a room, and wishes for what was said in it.
func (m *model) show(room string) []wish {
	if m.open == room {
		return nil
	}
	return append(m.turnTo(room), m.readOpen())
}

// turnTo makes a room the one on the screen.
func (m *model) turnTo(room string) (wishes []wish) {
	if c := m.room(m.open); c != nil {
		wishes = m.keepDraft()
		c.unsent = m.compose.put()
	}
	m.open, m.timeline, m.compose.told = room, timeline{}, time.Time{}
	if c := m.room(room); c != nil {
		if c.unsent.text == "" && c.Draft != "" { // from the last time
			c.unsent = unsent{text: c.Draft}
			if c.DraftReply != nil {
				c.unsent.replyTo = &answered{QuoteView: *c.DraftReply}
			}
		}
		m.compose.take(c.unsent)
		m.compose.kept = c.Draft
		m.timeline.firstUnread, m.timeline.unread = c.FirstUnread, c.Unread
	}
	return wishes
}

// keepDraft wishes that what stands in the composer outlives the screen.
func (m *model) keepDraft() []wish {
	text := m.compose.area.Value()
	if m.compose.editing != nil || strings.TrimSpace(text) == "" {
		text = "" // what is there is no message of its own
	}
	if m.open == "" || text == m.compose.kept {
		return nil
	}
	m.compose.kept = text
	p := bridge.DraftParams{Room: m.open, Text: text}
	if m.compose.replyTo != nil && text != "" {
		p.ReplyTo = m.compose.replyTo.ID
	}
	return []wish{tell(bridge.Draft, p, nil)}
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
	kept         string    // what the core keeps of it
	told         time.Time // when the room was told that one writes
	replyTo      *answered
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
