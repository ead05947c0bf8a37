package bridge_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
)

// elsewhere is another process: it runs the client of a folder, and serves
// whoever connects.
type elsewhere struct {
	t        *testing.T
	platform *native.Platform

	mu   sync.Mutex
	door bridge.Door // nil: it has ended
	end  func()
}

// reach connects with it, as by its socket.
func (e *elsewhere) reach() *bridge.Remote {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.door == nil {
		return nil
	}
	door, before := e.door, e.end
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = bridge.Serve(ctx, there, there, door) })
	e.end = func() { cancel(); _ = there.Close(); serving.Wait(); before() }
	return bridge.NewRemote(here)
}

// run opens the store and holds it.
func (e *elsewhere) run() {
	e.t.Helper()
	v, err := native.OpenDir(e.platform.Dir, []byte("p"), client.VaultOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	tr, err := e.platform.Dial(v, "")
	if err != nil {
		e.t.Fatal(err)
	}
	c, err := client.Open(client.Config{Vault: v, Transport: tr})
	if err != nil {
		e.t.Fatal(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.door, e.end = bridge.NewHolder(e.platform, c), func() { _ = c.Close() }
}

func (e *elsewhere) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.door != nil {
		e.end()
	}
	e.door = nil
}

// beside makes Alice's store, a process that holds it, and a door beside that.
func beside(t *testing.T) (*bridge.Beside, *elsewhere) {
	t.Helper()
	p := &native.Platform{Dir: filepath.Join(t.TempDir(), "store"), Options: client.VaultOptions{Cost: cheapCost}}
	h := newHost(t, p)
	askHost(t, bridge.Join, h, bridge.JoinParams{Invite: inviteTo(t, aServer(t), "Alice"), Name: "Alice", DeviceName: "d", Passphrase: "p"})
	askHost(t, bridge.Lock, h, bridge.None{})
	other := &elsewhere{t: t, platform: p}
	other.run()
	t.Cleanup(other.stop)
	b := bridge.NewBeside(bridge.NewHost(p, bridge.HostOptions{}), other.reach)
	return b, other
}

// Locking beside another process shuts this door: the other goes on, and nothing
// of it shows before the passphrase is given again.
func TestLockBesideAnotherProcessShutsThisDoorAlone(t *testing.T) {
	b, other := beside(t)
	events, _, _ := b.Subscribe(t.Context())
	if got := askHost(t, bridge.State, b, bridge.None{}); got.State != client.PhaseOpen || !got.Passphrase || got.Kind != "native" {
		t.Errorf("at first the door says %+v", got)
	}
	settle := func(receipts bool) { // something happens in the other process
		ask(t, bridge.SetSettings, other.door, client.SettingsChange{Receipts: &receipts})
	}
	settle(false)
	await(t, events, func(e client.Event) bool { return e.Settings != nil })

	askHost(t, bridge.Lock, b, bridge.None{})
	await(t, events, func(e client.Event) bool { return e.State != nil && e.State.State == client.PhaseLocked })
	if got := stateOf(t, b); got != client.PhaseLocked {
		t.Errorf("locked, the door says %s", got)
	}
	if _, err := bridge.Me.Call(t.Context(), b, bridge.None{}); !isCode(err, bridge.Locked) {
		t.Errorf("a locked door answers %v", err)
	}
	for _, got := range []bridge.Code{refusal(t, bridge.Forget, b, bridge.ForgetParams{}), refusal(t, bridge.Handover, b, bridge.None{})} {
		if got != bridge.Busy {
			t.Errorf("what the other process holds = %s; want %s", got, bridge.Busy)
		}
	}
	if got := ask(t, bridge.Me, other.door, bridge.None{}); got.Name != "Alice" {
		t.Errorf("the other process has %+v", got)
	}
	settle(true)
	if got := refusal(t, bridge.Unlock, b, bridge.UnlockParams{Passphrase: "wrong"}); got != bridge.WrongKey {
		t.Errorf("another passphrase = %s", got)
	}
	askHost(t, bridge.Unlock, b, bridge.UnlockParams{Passphrase: "p"})
	first := await(t, events, func(client.Event) bool { return true })
	if first.State == nil || first.State.State != client.PhaseOpen {
		t.Errorf("a locked door told %+v", first)
	}
	if got := ask(t, bridge.Me, b, bridge.None{}); got.Name != "Alice" {
		t.Errorf("unlocked, me is %+v", got)
	}
	settle(false)
	await(t, events, func(e client.Event) bool { return e.Settings != nil })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for range events { // ends with the door
	}
}

// What another process lets go of is locked here, then opened here; and what
// another one has taken is opened through that.
func TestDoorOutlivesTheProcessThatHeldTheStore(t *testing.T) {
	b, other := beside(t)
	events, _, _ := b.Subscribe(t.Context())
	other.stop()
	await(t, events, func(e client.Event) bool { return e.State != nil && e.State.State == client.PhaseLocked })
	if got := stateOf(t, b); got != client.PhaseLocked {
		t.Errorf("without the other process the door says %s", got)
	}
	if got := refusal(t, bridge.Unlock, b, bridge.UnlockParams{Passphrase: "wrong"}); got != bridge.WrongKey {
		t.Errorf("another passphrase = %s", got)
	}
	askHost(t, bridge.Unlock, b, bridge.UnlockParams{Passphrase: "p"})
	if got := ask(t, bridge.Me, b, bridge.None{}); got.Name != "Alice" {
		t.Errorf("opened here, me is %+v", got)
	}
	askHost(t, bridge.Lock, b, bridge.None{})

	other.run() // takes the store while this door is locked
	if got := refusal(t, bridge.Unlock, b, bridge.UnlockParams{Passphrase: "wrong"}); got != bridge.WrongKey {
		t.Errorf("another passphrase, beside a new process = %s", got)
	}
	if got := stateOf(t, b); got != client.PhaseLocked {
		t.Errorf("beside a new process the door says %s before it was unlocked", got)
	}
	askHost(t, bridge.Unlock, b, bridge.UnlockParams{Passphrase: "p"})
	if got := ask(t, bridge.Me, b, bridge.None{}); got.Name != "Alice" {
		t.Errorf("beside a new process, me is %+v", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, bridge.Me, other.door, bridge.None{}); got.Name != "Alice" {
		t.Errorf("after this door has closed, the other process has %+v", got)
	}
}
