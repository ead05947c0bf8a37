package bridge_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/clienttest"
	"sconce/client/native"
	"sconce/server"
)

// aServer runs a real server for the length of the test.
func aServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); _ = s.Close() })
	return s
}

// joined makes a person whose client runs, and gives the door to it.
func joined(t *testing.T, s *server.Server, name string) *bridge.Bridge {
	t.Helper()
	invite, err := s.Invite(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	disk := clienttest.NewDisk()
	v, err := client.CreateVault(disk.Store(), disk.Keyring(), []byte("p"), client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := native.Dial(invite.Server, native.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := client.Config{Vault: v, Transport: tr, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	c, recovery, err := client.Join(t.Context(), cfg, invite, name, "test")
	if err != nil || recovery == nil {
		t.Fatalf("Join: %v", err)
	}
	if err := c.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); _ = c.Close(); tr.Close() })
	return bridge.New(c)
}

func ask[P, R any](t *testing.T, m bridge.Method[P, R], d bridge.Door, p P) R {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	result, err := m.Call(ctx, d, p)
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	return result
}

// Two people talk through their doors, one of them from another process.
func TestDoorsCarryAConversation(t *testing.T) {
	s := aServer(t)
	alice, bob := joined(t, s, "Alice"), remote(t, joined(t, s, "Bob"))
	events, cancel, err := bob.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()

	people := ask(t, bridge.People, alice, bridge.PeopleParams{Query: "bo"})
	if len(people) != 1 || people[0].Name != "Bob" || people[0].Me {
		t.Fatalf("people = %+v; want Bob", people)
	}
	room := ask(t, bridge.DirectRoom, alice, bridge.DirectRoomParams{User: people[0].User})
	draft := client.Draft{Text: "hello, \"Bob\"\n<b>"}
	queued := ask(t, bridge.Send, alice, bridge.SendParams{Room: room.Room, Draft: draft})

	got := awaitMessage(t, events, queued.ID)
	if got.Text != draft.Text || got.Name != "Alice" || got.Mine {
		t.Fatalf("Bob got %+v", got)
	}
	if rooms := ask(t, bridge.Rooms, bob, bridge.None{}); len(rooms) != 1 || rooms[0].Name != "Alice" || rooms[0].Unread != 1 {
		t.Fatalf("Bob's rooms = %+v; want Alice's with 1 unread", rooms)
	}
	ask(t, bridge.View, bob, bridge.ViewParams{Room: got.Room, UpTo: got.Seq})
	ask(t, bridge.React, bob, bridge.ReactParams{Room: got.Room, Message: got.ID, Emoji: "👍"})
	ask(t, bridge.Sync, bob, bridge.None{})
	ask(t, bridge.Sync, alice, bridge.None{})

	seen := ask(t, bridge.Messages, alice, bridge.MessagesParams{Room: room.Room, Limit: 1})
	if len(seen) != 1 || !seen[0].State.Stands() || len(seen[0].Reactions) != 1 || seen[0].Reactions[0].Emoji != "👍" {
		t.Fatalf("Alice sees %+v; want her message, sent, with 👍", seen)
	}
	mine, theirs := ask(t, bridge.Safety, alice, bridge.SafetyParams{User: people[0].User}), ask(t, bridge.Me, alice, bridge.None{})
	other := ask(t, bridge.Safety, bob, bridge.SafetyParams{User: theirs.User})
	if mine.Number != other.Number || mine.Number == "" {
		t.Fatalf("safety numbers differ: %q, %q", mine.Number, other.Number)
	}
}

// While one writes, the other is shown it, over the real server.
func TestTypingArrives(t *testing.T) {
	s := aServer(t)
	alice, bob := joined(t, s, "Alice"), joined(t, s, "Bob")
	events, cancel, err := bob.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	me := ask(t, bridge.Me, alice, bridge.None{})
	room := ask(t, bridge.DirectRoom, alice, bridge.DirectRoomParams{User: ask(t, bridge.Me, bob, bridge.None{}).User})
	await(t, events, func(e client.Event) bool {
		return e.Room != nil && e.Room.Room == room.Room && len(e.Room.Members) == 2 && e.Room.Waiting == ""
	})
	for give := time.Now().Add(30 * time.Second); time.Now().Before(give); { // until both are in the same epoch and connected
		ask(t, bridge.Typing, alice, bridge.RoomParams{Room: room.Room})
		select {
		case e := <-events:
			if e.Typing != nil {
				if e.Typing.User != me.User || e.Typing.Room != room.Room {
					t.Errorf("bob is told %+v", e.Typing)
				}
				return
			}
		case <-time.After(5 * time.Second):
		}
	}
	t.Error("bob is not told")
}

func TestSafetyCodesAreScanned(t *testing.T) {
	s := aServer(t)
	alice, bob, eve := joined(t, s, "Alice"), joined(t, s, "Bob"), joined(t, s, "Eve")
	id := func(d bridge.Door) string { return ask(t, bridge.Me, d, bridge.None{}).User }
	shown := ask(t, bridge.Safety, bob, bridge.SafetyParams{User: id(alice)}).QR
	check := func(user, code string) (bool, error) {
		r, err := bridge.CheckSafety.Call(t.Context(), alice, bridge.CheckSafetyParams{User: user, Scanned: code})
		return r.Same, err
	}
	if same, err := check(id(bob), shown); !same || err != nil {
		t.Errorf("bob's code = %v, %v", same, err)
	}
	if same, err := check(id(eve), shown); same || err != nil {
		t.Errorf("bob's code held against eve = %v, %v; want false, and no error", same, err)
	}
	for _, code := range []string{"", "https://example.org", "sconce-safety:", "sconce-safety:AAAA", shown + "x"} {
		if same, err := check(id(bob), code); same || err == nil {
			t.Errorf("%q = %v, %v; want an error", code, same, err)
		}
	}
	devices := ask(t, bridge.RoomDevices, alice, bridge.RoomDevicesParams{User: id(bob)})
	mine := ask(t, bridge.Devices, bob, bridge.None{})
	if len(devices) != 1 || devices[0].Fingerprint != mine[0].Fingerprint || len(devices[0].Fingerprint) != 39 || devices[0].LastSeen != 0 {
		t.Errorf("alice sees bob's devices as %+v, bob as %+v", devices, mine)
	}
}

func TestConnectionTellsWhatWaits(t *testing.T) {
	s := aServer(t)
	alice, bob := joined(t, s, "Alice"), joined(t, s, "Bob")
	events, cancel, err := alice.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	room := ask(t, bridge.DirectRoom, alice, bridge.DirectRoomParams{User: ask(t, bridge.Me, bob, bridge.None{}).User})
	ask(t, bridge.Send, alice, bridge.SendParams{Room: room.Room, Draft: client.Draft{Text: "hello"}})
	await(t, events, func(e client.Event) bool { return e.Connection != nil && e.Connection.Queued == 1 })
	await(t, events, func(e client.Event) bool {
		return e.Connection != nil && e.Connection.Queued == 0 && e.Connection.State == client.ReachOnline
	})
	if v := ask(t, bridge.Connection, alice, bridge.None{}); v.State != client.ReachOnline || v.Queued != 0 {
		t.Errorf("connection = %+v", v)
	}
}

// What the client or the server refuses arrives as a code and a sentence.
func TestRefusalsArriveWithTheirCodes(t *testing.T) {
	s := aServer(t)
	alice := joined(t, s, "Alice")
	joined(t, s, "Bob")
	for _, c := range []struct {
		name string
		call func() error
		want bridge.Code
	}{
		{"a room that is not there", func() error {
			_, err := bridge.Room.Call(t.Context(), alice, bridge.RoomParams{Room: "00"})
			return err
		}, bridge.Failed},
		{"a name that is taken", func() error {
			_, err := bridge.Rename.Call(t.Context(), alice, bridge.RenameParams{Name: "Bob"})
			return err
		}, "conflict"},
	} {
		err := c.call()
		refused, ok := errors.AsType[*bridge.Error](err)
		if !ok || refused.Code != c.want || refused.Message == "" {
			t.Errorf("%s: %v; want code %s", c.name, err, c.want)
		}
	}
}

func awaitMessage(t *testing.T, events <-chan client.Event, id string) client.MessageView {
	t.Helper()
	for give := time.After(20 * time.Second); ; {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the events ended")
			}
			if e.Message != nil && e.Message.ID == id {
				return *e.Message
			}
		case <-give:
			t.Fatalf("message %s did not come", id)
		}
	}
}
