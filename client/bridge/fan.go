package bridge

import (
	"sync"

	"sconce/client"
)

// fan gives events to all who subscribed. Whoever is too slow is cut off, as the
// client itself does.
type fan struct {
	mu     sync.Mutex
	subs   map[chan client.Event]bool
	closed bool
}

func (f *fan) subscribe() (<-chan client.Event, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := make(chan client.Event, 4*eventBuffer)
	if f.closed {
		close(ch)
		return ch, func() {}
	}
	if f.subs == nil {
		f.subs = map[chan client.Event]bool{}
	}
	f.subs[ch] = true
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(ch)
	}
}

func (f *fan) drop(ch chan client.Event) {
	if f.subs[ch] {
		delete(f.subs, ch)
		close(ch)
	}
}

func (f *fan) send(e client.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs {
		select {
		case ch <- e:
		default:
			f.drop(ch)
		}
	}
}

// cut ends all subscriptions: events were lost before they came here, and whoever
// listens reads anew how things stand.
func (f *fan) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs {
		f.drop(ch)
	}
}

func (f *fan) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for ch := range f.subs {
		f.drop(ch)
	}
}
