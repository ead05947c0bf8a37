package duty_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sconce/api"
	"sconce/internal/duty"
)

var echo = api.Endpoint[api.RenameRequest, api.RenameRequest]{Name: "echo", Open: true}

func registry(t *testing.T, log *slog.Logger, fn func(context.Context, duty.Caller, *api.RenameRequest) (*api.RenameRequest, error)) *duty.Registry {
	t.Helper()
	r := duty.NewRegistry(log)
	duty.Handle(r, echo, fn)
	return r
}

func TestErrorsOfHandlersReachTheCallerAsCodes(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want api.Code
	}{
		{"its own", api.Errorf(api.Conflict, "taken"), api.Conflict},
		{"its own, wrapped", fmt.Errorf("joining: %w", api.Errorf(api.Conflict, "taken")), api.Conflict},
		{"a full disk", fmt.Errorf("storing: %w", syscall.ENOSPC), api.Unavailable},
		{"a bug", errors.New("secret detail"), api.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := registry(t, slog.New(slog.DiscardHandler), func(context.Context, duty.Caller, *api.RenameRequest) (*api.RenameRequest, error) {
				return nil, tt.err
			})
			_, err := r.Call(t.Context(), duty.Caller{}, "echo", nil)
			if err == nil || err.Code != tt.want {
				t.Fatalf("got %v, want code %s", err, tt.want)
			}
			if strings.Contains(err.Message, "detail") {
				t.Errorf("the caller reads %q", err.Message)
			}
		})
	}
}

func TestPanicOfAHandlerIsAnInternalErrorAndLogged(t *testing.T) {
	var log strings.Builder
	r := registry(t, slog.New(slog.NewTextHandler(&log, nil)), func(context.Context, duty.Caller, *api.RenameRequest) (*api.RenameRequest, error) {
		panic("impossible")
	})
	_, err := r.Call(t.Context(), duty.Caller{}, "echo", nil)
	if err == nil || err.Code != api.Internal || !strings.Contains(log.String(), "impossible") {
		t.Errorf("got %v and log %q", err, log.String())
	}
}

// judge stands for a function deep in a handler, which is called with what no log
// may hold.
//
//go:noinline
func judge(id [32]byte, body []byte, number uint64) byte {
	if number > 0 {
		panic("a bug")
	}
	return id[0] ^ body[0]
}

// Go's own trace holds the first words of what functions are called with.
func TestLogOfAPanicNamesFunctionsAndHoldsNoArguments(t *testing.T) {
	var log strings.Builder
	r := duty.NewRegistry(slog.New(slog.NewTextHandler(&log, nil)))
	id := [32]byte([]byte("0123456789abcdefghijklmnopqrstuv"))
	handle := func(id [32]byte) *api.RenameRequest {
		return &api.RenameRequest{Name: string(judge(id, id[:], 0x1122334455667788))}
	}
	duty.Handle(r, echo, func(context.Context, duty.Caller, *api.RenameRequest) (*api.RenameRequest, error) {
		return handle(id), nil
	})
	soon := func(_ context.Context, _ duty.Caller, _ *api.RenameRequest, done func(*api.RenameRequest, error)) {
		done(handle(id), nil)
	}
	for name, call := range map[string]func(){
		"Call": func() { _, _ = r.Call(t.Context(), duty.Caller{}, "echo", nil) },
		"Begin": func() {
			duty.HandleSoon(r, echo, soon)
			r.Begin(t.Context(), duty.Caller{}, "echo", nil, func([]byte, *api.Error) {})
		},
	} {
		log.Reset()
		call()
		if !strings.Contains(log.String(), "duty_test.judge (duty_test.go:") {
			t.Errorf("%s: the log does not say where it was: %s", name, log.String())
		}
		if word := regexp.MustCompile(`0x[0-9a-f]+|[0-9a-f]{8,}`).FindString(log.String()); word != "" {
			t.Errorf("%s: the log holds %s: %s", name, word, log.String())
		}
	}
}

func TestClosedEndpointNeedsALogin(t *testing.T) {
	r := duty.NewRegistry(slog.New(slog.DiscardHandler))
	duty.Handle(r, api.Rename, func(context.Context, duty.Caller, *api.RenameRequest) (*api.Empty, error) {
		t.Error("the handler ran")
		return &api.Empty{}, nil
	})
	_, err := r.Call(t.Context(), duty.Caller{}, api.Rename.Name, nil)
	if err == nil || err.Code != api.Unauthenticated {
		t.Errorf("got %v, want %s", err, api.Unauthenticated)
	}
}

func FuzzCallTakesAnyNameAndBody(f *testing.F) {
	f.Add("echo", []byte{0xa1, 0x01, 0x61, 'x'})
	f.Add("", []byte{})
	r := duty.NewRegistry(slog.New(slog.DiscardHandler))
	duty.Handle(r, echo, func(_ context.Context, _ duty.Caller, req *api.RenameRequest) (*api.RenameRequest, error) {
		return req, nil
	})
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		b, err := r.Call(t.Context(), duty.Caller{}, name, body)
		if (b == nil) == (err == nil) {
			t.Errorf("got both or neither of an answer and an error")
		}
	})
}

func TestLimiterGrantsABurstAndThenARate(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := duty.NewLimiter[string](func() time.Time { return now }, 3, 3*time.Minute)
	for i := range 3 {
		if err := l.Take("a", 1); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	e, ok := errors.AsType[*api.Error](l.Take("a", 1))
	if !ok || e.Code != api.RateLimited || e.RetryAfter != 60_000 {
		t.Fatalf("beyond the burst: got %+v, want to wait a minute", e)
	}
	if err := l.Take("b", 1); err != nil {
		t.Errorf("another key: %v", err)
	}
	now = now.Add(time.Minute)
	if err := l.Take("a", 1); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if err := l.Take("a", 1); err == nil {
		t.Error("a second one in that minute was granted")
	}
}

func TestClockPutBackLocksNobodyOut(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := duty.NewLimiter[string](func() time.Time { return now }, 3, 3*time.Minute)
	for range 3 {
		_ = l.Take("a", 1) // the first three are granted
	}
	now = now.Add(-24 * time.Hour)
	_ = l.Take("a", 1)
	now = now.Add(time.Minute)
	if err := l.Take("a", 1); err != nil {
		t.Errorf("a minute after the clock was put back a day: %v", err)
	}
}

func TestProxySaysForWhomItAsks(t *testing.T) {
	for _, tt := range []struct {
		remote string
		header []string
		want   string
	}{
		{"192.0.2.1:9", nil, "192.0.2.1"},
		{"192.0.2.1:9", []string{"198.51.100.1"}, "192.0.2.1"}, // no proxy of ours
		{"127.0.0.1:9", nil, "127.0.0.1"},
		{"127.0.0.1:9", []string{"198.51.100.1"}, "198.51.100.1"},
		{"[::1]:9", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"}, // the first is what the client says
		{"127.0.0.1:9", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1:9", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"127.0.0.1:9", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"127.0.0.1:9", []string{"2001:db8::1"}, "2001:db8::1"},
		{"127.0.0.1:9", []string{"unknown"}, "127.0.0.1"},
		{"127.0.0.1:9", []string{""}, "127.0.0.1"},
		{"@", nil, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.header}}
		if got := duty.Remote(r).String(); got != tt.want {
			t.Errorf("from %s for %q: got %s, want %s", tt.remote, tt.header, got, tt.want)
		}
	}
}

func TestCrowdIsBoundedByKey(t *testing.T) {
	c := duty.NewCrowd[string](2)
	first, err := c.Enter("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Enter("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Enter("a"); err == nil {
		t.Error("a third was let in")
	}
	if _, err := c.Enter("b"); err != nil {
		t.Errorf("another key: %v", err)
	}
	first()
	if _, err := c.Enter("a"); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

func TestLimiterNeverGrantsMoreThanBurstAndRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1_000_000, 0)
		now := start
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		period := time.Duration(rapid.IntRange(1, 100).Draw(t, "period")) * time.Second
		l := duty.NewLimiter[int](func() time.Time { return now }, burst, period)
		granted := 0
		for range rapid.IntRange(1, 100).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause")) * time.Millisecond)
			n := rapid.IntRange(1, burst).Draw(t, "n")
			if l.Take(0, n) == nil {
				granted += n
			}
			step := period / time.Duration(burst)
			if most := burst + int(now.Sub(start)/step); granted > most {
				t.Fatalf("granted %d in %v, at most %d are right", granted, now.Sub(start), most)
			}
		}
	})
}

func TestLimiterRemembersABoundedNumberOfKeys(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := duty.NewLimiter[int](func() time.Time { return now }, 1, time.Hour)
	for i := range 200_000 {
		if err := l.Take(i, 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Len(); n > 1<<16 {
		t.Errorf("remembers %d keys", n)
	}
}

func TestOriginOfIPv6IsItsNetwork(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		want          bool // the second call is granted
	}{
		{"192.0.2.7", "192.0.2.7", false},
		{"192.0.2.7", "192.0.2.8", true},
		{"192.0.2.7", "::ffff:192.0.2.7", false},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1", false},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", true},
		{"fe80::1%eth0", "fe80::1%eth1", false},
		{"127.0.0.1", "127.0.0.1", true}, // a proxy, with anyone behind it
		{"::1", "::1", true},
	} {
		l := duty.NewOriginLimiter(time.Now, 1, time.Hour)
		if err := l.Take(duty.Caller{Remote: netip.MustParseAddr(tt.first)}); err != nil {
			t.Fatal(err)
		}
		if err := l.Take(duty.Caller{Remote: netip.MustParseAddr(tt.second)}); (err == nil) != tt.want {
			t.Errorf("%s after %s: got %v, want granted = %v", tt.second, tt.first, err, tt.want)
		}
	}
	if err := duty.NewOriginLimiter(time.Now, 1, time.Hour).Take(duty.Caller{}); err != nil {
		t.Errorf("a caller without an address: %v", err)
	}
}
