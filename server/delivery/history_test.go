package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sconce/api"
	"sconce/mls"
	"sconce/room"
)

// history is a room in which random things happen, and every device that has
// ever been in it.
type history struct {
	t       *testing.T
	w       *world
	r       *rand.Rand
	admin   *device // made the room, and stays
	devices []*device
	chain   map[uint64]api.Hash // digests of all entries, as somebody has read them
}

func (h *history) in(d *device) bool { return d.group != nil && !d.group.Removed() }

// pick gives a random device that is in the room, or one that is not; nil if
// there is none.
func (h *history) pick(in bool) *device {
	some := slices.DeleteFunc(slices.Clone(h.devices), func(d *device) bool { return h.in(d) != in })
	if len(some) == 0 {
		return nil
	}
	return some[h.r.IntN(len(some))]
}

// settle has everyone read everything.
func (h *history) settle() {
	h.t.Helper()
	for _, d := range h.devices {
		if !h.in(d) {
			continue
		}
		for _, e := range d.read(d.room, d.cursor) {
			if sum, known := h.chain[e.Seq]; known && sum != e.Sum() {
				h.t.Errorf("two devices read different entries at %d", e.Seq)
			}
			h.chain[e.Seq] = e.Sum()
		}
		d.sync()
		if h.r.IntN(3) == 0 {
			_, err := h.w.Ack(h.t.Context(), d.caller(), &api.AckRequest{Acks: []api.Place{{Log: d.room, Seq: d.cursor}}})
			must(h.t, err)
		}
	}
}

func (h *history) step() string {
	h.t.Helper()
	switch what := h.r.IntN(7); what {
	case 0, 1:
		h.pick(true).commit(mls.CommitOptions{ForcePath: true})
		return "commit"
	case 2:
		if d := h.pick(false); d != nil {
			h.admin.letIn(d)
			return "add"
		}
	case 3:
		if d := h.pick(false); d != nil {
			people, err := room.ParticipantsOf(h.admin.group.Context())
			must(h.t, err)
			if _, ok := people.Find(d.log.User()); ok {
				d.letSelfIn(h.admin.room)
				return "let oneself in"
			}
		}
	case 4:
		if d := h.pick(true); d != h.admin {
			h.admin.commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Remove{Removed: d.group.Own()}}})
			return "remove"
		}
	case 5:
		if d := h.pick(true); d != h.admin {
			d.letSelfIn(h.admin.room)
			return "resync"
		}
	case 6:
		h.w.stop()
		h.w.run(h.t)
		return "restart"
	}
	return "nothing"
}

func TestRandomHistoriesConverge(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		h := &history{t: t, w: w, r: rand.New(rand.NewPCG(seed, 0)), chain: map[uint64]api.Hash{}}
		for range 3 {
			phone := w.person(t)
			h.devices = append(h.devices, phone, phone.add())
		}
		h.admin = h.devices[0]
		h.admin.create(room.Group, nil)
		for i := range 60 {
			w.now.Add(60_000)
			what := h.step()
			h.settle()
			speaker, text := h.pick(true), fmt.Sprint("after ", what, " ", i)
			speaker.say(text)
			for _, d := range h.devices {
				if !h.in(d) {
					continue
				}
				if said := d.sync(); d != speaker && !slices.Equal(said, []string{text}) {
					t.Fatalf("step %d, %s: a device reads %q, want %q", i, what, said, text)
				}
			}
		}
	})
}
