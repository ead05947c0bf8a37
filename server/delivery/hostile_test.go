package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sconce/api"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/mls"
	"sconce/room"
)

func TestCommitOnAFullDiskSucceedsLater(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	limit := func(pages int) {
		_, err := w.db.Write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count=%d", pages))
		must(t, err)
	}
	ada, bob, eve := w.person(t), w.person(t), w.person(t)
	ada.create(room.Group, nil)
	ada.letIn(bob)
	// What is left of free pages is taken, so that the next commit needs more.
	limit(1)
	for {
		req := bob.sayRequest(strings.Repeat("x", 2000))
		if _, err := bob.append(req); err != nil {
			wantCode(t, err, api.Unavailable)
			break
		}
	}
	o, added := ada.bring(eve)
	staged, req := ada.stage(o, added...)
	for range 2 {
		_, err := ada.append(req)
		wantCode(t, err, api.Unavailable)
	}
	if n := len(eve.read(api.Inbox(eve.deviceID()), 0)); n != 0 {
		t.Errorf("%d Welcomes of a commit that was not taken", n)
	}
	limit(1 << 20)
	must2(t)(ada.append(req))
	must(t, ada.group.Merge(staged))
	added[0].join()
	eve.say("in at last")
}

func TestMessagesOfOtherKindsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		o, added := ada.bring(bob)
		staged, _ := ada.stage(o, added...)
		app := ada.sayRequest("x")
		elsewhere := slices.Clone(app.Message)
		elsewhere[6] ^= 1 // within the group id
		withPart := *app
		withPart.Commit, withPart.ID = &api.CommitPart{}, id16()
		for name, req := range map[string]*api.AppendRequest{
			"a Welcome":             {Message: staged.Welcome()},
			"a key package":         {Message: added[0].kp.Bytes()},
			"another group's":       {Message: elsewhere},
			"a message with a part": &withPart,
		} {
			req.Room, req.ID, req.Keep = ada.room, id16(), api.KeepDay
			_, err := ada.append(req)
			if e, ok := err.(*api.Error); !ok || e.Code != api.Invalid {
				t.Errorf("%s: got %v, want invalid", name, err)
			}
		}
		update, err := mls.NewExternalProposal(&mls.Remove{Removed: 0},
			mls.ExternalGroup{GroupID: room.GroupID(room.ID(ada.room), 0), CipherSuite: room.Suite}, 0, w.senderKey)
		must(t, err)
		_, err = ada.append(&api.AppendRequest{Room: ada.room, ID: id16(), Keep: api.KeepDay, Message: update})
		wantCode(t, err, api.Forbidden) // the server's own proposals come from the server
	})
}

func TestRoomCannotTakeThePlaceOfAnInbox(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, mallory := w.person(t), w.person(t), w.person(t)
		req := mallory.createRequest(room.Group, nil)
		req.Room = api.Inbox(bob.deviceID())
		req.GroupInfo, req.Tree = mallory.first(req.Room, 0, mallory.alone(room.Group))
		_, err := w.CreateRoom(t.Context(), mallory.caller(), req)
		wantCode(t, err, api.Conflict)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		bob.say("in")
	})
}

func TestNobodyUsesUpTheGenerationsOfOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		people, err := room.ParticipantsOf(ada.group.Context())
		must(t, err)
		id := ada.room
		open := func(d *device) error {
			info, tree := d.first(id, 1, people)
			_, err := d.append(&api.AppendRequest{Room: id, ID: id16(), Generation: 1, Keep: api.KeepMonth, Message: info, Commit: &api.CommitPart{Tree: tree}})
			return err
		}
		for range 5 {
			info, _ := ada.first(id, 1, people) // of another device than the caller's
			_, err := bob.append(&api.AppendRequest{Room: id, ID: id16(), Generation: 1, Keep: api.KeepMonth, Message: info, Commit: &api.CommitPart{Tree: ada.group.Tree()}})
			if err == nil {
				t.Fatal("a generation of another device was taken")
			}
		}
		must(t, open(ada))
	})
}

func TestLargeLeavesAndGroupInfosAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		o, added := ada.bring(bob)
		staged, req := ada.stage(o, added...)
		gi, err := staged.GroupInfo()
		must(t, err)
		gi.Extensions = append(gi.Extensions, mls.Extension{Type: 0xF0F0, Data: make([]byte, 1<<20)})
		info := *req
		info.ID, info.Commit = id16(), &api.CommitPart{GroupInfo: gi.Bytes(), Welcomes: req.Commit.Welcomes}
		_, err = ada.append(&info)
		wantCode(t, err, api.TooLarge)

		bloat := mls.DefaultCapabilities()
		bloat.Extensions = append(bloat.Extensions, 0xF0F0)
		now := uint64(bob.time().Unix())
		kp, secrets, err := mls.NewKeyPackage(room.Suite, bob.signer(), mls.KeyPackageOptions{Capabilities: bloat,
			Lifetime:       mls.Lifetime{NotBefore: now - 3600, NotAfter: now + 3600},
			LeafExtensions: mls.Extensions{{Type: 0xF0F0, Data: make([]byte, 1<<20)}}})
		must(t, err)
		o.Proposals[0] = &mls.Add{KeyPackage: kp}
		_, req = ada.stage(o, invitation{bob, kp, secrets})
		_, err = ada.append(req)
		wantCode(t, err, api.TooLarge)
	})
}

func TestDeviceCannotFillTheDisk(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada := w.person(t)
	ada.create(room.Group, nil)
	req := ada.sayRequest(strings.Repeat("x", 1<<20))
	req.Generation = 7 // so that nothing is written, and the test is quick
	for i := range 4000 {
		req.ID = id16()
		if _, err := ada.append(req); err.(*api.Error).Code == api.RateLimited {
			if i < 1000 {
				t.Errorf("limited after %d MiB", i)
			}
			return
		}
	}
	t.Error("a device may append gigabytes in a minute")
}

func TestRoomsThatAreNotThereAreNotFollowed(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada := w.person(t)
	ada.create(room.Group, nil)
	for range 20 {
		id := id16()
		info, tree := w.person(t).first(id, 1, ada.alone(room.Group))
		_, err := ada.append(&api.AppendRequest{Room: id, ID: id16(), Generation: 1, Keep: api.KeepMonth, Message: info, Commit: &api.CommitPart{Tree: tree}})
		wantCode(t, err, api.NotFound)
	}
	if n := w.Followed(); n > 1 {
		t.Errorf("%d rooms are followed, and there is one", n)
	}
}

// FuzzAppend sends damaged requests of every kind to a room in use. None may
// panic, and none may keep a member from going on.
func FuzzAppend(f *testing.F) {
	w := start(f, sqldbtest.SQLite(f))
	ada, bob, eve := w.person(f), w.person(f), w.person(f)
	ada.create(room.Group, nil)
	ada.letIn(bob)
	o, added := ada.bring(eve)
	_, commit := ada.stage(o, added...)
	leave, err := bob.group.Propose(&mls.SelfRemove{}, nil)
	must(f, err)
	people, err := room.ParticipantsOf(ada.group.Context())
	must(f, err)
	again := *ada
	info, tree := again.first(ada.room, 1, people)
	f.Add(ada.sayRequest("x").Message, []byte{}, []byte{}, uint32(0))
	f.Add(commit.Message, commit.Commit.GroupInfo, []byte{}, uint32(0))
	f.Add(leave, []byte{}, []byte{}, uint32(0))
	f.Add(info, []byte{}, tree, uint32(1))
	f.Fuzz(func(t *testing.T, message, info, tree []byte, generation uint32) {
		req := &api.AppendRequest{Room: ada.room, ID: id16(), Generation: generation, Keep: api.KeepDay, Message: message,
			Commit: &api.CommitPart{GroupInfo: info, Tree: tree}}
		w.now.Add(60_000) // so that no limit hides what is tested
		if len(info)+len(tree) == 0 {
			req.Commit = nil
		}
		_, err := w.Append(t.Context(), ada.caller(), req)
		if e, ok := err.(*api.Error); err != nil && (!ok || e.Code == api.Internal) {
			t.Errorf("got %v, want an answer for people", err)
		}
	})
}
