package client

import "sync"

// eventBuffer is how many events a subscriber may be behind.
const eventBuffer = 4096

// events fans events out to subscribers.
type events struct {
	mu     sync.Mutex
	subs   map[chan Event]bool
	closed bool
}

// Subscribe gives the events from now on. A subscriber who falls more than
// 4,096 events behind is cut off: its channel closes, and it reads the state
// anew. cancel closes the channel.
func (c *Client) Subscribe() (<-chan Event, func()) {
	e := &c.events
	e.mu.Lock()
	defer e.mu.Unlock()
	ch := make(chan Event, eventBuffer)
	if e.closed {
		close(ch)
		return ch, func() {}
	}
	if e.subs == nil {
		e.subs = map[chan Event]bool{}
	}
	e.subs[ch] = true
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.drop(ch)
	}
}

func (e *events) drop(ch chan Event) {
	if e.subs[ch] {
		delete(e.subs, ch)
		close(ch)
	}
}

func (e *events) send(list []Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.subs {
		for _, ev := range list {
			select {
			case ch <- ev:
				continue
			default:
			}
			e.drop(ch)
			break
		}
	}
}

func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for ch := range e.subs {
		e.drop(ch)
	}
}
