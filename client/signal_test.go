package client_test

import (
	"bytes"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
	"sconce/internal/testnet"
)

// deviceOf is a device's id as a server has it.
func deviceOf(t *testing.T, d *testnet.Device) api.DeviceID {
	t.Helper()
	id, err := identity.ParseDeviceID(d.Client.Me().Device)
	if err != nil {
		t.Fatal(err)
	}
	return api.DeviceID(id)
}

func signalOf(t *testing.T, d *testnet.Device, room string) *api.SignalRequest {
	t.Helper()
	req, err := d.Client.TypingSignal(room)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func typing(t *testing.T, d *testnet.Device, room string) int { return len(roomOf(t, d, room).Typing) }

func TestTypingShowsUntilTheMessageComesOrTimePasses(t *testing.T) {
	talking(t, 91, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		events, cancel := alice.Client.Subscribe()
		defer cancel()
		req := signalOf(t, bob, room)
		if len(req.Message) > api.MaxSignal {
			t.Fatalf("a signal of %d bytes", len(req.Message))
		}
		if signalOf(t, bob, room) != nil {
			t.Error("a second signal within four seconds was made")
		}
		alice.Client.TakeSignal(&api.Push{Log: req.Room, Signal: req.Message, From: deviceOf(t, bob)})
		e := <-events
		if e.Typing == nil || e.Typing.User != bob.Client.Me().User || e.Typing.Until <= int(n.Clock.Now().UnixMilli()) || typing(t, alice, room) != 1 {
			t.Fatalf("alice is told %+v, and shows %d", e.Typing, typing(t, alice, room))
		}
		n.Clock.Advance(7 * time.Second)
		if typing(t, alice, room) != 0 {
			t.Error("bob writes for ever")
		}
		req = signalOf(t, bob, room)
		alice.Client.TakeSignal(&api.Push{Log: req.Room, Signal: req.Message, From: deviceOf(t, bob)})
		if _, err := bob.Client.Send(room, client.Draft{Text: "hello"}); err != nil {
			t.Fatal(err)
		}
		bob.MustSync()
		alice.MustSync()
		if typing(t, alice, room) != 0 {
			t.Error("bob's message came, and he still writes")
		}
	})
}

// Neither a server nor a stranger makes somebody write who does not.
func TestFalseSignalsShowNothing(t *testing.T) {
	talking(t, 92, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		req := signalOf(t, bob, room)
		good := api.Push{Log: req.Room, Signal: req.Message, From: deviceOf(t, bob)}
		altered := bytes.Clone(req.Message)
		altered[len(altered)-1] ^= 1
		for name, p := range map[string]api.Push{
			"altered":           {Log: req.Room, Signal: altered, From: good.From},
			"of another device": {Log: req.Room, Signal: req.Message, From: deviceOf(t, alice)},
			"of nobody":         {Log: req.Room, Signal: req.Message, From: api.DeviceID{1}},
			"in another room":   {Log: api.LogID{9}, Signal: req.Message, From: good.From},
			"cut short":         {Log: req.Room, Signal: req.Message[:20], From: good.From},
			"one byte":          {Log: req.Room, Signal: []byte{1}, From: good.From},
			"too long":          {Log: req.Room, Signal: append(bytes.Clone(req.Message), 0), From: good.From},
		} {
			if alice.Client.TakeSignal(&p); typing(t, alice, room) != 0 {
				t.Errorf("a signal %s was shown", name)
			}
		}
		alice.Client.TakeSignal(&good)
		if typing(t, alice, room) != 1 {
			t.Fatal("the control: a true signal is not shown")
		}
		n.Clock.Advance(7 * time.Second)
		if alice.Client.TakeSignal(&good); typing(t, alice, room) != 0 {
			t.Error("a signal played again was shown")
		}
		n.Clock.Advance(time.Minute)
		alice.Reopen() // which forgets what it heard
		if alice.Client.TakeSignal(&good); typing(t, alice, room) != 0 {
			t.Error("a signal of a minute ago was shown after a restart")
		}
		req = signalOf(t, bob, room)
		if err := alice.Client.SetRoom(t.Context(), room, client.RoomSettings{Name: "next epoch"}); err != nil {
			t.Fatal(err)
		}
		if alice.Client.TakeSignal(&api.Push{Log: req.Room, Signal: req.Message, From: good.From}); typing(t, alice, room) != 0 {
			t.Error("a signal of an epoch before was shown")
		}
	})
}

func TestWhoTellsNotThatTheyWriteIsNotToldEither(t *testing.T) {
	talking(t, 93, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		off := false
		if _, err := alice.Client.SetSettings(client.SettingsChange{Typing: &off}); err != nil {
			t.Fatal(err)
		}
		if signalOf(t, alice, room) != nil {
			t.Error("alice signals")
		}
		req := signalOf(t, bob, room)
		if alice.Client.TakeSignal(&api.Push{Log: req.Room, Signal: req.Message, From: deviceOf(t, bob)}); typing(t, alice, room) != 0 {
			t.Error("alice is shown who writes")
		}
	})
}
