package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sconce/client"
	"sconce/client/bridge"
)

// holder stands for the process that holds a store: it answers with fixed views
// and notes what it was asked to do. The commands under test reach it by the
// store's socket, as they would the real one.
type holder struct {
	rooms    []client.RoomView
	people   []client.PersonView
	messages []client.MessageView
	offline  bool
	events   chan client.Event

	mu   sync.Mutex
	done []string
}

func (h *holder) Call(_ context.Context, method string, params json.RawMessage) (json.RawMessage, *bridge.Error) {
	var result any = bridge.None{}
	switch method {
	case "me":
		result = client.Me{User: "u1", Name: "Alice\x1b[31m", Device: "d1", DeviceName: "laptop", Server: "https://chat.example", Network: "n1", Address: "https://chat.example/#device1.n1.u1"}
	case "rooms":
		result = h.rooms
	case "room":
		result = h.rooms[0]
	case "people":
		var p bridge.PeopleParams
		_ = json.Unmarshal(params, &p)
		result = slices.DeleteFunc(slices.Clone(h.people), func(v client.PersonView) bool {
			return !strings.Contains(strings.ToLower(v.Name), strings.ToLower(p.Query))
		})
	case "messages":
		result = h.messages
	case "directRoom":
		h.note(method, params)
		result = client.RoomView{Room: "direct-room", Kind: "direct"}
	case "send":
		h.note(method, params)
		var p bridge.SendParams
		_ = json.Unmarshal(params, &p)
		result = client.MessageView{ID: "01ffffff", Room: p.Room, State: client.Queued, Text: p.Text}
	case "sync":
		if h.offline {
			return nil, bridge.Errorf(bridge.Offline, "the server can't be reached")
		}
	default:
		h.note(method, params)
	}
	b, err := json.Marshal(result)
	if err != nil {
		return nil, bridge.Errorf(bridge.Failed, "%v", err)
	}
	return b, nil
}

func (h *holder) note(method string, params json.RawMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, method+" "+string(params))
}

func (h *holder) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.done)
}

func (h *holder) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	return h.events, func() {}, nil
}

// serveStore puts a holder behind the socket of a store.
func serveStore(t *testing.T, h *holder) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sconce") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, err := listen(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { accept(ctx, l, h) })
	t.Cleanup(func() { cancel(); running.Wait(); _ = os.RemoveAll(dir) })
	return dir
}

func aHolder() *holder {
	direct := client.RoomView{Room: "eeee0000", Kind: "direct", Name: "Bob", Members: []client.MemberView{{User: "u1", Name: "Alice"}, {User: "u2", Name: "Bob"}}}
	return &holder{
		rooms: []client.RoomView{
			{Room: "aaaa0000", Kind: "group", Name: "Team", Unread: 1, Expire: 3600, Members: []client.MemberView{{User: "u1"}, {User: "u2"}, {User: "u3", Name: "Carol"}}},
			direct,
			{Room: "bbbb0000", Kind: "group", Name: "Old team", Left: true},
		},
		people: []client.PersonView{{User: "u1", Name: "Alice", Me: true}, {User: "u2", Name: "Bob"}, {User: "u3", Name: "Carol", Trust: client.Verified}},
		messages: []client.MessageView{
			{ID: "01aaaaaa11", Room: "aaaa0000", Seq: 1, Name: "Bob", Kind: "text", Text: "first\nsecond \x1b[2J", Time: 1_000_000, Reactions: []client.ReactionView{{Emoji: "👍", By: []string{"u1"}, Mine: "01cccccc"}}},
			{ID: "00000000000", Room: "aaaa0000", Seq: 2, Kind: "notice", Text: "Carol came.", Time: 1_500_000},
			{ID: "01bbbbbb22", Room: "aaaa0000", Seq: 3, Name: "Alice", Mine: true, Kind: "text", Text: "mine", Time: 2_000_000, Edited: true},
		},
		events: make(chan client.Event, 10),
	}
}

func TestSendTellsWhatBecameOfTheMessage(t *testing.T) {
	for state, want := range map[client.State]string{
		client.Failed:  "not sent: you left",
		client.Unknown: "it is not known whether this was sent: you left",
	} {
		h := aHolder()
		h.messages = append(h.messages, client.MessageView{ID: "01ffffff", Room: "aaaa0000", State: state, Kind: "text", Text: "that one", Problem: "you left"})
		if _, complaint, code := sconce(t, "--store", serveStore(t, h), "send", "Team", "hi"); code != exitFailed || complaint != "sconce: "+want+"\n" {
			t.Errorf("%s: code %d, %q", state, code, complaint)
		}
		if out, _, _ := sconce(t, "--store", serveStore(t, h), "read", "Team", "--peek"); !strings.Contains(out, "that one (not ") || !strings.Contains(out, "sent) (you left)") {
			t.Errorf("%s: read shows %q", state, out)
		}
	}
}

func TestCommandsDoWhatTheirWordsSay(t *testing.T) {
	for line, want := range map[string]string{
		"send Team hello there":              `send {"room":"aaaa0000","text":"hello there"}`,
		"send team hi --burn 10s":            `send {"room":"aaaa0000","text":"hi","burn":10}`,
		"send bob hi --expire 1h":            `send {"room":"eeee0000","text":"hi","expire":3600}`,
		"send Team to the boats --all":       `send {"room":"aaaa0000","text":"[@all](mimi://n1/r/aaaa0000) to the boats"}`,
		"send carol -- --hi":                 `directRoom {"user":"u3"}|send {"room":"direct-room","text":"--hi"}`,
		"send Team hi --reply 01aa":          `send {"room":"aaaa0000","text":"hi","replyTo":"01aaaaaa11"}`,
		"react Team 01aa ❤":                  `react {"room":"aaaa0000","message":"01aaaaaa11","emoji":"❤"}`,
		"react Team 01aa 👍 --remove":         `unreact {"room":"aaaa0000","message":"01aaaaaa11","reaction":"01cccccc"}`,
		"edit Team 01bbbb better words":      `edit {"room":"aaaa0000","message":"01bbbbbb22","text":"better words"}`,
		"delete Team 01bbbb":                 `delete {"room":"aaaa0000","message":"01bbbbbb22"}`,
		"read Team":                          `view {"room":"aaaa0000","upTo":3}`,
		"read Team --peek":                   ``,
		"read":                               `view {"room":"aaaa0000","upTo":3}`,
		"room new Lunch Bob carol Bob":       `newRoom {"name":"Lunch","users":["u2","u3"]}`,
		"room add Team bob":                  `addPeople {"room":"aaaa0000","users":["u2"]}`,
		"room admin Team Carol":              `setAdmin {"room":"aaaa0000","user":"u3","admin":true}`,
		"room admin Team Carol --off":        `setAdmin {"room":"aaaa0000","user":"u3","admin":false}`,
		"room remove Team Carol":             `removePerson {"room":"aaaa0000","user":"u3"}`,
		"room leave Team":                    `leave {"room":"aaaa0000"}`,
		"room dismiss Team":                  `dismiss {"room":"aaaa0000"}`,
		"room set Team --burn 1m":            `setRoom {"room":"aaaa0000","burn":60}`,
		"room set Team --expire off --name=": `setRoom {"room":"aaaa0000","name":"","expire":0}`,
		"verify carol --unmark":              `markVerified {"user":"u3","verified":false}|safety {"user":"u3"}`,
		"approve SD1-X":                      `approve {"code":"SD1-X"}`,
	} {
		h := aHolder()
		dir := serveStore(t, h)
		_, complaint, code := sconce(t, append([]string{"--store", dir}, strings.Fields(line)...)...)
		if got := strings.Join(h.asked(), "|"); got != want || code != exitDone {
			t.Errorf("sconce %s: asked for\n%s\nwant\n%s\n(%d, %q)", line, got, want, code, complaint)
		}
	}
}

func TestRefusalsNameTheCandidates(t *testing.T) {
	for line, want := range map[string]string{
		"send nobody hi":             `there is no room or person "nobody" here`,
		"send Old hi":                `there is no room or person "Old" here`, // left
		"read nothing":               `there is no room "nothing" here`,
		"delete Team 01":             `there is no message "01" here`,
		"delete Team 0000":           `there is no message "0000" here`,
		"delete Team 0199":           `there is no message "0199" here`,
		"room remove Team Dave":      `there is no participant "Dave" here`,
		"react Team 01bb 👍 --remove": "you did not put that emoji there",
	} {
		h := aHolder()
		_, complaint, code := sconce(t, append(strings.Fields(line), "--store", serveStore(t, h))...)
		if code != exitFailed || complaint != "sconce: "+want+"\n" || len(h.asked()) != 0 {
			t.Errorf("sconce %s = %d, %q, asked for %q; want %q and nothing done", line, code, complaint, h.asked(), want)
		}
	}
}

// A room that takes a person's name must not get that person's messages.
func TestRoomThatTakesAPersonsNameIsAmbiguous(t *testing.T) {
	h := aHolder()
	h.rooms = append(h.rooms, client.RoomView{Room: "ffff0000", Kind: "group", Name: "Carol"}, client.RoomView{Room: "ffff1111", Kind: "group", Name: "Bo\u200bb"})
	dir := serveStore(t, h)
	for name, want := range map[string]string{
		"Carol": `"Carol" could be any of: group room Carol (ffff0000), person Carol (u3)`,
		"Bob":   `"Bob" could be any of: direct room Bob (eeee0000), group room Bob (ffff1111)`,
	} {
		_, complaint, code := sconce(t, "send", name, "secret", "--store", dir)
		if code != exitFailed || complaint != "sconce: "+want+"\n" || len(h.asked()) != 0 {
			t.Errorf("send %s = %d, %q, asked for %q; want %q", name, code, complaint, h.asked(), want)
		}
	}
}

func TestOutputIsAlignedAndSafe(t *testing.T) {
	dir := serveStore(t, aHolder())
	for line, want := range map[string]string{
		"rooms":            "aaaa0000  Team      3 people   expire 1h  1 unread\neeee0000  Bob       direct\nbbbb0000  Old team  no people                       left\n",
		"people":           "Alice  you           u1\nBob    not verified  u2\nCarol  verified      u3\n",
		"whoami":           "name     Alice[31m\nuser     u1\ndevice   laptop (d1)\nserver   https://chat.example\nnetwork  n1\naddress  https://chat.example/#device1.n1.u1\n",
		"read Team --peek": "Thursday, 1 January 1970\n00:16  01aaaaaa  Bob    first\n                        second [2J\n                        👍 1\n00:25                   * Carol came.\n00:33  01bbbbbb  Alice  mine (edited)\n",
	} {
		local := time.Local
		time.Local = time.UTC
		out, complaint, code := sconce(t, append(strings.Fields(line), "--store", dir)...)
		time.Local = local
		if out != want || code != exitDone {
			t.Errorf("sconce %s = %d, %q, printed\n%s\nwant\n%s", line, code, complaint, out, want)
		}
	}
}

func TestOfflineIsANoteAndNoFailure(t *testing.T) {
	h := aHolder()
	h.offline = true
	_, complaint, code := sconce(t, "send", "Team", "hi", "--store", serveStore(t, h))
	if code != exitDone || complaint != "offline: queued, goes out at the next connection\n" {
		t.Fatalf("send = %d, %q", code, complaint)
	}
}

func TestMessageComesFromStandardInput(t *testing.T) {
	h := aHolder()
	_, _, code := sconceWith(t, "line one\nline two\n", "send", "Team", "-", "--store", serveStore(t, h))
	want := []string{`send {"room":"aaaa0000","text":"line one\nline two"}`}
	if got := h.asked(); code != exitDone || !slices.Equal(got, want) {
		t.Fatalf("asked for %q, %d; want %q", got, code, want)
	}
}

func TestProgramsReachTheStoreThroughItsHolder(t *testing.T) {
	out, complaint, code := sconceWith(t, `{"id":1,"method":"leave","params":{"room":"x"}}`, "rpc", "--store", serveStore(t, aHolder()))
	if code != exitDone || out != `{"id":1,"result":{}}`+"\n" {
		t.Fatalf("rpc = %d, %q, %q", code, out, complaint)
	}
}

// Following shows what comes once, marks it as seen, and reads anew when it was
// too slow.
func TestFollowShowsWhatComes(t *testing.T) {
	h := aHolder()
	h.messages = nil
	dir := serveStore(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	a := &app{in: strings.NewReader(""), out: out, err: out, env: func(string) string { return "" }}
	done := make(chan int, 1)
	go func() { done <- a.main(ctx, []string{"read", "Team", "--follow", "--json", "--store", dir}) }()
	m := client.MessageView{ID: "01dd", Room: "aaaa0000", Seq: 7, Name: "Bob", Kind: "text", Text: "hi", State: client.Received}
	h.events <- client.Event{Message: &m}
	h.events <- client.Event{Message: &m} // the same again: no second line
	other := client.MessageView{ID: "01ee", Room: "eeee0000", Seq: 1, Text: "elsewhere"}
	h.events <- client.Event{Message: &other}
	edited := m
	edited.Text, edited.Edited = "ho", true
	h.events <- client.Event{Message: &edited}
	for give := time.Now().Add(10 * time.Second); len(h.asked()) < 3 && time.Now().Before(give); {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("read --follow = %d after an interrupt; want %d", code, exitDone)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(b), "\n"); got != 2 || !strings.Contains(string(b), `"text":"hi"`) || !strings.Contains(string(b), `"text":"ho"`) {
		t.Errorf("printed\n%s\nwant the message and its edit", b)
	}
	if got := h.asked(); len(got) != 3 || got[0] != `view {"room":"aaaa0000","upTo":7}` {
		t.Errorf("asked for %q; want three views of place 7", got)
	}
}

func TestSocketIsForTheOwnerAlone(t *testing.T) {
	dir := serveStore(t, aHolder())
	info, err := os.Stat(filepath.Join(dir, socketFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket has mode %v, %v; want 0600", info.Mode(), err)
	}
}

// What a killed process left behind does not keep the next one from listening.
func TestLeftOverSocketIsReplaced(t *testing.T) {
	dir := serveStore(t, aHolder())
	l, err := listen(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if _, err := listen(t.Context(), long); err == nil || !strings.Contains(err.Error(), "more than 103 characters") {
		t.Fatalf("listen in a long path = %v", err)
	}
}
