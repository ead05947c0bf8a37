package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// joinExternal brings this device into a room by its own commit: a room whose
// participant its person is, or one in which it got stuck. The caller has the
// turn.
func (c *Client) joinExternal(ctx context.Context, r *roomState) error {
	resp, err := c.readGroupInfo(ctx, r)
	if code := apiCode(err); code == api.Forbidden || code == api.NotFound {
		return c.denied(r)
	}
	if err != nil {
		return fmt.Errorf("reading how to join: %w", err)
	}
	gi, err := mls.ParseGroupInfo(resp.GroupInfo)
	if err != nil {
		return fmt.Errorf("%w: joining: %w", errRoom, err)
	}
	id, generation, err := room.ParseGroupID(gi.Context.GroupID)
	if err != nil || id != r.id || generation != resp.Generation {
		return fmt.Errorf("%w: the server gave another room's group", errRoom)
	}
	if err := room.CheckContext(&gi.Context, c.device.Sender); err != nil {
		return fmt.Errorf("%w: joining: %w", errRoom, err)
	}
	people, err := room.ParticipantsOf(&gi.Context)
	if err != nil {
		return fmt.Errorf("%w: joining: %w", errRoom, err)
	}
	if err := c.settleKind(r, people); err != nil {
		return err
	}
	if err := c.fetchLogs(ctx, append(usersOf(people), c.device.User)); err != nil {
		return err
	}
	if err := c.learnNames(ctx, usersOf(people)); err != nil {
		return err
	}
	staged, err := c.stageJoin(r, resp, gi, people)
	if err != nil {
		return err
	}
	return c.resend(ctx, r, staged)
}

// settleKind takes a room's kind from its group. What the server said of it
// before counts only until then.
func (c *Client) settleKind(r *roomState, people room.Participants) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if r.Kind != people.Kind && len(r.Participants) > 0 {
		return fmt.Errorf("%w: the server gave a room of another kind", errRoom)
	}
	b := c.batch()
	c.takeKind(b, r, people)
	c.saveRoom(b, r)
	return b.apply()
}

// takeKind takes a room's kind from the group that this device is about to enter.
// Where this person wanted the room with somebody, and the server named one of
// others, what waits is not for those.
func (c *Client) takeKind(b *batch, r *roomState, people room.Participants) {
	was := r.Kind
	r.Kind = people.Kind
	if was != room.Direct || len(r.Wanted) == 0 {
		return
	}
	_, ok := people.Find(r.Wanted[0])
	if people.Kind == room.Direct && (ok || len(people.List) == 1) {
		return
	}
	name := c.nameOf(r.Wanted[0])
	c.failOutbox(b, r, "this room is not the one with "+name)
	r.Wanted = nil
	c.alarm(b, r, "The server gave this room as the one with %s, and it is not. What you wrote to them was not sent.", name)
}

// denied meets the server's word that this person does not participate in a room
// which this device wanted to come into, or to come back into.
func (c *Client) denied(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	was := r.Member
	c.mu.Unlock()
	if was {
		return c.hidden(r)
	}
	return c.shutOut(r)
}

// shutOut notes that this person is not in a room any more.
func (c *Client) shutOut(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	b := c.batch()
	if err := c.forgetGroup(b, r); err != nil {
		return err
	}
	return b.apply()
}

// forgetGroup counts a room as left, and erases its keys. The log did not show
// this device how it came out, so neither whether what waits went out before.
func (c *Client) forgetGroup(b *batch, r *roomState) error {
	c.missOutbox(b, r)
	c.failOutbox(b, r, "you are no longer in this room")
	if err := c.replaceGroup(b, r, nil); err != nil {
		return err
	}
	r.Left, r.Stuck, r.Hidden = true, "", false
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	return nil
}

func (c *Client) stageJoin(r *roomState, resp *api.ReadGroupInfoResponse, gi *mls.GroupInfo, people room.Participants) (*stagedRecord, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	if err := c.checkRejoin(r, resp.Generation, gi.Context.Epoch, people); err != nil {
		return nil, err
	}
	public, err := mls.NewPublicGroup(c.mlsConfig(), gi, resp.Tree, timeOf(c.serverTime()))
	if err != nil {
		return nil, fmt.Errorf("%w: joining: %w", errRoom, err)
	}
	if err := room.CheckMembers(&gi.Context, public.Members(), c.knownLog); err != nil {
		return nil, fmt.Errorf("%w: joining: %w", errRoom, err)
	}
	signer, err := c.signer()
	if err != nil {
		return nil, err
	}
	lost, stranded := c.unenterable(public)
	if stranded {
		return c.stageGeneration(r, resp.Generation+1, &gi.Context, people)
	}
	o := mls.ExternalOptions{Capabilities: mls.DefaultCapabilities()}
	if len(lost) > 0 {
		o.Resync = &lost[0]
	}
	for i, leaf := range public.Members() {
		if cred, err := room.CredentialOf(leaf); err == nil && cred.Device == c.deviceID() {
			o.Resync = &i
			r.Gather = r.Kind == room.Group // it is in, and its store does not know: see gather
		}
	}
	change, err := c.ownPin(people)
	if err != nil {
		return nil, err
	}
	pending, left, err := c.takeLeaving(public, resp, people)
	if err != nil {
		return nil, err
	}
	o.Pending = pending
	if change.Remove = left; len(change.Set)+len(left) > 0 {
		o.Proposals = append(o.Proposals, change.Proposal())
	}
	s, err := mls.JoinExternal(c.mlsConfig(), gi, resp.Tree, signer, o, timeOf(c.serverTime()))
	if err != nil {
		return nil, fmt.Errorf("%w: joining: %w", errRoom, err)
	}
	defer s.Discard() // what it brings is merged from the record
	next, err := s.GroupInfo()
	if err != nil {
		return nil, err
	}
	req := &api.AppendRequest{Room: r.id, Generation: resp.Generation, Keep: api.KeepMonth, Message: s.Message(),
		Commit: &api.CommitPart{GroupInfo: next.Bytes()}}
	return c.saveStaged(r, req, &stagedRecord{Commit: s.Bytes(), Join: true})
}

// takeLeaving takes the pending SelfRemoves, which whoever joins must commit,
// and gives the people who leave by them. A removal by the server can't be
// committed from outside; the server proposes it again. Who leaves does not
// come back by another device meanwhile.
func (c *Client) takeLeaving(public *mls.PublicGroup, resp *api.ReadGroupInfoResponse, people room.Participants) (pending [][]byte, left []identity.UserID, err error) {
	for _, raw := range resp.Pending {
		m, err := mls.ParseMessage(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: joining: %w", errRoom, err)
		}
		if !m.IsSelfRemove() {
			continue
		}
		if _, err := public.Process(m, timeOf(c.serverTime())); err != nil {
			return nil, nil, fmt.Errorf("%w: joining: %w", errRoom, err)
		}
		pending = append(pending, raw)
	}
	gone, selfGone := pendingGone(public.Pending())
	for i := range selfGone {
		if cred, err := room.CredentialOf(public.Member(i)); err == nil && cred.User == c.device.User {
			return nil, nil, fmt.Errorf("%w: another device of yours is leaving it", errRoom)
		}
	}
	return pending, leavers(public.Members(), people, gone, selfGone, room.Change{}), nil
}

// ownPin raises this person's pin to where their log admits this device.
func (c *Client) ownPin(people room.Participants) (room.Change, error) {
	q, ok := people.Find(c.device.User)
	log := c.knownLog(c.device.User)
	if !ok || log == nil {
		return room.Change{}, fmt.Errorf("%w: you do not participate in this room", errRoom)
	}
	if log.Length() <= q.Pin.Length {
		return room.Change{}, nil
	}
	if v, err := log.View(q.Pin); err == nil && v.Active(c.deviceID()) {
		return room.Change{}, nil
	}
	q.Pin = log.Pin()
	return room.Change{Set: []room.Participant{q}}, nil
}

// checkRejoin makes sure that nobody is asked to fall behind what this device
// has seen of the room: pins and generations never go back.
func (c *Client) checkRejoin(r *roomState, generation uint32, epoch uint64, people room.Participants) error {
	if generation < r.Generation || generation == r.Generation && epoch < r.Epoch {
		return fmt.Errorf("%w: the server gave an earlier state of the room than this device has been in", errRoom)
	}
	for _, old := range r.participants().List {
		q, ok := people.Find(old.User)
		if !ok {
			continue
		}
		log := c.knownLog(q.User)
		if log == nil {
			continue
		}
		v, err := log.View(q.Pin)
		if err != nil {
			return fmt.Errorf("%w: %w", errRoom, err)
		}
		if err := v.Extends(old.Pin); err != nil {
			return fmt.Errorf("%w: the room forgot devices that it knew: %w", errRoom, err)
		}
	}
	return nil
}

// welcomed enters a room by a Welcome. The caller has the turn.
func (c *Client) welcomed(ctx context.Context, e *api.Entry) error {
	var w api.WelcomeEntry
	if err := api.Unmarshal(e.Message, &w); err != nil {
		return err
	}
	m, err := mls.ParseMessage(w.Welcome)
	if err != nil {
		return err
	}
	tree, err := c.readTree(ctx, w.Tree)
	if err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	for _, ref := range m.NewMembers() {
		raw, err := c.vault.Get(key(prefixKey, ref))
		if err != nil {
			return err
		}
		if raw == nil {
			continue
		}
		var k keyRecord
		if err := decodeRecord(raw, &k); err != nil {
			return err
		}
		return c.enter(&w, m, ref, &k, tree)
	}
	return errors.Join(c.comeBack(&w), errors.New("a Welcome for a key package that this device does not hold"))
}

// comeBack meets a Welcome that this device can't open, such as the second one
// for its key package of last resort. If it had left the room, it is wanted
// there again: housekeeping lets it in by itself, if the group says so too.
func (c *Client) comeBack(w *api.WelcomeEntry) error {
	r, ok := c.rooms[room.ID(w.Room)]
	if !ok || r.Member || !r.Left || w.Seq <= r.Cursor {
		return nil
	}
	r.Left, r.Leaving = false, false
	b := c.batch()
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	return b.apply()
}

// noPlace is beyond every log: a message in each microsecond for centuries, and
// the last number that a page can count to.
const noPlace = 1 << 53

// enter joins the group of a Welcome and saves it; the key package's private
// half is erased in the same step.
func (c *Client) enter(w *api.WelcomeEntry, m *mls.Message, ref []byte, k *keyRecord, tree []byte) error {
	kp, err := mls.ParseKeyPackage(k.KeyPackage)
	if err != nil {
		return err
	}
	secrets, err := mls.ParseKeyPackageSecrets(k.Secrets)
	if err != nil {
		return err
	}
	g, err := mls.Join(c.mlsConfig(), m, kp, secrets, tree, timeOf(c.serverTime()))
	if err != nil {
		return fmt.Errorf("joining by Welcome: %w", err)
	}
	id, generation, err := room.ParseGroupID(g.Context().GroupID)
	if err != nil || id != room.ID(w.Room) || generation != w.Generation {
		return errors.New("a Welcome for another room than the server says")
	}
	if w.Seq >= noPlace {
		return errors.New("a Welcome to a place that no log has")
	}
	if err := room.CheckContext(g.Context(), c.device.Sender); err != nil {
		return err
	}
	people, err := room.ParticipantsOf(g.Context())
	if err != nil {
		return err
	}
	r, ok := c.rooms[id]
	if !ok {
		r = &roomState{id: id}
		c.rooms[id] = r
	}
	if epoch := g.Context().Epoch; r.Cursor >= w.Seq || generation < r.Generation || generation == r.Generation && epoch <= r.Epoch {
		return errors.New("a Welcome to what this device has left behind")
	}
	b := c.batch()
	c.takeKind(b, r, people)
	r.Generation, r.Made = generation, true
	r.Leaving, r.Leaver = false, identity.DeviceID{}
	r.Cursor, r.Hash, r.Acked = w.Seq, w.Hash, w.Seq
	c.missOutbox(b, r)
	r.last = max(r.last, w.Seq)
	c.dropStaged(b, r)
	if err := c.replaceGroup(b, r, g); err != nil {
		return err
	}
	// That of last resort too: the server chooses which one it hands out, and
	// must not be able to choose one that is never erased.
	b.delete(key(prefixKey, ref))
	b.put(r.keyOf(prefixHash, u64(r.Cursor)), slices.Clone(r.Hash[:]))
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	return b.apply()
}
