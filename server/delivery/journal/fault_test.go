package journal_test

import (
	"context"
	"errors"
	"fmt"
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

// fault breaks the named step once it is armed.
type fault struct{ step atomic.Pointer[string] }

func (f *fault) arm(step string) { f.step.Store(&step) }

var errBroken = errors.New("broken by the test")

func (f *fault) at(step string) error {
	if s := f.step.Load(); s != nil && *s == step {
		return errBroken
	}
	return nil
}

// addition is a commit that does everything a commit can.
func addition(room api.LogID, from journal.State) *journal.Write {
	to := from
	to.Epoch++
	return &journal.Write{Log: room,
		Entry: &api.Entry{Kind: api.EntryCommit, Sender: device(0), ID: id16(), Epoch: from.Epoch, Keep: api.KeepMonth, Message: []byte("commit")},
		Change: &journal.Change{From: from, To: to, Open: []journal.Opening{{Device: device(7), User: device(7)}}, Close: []api.DeviceID{device(1)},
			Deliver: []journal.Delivery{{Device: device(7), User: device(7), Entry: api.Entry{Kind: api.EntryWelcome, Keep: api.KeepMonth},
				Message: func(journal.Place) []byte { return []byte("welcome") }}},
			Save: func(ctx context.Context, tx *journal.Tx) error {
				_, err := tx.ExecContext(ctx, "INSERT INTO saved (seq) VALUES ($1)", int64(tx.At.Seq))
				return err
			}}}
}

func TestBreakAtAnyStepLeavesAllOrNothing(t *testing.T) {
	for _, step := range []string{"remember", "move", "append", "windows", "save", "committed"} {
		t.Run(step, func(t *testing.T) {
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				var f fault
				r := start(t, db, f.at)
				if _, err := db.Write.ExecContext(t.Context(), "CREATE TABLE saved (seq BIGINT NOT NULL)"); err != nil {
					t.Fatal(err)
				}
				room := r.room(t, 2)
				w := addition(room, journal.State{})
				f.arm(step)
				if _, err := r.Write(t.Context(), w); err == nil {
					t.Fatal("was taken")
				}
				f.arm("")
				check := func(what string, r *rig, seq int) {
					t.Helper()
					s, err := r.Status(t.Context(), room)
					if err != nil || int(s.Last) != seq || int(s.State.Epoch) != seq {
						t.Errorf("%s: the log is at %d, epoch %d, %v; want %d", what, s.Last, s.State.Epoch, err, seq)
					}
					if n := len(r.texts(t, api.Inbox(device(7)), 7, 0)); n != seq {
						t.Errorf("%s: %d Welcomes, want %d", what, n, seq)
					}
					if n := r.count(t, "SELECT count(*) FROM saved"); n != seq {
						t.Errorf("%s: saved %d times, want %d", what, n, seq)
					}
					if n := r.count(t, "SELECT count(*) FROM log_window WHERE log = $1 AND to_seq = 0", room[:]); n != 2 {
						t.Errorf("%s: %d open windows, want 2", what, n)
					}
				}
				written := 0
				if step == "committed" {
					written = 1 // and the answer was lost
				}
				check("in the same process", r, written)
				if err := r.LetGo(); err != nil {
					t.Fatal(err)
				}
				r = start(t, db, nil)
				check("after a crash", r, written)
				at, err := r.Write(t.Context(), w)
				if step == "committed" {
					// The caller, who looks up a refused append, finds the answer.
					at, _, err = r.Answer(t.Context(), device(0), room, w.Entry.ID)
				}
				if err != nil || at.Seq != 1 {
					t.Errorf("the repeat: got %v, %v", at, err)
				}
				check("after the repeat", r, 1)
			})
		})
	}
}

func TestOneThatBreaksDoesNotFailTheOthers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		good, bad := r.room(t, 1), r.room(t, 1)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if i%4 == 0 {
					w := addition(bad, journal.State{})
					w.Change.Save = func(context.Context, *journal.Tx) error { return errBroken }
					if _, err := r.Write(t.Context(), w); !errors.Is(err, errBroken) {
						t.Errorf("the one at fault: got %v", err)
					}
					return
				}
				if _, err := r.Write(t.Context(), message(good, 0, fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(r.texts(t, good, 0, 0)); n != 30 {
			t.Errorf("%d of 30 messages are there", n)
		}
	})
}

func TestRepeatsDoNotCostTheOthersTheirBatch(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var transactions atomic.Int64
		r := start(t, db, func(step string) error {
			if step == "committed" {
				transactions.Add(1)
			}
			return nil
		})
		quiet, room := r.room(t, 1), r.room(t, 1)
		old := message(room, 0, "old")
		first, err := r.Write(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		// The committer is held until all the others wait for it.
		held, release := make(chan struct{}), make(chan struct{})
		hold := addition(quiet, journal.State{})
		hold.Change.Save = func(context.Context, *journal.Tx) error { close(held); <-release; return nil }
		var all sync.WaitGroup
		all.Go(func() { _, _ = r.Write(t.Context(), hold) })
		<-held
		transactions.Store(0)
		for i := range 60 {
			all.Go(func() {
				w := message(room, 0, fmt.Sprint(i))
				if i%20 == 0 {
					again := *old
					w = &again
				}
				at, err := r.Write(t.Context(), w)
				if err != nil || i%20 == 0 && at.Seq != first.Seq {
					t.Errorf("got %v, %v", at, err)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		close(release)
		all.Wait()
		if n := transactions.Load(); n > 10 {
			t.Errorf("57 messages and 3 repeats took %d transactions", n)
		}
		if n := len(r.texts(t, room, 0, 0)); n != 58 {
			t.Errorf("the log has %d messages, want 58", n)
		}
	})
}

func TestFullDiskIsUnavailableAndHealsByItself(t *testing.T) {
	r := start(t, sqldbtest.SQLite(t), nil)
	limit := func(pages int) {
		if _, err := r.db.Write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count=%d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	room := r.room(t, 1)
	r.say(t, room, 0, "before")
	limit(1) // as many as there are, and no more
	w := message(room, 0, strings.Repeat("x", 1<<20))
	// The tape takes what the database has no room for, until that is found out.
	taken := uint64(1)
	eventually(t, "it is found out", func() bool {
		_, err := r.Write(t.Context(), message(room, 0, "on the tape"))
		if err == nil {
			taken++
		}
		return err != nil
	})
	for range 3 {
		if _, err := r.Write(t.Context(), w); code(err) != api.Unavailable || !strings.Contains(err.Error(), "disk is full") {
			t.Fatalf("got %v, want unavailable for a full disk", err)
		}
	}
	if texts := r.texts(t, room, 0, 0); texts[0] != "1:before" || len(texts) != int(taken) {
		t.Errorf("what is read meanwhile: %q, want %d", texts, taken)
	}
	limit(1 << 20)
	var at journal.Place
	eventually(t, "it is healed", func() (ok bool) {
		var err error
		at, err = r.Write(t.Context(), w)
		return err == nil
	})
	if at.Seq != taken+1 {
		t.Errorf("with room again it stands at %d, want %d", at.Seq, taken+1)
	}
	r.ack(t, room, 0, taken+1)
	eventually(t, "all is deleted", func() bool { return r.count(t, "SELECT count(*) FROM entry") == 0 })
}

func TestFailedAcknowledgementsAreTriedAgain(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var f fault
		r := start(t, db, f.at)
		room := r.room(t, 1)
		r.say(t, room, 0, "x")
		f.arm("flush")
		r.ack(t, room, 0, 1)
		eventually(t, "it is healed and deleted", func() bool {
			gone := r.count(t, "SELECT count(*) FROM entry") == 0
			f.arm("")
			return gone
		})
	})
}

func TestWhatWasAcknowledgedIsWrittenWhenTheServerStops(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := start(t, db, nil)
		room := r.room(t, 2)
		r.say(t, room, 0, "x")
		r.ack(t, room, 1, 1)
		r.stop()
		if n := r.count(t, "SELECT count(*) FROM log_window WHERE taken = 1"); n != 1 {
			t.Errorf("%d cursors were written, want 1", n)
		}
		if _, err := r.Write(t.Context(), message(room, 0, "late")); code(err) != api.Unavailable {
			t.Errorf("after the stop: got %v, want unavailable", err)
		}
	})
}
