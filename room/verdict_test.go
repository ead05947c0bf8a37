package room

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sconce/identity"
	"sconce/mls"
)

// history is every prefix of the logs of a party's people.
type history map[identity.UserID][]*identity.Log

func (w *world) history() history {
	w.Helper()
	h := history{}
	for u, p := range w.people {
		for n := range p.log.Length() {
			h[u] = append(h[u], p.prefix(n+1))
		}
	}
	return h
}

// knowing is a source that knows so much of each log; 0 is nothing.
func (h history) knowing(lengths map[identity.UserID]int) LogSource {
	return func(u identity.UserID) *identity.Log {
		if n := lengths[u]; n > 0 {
			return h[u][n-1]
		}
		return nil
	}
}

// users lists people in the order of their ids, so that rapid can repeat a run.
func (h history) users() []identity.UserID {
	var list []identity.UserID
	for u := range h {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b identity.UserID) int { return cmp.Compare(a.String(), b.String()) })
	return list
}

// checkIndependence draws what is known of everyone's logs, and checks that the
// verdict is the one of who knows all, or asks for just what is not known.
func (h history) checkIndependence(t *testing.T, judge func(LogSource) error) {
	t.Helper()
	all := map[identity.UserID]int{}
	for u, logs := range h {
		all[u] = len(logs)
	}
	want := fmt.Sprint(judge(h.knowing(all)))
	rapid.Check(t, func(t *rapid.T) {
		known := map[identity.UserID]int{}
		for i, u := range h.users() {
			known[u] = rapid.IntRange(0, len(h[u])).Draw(t, fmt.Sprintf("length of log %d", i))
		}
		err := judge(h.knowing(known))
		missing, asks := errors.AsType[*MissingLogsError](err)
		if !asks {
			if got := fmt.Sprint(err); got != want {
				t.Fatalf("knowing %v the verdict is\n%s, want\n%s", known, got, want)
			}
			return
		}
		if len(missing.Needs) == 0 {
			t.Fatal("asks for nothing")
		}
		for _, need := range missing.Needs {
			if known[need.User] >= need.Pin.Length {
				t.Fatalf("asks for a log to %d that is known to %d", need.Pin.Length, known[need.User])
			}
			known[need.User] = need.Pin.Length
		}
		if got := fmt.Sprint(judge(h.knowing(known))); got != want {
			t.Fatalf("given what it asked for, the verdict is\n%s, want\n%s", got, want)
		}
	})
}

func TestVerdictOnACommitDependsOnNothingLater(t *testing.T) {
	p := newParty(t)
	tablet := p.bob.newDevice("tablet") // entry 2
	pinned := p.bob.log.Length()
	dave := p.newPerson()
	offers := []mls.Proposal{p.brings(tablet), p.brings(dave.phone), set(p.bob.at(Member, pinned), dave.at(Member, 0))}
	p.bob.removes(p.laptop) // entry 3
	evicts := []mls.Proposal{p.remove(p.laptop), set(p.bob.at(Member, 0))}
	keep := p.bob.log.Length()
	p.bob.removes(tablet) // entry 4
	p.bob.recovers(identity.Recovery{Keep: keep})
	dave.newDevice("tablet")
	h := p.history()
	for _, test := range []struct {
		name string
		by   *device
		list []mls.Proposal
	}{
		{"devices that are removed later", p.alice.phone, offers},
		{"devices by a member", p.carol.phone, offers},
		{"eviction", p.carol.phone, evicts},
		{"eviction without the pin", p.carol.phone, evicts[:1]},
		{"pin without eviction", p.carol.phone, evicts[1:]},
		{"pin in the midst of what is undone", p.alice.phone, []mls.Proposal{evicts[0], set(p.bob.at(Member, keep+1))}},
		{"nothing", p.bob.phone, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.by.rules.dishonest = true
			raw := p.commit(test.by, inline(test.list...)).Message()
			test.by.rules.dishonest = false
			m, err := mls.ParseMessage(raw)
			p.ok(err)
			server := p.server.Logs
			defer func() { p.server.Logs = server }()
			h.checkIndependence(t, func(logs LogSource) error {
				p.server.Logs = logs
				_, err := p.public.Process(m, testTime)
				return err
			})
		})
	}
}

func TestVerdictOnMembersDependsOnNothingLater(t *testing.T) {
	p := newParty(t)
	p.bob.removes(p.laptop)
	p.carol.newDevice("tablet")
	p.alice.phone.rotate()
	h := p.history()
	h.checkIndependence(t, func(logs LogSource) error {
		return CheckMembers(p.public.Context(), p.public.Members(), logs)
	})
}

func TestRefusalNeedsNoLogsWhereNoneMatter(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	p.server.Logs = func(identity.UserID) *identity.Log { return nil }
	p.bob.phone.rules.dishonest = true
	st := p.commit(p.bob.phone, inline(p.brings(dave.phone), set(dave.at(Member, 0))))
	m, err := mls.ParseMessage(st.Message())
	p.ok(err)
	_, err = p.public.Process(m, testTime)
	p.wantRule("the server", "people", err)
}

func TestMissingLogsAreNamedInOrder(t *testing.T) {
	p := newParty(t)
	p.bob.newDevice("tablet")
	p.carol.newDevice("tablet")
	st := p.commit(p.alice.phone, inline(set(p.bob.at(Member, 0), p.carol.at(Member, 0))))
	m, err := mls.ParseMessage(st.Message())
	p.ok(err)
	p.server.Logs = func(identity.UserID) *identity.Log { return nil }
	_, err = p.public.Process(m, testTime)
	missing, ok := errors.AsType[*MissingLogsError](err)
	if !ok {
		t.Fatalf("got %v, want a request for logs", err)
	}
	want := []LogNeed{{p.bob.user(), p.bob.log.Pin()}, {p.carol.user(), p.carol.log.Pin()}}
	slices.SortFunc(want, func(a, b LogNeed) int { return slices.Compare(a.User[:], b.User[:]) })
	if !slices.Equal(missing.Needs, want) {
		t.Errorf("needs %v, want %v", missing.Needs, want)
	}
}
