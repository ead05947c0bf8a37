package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// plan is what a commit shall do. It is worked out anew for every attempt: who
// loses a race keeps the intent, not the bytes.
type plan struct {
	change  room.Change
	state   []byte // new encoded room state
	adds    []*mls.KeyPackage
	removes []mls.LeafIndex
	path    bool // renew keys, though nothing asks for it
}

func (p *plan) empty() bool {
	return len(p.change.Set) == 0 && len(p.change.Remove) == 0 && p.state == nil && len(p.adds) == 0 && len(p.removes) == 0 && !p.path
}

// maxAttempts is how often a commit is made anew after losing a race.
const maxAttempts = 10

// commit carries a change into a room: it makes the commit, saves it, sends
// it, and reads the log until the commit is met there. build is called with
// c.mu held, for every attempt; an empty plan ends it. The caller has the turn.
func (c *Client) commit(ctx context.Context, r *roomState, build func(*roomState, *mls.Group) (*plan, error)) error {
	for range maxAttempts {
		if err := c.readRoom(ctx, r); err != nil {
			return err
		}
		staged, made, err := c.stage(r, build)
		if missing, ok := errors.AsType[*room.MissingLogsError](err); ok {
			if err := c.fetchNeeds(ctx, missing); err != nil {
				return err
			}
			continue
		}
		if err != nil || staged == nil {
			return err
		}
		err = c.resend(ctx, r, staged)
		if err != nil {
			return err
		}
		won, err := c.won(r, staged)
		if won && made || err != nil {
			return err
		}
	}
	return errors.New("others keep changing this room at the same moment; try again")
}

// won tells whether a commit of one's own was met in the log.
func (c *Client) won(r *roomState, s *stagedRecord) (bool, error) {
	req, err := s.request()
	if err != nil {
		return false, err
	}
	if err := c.lock(); err != nil {
		return false, err
	}
	defer c.mu.Unlock()
	return r.won == req.ID, nil
}

// stage makes a commit and saves it with what it takes to merge it, before it
// can leave. One is in flight at a time: an earlier one is given instead, and
// made is then false.
func (c *Client) stage(r *roomState, build func(*roomState, *mls.Group) (*plan, error)) (s *stagedRecord, made bool, err error) {
	if err := c.lock(); err != nil {
		return nil, false, err
	}
	defer c.mu.Unlock()
	switch {
	case r.Left:
		return nil, false, errors.New("this device is no longer in this room")
	case r.Stuck != "" || !r.caughtUp:
		return nil, false, fmt.Errorf("%w: this device is about to rejoin the room; try again in a moment", errRoom)
	}
	g, err := c.openGroup(r)
	if err != nil {
		return nil, false, err
	}
	if g == nil {
		return nil, false, fmt.Errorf("%w: this device is still on its way into the room; try again in a moment", errRoom)
	}
	if s, err := c.loadStaged(r); s != nil || err != nil {
		return s, false, err
	}
	p, err := build(r, g)
	if err != nil || p == nil || p.empty() && len(g.Pending()) == 0 {
		return nil, false, err
	}
	s, err = c.stagePlan(r, g, p)
	return s, true, err
}

func (c *Client) stagePlan(r *roomState, g *mls.Group, p *plan) (*stagedRecord, error) {
	proposals, err := c.proposals(r, g, p)
	if err != nil {
		return nil, err
	}
	s, err := g.Commit(mls.CommitOptions{Proposals: proposals, ForcePath: p.path}, timeOf(c.serverTime()))
	if err != nil {
		return nil, fmt.Errorf("making the change: %w", err)
	}
	defer s.Discard() // what it brings is merged from the record
	gi, err := s.GroupInfo()
	if err != nil {
		return nil, fmt.Errorf("making the change: %w", err)
	}
	part := &api.CommitPart{GroupInfo: gi.Bytes()}
	for _, kp := range p.adds {
		w, err := welcomePart(s, kp)
		if err != nil {
			return nil, err
		}
		part.Welcomes = append(part.Welcomes, w)
	}
	req := &api.AppendRequest{Room: r.id, Generation: r.Generation, Keep: api.KeepMonth, Message: s.Message(), Commit: part}
	return c.saveStaged(r, req, &stagedRecord{Commit: s.Bytes(), State: p.state})
}

func welcomePart(s *mls.StagedCommit, kp *mls.KeyPackage) (api.WelcomePart, error) {
	ref, err := kp.Ref()
	if err != nil {
		return api.WelcomePart{}, err
	}
	cred, err := room.CredentialOf(kp.Leaf)
	if err != nil {
		return api.WelcomePart{}, err
	}
	return api.WelcomePart{Device: api.DeviceID(cred.Device), Welcome: s.WelcomeFor(ref)}, nil
}

// saveStaged stores a commit that is about to leave. The caller holds c.mu.
func (c *Client) saveStaged(r *roomState, req *api.AppendRequest, s *stagedRecord) (*stagedRecord, error) {
	_, _ = rand.Read(req.ID[:]) // never fails
	var err error
	if s.Request, err = api.Marshal(req); err != nil {
		return nil, err
	}
	b := c.batch()
	b.putErasable(r.keyOf(prefixStaged), encodeRecord(s))
	c.saveRoom(b, r)
	if r.group != nil {
		c.saveGroup(b, r)
	}
	if err := b.apply(); err != nil {
		return nil, err
	}
	r.staged = s
	return s, nil
}

// proposals turns a plan into the proposals of a commit. Devices that their
// owner removed go along with any commit that touches that person, and people
// whose last device leaves stop being participants.
func (c *Client) proposals(r *roomState, g *mls.Group, p *plan) ([]mls.Proposal, error) {
	var out []mls.Proposal
	gone, selfGone := pendingGone(g.Pending())
	for _, l := range append(slices.Clone(p.removes), c.disowned(g, p.change)...) {
		if !gone[l] {
			gone[l] = true
			out = append(out, &mls.Remove{Removed: l})
		}
	}
	change := p.change
	change.Remove = append(slices.Clone(change.Remove), leavers(g.Members(), r.participants(), gone, selfGone, change)...)
	if len(change.Set)+len(change.Remove) > 0 {
		out = append(out, change.Proposal())
	}
	if p.state != nil {
		hash, err := stateHash(p.state)
		if err != nil {
			return nil, err
		}
		out = append(out, room.StateProposal(hash))
	}
	for _, kp := range p.adds {
		out = append(out, &mls.Add{KeyPackage: kp})
	}
	return out, nil
}

// disowned lists the leaves of devices that their owner's log, at the pin that
// a change sets, has removed: a pin can't move there while they stay.
func (c *Client) disowned(g *mls.Group, change room.Change) []mls.LeafIndex {
	var out []mls.LeafIndex
	for i, leaf := range g.Members() {
		cred, err := room.CredentialOf(leaf)
		if err != nil || i == g.Own() {
			continue
		}
		for _, q := range change.Set {
			log := c.knownLog(q.User)
			if q.User == cred.User && log != nil && !log.Active(cred.Device) {
				out = append(out, i)
			}
		}
	}
	return out
}

// pendingGone lists the leaves that pending proposals take out, and which of
// them do it themselves.
func pendingGone(pending []mls.ProposalView) (gone, selfGone map[mls.LeafIndex]bool) {
	gone, selfGone = map[mls.LeafIndex]bool{}, map[mls.LeafIndex]bool{}
	for _, v := range pending {
		switch q := v.Proposal.(type) {
		case *mls.Remove:
			gone[q.Removed] = true
		case *mls.SelfRemove:
			gone[mls.LeafIndex(v.Sender.Index)] = true
			selfGone[mls.LeafIndex(v.Sender.Index)] = true
		}
	}
	return gone, selfGone
}

// leavers lists the people whose last leaf removes itself in this commit.
func leavers(members iter.Seq2[mls.LeafIndex, *mls.LeafNode], people room.Participants, gone, selfGone map[mls.LeafIndex]bool, change room.Change) []identity.UserID {
	staying := map[identity.UserID]bool{}
	leaving := map[identity.UserID]bool{}
	for i, leaf := range members {
		cred, err := room.CredentialOf(leaf)
		if err != nil {
			continue
		}
		staying[cred.User] = staying[cred.User] || !gone[i]
		leaving[cred.User] = leaving[cred.User] || selfGone[i]
	}
	var out []identity.UserID
	for _, q := range people.List {
		if leaving[q.User] && !staying[q.User] && !slices.Contains(change.Remove, q.User) {
			out = append(out, q.User)
		}
	}
	return out
}

// resend sends the commit in flight, again if need be: the server answers a
// repeat as it did the first time.
func (c *Client) resend(ctx context.Context, r *roomState, s *stagedRecord) error {
	req, err := s.request()
	if err != nil {
		return err
	}
	resp, err := authed(ctx, c, api.Append, req)
	code := apiCode(err)
	if err != nil && (code == "" || code == api.Unavailable || code == api.RateLimited || code == api.Unauthenticated) {
		return fmt.Errorf("sending a change: %w", err) // it stays, and is sent again
	}
	if err == nil {
		if err := c.lock(); err != nil {
			return err
		}
		r.last = max(r.last, resp.Seq)
		c.mu.Unlock()
		if s.Join || s.Group != nil {
			// The window of this device begins with the commit: ask where.
			if err := c.listRooms(ctx); err != nil {
				return err
			}
		}
		if err := c.readRoom(ctx, r); err != nil {
			return err
		}
		return c.dropPassed(r, s, resp.Seq)
	}
	if lockErr := c.lock(); lockErr != nil {
		return lockErr
	}
	if r.staged == s {
		b := c.batch()
		c.dropStaged(b, r)
		if applyErr := b.apply(); applyErr != nil {
			c.mu.Unlock()
			return applyErr
		}
	}
	c.mu.Unlock()
	if code == api.Stale || code == api.Conflict {
		if s.Join || s.Group != nil {
			return nil // the next round begins anew
		}
		return c.readOn(ctx, r)
	}
	return fmt.Errorf("%w: the server refused a change: %w", errRoom, err)
}

// dropPassed gives up a way in that stands in the log where this device will never
// see it: it was taken out and let in again before it had read that far; or its
// store is an old copy, it had read the entry and gone on, and what everybody has is
// not kept. The next round begins anew.
func (c *Client) dropPassed(r *roomState, s *stagedRecord, seq uint64) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	old := r.status != nil && r.status.Cursor >= seq
	if r.staged != s || !s.Join || r.Cursor < seq && !old {
		return nil
	}
	b := c.batch()
	c.dropStaged(b, r)
	return b.apply()
}

// settle commits what is pending, and takes out devices whose owner has
// removed them. It says whether it did something. The caller has the turn.
func (c *Client) settle(ctx context.Context, r *roomState) (moved bool, err error) {
	if err := c.lock(); err != nil {
		return false, err
	}
	g, err := c.openGroup(r)
	if err != nil || g == nil {
		c.mu.Unlock()
		return false, err
	}
	p := c.evictions(r, g)
	todo := !p.empty() || len(g.Pending()) > 0
	if c.ownLeaving(g) {
		todo = false // whoever goes can't commit it
	}
	c.mu.Unlock()
	if !todo {
		return false, nil
	}
	return true, c.commit(ctx, r, func(r *roomState, g *mls.Group) (*plan, error) { return c.evictions(r, g), nil })
}

// ownLeaving reports whether this member's own removal is pending.
func (c *Client) ownLeaving(g *mls.Group) bool {
	return slices.ContainsFunc(g.Pending(), func(v mls.ProposalView) bool {
		switch q := v.Proposal.(type) {
		case *mls.SelfRemove:
			return v.Sender.Type == mls.SenderMember && mls.LeafIndex(v.Sender.Index) == g.Own()
		case *mls.Remove:
			return q.Removed == g.Own()
		}
		return false
	})
}

// evictions plans the removal of devices that their person's log, as it is
// known here, has removed, and raises that person's pin to where it says so.
func (c *Client) evictions(r *roomState, g *mls.Group) *plan {
	p := &plan{}
	people := r.participants()
	raised := map[identity.UserID]bool{}
	for i, leaf := range g.Members() {
		cred, err := room.CredentialOf(leaf)
		if err != nil || i == g.Own() {
			continue
		}
		log := c.knownLog(cred.User)
		q, ok := people.Find(cred.User)
		if log == nil || !ok || log.Length() <= q.Pin.Length {
			continue
		}
		if stands, err := room.Stands(log, log.Pin(), cred); stands || err != nil {
			continue
		}
		p.removes = append(p.removes, i)
		if !raised[cred.User] {
			raised[cred.User] = true
			q.Pin = log.Pin()
			p.change.Set = append(p.change.Set, q)
		}
	}
	return p
}
