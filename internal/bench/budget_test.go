//go:build linux

package main

import (
	"context"
	"path/filepath"
	"testing"

	"sconce/api"
)

// A budget is what one delivery may cost the server: about twice what it costs.
// CPU time and system calls say the same on a busy machine as on a quiet one,
// wall time does not, so that is no part of it.
type budget struct {
	cpu   float64 // seconds for 100,000 deliveries
	calls float64 // reads and writes for each
}

var (
	pairsBudget = budget{cpu: 6, calls: 2.4}
	crowdBudget = budget{cpu: 0.8, calls: 1.2}
)

// settled starts a server that is built from this tree, with people in it.
func settled(t *testing.T, s size) *world {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // the server outlives the test by its clean-up
	dir := t.TempDir()
	binary, err := build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{scratch: dir, launch: launch{binary: binary, data: filepath.Join(dir, "data"), core: -1}}
	if err := w.restart(ctx, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.halt(); err != nil {
			t.Error(err)
		}
	})
	if err := w.settle(ctx, s); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestBudget holds the server to what a delivery may cost, and to losing and
// doubling nothing meanwhile.
func TestBudget(t *testing.T) {
	s := size{pairs: 16, flight: 16, crowd: 50, messages: 6400, news: 500}
	w := settled(t, s)
	for _, tt := range []struct {
		name   string
		run    func() (*sample, error)
		budget budget
	}{
		{"1 to 1", func() (*sample, error) { return w.oneToOne(t.Context(), s, "1 to 1") }, pairsBudget},
		{"1 to 50", func() (*sample, error) { return w.fanOut(t.Context(), s, "1 to 50") }, crowdBudget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.run()
			if err != nil {
				t.Fatal(err)
			}
			if err := got.check(); err != nil {
				t.Error(err)
			}
			for _, f := range got.figures {
				t.Logf("%s: %s %s", f.name, number(f.value), f.unit)
			}
			if cpu := got.figure("CPU, " + tt.name); cpu > tt.budget.cpu {
				t.Errorf("100,000 deliveries take the server %.2f s of CPU time, want at most %.2f", cpu, tt.budget.cpu)
			}
			if calls := got.figure("reads and writes, " + tt.name); calls > tt.budget.calls {
				t.Errorf("a delivery takes the server %.2f reads and writes, want at most %.2f", calls, tt.budget.calls)
			}
		})
	}
}

// TestLedgerSeesWhatAServerMayNotDo is the control of every "lost 0, twice 0".
func TestLedgerSeesWhatAServerMayNotDo(t *testing.T) {
	letters := []letter{{id: api.AppendID{1}, message: []byte("one")}, {id: api.AppendID{2}, message: []byte("two")}}
	entry := func(seq uint64, id byte, message string) api.Entry {
		return api.Entry{Seq: seq, Kind: api.EntryApplication, ID: api.AppendID{id}, Message: []byte(message)}
	}
	for _, tt := range []struct {
		name    string
		pushes  [][]api.Entry
		lost    int // counted by the ledger, as not what was sent
		twice   int // in two places of the log
		again   int // pushed to one stream a second time
		missing uint64
	}{
		{name: "all is well", pushes: [][]api.Entry{{entry(1, 1, "one"), entry(2, 2, "two")}}},
		{name: "the last is not there", pushes: [][]api.Entry{{entry(1, 1, "one")}}, missing: 1},
		{name: "another text", pushes: [][]api.Entry{{entry(1, 1, "one"), entry(2, 2, "TWO")}}, lost: 1},
		{name: "nobody sent it", pushes: [][]api.Entry{{entry(1, 1, "one"), entry(2, 9, "two")}}, lost: 1},
		{name: "two places", pushes: [][]api.Entry{{entry(1, 1, "one"), entry(2, 1, "one")}}, twice: 1},
		{name: "pushed again", pushes: [][]api.Entry{{entry(1, 1, "one")}, {entry(1, 1, "one"), entry(2, 2, "two")}}, again: 1},
		{name: "gone unread", pushes: [][]api.Entry{{entry(1, 1, "one"), {Seq: 2, Gone: true}}}, lost: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := api.LogID{7}
			l := newLedger()
			l.enter(log, letters)
			s := listen(nil, l, log, 0, 2)
			for _, entries := range tt.pushes {
				frame, err := api.Marshal(api.Frame{Push: &api.Push{Log: log, Entries: entries, Last: entries[len(entries)-1].Seq}})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.push(frame); err != nil {
					t.Fatal(err)
				}
			}
			if got := l.foreign + l.gone; got != tt.lost {
				t.Errorf("lost %d, want %d", got, tt.lost)
			}
			if l.twice != tt.twice || int(s.twice.Load()) != tt.again {
				t.Errorf("twice %d and again %d, want %d and %d", l.twice, s.twice.Load(), tt.twice, tt.again)
			}
			if got := s.end - (s.next - 1); got != tt.missing {
				t.Errorf("missing %d, want %d", got, tt.missing)
			}
		})
	}
}

func TestNumbersHaveThreeDigitsThatMeanSomething(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		want string
	}{{0, "0"}, {0.0123, "0.012"}, {1.234, "1.23"}, {12.34, "12.3"}, {123.4, "123"}, {1234, "1,230"}, {30_000, "30,000"}, {1_234_567, "1,230,000"}} {
		if got := number(tt.v); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.v, got, tt.want)
		}
	}
}

func TestMissedGoalIsSaidToBeMissed(t *testing.T) {
	more, less := target{reach: 10, aim: 20, more: true}, target{reach: 10, aim: 5}
	for _, tt := range []struct {
		goal target
		v    float64
		want string
	}{{more, 9, "**missed**"}, {more, 10, "reached"}, {more, 20, "aim"}, {less, 11, "**missed**"}, {less, 10, "reached"}, {less, 5, "aim"}, {target{}, 0, "aim"}, {target{}, 1, "**missed**"}} {
		if got := tt.goal.verdict(tt.v); got != tt.want {
			t.Errorf("%+v at %v: got %s, want %s", tt.goal, tt.v, got, tt.want)
		}
	}
}
