package bridge_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/clienttest"
)

// narrow is a Platform whose disk may be full.
type narrow struct {
	memory
	full atomic.Bool
}

// fullStore refuses what is to be kept while its platform is full.
type fullStore struct {
	client.Store
	full *atomic.Bool
}

func (s fullStore) Apply(ops []client.Op) error {
	if s.full.Load() {
		return client.ErrFull
	}
	return s.Store.Apply(ops)
}

func (p *narrow) Full() bool { return p.full.Load() }

func (p *narrow) Create(keys []client.VaultKey) (*client.Vault, error) {
	return client.CreateVaultWith(fullStore{p.disk.Store(), &p.full}, p.disk.Keyring(), keys, client.VaultOptions{Cost: cheapCost})
}

func (p *narrow) Open(key client.VaultKey) (*client.Vault, error) {
	return client.OpenVaultWith(fullStore{p.disk.Store(), &p.full}, p.disk.Keyring(), key, client.VaultOptions{})
}

var _ bridge.Limited = (*narrow)(nil)

// joinedOnNarrow gives somebody with a room, on a disk that has space yet.
func joinedOnNarrow(t *testing.T) (p *narrow, h *bridge.Host, room string) {
	t.Helper()
	p = &narrow{memory: memory{disk: clienttest.NewDisk()}}
	h = newHost(t, p)
	askHost(t, bridge.Join, h, bridge.JoinParams{Invite: inviteTo(t, aServer(t), "Alice"), Name: "Alice", DeviceName: "laptop", Passphrase: "correct horse"})
	return p, h, ask(t, bridge.NewRoom, h, bridge.NewRoomParams{Name: "Notes"}).Room
}

// What can't be kept is refused, and what was kept can be read. When there is
// space again all goes on by itself, without the passphrase, each thing once.
func TestFullStoreIsToldOfAndGoesOnByItself(t *testing.T) {
	p, h, room := joinedOnNarrow(t)
	send := func(text string) error {
		_, err := bridge.Send.Call(t.Context(), h, bridge.SendParams{Room: room, Draft: client.Draft{Text: text}})
		return err
	}
	if err := send("before"); err != nil {
		t.Fatal(err)
	}
	reached(t, h, client.ReachOnline)
	events, _, err := h.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.full.Store(true)
	for range 3 { // also after it was opened anew
		if got := refusedWith(t, bridge.Send, h, bridge.SendParams{Room: room, Draft: client.Draft{Text: "refused"}}); got != bridge.Full {
			t.Errorf("a message that can't be kept is refused with %q, want %q", got, bridge.Full)
		}
		// Before another client is in the place of the one that failed, too.
		if got := stateOf(t, h); got != client.PhaseOpen {
			t.Errorf("just after it was refused the door is %q", got)
		}
		reached(t, h, client.ReachFull)
	}
	for range events { // ends: whoever listens is to read anew
	}
	if got := stateOf(t, h); got != client.PhaseOpen {
		t.Errorf("the door is %q", got)
	}
	if got := texts(t, h, room); len(got) != 1 || got[0] != "before" {
		t.Errorf("it shows %q", got)
	}
	p.full.Store(false)
	reached(t, h, client.ReachOnline)
	if err := send("after"); err != nil {
		t.Fatal(err)
	}
	ask(t, bridge.Sync, h, bridge.None{})
	if got := texts(t, h, room); len(got) != 2 || got[1] != "after" {
		t.Errorf("it shows %q", got)
	}
	askHost(t, bridge.Lock, h, bridge.None{})
	if got := stateOf(t, h); got != client.PhaseLocked {
		t.Errorf("the door is %q", got)
	}
}

// What runs out while nothing can be written is seen no more, neither where it
// was on the screen nor by whoever opens the store then; and is removed later.
func TestWhatRunsOutOnAFullDiskIsSeenNoMore(t *testing.T) {
	p, h, room := joinedOnNarrow(t)
	said := ask(t, bridge.Send, h, bridge.SendParams{Room: room, Draft: client.Draft{Text: "canary 7704", Expire: 6}})
	ask(t, bridge.Send, h, bridge.SendParams{Room: room, Draft: client.Draft{Text: "stays", ReplyTo: said.ID}})
	ask(t, bridge.Sync, h, bridge.None{})
	ask(t, bridge.Send, h, bridge.SendParams{Room: room, Draft: client.Draft{Text: "canary 8815", Expire: 7}})
	p.full.Store(true)
	if got := refusedWith(t, bridge.Send, h, bridge.SendParams{Room: room, Draft: client.Draft{Text: "refused"}}); got != bridge.Full {
		t.Fatalf("a message that can't be kept is refused with %q", got)
	}
	reached(t, h, client.ReachFull)
	events, stop, err := h.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone := map[string]int{}
	for len(gone) < 2 {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the store was opened once more, though nothing was to be kept")
			}
			if e.Gone != nil {
				gone[e.Gone.ID]++
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("screens were told that %v are gone", gone)
		}
	}
	stop()
	if gone[said.ID] != 1 {
		t.Errorf("it was told %d times that the first is gone", gone[said.ID])
	}
	seen := func() {
		t.Helper()
		if got := texts(t, h, room); len(got) != 1 || got[0] != "stays" {
			t.Errorf("it shows %q", got)
		}
		if _, err := bridge.Message.Call(t.Context(), h, bridge.MessageParams{Room: room, ID: said.ID}); err == nil {
			t.Error("what ran out is found by its id")
		}
		if found := ask(t, bridge.Search, h, bridge.SearchParams{Query: "canary"}); len(found.Hits) > 0 {
			t.Errorf("a search finds %d messages", len(found.Hits))
		}
		all := ask(t, bridge.Messages, h, bridge.MessagesParams{Room: room, Limit: 100})
		if q := all[len(all)-1].Quote; q == nil || !q.Gone {
			t.Errorf("the answer quotes %+v", q)
		}
		for _, r := range ask(t, bridge.Rooms, h, bridge.None{}) {
			if r.LastMessage != nil && r.LastMessage.Text != "stays" {
				t.Errorf("the list shows %q", r.LastMessage.Text)
			}
		}
	}
	seen()

	askHost(t, bridge.Lock, h, bridge.None{})
	askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "correct horse"})
	seen()
	if v := ask(t, bridge.Connection, h, bridge.None{}); v.State != client.ReachFull {
		t.Errorf("opened on a full disk it is %q", v.State)
	}

	p.full.Store(false)
	reached(t, h, client.ReachOnline)
	seen()
	if err := h.Client().Err(); err != nil {
		t.Error(err)
	}
}

// Locking wins over a store that is opened anew.
func TestLockEndsWaitingForSpace(t *testing.T) {
	p, h, room := joinedOnNarrow(t)
	p.full.Store(true)
	if got := refusedWith(t, bridge.Send, h, bridge.SendParams{Room: room, Draft: client.Draft{Text: "refused"}}); got != bridge.Full {
		t.Errorf("it is refused with %q", got)
	}
	askHost(t, bridge.Lock, h, bridge.None{})
	time.Sleep(1200 * time.Millisecond) // longer than it waits before it looks again
	if got := refusedWith(t, bridge.Rooms, h, bridge.None{}); got != bridge.Locked {
		t.Errorf("what is locked answers with %q", got)
	}
	if got := stateOf(t, h); got != client.PhaseLocked {
		t.Errorf("the door is %q", got)
	}
}

// reached waits until the client behind a door is in such a state.
func reached(t *testing.T, h *bridge.Host, want client.Reach) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		v, err := bridge.Connection.Call(ctx, h, bridge.None{})
		if err == nil && v.State == want {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the connection never was %q; at last %q, %v", want, v.State, err)
		}
	}
}

func refusedWith[P, R any](t *testing.T, m bridge.Method[P, R], d bridge.Door, p P) bridge.Code {
	t.Helper()
	_, err := m.Call(t.Context(), d, p)
	refused, ok := errors.AsType[*bridge.Error](err)
	if !ok {
		t.Fatalf("%s: %v; want a refusal", m.Name, err)
	}
	return refused.Code
}

func texts(t *testing.T, d bridge.Door, room string) (all []string) {
	t.Helper()
	for _, m := range ask(t, bridge.Messages, d, bridge.MessagesParams{Room: room, Limit: 100}) {
		if m.Text != "" {
			all = append(all, m.Text)
		}
	}
	return all
}
