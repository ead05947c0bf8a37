package bridge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"sconce/client"
)

// eventBuffer is how many events a subscriber of a Remote may be behind.
const eventBuffer = 1024

// Remote is the [Door] to a client in another process, over a connection that
// [Serve] answers.
type Remote struct {
	conn    io.ReadWriteCloser
	out     *lineWriter
	reading sync.WaitGroup

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan reply // by id; each has room for its answer
	events  chan client.Event    // nil: nobody subscribed
	ended   *Error               // why there are no more answers
}

var _ Door = (*Remote)(nil)

// NewRemote makes a door of a connection, and owns it from then on.
func NewRemote(conn io.ReadWriteCloser) *Remote {
	r := &Remote{conn: conn, out: &lineWriter{w: conn}, waiting: make(map[int64]chan reply)}
	r.reading.Go(r.read)
	return r
}

// Close closes the connection. Calls under way end with an error.
func (r *Remote) Close() error {
	err := r.conn.Close()
	r.reading.Wait()
	return err
}

// Call implements Door. When ctx ends first, the other process goes on with the
// call and nobody hears of it.
func (r *Remote) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *Error) {
	id, answer, ended := r.expect()
	if ended != nil {
		return nil, ended
	}
	defer r.forget(id)
	if err := r.out.write(request{ID: id, Method: method, Params: params}); err != nil {
		return nil, Errorf(Failed, "the process that holds the store is gone: %v", err)
	}
	select {
	case a := <-answer:
		if a.Error != nil {
			return nil, a.Error
		}
		return a.Result, nil
	case <-ctx.Done():
		return nil, errorOf(context.Cause(ctx))
	}
}

// Subscribe implements Door. A Remote has one subscriber at a time.
func (r *Remote) Subscribe(ctx context.Context) (<-chan client.Event, func(), error) {
	events := make(chan client.Event, eventBuffer)
	r.mu.Lock()
	taken := r.events != nil
	if !taken {
		r.events = events
	}
	r.mu.Unlock()
	if taken {
		return nil, nil, errors.New("somebody subscribed already")
	}
	if _, err := r.Call(ctx, subscribe, nil); err != nil {
		r.drop(events)
		return nil, nil, err
	}
	cancel := func() {
		if r.drop(events) {
			_ = r.out.write(request{Method: unsubscribe}) // where it fails, no event comes either
		}
	}
	return events, cancel, nil
}

// drop ends a subscription, unless it ended before.
func (r *Remote) drop(events chan client.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events != events || events == nil {
		return false
	}
	close(events)
	r.events = nil
	return true
}

func (r *Remote) expect() (int64, <-chan reply, *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != nil {
		return 0, nil, r.ended
	}
	r.last++
	c := make(chan reply, 1)
	r.waiting[r.last] = c
	return r.last, c, nil
}

// gone reports whether the other process has ended.
func (r *Remote) gone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended != nil
}

func (r *Remote) forget(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
}

func (r *Remote) read() {
	in := bufio.NewReaderSize(r.conn, 64<<10)
	for {
		line, err := readLine(in, maxAnswer)
		var got reply
		if err == nil {
			err = json.Unmarshal(line, &got)
		}
		if err != nil {
			r.end(err)
			return
		}
		r.take(got)
	}
}

func (r *Remote) take(got reply) {
	if got.End != "" {
		r.drop(r.subscribed())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if got.Event != nil && r.events != nil {
		select {
		case r.events <- *got.Event:
		default: // too slow: cut off, as the client itself does
			close(r.events)
			r.events = nil
		}
		return
	}
	id, err := strconv.ParseInt(string(got.ID), 10, 64)
	if c := r.waiting[id]; err == nil && c != nil { // else its caller stopped waiting
		delete(r.waiting, id)
		c <- got
	}
}

func (r *Remote) subscribed() chan client.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

// end gives every call that waits the reason why no answer will come.
func (r *Remote) end(err error) {
	r.drop(r.subscribed())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = Errorf(Failed, "the process that held the store has ended")
	if !errors.Is(err, io.EOF) {
		r.ended.Message += fmt.Sprintf(" (%v)", err)
	}
	for id, c := range r.waiting {
		delete(r.waiting, id)
		c <- reply{Error: r.ended}
	}
}
