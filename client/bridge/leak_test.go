package bridge_test

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
)

// rest waits until no more goroutines than most run, and gives how many do.
func rest(most int) (running int) {
	for range 40 {
		if running = runtime.NumGoroutine(); running <= most {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return running
}

// A store is locked and opened all day long: what worked on it, and the server's
// side of its streams, must end each time.
func TestOpeningAndLockingLeavesNothingRunning(t *testing.T) {
	s := aServer(t)
	h := newHost(t, &native.Platform{Dir: filepath.Join(t.TempDir(), "store"), Options: client.VaultOptions{Cost: cheapCost}})
	askHost(t, bridge.Join, h, bridge.JoinParams{Invite: inviteTo(t, s, "alice"), Name: "alice", DeviceName: "phone", Passphrase: "open sesame"})
	use := func() {
		events, cancel, _ := h.Subscribe(t.Context())
		defer cancel()
		_, _ = bridge.Sync.Call(t.Context(), h, bridge.None{})
		for range 20 { // until the stream is up, mostly
			select {
			case e := <-events:
				if e.Online != nil && *e.Online {
					return
				}
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	round := func() {
		use()
		askHost(t, bridge.Lock, h, bridge.None{})
		askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "open sesame"})
	}
	for range 3 {
		round()
	}
	askHost(t, bridge.Lock, h, bridge.None{})
	before := rest(0) // as few as there will be
	askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "open sesame"})
	for range 8 {
		round()
	}
	askHost(t, bridge.Lock, h, bridge.None{})
	if after := rest(before); after > before+4 { // a crew, a connection that is about to close
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	}
}
