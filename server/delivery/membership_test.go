package delivery_test

import (
	"slices"
	"testing"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

func TestDeviceLetsItselfIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		ada.say("before") // 2
		tablet := bob.add()
		r := tablet.rooms()[ada.room]
		if r.Member || r.From != 0 || r.Epoch != 1 {
			t.Errorf("before it is in, it sees %+v", r)
		}
		_, _, info := tablet.stageSelf(ada.room)
		resp := tablet.letSelfIn(ada.room) // 3
		if got := seqs(tablet.read(tablet.room, 0)); !slices.Equal(got, []uint64{3}) || resp.Seq != 3 {
			t.Errorf("it reads %d, want its own commit first", got)
		}
		r = tablet.rooms()[ada.room]
		if !r.Member || r.From != 3 || r.Before != info.Hash || r.Cursor != 2 {
			t.Errorf("when it is in, it sees %+v", r)
		}
		ada.sync()
		ada.say("hello tablet")
		wantSaid(t, "the tablet", tablet.sync(), "hello tablet")
		wantSaid(t, "the phone", bob.sync(), "before", "hello tablet")
	})
}

func TestDeviceComesBackByResync(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob) // 1
		ada.say("lost")
		bob.letSelfIn(ada.room) // 3
		ada.sync()
		ada.say("found")
		wantSaid(t, "bob", bob.sync(), "found")
		if r := bob.rooms()[ada.room]; r.From != 3 || !r.Member {
			t.Errorf("got %+v, want a window from 3", r)
		}
	})
}

func TestNobodyLetsInAnotherDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		tablet := bob.add()
		_, req, _ := tablet.stageSelf(ada.room)
		_, err := bob.append(req)
		wantCode(t, err, api.Forbidden)
	})
}

func TestWhoLeavesIsGoneAfterTheNextCommit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob, eve) // 1
		leave, err := bob.group.Propose(&mls.SelfRemove{}, nil)
		must(t, err)
		req := &api.AppendRequest{Room: ada.room, ID: id16(), Keep: api.KeepMonth, Message: leave}
		must2(t)(bob.append(req)) // 2
		again := *req
		again.ID = id16()
		_, err = bob.append(&again)
		wantCode(t, err, api.Conflict)

		blocked := eve.sayRequest("not now")
		_, err = eve.append(blocked)
		wantCode(t, err, api.Stale)
		_, ignorant := eve.stage(mls.CommitOptions{ForcePath: true})
		_, err = eve.append(ignorant)
		wantCode(t, err, api.Stale)

		w.stop() // what waits is remembered
		w.run(t)
		ada.sync()
		ada.commit(mls.CommitOptions{Proposals: []mls.Proposal{room.Change{Remove: []identity.UserID{bob.log.User()}}.Proposal()}}) // 3
		eve.sync()
		eve.say("now") // 4
		if got := seqs(bob.read(bob.room, 0)); !slices.Equal(got, []uint64{2, 3}) {
			t.Errorf("who left reads %d, want [2 3]", got)
		}
		wantSaid(t, "ada", ada.sync(), "now")
	})
}

func must2(t testing.TB) func(*api.AppendResponse, error) {
	return func(_ *api.AppendResponse, err error) {
		t.Helper()
		must(t, err)
	}
}

// removeDevice takes a device out of its owner's log.
func (d *device) removeDevice(gone *device) {
	d.t.Helper()
	entry, err := d.log.RemoveDevice(d.secrets, d.time(), gone.secrets.Keys().ID())
	must(d.t, err)
	d.extend(d.t, entry)
}

func TestDeviceRemovedWhileItIsBroughtInIsLetGo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		tablet := bob.add()
		before := bob.log
		o, added := ada.bring(tablet)
		staged, req := ada.stage(o, added...)
		bob.removeDevice(tablet)
		must(t, w.Evict(t.Context(), bob.log.User(), tablet.secrets.Keys().ID()))
		// The server has looked before all this, and sequences the commit after it.
		w.view = func(log *identity.Log) *identity.Log {
			var last int64
			must(t, w.db.Read.QueryRow("SELECT last FROM log WHERE id = $1", ada.room[:]).Scan(&last))
			if log != nil && log.User() == bob.log.User() && last == 1 {
				return before
			}
			return log
		}
		must2(t)(ada.append(req))
		must(t, ada.group.Merge(staged))
		_, err := w.Read(t.Context(), tablet.caller(), &api.ReadRequest{Log: ada.room})
		wantCode(t, err, api.NotFound)
		if got := tablet.read(api.Inbox(tablet.deviceID()), 0); len(got) != 0 {
			t.Errorf("a removed device has %d Welcomes", len(got))
		}
		ada.cursor = 2
		ada.sync()
		if n := len(ada.group.Pending()); n != 1 {
			t.Fatalf("%d proposals wait, want the server's one", n)
		}
	})
}

func TestRoomThatFailsDoesNotKeepADeviceInTheOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		tablet := bob.add()
		rooms := make([]api.LogID, 2)
		for i := range rooms {
			ada.create(room.Group, nil)
			ada.letIn(bob, tablet)
			rooms[i] = ada.room
		}
		slices.SortFunc(rooms, func(a, b api.LogID) int { return slices.Compare(a[:], b[:]) })
		w.stop()
		_, err := w.db.Write.ExecContext(t.Context(), "UPDATE group_record SET value = $2 WHERE room = $1", rooms[0][:], []byte("x"))
		must(t, err)
		w.run(t)
		bob.removeDevice(tablet)
		if err := w.Evict(t.Context(), bob.log.User(), tablet.secrets.Keys().ID()); err == nil {
			t.Error("nobody is told that a room failed")
		}
		_, err = w.Read(t.Context(), tablet.caller(), &api.ReadRequest{Log: rooms[1]})
		wantCode(t, err, api.NotFound)
	})
}

func TestEvictedDeviceReadsNothingMoreAndIsCommittedOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		tablet := bob.add()
		ada.create(room.Group, nil)
		ada.letIn(bob, tablet)
		ada.say("for all")
		bob.removeDevice(tablet)
		for range 2 { // again does no harm
			must(t, w.Evict(t.Context(), bob.log.User(), tablet.secrets.Keys().ID()))
		}
		_, err := w.Read(t.Context(), tablet.caller(), &api.ReadRequest{Log: ada.room})
		wantCode(t, err, api.NotFound)
		if got := tablet.read(api.Inbox(tablet.deviceID()), 0); len(got) != 0 {
			t.Errorf("an evicted device still has %d Welcomes", len(got))
		}
		_, err = ada.append(ada.sayRequest("not yet"))
		wantCode(t, err, api.Stale)
		ada.sync()
		if n := len(ada.group.Pending()); n != 1 {
			t.Fatalf("%d proposals wait, want the server's one", n)
		}
		ada.commit(mls.CommitOptions{})
		bob.sync()
		bob.say("alone again")
		wantSaid(t, "ada", ada.sync(), "alone again")
		for _, leaf := range ada.group.Members() {
			if c, _ := room.CredentialOf(leaf); api.DeviceID(c.Device) == tablet.deviceID() {
				t.Error("the evicted device is still in the group")
			}
		}
	})
}

func TestServerProposesAgainWhatACommitCouldNotTakeIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		tablet, laptop := bob.add(), bob.add()
		ada.create(room.Group, nil)
		ada.letIn(bob, tablet)
		bob.removeDevice(tablet)
		must(t, w.Evict(t.Context(), bob.log.User(), tablet.secrets.Keys().ID()))
		// One that lets itself in cannot commit the removal of another. Its pin
		// stays where the room's is, for the log now says that the tablet goes.
		w.stop()
		w.run(t)
		staged, req, _ := laptop.stageSelfAt(ada.room)
		must2(t)(laptop.append(req))
		var err error
		laptop.group, err = staged.Group()
		must(t, err)
		ada.sync()
		if n := len(ada.group.Pending()); n != 1 {
			t.Fatalf("%d proposals wait in the new epoch, want 1", n)
		}
		ada.commit(mls.CommitOptions{})
		ada.say("clean")
	})
}

// stageSelfAt is stageSelf without moving the person's pin.
func (d *device) stageSelfAt(id api.LogID) (*mls.StagedCommit, *api.AppendRequest, *api.ReadGroupInfoResponse) {
	d.t.Helper()
	info, err := d.w.ReadGroupInfo(d.t.Context(), d.caller(), &api.ReadGroupInfoRequest{Room: id})
	must(d.t, err)
	gi, err := mls.ParseGroupInfo(info.GroupInfo)
	must(d.t, err)
	staged, err := mls.JoinExternal(d.config(), gi, info.Tree, d.signer(), mls.ExternalOptions{Capabilities: mls.DefaultCapabilities()}, d.time())
	must(d.t, err)
	d.room, d.gen = id, info.Generation
	return staged, d.request(staged), info
}
