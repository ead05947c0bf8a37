package testnet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
)

func logID(t *testing.T, room string) (id api.LogID) {
	t.Helper()
	b, err := hex.DecodeString(room)
	if err != nil || len(b) != len(id) {
		t.Fatalf("%q is no room", room)
	}
	copy(id[:], b)
	return id
}

func parsed[T any](t *testing.T, b []byte) *T {
	t.Helper()
	v := new(T)
	if err := api.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// changed is what a hostile server answers: the honest answer, after change.
func changed[T any](t *testing.T, n *Net, r *request, change func(*T)) ([]byte, error, bool) {
	t.Helper()
	answer, err := n.Wire.deliver(t.Context(), *r)
	if err != nil {
		return nil, err, true
	}
	v := parsed[T](t, answer)
	change(v)
	return must(api.Marshal(v)), nil, true
}

func viewOf(t *testing.T, d *Device, room string) client.RoomView {
	t.Helper()
	v, err := d.Client.Room(room)
	if err != nil {
		t.Fatalf("%s looks at the room: %v", d.Name, err)
	}
	return v
}

// line finds what a device shows of a text in any state.
func line(t *testing.T, d *Device, room, text string) (client.MessageView, bool) {
	t.Helper()
	list, err := d.Client.Messages(room, 0, 0)
	if err != nil {
		t.Fatalf("%s reads: %v", d.Name, err)
	}
	i := slices.IndexFunc(list, func(m client.MessageView) bool { return m.Text == text })
	if i < 0 {
		return client.MessageView{}, false
	}
	return list[i], true
}

func (d *Device) queue(room string, draft client.Draft) {
	d.net.t.Helper()
	if _, err := d.Client.Send(room, draft); err != nil {
		d.net.t.Fatalf("%s writes %q: %v", d.Name, draft.Text, err)
	}
}

func isIn(v client.RoomView, d *Device) bool {
	return slices.ContainsFunc(v.Members, func(m client.MemberView) bool { return m.User == d.Client.Me().User })
}

// A room's event is made before its changes are saved, and yet counts them.
func TestRoomEventCountsWhatIsUnread(t *testing.T) {
	run(t, 41, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		events, stop := bob.Client.Subscribe()
		defer stop()
		for range 3 {
			alice.say(room, "hi")
		}
		bob.MustSync()
		got := -1
		for len(events) > 0 {
			if e := <-events; e.Room != nil {
				got = e.Room.Unread
			}
		}
		if want := viewOf(t, bob, room).Unread; got != want || want != 3 {
			t.Errorf("the last event says that %d are unread, the room says %d; want 3", got, want)
		}
	})
}

// A timer counts from the server's stamp. One so early that the sum is nought or
// less must not read as "no timer".
func TestStampBefore1970DoesNotSwitchATimerOff(t *testing.T) {
	for _, stamp := range []int64{-3600_000, -3600_001} {
		t.Run(fmt.Sprint(stamp), func(t *testing.T) {
			run(t, 42, func(t *testing.T, n *Net) {
				alice, bob := n.Person("alice"), n.Person("bob")
				n.MustQuiet()
				room := n.room("tea", alice, bob)
				alice.say(room, "before")
				n.MustQuiet()
				last := uint64(viewOf(t, bob, room).Last)
				n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
					if r.name != api.Read.Name || parsed[api.ReadRequest](t, r.body).Log != logID(t, room) {
						return nil, nil, false
					}
					return changed(t, n, r, func(resp *api.ReadResponse) {
						for i := range resp.Entries {
							if resp.Entries[i].Seq > last {
								resp.Entries[i].Time = stamp
							}
						}
					})
				}
				alice.queue(room, client.Draft{Text: "for an hour", Expire: 3600})
				alice.MustSync()
				bob.MustSync()
				if _, ok := line(t, bob, room, "for an hour"); !ok {
					t.Error("the stamp took the message away before its time")
				}
				n.Clock.Advance(30 * 24 * time.Hour)
				for _, d := range []*Device{alice, bob} {
					d.MustSync()
					if m, ok := line(t, d, room, "for an hour"); ok {
						t.Errorf("%s shows it a month later: it expires at %d", d.Name, m.Expires)
					}
				}
			})
		})
	}
}

// The ciphertext is made once for an epoch: each attempt with a key of its own
// would run ahead of what receivers are ready to skip, and leave keys behind that
// open what burned.
func TestRefusedAppendsCostNoKeys(t *testing.T) {
	run(t, 43, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		const messages, attempts = 64, 16
		for i := range messages {
			alice.queue(room, client.Draft{Text: fmt.Sprint("queued ", i)})
		}
		tried := map[string]bool{}
		refused := 0
		n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
			if r.name != api.Append.Name {
				return nil, nil, false
			}
			refused++
			tried[string(parsed[api.AppendRequest](t, r.body).Message)] = true
			return nil, api.Errorf(api.Unavailable, "disk full"), true
		}
		for range attempts {
			_ = alice.Sync() // the refusal
		}
		n.Wire.tamper = nil
		if refused < attempts {
			t.Fatalf("only %d appends were refused", refused)
		}
		if len(tried) > messages {
			t.Errorf("%d messages made %d ciphertexts", messages, len(tried))
		}
		n.MustQuiet()
		if got := texts(t, bob, room); len(got) != messages {
			t.Errorf("bob shows %d messages, want %d", len(got), messages)
		}
	})
}

// Only the log shows what was sent: the answer to an append is the server's word.
func TestLyingAnswerOverwritesNothing(t *testing.T) {
	run(t, 44, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.say(room, "I agree to nothing")
		n.MustQuiet()
		his, ok := line(t, alice, room, "I agree to nothing")
		if !ok {
			t.Fatal("alice does not show bob's message")
		}
		alice.queue(room, client.Draft{Text: "important"})
		n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
			if r.name != api.Append.Name {
				return nil, nil, false
			}
			return must(api.Marshal(&api.AppendResponse{Seq: uint64(his.Seq), Time: 1})), nil, true
		}
		alice.MustSync()
		n.Wire.tamper = nil
		n.MustQuiet()
		if m, ok := line(t, alice, room, "I agree to nothing"); !ok || m.Seq != his.Seq {
			t.Errorf("alice shows %+v where bob's message was", m)
		}
		if m, ok := line(t, alice, room, "important"); !ok || m.State != client.Failed {
			t.Errorf("alice shows her message as %q (%t), and nobody else has it", m.State, ok)
		}
	})
}

// The note that starts a burn may be gone before a device of the reader's is
// back; that the message is read, it is told when it has come into the self-group
// again.
func TestReadMarkStartsABurnWhoseNoteIsLost(t *testing.T) {
	run(t, 45, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		second := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		room := n.room("tea", bob, alice)
		bob.queue(room, client.Draft{Text: "burns", Burn: 5})
		bob.MustSync()
		alice.MustSync()
		second.MustSync()
		second.Link.Offline = true
		if err := alice.Client.View(room, viewOf(t, alice, room).Last); err != nil {
			t.Fatal(err)
		}
		alice.MustSync()
		n.Advance(31 * 24 * time.Hour) // longer than the server keeps the note
		bob.say(room, "later")
		alice.MustSync()
		second.Link.Offline, alice.Link.Offline = false, true
		n.MustQuiet()
		if _, ok := line(t, second, room, "burns"); !ok {
			t.Fatal("the note came after all, or the message did not")
		}
		alice.Link.Offline = false
		n.MustQuiet()
		n.Advance(time.Minute)
		n.MustQuiet()
		if m, ok := line(t, second, room, "burns"); ok {
			t.Errorf("alice/2 still shows what burned on alice/1: %+v", m)
		}
	})
}

// What waits to be sent lies on the disk like what was sent: its timers count too.
func TestQueuedMessageRunsOut(t *testing.T) {
	for _, draft := range []client.Draft{{Text: "secret", Burn: 5}, {Text: "secret", Expire: 5}} {
		for _, removed := range []bool{false, true} {
			t.Run(fmt.Sprintf("burn %d expire %d removed %t", draft.Burn, draft.Expire, removed), func(t *testing.T) {
				run(t, 46, func(t *testing.T, n *Net) {
					alice, bob := n.Person("alice"), n.Person("bob")
					n.MustQuiet()
					room := n.room("tea", alice, bob)
					bob.queue(room, draft)
					bob.Link.Offline = true
					if removed {
						bob.Link.Offline = false
						if err := alice.Client.RemovePerson(t.Context(), room, bob.Client.Me().User); err != nil {
							t.Fatal(err)
						}
						bob.MustSync()
					}
					m, ok := line(t, bob, room, "secret")
					if !ok || m.State == client.Sent {
						t.Fatalf("bob shows %+v before it ran out", m)
					}
					n.Clock.Advance(time.Minute)
					bob.Reopen()
					if m, ok := line(t, bob, room, "secret"); ok {
						t.Errorf("bob still shows %+v", m)
					}
					bob.Link.Offline = false
					n.MustQuiet()
					if got := texts(t, alice, room); len(got) != 0 {
						t.Errorf("alice shows %q, which ran out before it was sent", got)
					}
				})
			})
		}
	}
}

// A member can raise an alarm, by letting one device post what another made.
// It must not be a way to shut others out.
func TestAlarmByAMemberDoesNotKeepADeviceOut(t *testing.T) {
	run(t, 47, func(t *testing.T, n *Net) {
		alice, bob, mal := n.Person("alice"), n.Person("bob"), n.Person("mal")
		second := n.mustLink(mal, "mal/2")
		n.MustQuiet()
		room := n.room("tea", alice, bob, mal)
		var token []byte
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			switch {
			case l == second.Link && r.token != nil:
				token = r.token
			case l == mal.Link && r.name == api.Append.Name:
				r.token = token
			}
			return nil, nil, false
		}
		second.MustSync()
		mal.say(room, "hi")
		n.Wire.tamper = nil
		bob.MustSync()
		if viewOf(t, bob, room).Alarm == "" {
			t.Fatal("no alarm was raised")
		}
		bob.Link.Offline = true
		for i := range 3 {
			alice.say(room, fmt.Sprint("while bob is away ", i))
		}
		n.Advance(31 * 24 * time.Hour) // longer than the server keeps what bob misses
		bob.Link.Offline = false
		n.MustQuiet()
		alice.say(room, "after")
		n.MustQuiet()
		if got := texts(t, bob, room); !slices.Contains(got, "after") {
			t.Errorf("bob shows %q, and waits: %q", got, viewOf(t, bob, room).Waiting)
		}
	})
}

// The server says that nothing was acknowledged, so only the log shows that a
// later state of the store encrypted the message: under the same id stand other
// bytes than this one made.
func TestOldCopyShowsByTheBytesOfItsMessage(t *testing.T) {
	run(t, 48, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		// In a room of two nothing else of alice's is in the log by which she could
		// notice it, such as the room's name for newcomers.
		v, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		room := v.Room
		n.MustQuiet()
		alice.queue(room, client.Draft{Text: "A"})
		var attempts [][]byte
		lost := func(lose bool) func(*Link, *request) ([]byte, error, bool) {
			return func(l *Link, r *request) ([]byte, error, bool) {
				if l != alice.Link || r.name != api.Append.Name {
					return nil, nil, false
				}
				if q := parsed[api.AppendRequest](t, r.body); q.Room == logID(t, room) && q.Commit == nil {
					attempts = append(attempts, q.Message)
				}
				return nil, errLost, lose
			}
		}
		n.Wire.tamper = lost(true)
		_ = alice.Sync() // the loss
		n.Wire.tamper = lost(false)
		old := alice.Disk.Clone()
		second := n.mustLink(bob, "bob/2")
		second.MustSync()
		second.MustSync() // comes into the room, which brings a new epoch
		alice.MustSync()
		// Bob has not read on, so all of this is in the log still.
		if len(attempts) < 2 || bytes.Equal(attempts[0], attempts[len(attempts)-1]) {
			t.Fatalf("%d attempts, and the last is the first", len(attempts))
		}
		alice.PutBack(old)
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l != alice.Link || r.name != api.Rooms.Name {
				return nil, nil, false
			}
			return changed(t, n, r, func(resp *api.RoomsResponse) {
				for i := range resp.Rooms {
					resp.Rooms[i].Cursor = 0
				}
			})
		}
		events, stop := alice.Client.Subscribe()
		defer stop()
		alice.queue(room, client.Draft{Text: "B"})
		n.MustQuiet()
		noticed := false
		for len(events) > 0 {
			noticed = (<-events).Problem != "" || noticed
		}
		if !noticed {
			t.Error("alice did not notice that her store is an old copy")
		}
		for _, d := range []*Device{alice, bob} {
			if got := texts(t, d, room); !slices.Equal(got, []string{"A", "B"}) {
				t.Errorf("%s shows %q, want A and B, once each", d.Name, got)
			}
		}
	})
}

// A room's kind comes from its group: were it the server's word, a new device
// would write its person's notes to itself into a room with others.
func TestServerCannotCallAGroupTheSelfGroup(t *testing.T) {
	run(t, 49, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		second := n.Blank("bob", "bob/2")
		var others int
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l != second.Link {
				return nil, nil, false
			}
			if r.name == api.Append.Name {
				if q := parsed[api.AppendRequest](t, r.body); q.Room == logID(t, room) && q.Commit == nil {
					others++
				}
			}
			if r.name != api.Rooms.Name {
				return nil, nil, false
			}
			return changed(t, n, r, func(resp *api.RoomsResponse) {
				for i := range resp.Rooms {
					switch s := &resp.Rooms[i]; {
					case s.Room == logID(t, room):
						s.Kind = 3
					case s.Kind == 3:
						s.Kind = 1
					}
				}
			})
		}
		if err := n.Link(bob, second); err != nil {
			t.Fatal(err)
		}
		second.tellNothing()
		n.MustQuiet()
		alice.say(room, "hello bob")
		n.MustQuiet()
		if err := second.Client.MarkVerified(t.Context(), alice.Client.Me().User, true); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if others != 0 {
			t.Errorf("bob/2 posted %d notes to itself into the room with alice", others)
		}
		if v := viewOf(t, second, room); v.Kind != "group" || !slices.Equal(texts(t, second, room), []string{"hello bob"}) {
			t.Errorf("bob/2 shows a room of kind %q with %q", v.Kind, texts(t, second, room))
		}
		for _, m := range viewOf(t, bob, room).Members {
			if m.User == alice.Client.Me().User && m.Trust != client.Verified {
				t.Errorf("the note did not reach bob's other device: alice is %s", m.Trust)
			}
		}
	})
}

// keyPackages gives the records of the key packages whose private keys a device
// holds, after some that it held before were put back.
func keyPackages(t *testing.T, d *Device, back map[string][]byte) map[string][]byte {
	t.Helper()
	_ = d.Client.Close()
	v, err := client.OpenVault(d.Disk.Store(), d.Disk.Keyring(), Passphrase, client.VaultOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var puts []client.Put
	for k, value := range back {
		puts = append(puts, client.Put{Key: []byte(k), Value: value, Erasable: true})
	}
	if puts != nil {
		err = v.Apply(puts)
	}
	held := map[string][]byte{}
	scan := v.Scan([]byte{'k'}, []byte{'k' + 1}, func(k, value []byte) error {
		held[string(k)] = slices.Clone(value)
		return nil
	})
	if err := errors.Join(err, scan, v.Close()); err != nil {
		t.Fatal(err)
	}
	d.Open()
	return held
}

// A key package of last resort opens one Welcome. Could the server give the same
// again, it would take the device back to where a removed member still reads. Two
// things prevent it, and each must do so alone: that the key is erased, and that
// a Welcome never leads to an epoch that the device has left behind.
func TestOldWelcomeDoesNotTakeAMemberBack(t *testing.T) {
	for _, erased := range []bool{true, false} {
		t.Run(fmt.Sprintf("key erased %t", erased), func(t *testing.T) { oldWelcome(t, erased) })
	}
}

func oldWelcome(t *testing.T, erased bool) {
	run(t, 50, func(t *testing.T, n *Net) {
		alice, mal, bob := n.Person("alice"), n.Person("mal"), n.Blank("bob", "bob/1")
		n.MustQuiet()
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if r.name == api.PublishKeyPackages.Name && l == bob.Link {
				q := parsed[api.PublishKeyPackagesRequest](t, r.body)
				q.KeyPackages = nil // none left: only that of last resort is given out
				r.body = must(api.Marshal(q))
			}
			return nil, nil, false
		}
		n.Join(bob)
		bob.MustSync()
		held := keyPackages(t, bob, nil)
		inbox := api.Inbox(api.DeviceID(bob.id))
		var welcome *api.Entry
		var tree []byte
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			answer, err := n.Wire.deliver(t.Context(), *r)
			if l != bob.Link || err != nil {
				return answer, err, true
			}
			switch r.name {
			case api.Read.Name:
				resp := parsed[api.ReadResponse](t, answer)
				if welcome == nil && len(resp.Entries) > 0 && parsed[api.ReadRequest](t, r.body).Log == inbox {
					welcome = &resp.Entries[0]
				}
			case api.ReadTree.Name:
				tree = answer
			}
			return answer, err, true
		}
		room := n.room("tea", alice, mal, bob)
		if welcome == nil || tree == nil {
			t.Fatal("bob came in without a Welcome")
		}
		n.Wire.tamper = nil
		still := keyPackages(t, bob, nil)
		gone := maps.Clone(held)
		maps.DeleteFunc(gone, func(ref string, _ []byte) bool { return still[ref] != nil })
		if len(gone) == 0 {
			t.Errorf("of %d key packages bob still holds each, so the Welcome's too", len(held))
		}
		if !erased {
			keyPackages(t, bob, gone)
		}
		alice.say(room, "one")
		if err := alice.Client.RemovePerson(t.Context(), room, mal.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		before := digestOf(t, bob, room)
		served := false
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			switch {
			case l != bob.Link:
			case r.name == api.ReadTree.Name:
				return tree, nil, true
			case r.name == api.Read.Name && !served:
				q := parsed[api.ReadRequest](t, r.body)
				if q.Log != inbox {
					break
				}
				served = true
				w, e := parsed[api.WelcomeEntry](t, welcome.Message), *welcome
				w.Seq = uint64(before.Place) + 1
				e.Seq, e.Message = q.After+1, must(api.Marshal(w))
				return must(api.Marshal(&api.ReadResponse{Entries: []api.Entry{e}, Last: e.Seq})), nil, true
			}
			return nil, nil, false
		}
		_ = bob.Sync() // whether the Welcome is an error of the sync's does not matter
		if !served {
			t.Fatal("bob did not ask for the Welcome")
		}
		if after := digestOf(t, bob, room); after.Epoch < before.Epoch || after.Keys != before.Keys {
			t.Errorf("the Welcome took bob from epoch %d to %d", before.Epoch, after.Epoch)
		}
		if isIn(viewOf(t, bob, room), mal) {
			t.Error("bob shows mal as a member again")
		}
		n.Wire.tamper = nil
		bob.say(room, "two")
		n.MustQuiet()
		if got := texts(t, alice, room); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("alice shows %q", got)
		}
		if got := texts(t, mal, room); slices.Contains(got, "two") {
			t.Error("mal reads on")
		}
	})
}

// To a device that has to come in again the server gives the GroupInfo from
// before a removal. It must not join what it has left behind.
func TestOldGroupInfoIsRefused(t *testing.T) {
	run(t, 51, func(t *testing.T, n *Net) {
		alice, bob, mal := n.Person("alice"), n.Person("bob"), n.Person("mal")
		n.MustQuiet()
		room := n.room("tea", alice, bob, mal)
		var token []byte
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l == bob.Link && r.token != nil {
				token = r.token
			}
			return nil, nil, false
		}
		bob.MustSync()
		old, err := n.Wire.deliver(t.Context(), request{api.ReadGroupInfo.Name, token, must(api.Marshal(&api.ReadGroupInfoRequest{Room: logID(t, room)}))})
		if err != nil {
			t.Fatal(err)
		}
		n.Wire.tamper = nil
		if err := alice.Client.RemovePerson(t.Context(), room, mal.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		asked, joined := false, false
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l != bob.Link {
				return nil, nil, false
			}
			switch r.name {
			case api.Rooms.Name:
				return changed(t, n, r, func(resp *api.RoomsResponse) {
					for i := range resp.Rooms {
						if s := &resp.Rooms[i]; s.Room == logID(t, room) {
							s.Cursor = s.Last + 100 // says that bob's store is an old copy
						}
					}
				})
			case api.ReadGroupInfo.Name:
				if parsed[api.ReadGroupInfoRequest](t, r.body).Room == logID(t, room) {
					asked = true
					return old, nil, true
				}
			case api.Append.Name:
				q := parsed[api.AppendRequest](t, r.body)
				joined = joined || q.Room == logID(t, room)
			}
			return nil, nil, false
		}
		_ = bob.Sync() // whether the refusal is an error of the sync's does not matter
		if !asked {
			t.Fatal("bob did not come in again")
		}
		if joined || isIn(viewOf(t, bob, room), mal) {
			t.Error("bob went back to where mal is a member")
		}
		n.Wire.tamper = nil
		n.MustQuiet()
		bob.say(room, "after")
		n.MustQuiet()
		if got := texts(t, alice, room); !slices.Equal(got, []string{"after"}) {
			t.Errorf("alice shows %q, so bob did not come back with the right GroupInfo", got)
		}
		if got := texts(t, mal, room); len(got) != 0 {
			t.Errorf("mal reads %q", got)
		}
	})
}
