package e2e

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sconce/client"
)

// The server dies at any moment, many times, while somebody writes. Whatever it
// said it has must be there afterwards, and once.
func TestKillLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	killAndCompare(t, started(t))
}

func killAndCompare(t *testing.T, s *sconced) {
	t.Helper()
	const kills = 12
	writer, reader := newcomer(t, s, "Writer"), newcomer(t, s, "Reader")
	w := write(t, writer, directRoom(t, writer, reader))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		// Something was acknowledged since the last start, and something is under
		// way. The moment lies anywhere in the next few messages.
		w.await(t, w.sent.Load()+1)
		time.Sleep(time.Duration(random.Int64N(int64(15 * time.Millisecond))))
		if err := s.kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
	w.finish(t)
	w.check(t, reader)
}

// The same on PostgreSQL, which lives on while the server dies.
func TestKillLosesAndDoublesNothingOnPostgres(t *testing.T) {
	t.Parallel()
	killAndCompare(t, startedOn(t, postgresOf(t)))
}

// The same with the moment chosen by the server's own system calls: it dies as
// the nth write to its files, or the nth fsync, begins.
func TestKillBetweenAnyTwoWritesLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	requireStrace(t)
	s := started(t)
	writer, reader := newcomer(t, s, "Writer"), newcomer(t, s, "Reader")
	w := write(t, writer, directRoom(t, writer, reader))
	const each = 5
	for _, call := range []string{"pwrite64", "fdatasync,fsync"} {
		for n := 1; n <= each; n++ {
			if err := s.kill(); err != nil {
				t.Fatal(err)
			}
			// Starting makes writes too, and they are few; the killing begins
			// where those of a few messages are behind.
			s.wrap = dieAt(call, n*7)
			if err := s.start(); err != nil && s.running() {
				t.Fatal(err)
			}
			if err := s.wait(); err != nil {
				t.Fatalf("the server did not come to %s %d: %v", call, n*7, err)
			}
			s.wrap = nil
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
			w.await(t, w.sent.Load()+1)
		}
	}
	w.finish(t)
	w.check(t, reader)
}

// dieAt runs a program that is killed when one of its threads begins its nth
// call.
func dieAt(call string, n int) func([]string) *exec.Cmd {
	return func(args []string) *exec.Cmd {
		inject := "inject=" + call + ":signal=SIGKILL:when=" + strconv.Itoa(n)
		return exec.Command("strace", append([]string{"-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject}, args...)...)
	}
}

// writing is somebody who writes numbered messages, one after another.
type writing struct {
	client *client.Client
	room   string
	sent   atomic.Int64 // acknowledged by the server
	stop   context.CancelFunc
	done   sync.WaitGroup
	err    error // read after done
}

func write(t *testing.T, c *client.Client, room string) *writing {
	ctx, cancel := context.WithCancel(t.Context())
	w := &writing{client: c, room: room, stop: cancel}
	w.done.Go(func() { w.err = w.run(ctx) })
	t.Cleanup(func() {
		cancel()
		w.done.Wait()
	})
	return w
}

// run sends the next message once the server has acknowledged the one before.
func (w *writing) run(ctx context.Context) error {
	for ctx.Err() == nil {
		m, err := w.client.Send(w.room, client.Draft{Text: numbered(int(w.sent.Load()))})
		if err != nil {
			return err
		}
		for !m.State.Stands() {
			if err := w.client.Sync(ctx); err != nil {
				select {
				case <-time.After(10 * time.Millisecond): // the server is away
				case <-ctx.Done():
					return nil // the message stays in the outbox
				}
			}
			if m, err = w.message(m.ID); err != nil {
				return err
			}
		}
		w.sent.Add(1)
	}
	return nil
}

// message looks one up again.
func (w *writing) message(id string) (client.MessageView, error) {
	newest, err := w.client.Messages(w.room, 0, 3)
	if err != nil {
		return client.MessageView{}, err
	}
	i := slices.IndexFunc(newest, func(m client.MessageView) bool { return m.ID == id })
	if i < 0 {
		return client.MessageView{}, nil
	}
	return newest[i], nil
}

// await waits until the server has acknowledged n messages.
func (w *writing) await(t *testing.T, n int64) {
	t.Helper()
	if !eventually(func() bool { return w.sent.Load() >= n }) {
		t.Fatalf("the writer came to %d messages and not to %d within %v", w.sent.Load(), n, patience)
	}
}

func (w *writing) finish(t *testing.T) {
	t.Helper()
	w.stop()
	w.done.Wait()
	if w.err != nil {
		t.Fatalf("the writer stopped: %v", w.err)
	}
	syncNow(t, w.client)
}

// check compares what was acknowledged with what the reader gets.
func (w *writing) check(t *testing.T, reader *client.Client) {
	t.Helper()
	syncNow(t, reader)
	got := texts(t, reader, w.room)
	if n := int(w.sent.Load()); len(got) < n {
		t.Errorf("%d messages were acknowledged, %d arrived", n, len(got))
	}
	for i, text := range got {
		if text != numbered(i) {
			t.Fatalf("place %d holds %q, want %q; all: %q", i, text, numbered(i), got)
		}
	}
	t.Logf("%d messages, each once", len(got))
}
