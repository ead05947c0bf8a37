package stream

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"time"

	"sconce/api"
	"sconce/internal/duty"
)

// sessionIdle is how long a session keeps what is pushed for a device that does
// not ask for it. It is a little more than a lost answer and its repeat take.
const sessionIdle = 60 * time.Second

// session is the stream of a device that polls. It owns no goroutine: a waiting
// poll is the call's.
type session struct {
	service *Service
	device  api.DeviceID
	id      [16]byte
	cancel  func()        // of the subscription
	wake    chan struct{} // holds one token while something may wait
	ended   chan struct{} // closed by end
	once    sync.Once

	mu     sync.Mutex // guards what follows
	frames [][]byte
	size   int // of frames
	hints  map[api.LogID]uint64
	latest *api.PollResponse // the newest answer; kept in case it gets lost
	turn   chan struct{}     // closed when another poll takes the place of the one that waits
	polls  int               // that wait, or are being answered
	idle   *time.Timer       // ends the session while polls is 0
}

// Register adds the endpoint for polls.
func (s *Service) Register(r *duty.Registry) { duty.Handle(r, api.Poll, s.poll) }

// poll answers one poll.
func (s *Service) poll(ctx context.Context, c duty.Caller, req *api.PollRequest) (*api.PollResponse, error) {
	if len(req.Session) == 0 {
		return s.begin(c)
	}
	s.mu.Lock()
	p := s.sessions[c.Device]
	s.mu.Unlock()
	if p == nil || subtle.ConstantTimeCompare(p.id[:], req.Session) == 0 {
		return nil, errEnded()
	}
	return p.answer(ctx, req.Seen)
}

func errEnded() error {
	return api.Errorf(api.NotFound, "this session of polls has ended: begin another")
}

// begin makes a session in place of the device's old one.
func (s *Service) begin(c duty.Caller) (*api.PollResponse, error) {
	if err := s.connects.Take(c); err != nil {
		return nil, err
	}
	p := &session{
		service: s, device: c.Device, wake: make(chan struct{}, 1), ended: make(chan struct{}), turn: make(chan struct{}),
	}
	_, _ = rand.Read(p.id[:]) // never fails (crypto/rand since Go 1.24)
	p.latest = &api.PollResponse{Session: p.id[:]}
	s.mu.Lock()
	old := s.sessions[c.Device]
	full := !s.roomLocked()
	if !full || old != nil && !s.closed {
		s.sessions[c.Device] = p
		full = false
	}
	s.mu.Unlock()
	if full {
		e := api.Errorf(api.Unavailable, "too many streams: try again soon")
		e.RetryAfter = 10_000
		return nil, e
	}
	if old != nil {
		old.end()
	}
	cancel := sync.OnceFunc(s.Delivery.Subscribe(c, p))
	p.mu.Lock()
	p.cancel = cancel
	p.idle = time.AfterFunc(sessionIdle, p.end)
	p.mu.Unlock()
	select {
	case <-p.ended: // by another that began meanwhile, or the end of the server
		cancel()
		p.idle.Stop()
		return nil, errEnded()
	default:
	}
	return p.latest, nil
}

// end forgets the session. A poll that waits is told.
func (p *session) end() {
	p.once.Do(func() { close(p.ended) })
	s := p.service
	s.mu.Lock()
	if s.sessions[p.device] == p {
		delete(s.sessions, p.device)
	}
	s.mu.Unlock()
	p.mu.Lock()
	cancel, idle := p.cancel, p.idle
	p.frames, p.hints, p.size = nil, nil, 0
	p.mu.Unlock()
	if cancel != nil { // else begin sees that it ended
		cancel()
		idle.Stop()
	}
}

// Push implements Sink. What is too much becomes a hint, as for a socket.
func (p *session) Push(log api.LogID, last uint64, frame []byte) {
	if p.add(log, last, frame) {
		// It can't be told all it misses, so it must begin anew. The end takes back
		// the subscription, which is at work here.
		p.service.crew.do(p.end)
	}
}

// add reports whether the device can't be told any more.
func (p *session) add(log api.LogID, last uint64, frame []byte) (lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, hinted := p.hints[log]
	switch {
	case !hinted && (len(p.frames) == 0 || p.size+len(frame) <= maxQueued):
		p.frames, p.size = append(p.frames, frame), p.size+len(frame)
	case !hinted && len(p.hints) >= maxHints:
		return true
	default:
		if p.hints == nil {
			p.hints = make(map[api.LogID]uint64)
		}
		p.hints[log] = max(p.hints[log], last)
	}
	p.signal()
	return false
}

// signal wakes the poll that waits.
func (p *session) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// answer gives what waits, or waits for it.
func (p *session) answer(ctx context.Context, seen uint64) (*api.PollResponse, error) {
	turn, err := p.enter(seen)
	if err != nil {
		return nil, err
	}
	defer p.leave()
	over := time.NewTimer(api.PollWait * time.Millisecond)
	defer over.Stop()
	for late := false; ; {
		resp, err := p.take(turn, seen, late)
		if err != nil {
			p.signal() // what woke this one was meant for the other
		}
		if resp != nil || err != nil {
			return resp, err
		}
		select {
		case <-p.wake:
		case <-over.C:
			late = true
		case <-turn:
		case <-p.ended:
			return nil, errEnded()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// enter makes this poll the one that waits: a device that asks again has given
// the other up.
func (p *session) enter(seen uint64) (turn chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.latest.Answer; seen != n && seen+1 != n {
		return nil, api.Errorf(api.Invalid, "answer %d was not the last of this session", seen)
	}
	close(p.turn)
	p.turn = make(chan struct{})
	p.polls++
	p.idle.Stop()
	return p.turn, nil
}

func (p *session) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls--
	select {
	case <-p.ended:
	default:
		if p.polls == 0 {
			p.idle.Reset(sessionIdle)
		}
	}
}

// take gives the answer to a poll, or nil while there is none: the one before
// again if the device has not seen it, or what waits, or, when it is late,
// nothing.
func (p *session) take(turn chan struct{}, seen uint64, late bool) (*api.PollResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turn != turn {
		return nil, api.Errorf(api.Conflict, "another poll took the place of this one")
	}
	if seen+1 == p.latest.Answer {
		return p.latest, nil
	}
	p.latest = &api.PollResponse{Session: p.id[:], Answer: seen} // it came: let its frames go
	if len(p.frames) == 0 {
		for log, last := range p.hints {
			p.frames = append(p.frames, hint(log, last))
		}
		p.hints = nil
	}
	if len(p.frames) == 0 && !late {
		return nil, nil
	}
	p.latest = &api.PollResponse{Session: p.id[:], Answer: seen + 1, Frames: p.frames}
	p.frames, p.size = nil, 0
	return p.latest, nil
}
