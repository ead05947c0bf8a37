package journal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sconce/api"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/server/delivery/journal"
)

// What was answered is there after a crash, in its place, whether it had got into
// the tables or not; and a repeat of it is known.
func TestWhatWasAnsweredOutlivesACrash(t *testing.T) {
	for _, tt := range []struct {
		name   string
		step   string // at which the flush breaks off
		passes bool   // the flush has ended before the crash
	}{
		{name: "on the tape", step: "flush"},
		{name: "in the tables, and the tape is erased", passes: true},
		{name: "in the tables, and on the tape"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := sqldbtest.SQLite(t)
			crash := make(chan struct{})
			r := start(t, db, func(step string) error {
				if step != tt.step {
					return nil
				}
				<-crash
				return errBroken
			})
			room := r.room(t, 2)
			var want []string
			var said []*journal.Write
			for i := range 20 {
				w := message(room, 0, fmt.Sprint("m", i))
				if _, err := r.Write(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				said, want = append(said, w), append(want, fmt.Sprintf("%d:m%d", i+1, i))
			}
			equal(t, "before the crash", r.texts(t, room, 1, 0), want)
			before, err := r.Status(t.Context(), room)
			if err != nil {
				t.Fatal(err)
			}
			if tt.passes {
				eventually(t, "all is in the tables", func() bool { return r.count(t, "SELECT count(*) FROM entry") == 20 })
				time.Sleep(50 * time.Millisecond)
			}
			if err := r.LetGo(); err != nil {
				t.Fatal(err)
			}
			close(crash)
			r.stop()

			r = start(t, db, nil)
			equal(t, "after the crash", r.texts(t, room, 1, 0), want)
			if after, err := r.Status(t.Context(), room); err != nil || after != before {
				t.Errorf("the log is at %v, %v, want %v", after, err, before)
			}
			for i, w := range said {
				if at, err := r.Write(t.Context(), w); err != nil || at.Seq != uint64(i+1) {
					t.Errorf("repeat of %d: got %d, %v", i+1, at.Seq, err)
				}
			}
			if at := r.say(t, room, 1, "next"); at.Seq != 21 {
				t.Errorf("the next stands at %d, want 21", at.Seq)
			}
			eventually(t, "all is in the tables", func() bool { return r.count(t, "SELECT count(*) FROM entry") == 21 })
			equal(t, "from the tables", r.texts(t, room, 1, 0), append(slices.Clone(want), "21:next"))
		})
	}
}

// Whichever way an append came into the table, and whenever, a repeat is known
// when the filter is asked first.
func TestRepeatsAreKnownToTheFilter(t *testing.T) {
	db := sqldbtest.SQLite(t)
	r := start(t, db, nil)
	room := r.room(t, 2)
	var said []*journal.Write
	say := func(w *journal.Write) {
		t.Helper()
		if _, err := r.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		said = append(said, w)
	}
	check := func(when string) {
		t.Helper()
		if err := r.Expire(t.Context()); err != nil { // all goes into the table
			t.Fatal(err)
		}
		eventually(t, "it has learned", r.Learned)
		for i, w := range said {
			if at, err := r.Write(t.Context(), w); err != nil || at.Seq != uint64(i+1) {
				t.Errorf("%s: a repeat of %d got %d, %v", when, i+1, at.Seq, err)
			}
		}
	}
	eventually(t, "it has learned", r.Learned)
	for i := range 100 {
		say(message(room, 0, fmt.Sprint(i)))
	}
	check("after the flush")
	r.stop()
	r = start(t, db, nil)
	check("after a restart")
}

// The tape of another time, beside a database that was put back from a copy, is
// an error and no gap in the log.
func TestTapeThatGoesOnFromElsewhereIsRefused(t *testing.T) {
	db := sqldbtest.SQLite(t)
	var f fault
	r := startFlushing(t, db, f.at, time.Hour)
	room := r.room(t, 2)
	r.say(t, room, 0, "a")
	f.arm("flush") // at the end
	if err := r.LetGo(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if _, err := db.Write.ExecContext(t.Context(), "DELETE FROM log"); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(t.Context(), db, nil, nil); err == nil {
		t.Error("was opened")
	}
}

func TestReadGivesWhatIsOnTheTapeInPages(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := start(t, db, nil)
		room := r.room(t, 2)
		for i := range 10 {
			r.say(t, room, 0, fmt.Sprint(i))
			if i == 4 {
				eventually(t, "half is in the tables", func() bool { return r.count(t, "SELECT count(*) FROM entry") == 5 })
			}
		}
		var all []string
		for after := uint64(0); ; {
			entries, last, ok, err := r.Read(t.Context(), device(1), room, after, 3)
			if err != nil || !ok || last != 10 {
				t.Fatalf("got %d, %v, %v", last, ok, err)
			}
			if len(entries) == 0 {
				break
			}
			if len(entries) > 3 {
				t.Fatalf("%d entries in a page of 3", len(entries))
			}
			for _, e := range entries {
				all = append(all, fmt.Sprintf("%d:%s", e.Seq, e.Message))
			}
			after = entries[len(entries)-1].Seq
		}
		equal(t, "the pages", all, []string{"1:0", "2:1", "3:2", "4:3", "5:4", "6:5", "7:6", "8:7", "9:8", "10:9"})
	})
}

func drawEntry(rt *rapid.T, seq uint64) *api.Entry {
	e := &api.Entry{Seq: seq, Kind: api.EntryApplication, Keep: api.Keep(rapid.IntRange(1, 4).Draw(rt, "keep")),
		Generation: rapid.Uint32().Draw(rt, "generation"), Epoch: rapid.Uint64().Draw(rt, "epoch"),
		Time: rapid.Int64Min(0).Draw(rt, "time"), Message: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(rt, "message")}
	copy(e.Sender[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "sender"))
	copy(e.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "id"))
	return e
}

func TestRecordOfTheTapeComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		logs := map[api.LogID][]*api.Entry{}
		for i := range rapid.IntRange(1, 4).Draw(rt, "logs") {
			from := rapid.Uint64Max(1<<62).Draw(rt, "from")
			for n := range rapid.IntRange(1, 4).Draw(rt, "entries") {
				logs[api.LogID{byte(i)}] = append(logs[api.LogID{byte(i)}], drawEntry(rt, from+1+uint64(n)))
			}
		}
		record := journal.EncodeRecord(logs)
		got := map[api.LogID][]*api.Entry{}
		err := journal.DecodeRecord(record, func(id api.LogID, e *api.Entry) error { got[id] = append(got[id], e); return nil })
		if err != nil {
			rt.Fatal(err)
		}
		for id, want := range logs {
			if len(got[id]) != len(want) {
				rt.Fatalf("got %d entries, want %d", len(got[id]), len(want))
			}
			for i, e := range want {
				if g := got[id][i]; g.Sum() != e.Sum() || g.Kind != e.Kind || g.Seq != e.Seq {
					rt.Fatalf("got %v, want %v", g, e)
				}
			}
		}
		cut := rapid.IntRange(1, len(record)-1).Draw(rt, "cut")
		n := 0
		if err := journal.DecodeRecord(record[:cut], func(api.LogID, *api.Entry) error { n++; return nil }); err == nil && n >= len(logs) {
			all := 0
			for _, entries := range logs {
				all += len(entries)
			}
			if n >= all {
				rt.Fatalf("the first %d of %d bytes say all", cut, len(record))
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add(journal.EncodeRecord(map[api.LogID][]*api.Entry{{1}: {{Seq: 1, Kind: 1, Keep: 2, Epoch: 3, Time: 4, Message: []byte("m")}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		_ = journal.DecodeRecord(b, func(_ api.LogID, e *api.Entry) error { size += 50 + len(e.Message); return nil })
		if size > len(b) {
			t.Errorf("%d bytes came of %d", size, len(b))
		}
	})
}
