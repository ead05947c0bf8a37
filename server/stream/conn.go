package stream

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"sconce/api"
	"sconce/internal/duty"
)

// conn is one stream. Its goroutine reads; calls run in goroutines of their own;
// what goes out is written by a goroutine that exists while there is something
// to write.
type conn struct {
	service *Service
	net     net.Conn
	ctx     context.Context // of the stream's calls
	stop    context.CancelFunc
	heard   atomic.Bool // since the last round of the pinger

	// The reading goroutine's own; caller and known change once, under
	// service.mu, and service.leave reads them.
	caller   duty.Caller
	known    bool
	arrived  func()    // says that the stream is none of those that are to log in any more
	login    []byte    // the body that logged in, asked about again now and then
	deadline time.Time // for logging in
	source   source
	message  []byte    // the fragments so far
	opcode   ws.OpCode // of the first fragment; 0 if there is none

	calls sync.WaitGroup
	slots chan struct{} // one for each call, from its arrival until its answer is written

	out  queue
	gone chan struct{} // closed by end
}

func newConn(s *Service, nc net.Conn, caller duty.Caller, early []byte) *conn {
	ctx, stop := context.WithCancel(s.ctx)
	c := &conn{
		service: s, net: nc, ctx: ctx, stop: stop, caller: caller, slots: make(chan struct{}, maxInFlight), gone: make(chan struct{}),
		deadline: time.Now().Add(authTimeout), source: source{conn: nc, early: early}, arrived: func() {},
	}
	c.heard.Store(true)
	return c
}

// run is the life of a stream: log in, then serve calls until one side ends it.
// Looking up a login takes much stack, which Go gives back slowly, and most
// streams are silent after it: so the rest of a stream's life has a goroutine of
// its own.
func (c *conn) run() {
	if err := c.serve(c.first); err != nil {
		c.part(err)
		return
	}
	cancel := c.service.Delivery.Subscribe(c.caller, c)
	// A device that was removed before login counted this stream to it was not
	// found by CloseDevice.
	if _, err := c.authenticate(c.login); err != nil {
		cancel()
		c.part(breach(ws.StatusPolicyViolation, "the device was removed"))
		return
	}
	c.service.running.Go(func() {
		err := c.serve(c.call)
		cancel()
		c.part(err)
	})
}

// part ends the stream, and waits for what still goes on in it.
func (c *conn) part(err error) {
	defer c.service.leave(c)
	c.explain(err)
	<-c.gone // the last words are written, or cannot be
	c.stop()
	c.calls.Wait()
}

// errLoggedIn ends the reading of a first message, and errClosed that of all.
var (
	errLoggedIn = errors.New("logged in")
	errClosed   = errors.New("the other side closed the stream")
)

// violation says what the client did that no client may.
type violation struct {
	status ws.StatusCode
	reason string
}

func (v *violation) Error() string { return v.reason }

func breach(status ws.StatusCode, reason string) error { return &violation{status, reason} }

// explain tells the client why the stream ends, if it is there to hear it.
func (c *conn) explain(err error) {
	if v, ok := errors.AsType[*violation](err); ok {
		c.hangUp(v.status, v.reason)
		return
	}
	if errors.Is(err, errClosed) {
		c.hangUp(ws.StatusNormalClosure, "")
		return
	}
	if !c.leaving() {
		c.end() // the network is gone
	}
}

// first takes the message that must log the stream in.
func (c *conn) first(message []byte) error {
	var f api.Frame
	if err := api.Unmarshal(message, &f); err != nil || f.Call == 0 || f.Name != api.Authenticate.Name {
		return breach(ws.StatusPolicyViolation, "log in first, with a call to authenticate")
	}
	caller, err := c.authenticate(f.Body)
	if err != nil {
		c.answer(f.Call, nil, c.service.Registry.Explain(c.ctx, f.Name, err))
		return breach(ws.StatusPolicyViolation, "not logged in")
	}
	c.login = f.Body
	c.service.login(c, caller)
	c.answer(f.Call, emptyBody, nil)
	return errLoggedIn
}

// emptyBody is [api.Empty], encoded.
var emptyBody = []byte{0xa0}

// recheck ends the stream if its login is not good any more: it has expired, or
// another node removed the device. A database that does not answer is no reason.
func (c *conn) recheck() {
	_, err := c.authenticate(c.login)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code == api.Unauthenticated {
		c.revoke("the login is not valid any more")
	}
}

// revoke ends the stream and its calls.
func (c *conn) revoke(reason string) {
	c.hangUp(ws.StatusPolicyViolation, reason)
	c.stop()
}

func (c *conn) authenticate(body []byte) (duty.Caller, error) {
	var req api.AuthenticateRequest
	if err := api.Unmarshal(body, &req); err != nil {
		return duty.Caller{}, err
	}
	// Not of c.ctx, which would keep a map for its children as long as it lives.
	ctx, cancel := context.WithTimeout(c.service.ctx, authTimeout)
	defer cancel()
	caller, err := c.service.Auth.Authenticate(ctx, req.Token)
	caller.Remote = c.caller.Remote
	return caller, err
}

// call takes a message after login: one call.
func (c *conn) call(message []byte) error {
	var f api.Frame
	if err := api.Unmarshal(message, &f); err != nil {
		return breach(ws.StatusInvalidFramePayloadData, "a message is not a frame")
	}
	if f.Call == 0 || f.Name == "" {
		return breach(ws.StatusPolicyViolation, "a frame is not a call")
	}
	if err := c.ctx.Err(); err != nil {
		return err // closing: a device that was removed calls no more
	}
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	c.calls.Add(1)
	if c.service.Registry.Begin(c.ctx, c.caller, f.Name, f.Body, func(body []byte, err *api.Error) { c.conclude(f.Call, body, err) }) {
		return nil
	}
	c.service.crew.do(func() {
		ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
		defer cancel()
		body, err := c.service.Registry.Call(ctx, c.caller, f.Name, f.Body)
		c.conclude(f.Call, body, err)
	})
	return nil
}

// conclude ends a call by queueing its answer.
func (c *conn) conclude(call uint64, body []byte, err *api.Error) {
	defer c.calls.Done()
	if !c.pledge(len(body)) {
		body, err = nil, errFull()
	}
	c.enqueue(item{opcode: ws.OpBinary, body: answerFrame(call, body, err), slot: true, pledge: len(body)})
}

func errFull() *api.Error {
	e := api.Errorf(api.Unavailable, "this device has too many answers waiting: take them, and ask again")
	e.RetryAfter = 1000
	return e
}

// answer queues the answer to a call that holds no slot.
func (c *conn) answer(call uint64, body []byte, e *api.Error) {
	c.enqueue(item{opcode: ws.OpBinary, body: answerFrame(call, body, e)})
}

func answerFrame(call uint64, body []byte, e *api.Error) []byte {
	frame, err := api.Marshal(api.Frame{Call: call, Body: body, Error: e})
	if err != nil {
		// The body is an encoding of ours, and the rest is plain fields.
		panic("stream: encoding an answer: " + err.Error())
	}
	return frame
}
