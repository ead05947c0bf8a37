// Package remote lets a test outside a browser use a [client.Transport] inside
// it, call by call: [Transport] is the test's end, and [Serve] the browser's, of
// one connection that carries whole messages.
package remote

import (
	"context"
	"errors"
	"sync"

	"sconce/api"
	"sconce/client"
)

// Conn carries whole messages, in order.
type Conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, message []byte) error
}

// message is what either end says. ID is the call's or the stream's.
type message struct {
	ID    int
	Op    string // call, stream, cancel, taken; ready, push, done
	Name  string
	Token []byte // nil and empty are told apart by Open
	Open  bool   // there is no token
	Body  []byte
	Push  []byte // an encoded api.Push
	Error *failure
}

// failure is an error on its way: the server's, the context's, or another.
type failure struct {
	Server   *api.Error
	Canceled bool
	Text     string
}

func fail(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error(), Canceled: errors.Is(err, context.Canceled)}
	f.Server, _ = errors.AsType[*api.Error](err)
	return f
}

func (f *failure) err() error {
	switch {
	case f == nil:
		return nil
	case f.Server != nil:
		return f.Server
	case f.Canceled:
		return context.Canceled
	}
	return errors.New(f.Text)
}

// line writes messages from several goroutines.
type line struct {
	conn Conn
	mu   sync.Mutex // held while writing
}

func (l *line) write(ctx context.Context, m message) error {
	b, err := api.Marshal(m)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn.Write(ctx, b)
}

// Transport is a client.Transport at the other end of a connection.
type Transport struct {
	line line

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
}

var _ client.Transport = (*Transport)(nil)

// New speaks over a connection until that ends.
func New(ctx context.Context, conn Conn) *Transport {
	t := &Transport{line: line{conn: conn}, waiting: map[int]chan message{}}
	go t.read(ctx)
	return t
}

func (t *Transport) read(ctx context.Context) {
	for {
		b, err := t.line.conn.Read(ctx)
		var m message
		if err == nil {
			err = api.Unmarshal(b, &m)
		}
		if err != nil {
			t.lost(err)
			return
		}
		t.mu.Lock()
		to := t.waiting[m.ID]
		t.mu.Unlock()
		if to != nil {
			to <- m
		}
	}
}

// lost ends what waits when the connection does.
func (t *Transport) lost(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.waiting {
		select {
		case c <- message{Op: "done", Error: &failure{Text: "the other end is gone: " + err.Error()}}:
		default: // it has enough to read
		}
	}
}

// begin sends the first message of an exchange. What ends ctx is passed on, and
// the other end answers to that too.
func (t *Transport) begin(ctx context.Context, m message) (answers <-chan message, id int, end func(), err error) {
	t.mu.Lock()
	t.last++
	m.ID = t.last
	c := make(chan message, 64)
	t.waiting[m.ID] = c
	t.mu.Unlock()
	if err := t.line.write(context.WithoutCancel(ctx), m); err != nil {
		return nil, 0, nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = t.line.write(context.WithoutCancel(ctx), message{ID: m.ID, Op: "cancel"})
	})
	return c, m.ID, func() {
		stop()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waiting, m.ID)
	}, nil
}

// Call implements client.Transport.
func (t *Transport) Call(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	answers, _, end, err := t.begin(ctx, message{Op: "call", Name: name, Token: token, Open: token == nil, Body: body})
	if err != nil {
		return nil, err
	}
	defer end()
	m := <-answers
	return m.Body, m.Error.err()
}

// Stream implements client.Transport.
func (t *Transport) Stream(ctx context.Context, token []byte, ready func(), push func(*api.Push)) error {
	answers, id, end, err := t.begin(ctx, message{Op: "stream", Token: token})
	if err != nil {
		return err
	}
	defer end()
	for m := range answers {
		switch m.Op {
		case "ready":
			ready()
		case "push":
			p := new(api.Push)
			if err := api.Unmarshal(m.Push, p); err != nil {
				return err
			}
			push(p)
			if err := t.line.write(context.WithoutCancel(ctx), message{ID: id, Op: "taken"}); err != nil {
				return err
			}
		case "done":
			return m.Error.err()
		}
	}
	return errors.New("not reached") // answers is never closed
}

// server is the browser's end.
type server struct {
	line      line
	transport client.Transport

	mu     sync.Mutex
	cancel map[int]context.CancelFunc
	taken  map[int]chan struct{}
}

// Serve makes the calls that come over conn with a transport, until conn ends.
func Serve(ctx context.Context, conn Conn, t client.Transport) error {
	s := &server{line: line{conn: conn}, transport: t, cancel: map[int]context.CancelFunc{}, taken: map[int]chan struct{}{}}
	for {
		b, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var m message
		if err := api.Unmarshal(b, &m); err != nil {
			return err
		}
		s.take(ctx, m)
	}
}

func (s *server) take(ctx context.Context, m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.Op {
	case "cancel":
		s.cancel[m.ID]()
		return
	case "taken":
		s.taken[m.ID] <- struct{}{}
		return
	}
	ctx, s.cancel[m.ID] = context.WithCancel(ctx)
	s.taken[m.ID] = make(chan struct{}, 1)
	go s.run(ctx, m, s.taken[m.ID])
}

func (s *server) run(ctx context.Context, m message, taken <-chan struct{}) {
	say := func(answer message) {
		answer.ID = m.ID
		_ = s.line.write(context.WithoutCancel(ctx), answer) // the other end is gone, then
	}
	if m.Op == "call" {
		token := m.Token
		if token == nil && !m.Open {
			token = []byte{}
		}
		body, err := s.transport.Call(ctx, m.Name, token, m.Body)
		say(message{Op: "done", Body: body, Error: fail(err)})
		return
	}
	err := s.transport.Stream(ctx, m.Token, func() { say(message{Op: "ready"}) }, func(p *api.Push) {
		b, err := api.Marshal(p)
		if err != nil {
			return
		}
		say(message{Op: "push", Push: b})
		select {
		case <-taken:
		case <-ctx.Done():
		}
	})
	say(message{Op: "done", Error: fail(err)})
}
