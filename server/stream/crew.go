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
