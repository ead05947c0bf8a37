package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"sconce/client"
)

// Platform is what a [Host] needs of the machine that it runs on. One call is
// made at a time.
type Platform interface {
	// About tells what does not change: Kind, Persistent, Version and Build.
	About() client.DoorView

	// Hint says how what is stored here is opened. Errors to tell:
	// [client.ErrNoVault] when nothing is stored, [client.ErrBusy] when another
	// program holds it.
	Hint() (client.VaultHint, error)

	// Create makes an empty vault, and Open opens the one that is there.
	Create(keys []client.VaultKey) (*client.Vault, error)
	Open(key client.VaultKey) (*client.Vault, error)

	// Wipe takes away all that is stored, its keys first. No vault is open.
	Wipe() error

	// Dial makes the transport to a server, which the vault may note; "" means
	// the one noted there. A transport with a method Close is closed.
	Dial(v *client.Vault, server string) (client.Transport, error)
}

// Limited is a [Platform] that knows whether it has space for what is to be kept.
type Limited interface{ Full() bool }

// Speller is a [Platform] that knows in which ways the same passphrase can be
// typed. Where it is not one, passphrases should come in Unicode NFC.
type Speller interface {
	// Spellings gives the bytes to seal with first, then those of before.
	Spellings(passphrase []byte) [][]byte
}

// Host is a [Door] that may have no client behind it yet: it makes one by join,
// link or recover, or opens the one that is stored here, and runs it until lock.
// Subscriptions last over all of that. Begin with [NewHost].
type Host struct {
	platform Platform
	config   client.Config // without vault and transport
	log      *slog.Logger
	events   fan
	turn     chan struct{} // holds a token while nobody opens or closes
	ended    chan struct{} // closed by Close, which keeps the turn

	closing  sync.Once
	closeErr error // guarded by closing

	mu         sync.Mutex // guards what follows
	now        *running   // nil: there is no client
	cancel     context.CancelFunc
	unfinished bool            // unlocking showed that joining was begun and not finished
	told       client.DoorView // the state that everybody was told last
}

var _ Door = (*Host)(nil)

// running is a client at work.
type running struct {
	client *client.Client
	stop   context.CancelFunc
	ended  sync.WaitGroup
	close  func()
	after  error  // why the client before it could not go on, if that was its store
	failed *Error // guarded by Host.mu; its store failed, and it is opened anew
}

// HostOptions are the choices of [NewHost]; the zero value is right.
type HostOptions struct {
	Log   *slog.Logger
	Clock func() time.Time
}

// NewHost makes the door of a platform. Nothing is opened before somebody asks.
func NewHost(p Platform, o HostOptions) *Host {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Host{platform: p, config: client.Config{Log: o.Log, Clock: o.Clock}, log: o.Log, turn: make(chan struct{}, 1), ended: make(chan struct{})}
	h.turn <- struct{}{}
	return h
}

// HostMethod is a call that a [Host] answers itself, most of them also while it
// has no client.
type HostMethod[P, R any] struct {
	Name string
	run  func(ctx context.Context, h *Host, p P) (R, error)
}

// Call makes the call through a door. An error is an *[Error].
func (m HostMethod[P, R]) Call(ctx context.Context, d Door, p P) (R, error) {
	var result R
	err := call(ctx, d, m.Name, p, &result)
	return result, err
}

// servedByHost is a [HostMethod] of any types.
type servedByHost interface {
	served
	serveHost(ctx context.Context, h *Host, params json.RawMessage) (json.RawMessage, *Error)
}

func (m HostMethod[P, R]) describe() Description {
	return Description{Name: m.Name, Params: reflect.TypeFor[P](), Result: reflect.TypeFor[R]()}
}

func (m HostMethod[P, R]) serveHost(ctx context.Context, h *Host, params json.RawMessage) (json.RawMessage, *Error) {
	var p P
	return serve(m.Name, params, &p, func() (any, error) { return m.run(ctx, h, p) })
}

// Call implements Door. Calls of a client that is not there answer [Locked].
func (h *Host) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *Error) {
	switch m := byName[method].(type) {
	case servedByHost:
		return m.serveHost(ctx, h, params)
	case servedByClient:
		r, err := h.running()
		if err != nil {
			return nil, err
		}
		answer, err := m.serve(ctx, r.client, params)
		if err != nil {
			err = h.closedUnder(r, err)
		}
		return answer, err
	}
	return nil, Errorf(UnknownMethod, "there is no method %.40q", method)
}

func errLocked() *Error { return Errorf(Locked, "this is locked, or nobody has joined here yet") }

func (h *Host) running() (*running, *Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		return nil, errLocked()
	}
	return h.now, nil
}

// closedUnder gives the error of a call whose client may have been closed under it.
func (h *Host) closedUnder(r *running, err *Error) *Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case r.failed != nil:
		return r.failed
	case h.now != r:
		return errLocked()
	}
	return err
}

// Subscribe implements Door; it returns no error.
func (h *Host) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	events, cancel := h.events.subscribe()
	return events, cancel, nil
}

// Client gives the client behind the door, or nil. It stays the Host's.
func (h *Host) Client() *client.Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		return nil
	}
	return h.now.client
}

// Close locks, and ends all subscriptions. The Host answers no more. A second
// Close waits for the first, and returns the same.
func (h *Host) Close() error {
	h.closing.Do(func() {
		h.cancelEntering()
		<-h.turn // for good
		close(h.ended)
		h.closeErr = h.shut()
		h.events.close()
	})
	return h.closeErr
}

// takeTurn waits until nobody else opens or closes.
func (h *Host) takeTurn(ctx context.Context) error {
	select {
	case <-h.turn:
		return nil
	case <-h.ended:
		return Errorf(Canceled, "this program ends")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Host) endTurn() { h.turn <- struct{}{} }

// currentState tells how the door stands. While somebody opens or closes it, that
// is what was told last: a new device may wait for minutes to be approved.
func (h *Host) currentState(ctx context.Context) (client.DoorView, error) {
	h.mu.Lock()
	told := h.told
	h.mu.Unlock()
	select {
	case <-h.turn:
	default:
		if told.State != "" {
			return told, nil
		}
		if err := h.takeTurn(ctx); err != nil {
			return told, err
		}
	}
	defer h.endTurn()
	v, err := h.state()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = v
	return v, err
}

// state tells how the door stands. The caller has the turn.
func (h *Host) state() (client.DoorView, error) {
	v := h.platform.About()
	h.mu.Lock()
	r, unfinished, told := h.now, h.unfinished, h.told
	h.mu.Unlock()
	var hint client.VaultHint
	var err error
	if r != nil {
		v.State = client.PhaseOpen
		hint, err = r.client.VaultHint()
		if err != nil && r.client.Err() != nil {
			return told, nil // its store failed: another takes its place
		}
	} else {
		v.State = client.PhaseLocked
		hint, err = h.platform.Hint()
	}
	switch {
	case errors.Is(err, client.ErrNoVault):
		v.State = client.PhaseNew
	case err != nil:
		return v, err
	case unfinished && r == nil:
		v.State = client.PhaseUnfinished
	}
	v.Passphrase = hint.Passphrase
	if hint.Passkey != nil {
		v.Passkey = &client.PasskeyView{Credential: encode(hint.Passkey.Credential), Salt: encode(hint.Passkey.Salt)}
	}
	return v, nil
}

// tellState lets everybody know how the door stands now. The caller has the turn.
func (h *Host) tellState() {
	v, err := h.state()
	if err != nil {
		return // whoever asks is told why
	}
	h.mu.Lock()
	h.told = v
	h.mu.Unlock()
	h.events.send(client.Event{State: &v})
}

// start runs a client that was opened, perhaps after the store of another one
// failed. The caller has the turn.
func (h *Host) start(c *client.Client, close func(), after error) {
	if errors.Is(after, client.ErrFull) {
		c.WaitForSpace()
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{client: c, stop: stop, close: close, after: after}
	events, _ := c.Subscribe() // ends with the client
	r.ended.Go(func() {
		for e := range events {
			h.events.send(e)
		}
	})
	h.mu.Lock()
	h.now, h.unfinished = r, false
	h.mu.Unlock()
	h.tellState()
	r.ended.Go(func() { h.run(ctx, r) })
}

// shut ends the client, if there is one. The caller has the turn.
func (h *Host) shut() error {
	h.mu.Lock()
	r := h.now
	h.now = nil
	h.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stop()
	err := r.client.Close()
	r.ended.Wait()
	r.close()
	return err
}

// entering makes ctx one that the call cancel ends.
func (h *Host) entering(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	h.mu.Lock()
	h.cancel = cancel
	h.mu.Unlock()
	return ctx, func() {
		cancel()
		h.mu.Lock()
		h.cancel = nil
		h.mu.Unlock()
	}
}

func (h *Host) cancelEntering() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel != nil {
		h.cancel()
	}
}
