package stream

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
)

// post is a delivery that a test pushes with.
type post struct {
	mu    sync.Mutex
	sinks []Sink
}

func (p *post) Subscribe(_ duty.Caller, s Sink) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sinks = append(p.sinks, s)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sinks = slices.DeleteFunc(p.sinks, func(o Sink) bool { return o == s })
	}
}

func (p *post) push(t testing.TB, log byte, last uint64, size int) {
	t.Helper()
	frame, err := api.Marshal(&api.Frame{Push: &api.Push{
		Log: api.LogID{log}, Last: last, Entries: []api.Entry{{Seq: last, Message: make([]byte, size)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sinks {
		s.Push(api.LogID{log}, last, frame)
	}
}

func (p *post) subscribers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sinks)
}

// poller is one device that polls.
type poller struct {
	t       testing.TB
	service *Service
	caller  duty.Caller
	session []byte
	seen    uint64
}

func pollers(t testing.TB) (*Service, *post) {
	p := &post{}
	log := slog.New(slog.DiscardHandler)
	return New(Config{Registry: duty.NewRegistry(log), Auth: anyone{}, Delivery: p, Clock: time.Now, Logger: log}), p
}

func poll(t testing.TB, s *Service, device byte) *poller {
	t.Helper()
	p := &poller{t: t, service: s, caller: duty.Caller{Device: api.DeviceID{device}}}
	resp, err := s.poll(t.Context(), p.caller, &api.PollRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p.session, p.seen = resp.Session, resp.Answer
	return p
}

func (p *poller) ask(ctx context.Context) (*api.PollResponse, error) {
	return p.service.poll(ctx, p.caller, &api.PollRequest{Session: p.session, Seen: p.seen})
}

// next asks, and takes note of the answer.
func (p *poller) next() (pushes []api.Push) {
	p.t.Helper()
	resp, err := p.ask(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	p.seen = resp.Answer
	for _, frame := range resp.Frames {
		var f api.Frame
		if err := api.Unmarshal(frame, &f); err != nil || f.Push == nil {
			p.t.Fatalf("frame %x: %v", frame, err)
		}
		pushes = append(pushes, *f.Push)
	}
	return pushes
}

func code(err error) api.Code {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestPollWaitsForAPushAndNoLongerThanSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, delivery := pollers(t)
		defer s.Close()
		p := poll(t, s, 1)
		began := time.Now()
		if got := p.next(); len(got) != 0 || time.Since(began) != api.PollWait*time.Millisecond {
			t.Fatalf("an empty poll gave %d pushes after %v", len(got), time.Since(began))
		}
		began = time.Now()
		time.AfterFunc(3*time.Second, func() { delivery.push(t, 1, 7, 10) })
		if got := p.next(); len(got) != 1 || got[0].Last != 7 || time.Since(began) != 3*time.Second {
			t.Fatalf("a poll gave %+v after %v; want push 7 after 3s", got, time.Since(began))
		}
	})
}

// What is lost on the way is given again, what came is not, and what is pushed
// between two polls is not lost.
func TestPollsGiveEachPushOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, delivery := pollers(t)
		defer s.Close()
		p := poll(t, s, 1)
		delivery.push(t, 1, 1, 10)
		lost, err := p.ask(t.Context())
		if err != nil || len(lost.Frames) != 1 {
			t.Fatalf("poll = %+v, %v", lost, err)
		}
		delivery.push(t, 1, 2, 10)
		if got := p.next(); len(got) != 1 || got[0].Last != 1 {
			t.Fatalf("the poll made again gave %+v; want push 1", got)
		}
		if got := p.next(); len(got) != 1 || got[0].Last != 2 {
			t.Fatalf("the next poll gave %+v; want push 2", got)
		}
		p.seen += 5
		if _, err := p.ask(t.Context()); code(err) != api.Invalid {
			t.Fatalf("a poll that has seen what was never given = %v; want %s", err, api.Invalid)
		}
	})
}

func TestNewerPollTakesTheOldersPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, delivery := pollers(t)
		defer s.Close()
		p := poll(t, s, 1)
		older := make(chan error, 1)
		go func() { _, err := p.ask(t.Context()); older <- err }()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { delivery.push(t, 1, 1, 10) })
		if got := p.next(); len(got) != 1 {
			t.Fatalf("the newer poll gave %+v; want the push", got)
		}
		if err := <-older; code(err) != api.Conflict {
			t.Fatalf("the older poll = %v; want %s", err, api.Conflict)
		}
	})
}

func TestSessionEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *Service){
		"when another begins": func(t *testing.T, s *Service) { poll(t, s, 1) },
		"when nobody polls":   func(*testing.T, *Service) { time.Sleep(sessionIdle + time.Second) },
		"when the device is removed": func(_ *testing.T, s *Service) {
			_ = s.CloseDevice(context.Background(), identity.UserID{}, identity.DeviceID{1})
		},
		"when the server stops": func(_ *testing.T, s *Service) { s.Close() },
		"with too many logs to tell of": func(t *testing.T, s *Service) {
			s.mu.Lock()
			p := s.sessions[api.DeviceID{1}]
			s.mu.Unlock()
			p.Push(api.LogID{}, 1, make([]byte, maxQueued))
			for i := range maxHints + 1 {
				p.Push(api.LogID{1, byte(i), byte(i >> 8)}, 1, []byte{1})
			}
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, delivery := pollers(t)
				defer s.Close()
				p := poll(t, s, 1)
				poll(t, s, 2) // and another device, which stays
				end(t, s)
				if _, err := p.ask(t.Context()); code(err) != api.NotFound {
					t.Errorf("poll = %v; want %s", err, api.NotFound)
				}
				synctest.Wait()
				s.mu.Lock()
				sessions := len(s.sessions)
				s.mu.Unlock()
				if n := delivery.subscribers(); n != sessions {
					t.Errorf("%d subscriptions for %d sessions", n, sessions)
				}
			})
		})
	}
}

func TestWaitingPollEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := pollers(t)
		defer s.Close()
		p := poll(t, s, 1)
		done := make(chan error, 1)
		go func() { _, err := p.ask(t.Context()); done <- err }()
		synctest.Wait()
		_ = s.CloseDevice(t.Context(), identity.UserID{}, identity.DeviceID{1})
		if err := <-done; code(err) != api.NotFound {
			t.Fatalf("poll = %v; want %s", err, api.NotFound)
		}
	})
}

func TestSessionOfAnotherDeviceIsNotGiven(t *testing.T) {
	s, _ := pollers(t)
	defer s.Close()
	p, other := poll(t, s, 1), poll(t, s, 2)
	p.session = other.session
	if _, err := p.ask(t.Context()); code(err) != api.NotFound {
		t.Fatalf("poll = %v; want %s", err, api.NotFound)
	}
}

// Whatever is pushed, and however often an answer gets lost: no log goes
// backwards, each ends where its last push said, and no more waits than the
// limits say.
func TestPollsLoseNoLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, delivery := pollers(t)
		defer s.Close()
		p := poll(t, s, 1)
		pushed, taken := map[api.LogID]uint64{}, map[api.LogID]uint64{}
		take := func() {
			for _, push := range p.next() {
				if push.Last <= taken[push.Log] {
					rt.Fatalf("log %x went from %d to %d", push.Log[0], taken[push.Log], push.Last)
				}
				taken[push.Log] = push.Last
			}
		}
		behind := func() bool {
			for log, last := range pushed {
				if taken[log] != last {
					return true
				}
			}
			return false
		}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			for range rapid.IntRange(1, 8).Draw(rt, "pushes") {
				log := rapid.ByteRange(1, 4).Draw(rt, "log")
				pushed[api.LogID{log}]++
				delivery.push(t, log, pushed[api.LogID{log}], rapid.SampledFrom([]int{0, 100, maxQueued / 2}).Draw(rt, "size"))
			}
			if rapid.Bool().Draw(rt, "lost") {
				if _, err := p.ask(t.Context()); err != nil {
					rt.Fatal(err)
				}
			}
			if rapid.Bool().Draw(rt, "taken") {
				take()
			}
		}
		for behind() {
			take()
		}
	})
}
