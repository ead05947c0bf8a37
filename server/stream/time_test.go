package stream

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"sconce/api"
	"sconce/internal/duty"
)

// gate lets logins in until it is shut.
type gate struct {
	anyone
	shut atomic.Bool
}

func (g *gate) Authenticate(ctx context.Context, token []byte) (duty.Caller, error) {
	if g.shut.Load() {
		return duty.Caller{}, api.Errorf(api.Unauthenticated, "shut")
	}
	return g.anyone.Authenticate(ctx, token)
}

// inBubble runs test with a stream and the other end of its connection, in a
// time that passes only when everyone waits.
func inBubble(t *testing.T, test func(t *testing.T, g *gate, c *conn, far net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		log := slog.New(slog.DiscardHandler)
		s := New(Config{Registry: duty.NewRegistry(log), Auth: g, Delivery: g, Clock: time.Now, Logger: log})
		defer s.Close()
		near, far := net.Pipe()
		defer far.Close()
		c := newConn(s, near, duty.Caller{}, nil)
		if !s.enter(c) {
			t.Fatal("no room")
		}
		test(t, g, c, far)
	})
}

// ends waits for the end of the stream, and says how long that took.
func ends(c *conn) time.Duration {
	begin := time.Now()
	<-c.gone
	return time.Since(begin)
}

func TestStrangerHasTenSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *gate, c *conn, far net.Conn) {
		go io.Copy(io.Discard, far) //nolint:errcheck // ends with the pipe
		if took := ends(c); took != authTimeout {
			t.Errorf("the stream ended after %v", took)
		}
	})
}

func TestSlowStrangerHasTenSecondsToo(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *gate, c *conn, far net.Conn) {
		go io.Copy(io.Discard, far) //nolint:errcheck // ends with the pipe
		var slow sync.WaitGroup
		slow.Go(func() {
			for _, b := range opening(loggedIn) { // a byte a second
				if _, err := far.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		if took := ends(c); took != authTimeout {
			t.Errorf("the stream ended after %v", took)
		}
		slow.Wait() // in the bubble, time stands still once the test returned
	})
}

func TestSilentStreamIsPingedAndThenEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *gate, c *conn, far net.Conn) {
		var pings atomic.Int32
		go func() {
			for {
				f, err := ws.ReadFrame(far)
				if err != nil {
					return
				}
				if f.Header.OpCode == ws.OpPing {
					pings.Add(1)
				}
			}
		}()
		if _, err := far.Write(opening(loggedIn)); err != nil {
			t.Fatal(err)
		}
		if took := ends(c); took != idleTimeout {
			t.Errorf("the stream ended after %v", took)
		}
		if n := pings.Load(); n < 2 {
			t.Errorf("%d pings were sent", n)
		}
	})
}

func TestPongKeepsAStreamUntilItsLoginEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gate, c *conn, far net.Conn) {
		go func() {
			for {
				f, err := ws.ReadFrame(far)
				if err != nil {
					return
				}
				if f.Header.OpCode == ws.OpPing {
					_ = ws.WriteFrame(far, ws.MaskFrame(ws.NewPongFrame(nil))) // the next read tells
				}
			}
		}()
		if _, err := far.Write(opening(loggedIn)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		select {
		case <-c.gone:
			t.Fatal("the stream ended while its device answered")
		default:
		}
		g.shut.Store(true)
		if took := ends(c); took > recheckEvery {
			t.Errorf("the stream outlived its login by %v", took)
		}
	})
}

func TestDeviceThatTakesNothingIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *gate, c *conn, far net.Conn) {
		if _, err := far.Write(opening(loggedIn)); err != nil { // and read nothing
			t.Fatal(err)
		}
		if took := ends(c); took != writeTimeout {
			t.Errorf("the stream ended after %v", took)
		}
	})
}
