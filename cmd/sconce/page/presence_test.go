package page

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"sconce/client"
	"sconce/client/bridge"
)

// store is a door to something that locks, whose person may be idle for so long.
type store struct {
	idle   int
	events chan client.Event

	mu   sync.Mutex
	open bool
}

func (s *store) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	return s.events, func() {}, nil
}

func (s *store) Call(_ context.Context, method string, _ json.RawMessage) (json.RawMessage, *bridge.Error) {
	var result any = bridge.None{}
	switch method {
	case bridge.State.Name:
		result = s.state()
	case bridge.Settings.Name:
		result = client.Settings{IdleLock: s.idle}
	case bridge.Lock.Name:
		s.set(false)
	}
	b, err := json.Marshal(result)
	if err != nil {
		return nil, bridge.Errorf(bridge.Failed, "%v", err)
	}
	return b, nil
}

func (s *store) state() client.DoorView {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return client.DoorView{State: client.PhaseOpen}
	}
	return client.DoorView{State: client.PhaseLocked}
}

func (s *store) set(open bool) {
	s.mu.Lock()
	s.open = open
	s.mu.Unlock()
	v := s.state()
	s.events <- client.Event{State: &v}
}

// watch runs the lock over a store, in a bubble whose time is the test's.
func watch(t *testing.T, idle int, story func(s *Server, d *store)) {
	synctest.Test(t, func(t *testing.T) {
		d := &store{idle: idle, open: true, events: make(chan client.Event, 10)}
		s := New("127.0.0.1:1", http.NotFoundHandler(), d)
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { s.LockWhenAlone(ctx) })
		synctest.Wait()
		story(s, d)
		stop()
		watching.Wait()
	})
}

// after lets time pass, and tells whether it is locked then.
func (s *store) after(d time.Duration) (locked bool) {
	time.Sleep(d)
	synctest.Wait()
	return s.state().State == client.PhaseLocked
}

func TestStoreLocksAfterThePersonsIdleTime(t *testing.T) {
	watch(t, 300, func(s *Server, d *store) {
		s.here.come()
		for range 3 {
			if d.after(299 * time.Second) {
				t.Fatal("locked before its time")
			}
			s.here.touch(time.Now())
		}
		if !d.after(301 * time.Second) {
			t.Fatal("nobody touched the page for five minutes, and the store is open")
		}
		d.set(true)
		if d.after(299*time.Second) || !d.after(2*time.Second) {
			t.Error("opening it again does not begin the time anew")
		}
	})
}

// A touch that comes too late, such as of a computer that slept, opens nothing.
func TestWhoeverComesBackTooLateFindsItLocked(t *testing.T) {
	watch(t, 1, func(s *Server, d *store) {
		s.here.come()
		time.Sleep(1500 * time.Millisecond)
		s.here.touch(time.Now())
		if !d.after(looking) {
			t.Error("a late touch kept the store open")
		}
	})
}

func TestStoreLocksWhenThePageHasGone(t *testing.T) {
	watch(t, 0, func(s *Server, d *store) {
		if d.after(24 * time.Hour) {
			t.Fatal("locked before a page had come")
		}
		s.here.come()
		if d.after(24 * time.Hour) {
			t.Fatal("locked while a page is there, whose person wants no idle lock")
		}
		s.here.leave(time.Now()) // a reload
		time.Sleep(time.Second)
		s.here.come()
		s.here.come() // and a second tab
		s.here.leave(time.Now())
		if d.after(time.Hour) {
			t.Fatal("locked while one of two pages is there")
		}
		s.here.leave(time.Now())
		if d.after(away-time.Second) || !d.after(2*time.Second) {
			t.Error("the page has gone, and the store is not locked half a minute later")
		}
	})
}

// Clocks that are set back, and computers that sleep.
func TestTheLongerOfTwoClocksCounts(t *testing.T) {
	now := time.Now()
	if got := since(now.Add(-time.Minute), now); got != time.Minute {
		t.Errorf("since = %v", got)
	}
	if got := since(now.Round(0).Add(-time.Hour), now); got < time.Hour {
		t.Errorf("by the wall alone, since = %v", got)
	}
}

// By the wire: the page's touches arrive, its lines are no touches, and its going
// is noticed.
func TestPageSaysThatItIsTouched(t *testing.T) {
	s := serve(t)
	c, err := s.dial(s.enter(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	look := func() (pages int, touched time.Time) {
		s.here.mu.Lock()
		defer s.here.mu.Unlock()
		return s.here.pages, s.here.touched
	}
	_, entered := look()
	if got, err := s.call(c, `{"id":1,"method":"view"}`); err != nil || got != `{"id":1,"result":"view"}` {
		t.Fatalf("a call gives %q, %v", got, err)
	}
	pages, touched := look()
	if pages != 1 || touched != entered {
		t.Errorf("after a call there are %d pages, touched %v after the link was used", pages, touched.Sub(entered))
	}
	if err := c.Write(t.Context(), websocket.MessageText, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.call(c, `{"id":2,"method":"me"}`); err != nil || got != `{"id":2,"result":"me"}` {
		t.Fatalf("a call after a touch gives %q, %v", got, err)
	}
	if _, touched := look(); !touched.After(entered) {
		t.Error("the touch did not arrive")
	}
	_ = c.Close(websocket.StatusGoingAway, "")
	for give := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if pages, _ := look(); pages == 0 {
			break
		}
		if time.Now().After(give) {
			t.Fatal("a page that has gone counts as there")
		}
	}
}
