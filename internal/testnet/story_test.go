package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
)

// room makes a room of these people's devices, and waits until all are in.
func (n *Net) room(name string, maker *Device, others ...*Device) string {
	n.t.Helper()
	var users []string
	for _, d := range others {
		users = append(users, d.Client.Me().User)
	}
	v, err := maker.Client.NewRoom(context.Background(), name, users)
	if err != nil {
		n.t.Fatalf("making a room: %v", err)
	}
	n.MustQuiet()
	return v.Room
}

// say sends a message and syncs.
func (d *Device) say(room, text string) {
	d.net.t.Helper()
	if _, err := d.Client.Send(room, client.Draft{Text: text}); err != nil {
		d.net.t.Fatalf("%s says %q: %v", d.Name, text, err)
	}
	d.MustSync()
}

func (n *Net) mustLink(by *Device, name string) *Device {
	n.t.Helper()
	d := n.Blank(by.Person, name)
	if err := n.Link(by, d); err != nil {
		n.t.Fatalf("linking %s: %v", name, err)
	}
	return d
}

func TestEveryDeviceReadsEveryMessageOnceInOneOrder(t *testing.T) {
	run(t, 11, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		devices := []*Device{alice, bob}
		for _, d := range []*Device{alice, bob} {
			devices = append(devices, n.mustLink(d, d.Person+"/2"), n.mustLink(d, d.Person+"/3"))
		}
		var others []*Device
		for i := range 8 {
			others = append(others, n.Person(fmt.Sprintf("member%d", i)))
		}
		n.MustQuiet()
		room := n.room("ten", alice, append(others, bob)...)
		for i := range 30 {
			d := devices[i%len(devices)]
			d.say(room, fmt.Sprintf("message %d", i))
			switch i % 10 {
			case 3:
				n.Restart()
			case 6:
				n.Kill()
			}
			devices[(i+2)%len(devices)].Reopen()
		}
		n.MustQuiet()
		want := texts(t, alice, room)
		if len(want) != 30 {
			t.Fatalf("alice shows %d messages, want 30", len(want))
		}
		for _, d := range n.Devices {
			if got := texts(t, d, room); !slices.Equal(got, want) {
				t.Errorf("%s shows %q, want %q", d.Name, got, want)
			}
		}
	})
}

func TestDeviceOffForAThousandMessagesCatchesUp(t *testing.T) {
	run(t, 12, func(t *testing.T, n *Net) {
		alice, bob, carol, dave := n.Person("alice"), n.Person("bob"), n.Person("carol"), n.Person("dave")
		n.MustQuiet()
		room := n.room("long", alice, bob, carol)
		bob.Link.Offline = true
		for i := range 20 {
			for k := range 50 {
				if _, err := alice.Client.Send(room, client.Draft{Text: fmt.Sprintf("message %d", i*50+k)}); err != nil {
					t.Fatal(err)
				}
			}
			alice.MustSync()
			change := alice.Client.AddPeople(t.Context(), room, []string{dave.Client.Me().User})
			if i%2 == 1 {
				change = alice.Client.RemovePerson(t.Context(), room, dave.Client.Me().User)
			}
			if change != nil {
				t.Fatalf("change %d: %v", i, change)
			}
			n.Clock.Advance(time.Minute)
		}
		bob.Link.Offline = false
		n.MustQuiet()
		var got []string
		for before := 0; ; {
			list, err := bob.Client.Messages(room, before, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			var page []string
			for _, m := range list {
				if m.Kind == "text" {
					page = append(page, m.Text)
				}
			}
			got, before = append(page, got...), list[0].Seq
			if before == 1 {
				break
			}
		}
		if len(got) != 1000 {
			t.Fatalf("bob shows %d messages, want 1000", len(got))
		}
		for i, text := range got {
			if text != fmt.Sprintf("message %d", i) {
				t.Fatalf("message %d is %q", i, text)
			}
		}
	})
}

func TestTypedOfflineGoesOutOnce(t *testing.T) {
	run(t, 13, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		alice.Link.Offline = true
		for i := range 3 {
			if _, err := alice.Client.Send(room, client.Draft{Text: fmt.Sprintf("offline %d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := alice.Sync(); !errors.Is(err, ErrOffline) {
			t.Fatalf("got %v, want to be offline", err)
		}
		alice.Reopen()
		alice.Link.Offline = false
		n.Wire.tamper = loseAnswersOnce(n, api.Append.Name)
		_ = alice.Sync() // the answer is lost
		n.Wire.tamper = nil
		alice.Reopen()
		n.MustQuiet()
		want := []string{"offline 0", "offline 1", "offline 2"}
		for _, d := range n.Devices {
			if got := texts(t, d, room); !slices.Equal(got, want) {
				t.Errorf("%s shows %q, want %q", d.Name, got, want)
			}
		}
	})
}

// loseAnswersOnce carries calls out and loses their answers.
func loseAnswersOnce(n *Net, name string) func(*Link, *request) ([]byte, error, bool) {
	return func(_ *Link, r *request) ([]byte, error, bool) {
		if r.name != name {
			return nil, nil, false
		}
		_, _ = n.Wire.deliver(context.Background(), *r)
		return nil, errLost, true
	}
}

func TestDirectRoomOpenedByBothAtOnceIsOne(t *testing.T) {
	run(t, 14, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		var ids []string
		nested := false
		// Bob opens it in the moment in which alice's request is on its way.
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if r.name == api.CreateRoom.Name && !nested {
				nested = true
				v, err := bob.Client.DirectRoom(t.Context(), alice.Client.Me().User)
				if err != nil {
					t.Errorf("bob: %v", err)
				}
				ids = append(ids, v.Room)
			}
			return nil, nil, false
		}
		v, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.Room)
		alice.say(v.Room, "from alice")
		bob.say(ids[0], "from bob")
		n.MustQuiet()
		if ids[0] != ids[1] {
			t.Fatalf("two rooms: %v", ids)
		}
		for _, d := range n.Devices {
			if got := texts(t, d, v.Room); len(got) != 2 {
				t.Errorf("%s shows %q", d.Name, got)
			}
		}
	})
}

func TestRolledBackStoreJoinsAnewBeforeItSends(t *testing.T) {
	run(t, 15, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		alice.say(room, "one")
		n.MustQuiet()
		old := alice.Disk.Clone()
		alice.say(room, "two")
		n.MustQuiet()
		epoch := epochOf(t, bob, room)

		alice.PutBack(old)
		var sent []uint64 // epochs of the messages that leave the old store
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			var req api.AppendRequest
			if r.name == api.Append.Name && l == alice.Link && api.Unmarshal(r.body, &req) == nil && req.Commit == nil {
				sent = append(sent, epochIn(t, req.Message))
			}
			return nil, nil, false
		}
		alice.say(room, "three")
		n.MustQuiet()
		if len(sent) == 0 {
			t.Fatal("nothing was sent")
		}
		for _, e := range sent {
			if e <= uint64(epoch) {
				t.Errorf("a message was encrypted in epoch %d, whose keys the old store has used", e)
			}
		}
		if got, want := texts(t, bob, room), []string{"one", "two", "three"}; !slices.Equal(got, want) {
			t.Errorf("bob shows %q, want %q", got, want)
		}
	})
}

// A device that leaves a room takes its person's other devices out first. If it
// then forgets that it was leaving, since its store was put back to an old copy,
// they come in again with it, also where the copy is of before the room. Found by
// seed 562, and 496.
func TestLeavingThatAnOldCopyForgotIsUndone(t *testing.T) {
	for _, in := range []bool{true, false} {
		t.Run(fmt.Sprintf("copied in the room %t", in), func(t *testing.T) { leavingIsForgotten(t, in) })
	}
}

func leavingIsForgotten(t *testing.T, in bool) {
	run(t, 70, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		second := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		old := alice.Disk.Clone()
		room := n.room("tea", bob, alice)
		if in {
			old = alice.Disk.Clone()
		}
		n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
			var req api.AppendRequest
			if r.name == api.Append.Name && api.Unmarshal(r.body, &req) == nil && req.Commit == nil {
				return nil, errLost, true // the proposal to take alice's first device out, too
			}
			return nil, nil, false
		}
		if err := alice.Client.Leave(t.Context(), room); !errors.Is(err, errLost) {
			t.Fatalf("leaving ended with %v, want it to be interrupted", err)
		}
		second.MustSync()
		if digestOf(t, second, room).Member {
			t.Fatal("the second device is still in: leaving was not begun")
		}
		n.Wire.tamper = nil

		alice.PutBack(old)
		n.MustQuiet()
		bob.say(room, "still here?")
		n.MustQuiet()
		for _, d := range n.Devices {
			if got := texts(t, d, room); !slices.Equal(got, []string{"still here?"}) {
				t.Errorf("%s shows %q, want what bob said", d.Name, got)
			}
		}
	})
}

// A device that was taken out and let in again, and whose store is put back to a
// copy of between the two, comes in: nobody sends it the Welcome twice. Found by
// seed 278.
func TestOldCopyOfWhenItWasOutComesIn(t *testing.T) {
	for _, left := range []bool{true, false} {
		t.Run(fmt.Sprintf("its person left %t", left), func(t *testing.T) { outAndIn(t, left) })
	}
}

func outAndIn(t *testing.T, left bool) {
	run(t, 72, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		second := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		room := n.room("tea", bob, alice)
		out := func() error { return bob.Client.RemovePerson(t.Context(), room, alice.Client.Me().User) }
		if left {
			out = func() error { return alice.Client.Leave(t.Context(), room) }
		}
		if err := out(); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if !viewOf(t, second, room).Left {
			t.Fatal("the second device is still in")
		}
		old := second.Disk.Clone()
		if err := bob.Client.AddPeople(t.Context(), room, []string{alice.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		second.PutBack(old)
		n.MustQuiet()
		bob.say(room, "back again?")
		n.MustQuiet()
		for _, d := range []*Device{alice, second} {
			if _, ok := line(t, d, room, "back again?"); !ok || viewOf(t, d, room).Left {
				t.Errorf("%s shows what bob said %t, left %t", d.Name, ok, viewOf(t, d, room).Left)
			}
		}
	})
}

func digestOf(t *testing.T, d *Device, room string) client.RoomDigest {
	t.Helper()
	all, err := d.Client.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Room == room {
			return r
		}
	}
	t.Fatalf("%s is not in %s", d.Name, room)
	panic("not reached: Fatalf does not return")
}

func epochOf(t *testing.T, d *Device, room string) int { return digestOf(t, d, room).Epoch }

func TestRemovedCannotReadOnAndAddedCannotReadBack(t *testing.T) {
	run(t, 16, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		var recorded []api.Entry
		n.Wire.tamper = record(n, room, &recorded)
		alice.say(room, "before carol")
		n.MustQuiet()
		before := bob.Disk.Clone() // bob's store while he is a member
		if err := alice.Client.AddPeople(t.Context(), room, []string{carol.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := alice.Client.RemovePerson(t.Context(), room, bob.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		alice.say(room, "after bob")
		n.MustQuiet()
		if got := texts(t, carol, room); !slices.Equal(got, []string{"after bob"}) {
			t.Errorf("carol shows %q", got)
		}
		if got := texts(t, bob, room); !slices.Equal(got, []string{"before carol"}) {
			t.Errorf("bob shows %q", got)
		}
		// The server gives both every ciphertext there ever was, to bob without
		// the commit that took him out.
		last := recorded[len(recorded)-1].Seq
		for _, c := range []struct {
			d      *Device
			canary string
			leave  func(api.Entry) bool
		}{
			{bob, "after bob", func(e api.Entry) bool { return e.Kind != api.EntryCommit || e.Seq != last-1 }},
			{bob, "after bob", func(api.Entry) bool { return true }},
			{carol, "before carol", func(api.Entry) bool { return true }},
		} {
			if c.d == bob {
				_ = bob.Client.Close()
				bob.Disk = before.Clone()
				bob.Open()
			}
			recorder := c.d.Disk.Record()
			n.Wire.tamper = replay(room, recorded, c.leave)
			_ = c.d.Sync() // whatever it says
			n.Wire.tamper = nil
			_ = c.d.Client.Close()
			found, err := attack(c.d.Disk, recorder)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(found, c.canary) {
				t.Errorf("%s reads %q", c.d.Name, c.canary)
			}
			if c.d == bob && !strings.Contains(found, "before carol") {
				t.Error("the control found nothing in bob's store")
			}
			c.d.Open()
		}
	})
}
