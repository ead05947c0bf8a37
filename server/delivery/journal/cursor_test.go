package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sconce/api"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/server/delivery/journal"
)

func TestEntriesGoWhenEveryDeviceHasThem(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 3)
		for i := range 4 {
			r.say(t, room, 0, fmt.Sprint(i))
		}
		left := func() int { return r.count(t, "SELECT count(*) FROM entry WHERE log = $1", room[:]) }
		r.ack(t, room, 0, 4)
		r.ack(t, room, 1, 99) // no more than there is
		r.ack(t, room, 2, 2)
		eventually(t, "two are left", func() bool { return left() == 2 })
		equal(t, "the slow one", r.texts(t, room, 2, 2), []string{"3:2", "4:3"})
		r.ack(t, room, 2, 4)
		eventually(t, "none is left", func() bool { return left() == 0 })
		if at := r.say(t, room, 0, "next"); at.Seq != 5 {
			t.Errorf("the next entry is at %d", at.Seq)
		}
	})
}

func TestRemovedDeviceHoldsUpOnlyWhatIsItsToRead(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		r.say(t, room, 0, "a")
		r.change(t, room, 0, journal.Change{Close: []api.DeviceID{device(1)}})
		r.sayIn(t, room, 0, 1, "b")
		r.ack(t, room, 0, 3)
		time.Sleep(300 * time.Millisecond)
		equal(t, "the removed", r.texts(t, room, 1, 0), []string{"1:a", "2:commit"})
		r.ack(t, room, 1, 2)
		eventually(t, "all is gone", func() bool { return r.count(t, "SELECT count(*) FROM entry") == 0 })
		eventually(t, "the window is gone", func() bool { return r.count(t, "SELECT count(*) FROM log_window") == 1 })
	})
}

func TestAcknowledgedBytesAreGoneFromTheDisk(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first func(t *testing.T, r *rig) // before the acknowledgement
	}{
		{"from the tape", func(*testing.T, *rig) {}},
		{"from the tables", func(t *testing.T, r *rig) {
			eventually(t, "the entry is in the tables", func() bool { return r.count(t, "SELECT count(*) FROM entry") == 1 })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, sqldbtest.SQLite(t), nil)
			room := r.room(t, 1)
			canary := strings.Repeat("canary", 3000)
			r.say(t, room, 0, canary)
			tt.first(t, r)
			onDisk := func() bool {
				for _, path := range r.db.Files() {
					b, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					if bytes.Contains(b, []byte("canarycanary")) {
						return true
					}
				}
				return false
			}
			if !onDisk() {
				t.Fatal("the control found nothing: the test looks in the wrong place")
			}
			r.ack(t, room, 0, 1)
			eventually(t, "it is gone from the disk", func() bool {
				if err := r.db.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
				return !onDisk()
			})
		})
	}
}

// The one who held a message up is taken out, and the server dies before it has
// deleted the message: nobody will acknowledge it any more.
func TestWhatNobodyWaitsForGoesAfterACrash(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var f fault
		r := start(t, db, f.at)
		room := r.room(t, 2)
		r.say(t, room, 0, "a")
		r.ack(t, room, 0, 1)
		if err := r.Expire(t.Context()); err != nil { // which flushes
			t.Fatal(err)
		}
		r.change(t, room, 0, journal.Change{Drop: []api.DeviceID{device(1)}})
		f.arm("flush")
		r.ack(t, room, 0, 2)
		if err := r.LetGo(); err != nil {
			t.Fatal(err)
		}
		r.stop()
		r = start(t, db, nil)
		if _, err := r.Status(t.Context(), room); err != nil { // somebody looks at the room
			t.Fatal(err)
		}
		eventually(t, "the message is gone", func() bool { return r.count(t, "SELECT count(*) FROM entry WHERE seq = 1") == 0 })
	})
}

func TestMessagesGoWhenTheirTimeIsOver(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		keeps := []api.Keep{api.KeepMonth, api.KeepHour, api.KeepWeek, api.KeepDay}
		for i, k := range keeps {
			w := message(room, 0, fmt.Sprint(i))
			w.Entry.Keep = k
			if _, err := r.Write(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := r.Status(t.Context(), room)
		for _, step := range []struct {
			after time.Duration
			want  []string
		}{
			{59 * time.Minute, []string{"1:0", "2:1", "3:2", "4:3"}},
			{2 * time.Minute, []string{"1:0", "2:gone", "3:2", "4:3"}},
			{24 * time.Hour, []string{"1:0", "2:gone", "3:2", "4:gone"}},
			{7 * 24 * time.Hour, []string{"1:0", "2:gone", "3:gone", "4:gone"}},
			{30 * 24 * time.Hour, []string{"1:gone", "2:gone", "3:gone", "4:gone"}},
		} {
			r.now.Add(step.after.Milliseconds())
			if err := r.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprint("after ", step.after, " more"), r.texts(t, room, 1, 0), step.want)
		}
		entries, _, _, err := r.Read(t.Context(), device(1), room, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var hash api.Hash
		for _, e := range entries {
			hash = api.Chain(hash, e.Sum())
		}
		if hash != before.Hash {
			t.Error("the chain is broken where messages are gone")
		}
		if n := r.count(t, "SELECT count(*) FROM entry WHERE time > 0 OR length(sender) > 0 OR length(append_id) > 0"); n != 0 {
			t.Errorf("%d entries still tell who sent them and when", n)
		}
	})
}

func TestRepeatsAreKnownForNinetyDays(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 1)
		w := message(room, 0, "x")
		if _, err := r.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		known := func() bool {
			if err := r.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, ok, err := r.Answer(t.Context(), device(0), room, w.Entry.ID)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		r.now.Add((90 * 24 * time.Hour).Milliseconds() - 1)
		if !known() {
			t.Error("forgotten too early")
		}
		r.now.Add(1)
		if known() {
			t.Error("remembered for longer than 90 days")
		}
	})
}

func TestWhatARemovedDeviceNeverFetchedGoesAfterAMonth(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		room := r.room(t, 2)
		r.change(t, room, 0, journal.Change{Close: []api.DeviceID{device(1)}})
		r.ack(t, room, 0, 1)
		r.now.Add((31 * 24 * time.Hour).Milliseconds())
		if err := r.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "window and entry are gone", func() bool {
			return r.count(t, "SELECT count(*) FROM log_window") == 1 && r.count(t, "SELECT count(*) FROM entry") == 0
		})
	})
}
