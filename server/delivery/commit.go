package delivery

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/mls"
	"sconce/room"
	"sconce/server/delivery/db"
	"sconce/server/delivery/journal"
)

// handshake takes a proposal or a commit. It is judged here, outside the
// committer, as every member will judge it.
func (s *Service) handshake(ctx context.Context, c duty.Caller, req *api.AppendRequest, m *mls.Message) (at journal.Place, err error) {
	if err := s.handshakes.Take(c.Device, 1); err != nil {
		return at, err
	}
	err = s.with(ctx, req.Room, func(f *follower, status journal.Status) error {
		if req.Generation != status.State.Generation {
			return api.Errorf(api.Stale, "the room is in generation %d, not %d: sync first", status.State.Generation, req.Generation)
		}
		if err := f.checkSender(c, m); err != nil {
			return err
		}
		// Members check lifetimes against the entry's time, so it is fixed here.
		now := s.Clock.Millis()
		event, err := f.group.Process(m, time.UnixMilli(now))
		if err != nil {
			return f.refusal(err)
		}
		h := handshake{caller: c, req: req, status: status, time: now}
		switch e := event.(type) {
		case *mls.ProposalReceived:
			at, err = s.propose(ctx, f, h)
		case *mls.StagedCommit:
			at, err = s.commit(ctx, f, h, e)
		}
		return err
	})
	return at, err
}

// handshake is one proposal or commit of a client's, and where it met the room.
type handshake struct {
	caller duty.Caller
	req    *api.AppendRequest
	status journal.Status
	time   int64
}

func (h *handshake) entry(kind api.EntryKind) *api.Entry {
	return &api.Entry{Kind: kind, Generation: h.req.Generation, Epoch: h.status.State.Epoch, Sender: h.caller.Device, ID: h.req.ID,
		Time: h.time, Keep: api.KeepMonth, Message: h.req.Message} // whoever misses it cannot go on: it is kept as long as anything
}

// checkSender checks that the caller's device is what the message says sent it.
// Of one that lets itself in, the leaf is only known when it is judged.
func (f *follower) checkSender(c duty.Caller, m *mls.Message) error {
	sender, _ := m.Sender()
	switch sender.Type {
	case mls.SenderNewMemberCommit:
		return nil
	case mls.SenderMember:
		if leaf := f.group.Member(mls.LeafIndex(sender.Index)); leaf != nil && leafDevice(leaf) == c.Device {
			return nil
		}
	}
	return api.Errorf(api.Forbidden, "the message is not from this device's place in the group")
}

// leafDevice gives the device of a leaf that the room's rules have let in; zero
// if it is none.
func leafDevice(leaf *mls.LeafNode) api.DeviceID {
	c, err := room.CredentialOf(leaf)
	if err != nil {
		return api.DeviceID{}
	}
	return api.DeviceID(c.Device)
}

// propose appends a proposal, which the next commit must take in.
func (s *Service) propose(ctx context.Context, f *follower, h handshake) (journal.Place, error) {
	if h.req.Commit != nil {
		f.group = nil // it is pending there
		return journal.Place{}, api.Errorf(api.Invalid, "only a commit has a commit part")
	}
	if len(f.group.Pending()) == h.status.State.Pending {
		return journal.Place{}, api.Errorf(api.Conflict, "this proposal waits in the room already")
	}
	return s.write(ctx, f, s.proposal(f, h.status.State, h.entry(api.EntryProposal)))
}

// proposal makes the write of a proposal that the follower has taken.
func (s *Service) proposal(f *follower, from journal.State, e *api.Entry) *journal.Write {
	records := f.group.Drain()
	to := from
	to.Pending = len(f.group.Pending())
	return &journal.Write{Log: f.room, Entry: e, Change: &journal.Change{From: from, To: to,
		Save: func(ctx context.Context, tx *journal.Tx) error {
			q := db.New(tx)
			if err := q.InsertProposal(ctx, db.InsertProposalParams{Room: f.room[:], Seq: int64(tx.At.Seq), Message: e.Message}); err != nil {
				return err
			}
			return saveRecords(ctx, q, f.room, records)
		}}}
}

// commit appends a commit with all that it brings about.
func (s *Service) commit(ctx context.Context, f *follower, h handshake, staged *mls.StagedCommit) (journal.Place, error) {
	view := staged.View()
	if view.External && leafDevice(view.CommitterLeaf) != h.caller.Device {
		return journal.Place{}, api.Errorf(api.Forbidden, "a device can let only itself in")
	}
	if err := checkCommitPart(h.req.Commit, staged); err != nil {
		return journal.Place{}, err
	}
	if err := checkLeaves(view); err != nil {
		return journal.Place{}, err
	}
	if err := s.checkAdded(ctx, view); err != nil {
		return journal.Place{}, err
	}
	e := &effect{room: f.room, groupInfo: h.req.Commit.GroupInfo}
	if err := e.people(view, f); err != nil {
		return journal.Place{}, err
	}
	change := &journal.Change{From: h.status.State, To: journal.State{Generation: h.req.Generation, Epoch: view.After.Epoch}}
	welcomed := e.windows(change, view)
	welcomes, err := matchWelcomes(h.req.Commit.Welcomes, welcomed)
	if err != nil {
		return journal.Place{}, err
	}
	if err := f.group.Merge(staged); err != nil {
		return journal.Place{}, err
	}
	e.records = f.group.Drain()
	if len(welcomes) > 0 {
		e.tree = f.group.Tree()
		if err := s.store(h.caller, len(e.tree)); err != nil {
			f.group = nil // it is merged there
			return journal.Place{}, err
		}
		e.deliver(change, h, f.kind, welcomes, welcomed)
	}
	change.Save = e.save
	at, err := s.write(ctx, f, &journal.Write{Log: f.room, Entry: h.entry(api.EntryCommit), Change: change})
	if err != nil {
		return at, err
	}
	for _, device := range e.removed {
		delete(f.evicts, device)
	}
	// What this commit could not take in is proposed again. If that fails, the
	// commit stands, and the sweep proposes it.
	err = s.evictLate(ctx, f, change)
	if err == nil {
		err = s.proposeRemovals(ctx, f, change.To)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "proposing removals after a commit", "err", err)
	}
	return at, nil
}

// checkCommitPart checks that the commit comes with what the next one who joins
// by themselves needs.
func checkCommitPart(part *api.CommitPart, staged *mls.StagedCommit) error {
	if part == nil || len(part.GroupInfo) == 0 || len(part.Tree) > 0 {
		return api.Errorf(api.Invalid, "a commit brings the group info of the epoch that it opens, and no tree")
	}
	gi, err := mls.ParseGroupInfo(part.GroupInfo)
	if err != nil {
		return api.Errorf(api.Invalid, "%v", err)
	}
	if err := checkInfo(gi); err != nil {
		return err
	}
	if err := staged.CheckGroupInfo(gi); err != nil {
		return api.Errorf(api.Invalid, "%v", err)
	}
	return nil
}

const (
	// maxExtensions bounds what a group info or a leaf has in extensions, and
	// maxLeaf a leaf. Everyone who joins must be sent the tree in one answer: a
	// member who makes their leaf as large as a message can be would close the
	// room for others.
	maxExtensions = 16 << 10
	maxLeaf       = 16 << 10
)

// checkInfo checks that a group info has nothing in it that belongs elsewhere.
func checkInfo(gi *mls.GroupInfo) error {
	if _, inline := gi.Extensions.Find(mls.ExtensionRatchetTree); inline {
		return api.Errorf(api.Invalid, "the group info holds the tree, which is stored apart")
	}
	if n := extensionsSize(gi.Extensions); n > maxExtensions {
		return api.Errorf(api.TooLarge, "the group info has %d bytes in extensions; the limit is %d", n, maxExtensions)
	}
	return nil
}

func extensionsSize(extensions mls.Extensions) (n int) {
	for _, e := range extensions {
		n += len(e.Data) + 4
	}
	return n
}

// checkLeaf keeps leaves small.
func checkLeaf(l *mls.LeafNode) error {
	c := l.Capabilities
	n := len(l.EncryptionKey) + len(l.SignatureKey) + len(l.Credential.Identity) + len(l.Signature) + extensionsSize(l.Extensions) +
		2*(len(c.Versions)+len(c.CipherSuites)+len(c.Extensions)+len(c.Proposals)+len(c.Credentials))
	if n > maxLeaf {
		return api.Errorf(api.TooLarge, "a leaf of the group has %d bytes; the limit is %d", n, maxLeaf)
	}
	return nil
}

// checkLeaves is checkLeaf for all that a commit brings.
func checkLeaves(view *mls.CommitView) error {
	for _, list := range [][]mls.MemberChange{view.Added, view.Updated} {
		for _, m := range list {
			if err := checkLeaf(m.New); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAdded turns away devices whose owners have removed them since the
// commit's view of their logs.
func (s *Service) checkAdded(ctx context.Context, view *mls.CommitView) error {
	for _, m := range view.Added {
		c, err := room.CredentialOf(m.New)
		if err != nil {
			return err
		}
		log, err := s.Logs.Log(ctx, c.User)
		if err != nil {
			return err
		}
		if log == nil || !log.Active(c.Device) {
			return api.Errorf(api.Stale, "a device in this commit has been removed by its owner: fetch its device log")
		}
	}
	return nil
}

// matchWelcomes puts the Welcomes in the order of those who are added: each has
// exactly one.
func matchWelcomes(parts []api.WelcomePart, added []journal.Opening) ([]api.WelcomePart, error) {
	if len(parts) != len(added) {
		return nil, api.Errorf(api.Invalid, "the commit adds %d devices and brings %d Welcomes", len(added), len(parts))
	}
	byDevice := make(map[api.DeviceID]api.WelcomePart, len(parts))
	for _, p := range parts {
		if n := len(p.Welcome); n > maxGroupInfo {
			return nil, api.Errorf(api.TooLarge, "a Welcome has %d bytes; the limit is %d", n, maxGroupInfo)
		}
		if m, err := mls.ParseMessage(p.Welcome); err != nil || m.Format != mls.FormatWelcome {
			return nil, api.Errorf(api.Invalid, "what should be a Welcome is none")
		}
		byDevice[p.Device] = p
	}
	ordered := make([]api.WelcomePart, len(added))
	for i, a := range added {
		p, ok := byDevice[a.Device]
		if !ok {
			return nil, api.Errorf(api.Invalid, "a device that the commit adds has no Welcome")
		}
		ordered[i] = p
	}
	return ordered, nil
}

// effect is what a commit does to the room beside its place in the log.
type effect struct {
	room      api.LogID
	groupInfo []byte
	records   []mls.Record
	fresh     bool // the records are all of a new group
	came      []identity.UserID
	went      []identity.UserID
	removed   []api.DeviceID // leaves that are gone

	tree     []byte // with Welcomes only
	welcomed []api.DeviceID
}

// people works out who came and who went. It must be called before the commit
// is merged, for that changes what the view shows.
func (e *effect) people(view *mls.CommitView, f *follower) error {
	before, err := room.ParticipantsOf(view.Before)
	if err != nil {
		return err
	}
	after, err := room.ParticipantsOf(view.After)
	if err != nil {
		return err
	}
	for _, p := range after.List {
		if _, was := before.Find(p.User); !was {
			e.came = append(e.came, p.User)
		}
	}
	for _, p := range before.List {
		if _, stays := after.Find(p.User); !stays {
			e.went = append(e.went, p.User)
		}
	}
	if f.kind == room.Direct && len(after.List) == 2 && !slices.Equal(pairKey(room.Direct, after.List[0].User, after.List[1].User), f.pair) {
		return api.Errorf(api.Invalid, "this room is for two other people")
	}
	return nil
}

// windows works out which windows open and close, and who is sent a Welcome.
func (e *effect) windows(change *journal.Change, view *mls.CommitView) (welcomed []journal.Opening) {
	opens := map[api.DeviceID]bool{}
	for _, m := range view.Added {
		c, err := room.CredentialOf(m.New)
		if err != nil {
			continue // the rules have read it before
		}
		o := journal.Opening{Device: api.DeviceID(c.Device), User: api.UserID(c.User), At: view.External}
		opens[o.Device] = true
		change.Open = append(change.Open, o)
		if !view.External {
			welcomed = append(welcomed, o)
		}
	}
	for _, m := range view.Removed {
		device := leafDevice(m.Old)
		e.removed = append(e.removed, device)
		if !opens[device] {
			change.Close = append(change.Close, device)
		}
	}
	return welcomed
}

// deliver puts the Welcomes into the inboxes.
func (e *effect) deliver(change *journal.Change, h handshake, kind room.Kind, welcomes []api.WelcomePart, added []journal.Opening) {
	tree := sha256.Sum256(e.tree)
	for i, w := range welcomes {
		e.welcomed = append(e.welcomed, w.Device)
		change.Deliver = append(change.Deliver, journal.Delivery{
			Device: w.Device, User: added[i].User,
			Entry: api.Entry{Kind: api.EntryWelcome, Generation: h.req.Generation, Sender: h.caller.Device, Time: h.time, Keep: api.KeepMonth},
			Message: func(at journal.Place) []byte {
				b, err := api.Marshal(api.WelcomeEntry{Room: h.req.Room, Generation: h.req.Generation, Seq: at.Seq, Hash: at.Hash,
					Welcome: w.Welcome, Tree: tree, Kind: uint8(kind)})
				if err != nil {
					panic(err) // integers and bytes can always be encoded
				}
				return b
			},
		})
	}
}

// save writes the room's side of a commit.
func (e *effect) save(ctx context.Context, tx *journal.Tx) error {
	q := db.New(tx)
	id := e.room[:]
	if e.fresh {
		if err := q.DeleteGroupRecords(ctx, id); err != nil {
			return err
		}
		if err := q.DeleteEvictions(ctx, id); err != nil {
			return err
		}
	}
	if err := saveRecords(ctx, q, e.room, e.records); err != nil {
		return err
	}
	if err := q.SetGroupInfo(ctx, db.SetGroupInfoParams{ID: id, GroupInfo: e.groupInfo}); err != nil {
		return err
	}
	if err := q.DeleteProposals(ctx, id); err != nil {
		return err
	}
	if err := e.savePeople(ctx, q); err != nil {
		return err
	}
	return e.saveTree(ctx, q, tx.Delivered)
}

func (e *effect) savePeople(ctx context.Context, q *db.Queries) error {
	for _, u := range e.went {
		if err := q.RemoveParticipant(ctx, db.RemoveParticipantParams{Room: e.room[:], Person: u[:]}); err != nil {
			return err
		}
	}
	for _, u := range e.came {
		if err := q.AddParticipant(ctx, db.AddParticipantParams{Room: e.room[:], Person: u[:]}); err != nil {
			return err
		}
	}
	for _, device := range e.removed {
		if err := q.DeleteEviction(ctx, db.DeleteEvictionParams{Room: e.room[:], Device: device[:]}); err != nil {
			return err
		}
	}
	return nil
}

func (e *effect) saveTree(ctx context.Context, q *db.Queries, places []uint64) error {
	if e.tree == nil {
		return nil
	}
	hash := sha256.Sum256(e.tree)
	if err := q.InsertTree(ctx, db.InsertTreeParams{Hash: hash[:], Tree: e.tree}); err != nil {
		return err
	}
	for i, device := range e.welcomed {
		inbox := api.Inbox(device)
		err := q.InsertTreeReader(ctx, db.InsertTreeReaderParams{Hash: hash[:], Device: device[:], Inbox: inbox[:], Seq: int64(places[i])})
		if err != nil {
			return err
		}
	}
	return nil
}
