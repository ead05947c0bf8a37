package testnet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
)

// stateOf is how far a message of a device's own has come, as it shows it.
func stateOf(t *testing.T, d *Device, room, text string) (client.State, client.ReceiptsView) {
	t.Helper()
	m, ok := line(t, d, room, text)
	if !ok || m.Receipts == nil {
		return m.State, client.ReceiptsView{}
	}
	return m.State, *m.Receipts
}

// tellNothing turns reports off, where a test counts what is sent.
func (d *Device) tellNothing() {
	d.net.t.Helper()
	off := false
	if _, err := d.Client.SetSettings(client.SettingsChange{Receipts: &off}); err != nil {
		d.net.t.Fatalf("%s turns reports off: %v", d.Name, err)
	}
}

func TestSenderLearnsWhatCameAndWhatWasRead(t *testing.T) {
	run(t, 81, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		phone := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		room := n.room("tea", alice, bob, carol)
		carol.Link.Offline = true
		alice.say(room, "hello")
		if got, _ := stateOf(t, alice, room, "hello"); got != client.Sent {
			t.Fatalf("before anybody has it, it is %s", got)
		}
		events, cancel := alice.Client.Subscribe()
		defer cancel()
		n.MustQuiet()
		bobs := []string{bob.Client.Me().User}
		for _, d := range []*Device{alice, phone} {
			if got, who := stateOf(t, d, room, "hello"); got != client.Delivered || !slices.Equal(who.Delivered, bobs) || len(who.Read) != 0 {
				t.Errorf("%s: %s, %+v; want it delivered to bob", d.Name, got, who)
			}
		}
		told := false
		for len(events) > 0 {
			e := <-events
			told = told || e.Message != nil && e.Message.Text == "hello" && e.Message.State == client.Delivered
		}
		if !told {
			t.Error("no event told that it was delivered")
		}
		if err := bob.Client.View(room, viewOf(t, bob, room).Last); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		carol.Link.Offline = false
		n.MustQuiet()
		alice.Reopen()
		if got, who := stateOf(t, alice, room, "hello"); got != client.Read || len(who.Delivered) != 2 || !slices.Equal(who.Read, bobs) {
			t.Errorf("alice: %s, %+v; want it read by bob, and with both", got, who)
		}
		for _, d := range []*Device{alice, bob, carol} {
			if v := viewOf(t, d, room); d != carol && v.Unread != 0 {
				t.Errorf("reports count as unread: %s has %d", d.Name, v.Unread)
			}
		}
		// Who comes later has read nothing of what stands before.
		dave := n.Person("dave")
		n.MustQuiet()
		if err := alice.Client.AddPeople(t.Context(), room, []string{dave.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		bob.say(room, "welcome")
		n.MustQuiet()
		if err := dave.Client.View(room, viewOf(t, dave, room).Last); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if _, who := stateOf(t, alice, room, "hello"); slices.Contains(who.Read, dave.Client.Me().User) || slices.Contains(who.Delivered, dave.Client.Me().User) {
			t.Error("dave is said to have what was said before he came")
		}
		if _, who := stateOf(t, bob, room, "welcome"); !slices.Contains(who.Read, dave.Client.Me().User) {
			t.Errorf("bob's welcome: %+v; want it read by dave", who)
		}
		// And who goes is no longer named.
		if err := alice.Client.RemovePerson(t.Context(), room, bob.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if _, who := stateOf(t, alice, room, "hello"); slices.Contains(who.Read, bobs[0]) {
			t.Error("bob left and is still named")
		}
	})
}

func TestWhoTellsNothingIsToldNothing(t *testing.T) {
	run(t, 82, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.tellNothing()
		alice.say(room, "one")
		bob.say(room, "two")
		n.MustQuiet()
		for _, d := range []*Device{alice, bob} {
			if err := d.Client.View(room, viewOf(t, d, room).Last); err != nil {
				t.Fatal(err)
			}
		}
		n.MustQuiet()
		for d, text := range map[*Device]string{alice: "one", bob: "two"} {
			if got, who := stateOf(t, d, room, text); got != client.Sent || len(who.Delivered) != 0 {
				t.Errorf("%s: %s, %+v; want it sent and nothing more", d.Name, got, who)
			}
		}
	})
}

// A report stands for any number of messages, and is not made for each.
func TestReportsAreFew(t *testing.T) {
	run(t, 83, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		appends := 0
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if r.name == api.Append.Name && l.device == bob && fmt.Sprintf("%x", parsed[api.AppendRequest](t, r.body).Room) == room {
				appends++
			}
			return nil, nil, false
		}
		for i := range 40 {
			alice.say(room, fmt.Sprint("message ", i))
			bob.MustSync()
			n.Clock.Advance(100 * time.Millisecond)
		}
		if appends < 1 || appends > 4 {
			t.Errorf("bob made %d reports of 40 messages in 4 seconds; want one in two seconds", appends)
		}
		before := appends
		n.MustQuiet()
		n.MustQuiet()
		if appends > before+2 {
			t.Errorf("bob made %d reports more; want them to end", appends-before)
		}
		n.Wire.tamper = nil
	})
}

// What burned before it was reported is not reported.
func TestNothingIsToldOfWhatIsGone(t *testing.T) {
	run(t, 84, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		appends := 0
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if r.name == api.Append.Name && l.device == bob {
				appends++
			}
			return nil, nil, false
		}
		alice.queue(room, client.Draft{Text: "short", Expire: 5})
		alice.MustSync()
		n.Clock.Advance(6 * time.Second)
		bob.MustSync()
		n.MustQuiet()
		if appends != 0 {
			t.Errorf("bob made %d reports of a message that had run out", appends)
		}
		n.Wire.tamper = nil
	})
}

// Where the server takes nothing, reports wait, and reading goes on.
func TestReportsDoNotHoldUpReading(t *testing.T) {
	run(t, 85, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		full := func(l *Link, r *request) ([]byte, error, bool) {
			return nil, api.Errorf(api.Unavailable, "the disk is full"), l.device == bob && r.name == api.Append.Name
		}
		for i := range 3 {
			alice.say(room, fmt.Sprint("message ", i))
			n.Wire.tamper = full
			for range 2 {
				if err := bob.Sync(); err != nil {
					t.Fatalf("bob reads: %v", err)
				}
				n.Clock.Advance(3 * time.Second)
			}
			n.Wire.tamper = nil
		}
		if got := texts(t, bob, room); len(got) != 3 {
			t.Errorf("bob shows %q", got)
		}
		n.MustQuiet()
		if got, _ := stateOf(t, alice, room, "message 2"); got != client.Delivered {
			t.Errorf("once the server takes it, the last message is %s", got)
		}
	})
}
