package journal_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sconce/api"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/server/delivery/journal"
)

// rig is a running journal.
type rig struct {
	*journal.Journal
	db   *sqldb.DB
	now  atomic.Int64 // milliseconds
	stop func()
}

func start(t testing.TB, db *sqldb.DB, fault func(string) error) *rig {
	t.Helper()
	return startFlushing(t, db, fault, 50*time.Millisecond)
}

func startFlushing(t testing.TB, db *sqldb.DB, fault func(string) error, every time.Duration) *rig {
	t.Helper()
	r := &rig{db: db}
	r.now.Store(1_800_000_000_000)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	now := func() time.Time { return time.UnixMilli(r.now.Load()) }
	j, err := journal.Open(t.Context(), db, now, log)
	// What was let go of may still be at work on its tape.
	for range 500 {
		if err == nil || !strings.Contains(err.Error(), "in use by another") {
			break
		}
		time.Sleep(10 * time.Millisecond)
		j, err = journal.Open(t.Context(), db, now, log)
	}
	if err != nil {
		t.Fatal(err)
	}
	j.SetFault(fault)
	j.FlushEvery(every)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	r.Journal, r.stop = j, func() { cancel(); running.Wait() }
	t.Cleanup(r.stop)
	return r
}

// each runs a test with a journal on every database.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, start(t, db, nil)) })
}

func id16() (id [16]byte)       { rand.Read(id[:]); return }
func device(n int) api.DeviceID { return api.DeviceID{0: byte(n), 1: byte(n >> 8), 31: 1} }
func deviceIDs(n int) (d []api.DeviceID) {
	for i := range n {
		d = append(d, device(i))
	}
	return d
}

// room makes a log with open windows for devices 0 to n-1.
func (r *rig) room(t testing.TB, n int) api.LogID {
	t.Helper()
	id := id16()
	c := &journal.Change{Create: true}
	for _, d := range deviceIDs(n) {
		c.Open = append(c.Open, journal.Opening{Device: d, User: d})
	}
	if _, err := r.Write(t.Context(), &journal.Write{Log: id, Change: c}); err != nil {
		t.Fatal(err)
	}
	return id
}

func message(room api.LogID, from int, text string) *journal.Write {
	return &journal.Write{Log: room, Entry: &api.Entry{Kind: api.EntryApplication, Sender: device(from), ID: id16(),
		Keep: api.KeepDay, Message: []byte(text)}}
}

// say appends an application message.
func (r *rig) say(t testing.TB, room api.LogID, from int, text string) journal.Place {
	t.Helper()
	at, err := r.Write(t.Context(), message(room, from, text))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// change appends a commit from the log's present state.
func (r *rig) change(t testing.TB, room api.LogID, from int, c journal.Change) journal.Place {
	t.Helper()
	at, err := r.tryChange(t, room, from, c)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (r *rig) tryChange(t testing.TB, room api.LogID, from int, c journal.Change) (journal.Place, error) {
	s, err := r.Status(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	c.From, c.To = s.State, s.State
	c.To.Epoch++
	return r.Write(t.Context(), &journal.Write{Log: room, Change: &c, Entry: &api.Entry{Kind: api.EntryCommit,
		Sender: device(from), ID: id16(), Epoch: s.State.Epoch, Keep: api.KeepMonth, Message: []byte("commit")}})
}

// texts reads what a device may read of a log: "2:hello" and so on, or "2:gone".
func (r *rig) texts(t testing.TB, room api.LogID, n int, after uint64) []string {
	t.Helper()
	entries, _, _, err := r.Read(t.Context(), device(n), room, after, 500)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		text := string(e.Message)
		if e.Gone {
			text = "gone"
		}
		out = append(out, fmt.Sprintf("%d:%s", e.Seq, text))
	}
	return out
}

func (r *rig) ack(t testing.TB, room api.LogID, n int, seq uint64) {
	t.Helper()
	if err := r.Ack(t.Context(), device(n), room, seq); err != nil {
		t.Fatal(err)
	}
}

// count counts rows with a column of the log's id.
func (r *rig) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	if err := r.db.Read.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits for what the committer does in its own time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 300 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func code(err error) api.Code {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Code
	}
	if errors.Is(err, journal.ErrMoved) {
		return "moved"
	}
	return ""
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
