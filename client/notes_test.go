package client_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"sconce/api"
	"sconce/client"
	"sconce/content"
	"sconce/internal/testnet"
)

// talking runs a test with two people in a room.
func talking(t *testing.T, seed uint64, test func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string)) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(t *testing.T) {
		n := testnet.New(t, seed)
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		v, err := alice.Client.NewRoom(t.Context(), "tea", []string{bob.Client.Me().User})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		test(t, n, alice, bob, v.Room)
	})
}

func roomOf(t *testing.T, d *testnet.Device, id string) client.RoomView {
	t.Helper()
	v, err := d.Client.Room(id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// idOf is a room's id as notes have it.
func idOf(t *testing.T, id string) [16]byte {
	t.Helper()
	b, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	return [16]byte(b)
}

// Notes to one's own devices count from there alone.
func TestNotesOfSomebodyElseAreVoid(t *testing.T) {
	talking(t, 72, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		m, err := content.Self(
			content.Preference{Room: idOf(t, room), At: 1 << 62, Pinned: true, Notify: content.NotifyNone},
			content.Choice{At: 1 << 62}, content.ReadMark{Room: idOf(t, room), Seq: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Client.Send(room, client.Draft{Text: "unread"}); err != nil {
			t.Fatal(err)
		}
		if err := bob.Client.Post(room, m); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		v := roomOf(t, alice, room)
		s, err := alice.Client.Settings()
		if err != nil || v.Pinned || v.Notify != client.NotifyAll || v.Unread != 1 || !s.Receipts || !s.Typing {
			t.Errorf("bob's notes changed alice's room to %+v and settings to %+v, %v", v, s, err)
		}
	})
}

// reported is what a device shows of its own message.
func reported(t *testing.T, d *testnet.Device, room, id string) client.State {
	t.Helper()
	v, err := d.Client.Message(room, id)
	if err != nil {
		t.Fatal(err)
	}
	return v.State
}

// A modified client can say anything; what can't be true is not believed, and a
// flood is worth one report.
func TestLyingReportsAreNotBelieved(t *testing.T) {
	talking(t, 73, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		off := false
		if _, err := bob.Client.SetSettings(client.SettingsChange{Receipts: &off}); err != nil {
			t.Fatal(err)
		}
		m, err := alice.Client.Send(room, client.Draft{Text: "hello"})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		tell := func(r content.Report) {
			t.Helper()
			msg, err := content.Reports(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := bob.Client.Post(room, msg); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
		}
		tell(content.Report{Delivered: 1 << 40, Read: 1 << 40})
		tell(content.Report{Delivered: 1<<64 - 1})
		if got := reported(t, alice, room, m.ID); got != client.Sent {
			t.Errorf("a report from beyond the log's end made the message %s", got)
		}
		seq := uint64(roomOf(t, alice, room).Last)
		tell(content.Report{Delivered: seq})
		tell(content.Report{Delivered: 1})
		if got := reported(t, alice, room, m.ID); got != client.Delivered {
			t.Errorf("a report that goes back made the message %s", got)
		}
		events, cancel := alice.Client.Subscribe()
		defer cancel()
		for range 50 {
			msg, err := content.Reports(content.Report{Delivered: seq, Read: seq})
			if err != nil {
				t.Fatal(err)
			}
			if err := bob.Client.Post(room, msg); err != nil {
				t.Fatal(err)
			}
		}
		n.MustQuiet()
		shown := 0
		for len(events) > 0 {
			if e := <-events; e.Message != nil {
				shown++
			}
		}
		if got := reported(t, alice, room, m.ID); got != client.Read || shown != 1 {
			t.Errorf("after a flood of reports the message is %s, and was shown %d times", got, shown)
		}
		if v := roomOf(t, alice, room); v.Unread != 0 {
			t.Errorf("reports count as unread: %d", v.Unread)
		}
	})
}

// That somebody reads is theirs to know. With one device and reports turned off
// there is nobody to tell, so nothing must go to the server at that moment.
func TestReadingAloneTellsNobodyAnything(t *testing.T) {
	talking(t, 75, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		off := false
		if _, err := bob.Client.SetSettings(client.SettingsChange{Receipts: &off}); err != nil {
			t.Fatal(err)
		}
		read := func(text string) (posted int, roused bool) {
			t.Helper()
			if _, err := alice.Client.Send(room, client.Draft{Text: text, Burn: 60}); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
			bob.Client.Roused()
			before := placeOf(t, bob, selfOf(t, bob))
			if err := bob.Client.View(room, roomOf(t, bob, room).Last); err != nil {
				t.Fatal(err)
			}
			roused = bob.Client.Roused()
			n.MustQuiet()
			return placeOf(t, bob, selfOf(t, bob)) - before, roused
		}
		if posted, roused := read("one"); posted != 0 || roused {
			t.Errorf("with one device, reading posts %d notes and rouses the client: %t", posted, roused)
		}
		if err := n.Link(bob, n.Blank("bob", "bob/2")); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if posted, roused := read("two"); posted == 0 || !roused {
			t.Errorf("with two devices, reading posts %d notes and rouses the client: %t", posted, roused)
		}
	})
}

// A device that was busy takes the news of a room and the note about it in one go.
func TestNoteAboutARoomThatCameWithItCounts(t *testing.T) {
	talking(t, 77, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, _ string) {
		phone := n.Blank("alice", "alice/2")
		if err := n.Link(alice, phone); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		v, err := alice.Client.NewRoom(t.Context(), "new", []string{bob.Client.Me().User})
		if err != nil {
			t.Fatal(err)
		}
		pinned := true
		if err := alice.Client.SetPreferences(v.Room, client.Preferences{Pinned: &pinned}); err != nil {
			t.Fatal(err)
		}
		alice.MustSync()
		self := api.LogID(idOf(t, selfOf(t, phone)))
		entries, err := n.Server().Log(t.Context(), phone, self)
		if err != nil || len(entries) == 0 {
			t.Fatalf("%d entries in the self-group, %v", len(entries), err)
		}
		err = phone.Client.Pushed(t.Context(), &api.Push{Log: api.Inbox(deviceOf(t, phone)), Last: 1},
			&api.Push{Log: self, Entries: entries, Last: entries[len(entries)-1].Seq})
		if err != nil || !roomOf(t, phone, v.Room).Pinned {
			t.Errorf("the phone shows %+v, %v; want it pinned", roomOf(t, phone, v.Room), err)
		}
	})
}

func selfOf(t *testing.T, d *testnet.Device) string {
	t.Helper()
	all, err := d.Client.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Kind == "self" {
			return r.Room
		}
	}
	t.Fatalf("%s has no self-group", d.Name)
	return ""
}

// Names are the server's to tell. That somebody whom one has verified gets another
// is told, or a server could call one person by another's name unnoticed.
func TestNewNameOfSomebodyVerifiedIsTold(t *testing.T) {
	talking(t, 76, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, _ string) {
		for _, verified := range []bool{false, true} {
			if err := alice.Client.MarkVerified(t.Context(), bob.Client.Me().User, verified); err != nil {
				t.Fatal(err)
			}
			was, is := bob.Client.Me().Name, fmt.Sprint("robert ", verified)
			if err := bob.Client.Rename(t.Context(), is); err != nil {
				t.Fatal(err)
			}
			events, cancel := alice.Client.Subscribe()
			if _, err := alice.Client.People(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			told := ""
			for len(events) > 0 {
				told += (<-events).Problem
			}
			cancel()
			if got := strings.Contains(told, was) && strings.Contains(told, is); got != verified {
				t.Errorf("of somebody verified (%t) who is called %q and no more %q it tells %q", verified, is, was, told)
			}
		}
	})
}

// A screen that lists a person's devices hears when there are others.
func TestDevicesThatComeAndGoAreTold(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 78)
	synctest.Test(t, func(t *testing.T) {
		n := testnet.New(t, 78)
		alice := n.Person("alice")
		phone := n.Blank("alice", "alice/2")
		if err := n.Link(alice, phone); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		events, cancel := alice.Client.Subscribe()
		defer cancel()
		heard := func() (count int) {
			for {
				select {
				case e := <-events:
					if e.Me != nil && e.Me.User == alice.Client.Me().User {
						count++
					}
				default:
					return count
				}
			}
		}
		heard()
		third := n.Blank("alice", "alice/3")
		if err := n.Link(phone, third); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if heard() == 0 {
			t.Error("nobody told of the third device")
		}
		if err := alice.Client.RemoveDevice(t.Context(), third.Client.Me().Device); err != nil {
			t.Fatal(err)
		}
		if heard() == 0 {
			t.Error("nobody told that the third device is gone")
		}
		if err := alice.Client.Rename(t.Context(), "Alice"); err != nil {
			t.Fatal(err)
		}
		if heard() == 0 {
			t.Error("nobody told of the name")
		}
	})
}
