package screen

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sconce/client"
)

func TestWhatIsNotSentIsKept(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.types("half")
	s.wants()
	s.after(3 * time.Second)
	s.wants(`draft {"room":"team","text":"half"}`)
	s.after(3 * time.Second)
	s.wants()
	s.keys("enter")
	s.wants(`send {"room":"team","text":"half"}`, `draft {"room":"team","text":""}`)

	c := quiet()
	c.rooms[1].Draft, c.rooms[1].DraftReply = "from the last time", &client.QuoteView{ID: "t02", Sender: "bob", Name: "Bob", Text: "Shall we"}
	s = aShow(t, c, 80, 24)
	s.asked()
	s.shows("› from the last time", "↳ Bob: Shall we")
	s.keys("enter")
	s.wants(`send {"room":"team","text":"from the last time","replyTo":"t02"}`, `draft {"room":"team","text":""}`)
}

func TestFoundMessageIsShownWhereItWasSaid(t *testing.T) {
	s := aShow(t, aTeam(), 80, 18)
	s.keys("alt+down", "ctrl+f", "c", "enter", "enter")
	s.shows("Team  3 people", "▌      Three it is", "e edit")
}

func TestWhatIsGoneIsNotFoundAnyMore(t *testing.T) {
	s := aShow(t, aTeam(), 80, 24)
	s.keys("ctrl+f", "c", "enter")
	s.shows("You in Team")
	s.event(client.Event{Gone: &client.GoneEvent{Room: "team", ID: "t04"}})
	s.hides("You in Team", "Three it is")
}

// The name that the network knows is shown, not what the sender wrote.
func TestMentionShowsTheTrueName(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	m := s.comes("team", 9, "ask [@The Boss](mimi://abc/u/carol) or [@Eve](mimi://abc/u/eve)")
	m.Mentions = []client.MentionView{{User: "carol", Name: "Carol"}}
	r := s.core.rooms[1]
	r.LastMessage = &m
	s.event(client.Event{Message: &m, Room: &r})
	s.shows("ask @Carol or [@Eve](mimi://abc/u/eve)")
	s.hides("The Boss")
}

func TestTypedNamesAreMentions(t *testing.T) {
	m := &model{me: client.Me{User: "alice", Network: "abc"}}
	r := client.RoomView{Room: "0a", Kind: "group", Admin: true, Members: []client.MemberView{{User: "alice", Name: "Alice"}, {User: "bo", Name: "Bo"}, {User: "bob", Name: "Bo Smith"}, {User: "jose", Name: "José"}}}
	for text, want := range map[string]string{
		"@bo, come":          "[@Bo](mimi://abc/u/bo), come",
		"ask @Bo Smith":      "ask [@Bo Smith](mimi://abc/u/bob)",
		"(@JosÉ)":            "([@José](mimi://abc/u/jose))",
		"@all to the boats":  "[@all](mimi://abc/r/0a) to the boats",
		"@allies":            "@allies",
		"bo@bo.example @Eve": "bo@bo.example @Eve",
		"@Alice":             "@Alice",
		"[@Bo](x)":           "[@Bo](x)",
	} {
		if got := m.named(r, text); got != want {
			t.Errorf("%q = %q, want %q", text, got, want)
		}
	}
	r.Admin = false
	if got := m.named(r, "@all"); got != "@all" {
		t.Errorf("of a member @all is %q", got)
	}
}

func TestEditThatChangesNothingIsNone(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	m := s.comes("team", 9, "[@Robert](mimi://abc/u/bob) to the boats")
	m.Mine, m.Sender, m.Mentions = true, "alice", []client.MentionView{{User: "bob", Name: "Bob"}}
	s.event(client.Event{Message: &m})
	s.asked()
	s.keys("up")
	s.shows("your message; Esc gives up", "@Bob to the boats")
	s.keys("enter")
	for _, call := range s.asked() {
		if strings.HasPrefix(call, "edit ") {
			t.Errorf("what was not changed was edited: %s", call)
		}
	}
}

func TestEveryoneIsShownAsMentionedOnlyWhereTheyAre(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	m := s.comes("team", 9, "[@Boss](mimi://abc/r/0a) to the boats")
	s.shows("[@Boss](mimi://abc/r/0a) to the boats")
	m.Text, m.Room, m.MentionsAll = "[@all](mimi://abc/r/team) or [@all](mimi://abc/r/0a)", "0a", true
	if got := spoken(m); got != "[@all](mimi://abc/r/team) or @all" {
		t.Errorf("shown as %q", got)
	}
}

func TestFailedMessageIsSentAgainOrDropped(t *testing.T) {
	for state, says := range map[client.State]string{client.Failed: "not sent", client.Unknown: "sent or not: unknown"} {
		for key, want := range map[string]string{"s": `retry {"room":"team","message":"t08"}`, "x": `discard {"room":"team","message":"t08"}`} {
			c := aTeam()
			c.messages["team"][7].State = state
			s := aShow(t, c, 80, 24)
			s.asked()
			s.keys("tab")
			s.shows(says, "s send again")
			s.keys(key)
			s.wants(want)
		}
	}
}

func TestWriterShowsUntilTheyAreDone(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	typing := client.Event{Typing: &client.TypingEvent{Room: "team", User: "bob", Until: ms(noon.Add(6 * time.Second))}}
	s.event(typing)
	s.shows("Bob writes …", "writing …")
	s.after(7 * time.Second)
	s.hides("writes …", "writing …")
	typing.Typing.Until = ms(s.at.Add(6 * time.Second))
	s.event(typing)
	s.comes("team", 9, "done")
	s.hides("writes …")
}

func TestBarTellsWhatWaits(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.shows("● online")
	c := quiet()
	c.offline = true
	s = aShow(t, c, 80, 24)
	s.shows("○ offline")
	s.hides("can't be reached")
	s.event(client.Event{Connection: &client.ConnectionView{State: client.ReachConnecting}})
	s.shows("connecting")
	s.event(client.Event{Connection: &client.ConnectionView{State: client.ReachOffline, Queued: 2}})
	s.shows("○ offline · 2 messages wait")
	s.event(client.Event{Connection: &client.ConnectionView{State: client.ReachOnline, Behind: 7}})
	s.shows("● online · 7 to come")
	s.event(client.Event{Connection: &client.ConnectionView{State: client.ReachOnline, Ahead: 90_000}})
	s.shows("● online · your clock is 25h0m ahead")
	s.event(client.Event{Connection: &client.ConnectionView{State: client.ReachFull}})
	s.shows("○ no space left on this device")
	s.event(client.Event{Problem: "the clock of this\x1b[2J computer is wrong"})
	s.shows("the clock of this[2J computer is wrong")
	s.keys("x")
	s.hides("the clock")
}

func TestPersonsOwnSettingLocks(t *testing.T) {
	c := quiet()
	c.settings.IdleLock = 60
	s := aShow(t, c, 80, 24)
	s.after(61 * time.Second)
	if s.ended != ErrLocked {
		t.Errorf("the screen ends with %v; want ErrLocked", s.ended)
	}
}

func TestPinnedRoomsStandFirst(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.keys("ctrl+o", "p", "m")
	s.wants(`preferences {"room":"team","pinned":true}`, `preferences {"room":"team","notify":"all"}`)
	r := s.core.rooms[0]
	r.Pinned = true
	s.event(client.Event{Room: &r})
	var order []string
	for _, c := range s.rooms {
		order = append(order, c.Room)
	}
	if want := []string{"bob-direct", "team"}; !slices.Equal(order, want) {
		t.Errorf("the order is %q; want %q", order, want)
	}
	s.keys("esc")
	s.shows("★ Bob")
}

func TestOwnMessagesTellHowFarTheyCame(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	m := s.core.messages["team"][3]
	for state, want := range map[client.State]string{client.Sent: "edited ✓", client.Delivered: "edited ✓✓", client.Read: "✓✓ read", client.Queued: "edited …"} {
		m.State = state
		s.event(client.Event{Message: &m})
		s.shows(want)
	}
	m.Receipts = &client.ReceiptsView{Delivered: []string{"bob", "carol"}, Read: []string{"carol"}}
	s.event(client.Event{Message: &m})
	s.keys("tab", "up", "enter")
	s.shows("read by Carol", "there for Bob, Carol", "as it was before")
}

func TestOthersAreToldOfWritingWhereThePersonWants(t *testing.T) {
	s := aShow(t, quiet(), 80, 24)
	s.asked()
	s.types("abc")
	s.wants()

	c := quiet()
	c.settings.Typing = true
	s = aShow(t, c, 80, 24)
	s.asked()
	s.types("abc")
	s.wants(`typing {"room":"team"}`)
	s.at = s.at.Add(5 * time.Second)
	s.types("d")
	s.wants(`typing {"room":"team"}`)
	s.keys("backspace", "backspace", "backspace", "backspace")
	s.wants()
}

// However long a name is, what else a line says can be read: whether numbers were
// compared, how long things stay, and what was said.
func TestLongNamesLeaveRoomForTheRest(t *testing.T) {
	const long = "Bartholomew Featherstonehaugh-Cholmondeley the Third"
	for _, width := range []int{80, 96, 120} {
		c := quiet()
		direct := &c.rooms[0]
		direct.Name = long
		c.rooms[1].Name = long
		c.rooms[1].LastMessage = &client.MessageView{ID: "t05", Room: "team", Sender: "bob", Name: long, Kind: "text", Text: "Tea", Time: ms(noon), State: client.Received}
		c.rooms[1].Expire = 86400
		s := aShow(t, c, width, 24)
		s.shows("◷ stays 1d", ": Tea")
	}
}

// Who looks at a room's timer and presses Enter changes nothing.
func TestTimerBeginsAtTheOneThatIs(t *testing.T) {
	for _, is := range []struct{ expire, burn int }{{86400, 0}, {0, 60}, {6, 0}, {3600, 10}, {0, 0}} {
		c := quiet()
		c.rooms[1].Expire, c.rooms[1].Burn = is.expire, is.burn
		s := aShow(t, c, 80, 24)
		s.asked()
		s.keys("ctrl+o", "t", "enter")
		if got := s.asked(); slices.ContainsFunc(got, func(call string) bool { return strings.HasPrefix(call, "setRoom") }) {
			t.Errorf("with %+v, Enter asks for %q", is, got)
		}
	}
}
