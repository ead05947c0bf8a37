package wire

import (
	"context"
	"errors"
	"sync"

	"sconce/api"
)

const (
	maxQueued = 256     // pushes that wait with their entries
	maxBytes  = 4 << 20 // and the messages in them
	maxHinted = 1 << 14 // logs that wait as hints
)

// pushQueue holds what was pushed until the client takes it. When the client is
// slow, what comes is cut down to hints, one for each log: the entries stand in
// the log. Each log's pushes keep their order.
type pushQueue struct {
	wake chan struct{} // holds one token while something may be there

	mu    sync.Mutex
	queue []*api.Push
	bytes int
	hints map[api.LogID]uint64 // how far each log goes; they come after the queue
	order []api.LogID          // of the hints
}

func newPushQueue() *pushQueue {
	return &pushQueue{wake: make(chan struct{}, 1), hints: make(map[api.LogID]uint64)}
}

// add never waits.
func (q *pushQueue) add(p *api.Push) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	for i := range p.Entries {
		size += len(p.Entries[i].Message)
	}
	// Once there are hints, all goes behind them, or a log would be out of order.
	if len(q.hints) == 0 && len(q.queue) < maxQueued && q.bytes+size <= maxBytes {
		q.queue = append(q.queue, p)
		q.bytes += size
	} else if len(p.Signal) > 0 {
		return nil // it is worth nothing later
	} else if err := q.hint(p); err != nil {
		return err
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

func (q *pushQueue) hint(p *api.Push) error {
	last, known := q.hints[p.Log]
	if !known {
		if len(q.hints) == maxHinted {
			return errors.New("it pushes for more logs than a device can be in")
		}
		q.order = append(q.order, p.Log)
	}
	q.hints[p.Log] = max(last, p.Last)
	return nil
}

// next waits for a push.
func (q *pushQueue) next(ctx context.Context) (*api.Push, error) {
	for {
		if p := q.pop(); p != nil {
			return p, nil
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *pushQueue) pop() *api.Push {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) > 0 {
		p := q.queue[0]
		q.queue[0] = nil // let go of its messages
		q.queue = q.queue[1:]
		for i := range p.Entries {
			q.bytes -= len(p.Entries[i].Message)
		}
		return p
	}
	if len(q.order) == 0 {
		return nil
	}
	log := q.order[0]
	q.order = q.order[1:]
	p := &api.Push{Log: log, Last: q.hints[log]}
	delete(q.hints, log)
	return p
}
