package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
)

// runs starts a device's Run, which ends with the test.
func (d *Device) runs() {
	t := d.net.t
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Client.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s ran until %v", d.Name, err)
		}
	})
}

// goneAfter waits for a message to go, and gives how long that took.
func goneAfter(t *testing.T, events <-chan client.Event, patience time.Duration) time.Duration {
	t.Helper()
	from := time.Now()
	for {
		select {
		case e := <-events:
			if e.Gone != nil {
				return time.Since(from)
			}
		case <-time.After(patience):
			t.Fatalf("nothing went within %v", patience)
		}
	}
}

// The network may keep a call for as long as it likes, at any moment of a
// device's day. What is to vanish does not wait for it.
func TestMessageExpiresOnTimeWhileTheNetworkHangs(t *testing.T) {
	hangs := map[string]func(bob *Device){
		"at login":     func(bob *Device) { bob.Reopen(); bob.Link.hangs = true },
		"in a sync":    func(bob *Device) { bob.Link.hangs, bob.Link.streams = true, true },
		"is not there": func(bob *Device) { bob.Link.Offline = true },
		"says nothing": func(bob *Device) { bob.Link.hangs = true },
	}
	for name, hang := range hangs {
		t.Run(name, func(t *testing.T) {
			run(t, 61, func(t *testing.T, n *Net) {
				alice, bob := n.Person("alice"), n.Person("bob")
				n.MustQuiet()
				room := n.room("tea", alice, bob)
				alice.queue(room, client.Draft{Text: "first", Expire: 100})
				alice.queue(room, client.Draft{Text: "burns", Burn: 10})
				alice.MustSync()
				bob.MustSync()
				hang(bob)
				events, cancel := bob.Client.Subscribe()
				defer cancel()
				n.Clock.Go()
				bob.runs()
				time.Sleep(20 * time.Second) // it hangs by now
				// The clock starts while the call hangs, which the timekeeper must hear.
				if err := bob.Client.View(room, viewOf(t, bob, room).Last); err != nil {
					t.Fatal(err)
				}
				if got := goneAfter(t, events, time.Hour).Round(time.Second); got != 10*time.Second {
					t.Errorf("what burns 10 s after reading was gone after %v", got)
				}
				if got := goneAfter(t, events, time.Hour).Round(time.Second); got != 70*time.Second {
					t.Errorf("what lives 100 s was gone after %v", got+30*time.Second)
				}
			})
		})
	}
}

// What waits to be sent runs out like what was sent.
func TestQueuedMessageExpiresOnTimeWhileOffline(t *testing.T) {
	run(t, 62, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.Link.Offline = true
		events, cancel := bob.Client.Subscribe()
		defer cancel()
		n.Clock.Go()
		bob.runs()
		time.Sleep(20 * time.Second)
		bob.queue(room, client.Draft{Text: "never sent", Expire: 10})
		if got := goneAfter(t, events, time.Hour).Round(time.Second); got != 10*time.Second {
			t.Errorf("it was gone after %v, want 10 s", got)
		}
	})
}

// A device that owes a newcomer an answer and can't give it waits for the network
// like everyone else. It once asked the clock again and again without a pause.
func TestTimersRestWhileOffline(t *testing.T) {
	run(t, 63, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Blank("bob", "bob/1")
		var asked atomic.Int64
		counting := false
		bob.Clock = func() time.Time {
			// Without a pause no time passes in a bubble, and the test would never end.
			if counting && asked.Add(1) > 5000 {
				panic("the clock is asked without a pause")
			}
			return n.Clock.Now()
		}
		n.Join(bob)
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		second := n.mustLink(alice, "alice/2")
		second.MustSync() // comes into the room, and knows no name of it
		before := digestOf(t, bob, room).Epoch
		bob.MustSync()
		if digestOf(t, bob, room).Epoch == before || viewOf(t, second, room).Waiting == "" {
			t.Fatal("nobody came in whom bob owes an answer")
		}
		bob.Link.Offline = true
		counting = true
		n.Clock.Go()
		bob.runs()
		time.Sleep(10 * time.Minute)
		if got := asked.Load(); got > 500 {
			t.Errorf("in 10 minutes offline the clock was asked %d times", got)
		}
	})
}

// A message may be sealed and sent, lose its answer, and run out before its author
// hears of it. What knows it in the log outlives it, or the device would take its
// own message for one that a later copy of its store had sent.
func TestMessageThatRanOutBeforeItsAnswerIsKnownInTheLog(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		t.Run(fmt.Sprintf("arrived %t", arrived), func(t *testing.T) {
			run(t, 56, func(t *testing.T, n *Net) {
				alice, bob := n.Person("alice"), n.Person("bob")
				n.MustQuiet()
				room := n.room("tea", alice, bob)
				before := digestOf(t, alice, room)
				alice.queue(room, client.Draft{Text: "for a minute", Expire: 60})
				lost := 0
				n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
					if l != alice.Link || r.name != api.Append.Name {
						return nil, nil, false
					}
					lost++
					if arrived {
						_, _ = n.Wire.deliver(t.Context(), *r)
					}
					return nil, errLost, true
				}
				if err := alice.Sync(); err == nil || lost != 1 {
					t.Fatalf("%d appends were lost, and the sync says %v", lost, err)
				}
				n.Wire.tamper = nil
				bob.MustSync()
				if _, ok := line(t, bob, room, "for a minute"); ok != arrived {
					t.Fatalf("bob has it: %t", ok)
				}
				events, cancel := alice.Client.Subscribe()
				defer cancel()
				n.Clock.Advance(2 * time.Minute)
				n.MustQuiet()
				alice.say(room, "after")
				n.MustQuiet()
				for len(events) > 0 {
					if e := <-events; e.Problem != "" {
						t.Errorf("alice is told: %s", e.Problem)
					}
				}
				for _, d := range []*Device{alice, bob} {
					if got := texts(t, d, room); !slices.Equal(got, []string{"after"}) {
						t.Errorf("%s shows %q", d.Name, got)
					}
				}
				if after := digestOf(t, alice, room); after.Epoch != before.Epoch || after.Waiting != "" {
					t.Errorf("alice went from epoch %d to %d, and waits: %q", before.Epoch, after.Epoch, after.Waiting)
				}
			})
		})
	}
}

// A message with a timer leaves the server long before others do. A device that
// comes back after that has lost that message and no other, whatever changed
// meanwhile.
func TestMessageThatIsGoneTakesNoOtherAlong(t *testing.T) {
	run(t, 69, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.Link.Offline = true
		alice.say(room, "one")
		alice.queue(room, client.Draft{Text: "short", Expire: 30})
		alice.say(room, "two")
		if err := alice.Client.AddPeople(t.Context(), room, []string{carol.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		alice.say(room, "three")
		n.Advance(2 * time.Hour)
		bob.Link.Offline = false
		n.MustQuiet()
		bob.say(room, "four")
		n.MustQuiet()
		want := []string{"one", "two", "three", "four"}
		for _, d := range []*Device{alice, bob} {
			if got := texts(t, d, room); !slices.Equal(got, want) {
				t.Errorf("%s shows %q, want %q", d.Name, got, want)
			}
		}
	})
}

// A device whose store was put back to an old copy does not fetch again what has
// burned on it since, though the server still keeps it for somebody else.
func TestOldCopyDoesNotBringBackWhatBurned(t *testing.T) {
	run(t, 74, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		n.MustQuiet()
		room := n.room("tea", alice, bob, carol)
		carol.Link.Offline = true
		old := bob.Disk.Clone()
		alice.queue(room, client.Draft{Text: "burns", Burn: 10})
		alice.MustSync()
		bob.MustSync()
		if err := bob.Client.View(room, viewOf(t, bob, room).Last); err != nil {
			t.Fatal(err)
		}
		bob.MustSync()
		n.Advance(time.Minute)
		n.MustQuiet()
		if got := texts(t, bob, room); len(got) != 0 {
			t.Fatalf("after it burned bob shows %q", got)
		}

		bob.PutBack(old)
		n.MustQuiet()
		alice.say(room, "stays")
		bob.MustSync()
		if got := texts(t, bob, room); !slices.Equal(got, []string{"stays"}) {
			t.Errorf("the old copy shows %q, want what came after alone", got)
		}
		carol.Link.Offline = false
		n.MustQuiet()
		if got := texts(t, carol, room); !slices.Contains(got, "burns") {
			t.Errorf("carol shows %q: the server did not keep what burned, so this proves nothing", got)
		}
	})
}
