package screen

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// noon is when the tests happen.
var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

func ms(t time.Time) int { return int(t.UnixMilli()) }

// core stands behind the door: it answers with fixed views, and notes what it is
// asked to change.
type core struct {
	rooms    []client.RoomView
	people   []client.PersonView
	messages map[string][]client.MessageView
	settings client.Settings
	offline  bool
	found    client.SearchView
	refuse   *bridge.Error
	asked    []string // the calls that change something, with their params
}

func (c *core) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	return make(chan client.Event), func() {}, nil
}

func (c *core) Call(_ context.Context, method string, params json.RawMessage) (json.RawMessage, *bridge.Error) {
	var p struct {
		Room, User    string
		Before, Limit int
		client.Draft
	}
	_ = json.Unmarshal(params, &p)
	var result any = bridge.None{}
	switch method {
	case "me":
		result = client.Me{User: "alice", Name: "Alice"}
	case "rooms":
		result = c.rooms
	case "room":
		result = c.rooms[slices.IndexFunc(c.rooms, func(r client.RoomView) bool { return r.Room == p.Room })]
	case "people":
		result = c.people
	case "safety":
		result = client.SafetyView{User: p.User, Name: p.User, Number: "11111 22222 33333 44444 55555 66666", Trust: client.Unverified}
	case "sync":
		if c.offline {
			return nil, bridge.Errorf(bridge.Offline, "the server can't be reached")
		}
	case "settings":
		result = c.settings
	case "history":
		result = []client.EarlierView{{Text: "as it was before", Time: ms(noon)}}
	case "search":
		result = c.found
	case "messages":
		all := slices.Clone(c.messages[p.Room])
		if p.Before > 0 {
			all = slices.DeleteFunc(all, func(m client.MessageView) bool { return m.Seq == 0 || m.Seq >= p.Before })
		}
		result = all[max(0, len(all)-p.Limit):]
	default:
		c.asked = append(c.asked, method+" "+string(params))
		if c.refuse != nil {
			return nil, c.refuse
		}
		if method == "send" {
			result = client.MessageView{ID: fmt.Sprintf("5e%d", len(c.asked)), Room: p.Room, Sender: "alice", Mine: true, Time: ms(noon), State: client.Queued, Kind: "text", Text: p.Text}
		}
		if method == "directRoom" {
			result = client.RoomView{Room: "new", Kind: "direct", Name: p.User}
		}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return nil, bridge.Errorf(bridge.Failed, "%v", err)
	}
	return b, nil
}

// show is a screen under test, with what stands behind it.
type show struct {
	*model
	t    *testing.T
	core *core
	at   time.Time
}

func aShow(t *testing.T, c *core, width, height int) *show {
	t.Helper()
	s := &show{model: newModel(noon, 0), t: t, core: c, at: noon}
	s.happens(tea.WindowSizeMsg{Width: width, Height: height})
	s.carry(s.begin())
	return s
}

// happens lets something happen, and all that follows from it.
func (s *show) happens(what tea.Msg) { s.carry(s.next(s.at, what)) }

func (s *show) carry(wishes []wish) {
	s.t.Helper()
	for n := 0; len(wishes) > 0; n++ {
		if n > 1000 {
			s.t.Fatal("one wish leads to another for ever")
		}
		w := wishes[0]
		wishes = append(wishes[1:], s.next(s.at, w.carry(s.t.Context(), s.core))...)
	}
}

// event comes from the client, as Run hands it on.
func (s *show) event(e client.Event) { s.happens(plain.All(e)) }

// after lets time go by.
func (s *show) after(d time.Duration) {
	s.at = s.at.Add(d)
	s.happens(second{})
}

var named = map[string]tea.KeyPressMsg{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "f1": {Code: tea.KeyF1}, "backspace": {Code: tea.KeyBackspace},
	"space": {Code: ' ', Text: " "}, "alt+enter": {Code: tea.KeyEnter, Mod: tea.ModAlt}, "alt+down": {Code: tea.KeyDown, Mod: tea.ModAlt},
	"alt+up": {Code: tea.KeyUp, Mod: tea.ModAlt},
}

// keys presses keys by their names.
func (s *show) keys(all ...string) {
	s.t.Helper()
	for _, name := range all {
		k, ok := named[name]
		if letter, isCtrl := strings.CutPrefix(name, "ctrl+"); isCtrl {
			k, ok = tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}, true
		}
		if r := []rune(name); len(r) == 1 {
			k, ok = tea.KeyPressMsg{Code: r[0], Text: name}, true
		}
		if !ok {
			s.t.Fatalf("no key %q", name)
		}
		s.happens(k)
	}
}

func (s *show) types(text string) {
	s.t.Helper()
	for _, r := range text {
		s.happens(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

// text is the picture without its colours.
func (s *show) text() string {
	lines := strings.Split(ansi.Strip(s.frame().content), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *show) shows(want ...string) {
	s.t.Helper()
	picture := s.text()
	for _, w := range want {
		if !strings.Contains(picture, w) {
			s.t.Errorf("%q is not on the screen:\n%s", w, picture)
		}
	}
}

func (s *show) hides(unwanted ...string) {
	s.t.Helper()
	picture := s.text()
	for _, w := range unwanted {
		if strings.Contains(picture, w) {
			s.t.Errorf("%q is on the screen:\n%s", w, picture)
		}
	}
}

// asked gives the changes that were asked for since the last time.
func (s *show) asked() []string {
	all := s.core.asked
	s.core.asked = nil
	return all
}

func (s *show) wants(want ...string) {
	s.t.Helper()
	if got := s.asked(); !slices.Equal(got, want) {
		s.t.Errorf("asked for %q\nwant %q", got, want)
	}
}

// golden compares the picture with the one that was kept.
func (s *show) golden(name string) {
	s.t.Helper()
	got := s.text()
	for i, l := range strings.Split(s.frame().content, "\n") {
		if w := s.ruler.width(l); w != s.width {
			s.t.Errorf("line %d has %d columns; want %d: %q", i, w, s.width, ansi.Strip(l))
		}
	}
	if n := strings.Count(got, "\n"); n != s.height {
		s.t.Errorf("the picture has %d lines; want %d", n, s.height)
	}
	path := filepath.Join("testdata", fmt.Sprintf("%s-%dx%d.txt", name, s.width, s.height))
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// aTeam is a conversation with a bit of everything.
func aTeam() *core {
	member := func(user, name string, trust client.Trust) client.MemberView {
		return client.MemberView{User: user, Name: name, Trust: trust, Devices: 1, Admin: user == "alice"}
	}
	alice, bob, carol := member("alice", "Alice", client.Verified), member("bob", "Bob", client.Unverified), member("carol", "Carol", client.Verified)
	said := func(room string, seq int, who client.MemberView, at time.Time, text string) client.MessageView {
		m := client.MessageView{ID: fmt.Sprintf("%s%02d", room[:1], seq), Room: room, Seq: seq, Sender: who.User, Name: who.Name, Mine: who.User == "alice", Time: ms(at), State: client.Received, Kind: "text", Text: text}
		if m.Mine {
			m.State = client.Sent
		}
		return m
	}
	yesterday, today := noon.AddDate(0, 0, -1), noon.Add(-time.Hour)
	team := []client.MessageView{
		{ID: "00", Room: "team", Seq: 1, Time: ms(yesterday), Kind: "notice", Text: "Bob was added by Alice. Carol was added by Alice.", State: client.Received},
		said("team", 2, bob, yesterday.Add(time.Minute), "Shall we meet at three tomorrow? The room on the second floor is free until four, and there is coffee."),
		said("team", 3, carol, yesterday.Add(2*time.Minute), "yes, three is good"),
		said("team", 4, alice, today, "Three it is. I bring:\n- the cake\n- plates"),
		said("team", 5, bob, today.Add(time.Minute), "👨‍👩‍👧 coming too, 日本語も大丈夫"),
		said("team", 6, bob, today.Add(2*time.Minute), "Safe code: 4711"),
		said("team", 7, carol, today.Add(30*time.Minute), "burn this one after reading"),
		said("team", 8, alice, today.Add(40*time.Minute), "one that did not go out"),
	}
	team[2].Reactions = []client.ReactionView{{Emoji: "👍", By: []string{"alice", "bob"}, Mine: "r1"}, {Emoji: "🎉", By: []string{"bob"}}}
	team[3].ReplyTo, team[3].Kind, team[3].Edited = team[1].ID, "reply", true
	team[5].Expires = ms(noon.Add(8 * time.Second))
	team[6].Burn, team[6].Expires = 60, ms(noon.Add(45*time.Minute))
	team[7].State, team[7].Seq, team[7].Problem = client.Failed, 0, "you may not write here"
	direct := []client.MessageView{said("bob-direct", 1, bob, today.Add(5*time.Minute), "Psst")}
	direct[0].Burn = 30
	return &core{
		rooms: []client.RoomView{
			{Room: "bob-direct", Kind: "direct", Name: "Bob", Members: []client.MemberView{alice, bob}, Last: 1, Unread: 1, FirstUnread: 1, LastMessage: &direct[0], Activity: direct[0].Time},
			{Room: "team", Kind: "group", Name: "Team", Members: []client.MemberView{alice, bob, carol}, Last: 8, Unread: 2, FirstUnread: 6, Expire: 86400, LastMessage: &team[7], Activity: team[7].Time},
		},
		found:    client.SearchView{Hits: []client.Hit{{Message: team[3], RoomName: "Team"}, {Message: direct[0], RoomName: "Bob"}}},
		people:   []client.PersonView{{User: "alice", Name: "Alice", Me: true}, {User: "bob", Name: "Bob", Trust: client.Unverified}, {User: "carol", Name: "Carol", Trust: client.Verified}},
		messages: map[string][]client.MessageView{"team": team, "bob-direct": direct},
	}
}

var sizes = []struct{ width, height int }{{80, 24}, {120, 40}, {40, 12}}

func TestPicturesStayAsTheyWereLookedAt(t *testing.T) {
	for _, size := range sizes {
		for name, keys := range map[string][]string{
			"chat": nil, "switcher": {"ctrl+k"}, "new": {"ctrl+n"}, "details": {"ctrl+o"}, "safety": {"ctrl+o", "v"}, "timers": {"ctrl+t"}, "help": {"f1"},
			"chosen": {"tab", "up"}, "reply": {"tab", "up", "r"}, "scrolled": {"pgup"}, "edit": {"tab", "up", "up", "up", "up", "e"}, "delete": {"tab", "up", "up", "up", "up", "d"},
			"message": {"tab", "up", "enter"}, "find": {"ctrl+f", "c", "enter"},
		} {
			s := aShow(t, aTeam(), size.width, size.height)
			s.event(client.Event{Connection: &client.ConnectionView{State: client.ReachOnline}})
			s.keys(keys...)
			s.golden(name)
		}
	}
}

func TestFirstScreenSaysHowToBegin(t *testing.T) {
	s := aShow(t, &core{}, 80, 24)
	s.golden("empty")
	s.keys("enter", "up", "tab", "pgup", "alt+down", "ctrl+o", "a", "enter")
	s.wants()
}
