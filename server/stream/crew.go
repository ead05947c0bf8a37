package stream

import (
	"context"
	"sync"
	"sync/atomic"
)

// crew runs short work on goroutines that have worked before. A new goroutine
// begins with a stack that a call soon outgrows; growing one for each call and
// each write took 7 to 16 % of the server's time.
type crew struct {
	ctx     context.Context // ends those who wait for work
	running *sync.WaitGroup // all of them
	work    chan func()     // to one who waits
	waiting atomic.Int32
}

// maxWaiting is how many wait for work; each keeps some 8 KiB of stack.
const maxWaiting = 64

func newCrew(ctx context.Context, running *sync.WaitGroup) *crew {
	return &crew{ctx: ctx, running: running, work: make(chan func())}
}

// do runs fn soon, and does not wait.
func (c *crew) do(fn func()) {
	select {
	case c.work <- fn:
	default:
		c.running.Go(func() { c.serve(fn) })
	}
}

func (c *crew) serve(fn func()) {
	for fn != nil {
		fn()
		if c.waiting.Add(1) > maxWaiting {
			c.waiting.Add(-1)
			return
		}
		select {
		case fn = <-c.work:
		case <-c.ctx.Done():
			fn = nil
		}
		c.waiting.Add(-1)
	}
}

// press keeps writes that are about to begin until all that goes out together is
// queued, so that each stream gets it in one system call.
type press struct {
	mu      sync.Mutex
	held    bool
	waiting []*conn
}

// Hold keeps the streams from beginning to write until Release. What they write
// already goes on, and so do their queues' bounds.
func (s *Service) Hold() {
	s.press.mu.Lock()
	defer s.press.mu.Unlock()
	s.press.held = true
}

// Release lets the streams write.
func (s *Service) Release() {
	s.press.mu.Lock()
	waiting := s.press.waiting
	s.press.held, s.press.waiting = false, nil
	s.press.mu.Unlock()
	for _, c := range waiting {
		s.crew.do(c.write)
	}
}

// write has somebody write what a stream has queued, soon.
func (s *Service) write(c *conn) {
	s.press.mu.Lock()
	held := s.press.held
	if held {
		s.press.waiting = append(s.press.waiting, c)
	}
	s.press.mu.Unlock()
	if !held {
		s.crew.do(c.write)
	}
}
