package testnet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"testing/synctest"

	"sconce/api"
	"sconce/client"
)

// Wire is what lies between the devices and the server. All of a network's calls
// go through it, one at a time.
type Wire struct {
	net    *Net
	random *rand.Rand
	rate   float64 // how likely a call meets with a fault
	held   []request
	trace  hash.Hash // of every call and its outcome
	plants plants
	before func(l *Link, r request) // when set, is called before each call
	Calls  int

	// tamper, when set, may answer in the server's place, or change the request.
	tamper func(l *Link, r *request) (answer []byte, err error, handled bool)
	// Answered, when set, may change what the server answered.
	Answered func(name string, answer []byte) []byte
}

// ForceCommits makes the server one that puts every commit into order, also those
// that it should have refused.
func (w *Wire) ForceCommits() { w.plants.lateCommits = true }

// request is one call on its way.
type request struct {
	name        string
	token, body []byte
}

// Errors of the wire: to a client they are all the same, since it cannot know
// whether its call was carried out.
var (
	ErrOffline = errors.New("testnet: offline")
	errLost    = errors.New("testnet: the call or its answer was lost")
)

// Link is one device's way to the server.
type Link struct {
	wire    *Wire
	name    string
	device  *Device
	Offline bool

	streams bool // it gives a stream, on which nothing is pushed
	hangs   bool // calls get no answer, and no error either
}

var _ client.Transport = (*Link)(nil)

// Call implements client.Transport.
func (l *Link) Call(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	if l.Offline {
		return nil, ErrOffline
	}
	if l.hangs {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	r := request{name, token, body}
	answer, err := l.wire.carry(ctx, l, r)
	answer, err = l.wire.plants.force(l.wire, l, r, answer, err)
	if l.wire.Answered != nil && err == nil {
		answer = l.wire.Answered(name, answer)
	}
	l.wire.note("call", l.name, name, body, answer, err)
	return answer, err
}

// Stream implements client.Transport. Devices of the simulation sync step by
// step and follow no stream.
func (l *Link) Stream(ctx context.Context, _ []byte, ready func(), _ func(*api.Push)) error {
	if l.Offline {
		return ErrOffline
	}
	if l.streams {
		ready()
	}
	<-ctx.Done()
	return ctx.Err()
}

func (w *Wire) carry(ctx context.Context, l *Link, r request) ([]byte, error) {
	w.Calls++
	if w.before != nil {
		w.before(l, r)
	}
	if w.tamper != nil {
		if answer, err, handled := w.tamper(l, &r); handled {
			return answer, err
		}
	}
	if w.plants.loseCommitted && r.name == api.Append.Name && w.random.IntN(30) == 0 {
		return w.killLosing(ctx, r)
	}
	if w.random.Float64() >= w.rate {
		return w.deliver(ctx, r)
	}
	switch w.random.IntN(6) {
	case 0: // it never arrives
		return nil, errLost
	case 1: // the answer never arrives
		_, _ = w.deliver(ctx, r)
		return nil, errLost
	case 2: // it arrives twice
		_, _ = w.deliver(ctx, r)
		return w.deliver(ctx, r)
	case 3: // it arrives after later ones
		w.held = append(w.held, r)
		return nil, errLost
	case 4: // the server is killed just after
		_, _ = w.deliver(ctx, r)
		w.net.Kill()
		return nil, errLost
	}
	w.release(ctx)
	return w.deliver(ctx, r)
}

// release lets what was held back arrive.
func (w *Wire) release(ctx context.Context) {
	held := w.held
	w.held = nil
	for _, r := range held {
		_, _ = w.deliver(ctx, r) // nobody waits for the answer any more
	}
}

// deliver makes the call, and lets the server finish what the call set off, so
// that nothing happens at a moment of the scheduler's choice.
func (w *Wire) deliver(ctx context.Context, r request) ([]byte, error) {
	r = w.plants.repeat(w, r)
	answer, err := w.net.server.Call(context.WithoutCancel(ctx), r.name, r.token, r.body)
	synctest.Wait()
	return answer, err
}

// note adds to the trace, by which two runs of a seed are compared.
func (w *Wire) note(parts ...any) {
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			sum := sha256.Sum256(p)
			w.trace.Write(sum[:])
		default:
			fmt.Fprintf(w.trace, "%v\x00", p)
		}
	}
	if w.net.Verbose != nil {
		for i, p := range parts {
			if b, ok := p.([]byte); ok {
				sum := sha256.Sum256(b)
				parts[i] = fmt.Sprintf("%x", sum[:4])
			}
		}
		w.net.Verbose(parts...)
	}
}
