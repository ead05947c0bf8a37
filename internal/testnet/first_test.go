package testnet

import (
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"sconce/client"
)

// run runs a test in a bubble with randomness that follows from a seed.
func run(t *testing.T, seed uint64, test func(t *testing.T, n *Net)) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(t *testing.T) { test(t, New(t, seed)) })
}

// texts gives what a device shows of a room: the messages that people wrote.
func texts(t testing.TB, d *Device, room string) (out []string) {
	t.Helper()
	list, err := d.Client.Messages(room, 0, 0)
	if err != nil {
		t.Fatalf("%s reads: %v", d.Name, err)
	}
	for _, m := range list {
		if m.Kind == "text" && m.State != client.Queued {
			out = append(out, m.Text)
		}
	}
	return out
}

func TestTwoPeopleExchangeMessages(t *testing.T) {
	run(t, 1, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room, err := alice.Client.NewRoom(t.Context(), "tea", []string{bob.Client.Me().User})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, d := range []*Device{alice, bob} {
			if _, err := d.Client.Send(room.Room, client.Draft{Text: "hello from " + d.Name}); err != nil {
				t.Fatal(err)
			}
		}
		n.MustQuiet()
		for _, d := range n.Devices {
			if got := texts(t, d, room.Room); len(got) != 2 {
				t.Errorf("%s shows %q, want both messages", d.Name, got)
			}
		}
	})
}
