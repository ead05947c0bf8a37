package delivery_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

func wantSaid(t testing.TB, who string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s read %q, want %q", who, got, want)
	}
}

func seqs(entries []api.Entry) (s []uint64) {
	for _, e := range entries {
		s = append(s, e.Seq)
	}
	return s
}

func TestPeopleTalkInARoom(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		if resp := ada.create(room.Group, nil); !resp.Created || resp.Room != ada.room {
			t.Fatalf("got %+v", resp)
		}
		ada.letIn(bob)
		bob.say("hello")
		wantSaid(t, "ada", ada.sync(), "hello")
		ada.letIn(eve)
		ada.say("welcome eve")
		wantSaid(t, "bob", bob.sync(), "welcome eve")
		wantSaid(t, "eve", eve.sync(), "welcome eve")
		if got := eve.read(eve.room, 0)[0].Seq; got != 4 {
			t.Errorf("eve reads from %d, want 4: after the commit that added her", got)
		}
	})
}

func TestRoomGoesOnAfterARestart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		w.stop()
		w.run(t)
		bob.say("still here")
		wantSaid(t, "ada", ada.sync(), "still here")
		ada.letIn(eve)
		w.stop()
		w.run(t)
		bob.sync()
		bob.commit(mls.CommitOptions{ForcePath: true})
		eve.sync()
		eve.say("me too")
		wantSaid(t, "ada", ada.sync(), "me too")
	})
}

func TestRemovedDeviceReadsUpToItsRemoval(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob, eve) // 1
		ada.say("one")      // 2
		ada.commit(mls.CommitOptions{Proposals: []mls.Proposal{
			&mls.Remove{Removed: bob.group.Own()}, room.Change{Remove: []identity.UserID{bob.log.User()}}.Proposal()}}) // 3
		ada.say("two") // 4
		if got := seqs(bob.read(bob.room, 0)); !slices.Equal(got, []uint64{2, 3}) {
			t.Errorf("the removed reads %d, want [2 3]", got)
		}
		if r := bob.rooms()[bob.room]; r.Member || r.Last != 3 || r.Epoch != 0 {
			t.Errorf("the removed sees %+v", r)
		}
		old := bob.sayRequest("too late")
		_, err := bob.append(old)
		wantCode(t, err, api.Forbidden)
		_, err = bob.w.ReadGroupInfo(t.Context(), bob.caller(), &api.ReadGroupInfoRequest{Room: bob.room})
		wantCode(t, err, api.NotFound)
		wantSaid(t, "bob", bob.sync(), "one")
		if !bob.group.Removed() {
			t.Error("the removed does not know it")
		}
	})
}

func TestStrangerSeesNothingOfARoom(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, mallory := w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		o, added := ada.bring(bob)
		staged, req := ada.stage(o, added...)
		if _, err := ada.append(req); err != nil {
			t.Fatal(err)
		}
		must(t, ada.group.Merge(staged))
		_, err := w.Read(t.Context(), mallory.caller(), &api.ReadRequest{Log: ada.room})
		wantCode(t, err, api.NotFound)
		_, err = w.Read(t.Context(), mallory.caller(), &api.ReadRequest{Log: api.Inbox(bob.deviceID())})
		wantCode(t, err, api.NotFound)
		_, err = w.ReadGroupInfo(t.Context(), mallory.caller(), &api.ReadGroupInfoRequest{Room: ada.room})
		wantCode(t, err, api.NotFound)
		var e api.WelcomeEntry
		must(t, api.Unmarshal(bob.read(api.Inbox(bob.deviceID()), 0)[0].Message, &e))
		_, err = w.ReadTree(t.Context(), mallory.caller(), &api.ReadTreeRequest{Tree: e.Tree})
		wantCode(t, err, api.NotFound)
		_, err = mallory.append(ada.sayRequest("as ada"))
		wantCode(t, err, api.Forbidden)
		_, req = ada.stage(mls.CommitOptions{ForcePath: true})
		_, err = mallory.append(req)
		wantCode(t, err, api.Forbidden)
		if n := len(mallory.rooms()); n != 0 {
			t.Errorf("a stranger lists %d rooms", n)
		}
	})
}

func TestRepeatedCommitGetsTheFirstAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		o, added := ada.bring(bob)
		_, req := ada.stage(o, added...)
		var answers [8]*api.AppendResponse
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				resp, err := ada.append(req)
				if err != nil {
					t.Error(err)
				}
				answers[i] = resp
			})
		}
		all.Wait()
		for _, a := range answers {
			if a == nil || *a != *answers[0] {
				t.Fatalf("got %v, want %v", a, answers[0])
			}
		}
		if n := len(bob.read(api.Inbox(bob.deviceID()), 0)); n != 1 {
			t.Errorf("%d Welcomes, want 1", n)
		}
	})
}

func TestLosersOfARaceAreStaleAndGoOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada := w.person(t)
		ada.create(room.Group, nil)
		members := []*device{ada}
		for range 4 {
			members = append(members, w.person(t))
		}
		ada.letIn(members[1:]...)
		type try struct {
			staged *mls.StagedCommit
			req    *api.AppendRequest
		}
		tries := make([]try, len(members))
		for i, m := range members {
			tries[i].staged, tries[i].req = m.stage(mls.CommitOptions{ForcePath: true})
		}
		var won atomic.Int32
		var all sync.WaitGroup
		for i, m := range members {
			all.Go(func() {
				_, err := m.append(tries[i].req)
				if err == nil {
					won.Add(1)
					must(t, m.group.Merge(tries[i].staged))
					return
				}
				wantCode(t, err, api.Stale)
				tries[i].staged.Discard()
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d commits won", won.Load())
		}
		for _, m := range members {
			m.sync()
		}
		members[2].say("all here")
		for i, m := range members {
			if i != 2 {
				wantSaid(t, "a member", m.sync(), "all here")
			}
		}
	})
}

func TestCommitBringsWhatItMust(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		o, added := ada.bring(bob)
		staged, good := ada.stage(o, added...)
		welcome := good.Commit.Welcomes[0]
		other := w.person(t)
		otherInfo, _ := other.first(ada.room, 0, other.alone(room.Group))
		gi, err := staged.GroupInfo()
		must(t, err)
		gi.Signature[8] ^= 1
		for name, edit := range map[string]func(r *api.AppendRequest){
			"no commit part":       func(r *api.AppendRequest) { r.Commit = nil },
			"no group info":        func(r *api.AppendRequest) { r.Commit.GroupInfo = nil },
			"another group info":   func(r *api.AppendRequest) { r.Commit.GroupInfo = otherInfo },
			"a forged group info":  func(r *api.AppendRequest) { r.Commit.GroupInfo = gi.Bytes() },
			"no Welcome":           func(r *api.AppendRequest) { r.Commit.Welcomes = nil },
			"a Welcome too many":   func(r *api.AppendRequest) { r.Commit.Welcomes = append(r.Commit.Welcomes, welcome) },
			"a Welcome for others": func(r *api.AppendRequest) { r.Commit.Welcomes[0].Device = eve.deviceID() },
			"no Welcome at all":    func(r *api.AppendRequest) { r.Commit.Welcomes[0].Welcome = []byte("x") },
			"a tree":               func(r *api.AppendRequest) { r.Commit.Tree = []byte("x") },
			"another generation":   func(r *api.AppendRequest) { r.Generation = 1 },
			"no id":                func(r *api.AppendRequest) { r.ID = api.AppendID{} },
			"no message":           func(r *api.AppendRequest) { r.Message = nil },
			"a damaged signature":  func(r *api.AppendRequest) { r.Message[len(r.Message)-140] ^= 1 },
		} {
			req := *good
			part := *good.Commit
			req.Commit, req.ID = &part, id16()
			req.Message, part.Welcomes = slices.Clone(good.Message), slices.Clone(part.Welcomes)
			edit(&req)
			if _, err := ada.append(&req); err == nil {
				t.Errorf("%s: was taken", name)
			} else {
				wantCode(t, err, api.Invalid)
			}
		}
		if _, err := ada.append(good); err != nil {
			t.Errorf("the same without fault: %v", err)
		}
	})
}

func TestDirectRoomOfTwoPeopleIsOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		requests := []*api.CreateRoomRequest{ada.createRequest(room.Direct, bob), bob.createRequest(room.Direct, ada)}
		answers := make([]*api.CreateRoomResponse, 2)
		var all sync.WaitGroup
		for i, d := range []*device{ada, bob} {
			all.Go(func() {
				resp, err := w.CreateRoom(t.Context(), d.caller(), requests[i])
				if err != nil {
					t.Error(err)
				}
				answers[i] = resp
			})
		}
		all.Wait()
		if answers[0].Created == answers[1].Created || answers[0].Room != answers[1].Room {
			t.Fatalf("got %+v and %+v", answers[0], answers[1])
		}
		winner, loser := ada, bob
		if answers[1].Created {
			winner, loser = bob, ada
		}
		o, added := winner.bring(eve)
		_, req := winner.stage(o, added...)
		_, err := winner.append(req)
		wantCode(t, err, api.Invalid) // it is for the two
		winner.letIn(loser)
		loser.say("one room")
		wantSaid(t, "the winner", winner.sync(), "one room")
	})
}

func TestCreateRoomIsIdempotentAndChecked(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		req := ada.createRequest(room.Self, nil)
		for range 2 {
			resp, err := w.CreateRoom(t.Context(), ada.caller(), req)
			if err != nil || !resp.Created || resp.Room != req.Room {
				t.Fatalf("got %+v, %v", resp, err)
			}
		}
		second := ada.createRequest(room.Self, nil)
		if resp, err := w.CreateRoom(t.Context(), ada.caller(), second); err != nil || resp.Created || resp.Room != req.Room {
			t.Errorf("a second self room: got %+v, %v", resp, err)
		}
		_, err := w.CreateRoom(t.Context(), bob.caller(), req)
		wantCode(t, err, api.Conflict)

		nobody := api.UserID{1}
		for name, test := range map[string]struct {
			edit func(r *api.CreateRoomRequest)
			want api.Code
		}{
			"kind 9":               {func(r *api.CreateRoomRequest) { r.Kind = 9 }, api.Invalid},
			"another kind":         {func(r *api.CreateRoomRequest) { r.Kind = uint8(room.Self) }, api.Invalid},
			"direct with nobody":   {func(r *api.CreateRoomRequest) { r.Kind = uint8(room.Direct) }, api.Invalid},
			"direct with no such":  {func(r *api.CreateRoomRequest) { r.Kind, r.Peer = uint8(room.Direct), &nobody }, api.NotFound},
			"group with a peer":    {func(r *api.CreateRoomRequest) { r.Peer = &nobody }, api.Invalid},
			"another id":           {func(r *api.CreateRoomRequest) { r.Room = id16() }, api.Invalid},
			"another tree":         {func(r *api.CreateRoomRequest) { r.Tree = req.Tree }, api.Invalid},
			"no tree":              {func(r *api.CreateRoomRequest) { r.Tree = nil }, api.Invalid},
			"rubbish for the info": {func(r *api.CreateRoomRequest) { r.GroupInfo = []byte("x") }, api.Invalid},
		} {
			r := bob.createRequest(room.Group, nil)
			test.edit(r)
			_, err := w.CreateRoom(t.Context(), bob.caller(), r)
			if e, ok := err.(*api.Error); !ok || e.Code != test.want {
				t.Errorf("%s: got %v, want %q", name, err, test.want)
			}
		}
		_, err = w.CreateRoom(t.Context(), ada.caller(), bob.createRequest(room.Group, nil))
		wantCode(t, err, api.Forbidden)
	})
}

func TestNewGenerationTakesTheRoomOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob) // 1
		ada.say("old") // 2
		id := ada.room
		people, err := room.ParticipantsOf(ada.group.Context())
		must(t, err)
		old := bob.sayRequest("for the old group")
		info, tree := bob.first(id, 1, people)
		req := &api.AppendRequest{Room: id, ID: id16(), Generation: 1, Keep: api.KeepMonth, Message: info, Commit: &api.CommitPart{Tree: tree}}
		for range 2 {
			resp, err := bob.append(req) // 3
			if err != nil || resp.Seq != 3 {
				t.Fatalf("got %v, %v", resp, err)
			}
		}
		bob.cursor = 3
		_, err = bob.append(old)
		wantCode(t, err, api.Stale)
		if got := seqs(ada.read(id, 0)); !slices.Equal(got, []uint64{1, 2, 3}) {
			t.Errorf("who was in the old group reads %d, want up to the opening", got)
		}
		if r := ada.rooms()[id]; r.Member || r.Generation != 1 || r.Last != 3 {
			t.Errorf("she sees %+v", r)
		}
		w.stop()
		w.run(t)
		ada.letSelfIn(id) // 4
		bob.sync()
		bob.say("new")
		wantSaid(t, "ada", ada.sync(), "new")

		mallory := w.person(t)
		info, tree = mallory.first(id, 2, people)
		_, err = mallory.append(&api.AppendRequest{Room: id, ID: id16(), Generation: 2, Keep: api.KeepMonth, Message: info, Commit: &api.CommitPart{Tree: tree}})
		wantCode(t, err, api.NotFound)
	})
}

// A generation may be opened by anyone in the room, and the room's name and timers
// are for its admins to change. The log's place stays free for an honest one.
func TestNewGenerationKeepsTheState(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		people, err := room.ParticipantsOf(ada.group.Context())
		must(t, err)
		id := ada.room
		open := func(state [32]byte) error {
			info, tree := bob.firstWith(id, 1, people, state)
			_, err := bob.append(&api.AppendRequest{Room: id, ID: id16(), Generation: 1, Keep: api.KeepMonth, Message: info, Commit: &api.CommitPart{Tree: tree}})
			return err
		}
		wantCode(t, open([32]byte{2}), api.Invalid)
		if r := ada.rooms()[id]; !r.Member || r.Generation != 0 {
			t.Errorf("after a refused generation the room is %+v", r)
		}
		must(t, open([32]byte{1}))
	})
}

func TestDeviceThatItsOwnerRemovedIsNotAdded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		tablet := bob.add()
		ada.create(room.Group, nil)
		o, added := ada.bring(bob, tablet) // pins bob's log as it is now
		bob.removeDevice(tablet)
		_, req := ada.stage(o, added...)
		_, err := ada.append(req)
		wantCode(t, err, api.Stale)
	})
}

func TestTreeGoesWithItsWelcomes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person(t), w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob, eve)
		trees := func() (n int) {
			must(t, w.Sweep(t.Context()))
			must(t, w.db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM tree").Scan(&n))
			return n
		}
		ack := func(d *device) {
			_, err := w.Ack(t.Context(), d.caller(), &api.AckRequest{Acks: []api.Place{{Log: api.Inbox(d.deviceID()), Seq: 1}}})
			must(t, err)
		}
		if ack(bob); trees() != 1 {
			t.Error("the tree is gone while somebody may need it")
		}
		if ack(eve); trees() != 0 {
			t.Error("the tree is there after everybody has it")
		}
	})
}

func TestDatabaseHoldsNothingThatWasSaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		ada.say("canary in a coal mine")
		for _, e := range bob.read(ada.room, 0) {
			if strings.Contains(string(e.Message), "canary") {
				t.Error("a message is stored in the clear")
			}
		}
		wantSaid(t, "bob", bob.sync(), "canary in a coal mine")
	})
}

func TestListsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada := w.person(t)
		ada.create(room.Group, nil)
		_, err := w.Ack(t.Context(), ada.caller(), &api.AckRequest{Acks: make([]api.Place, api.MaxBatch+1)})
		wantCode(t, err, api.TooLarge)
		_, err = w.Read(t.Context(), ada.caller(), &api.ReadRequest{Log: ada.room, Limit: -1})
		wantCode(t, err, api.Invalid)
		_, err = ada.append(&api.AppendRequest{Room: ada.room, ID: id16(), Keep: api.KeepDay, Message: make([]byte, api.MaxMessage+1)})
		wantCode(t, err, api.TooLarge)
		_, err = ada.append(&api.AppendRequest{Room: ada.room, ID: id16(), Keep: 9, Message: []byte("x")})
		wantCode(t, err, api.Invalid)
		limited := false
		for range 200 {
			_, req := ada.stage(mls.CommitOptions{ForcePath: true})
			req.Commit = nil
			if _, err := ada.append(req); err.(*api.Error).Code == api.RateLimited {
				limited = true
				break
			}
		}
		if !limited {
			t.Error("a device may have as many commits judged as it likes")
		}
	})
}

func TestLargeTreeComesInParts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		want := ada.group.Tree()
		w.TreePart = len(want)/3 + 1
		var tree []byte
		for range 3 {
			resp, err := w.ReadGroupInfo(t.Context(), bob.caller(), &api.ReadGroupInfoRequest{Room: ada.room, From: uint64(len(tree))})
			must(t, err)
			if len(resp.Tree) > w.TreePart || resp.TreeSize != uint64(len(want)) {
				t.Errorf("a part of %d bytes of %d; want at most %d of %d", len(resp.Tree), resp.TreeSize, w.TreePart, len(want))
			}
			tree = append(tree, resp.Tree...)
		}
		if !slices.Equal(tree, want) {
			t.Error("the parts are not the tree")
		}
		// Whoever asks for more than there is learns how much there is.
		resp, err := w.ReadGroupInfo(t.Context(), bob.caller(), &api.ReadGroupInfoRequest{Room: ada.room, From: 1 << 63})
		if err != nil || len(resp.Tree) != 0 || resp.TreeSize != uint64(len(want)) {
			t.Errorf("beyond the end: %v, %v", resp, err)
		}
	})
}
