package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sconce/api"
)

const (
	// What a frame adds to the body in it, and a push to its entries.
	frameRoom    = 256 << 10
	callsAtOnce  = 16 // of a server that takes 32 from one device
	loginTimeout = 15 * time.Second
	callTimeout  = 30 * time.Second // from the request's last byte to the answer
	writeTimeout = 2 * time.Minute  // of the largest frame over a slow link
	postTimeout  = 2*writeTimeout + callTimeout
	pingEvery    = 30 * time.Second
	pingTimeout  = 15 * time.Second
)

// socket is one stream. Three goroutines serve it: one reads frames, one writes
// them, and the one that called Stream hands over the pushes, so that whoever
// takes a push may make a call and wait for its answer.
type socket struct {
	t      *Transport
	conn   Conn
	token  []byte
	out    chan outFrame // to the writer
	turns  chan struct{} // one for each call under way
	pushes *pushQueue

	ctx  context.Context // ends with the stream; its cause says why
	stop context.CancelCauseFunc

	writing atomic.Bool // a frame is on its way, and a ping would wait behind it
	heard   atomic.Bool // something came since the last ping

	mu      sync.Mutex
	last    uint64                     // id of the newest call
	waiting map[uint64]chan *api.Frame // by call; each has room for its answer
}

// outFrame is a frame to be written; sent is closed when it was.
type outFrame struct {
	frame []byte
	sent  chan struct{}
}

// socket is a stream over a WebSocket.
func (t *Transport) socket(ctx context.Context, token []byte, ready func(), push func(*api.Push)) error {
	conn, err := t.dialStream(ctx)
	if err != nil {
		return err
	}
	streamCtx, stop := context.WithCancelCause(ctx)
	s := &socket{
		t: t, conn: conn, token: slices.Clone(token),
		out: make(chan outFrame), turns: make(chan struct{}, callsAtOnce), pushes: newPushQueue(),
		ctx: streamCtx, stop: stop, waiting: make(map[uint64]chan *api.Frame),
	}
	var running sync.WaitGroup
	running.Go(func() { stop(s.read()) })
	running.Go(func() { stop(s.write()) })
	running.Go(func() { stop(s.ping()) })
	err = s.serve(ready, push)
	stop(err)
	t.dropLive(s)
	conn.Close()
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, ok := errors.AsType[*api.Error](err); ok {
		return err // although the server may have hung up at once
	}
	return s.why()
}

func (t *Transport) dialStream(ctx context.Context) (Conn, error) {
	dialCtx, cancel := context.WithTimeoutCause(ctx, loginTimeout, errLate)
	defer cancel()
	conn, err := t.carrier.Dial(dialCtx, api.StreamPath)
	if err == nil {
		return conn, nil
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok && ctx.Err() == nil {
		return nil, t.refusal(refused.Answer)
	}
	return nil, t.broken(ctx, err)
}

// serve logs the stream in, and hands over pushes until it ends.
func (s *socket) serve(ready func(), push func(*api.Push)) error {
	body, err := api.Marshal(&api.AuthenticateRequest{Token: s.token})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, loginTimeout)
	defer cancel()
	if _, err := s.call(ctx, api.Authenticate.Name, body); err != nil {
		return err
	}
	s.t.setLive(s)
	ready()
	for {
		p, err := s.pushes.next(s.ctx)
		if err != nil {
			return err
		}
		push(p)
	}
}

// why says what ended the stream.
func (s *socket) why() error {
	err := context.Cause(s.ctx)
	if _, ok := errors.AsType[*UnreachableError](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	return &UnreachableError{Host: s.t.host, Err: err}
}

// call makes one call over the stream.
func (s *socket) call(ctx context.Context, name string, body []byte) ([]byte, error) {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.ctx.Done():
		return nil, s.ended()
	}
	id, answer := s.expect()
	defer s.forget(id)
	frame, err := api.Marshal(&api.Frame{Call: id, Name: name, Body: body})
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", name, err)
	}
	// The writer takes the frame whole: a context that ends in the middle of a
	// frame would cost the stream.
	sent := make(chan struct{})
	select {
	case s.out <- outFrame{frame, sent}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.ctx.Done():
		return nil, s.ended()
	}
	return s.await(ctx, answer, sent)
}

// await waits for the answer to a call.
func (s *socket) await(ctx context.Context, answer <-chan *api.Frame, sent <-chan struct{}) ([]byte, error) {
	var late <-chan time.Time
	for {
		select {
		case f := <-answer:
			return result(f)
		case <-sent:
			sent, late = nil, time.After(callTimeout)
			continue
		case <-late:
			return nil, &UnreachableError{Host: s.t.host, Err: errLate}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-s.ctx.Done():
		}
		select {
		case f := <-answer: // the server's last word before it closed
			return result(f)
		default:
			return nil, s.ended()
		}
	}
}

func result(f *api.Frame) ([]byte, error) {
	if f.Error != nil {
		return nil, f.Error
	}
	return f.Body, nil
}

// ended is the error of a call whose stream broke.
func (s *socket) ended() error {
	if err := s.why(); !errors.Is(err, context.Canceled) {
		return err
	}
	return &UnreachableError{Host: s.t.host, Err: errors.New("the stream was closed")}
}

func (s *socket) expect() (id uint64, answer <-chan *api.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	c := make(chan *api.Frame, 1)
	s.waiting[s.last] = c
	return s.last, c
}

func (s *socket) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// read takes frames until the stream ends, and says why it did.
func (s *socket) read() error {
	for {
		b, err := s.conn.Read(s.ctx)
		if err != nil {
			return err
		}
		s.heard.Store(true)
		if err := s.take(b); err != nil {
			return err
		}
	}
}

// take hands one frame to whoever waits for it.
func (s *socket) take(b []byte) error {
	f := new(api.Frame)
	switch err := api.Unmarshal(b, f); {
	case err != nil:
		return errors.New("it sends what is not a frame")
	case f.Push != nil:
		return s.pushes.add(f.Push)
	case f.Call == 0 || f.Name != "":
		return errors.New("it sends a frame that is neither an answer nor a push")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.waiting[f.Call]; c != nil { // else its caller stopped waiting
		delete(s.waiting, f.Call) // a second answer is none
		c <- f
	}
	return nil
}

func (s *socket) write() error {
	for {
		select {
		case o := <-s.out:
			if err := s.writeFrame(o.frame); err != nil {
				return err
			}
			close(o.sent)
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

func (s *socket) writeFrame(frame []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, writeTimeout)
	defer cancel()
	s.writing.Store(true)
	defer s.writing.Store(false)
	return s.conn.Write(ctx, frame)
}

// ping finds out that the server is gone although no packet says so, as after a
// laptop's sleep. Where the platform has no ping, a call asks for a sign of life
// when nothing else gave one.
func (s *socket) ping() error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		heard := s.heard.Swap(false)
		if s.writing.Load() {
			continue // the write has its own timeout
		}
		ctx, cancel := context.WithTimeoutCause(s.ctx, pingTimeout, errLate)
		err := s.conn.Ping(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			err = nil
			if !heard {
				err = s.ask(ctx)
			}
		}
		cancel()
		if err != nil && !s.writing.Load() {
			return err
		}
	}
}

// ask makes a call for the sake of any answer.
func (s *socket) ask(ctx context.Context) error {
	_, err := s.call(ctx, api.Hello.Name, []byte{0xa0})
	if _, ok := errors.AsType[*api.Error](err); ok {
		return nil
	}
	return err
}
