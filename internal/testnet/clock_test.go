package testnet

import (
	"context"
	"slices"
	"testing"
	"time"

	"sconce/client"
)

// aheadBy gives a device a clock that is ahead of the network's, or behind, and
// what sets it right.
func (d *Device) aheadBy(by time.Duration) (setRight func()) {
	d.Clock = func() time.Time { return d.net.Clock.Now().Add(by) }
	return func() { by = 0 }
}

func aheadOf(t *testing.T, d *Device) time.Duration {
	t.Helper()
	v, err := d.Client.Connection()
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(v.Ahead) * time.Second
}

// A clock that is wrong by more than a server lets a key package live ahead, or
// by more than one was made back. Everything works, timers count from when a
// message was sent, and the person is told for as long as it is so.
func TestWrongClockIsToldOfAndHoldsUpNothing(t *testing.T) {
	for name, by := range map[string]time.Duration{"ahead": 25 * time.Hour, "behind": -25 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			run(t, 64, func(t *testing.T, n *Net) {
				alice, bob := n.Person("alice"), n.Blank("bob", "bob/1")
				setRight := bob.aheadBy(by)
				n.Join(bob)
				n.MustQuiet()
				if got := aheadOf(t, bob); got != by {
					t.Errorf("bob is told that his clock is %v ahead, want %v", got, by)
				}
				if got := aheadOf(t, alice); got != 0 {
					t.Errorf("alice is told that her clock is %v ahead", got)
				}
				room := n.room("tea", alice, bob)
				other := n.room("toast", bob, alice)
				alice.queue(room, client.Draft{Text: "soon gone", Expire: 60})
				bob.queue(other, client.Draft{Text: "just as soon", Expire: 60})
				alice.MustSync()
				n.Clock.Advance(20 * time.Second) // that is how long it waits for bob
				bob.MustSync()
				events, cancel := bob.Client.Subscribe()
				defer cancel()
				n.Clock.Go()
				bob.runs()
				if got := goneAfter(t, events, time.Hour).Round(time.Second); got != 40*time.Second {
					t.Errorf("what had 60 s, and waited for 20, was gone after %v", got)
				}
				goneAfter(t, events, time.Hour) // his own

				// Whoever sets it right gains no time. This clock can't tell how much
				// of the first second had passed.
				bob.queue(other, client.Draft{Text: "not for long", Expire: 60})
				time.Sleep(time.Second)
				setRight()
				if err := bob.Client.Sync(context.Background()); err != nil {
					t.Fatal(err)
				}
				if got := goneAfter(t, events, 48*time.Hour).Round(time.Second); got > 60*time.Second {
					t.Errorf("what had 60 s was gone after %v", got+time.Second)
				}
				if got := aheadOf(t, bob); got != 0 {
					t.Errorf("bob is told that his clock is %v ahead, though it is right", got)
				}
			})
		})
	}
}

// A battery that is empty sets a clock back by years. Whoever has such a clock can
// at least be reached and answer.
func TestClockWrongByAYearStillTalks(t *testing.T) {
	for _, by := range []time.Duration{-365 * 24 * time.Hour, 365 * 24 * time.Hour} {
		run(t, 67, func(t *testing.T, n *Net) {
			alice, bob := n.Person("alice"), n.Blank("bob", "bob/1")
			bob.aheadBy(by)
			n.Join(bob)
			n.MustQuiet()
			if got := aheadOf(t, bob); got != by {
				t.Errorf("bob is told that his clock is %v ahead, want %v", got, by)
			}
			room := n.room("tea", alice, bob)
			alice.say(room, "what year is it")
			bob.MustSync()
			bob.say(room, "you tell me")
			alice.MustSync()
			want := []string{"what year is it", "you tell me"}
			for _, d := range []*Device{alice, bob} {
				if got := texts(t, d, room); !slices.Equal(got, want) {
					t.Errorf("%s shows %q, want %q", d.Name, got, want)
				}
			}
		})
	}
}

// A message that burns after reading begins to on all of a person's devices at
// once, also where one of them has its clock behind.
func TestBurnBeginsWhenReadOnADeviceWithAWrongClock(t *testing.T) {
	run(t, 65, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		phone := n.Blank("bob", "bob/2")
		phone.aheadBy(-25 * time.Hour)
		if err := n.Link(bob, phone); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		n.MustQuiet()
		alice.queue(room, client.Draft{Text: "read and burn", Burn: 60})
		n.MustQuiet()
		if err := phone.Client.View(room, viewOf(t, phone, room).Last); err != nil {
			t.Fatal(err)
		}
		phone.MustSync()
		bob.MustSync()
		events, cancel := bob.Client.Subscribe()
		defer cancel()
		n.Clock.Go()
		bob.runs()
		if got := goneAfter(t, events, 48*time.Hour).Round(time.Second); got != 60*time.Second {
			t.Errorf("what burns 60 s after reading was gone after %v", got)
		}
	})
}
