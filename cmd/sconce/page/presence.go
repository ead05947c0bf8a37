package page

import (
	"context"
	"sync"
	"time"

	"sconce/client"
	"sconce/client/bridge"
)

const (
	// away is how long no page may be there before the store is locked. A reload
	// takes a second, and a browser that starts again some more.
	away = 30 * time.Second

	// looking is how often the clock is looked at: a computer that slept has been
	// idle all the while, which no timer of that length would tell.
	looking = time.Second
)

// presence is who is at the page. The zero value is nobody.
type presence struct {
	mu      sync.Mutex // guards what follows
	pages   int        // connections
	left    time.Time  // when the last page went; zero: none was there yet
	touched time.Time  // when somebody was there for sure
	open    bool       // there is something to lock
	idle    time.Duration
}

func (p *presence) come() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages++
}

func (p *presence) leave(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages--
	p.left = now
}

// touch says that somebody is there. Whoever comes back too late finds it locked.
func (p *presence) touch(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over(now) {
		p.touched = now
	}
}

// learn takes how the door stands, and how long its person may be idle: 0 is for
// ever, less that nobody could say, and it stays. Whoever has just opened it is
// there.
func (p *presence) learn(now time.Time, open bool, idle time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open && !p.open {
		p.touched = now
	}
	p.open = open
	if idle >= 0 {
		p.idle = idle
	}
}

func (p *presence) due(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over(now)
}

// over reports whether nobody has been there for too long. The caller holds mu.
func (p *presence) over(now time.Time) bool {
	if !p.open {
		return false
	}
	idle := p.idle > 0 && since(p.touched, now) >= p.idle
	gone := p.pages == 0 && !p.left.IsZero() && since(p.left, now) >= away
	return idle || gone
}

// since is how long ago something was, by whichever of two clocks says more: one
// stands still while the computer sleeps, the other may be set back.
func since(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

// LockWhenAlone locks the door when nobody has touched the page for as long as
// the person has set, and when no page has been there for half a minute. It
// returns when ctx ends. Until a first page has come only the first counts:
// whoever opened the store without one did not wait for it.
func (s *Server) LockWhenAlone(ctx context.Context) {
	var events <-chan client.Event
	cancel := func() {}
	defer func() { cancel() }()
	subscribe := func() {
		var err error
		if events, cancel, err = s.door.Subscribe(ctx); err != nil {
			events, cancel = nil, func() {}
		}
		s.learn(ctx)
	}
	subscribe()
	tick := time.NewTicker(looking)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil // until the next look
			} else if e.State != nil || e.Settings != nil {
				s.learn(ctx)
			}
		case <-tick.C:
			if events == nil {
				subscribe()
			}
			if s.here.due(time.Now()) {
				_, _ = bridge.Lock.Call(ctx, s.door, bridge.None{}) // if it is not locked then, it is tried again
			}
		}
	}
}

// learn asks the door how it stands.
func (s *Server) learn(ctx context.Context) {
	state, err := bridge.State.Call(ctx, s.door, bridge.None{})
	if err != nil {
		return // what cannot be asked tells when it changes
	}
	idle := time.Duration(-1)
	if state.State == client.PhaseOpen {
		if settings, err := bridge.Settings.Call(ctx, s.door, bridge.None{}); err == nil {
			idle = time.Duration(settings.IdleLock) * time.Second
		}
	}
	s.here.learn(time.Now(), state.State == client.PhaseOpen, idle)
}
