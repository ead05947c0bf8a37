package delivery_test

import (
	"context"
	"errors"
	"testing"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/mls"
	"sconce/room"
)

// A bug that hostile bytes meet in the judgement of a commit costs its sender the
// call, and nobody else anything, on whichever goroutine it is met.
func TestBugInAJudgementEndsNothingButTheCall(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada, bob := w.person(t), w.person(t)
	ada.create(room.Group, nil)
	ada.letIn(bob)
	o, added := ada.bring(w.person(t))
	_, req := ada.stage(o, added...)
	w.view = func(*identity.Log) *identity.Log { panic("a bug") }
	var answered error
	done := make(chan struct{})
	w.BeginAppend(context.Background(), ada.caller(), req, func(_ *api.AppendResponse, err error) {
		answered = err
		close(done)
	})
	<-done
	if _, ok := errors.AsType[*api.Error](answered); answered == nil || ok {
		t.Errorf("over the stream the commit was answered with %v, want a bug of the server's", answered)
	}
	if _, err := ada.append(req); err == nil {
		t.Error("the commit was taken")
	}
	w.view = nil
	ada.say("the room goes on")
	wantSaid(t, "bob", bob.sync(), "the room goes on")
	must2(t)(ada.append(req)) // it was right, and nothing of the first tries is left
}

// The same where the server works by itself.
func TestBugInOneRoomDoesNotEndTheSweep(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada, bob := w.person(t), w.person(t)
	tablet := bob.add()
	ada.create(room.Group, nil)
	ada.letIn(bob, tablet)
	bob.removeDevice(tablet)
	w.view = func(*identity.Log) *identity.Log { panic("a bug") }
	w.stop()
	w.run(t) // the room is read, and judged, anew
	evict := func() error { return w.Evict(t.Context(), bob.log.User(), tablet.secrets.Keys().ID()) }
	// Whether a removal asks for logs is the rules' affair; that it ends nothing is
	// what counts.
	first, swept := evict(), w.Sweep(t.Context())
	w.view = nil
	must(t, errors.Join(evict(), w.Sweep(t.Context())))
	ada.sync()
	if n := len(ada.group.Pending()); n != 1 {
		t.Errorf("after %v and %v, %d proposals wait, want the server's one", first, swept, n)
	}
	ada.commit(mls.CommitOptions{})
}
