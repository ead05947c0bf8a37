package delivery_test

import (
	"sync"
	"testing"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// heard is a sink that keeps the signals pushed to it.
type heard struct {
	mu      sync.Mutex
	signals []api.Push
}

func (h *heard) Push(_ api.LogID, _ uint64, frame []byte) {
	var f api.Frame
	if api.Unmarshal(frame, &f) == nil && f.Push != nil && len(f.Push.Signal) > 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.signals = append(h.signals, *f.Push)
	}
}

func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.signals)
}

// listen gives what is pushed to a device from now on.
func listen(t *testing.T, d *device) *heard {
	h := new(heard)
	t.Cleanup(d.w.Subscribe(d.caller(), h))
	return h
}

func signal(t *testing.T, d *device, log api.LogID, message []byte) error {
	_, err := d.w.Signal(t.Context(), d.caller(), &api.SignalRequest{Room: log, Message: message})
	return err
}

func TestSignalReachesTheConnectedOfTheRoomAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve, mallory := w.person(t), w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob, eve)
		ears := map[string]*heard{"ada": listen(t, ada), "bob": listen(t, bob), "mallory": listen(t, mallory)}
		before := seqs(bob.read(ada.room, 0))
		must(t, signal(t, ada, ada.room, []byte("writing")))
		for name, want := range map[string]int{"ada": 0, "bob": 1, "mallory": 0} {
			if got := ears[name].count(); got != want {
				t.Errorf("%s heard %d signals, want %d", name, got, want)
			}
		}
		if p := ears["bob"].signals[0]; p.Log != ada.room || p.From != ada.deviceID() || string(p.Signal) != "writing" || len(p.Entries) != 0 {
			t.Errorf("bob heard %+v", p)
		}
		late := listen(t, eve)
		if after := seqs(bob.read(ada.room, 0)); len(after) != len(before) || late.count() != 0 {
			t.Errorf("a signal was kept: the log went from %d to %d, who came late heard %d", before, after, late.count())
		}
		wantCode(t, signal(t, mallory, ada.room, []byte("me too")), api.NotFound)
		wantCode(t, signal(t, ada, api.LogID{9}, []byte("nowhere")), api.NotFound)
		wantCode(t, signal(t, ada, api.Inbox(ada.deviceID()), []byte("to myself")), api.NotFound)
		wantCode(t, signal(t, mallory, api.Inbox(ada.deviceID()), []byte("to ada")), api.NotFound)
		wantCode(t, signal(t, ada, ada.room, nil), api.TooLarge)
		wantCode(t, signal(t, ada, ada.room, make([]byte, api.MaxSignal+1)), api.TooLarge)
		ada.commit(mls.CommitOptions{Proposals: []mls.Proposal{
			&mls.Remove{Removed: bob.group.Own()}, room.Change{Remove: []identity.UserID{bob.log.User()}}.Proposal()}})
		must(t, signal(t, ada, ada.room, []byte("again")))
		if got := ears["bob"].count(); got != 1 {
			t.Errorf("the removed heard %d signals, want the one of before", got)
		}
		wantCode(t, signal(t, bob, ada.room, []byte("still here")), api.NotFound)
	})
}

func TestSignalsAreLimited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		for range 30 {
			must(t, signal(t, ada, ada.room, []byte("writing")))
		}
		wantCode(t, signal(t, ada, ada.room, []byte("writing")), api.RateLimited)
		must(t, signal(t, bob, ada.room, []byte("writing")))
	})
}
