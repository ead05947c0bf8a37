package bridge_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/clienttest"
	"sconce/client/native"
	"sconce/server"
)

var cheapCost = client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}

// memory is a Platform on a disk in memory.
type memory struct {
	disk *clienttest.Disk
	busy bool
	fail error // of Dial
}

func (m *memory) About() client.DoorView {
	return client.DoorView{Kind: "native", Version: "test", Build: "0"}
}

func (m *memory) Hint() (client.VaultHint, error) {
	if m.busy {
		return client.VaultHint{}, client.ErrBusy
	}
	return client.ReadVaultHint(m.disk.Store())
}

func (m *memory) Create(keys []client.VaultKey) (*client.Vault, error) {
	return client.CreateVaultWith(m.disk.Store(), m.disk.Keyring(), keys, client.VaultOptions{Cost: cheapCost})
}

func (m *memory) Open(key client.VaultKey) (*client.Vault, error) {
	return client.OpenVaultWith(m.disk.Store(), m.disk.Keyring(), key, client.VaultOptions{})
}

func (m *memory) Wipe() error {
	m.disk = clienttest.NewDisk()
	return nil
}

func (m *memory) Dial(v *client.Vault, server string) (client.Transport, error) {
	if m.fail != nil {
		return nil, m.fail
	}
	return (&native.Platform{}).Dial(v, server)
}

func newHost(t *testing.T, p bridge.Platform) *bridge.Host {
	t.Helper()
	h := bridge.NewHost(p, bridge.HostOptions{})
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func askHost[P, R any](t *testing.T, m bridge.HostMethod[P, R], d bridge.Door, p P) R {
	t.Helper()
	result, err := m.Call(t.Context(), d, p)
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	return result
}

func refusal[P, R any](t *testing.T, m bridge.HostMethod[P, R], d bridge.Door, p P) bridge.Code {
	t.Helper()
	_, err := m.Call(t.Context(), d, p)
	refused, ok := errors.AsType[*bridge.Error](err)
	if !ok {
		t.Fatalf("%s: %v; want a refusal", m.Name, err)
	}
	return refused.Code
}

func inviteTo(t *testing.T, s *server.Server, name string) string {
	t.Helper()
	i, err := s.Invite(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return i.Reveal()
}

func stateOf(t *testing.T, d bridge.Door) client.Phase {
	t.Helper()
	return askHost(t, bridge.State, d, bridge.None{}).State
}

// passkey is what a browser gives for its authenticator.
func passkey() *bridge.PasskeySecret {
	text := func(b byte) string { return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	return &bridge.PasskeySecret{Credential: text(1), Salt: text(2), Secret: bridge.Secret(text(3))}
}

func platforms(t *testing.T) map[string]bridge.Platform {
	return map[string]bridge.Platform{
		"memory": &memory{disk: clienttest.NewDisk()},
		"folder": &native.Platform{Dir: filepath.Join(t.TempDir(), "store"), Options: client.VaultOptions{Cost: cheapCost}},
	}
}

func TestDoorOpensAndCloses(t *testing.T) {
	s := aServer(t)
	for name, p := range platforms(t) {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, p)
			events, cancel, _ := h.Subscribe(t.Context())
			defer cancel()
			if got := stateOf(t, h); got != client.PhaseNew {
				t.Fatalf("state = %s; want new", got)
			}
			if _, err := bridge.Rooms.Call(t.Context(), h, bridge.None{}); !isCode(err, bridge.Locked) {
				t.Fatalf("rooms = %v; want %s", err, bridge.Locked)
			}
			if got := refusal(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "x"}); got != bridge.Locked {
				t.Fatalf("unlock of nothing = %s", got)
			}
			join := bridge.JoinParams{Invite: inviteTo(t, s, name), Name: "Alice " + name, DeviceName: "phone", Passphrase: "open sesame", Passkey: passkey()}
			joined := askHost(t, bridge.Join, h, join)
			if joined.Me.Name != join.Name || !strings.HasPrefix(string(joined.Recovery), "SR1-") {
				t.Fatalf("join = %+v, recovery of %d bytes", joined.Me, len(joined.Recovery))
			}
			if got := refusal(t, bridge.Join, h, join); got != bridge.Exists {
				t.Fatalf("join again = %s; want %s", got, bridge.Exists)
			}
			state := askHost(t, bridge.State, h, bridge.None{})
			if state.State != client.PhaseOpen || !state.Passphrase || state.Passkey == nil || state.Passkey.Salt != passkey().Salt || state.Passkey.Credential != passkey().Credential {
				t.Fatalf("state = %+v", state)
			}
			ask(t, bridge.Rooms, h, bridge.None{})
			token := askHost(t, bridge.Handover, h, bridge.None{}).Token

			askHost(t, bridge.Lock, h, bridge.None{})
			if _, err := bridge.Me.Call(t.Context(), h, bridge.None{}); !isCode(err, bridge.Locked) {
				t.Fatalf("me after lock = %v", err)
			}
			if got := refusal(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "wrong"}); got != bridge.WrongKey {
				t.Fatalf("a wrong passphrase = %s", got)
			}
			for way, key := range map[string]bridge.UnlockParams{
				"passphrase": {Passphrase: "open sesame"}, "passkey": {Passkey: &bridge.PasskeySecret{Secret: passkey().Secret}}, "token": {Token: token},
			} {
				if got := askHost(t, bridge.Unlock, h, key).Me; got.User != joined.Me.User {
					t.Fatalf("unlock by %s = %+v", way, got)
				}
				if got := refusal(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "wrong"}); got != bridge.WrongKey {
					t.Fatalf("a wrong passphrase while open = %s", got)
				}
				askHost(t, bridge.Lock, h, bridge.None{})
			}
			if got := refusal(t, bridge.Forget, h, bridge.ForgetParams{Passphrase: "wrong"}); got != bridge.WrongKey {
				t.Fatalf("forget with a wrong passphrase = %s", got)
			}
			askHost(t, bridge.Forget, h, bridge.ForgetParams{Passphrase: "open sesame"})
			if got := stateOf(t, h); got != client.PhaseNew {
				t.Fatalf("state after forget = %s; want new", got)
			}
			var phases []client.Phase
			for len(events) > 0 {
				if e := <-events; e.State != nil && (len(phases) == 0 || phases[len(phases)-1] != e.State.State) {
					phases = append(phases, e.State.State)
				}
			}
			if got := fmt.Sprint(phases); got != "[new open locked open locked open locked open locked new]" {
				t.Fatalf("events told the states %s", got)
			}
		})
	}
}

func isCode(err error, c bridge.Code) bool {
	refused, ok := errors.AsType[*bridge.Error](err)
	return ok && refused.Code == c
}

// What failed before the server could know of it leaves nothing, and what it may
// know of is gone on with.
func TestJoiningThatBreaksOffIsDoneAgain(t *testing.T) {
	s := aServer(t)
	p := &memory{disk: clienttest.NewDisk()}
	h := newHost(t, p)
	join := bridge.JoinParams{Invite: inviteTo(t, s, "a"), Name: "Alice", DeviceName: "phone", Passphrase: "p"}
	p.fail = errors.New("no way")
	if got := refusal(t, bridge.Join, h, join); got != bridge.Failed {
		t.Fatalf("join = %s", got)
	}
	p.fail = nil
	if got := stateOf(t, h); got != client.PhaseNew {
		t.Fatalf("state = %s; want new", got)
	}
	used := join
	askHost(t, bridge.Join, h, join)
	other := &memory{disk: clienttest.NewDisk()}
	late := newHost(t, other)
	if got := refusal(t, bridge.Join, late, used); got == bridge.Failed { // the server refuses a used invite
		t.Fatalf("join with a used invite = %s", got)
	}
	if got := stateOf(t, late); got != client.PhaseUnfinished {
		t.Fatalf("state = %s; want unfinished", got)
	}
	again := newHost(t, other) // the program starts anew
	if got := stateOf(t, again); got != client.PhaseLocked {
		t.Fatalf("state = %s; want locked: only the passphrase shows more", got)
	}
	if got := refusal(t, bridge.Unlock, again, bridge.UnlockParams{Passphrase: "p"}); got != bridge.Unfinished {
		t.Fatalf("unlock = %s; want %s", got, bridge.Unfinished)
	}
	if got := stateOf(t, again); got != client.PhaseUnfinished {
		t.Fatalf("state = %s; want unfinished", got)
	}
	used.Invite, used.Passphrase = inviteTo(t, s, "b"), "wrong"
	if got := refusal(t, bridge.Join, again, used); got != bridge.WrongKey {
		t.Fatalf("join with another passphrase = %s; want %s", got, bridge.WrongKey)
	}
	used.Passphrase, used.Name = "p", "Bob"
	askHost(t, bridge.Join, again, used)
}

func TestNewDeviceIsLinkedAndWaitingIsCanceled(t *testing.T) {
	s := aServer(t)
	first := newHost(t, &memory{disk: clienttest.NewDisk()})
	alice := askHost(t, bridge.Join, first, bridge.JoinParams{Invite: inviteTo(t, s, "a"), Name: "Alice", DeviceName: "phone", Passphrase: "p"})
	second := newHost(t, &memory{disk: clienttest.NewDisk()})
	events, cancel, _ := second.Subscribe(t.Context())
	defer cancel()
	link := bridge.LinkParams{Address: alice.Me.Address, DeviceName: "laptop", Passkey: passkey()}
	linked := make(chan error, 1)
	start := func() {
		go func() { _, err := bridge.Link.Call(context.Background(), second, link); linked <- err }()
	}
	code := func() string {
		for give := time.After(20 * time.Second); ; {
			select {
			case e := <-events:
				if e.Link != nil {
					if e.Link.Expires < int(time.Now().UnixMilli()) {
						t.Errorf("the code ends at %d", e.Link.Expires)
					}
					return e.Link.Code
				}
			case <-give:
				t.Fatal("no code came")
			}
		}
	}
	start()
	code()
	if got := stateOf(t, second); got != client.PhaseNew { // answers although somebody waits
		t.Errorf("state while waiting = %s", got)
	}
	askHost(t, bridge.Cancel, second, bridge.None{})
	if err := <-linked; !isCode(err, bridge.Canceled) {
		t.Fatalf("a canceled link = %v", err)
	}
	if got := stateOf(t, second); got != client.PhaseUnfinished {
		t.Errorf("state after cancel = %s; want unfinished", got)
	}
	start()
	ask(t, bridge.Approve, first, bridge.ApproveParams{Code: code()})
	if err := <-linked; err != nil {
		t.Fatalf("link: %v", err)
	}
	if got := ask(t, bridge.Me, second, bridge.None{}); got.User != alice.Me.User || got.DeviceName != "laptop" {
		t.Fatalf("me = %+v", got)
	}
	recovered := newHost(t, &memory{disk: clienttest.NewDisk()})
	mistyped := bridge.RecoverParams{Recovery: alice.Recovery[:len(alice.Recovery)-1], Address: alice.Me.Address, DeviceName: "new", Passphrase: "q"}
	if got := refusal(t, bridge.Recover, recovered, mistyped); got != bridge.WrongRecovery {
		t.Errorf("recovering with a key that lacks a character = %s", got)
	}
	if _, err := bridge.Approve.Call(t.Context(), second, bridge.ApproveParams{Code: "SD1-4Q7ZK"}); err == nil || err.(*bridge.Error).Code != bridge.WrongLinkCode {
		t.Errorf("approving a mistyped code = %v", err)
	}
	askHost(t, bridge.Recover, recovered, bridge.RecoverParams{Recovery: alice.Recovery, Address: alice.Me.Address, DeviceName: "new", Passphrase: "q"})
	await(t, events, func(e client.Event) bool { return e.Me != nil && e.Me.Removed }) // both were shut out
}

func await(t *testing.T, events <-chan client.Event, is func(client.Event) bool) client.Event {
	t.Helper()
	for give := time.After(20 * time.Second); ; {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the events ended")
			}
			if is(e) {
				return e
			}
		case <-give:
			t.Fatal("the event did not come")
		}
	}
}

func TestWaysInAreChangedWhileOpen(t *testing.T) {
	s := aServer(t)
	h := newHost(t, &memory{disk: clienttest.NewDisk()})
	if got := refusal(t, bridge.ChangePassphrase, h, bridge.ChangePassphraseParams{New: "x"}); got != bridge.Locked {
		t.Fatalf("changePassphrase of nothing = %s", got)
	}
	askHost(t, bridge.Join, h, bridge.JoinParams{Invite: inviteTo(t, s, "a"), Name: "Alice", DeviceName: "phone", Passkey: passkey()})
	if got := refusal(t, bridge.Passkey, h, bridge.PasskeyParams{Remove: true}); got != bridge.Failed {
		t.Fatalf("removing the only way in = %s", got)
	}
	askHost(t, bridge.ChangePassphrase, h, bridge.ChangePassphraseParams{New: "first"})
	if got := refusal(t, bridge.ChangePassphrase, h, bridge.ChangePassphraseParams{Old: "no", New: "second"}); got != bridge.WrongKey {
		t.Fatalf("changePassphrase with a wrong one = %s", got)
	}
	askHost(t, bridge.ChangePassphrase, h, bridge.ChangePassphraseParams{Old: "first", New: "second"})
	askHost(t, bridge.Passkey, h, bridge.PasskeyParams{Remove: true})
	if got := askHost(t, bridge.State, h, bridge.None{}); got.Passkey != nil || !got.Passphrase {
		t.Fatalf("state = %+v", got)
	}
	askHost(t, bridge.Lock, h, bridge.None{})
	askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "second"})
	bad := passkey()
	bad.Salt = "AAAA"
	for name, p := range map[string]bridge.PasskeyParams{"nothing": {}, "both": {Add: passkey(), Remove: true}, "a short salt": {Add: bad}} {
		if got := refusal(t, bridge.Passkey, h, p); got != bridge.Params && got != bridge.Failed {
			t.Errorf("%s: %s", name, got)
		}
	}
	askHost(t, bridge.Passkey, h, bridge.PasskeyParams{Add: passkey()})
}

// The same word opens, however a keyboard spells it, and also a store of before
// there was one spelling.
func TestPassphraseOpensHoweverItIsSpelled(t *testing.T) {
	const composed, apart = "caf\u00e9", "cafe\u0301"
	s := aServer(t)
	p := &native.Platform{Dir: filepath.Join(t.TempDir(), "store"), Options: client.VaultOptions{Cost: cheapCost}}
	h := newHost(t, p)
	askHost(t, bridge.Join, h, bridge.JoinParams{Invite: inviteTo(t, s, "a"), Name: "Alice", DeviceName: "phone", Passphrase: apart})
	for _, word := range []bridge.Secret{composed, apart} {
		askHost(t, bridge.Lock, h, bridge.None{})
		askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: word})
		askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: word})
	}
	askHost(t, bridge.Lock, h, bridge.None{})
	v, err := p.Open(client.PassphraseKey([]byte(composed)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.ChangePassphrase([]byte(composed), []byte(apart), cheapCost), v.Close()); err != nil {
		t.Fatal(err)
	}
	askHost(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: apart})
	askHost(t, bridge.ChangePassphrase, h, bridge.ChangePassphraseParams{Old: apart, New: apart})
	askHost(t, bridge.Lock, h, bridge.None{})
	askHost(t, bridge.Forget, h, bridge.ForgetParams{Passphrase: composed})
}

func TestStoreThatAnotherProgramHoldsIsBusy(t *testing.T) {
	h := newHost(t, &memory{disk: clienttest.NewDisk(), busy: true})
	if got := refusal(t, bridge.State, h, bridge.None{}); got != bridge.Busy {
		t.Errorf("state = %s; want %s", got, bridge.Busy)
	}
	dir := t.TempDir()
	v, err := (&native.Platform{Dir: dir, Options: client.VaultOptions{Cost: cheapCost}}).Create([]client.VaultKey{client.PassphraseKey([]byte("p"))})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	folder := newHost(t, &native.Platform{Dir: dir})
	for _, got := range []bridge.Code{refusal(t, bridge.State, folder, bridge.None{}), refusal(t, bridge.Unlock, folder, bridge.UnlockParams{Passphrase: "p"}),
		refusal(t, bridge.Forget, folder, bridge.ForgetParams{})} {
		if got != bridge.Busy {
			t.Errorf("a folder in use = %s; want %s", got, bridge.Busy)
		}
	}
}

func TestInviteIsReadWithoutTheServer(t *testing.T) {
	h := newHost(t, &memory{disk: clienttest.NewDisk()})
	s := aServer(t)
	got := askHost(t, bridge.Invite, h, bridge.InviteParams{Code: " " + inviteTo(t, s, "a") + "\n"})
	if !got.Valid || got.Server != s.URL() || got.Network != s.Network().String() {
		t.Errorf("invite = %+v", got)
	}
	if got := askHost(t, bridge.Invite, h, bridge.InviteParams{Code: "https://example.org/#1.x"}); got.Valid || got.Problem == "" {
		t.Errorf("half an invite = %+v", got)
	}
}

func TestSecretsOfTheDoorDoNotPrint(t *testing.T) {
	for _, v := range []any{
		bridge.Secret("attack at dawn"), bridge.JoinParams{Passphrase: "attack at dawn", Passkey: &bridge.PasskeySecret{Secret: "attack at dawn"}},
		bridge.HandoverResult{Token: "attack at dawn"}, bridge.JoinResult{Recovery: "attack at dawn"},
	} {
		if got := fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v); strings.Contains(got, "attack") || strings.Contains(got, fmt.Sprintf("%x", "attack")) {
			t.Errorf("%T printed as %s", v, got)
		}
	}
	if b, _ := json.Marshal(bridge.HandoverResult{Token: "text"}); string(b) != `{"token":"text"}` {
		t.Errorf("JSON = %s", b)
	}
}

func TestClosedDoorAnswersNoMore(t *testing.T) {
	h := bridge.NewHost(&memory{disk: clienttest.NewDisk()}, bridge.HostOptions{})
	events, _, _ := h.Subscribe(t.Context())
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-events; open {
		t.Error("an event came after the end")
	}
	if got := refusal(t, bridge.Unlock, h, bridge.UnlockParams{Passphrase: "p"}); got != bridge.Canceled {
		t.Errorf("unlock = %s; want %s", got, bridge.Canceled)
	}
	if err := h.Close(); err != nil {
		t.Errorf("closing it again: %v", err)
	}
}

// stuck is a platform that takes its time to open.
type stuck struct {
	memory
	once           sync.Once
	asked, release chan struct{}
}

func (s *stuck) Hint() (client.VaultHint, error) {
	s.once.Do(func() { close(s.asked) })
	<-s.release
	return client.VaultHint{}, client.ErrNoVault
}

// Nobody waits for a door that was closed while they waited for another to be done
// with it.
func TestWhoWaitsForADoorThatIsClosedIsTold(t *testing.T) {
	p := &stuck{memory: memory{disk: clienttest.NewDisk()}, asked: make(chan struct{}), release: make(chan struct{})}
	h := bridge.NewHost(p, bridge.HostOptions{})
	var all sync.WaitGroup
	all.Go(func() { _, _ = bridge.State.Call(t.Context(), h, bridge.None{}) })
	<-p.asked
	for range 3 {
		all.Go(func() {
			if _, err := bridge.Lock.Call(t.Context(), h, bridge.None{}); err != nil {
				if refused, ok := errors.AsType[*bridge.Error](err); !ok || refused.Code != bridge.Canceled {
					t.Errorf("a call that waited: %v; want %s", err, bridge.Canceled)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // for all to wait; who comes later is told the same
	close(p.release)
	all.Wait()
}
