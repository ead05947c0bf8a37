package clienttest

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
)

// Peer is the server's end in the suite [Transport]: it knows a few endpoints
// of its own, and nothing of how calls travel. Whoever runs the suite puts a
// carrier before it, which passes calls to Answer, asks LoggedIn for each stream
// that wants to log in, and after that carries what Connect gives.
//
// All methods may be called from several goroutines.
type Peer struct {
	token   []byte
	held    chan struct{} // closed when a "test/hold" is released
	holding chan struct{} // gets a token when a "test/hold" arrives

	mu      sync.Mutex
	streams []*PeerStream
	tokens  [][]byte // of the calls answered
}

// PeerStream is one stream that is logged in.
type PeerStream struct {
	Pushes chan *api.Push // to be sent in order
	Break  chan struct{}  // closed when the carrier is to drop the connection
}

func newPeer() *Peer {
	return &Peer{token: []byte("a token"), held: make(chan struct{}), holding: make(chan struct{}, 64)}
}

// LoggedIn reports whether a stream with this token may open.
func (p *Peer) LoggedIn(token []byte) bool { return subtle.ConstantTimeCompare(token, p.token) == 1 }

// Connect registers a stream that logged in.
func (p *Peer) Connect() *PeerStream {
	s := &PeerStream{Pushes: make(chan *api.Push, 2048), Break: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams = append(p.streams, s)
	return s
}

// Answer carries out a call. token is nil when the call brought none; on a
// stream it is the stream's.
func (p *Peer) Answer(ctx context.Context, name string, token, body []byte) ([]byte, *api.Error) {
	p.mu.Lock()
	p.tokens = append(p.tokens, token)
	p.mu.Unlock()
	switch name {
	case "test/echo":
		return body, nil
	case "test/hold": // answers like echo, once it is released
		p.holding <- struct{}{}
		select {
		case <-p.held:
			return body, nil
		case <-ctx.Done():
			return nil, api.Errorf(api.Unavailable, "gave up")
		}
	case "test/refuse":
		return nil, &api.Error{Code: api.RateLimited, Message: "too many; wait", RetryAfter: 1500}
	}
	return nil, api.Errorf(api.NotFound, "there is no endpoint %q", name)
}

func (p *Peer) stream(t *testing.T) *PeerStream {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.streams) == 0 {
		t.Fatal("no stream is logged in")
	}
	return p.streams[len(p.streams)-1]
}

// Transport holds an implementation to the promises of [client.Transport].
// connect puts a carrier before a Peer and returns a Transport to it, for the
// length of the test.
func Transport(t *testing.T, connect func(t *testing.T, p *Peer) client.Transport) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, p *Peer, tr client.Transport)
	}{
		{"CallGivesTheAnswer", transportCall},
		{"ServersErrorArrivesWhole", transportError},
		{"TokenArrives", transportToken},
		{"BigBodiesPassAndBiggerAreRefused", transportBig},
		{"ConcurrentCallsGetTheirOwnAnswers", transportConcurrent},
		{"CancelledCallReturnsAndLeavesTheRestAlone", transportCancel},
		{"PushesArriveInOrder", transportPushes},
		{"PushMayCall", transportPushCalls},
		{"SlowConsumerLosesNoLog", transportSlow},
		{"BrokenStreamEndsItsCalls", transportBroken},
		{"CallsGoOnAfterABrokenStream", transportAfter},
		{"StreamEndsWithItsContext", transportStreamCancel},
		{"RefusedTokenIsTheServersError", transportRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer()
			c.test(t, p, connect(t, p))
		})
	}
}

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// both runs a test of calls without a stream and with one.
func both(t *testing.T, p *Peer, tr client.Transport, test func(t *testing.T)) {
	t.Helper()
	t.Run("WithoutStream", test)
	open(t, p, tr, func(*api.Push) {})
	t.Run("WithStream", test)
}

// open opens a stream, and waits until it is logged in.
func open(t *testing.T, p *Peer, tr client.Transport, push func(*api.Push)) (ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { done <- tr.Stream(ctx, p.token, func() { close(ready) }, push) })
	t.Cleanup(func() { cancel(); running.Wait() })
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("Stream: %v", err)
	case <-time.After(patience):
		t.Fatal("the stream did not become ready")
	}
	return done
}

func transportCall(t *testing.T, p *Peer, tr client.Transport) {
	both(t, p, tr, func(t *testing.T) {
		body := cborBytes(t, []byte("hello"))
		got, err := tr.Call(bounded(t), "test/echo", p.token, body)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("Call = %x, %v; want %x", got, err, body)
		}
	})
}

func transportError(t *testing.T, p *Peer, tr client.Transport) {
	both(t, p, tr, func(t *testing.T) {
		_, err := tr.Call(bounded(t), "test/refuse", p.token, cborBytes(t, nil))
		got, ok := errors.AsType[*api.Error](err)
		want := api.Error{Code: api.RateLimited, Message: "too many; wait", RetryAfter: 1500}
		if !ok || *got != want {
			t.Fatalf("Call = %v; want %+v", err, want)
		}
	})
}

func transportToken(t *testing.T, p *Peer, tr client.Transport) {
	for _, token := range [][]byte{nil, {}, p.token, {0, 0xff, '\n'}} {
		if _, err := tr.Call(bounded(t), "test/echo", token, cborBytes(t, nil)); err != nil {
			t.Fatal(err)
		}
		got := p.tokens[len(p.tokens)-1]
		if !bytes.Equal(got, token) {
			t.Errorf("the server got token %q; want %q", got, token)
		}
	}
}

func transportBig(t *testing.T, p *Peer, tr client.Transport) {
	both(t, p, tr, func(t *testing.T) {
		body := cborBytes(t, bytes.Repeat([]byte{7}, api.MaxBody-5)) // and five bytes of CBOR
		got, err := tr.Call(bounded(t), "test/echo", p.token, body)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("Call with %d bytes = %d bytes, %v", len(body), len(got), err)
		}
		_, err = tr.Call(bounded(t), "test/echo", p.token, append(body, 0))
		if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code != api.TooLarge {
			t.Fatalf("Call with a byte more = %v; want %s", err, api.TooLarge)
		}
	})
}

func transportConcurrent(t *testing.T, p *Peer, tr client.Transport) {
	both(t, p, tr, func(t *testing.T) {
		ctx := bounded(t)
		var running sync.WaitGroup
		for i := range 100 {
			running.Go(func() {
				body := cborBytes(t, bytes.Repeat([]byte{byte(i)}, 1+i*100))
				got, err := tr.Call(ctx, "test/echo", p.token, body)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("call %d got another's answer: %d bytes, %v", i, len(got), err)
				}
			})
		}
		running.Wait()
	})
}

func transportCancel(t *testing.T, p *Peer, tr client.Transport) {
	both(t, p, tr, func(t *testing.T) {
		ctx, cancel := context.WithCancel(bounded(t))
		done := make(chan error, 1)
		go func() {
			_, err := tr.Call(ctx, "test/hold", p.token, cborBytes(t, nil))
			done <- err
		}()
		await(t, p.holding, "the call")
		cancel()
		if err := await(t, done, "the cancelled call"); !errors.Is(err, context.Canceled) {
			t.Fatalf("Call = %v; want %v", err, context.Canceled)
		}
		if _, err := tr.Call(bounded(t), "test/echo", p.token, cborBytes(t, nil)); err != nil {
			t.Fatalf("the call after it: %v", err)
		}
	})
}

func transportPushes(t *testing.T, p *Peer, tr client.Transport) {
	const count = 100
	got := make(chan *api.Push, count)
	open(t, p, tr, func(push *api.Push) { got <- push })
	s := p.stream(t)
	for i := range uint64(count) {
		s.Pushes <- &api.Push{Log: api.LogID{1}, Last: i + 1, Entries: []api.Entry{{Seq: i + 1, Message: []byte{byte(i)}}}}
	}
	for i := range uint64(count) {
		push := await(t, got, "a push")
		if push.Last != i+1 || len(push.Entries) != 1 || !bytes.Equal(push.Entries[0].Message, []byte{byte(i)}) {
			t.Fatalf("push %d = %+v", i+1, push)
		}
	}
}

func transportPushCalls(t *testing.T, p *Peer, tr client.Transport) {
	got := make(chan error, 1)
	ctx := bounded(t)
	open(t, p, tr, func(*api.Push) {
		_, err := tr.Call(ctx, "test/echo", p.token, cborBytes(t, nil))
		got <- err
	})
	p.stream(t).Pushes <- &api.Push{Last: 1}
	if err := await(t, got, "the call made from a push"); err != nil {
		t.Fatal(err)
	}
}

// A consumer that takes nothing may lose entries, but learns of every log how
// far it goes.
func transportSlow(t *testing.T, p *Peer, tr client.Transport) {
	const logs, each = 5, 400
	release := make(chan struct{})
	var mu sync.Mutex
	last, backwards := map[api.LogID]uint64{}, 0
	open(t, p, tr, func(push *api.Push) {
		<-release
		mu.Lock()
		defer mu.Unlock()
		if push.Last < last[push.Log] {
			backwards++
		}
		last[push.Log] = push.Last
	})
	s := p.stream(t)
	for i := range uint64(each) {
		for log := range byte(logs) {
			s.Pushes <- &api.Push{Log: api.LogID{log}, Last: i + 1, Entries: []api.Entry{{Seq: i + 1, Message: make([]byte, 100)}}}
		}
	}
	// An answer comes although pushes wait: nothing holds the stream up.
	if _, err := tr.Call(bounded(t), "test/echo", p.token, cborBytes(t, nil)); err != nil {
		t.Fatal(err)
	}
	close(release)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		reached := 0
		for _, seq := range last {
			if seq == each {
				reached++
			}
		}
		state := fmt.Sprintf("%d logs of %d at their end, %d steps backwards", reached, logs, backwards)
		mu.Unlock()
		if reached == logs && backwards == 0 {
			return
		}
		if backwards > 0 || time.Now().After(deadline) {
			t.Fatal(state)
		}
	}
}

func transportBroken(t *testing.T, p *Peer, tr client.Transport) {
	ended := open(t, p, tr, func(*api.Push) {})
	done := make(chan error, 1)
	ctx := bounded(t)
	go func() {
		_, err := tr.Call(ctx, "test/hold", p.token, cborBytes(t, nil))
		done <- err
	}()
	await(t, p.holding, "the call")
	close(p.stream(t).Break)
	for what, c := range map[string]<-chan error{"Stream": ended, "Call": done} {
		err := await(t, c, what)
		if _, ok := errors.AsType[*api.Error](err); ok || err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s over a broken stream = %v; want an error of the network", what, err)
		}
	}
}

func transportAfter(t *testing.T, p *Peer, tr client.Transport) {
	ended := open(t, p, tr, func(*api.Push) {})
	close(p.stream(t).Break)
	await(t, ended, "Stream")
	both(t, p, tr, func(t *testing.T) {
		if _, err := tr.Call(bounded(t), "test/echo", p.token, cborBytes(t, nil)); err != nil {
			t.Fatalf("Call after a broken stream: %v", err)
		}
	})
}

func transportStreamCancel(t *testing.T, p *Peer, tr client.Transport) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- tr.Stream(ctx, p.token, cancel, func(*api.Push) {}) }()
	if err := await(t, done, "Stream"); !errors.Is(err, context.Canceled) {
		t.Fatalf("Stream = %v; want %v", err, context.Canceled)
	}
}

func transportRefused(t *testing.T, _ *Peer, tr client.Transport) {
	ready := func() { t.Error("ready was called") }
	err := tr.Stream(bounded(t), []byte("another token"), ready, func(*api.Push) {})
	if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code != api.Unauthenticated {
		t.Fatalf("Stream = %v; want %s", err, api.Unauthenticated)
	}
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come in %v", what, patience)
		panic("not reached") // Fatalf does not return
	}
}

func cborBytes(t *testing.T, b []byte) []byte {
	t.Helper()
	body, err := api.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
