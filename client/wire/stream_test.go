package wire_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sconce/api"
	"sconce/client/wire"
)

// fake is a carrier whose sockets never come about, and whose polls a test
// answers.
type fake struct {
	dials atomic.Int32
	dial  func(ctx context.Context) (wire.Conn, error)
	poll  func(ctx context.Context, req api.PollRequest) (*api.PollResponse, error)
}

func (f *fake) Dial(ctx context.Context, _ string) (wire.Conn, error) {
	f.dials.Add(1)
	if f.dial != nil {
		return f.dial(ctx)
	}
	return nil, errors.New("blocked")
}

func (f *fake) Post(ctx context.Context, path string, _, body []byte, _ int) (*wire.Answer, error) {
	if path != api.Poll.Path() {
		return nil, errors.New("only polls here")
	}
	var req api.PollRequest
	if err := api.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	resp, err := f.poll(ctx, req)
	if refused, ok := errors.AsType[*api.Error](err); ok {
		b, _ := api.Marshal(refused)
		return &wire.Answer{Status: refused.Code.Status(), Body: b}, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := api.Marshal(resp)
	return &wire.Answer{Status: 200, Text: "200 OK", Body: b}, err
}

var session = []byte("a session")

func pushFrame(t *testing.T, last uint64) []byte {
	t.Helper()
	b, err := api.Marshal(&api.Frame{Push: &api.Push{Log: api.LogID{1}, Last: last}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Answers that get lost on the way are asked for again, and none comes twice.
func TestLostAnswersToPollsComeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		lose := 2 // answers in a row
		f := &fake{poll: func(ctx context.Context, req api.PollRequest) (*api.PollResponse, error) {
			switch {
			case req.Session == nil:
				return &api.PollResponse{Session: session}, nil
			case req.Seen == 5:
				<-ctx.Done()
				return nil, ctx.Err()
			case lose > 0:
				lose--
				return nil, errors.New("lost")
			}
			lose = 2
			return &api.PollResponse{Answer: req.Seen + 1, Frames: [][]byte{pushFrame(t, req.Seen+1)}}, nil
		}}
		var got []uint64
		err := wire.New("host", f).Stream(ctx, []byte("token"), func() {}, func(p *api.Push) {
			if got = append(got, p.Last); len(got) == 5 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Stream = %v", err)
		}
		for i, last := range got {
			if last != uint64(i+1) {
				t.Fatalf("pushes %v; want each once and in order", got)
			}
		}
	})
}

// While polls work the socket is tried again, ever less often.
func TestSocketIsTriedAgainAfterPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{poll: func(ctx context.Context, req api.PollRequest) (*api.PollResponse, error) {
			if req.Session == nil {
				return &api.PollResponse{Session: session}, nil
			}
			select {
			case <-time.After(api.PollWait * time.Millisecond):
				return &api.PollResponse{Answer: req.Seen + 1}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		tr := wire.New("host", f)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		streams := 0
		for ctx.Err() == nil {
			_ = tr.Stream(ctx, []byte("token"), func() { streams++ }, func(*api.Push) {})
			time.Sleep(500 * time.Millisecond)
		}
		// After 1, 2, 4, 8, 16, 30, 30, 30 and 30 minutes, and the first one.
		if n := f.dials.Load(); n < 8 || n > 11 {
			t.Errorf("the socket was tried %d times in three hours", n)
		}
		if streams != int(f.dials.Load()) {
			t.Errorf("%d streams for %d tries of the socket", streams, f.dials.Load())
		}
	})
}

// conn is a socket that logs in and breaks after a while.
type conn struct {
	life   time.Duration
	logged chan uint64
	once   sync.Once
	gone   chan struct{}
}

func (c *conn) Read(ctx context.Context) ([]byte, error) {
	select {
	case call := <-c.logged:
		return api.Marshal(&api.Frame{Call: call, Body: []byte{0xa0}})
	case <-time.After(c.life):
	case <-c.gone:
	case <-ctx.Done():
	}
	return nil, errors.New("cut")
}

func (c *conn) Write(_ context.Context, b []byte) error {
	var f api.Frame
	if err := api.Unmarshal(b, &f); err != nil {
		return err
	}
	c.logged <- f.Call
	return nil
}

func (c *conn) Ping(context.Context) error { return errors.ErrUnsupported }
func (c *conn) Close()                     { c.once.Do(func() { close(c.gone) }) }

// A proxy that lets the socket open and cuts it at once is as bad as one that
// refuses it.
func TestSocketThatIsCutAtOnceGivesWayToPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		f := &fake{
			dial: func(context.Context) (wire.Conn, error) {
				return &conn{life: time.Second, logged: make(chan uint64, 8), gone: make(chan struct{})}, nil
			},
			poll: func(context.Context, api.PollRequest) (*api.PollResponse, error) {
				polls++
				return nil, api.Errorf(api.Unavailable, "enough")
			},
		}
		tr := wire.New("host", f)
		for range 4 {
			if err := tr.Stream(t.Context(), []byte("token"), func() {}, func(*api.Push) {}); err == nil {
				t.Fatal("Stream returned nothing")
			}
		}
		if f.dials.Load() != 3 || polls != 1 {
			t.Errorf("%d sockets and %d polls; want 3 and 1", f.dials.Load(), polls)
		}
	})
}

func TestPollThatIsRefusedTellsWhy(t *testing.T) {
	f := &fake{poll: func(context.Context, api.PollRequest) (*api.PollResponse, error) {
		return nil, api.Errorf(api.Unauthenticated, "no such token")
	}}
	err := wire.New("host", f).Stream(t.Context(), []byte("token"), func() {}, func(*api.Push) {})
	if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code != api.Unauthenticated {
		t.Fatalf("Stream = %v; want the server's refusal", err)
	}
}

// A server without polls, or one that answers nonsense, leaves the socket's own
// error.
func TestHostilePollsEndTheStream(t *testing.T) {
	for name, resp := range map[string]*api.PollResponse{
		"no session":     {},
		"not a frame":    {Session: session, Frames: [][]byte{{0xff}}},
		"not a push":     {Session: session, Frames: [][]byte{{0xa0}}},
		"another answer": {Session: session, Answer: 7},
	} {
		f := &fake{poll: func(_ context.Context, req api.PollRequest) (*api.PollResponse, error) { return resp, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := wire.New("host", f).Stream(ctx, []byte("token"), func() {}, func(*api.Push) {})
		cancel()
		if _, ok := errors.AsType[*wire.UnreachableError](err); !ok {
			t.Errorf("%s: Stream = %v; want an UnreachableError", name, err)
		}
	}
}
