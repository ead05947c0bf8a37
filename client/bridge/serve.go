package bridge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"sconce/client"
)

// callsAtOnce is how many requests of one caller run at the same time; the next
// is read when one is done.
const callsAtOnce = 32

// Serve carries out the requests that come as lines on in, and writes answers
// and events as lines to out, until in ends: then it waits for the calls under
// way and returns nil. When ctx ends or out fails it returns that error at once;
// a Read that still blocks is then left behind, so whoever can close in should.
func Serve(ctx context.Context, in io.Reader, out io.Writer, d Door) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &server{door: d, out: &lineWriter{w: out}, stop: stop}
	lines := make(chan inputLine)
	go readLines(ctx, in, lines)
	err := s.serve(ctx, lines)
	s.unsubscribe()
	if err != nil {
		stop(err)
	}
	s.running.Wait()
	if err == nil {
		err = context.Cause(ctx) // what broke while the last calls ended
	}
	return err
}

type inputLine struct {
	line []byte
	err  error
}

func readLines(ctx context.Context, in io.Reader, lines chan<- inputLine) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := readLine(r, MaxParams)
		select {
		case lines <- inputLine{line, err}:
		case <-ctx.Done():
			return
		}
		if err != nil && !errors.Is(err, errTooLong) {
			return
		}
	}
}

// server serves one caller. Its fields belong to the goroutine of Serve, but
// for out.
type server struct {
	door    Door
	out     *lineWriter
	stop    context.CancelCauseFunc
	running sync.WaitGroup
	cancel  func() // of the subscription; nil: there is none
}

func (s *server) serve(ctx context.Context, lines <-chan inputLine) error {
	turns := make(chan struct{}, callsAtOnce)
	for {
		var l inputLine
		select {
		case l = <-lines:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch {
		case errors.Is(l.err, io.EOF):
			return nil
		case errors.Is(l.err, errTooLong):
			s.answer(idIn(l.line), nil, Errorf(TooLong, "a line has more than %d bytes", MaxParams))
			continue
		case l.err != nil:
			return l.err
		case len(l.line) == 0:
			continue
		}
		var req request
		if err := parse(l.line, &req); err != nil {
			s.answer(idIn(l.line), nil, Errorf(Params, "a request: %v", err))
			continue
		}
		id := encodeID(req.ID)
		if req.Method == subscribe || req.Method == unsubscribe {
			s.answer(id, json.RawMessage("{}"), s.subscription(ctx, req.Method))
			continue
		}
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		s.running.Go(func() {
			result, err := s.door.Call(ctx, req.Method, req.Params)
			s.answer(id, result, err)
			<-turns
		})
	}
}

func (s *server) answer(id, result json.RawMessage, refused *Error) {
	r := reply{ID: id, Result: result}
	if refused != nil {
		r.Result, r.Error = nil, refused
	}
	s.write(r)
}

func (s *server) write(r reply) {
	if err := s.out.write(r); err != nil {
		s.stop(err)
	}
}

// subscription begins or ends it. Beginning anew is no error: whoever was cut
// off does.
func (s *server) subscription(ctx context.Context, method string) *Error {
	s.unsubscribe()
	if method == unsubscribe {
		return nil
	}
	events, cancel, err := s.door.Subscribe(ctx)
	if err != nil {
		return errorOf(err)
	}
	ended := make(chan struct{})
	s.cancel = func() { close(ended); cancel() }
	s.running.Go(func() { s.forward(ctx, events, ended) })
	return nil
}

func (s *server) unsubscribe() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
}

func (s *server) forward(ctx context.Context, events <-chan client.Event, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if ok {
				s.write(reply{Event: &e})
				continue
			}
		}
		select {
		case <-ended: // our own doing
		default:
			s.write(reply{End: "events were lost: subscribe again, and read anew what is on the screen"})
		}
		return
	}
}
