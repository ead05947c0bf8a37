package journal_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sconce/api"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/server/delivery/journal"
)

func TestEntriesComeBackInOrderWithAWholeChain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		var last journal.Place
		for i := range 5 {
			last = r.say(t, room, i%2, fmt.Sprint("m", i))
		}
		entries, end, ok, err := r.Read(t.Context(), device(1), room, 0, 500)
		if err != nil || !ok || end != 5 || len(entries) != 5 {
			t.Fatalf("got %d entries, end %d, %v, %v", len(entries), end, ok, err)
		}
		var hash api.Hash
		for i, e := range entries {
			if e.Seq != uint64(i+1) {
				t.Errorf("entry %d has place %d", i, e.Seq)
			}
			hash = api.Chain(hash, e.Sum())
		}
		if hash != last.Hash {
			t.Error("the entries do not give the log's running hash")
		}
	})
}

func TestRepeatGetsTheFirstAnswer(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 1)
		w := message(room, 0, "once")
		first, err := r.Write(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		r.now.Add(1000)
		var repeats sync.WaitGroup
		for range 20 {
			repeats.Go(func() {
				again := *w
				at, err := r.Write(t.Context(), &again)
				if err != nil || at.Seq != first.Seq || at.Time != first.Time {
					t.Errorf("got %v, %v, want %v", at, err, first)
				}
			})
		}
		repeats.Wait()
		equal(t, "the log", r.texts(t, room, 0, 0), []string{"1:once"})
	})
}

func TestFirstAppendsAtOnceAreOne(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 1)
		w := message(room, 0, "once")
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				same, other := *w, message(room, 0, "other")
				if at, err := r.Write(t.Context(), &same); err != nil || at.Seq == 0 {
					t.Errorf("got %v, %v", at, err)
				}
				if _, err := r.Write(t.Context(), other); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s, err := r.Status(t.Context(), room)
		if err != nil || s.Last != 51 {
			t.Errorf("the log has %d entries, %v; want 51", s.Last, err)
		}
	})
}

func TestAppendIDBelongsToItsDeviceAndLog(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, b := r.room(t, 2), r.room(t, 2)
		w := message(a, 0, "x")
		for _, v := range []*journal.Write{w, message(b, 0, "x"), message(a, 1, "x")} {
			v.Entry.ID = w.Entry.ID
			if _, err := r.Write(t.Context(), v); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "the first log", r.texts(t, a, 0, 0), []string{"1:x", "2:x"})
		equal(t, "the second log", r.texts(t, b, 0, 0), []string{"1:x"})
	})
}

func TestApplicationMessagesFitTheRoom(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		r.change(t, room, 0, journal.Change{Close: []api.DeviceID{device(1)}}) // epoch 1
		for _, test := range []struct {
			name string
			edit func(w *journal.Write)
			want api.Code
		}{
			{"an earlier epoch", func(w *journal.Write) { w.Entry.Epoch = 0 }, api.Stale},
			{"a later epoch", func(w *journal.Write) { w.Entry.Epoch = 2 }, api.Stale},
			{"another generation", func(w *journal.Write) { w.Entry.Generation = 1 }, api.Stale},
			{"a device that left", func(w *journal.Write) { w.Entry.Sender = device(1) }, api.Forbidden},
			{"a stranger", func(w *journal.Write) { w.Entry.Sender = device(9) }, api.Forbidden},
			{"no such room", func(w *journal.Write) { w.Log = id16() }, api.NotFound},
			{"all well", func(w *journal.Write) {}, ""},
		} {
			w := message(room, 0, "x")
			w.Entry.Epoch = 1
			test.edit(w)
			if _, err := r.Write(t.Context(), w); code(err) != test.want {
				t.Errorf("%s: got %v, want %q", test.name, err, test.want)
			}
		}
	})
}

func TestNoMessagePassesWhileAProposalWaits(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 1)
		_, err := r.Write(t.Context(), &journal.Write{Log: room, Change: &journal.Change{To: journal.State{Pending: 1}},
			Entry: &api.Entry{Kind: api.EntryProposal, Keep: api.KeepMonth, Message: []byte("remove")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(t.Context(), message(room, 0, "x")); code(err) != api.Stale {
			t.Errorf("got %v, want stale", err)
		}
	})
}

func TestOneOfManyCommittersWins(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 8)
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, err := r.Write(t.Context(), &journal.Write{Log: room, Change: &journal.Change{To: journal.State{Epoch: 1}},
					Entry: &api.Entry{Kind: api.EntryCommit, Sender: device(i), ID: id16(), Keep: api.KeepMonth, Message: []byte("c")}})
				switch code(err) {
				case "moved":
				default:
					t.Error(err)
				case "":
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d commits won", won.Load())
		}
	})
}

func TestTwoServersOnOneDatabaseAgree(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		if db.Path() != "" {
			start(t, db, nil)
			_, err := journal.Open(t.Context(), db, duty.Clock(nil), slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), "in use") {
				t.Errorf("SQLite has one server; a second got %v", err)
			}
			return
		}
		a, b := start(t, db, nil), start(t, db, nil)
		room := a.room(t, 2)
		b.say(t, room, 0, "1") // b loads the room
		a.say(t, room, 0, "2") // a is behind, and finds out
		b.say(t, room, 1, "3")
		a.change(t, room, 0, journal.Change{}) // and again
		if _, err := b.Write(t.Context(), message(room, 0, "x")); code(err) != api.Stale {
			t.Errorf("got %v, want stale", err)
		}
		if _, err := b.Write(t.Context(), addition(room, journal.State{})); code(err) != "moved" {
			t.Errorf("a commit that came second: got %v, want the log to have moved", err)
		}
		fresh := start(t, db, nil)
		equal(t, "the log", fresh.texts(t, room, 0, 0), []string{"1:1", "2:2", "3:3", "4:commit"})
	})
}

func TestWindowsAreExact(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		r.say(t, room, 0, "a")                                                                       // 1
		r.change(t, room, 0, journal.Change{Open: []journal.Opening{{Device: device(2)}}})           // 2: added
		before, _ := r.Status(t.Context(), room)                                                     //
		r.change(t, room, 3, journal.Change{Open: []journal.Opening{{Device: device(3), At: true}}}) // 3: lets itself in
		r.sayIn(t, room, 0, 2, "b")                                                                  // 4
		r.change(t, room, 0, journal.Change{Close: []api.DeviceID{device(1)}})                       // 5: removed
		r.sayIn(t, room, 0, 3, "c")                                                                  // 6
		r.change(t, room, 0, journal.Change{Drop: []api.DeviceID{device(2)}})                        // 7: evicted
		equal(t, "the removed", r.texts(t, room, 1, 0), []string{"1:a", "2:commit", "3:commit", "4:b", "5:commit"})
		equal(t, "the evicted", r.texts(t, room, 2, 0), nil)
		equal(t, "the late", r.texts(t, room, 3, 0), []string{"3:commit", "4:b", "5:commit", "6:c", "7:commit"})
		w, err := r.Windows(t.Context(), device(3), []api.LogID{room})
		if err != nil || w[room].Before != before.Hash || w[room].From != 3 || w[room].Taken != 2 || !w[room].Open {
			t.Errorf("the window of who let itself in: %+v, %v", w[room], err)
		}
	})
}

func (r *rig) sayIn(t testing.TB, room api.LogID, from int, epoch uint64, text string) {
	t.Helper()
	w := message(room, from, text)
	w.Entry.Epoch = epoch
	if _, err := r.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

// sink collects pushes.
type sink struct {
	mu     sync.Mutex
	frames []api.Frame
}

func (s *sink) Push(_ api.LogID, _ uint64, frame []byte) {
	var f api.Frame
	if err := api.Unmarshal(frame, &f); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames = append(s.frames, f)
}

func (s *sink) seqs() (seqs []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.frames {
		for _, e := range f.Push.Entries {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

func TestPushReachesExactlyTheWindow(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		sinks := make([]sink, 4)
		for i := range sinks {
			defer r.Subscribe(device(i), &sinks[i])()
		}
		r.say(t, room, 0, "a")                                                                       // 1
		r.change(t, room, 0, journal.Change{Open: []journal.Opening{{Device: device(2)}}})           // 2
		r.change(t, room, 3, journal.Change{Open: []journal.Opening{{Device: device(3), At: true}}}) // 3
		r.change(t, room, 0, journal.Change{Close: []api.DeviceID{device(1)}})                       // 4
		r.sayIn(t, room, 0, 3, "b")                                                                  // 5
		want := [][]uint64{{1, 2, 3, 4, 5}, {1, 2, 3, 4}, {3, 4, 5}, {3, 4, 5}}
		for i := range sinks {
			eventually(t, fmt.Sprintf("device %d has %d", i, want[i]), func() bool { return slices.Equal(sinks[i].seqs(), want[i]) })
		}
	})
}

func TestLargeMessageIsPushedAsAHint(t *testing.T) {
	r := start(t, sqldbtest.SQLite(t), nil)
	room := r.room(t, 1)
	var s sink
	cancel := r.Subscribe(device(0), &s)
	r.say(t, room, 0, strings.Repeat("x", 1<<20))
	eventually(t, "the hint comes", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.frames) == 1 })
	if p := s.frames[0].Push; len(p.Entries) != 0 || p.Last != 1 || p.Log != room {
		t.Errorf("got %d entries up to %d", len(p.Entries), p.Last)
	}
	cancel()
	r.say(t, room, 0, "unheard")
	if len(s.frames) != 1 {
		t.Error("pushed after the subscription ended")
	}
}

func TestInboxIsMadeByItsFirstDelivery(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 1)
		for i := range 3 {
			r.change(t, room, 0, journal.Change{
				Open: []journal.Opening{{Device: device(5 + i%2)}},
				Deliver: []journal.Delivery{{Device: device(5 + i%2), Entry: api.Entry{Kind: api.EntryWelcome, Keep: api.KeepMonth},
					Message: func(at journal.Place) []byte { return fmt.Append(nil, "welcome after ", at.Seq) }}},
			})
		}
		equal(t, "one inbox", r.texts(t, api.Inbox(device(5)), 5, 0), []string{"1:welcome after 1", "2:welcome after 3"})
		equal(t, "the other", r.texts(t, api.Inbox(device(6)), 6, 0), []string{"1:welcome after 2"})
		equal(t, "somebody else's", r.texts(t, api.Inbox(device(6)), 5, 0), nil)
	})
}

func TestDeviceThatComesBackHasItsInboxAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 1)
		welcome := func(text string) {
			r.change(t, room, 0, journal.Change{Deliver: []journal.Delivery{{Device: device(5), User: device(5),
				Entry:   api.Entry{Kind: api.EntryWelcome, Keep: api.KeepMonth},
				Message: func(journal.Place) []byte { return []byte(text) }}}})
		}
		inbox := api.Inbox(device(5))
		welcome("before")
		if _, err := r.Write(t.Context(), &journal.Write{Log: inbox, Change: &journal.Change{Drop: []api.DeviceID{device(5)}}}); err != nil {
			t.Fatal(err)
		}
		equal(t, "while it is out", r.texts(t, inbox, 5, 0), nil)
		welcome("back")
		equal(t, "when it is back", r.texts(t, inbox, 5, 0), []string{"2:back"})
	})
}

func TestReadIsBoundedInNumberAndBytes(t *testing.T) {
	r := start(t, sqldbtest.SQLite(t), nil)
	room := r.room(t, 1)
	for range 3 {
		r.say(t, room, 0, strings.Repeat("x", api.MaxReadBytes/2))
	}
	r.say(t, room, 0, strings.Repeat("y", 2*api.MaxReadBytes))
	for _, test := range []struct {
		after uint64
		limit int
		want  int
	}{{0, 500, 2}, {0, 1, 1}, {1, 500, 2}, {3, 500, 1}, {4, 500, 0}, {99, 500, 0}} {
		entries, last, _, err := r.Read(t.Context(), device(0), room, test.after, test.limit)
		if err != nil || len(entries) != test.want || last != 4 {
			t.Errorf("after %d, limit %d: got %d entries, end %d, %v; want %d", test.after, test.limit, len(entries), last, err, test.want)
		}
	}
}
