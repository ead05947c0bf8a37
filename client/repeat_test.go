package client_test

import (
	"slices"
	"testing"
	"time"

	"sconce/content"
	"sconce/internal/testnet"
)

// A message is known by its id, whatever entry of the log brings it: a modified
// client that says the same again is heard once, and what ran out does not come
// back.
func TestRepeatedMessageIsShownOnce(t *testing.T) {
	talking(t, 76, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
		stays, goes := content.Text("stays"), content.Text("goes")
		goes.SetTimers(content.Timers{Expire: 30})
		shown := func() (all []string) {
			t.Helper()
			list, err := alice.Client.Messages(room, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				if m.Kind != "notice" {
					all = append(all, m.Kind+" "+m.Text)
				}
			}
			return all
		}
		say := func(m *content.Message) {
			t.Helper()
			if err := bob.Client.Post(room, m); err != nil {
				t.Fatal(err)
			}
			bob.MustSync()
			alice.MustSync()
		}
		say(stays)
		say(goes)
		say(stays)
		say(goes)
		if got, want := shown(), []string{"text stays", "text goes"}; !slices.Equal(got, want) {
			t.Errorf("alice shows %q, want %q", got, want)
		}
		n.Advance(time.Minute)
		say(goes)
		if got, want := shown(), []string{"text stays"}; !slices.Equal(got, want) {
			t.Errorf("after a minute alice shows %q, want %q", got, want)
		}
	})
}
