package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/web"
)

// The page behind sconce app has the door that it would have in a browser: a
// person begins there, talks, locks and unlocks, while commands use the same
// store.
func TestAppIsADoorFromTheFirstMinute(t *testing.T) {
	t.Parallel()
	s := started(t)
	bob := newcomer(t, s, "Bob")
	invited, err := exec.Command(filepath.Join(programs, "sconced"), "invite", "--data", s.data, "Alice").Output()
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "alice")
	app := startApp(t, store)
	door := enterApp(t, app)

	state := must(t, bridge.State, door, bridge.None{})
	if state.State != client.PhaseNew || state.Kind != "native" || !state.Persistent {
		t.Errorf("at first the door says %+v; want a new one on this computer", state)
	}
	join := bridge.JoinParams{Invite: inviteLink.FindString(string(invited)), Name: "Alice", DeviceName: "app", Passphrase: "pass phrase"}
	if got := must(t, bridge.Join, door, join); got.Me.Name != "Alice" || got.Recovery == "" {
		t.Errorf("joining gives %+v", got.Me)
	}
	room := must(t, bridge.DirectRoom, door, bridge.DirectRoomParams{User: bob.Me().User})
	must(t, bridge.Send, door, bridge.SendParams{Room: room.Room, Draft: client.Draft{Text: "from the page"}})
	if !eventually(func() bool { // the app shares the store as soon as it is open
		return exec.Command(filepath.Join(programs, "sconce"), "send", "Bob", "from a command", "--store", store).Run() == nil
	}) {
		t.Fatal("a command can't use the store that the app has open")
	}
	if !eventually(func() bool {
		syncNow(t, bob)
		return slices.Equal(texts(t, bob, room.Room), []string{"from the page", "from a command"})
	}) {
		t.Errorf("Bob reads %q", texts(t, bob, room.Room))
	}

	must(t, bridge.Lock, door, bridge.None{})
	if _, err := bridge.Rooms.Call(t.Context(), door, bridge.None{}); err == nil {
		t.Error("a locked door lists rooms")
	}
	if out, err := exec.Command(filepath.Join(programs, "sconce"), "rooms", "--store", store).CombinedOutput(); err == nil {
		t.Errorf("when the page is locked, a command without a passphrase prints %q", out)
	}
	must(t, bridge.Unlock, door, bridge.UnlockParams{Passphrase: "pass phrase"})
	if got := must(t, bridge.Rooms, door, bridge.None{}); len(got) != 1 {
		t.Errorf("unlocked, there are %d rooms; want 1", len(got))
	}
	if err := app.stop(); err != nil || !app.cmd.ProcessState.Success() {
		t.Errorf("the app ends with %v, %v", err, app.cmd.ProcessState)
	}
}

// Where a program that stays has the store already, the page goes through it: a
// lock shuts the page alone, and when that program ends the page goes on by
// itself.
func TestAppWorksBesideAnotherOnTheSameStore(t *testing.T) {
	t.Parallel()
	s := started(t)
	invited, err := exec.Command(filepath.Join(programs, "sconced"), "invite", "--data", s.data, "Alice").Output()
	if err != nil {
		t.Fatal(err)
	}
	store, pass := filepath.Join(t.TempDir(), "alice"), filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(pass, []byte("p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(programs, "sconce"), "join", inviteLink.FindString(string(invited)), "--name", "Alice", "--store", store, "--passphrase-file", pass).CombinedOutput(); err != nil {
		t.Fatalf("joining: %v: %s", err, out)
	}
	first, err := startProgram("first", exec.Command(filepath.Join(programs, "sconce"), "sync", "--wait", "--store", store, "--passphrase-file", pass))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.kill() })
	if _, err := first.expect(regexp.MustCompile("online"), patience); err != nil {
		t.Fatal(err)
	}
	door := enterApp(t, startApp(t, store))
	if got := must(t, bridge.State, door, bridge.None{}); got.State != client.PhaseOpen {
		t.Errorf("the door says %+v; want an open one", got)
	}
	if got := must(t, bridge.Me, door, bridge.None{}); got.Name != "Alice" {
		t.Errorf("me is %+v", got)
	}
	must(t, bridge.Lock, door, bridge.None{})
	if _, err := bridge.Me.Call(t.Context(), door, bridge.None{}); err == nil {
		t.Error("a locked page is told who it is")
	}
	if out, err := exec.Command(filepath.Join(programs, "sconce"), "whoami", "--store", store).CombinedOutput(); err != nil {
		t.Errorf("the lock of the page locked the other program too: %v: %s", err, out)
	}
	if _, err := bridge.Unlock.Call(t.Context(), door, bridge.UnlockParams{Passphrase: "another"}); err == nil {
		t.Error("another passphrase opens the page")
	}
	must(t, bridge.Unlock, door, bridge.UnlockParams{Passphrase: "p"})
	must(t, bridge.Me, door, bridge.None{})

	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool {
		_, err := bridge.Unlock.Call(t.Context(), door, bridge.UnlockParams{Passphrase: "p"})
		return err == nil
	}) {
		t.Fatal("when the other program has ended, the page does not open the store itself")
	}
	if got := must(t, bridge.Me, door, bridge.None{}); got.Name != "Alice" {
		t.Errorf("me is %+v", got)
	}
}

// startApp runs sconce app with a page of two lines.
func startApp(t *testing.T, store string) *program {
	t.Helper()
	site := t.TempDir()
	m := web.Manifest{Version: 1, Headers: web.Headers()}
	for path, content := range map[string]string{"/index.html": `<!doctype html><meta name="sconce-door" content="worker">`} {
		m.Files = append(m.Files, web.File{Path: path, Size: int64(len(content)), SHA384: web.Digest([]byte(content))})
		if err := os.WriteFile(filepath.Join(site, path+".br"), web.Compress([]byte(content), 5), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifest, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(site, "manifest.json"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	app, err := startProgram("app", exec.Command(filepath.Join(programs, "sconce"), "app", "--no-browser", "--site", site, "--store", store))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.kill() })
	return app
}

var appLink = regexp.MustCompile(`(http://127\.\d+\.\d+\.\d+:\d+)/enter/[\w-]+/#(\S+)`)

// enterApp does what the page does with the link, and gives the door.
func enterApp(t *testing.T, app *program) bridge.Door {
	t.Helper()
	link, err := app.expect(appLink, patience)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", link[1]+"/session", strings.NewReader(link[2]))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", link[1])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	given, err := io.ReadAll(answer.Body)
	session, proof, ok := strings.Cut(string(given), ".")
	if err != nil || answer.StatusCode != http.StatusOK || !ok {
		t.Fatalf("the link gives %d, %q, %v", answer.StatusCode, given, err)
	}
	page, err := http.Get(link[1] + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(page.Body)
	_ = page.Body.Close()
	if err != nil || !strings.Contains(string(body), `content="socket"`) {
		t.Errorf("the page is %q, %v; want one that says its door is a socket", body, err)
	}
	conn, _, err := websocket.Dial(t.Context(), link[1]+"/door", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {link[1]}}, Subprotocols: []string{"sconce", "sconce." + session},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if _, first, err := conn.Read(t.Context()); err != nil || string(first) != proof {
		t.Fatalf("the door begins with %q, %v; want its proof", first, err)
	}
	return &pageDoor{conn: conn}
}

// pageDoor calls as a page does: one JSON object a message, one call at a time.
type pageDoor struct {
	conn *websocket.Conn
	last int
}

func (d *pageDoor) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	return nil, nil, fmt.Errorf("this page does not subscribe")
}

func (d *pageDoor) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *bridge.Error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d.last++
	var got struct {
		ID     int
		Result json.RawMessage
		Error  *bridge.Error
	}
	line, err := json.Marshal(map[string]any{"id": d.last, "method": method, "params": params})
	if err == nil {
		err = d.conn.Write(ctx, websocket.MessageText, line)
	}
	if err == nil {
		_, line, err = d.conn.Read(ctx)
	}
	if err == nil {
		err = json.Unmarshal(line, &got)
	}
	if err == nil && got.ID != d.last {
		err = fmt.Errorf("the answer is to request %d; want %d", got.ID, d.last)
	}
	if err != nil {
		return nil, bridge.Errorf(bridge.Failed, "%v", err)
	}
	return got.Result, got.Error
}

// must makes a call that has to work.
func must[P, R any](t *testing.T, m interface {
	Call(context.Context, bridge.Door, P) (R, error)
}, d bridge.Door, p P) R {
	t.Helper()
	r, err := m.Call(t.Context(), d, p)
	if err != nil {
		t.Fatalf("calling: %v", err)
	}
	return r
}
