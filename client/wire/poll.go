package wire

import (
	"context"
	"errors"
	"sync"
	"time"

	"sconce/api"
)

const (
	pollTimeout = api.PollWait*time.Millisecond + 20*time.Second
	pollRepeats = 3 // of a poll that got no answer, before the stream counts as broken
	pollPause   = time.Second

	// After a socket failed where polling worked, the socket is left alone for
	// the first of these, and twice as long after each failure, up to the second.
	socketPause    = time.Minute
	longestPause   = 30 * time.Minute
	shortestSocket = 10 * time.Second // of a life that counts as one
)

// Stream implements client.Transport. When the network breaks it, the error is
// an *[UnreachableError]; when the server refuses the token, an *[api.Error].
//
// Where a WebSocket does not come about, or is cut again and again as soon as it
// is open, although requests are answered, the stream goes by [api.Poll]; after
// a while that ends with an *[UnreachableError], so that the socket is tried
// again.
func (t *Transport) Stream(ctx context.Context, token []byte, ready func(), push func(*api.Push)) error {
	if wait := t.socketRest(); wait > 0 {
		return t.poll(ctx, wait, token, ready, push)
	}
	opened, began := false, time.Now()
	err := t.socket(ctx, token, func() { opened = true; ready() }, push)
	if ctx.Err() != nil {
		return err
	}
	if opened {
		t.socketLived(time.Since(began))
		return err
	}
	_, refused := errors.AsType[*api.Error](err)
	if _, said := errors.AsType[*GoodbyeError](err); refused || said {
		return err // a poll would hear the same
	}
	// Whether it is the socket or the whole network, a poll finds out.
	polled := false
	pollErr := t.poll(ctx, t.nextRest(), token, func() { polled = true; t.socketFailed(); ready() }, push)
	if other, ok := errors.AsType[*api.Error](pollErr); ok && other.Code == api.Unauthenticated {
		return pollErr
	}
	if polled || ctx.Err() != nil {
		return pollErr
	}
	return err
}

// rest is for how long the socket is left alone. It lives in a Transport, under
// its mutex.
type rest struct {
	until  time.Time
	length time.Duration // of the latest rest; 0: the socket works
	broken int           // sockets in a row that ended as soon as they were open
}

// socketRest tells how long the socket is to be left alone yet.
func (t *Transport) socketRest() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.rest.until)
}

// nextRest is how long a socket that fails now is left alone.
func (t *Transport) nextRest() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return min(max(2*t.rest.length, socketPause), longestPause)
}

// socketFailed begins a rest.
func (t *Transport) socketFailed() {
	length := t.nextRest()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = rest{until: time.Now().Add(length), length: length}
}

// socketLived takes note of a socket that had been open. Three in a row that
// were cut at once are as good as none.
func (t *Transport) socketLived(life time.Duration) {
	t.mu.Lock()
	broken := t.rest.broken + 1
	if life >= shortestSocket {
		t.rest, broken = rest{}, 0
	}
	t.rest.broken = broken
	t.mu.Unlock()
	if broken >= 3 {
		t.socketFailed()
	}
}

// errSocketAgain ends a stream of polls when the socket has rested.
var errSocketAgain = errors.New("it is asked for a WebSocket again")

// poll is a stream by polling, for as long as the socket rests.
func (t *Transport) poll(ctx context.Context, forTime time.Duration, token []byte, ready func(), push func(*api.Push)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	first, err := t.pollOnce(ctx, token, api.PollRequest{})
	if err != nil {
		return err
	}
	if len(first.Session) == 0 {
		return t.broken(ctx, errors.New("it polls without a session"))
	}
	pushes := newPushQueue()
	var running sync.WaitGroup
	defer running.Wait()
	defer stop(nil)
	running.Go(func() { stop(t.pollOn(ctx, forTime, token, first, pushes)) })
	ready()
	for {
		p, err := pushes.next(ctx)
		if err != nil {
			return t.pollEnded(ctx)
		}
		push(p)
	}
}

// pollEnded says what ended a stream of polls.
func (t *Transport) pollEnded(ctx context.Context) error {
	err := context.Cause(ctx)
	if refused, ok := errors.AsType[*api.Error](err); ok && refused.Code != api.Unauthenticated {
		// The session ended, and a stream can begin anew: that is no refusal, so it
		// must not be found as one.
		return &UnreachableError{Host: t.host, Err: errors.New(refused.Message)}
	}
	return err
}

// pollOn polls until something ends it, and says what.
func (t *Transport) pollOn(ctx context.Context, forTime time.Duration, token []byte, last *api.PollResponse, pushes *pushQueue) error {
	end := time.Now().Add(forTime)
	for {
		if err := takePushes(last, pushes); err != nil {
			return t.broken(ctx, err)
		}
		// Pushes that wait at the server are not left behind.
		if time.Now().After(end) && len(last.Frames) == 0 {
			return &UnreachableError{Host: t.host, Err: errSocketAgain}
		}
		next, err := t.pollAgain(ctx, token, api.PollRequest{Session: last.Session, Seen: last.Answer})
		if err != nil {
			return err
		}
		if next.Answer != last.Answer+1 {
			return t.broken(ctx, errors.New("it answers another poll than was made"))
		}
		next.Session, last = last.Session, next
	}
}

// pollAgain repeats a poll whose answer got lost: the server gives it again.
func (t *Transport) pollAgain(ctx context.Context, token []byte, req api.PollRequest) (*api.PollResponse, error) {
	for try := 1; ; try++ {
		next, err := t.pollOnce(ctx, token, req)
		if _, broke := errors.AsType[*UnreachableError](err); !broke || try == pollRepeats {
			return next, err
		}
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (t *Transport) pollOnce(ctx context.Context, token []byte, req api.PollRequest) (*api.PollResponse, error) {
	body, err := api.Marshal(&req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, pollTimeout, &UnreachableError{Host: t.host, Err: errLate})
	defer cancel()
	answer, err := t.post(ctx, api.Poll.Name, token, body, MaxFrame)
	if err != nil {
		return nil, err
	}
	resp := new(api.PollResponse)
	if err := api.Unmarshal(answer, resp); err != nil {
		return nil, t.broken(ctx, errors.New("it sends what is not the answer to a poll"))
	}
	return resp, nil
}

// takePushes hands on what one answer brought.
func takePushes(resp *api.PollResponse, pushes *pushQueue) error {
	for _, frame := range resp.Frames {
		f := new(api.Frame)
		if err := api.Unmarshal(frame, f); err != nil || f.Push == nil {
			return errors.New("it sends what is not a push")
		}
		if err := pushes.add(f.Push); err != nil {
			return err
		}
	}
	return nil
}
