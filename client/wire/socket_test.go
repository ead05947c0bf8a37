package wire

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"sconce/api"
)

// Nothing that a server sends makes the reader panic or wait, and what it keeps
// of it stays bounded.
func FuzzFrame(f *testing.F) {
	for _, frame := range []*api.Frame{
		{Call: 1, Body: []byte{0xa0}}, {Call: 1, Error: api.Errorf(api.Stale, "late")}, {Call: 2, Name: "hello"},
		{Push: &api.Push{Log: api.LogID{1}, Last: 3, Entries: []api.Entry{{Seq: 3, Message: []byte("m")}}}}, {},
	} {
		b, err := api.Marshal(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		answer := make(chan *api.Frame, 1)
		s := &socket{pushes: newPushQueue(), waiting: map[uint64]chan *api.Frame{1: answer}}
		for range 3 { // a second answer to the same call is none
			if err := s.take(b); err != nil {
				return
			}
		}
		for p := s.pushes.pop(); p != nil; p = s.pushes.pop() {
		}
		if s.pushes.bytes != 0 || len(s.pushes.hints) != 0 {
			t.Fatalf("an empty queue counts %d bytes and %d hints", s.pushes.bytes, len(s.pushes.hints))
		}
	})
}

// Whatever is pushed and however slowly it is taken: no log goes backwards, each
// ends where its last push said, and no more is kept than the limits say.
func TestPushesLoseNoLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := newPushQueue()
		pushed, taken := map[api.LogID]uint64{}, map[api.LogID]uint64{}
		take := func(p *api.Push) {
			if p.Last < taken[p.Log] {
				rt.Fatalf("log %x went from %d back to %d", p.Log[0], taken[p.Log], p.Last)
			}
			taken[p.Log] = p.Last
		}
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			log := api.LogID{rapid.ByteRange(0, 3).Draw(rt, "log")}
			for range rapid.IntRange(0, 100).Draw(rt, "pushes") {
				pushed[log]++
				size := rapid.SampledFrom([]int{0, 10, 1 << 20}).Draw(rt, "size")
				p := &api.Push{Log: log, Last: pushed[log], Entries: []api.Entry{{Message: make([]byte, size)}}}
				if err := q.add(p); err != nil {
					rt.Fatal(err)
				}
			}
			if len(q.queue) > maxQueued || q.bytes > maxBytes {
				rt.Fatalf("the queue holds %d pushes of %d bytes", len(q.queue), q.bytes)
			}
			for range rapid.IntRange(0, 50).Draw(rt, "taken") {
				if p := q.pop(); p != nil {
					take(p)
				}
			}
		}
		for p := q.pop(); p != nil; p = q.pop() {
			take(p)
		}
		for log, last := range pushed {
			if taken[log] != last {
				rt.Fatalf("log %x ended at %d; want %d", log[0], taken[log], last)
			}
		}
	})
}

func TestTooManyLogsEndTheStream(t *testing.T) {
	q := newPushQueue()
	var err error
	for i := 0; err == nil && i < maxQueued+maxHinted+10; i++ {
		err = q.add(&api.Push{Log: api.LogID{byte(i), byte(i >> 8), byte(i >> 16)}, Last: 1})
	}
	if err == nil || len(q.hints) != maxHinted {
		t.Fatalf("add = %v with %d hints; want an error at %d", err, len(q.hints), maxHinted)
	}
}

func TestWaitingForAPushEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newPushQueue().next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("next = %v; want %v", err, context.Canceled)
	}
}
