package screen

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"sconce/client"
	"sconce/client/bridge"
)

// quiet is the team with everything read and nothing that runs down.
func quiet() *core {
	c := aTeam()
	for i := range c.rooms {
		c.rooms[i].Unread, c.rooms[i].FirstUnread = 0, 0
	}
	c.messages["team"] = c.messages["team"][:5]
	last := &c.messages["team"][4]
	c.rooms[1].LastMessage, c.rooms[1].Activity = last, last.Time
	c.rooms[0].Activity = ms(noon.AddDate(0, 0, -1))
	return c
}

func (s *show) comes(room string, seq int, text string) client.MessageView {
	s.t.Helper()
	m := client.MessageView{ID: fmt.Sprintf("c0%02d", seq), Room: room, Seq: seq, Sender: "bob", Name: "Bob", Time: ms(s.at), State: client.Received, Kind: "text", Text: text}
	s.event(client.Event{Message: &m})
	r := s.core.rooms[slices.IndexFunc(s.core.rooms, func(r client.RoomView) bool { return r.Room == room })]
	r.LastMessage, r.Activity = &m, m.Time
	s.event(client.Event{Room: &r})
	return m
}

func TestWhatIsTypedIsSent(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.types("hello")
	s.keys("alt+enter")
	s.types("you?")
	s.keys("enter")
	s.wants(`send {"room":"team","text":"hello\nyou?"}`)
	s.shows("hello", "you?", "…")
	s.keys("enter")
	s.wants()
}

func TestPasteKeepsLinesAndSendsNothing(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.happens(tea.PasteMsg{Content: "one\r\ntwo\x1b[31m\u202ethree\n"})
	s.wants()
	s.shows("› one", "two[31mthree")
	s.keys("enter")
	s.wants(`send {"room":"team","text":"one\ntwo[31mthree"}`)
}

func TestUpEditsTheLastOfOnesOwn(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.keys("up")
	s.shows("edit your message", "› Three it is. I bring:")
	s.types("!")
	s.keys("enter")
	s.wants(`edit {"room":"team","message":"t04","text":"Three it is. I bring:\n- the cake\n- plates!"}`)
	s.keys("up", "esc")
	s.shows("Write a message")
	s.hides("edit your message")
}

func TestReplyNamesItsMessage(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.keys("tab", "r")
	s.shows("↳ Bob: ")
	s.types("ok")
	s.keys("enter")
	s.wants(`send {"room":"team","text":"ok","replyTo":"t05"}`)
	s.hides("↳ Bob: ")
}

func TestNextMessageTakesItsTimer(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.keys("ctrl+t", "down", "enter")
	s.shows("this message burns 10s after reading")
	s.types("x")
	s.keys("enter")
	s.wants(`send {"room":"team","text":"x","burn":10}`)
	s.hides("this message burns")
}

func TestRefusedMessageIsNotLost(t *testing.T) {
	c := quiet()
	c.refuse = bridge.Errorf(bridge.Failed, "the disk is full")
	s := aShow(t, c, 80, 24)
	s.types("precious")
	s.keys("enter")
	s.shows("› precious", "the disk is full")
}

func TestEachRoomKeepsWhatWasWritten(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.types("half a thought")
	s.keys("alt+down")
	s.shows("Bob  not verified", "not sent: half a")
	s.hides("› half a thought")
	s.keys("alt+up")
	s.shows("› half a thought")
}

func TestChangedIdentityIsAskedAboutFirst(t *testing.T) {
	c := quiet()
	c.rooms[1].Members[1].Trust = client.Changed
	s := aShow(t, c, 80, 24)
	s.asked()
	s.shows("the identity of Bob CHANGED")
	s.types("secret")
	s.keys("enter")
	s.wants()
	s.keys("n")
	s.wants()
	s.shows("› secret")
	s.keys("enter", "y")
	s.wants(`send {"room":"team","text":"secret"}`)
}

func TestWhatIsSeenCountsAsRead(t *testing.T) {
	s := aShow(t, aTeam(), 80, 24)
	s.wants(`view {"room":"team","upTo":7}`)
	s.comes("team", 9, "and now?")
	s.wants(`view {"room":"team","upTo":9}`)
	s.comes("bob-direct", 2, "elsewhere")
	s.after(time.Minute)
	s.wants()
}

// Nobody who is away reads.
func TestNobodyThereReadsNothing(t *testing.T) {
	for name, away := range map[string]func(*show){
		"another window is in front": func(s *show) { s.happens(tea.BlurMsg{}) },
		"no key for long":            func(s *show) { s.after(6 * time.Minute) },
		"a box covers the room":      func(s *show) { s.keys("ctrl+k") },
		"scrolled up":                func(s *show) { s.keys("pgup", "pgup") },
	} {
		s := aShow(t, quiet(), 80, 18)
		away(s)
		s.asked()
		s.comes("team", 9, "are you there?")
		if got := s.asked(); len(got) > 0 {
			t.Errorf("%s: asked for %q", name, got)
		}
		switch name {
		case "another window is in front":
			s.happens(tea.FocusMsg{})
		case "a box covers the room":
			s.keys("esc")
		case "scrolled up":
			s.keys("esc")
		default:
			s.keys("down")
		}
		if got, want := s.asked(), []string{`view {"room":"team","upTo":9}`}; !slices.Equal(got, want) {
			t.Errorf("%s, and back: asked for %q; want %q", name, got, want)
		}
	}
}

// More than a screen is new: what was below it is not read, and does not burn.
func TestUnreadBelowTheScreenStaysUnread(t *testing.T) {
	c := quiet()
	for i := range 60 {
		c.messages["team"] = append(c.messages["team"], client.MessageView{ID: fmt.Sprintf("f%02d", i), Room: "team", Seq: 10 + i, Sender: "bob", Name: "Bob", Time: ms(noon), State: client.Received, Kind: "text", Text: fmt.Sprintf("line %d.", i)})
	}
	c.rooms[1].Unread, c.rooms[1].FirstUnread = 60, 10
	s := aShow(t, c, 80, 24)
	s.shows("new ──", "line 0.")
	s.hides("       line 59.")
	asked := s.asked()
	if len(asked) != 1 || asked[0] == `view {"room":"team","upTo":69}` {
		t.Fatalf("asked for %q; want one view of a part", asked)
	}
	s.keys("esc")
	s.shows("line 59.")
	s.wants(`view {"room":"team","upTo":69}`)
}

func TestWhatBurnsIsGoneEverywhereAtOnce(t *testing.T) {
	for name, goes := range map[string]func(*show, client.MessageView){
		"by its clock": func(s *show, m client.MessageView) { s.after(10 * time.Second) },
		"as the core says": func(s *show, m client.MessageView) {
			s.event(client.Event{Gone: &client.GoneEvent{Room: m.Room, ID: m.ID}})
		},
	} {
		for _, keys := range [][]string{nil, {"tab", "up", "r"}, {"tab", "up", "enter"}, {"tab", "up", "r", "alt+down"}, {"ctrl+k"}} {
			s := aShow(t, quiet(), 80, 24)
			m := s.comes("team", 9, "the canary")
			m.Expires = ms(noon.Add(10 * time.Second))
			r := s.core.rooms[1]
			r.LastMessage, r.Activity = &m, m.Time
			s.event(client.Event{Message: &m, Room: &r})
			s.event(client.Event{Message: &client.MessageView{ID: "q1", Room: "team", Seq: 10, Sender: "carol", Name: "Carol", Time: ms(s.at), State: client.Received, Kind: "reply", ReplyTo: m.ID, Text: "nice"}})
			s.keys(keys...)
			if keys == nil {
				s.shows("the canary", " 10s")
			}
			goes(s, m)
			s.hides("canary")
			s.keys("esc", "alt+up")
			s.hides("canary")
			if len(s.core.asked) > 0 && strings.Contains(strings.Join(s.core.asked, ""), "canary") {
				t.Errorf("%s, %q: it was sent", name, keys)
			}
		}
	}
}

func TestLastSecondsStandOut(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	m := s.comes("team", 9, "soon gone")
	m.Expires = ms(noon.Add(12 * time.Second))
	s.event(client.Event{Message: &m})
	s.shows("◷ 12s")
	s.after(3 * time.Second)
	if picture := s.frame().content; !strings.Contains(picture, s.theme.urgent.Render(" 9s ")) {
		t.Errorf("the ninth second does not stand out in\n%q", picture)
	}
}

// What burns after reading is not read in the list.
func TestPreviewDoesNotTellWhatBurns(t *testing.T) {
	s := aShow(t, aTeam(), 80, 24)
	s.shows("burns after readi")
	s.hides("Psst")
}

func TestNewMessagesLeaveTheScreenWhereItIs(t *testing.T) {
	s := aShow(t, quiet(), 80, 12)
	s.keys("pgup")
	before := strings.Split(s.text(), "\n")[2:6]
	s.comes("team", 9, "a new one")
	s.comes("team", 10, "another")
	if after := strings.Split(s.text(), "\n")[2:6]; !slices.Equal(cut(before), cut(after)) {
		t.Errorf("the screen moved from\n%q\nto\n%q", cut(before), cut(after))
	}
}

// cut leaves the list out, in which things do move.
func cut(lines []string) (all []string) {
	for _, l := range lines {
		_, room, _ := strings.Cut(l, "│")
		all = append(all, room)
	}
	return all
}

func TestScrollingUpReadsOlder(t *testing.T) {
	c := quiet()
	c.messages["team"] = nil
	for i := range 250 {
		c.messages["team"] = append(c.messages["team"], client.MessageView{ID: fmt.Sprintf("f%03d", i), Room: "team", Seq: 1 + i, Sender: "bob", Name: "Bob", Time: ms(noon), State: client.Received, Kind: "text", Text: fmt.Sprintf("line %d.", i)})
	}
	s := aShow(t, c, 80, 24)
	for range 40 {
		s.keys("pgup")
	}
	s.shows("line 0.", "Today")
	if n := len(s.timeline.all); n != 250 {
		t.Errorf("%d messages are loaded; want 250", n)
	}
	s.keys("esc")
	s.shows("line 249.")
}

func TestPeopleAreChosenForARoom(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.keys("ctrl+n", "space", "down", "space", "enter")
	s.types("Trip")
	s.keys("enter")
	s.wants(`newRoom {"name":"Trip","users":["bob","carol"]}`)
	s.keys("ctrl+n", "c", "a", "enter")
	s.wants(`directRoom {"user":"carol"}`)
}

func TestRoomIsChangedFromItsDetails(t *testing.T) {
	for want, keys := range map[string][]string{
		`removePerson {"room":"team","user":"bob"}`:               {"x", "y"},
		`setAdmin {"room":"team","user":"bob","admin":true}`:      {"A", "y"},
		`leave {"room":"team"}`:                                   {"l", "y"},
		`setRoom {"room":"team","name":"Teams"}`:                  {"n", "s", "enter"},
		`setRoom {"room":"team","expire":0,"burn":10}`:            append([]string{"t"}, append(slices.Repeat([]string{"up"}, 7), "enter")...),
		`markVerified {"user":"bob","verified":true}`:             {"v", "v"},
		`directRoom {"user":"bob"}`:                               {"w"},
		`delete {"room":"team","message":"t04"}`:                  {"esc", "tab", "up", "d", "y"},
		`react {"room":"team","message":"t05","emoji":"👍"}`:       {"esc", "tab", "+", "enter"},
		`unreact {"room":"team","message":"t03","reaction":"r1"}`: {"esc", "tab", "up", "up", "+", "enter"},
	} {
		s := aShow(t, quiet(), 80, 24)
		s.asked()
		s.keys("ctrl+o")
		s.keys(keys...)
		if got := s.asked(); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: asked for %q; want %q", keys, got, want)
		}
	}
}

func TestLongSilenceLocks(t *testing.T) {
	s := &show{model: newModel(noon, time.Minute), t: t, core: quiet(), at: noon}
	s.happens(tea.WindowSizeMsg{Width: 80, Height: 24})
	s.carry(s.begin())
	s.after(50 * time.Second)
	s.keys("x")
	s.after(50 * time.Second)
	if s.left {
		t.Fatal("locked 50 seconds after a key; want a minute")
	}
	s.after(10 * time.Second)
	if !s.left || s.ended != ErrLocked {
		t.Errorf("after a minute without a key: left %v, %v; want ErrLocked", s.left, s.ended)
	}
}

// Whatever others write, the picture holds no order to the terminal but the
// screen's own colours, and every line is as wide as the terminal.
func TestHostileTextStaysInItsPlace(t *testing.T) {
	hostile := rapid.OneOf(
		rapid.SampledFrom([]string{
			"\x1b]52;c;ZXZpbA==\x07", "\x1b[2J\x1b[H", "\u009b31m", "\x1b]0;title\x1b\\", "\u202egpj.exe", "\u2066\u2069", "a\rb", "\x00\x07\x08",
			"👨‍👩‍👧‍👦👨‍👩‍👧‍👦", "日本語日本語日本語", "e\u0301\u0301\u0301", strings.Repeat("\u0301", 500), strings.Repeat("長", 300), "\xff\xfe", "\n\n\n\n", "\t\t",
			"[@Eve](mimi://n/u/e)", "\x1b_Gi=1;AAAA\x1b\\", "\x1bP+q544e\x1b\\", "🏴\U000e0067\U000e0062\U000e007f", "\ufe0f\u20e3", "שלום עולם", "\u1160\u115f", strings.Repeat("x", 9000),
		}), rapid.String())
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(what string) string { return strings.Join(rapid.SliceOfN(hostile, 0, 4).Draw(rt, what), "") }
		c := aTeam()
		c.rooms[1].Name, c.rooms[1].Members[1].Name, c.rooms[1].Alarm = draw("room"), draw("member"), draw("alarm")
		m := &c.messages["team"][6]
		m.Text, m.Name, m.Problem, m.Warnings = draw("text"), draw("name"), draw("problem"), []string{draw("warning")}
		m.Reactions = []client.ReactionView{{Emoji: draw("emoji"), By: []string{"bob"}}}
		s := aShow(t, c, rapid.IntRange(20, 120).Draw(rt, "width"), rapid.IntRange(5, 40).Draw(rt, "height"))
		s.ruler = ruler{rapid.SampledFrom([]ansi.Method{ansi.WcWidth, ansi.GraphemeWidth}).Draw(rt, "method")}
		for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{"tab", "up", "down", "enter", "esc", "ctrl+k", "ctrl+o", "pgup", "r", "v", "alt+down"}), 0, 6).Draw(rt, "keys") {
			s.keys(key)
			check(rt, s)
		}
		s.event(client.Event{Problem: draw("event")})
		check(rt, s)
	})
}

func check(rt *rapid.T, s *show) {
	picture := s.frame().content
	lines := strings.Split(picture, "\n")
	if len(lines) > s.height {
		rt.Fatalf("%d lines; want %d", len(lines), s.height)
	}
	for _, l := range lines {
		if w := s.ruler.width(l); w > s.width || w < s.width && s.height >= leastHeight && s.width >= leastWidth {
			rt.Fatalf("a line has %d columns; want %d: %q", w, s.width, l)
		}
		for _, r := range ansi.Strip(colours.ReplaceAllString(l, "")) {
			if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 {
				rt.Fatalf("the line holds %U: %q", r, l)
			}
		}
		if strings.Contains(colours.ReplaceAllString(l, ""), "\x1b") {
			rt.Fatalf("the line holds an escape that is no colour: %q", l)
		}
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9;:]*m")

func TestSixteenColoursAreThePersonsOwn(t *testing.T) {
	s := aShow(t, aTeam(), 80, 24)
	if !strings.Contains(s.frame().content, "38;2;") {
		t.Error("with all colours none of them is used")
	}
	s.happens(tea.ColorProfileMsg{Profile: colorprofile.ANSI})
	if picture := s.frame().content; strings.Contains(picture, "8;2;") || strings.Contains(picture, "8;5;") {
		t.Errorf("on a terminal with sixteen colours others are used:\n%q", picture)
	}
}

// Two messages that were typed one after the other are sent so, even when the
// first takes long.
func TestMessagesKeepTheirOrder(t *testing.T) {
	st := &stage{ctx: t.Context(), door: quiet(), model: newModel(noon, 0)}
	first := make(chan struct{})
	var order []string
	slow := st.carry([]wish{{inOrder: true, call: slowly(first, func() { order = append(order, "first") })}})
	quick := st.carry([]wish{{inOrder: true, call: slowly(nil, func() { order = append(order, "second") })}})
	done := make(chan struct{})
	go func() { defer close(done); quick() }()
	go slow()
	close(first)
	<-done
	if !slices.Equal(order, []string{"first", "second"}) {
		t.Errorf("the order is %q", order)
	}
}

func slowly(wait <-chan struct{}, do func()) func(context.Context, bridge.Door) (answer, error) {
	return func(context.Context, bridge.Door) (answer, error) {
		if wait != nil {
			<-wait
		}
		do()
		return nil, nil
	}
}
