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

// model is a log as plain as can be: nothing in it is ever deleted.
type model struct {
	texts   []string // of place 1 and on
	due     []int64
	epoch   uint64
	windows map[int]*modelWindow
	past    []*journal.Write // that were taken
}

type modelWindow struct {
	from, to, taken uint64
	closed          int64 // when, or 0
}

// ended reports whether a window was closed so long ago that the journal ends
// it: from then on its device may find the rest, until it is swept, or nothing.
func (w *modelWindow) ended(now int64) bool {
	return w != nil && w.closed > 0 && now >= w.closed+30*24*time.Hour.Milliseconds()
}

func (m *model) last() uint64 { return uint64(len(m.texts)) }

func (m *model) add(text string, due int64) {
	m.texts, m.due = append(m.texts, text), append(m.due, due)
}

// read is what a device that took everything up to after must get. Gone is for
// what was due when Expire last ran.
func (m *model) read(n int, after uint64, expired int64) (out []string) {
	w := m.windows[n]
	if w == nil {
		return nil
	}
	end := m.last()
	if w.to > 0 {
		end = w.to
	}
	for seq := max(after+1, w.from); seq <= end; seq++ {
		text := m.texts[seq-1]
		if m.due[seq-1] <= expired {
			text = "gone"
		}
		out = append(out, fmt.Sprintf("%d:%s", seq, text))
	}
	return out
}

// TestJournalIsTheModel makes random histories of rooms, over restarts, and
// compares all that every device may read at each step.
func TestJournalIsTheModel(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var f fault
		r := start(t, db, f.at)
		rapid.Check(t, func(rt *rapid.T) {
			const devices = 5
			room := r.room(t, 2)
			m := &model{windows: map[int]*modelWindow{0: {from: 1}, 1: {from: 1}}}
			expired, waited := int64(0), 0
			who := rapid.IntRange(0, devices-1)
			rt.Repeat(map[string]func(*rapid.T){
				"": func(rt *rapid.T) {
					for n := range devices {
						after := uint64(0)
						if w := m.windows[n]; w != nil {
							after = w.taken
						}
						if m.windows[n].ended(r.now.Load()) {
							continue
						}
						if got, want := r.texts(t, room, n, after), m.read(n, after, expired); !slices.Equal(got, want) {
							rt.Fatalf("device %d reads %q, want %q", n, got, want)
						}
					}
				},
				"say": func(rt *rapid.T) {
					n, epoch := who.Draw(rt, "device"), m.epoch-uint64(rapid.IntRange(0, 1).Draw(rt, "behind"))
					w := message(room, n, fmt.Sprint("m", m.last()))
					w.Entry.Epoch, w.Entry.Keep = epoch, api.Keep(rapid.IntRange(1, 4).Draw(rt, "keep"))
					_, err := r.Write(t.Context(), w)
					win := m.windows[n]
					want := api.Code("")
					switch {
					case win == nil || win.to > 0:
						want = api.Forbidden
					case epoch != m.epoch:
						want = api.Stale
					}
					if code(err) != want {
						rt.Fatalf("got %v, want %q", err, want)
					}
					if err == nil {
						m.add(string(w.Entry.Message), r.now.Load()+w.Entry.Keep.Duration())
						m.past = append(m.past, w)
					}
				},
				"repeat": func(rt *rapid.T) {
					if len(m.past) == 0 {
						rt.Skip("nothing was said")
					}
					w := *rapid.SampledFrom(m.past).Draw(rt, "which")
					at, ok, err := r.Answer(t.Context(), w.Entry.Sender, room, w.Entry.ID)
					if err != nil || !ok || m.texts[at.Seq-1] != string(w.Entry.Message) {
						rt.Fatalf("got %v, %v, %v", at, ok, err)
					}
					if w.Entry.Epoch == m.epoch {
						again, err := r.Write(t.Context(), &w)
						if left := code(err) == api.Forbidden; !left && (err != nil || again.Seq != at.Seq) {
							rt.Fatalf("got %v, %v, want %v", again, err, at)
						}
					}
				},
				"commit": func(rt *rapid.T) {
					var c journal.Change
					seq := m.last() + 1
					next := map[int]*modelWindow{}
					for n := range devices {
						w := m.windows[n]
						open := w != nil && w.to == 0
						switch what := rapid.SampledFrom([]string{"", "", "", "close", "drop", "open", "at"}).Draw(rt, "what"); {
						case what == "close" && open:
							c.Close = append(c.Close, device(n))
							next[n] = &modelWindow{from: w.from, to: seq, taken: w.taken, closed: r.now.Load()}
						case what == "drop" && open:
							c.Drop = append(c.Drop, device(n))
							next[n] = nil
						case what == "open" && !open:
							c.Open = append(c.Open, journal.Opening{Device: device(n), User: device(n)})
							next[n] = &modelWindow{from: seq + 1, taken: seq}
						case what == "at":
							c.Open = append(c.Open, journal.Opening{Device: device(n), User: device(n), At: true})
							next[n] = &modelWindow{from: seq, taken: seq - 1}
						}
					}
					r.change(t, room, 0, c)
					for n, w := range next {
						m.windows[n] = w
					}
					m.add("commit", r.now.Load()+api.KeepMonth.Duration())
					m.epoch++
				},
				"ack": func(rt *rapid.T) {
					n := who.Draw(rt, "device")
					seq := uint64(rapid.IntRange(0, int(m.last())+2).Draw(rt, "seq"))
					r.ack(t, room, n, seq)
					if w := m.windows[n]; w != nil {
						end := m.last()
						if w.to > 0 {
							end = w.to
						}
						w.taken = max(w.taken, min(seq, end))
					}
				},
				"wait": func(rt *rapid.T) {
					hours := rapid.IntRange(1, 200).Draw(rt, "hours")
					if waited += hours; waited >= 90*24 {
						rt.Skip("appends would be forgotten")
					}
					r.now.Add(int64(hours) * time.Hour.Milliseconds())
					if err := r.Expire(t.Context()); err != nil {
						rt.Fatal(err)
					}
					expired = r.now.Load()
				},
				"restart": func(rt *rapid.T) {
					end := rapid.IntRange(0, 19).Draw(rt, "how it ends")
					if end > 2 {
						rt.Skip("not now")
					}
					now := r.now.Load()
					switch end {
					case 1: // killed before what is on the tape is in the tables
						f.arm("flush")
						fallthrough
					case 2: // or after, and before the tape is erased
						if err := r.LetGo(); err != nil {
							rt.Fatal(err)
						}
					}
					r.stop()
					f.arm("")
					r = start(t, db, f.at)
					r.now.Store(now)
				},
			})
		})
	})
}
