package testnet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
)

// leaveOut makes the server leave a room out of a device's list.
func leaveOut(t *testing.T, n *Net, d *Device, room string) {
	n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
		if l != d.Link || r.name != api.Rooms.Name {
			return nil, nil, false
		}
		return changed(t, n, r, func(resp *api.RoomsResponse) {
			resp.Rooms = slices.DeleteFunc(resp.Rooms, func(s api.RoomStatus) bool { return s.Room == logID(t, room) })
		})
	}
}

// Whoever is taken out reads the commit that does it. A server that only leaves a
// room out of its list takes nobody out: the device says so, keeps its keys and
// what waits, and goes on as soon as the room is there again.
func TestServerCannotTakeAMemberOutByOmission(t *testing.T) {
	run(t, 52, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		before := digestOf(t, bob, room)
		leaveOut(t, n, bob, room)
		bob.MustSync()
		alice.say(room, "while it is hidden")
		bob.queue(room, client.Draft{Text: "waits"})
		bob.MustSync()
		bob.Reopen()
		bob.MustSync()
		v := viewOf(t, bob, room)
		if v.Left || v.Alarm == "" || v.Waiting == "" {
			t.Errorf("bob's room: left %t, alarm %q, waiting %q; want an alarm", v.Left, v.Alarm, v.Waiting)
		}
		if m, ok := line(t, bob, room, "waits"); !ok || m.State != client.Queued {
			t.Errorf("what bob wrote is %q (%t), want it to wait", m.State, ok)
		}
		n.Wire.tamper = nil
		n.MustQuiet()
		for _, d := range []*Device{alice, bob} {
			if got := texts(t, d, room); !slices.Equal(got, []string{"while it is hidden", "waits"}) {
				t.Errorf("%s shows %q", d.Name, got)
			}
		}
		if after := digestOf(t, bob, room); after.Epoch != before.Epoch || after.Waiting != "" {
			t.Errorf("bob went from epoch %d to %d, and waits: %q", before.Epoch, after.Epoch, after.Waiting)
		}
		if got := viewOf(t, bob, room).Alarm; !strings.HasPrefix(got, wasHidden) {
			t.Errorf("once the room is there again its alarm is %q, want that it was hidden", got)
		}
	})
}

// A server that was set back to an old copy of its data, or says so, is told from
// one in which nothing happens; what waits goes out once it has all of it again.
func TestServerThatHasLessThanADeviceRaisesAnAlarm(t *testing.T) {
	run(t, 55, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		alice.say(room, "said before")
		n.MustQuiet()
		if v := viewOf(t, bob, room); v.Alarm != "" {
			t.Fatalf("an alarm without a reason: %q", v.Alarm)
		}
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l != bob.Link || r.name != api.Rooms.Name {
				return nil, nil, false
			}
			return changed(t, n, r, func(resp *api.RoomsResponse) {
				for i := range resp.Rooms {
					if s := &resp.Rooms[i]; s.Room == logID(t, room) {
						s.Last--
						s.Cursor = min(s.Cursor, s.Last)
					}
				}
			})
		}
		bob.MustSync()
		bob.Reopen()
		bob.MustSync()
		v := viewOf(t, bob, room)
		if v.Left || v.Alarm == "" || v.Waiting == "" {
			t.Errorf("bob's room: left %t, alarm %q, waiting %q; want an alarm", v.Left, v.Alarm, v.Waiting)
		}
		if err := bob.Client.Dismiss(room); err != nil {
			t.Fatal(err)
		}
		bob.MustSync()
		if v := viewOf(t, bob, room); v.Alarm != "" {
			t.Error("the alarm came back after it was dismissed, though nothing changed")
		}
		less := n.Wire.tamper
		n.Wire.tamper = nil
		bob.queue(room, client.Draft{Text: "said after"})
		n.MustQuiet()
		if v := viewOf(t, bob, room); v.Alarm != "" {
			t.Errorf("an alarm came by itself, once all is there: %q", v.Alarm)
		}
		n.Wire.tamper = less
		bob.MustSync()
		if got := viewOf(t, bob, room).Alarm; !strings.HasPrefix(got, "The server has less of this room") {
			t.Errorf("the second time its alarm is %q", got)
		}
		n.Wire.tamper = nil
		n.MustQuiet()
		bob.Reopen()
		if got := viewOf(t, bob, room).Alarm; !strings.HasPrefix(got, "For a while the server had less of this room") {
			t.Errorf("once all of the room is there again its alarm is %q, want that it was not", got)
		}
		if err := bob.Client.Dismiss(room); err != nil {
			t.Fatal(err)
		}
		bob.MustSync()
		for _, d := range []*Device{alice, bob} {
			if got := texts(t, d, room); !slices.Equal(got, []string{"said before", "said after"}) {
				t.Errorf("%s shows %q", d.Name, got)
			}
			if v := viewOf(t, d, room); v.Waiting != "" {
				t.Errorf("%s still waits: %q", d.Name, v.Waiting)
			}
		}
	})
}

// To a device that has to come in again, the server's word that its person is not
// in the room is no more than that.
func TestServerCannotTakeAMemberOutByDenial(t *testing.T) {
	run(t, 53, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		denied := 0
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			switch {
			case l != bob.Link:
			case r.name == api.Rooms.Name:
				return changed(t, n, r, func(resp *api.RoomsResponse) {
					for i := range resp.Rooms {
						if s := &resp.Rooms[i]; s.Room == logID(t, room) {
							s.Cursor = s.Last + 100 // says that bob's store is an old copy
						}
					}
				})
			case r.name == api.ReadGroupInfo.Name && parsed[api.ReadGroupInfoRequest](t, r.body).Room == logID(t, room):
				denied++
				return nil, api.Errorf(api.NotFound, "there is no such room"), true
			}
			return nil, nil, false
		}
		bob.queue(room, client.Draft{Text: "waits"})
		bob.MustSync()
		if v := viewOf(t, bob, room); denied == 0 || v.Left || v.Alarm == "" {
			t.Errorf("bob was denied %d times; left %t, alarm %q", denied, v.Left, v.Alarm)
		}
		n.Wire.tamper = nil
		n.MustQuiet()
		if got := texts(t, alice, room); !slices.Equal(got, []string{"waits"}) {
			t.Errorf("alice shows %q", got)
		}
	})
}

// takenOutUnseen gives a room out of which bob was taken, and bob with an old copy
// of his store.
func takenOutUnseen(t *testing.T, n *Net) (alice, bob *Device, room string) {
	t.Helper()
	alice, bob = n.Person("alice"), n.Person("bob")
	n.MustQuiet()
	room = n.room("tea", alice, bob)
	old := bob.Disk.Clone()
	if err := alice.Client.RemovePerson(t.Context(), room, bob.Client.Me().User); err != nil {
		t.Fatal(err)
	}
	n.MustQuiet()
	if v := viewOf(t, bob, room); !v.Left || v.Alarm != "" {
		t.Fatalf("bob saw himself taken out, and shows left %t, alarm %q", v.Left, v.Alarm)
	}
	bob.PutBack(old)
	bob.MustSync()
	return alice, bob, room
}

// An old copy of somebody who was taken out can't know it: it says what it sees,
// and its person decides.
func TestPersonDecidesAboutARoomThatIsNotListed(t *testing.T) {
	run(t, 54, func(t *testing.T, n *Net) {
		alice, bob, room := takenOutUnseen(t, n)
		if v := viewOf(t, bob, room); v.Left || v.Alarm == "" {
			t.Errorf("the old copy shows left %t, alarm %q", v.Left, v.Alarm)
		}
		if err := bob.Client.Dismiss(room); err != nil {
			t.Fatal(err)
		}
		bob.MustSync()
		if v := viewOf(t, bob, room); !v.Left || v.Alarm != "" || digestOf(t, bob, room).Member {
			t.Errorf("after he looked into it bob shows left %t, alarm %q", v.Left, v.Alarm)
		}
		if err := alice.Client.AddPeople(t.Context(), room, []string{bob.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		alice.say(room, "welcome back")
		n.MustQuiet()
		if got := texts(t, bob, room); !slices.Contains(got, "welcome back") {
			t.Errorf("bob was asked in again and shows %q", got)
		}
	})
}

// An old copy of somebody who was taken out and let in again goes on by itself.
// It can't know which of the two the server's word was, so the alarm stays until
// its person has asked, and claims no more that they are out.
func TestOldCopyThatIsLetInAgainSaysWhatItWasTold(t *testing.T) {
	run(t, 421, func(t *testing.T, n *Net) {
		alice, bob, room := takenOutUnseen(t, n)
		if err := alice.Client.AddPeople(t.Context(), room, []string{bob.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		alice.say(room, "welcome back")
		n.MustQuiet()
		v := viewOf(t, bob, room)
		if v.Left || v.Waiting != "" || !strings.HasPrefix(v.Alarm, wasHidden) {
			t.Errorf("let in again, bob shows left %t, waiting %q, alarm %q", v.Left, v.Waiting, v.Alarm)
		}
		if got := texts(t, bob, room); !slices.Contains(got, "welcome back") {
			t.Errorf("bob shows %q", got)
		}
		if err := bob.Client.Dismiss(room); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if v := viewOf(t, bob, room); v.Left || v.Alarm != "" || !digestOf(t, bob, room).Member {
			t.Errorf("the alarm dismissed, bob shows left %t, alarm %q", v.Left, v.Alarm)
		}
	})
}

// A device that missed what ran out meanwhile comes in again with fresh keys. Who
// took it out before it could, the log still shows it.
func TestDeviceThatMissedMessagesSeesItselfTakenOut(t *testing.T) {
	run(t, 55, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		n.MustQuiet()
		room := n.room("tea", alice, bob, carol)
		bob.Link.Offline = true
		alice.queue(room, client.Draft{Text: "for a minute", Expire: 60})
		alice.MustSync()
		n.Advance(2 * time.Hour) // longer than the server keeps it
		for _, who := range []*Device{carol, bob} {
			if err := alice.Client.RemovePerson(t.Context(), room, who.Client.Me().User); err != nil {
				t.Fatal(err)
			}
		}
		bob.Link.Offline = false
		bob.MustSync()
		v := viewOf(t, bob, room)
		if !v.Left || v.Alarm != "" || isIn(v, carol) {
			t.Errorf("bob shows left %t, alarm %q, carol %t", v.Left, v.Alarm, isIn(v, carol))
		}
		if _, ok := line(t, bob, room, "You were removed by alice."); !ok {
			t.Error("bob does not show who took him out")
		}
	})
}

// What waits in an old copy may have gone out since. Where its person left the room
// meanwhile nobody tells the device, and it does not say that it was not sent. Let
// in again, it asks the server by sending it again, and nobody reads it twice.
func TestOldCopyDoesNotKnowWhatBecameOfWhatWaited(t *testing.T) {
	run(t, 119, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.Link.Offline = true
		m := bob.queued(room, "waits in the copy")
		old := bob.Disk.Clone()
		bob.Link.Offline = false
		n.MustQuiet()
		if err := bob.Client.Leave(t.Context(), room); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		bob.PutBack(old)
		bob.MustSync()
		if v := viewOf(t, bob, room); v.Alarm == "" {
			t.Fatal("the old copy learned that its person left, and this test tests nothing")
		}
		if err := bob.Client.Dismiss(room); err != nil {
			t.Fatal(err)
		}
		bob.Reopen()
		bob.MustSync()
		v, ok := line(t, bob, room, "waits in the copy")
		if !ok || v.State != client.Unknown || v.Problem == "" {
			t.Fatalf("the old copy says %q (%t, %q) of what went out; want that it does not know", v.State, ok, v.Problem)
		}
		if err := alice.Client.AddPeople(t.Context(), room, []string{bob.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := bob.Client.Retry(room, m.ID); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if v, ok := line(t, bob, room, "waits in the copy"); !ok || !v.State.Stands() {
			t.Errorf("sent again, bob's message is %q (%t)", v.State, ok)
		}
		if got := texts(t, alice, room); !slices.Equal(got, []string{"waits in the copy"}) {
			t.Errorf("alice shows %q; want it once", got)
		}
	})
}

// Whoever reads in the log how they came out knows that what still waits is not in
// it.
func TestWhatWaitsInARoomThatOneIsTakenOutOfWasNotSent(t *testing.T) {
	run(t, 120, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.Link.Offline = true
		bob.queue(room, client.Draft{Text: "too late"})
		if err := alice.Client.RemovePerson(t.Context(), room, bob.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		bob.Link.Offline = false
		n.MustQuiet()
		if v, ok := line(t, bob, room, "too late"); !ok || v.State != client.Failed {
			t.Errorf("what came too late is %q (%t), want that it was not sent", v.State, ok)
		}
	})
}

// What waits may be among entries that the server keeps no more: its answer could
// have been lost. Taken out before it could ask again, the device does not know.
func TestWhatWaitsMayBeAmongWhatIsGone(t *testing.T) {
	run(t, 121, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l != bob.Link || r.name != api.Append.Name {
				return nil, nil, false
			}
			_, _ = n.Wire.deliver(t.Context(), *r)
			return nil, errLost, true
		}
		bob.queue(room, client.Draft{Text: "its answer was lost"})
		_ = bob.Sync() // the loss
		n.Wire.tamper = nil
		bob.Link.Offline = true
		n.MustQuiet()
		if got := texts(t, alice, room); len(got) != 1 {
			t.Fatalf("alice shows %q, want what arrived", got)
		}
		n.Advance(32 * 24 * time.Hour)
		if err := alice.Client.RemovePerson(t.Context(), room, bob.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		bob.Link.Offline = false
		bob.MustSync()
		if v, ok := line(t, bob, room, "its answer was lost"); !ok || v.State != client.Unknown {
			t.Errorf("bob says %q (%t) of what went out, want that he does not know", v.State, ok)
		}
	})
}
