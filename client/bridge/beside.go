package bridge

import (
	"context"
	"encoding/json"
	"sync"

	"sconce/client"
)

// Beside is the [Door] of a screen to what is stored here, whichever process
// holds it: the client of its own [Host], or, where another process has it open,
// that one's. Begin with [NewBeside].
//
// lock shuts this door, and the other process goes on; unlock asks that process
// whether the key is the one, and opens the door again. When the other process
// ends, the door is shut, and unlock opens the store here.
type Beside struct {
	host   *Host
	reach  func() *Remote
	events fan
	own    sync.WaitGroup // relays what the Host tells
	others sync.WaitGroup // and what other processes do

	mu     sync.Mutex // guards what follows; held while events are sent, so that none overtakes a lock
	other  *Remote    // nil: nobody else is known to hold the store
	open   bool       // whether this door shows what the other process has
	closed bool
}

var _ Door = (*Beside)(nil)

// NewBeside makes the door, and owns the Host from then on. reach connects with
// the process that holds the store, or gives nil where none listens; one that is
// there already has shown this process that they belong together, so the door is
// open.
func NewBeside(h *Host, reach func() *Remote) *Beside {
	b := &Beside{host: h, reach: reach}
	events, _, _ := h.Subscribe(context.Background()) // a Host's gives no error
	b.own.Go(func() { b.relayOwn(events) })
	b.attach(true)
	return b
}

// Close closes the Host, leaves the other process alone, and ends all
// subscriptions.
func (b *Beside) Close() error {
	b.mu.Lock()
	b.closed = true
	other := b.other
	b.mu.Unlock()
	if other != nil {
		_ = other.Close() // it is the other process that has something to lose
	}
	b.others.Wait()
	err := b.host.Close()
	b.own.Wait()
	b.events.close()
	return err
}

// Subscribe implements Door; it returns no error.
func (b *Beside) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	events, cancel := b.events.subscribe()
	return events, cancel, nil
}

// Call implements Door.
func (b *Beside) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *Error) {
	other, open := b.holder()
	if other == nil {
		answer, err := b.host.Call(ctx, method, params)
		if err == nil || err.Code != Busy || !b.attach(false) {
			return answer, err
		}
		if other, open = b.holder(); other == nil {
			return answer, err
		}
	}
	answer, err := b.through(ctx, other, open, method, params)
	if err != nil && other.gone() {
		return nil, errLocked() // an event tells, or has told
	}
	return answer, err
}

func (b *Beside) holder() (other *Remote, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.other, b.open
}

// through makes a call where another process holds the store.
func (b *Beside) through(ctx context.Context, other *Remote, open bool, method string, params json.RawMessage) (json.RawMessage, *Error) {
	switch method {
	case State.Name:
		return serve(method, params, new(None), func() (any, error) { return b.view(ctx, other, open) })
	case Lock.Name:
		return serve(method, params, new(None), func() (any, error) { return None{}, b.show(ctx, other, false) })
	case Unlock.Name:
		answer, err := other.Call(ctx, method, params)
		if err != nil {
			return nil, err
		}
		if err := b.show(ctx, other, true); err != nil {
			return nil, errorOf(err)
		}
		return answer, nil
	case Invite.Name, Cancel.Name:
		return b.host.Call(ctx, method, params)
	}
	if open {
		return other.Call(ctx, method, params)
	}
	if _, ok := byName[method].(servedByHost); ok {
		return nil, errHeld()
	}
	return nil, errLocked()
}

// view tells how this door stands.
func (b *Beside) view(ctx context.Context, other *Remote, open bool) (client.DoorView, error) {
	v := b.host.platform.About()
	theirs, err := State.Call(ctx, other, None{})
	v.State, v.Passkey, v.Passphrase = theirs.State, theirs.Passkey, theirs.Passphrase
	if !open {
		v.State = client.PhaseLocked
	}
	return v, err
}

// show opens or shuts the door to what the other process has, and tells
// everybody.
func (b *Beside) show(ctx context.Context, other *Remote, open bool) error {
	v, err := b.view(ctx, other, open)
	if err != nil && open {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.other == other {
		b.open = open
		b.events.send(client.Event{State: &v})
	}
	return nil
}

// attach goes through the process that holds the store from now on, if one can
// be reached.
func (b *Beside) attach(open bool) bool {
	r := b.reach()
	if r == nil {
		return false
	}
	events, _, err := r.Subscribe(context.Background()) // it is answered, or the connection ends
	b.mu.Lock()
	ok := err == nil && b.other == nil && !b.closed
	if ok {
		b.other, b.open = r, open
		b.others.Go(func() { b.relay(r, events) })
	}
	there := b.other != nil
	b.mu.Unlock()
	if !ok {
		_ = r.Close() // nothing was asked of it yet
	}
	return there
}

// relay passes on what the other process tells, until it ends.
func (b *Beside) relay(other *Remote, events <-chan client.Event) {
	for {
		for e := range events {
			b.pass(e)
		}
		again, _, err := other.Subscribe(context.Background())
		if err != nil {
			break
		}
		events = again
		b.events.cut() // what came meanwhile nobody told
	}
	_ = other.Close() // it has ended
	v, err := b.host.currentState(context.Background())
	if err != nil { // it is about to let go of the store
		v = b.host.platform.About()
		v.State, v.Passphrase = client.PhaseLocked, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.other, b.open = nil, false
	b.events.send(client.Event{State: &v})
}

// pass tells everybody what the other process told, while the door is open.
func (b *Beside) pass(e client.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return
	}
	if e.State != nil {
		b.open = e.State.State == client.PhaseOpen
	}
	b.events.send(e)
}

// relayOwn passes on what the Host tells, until it is closed.
func (b *Beside) relayOwn(events <-chan client.Event) {
	for {
		for e := range events {
			b.mu.Lock()
			b.events.send(e)
			b.mu.Unlock()
		}
		b.mu.Lock()
		closed := b.closed
		b.mu.Unlock()
		if closed {
			return
		}
		b.events.cut()
		events, _, _ = b.host.Subscribe(context.Background()) // a Host's gives no error
	}
}
