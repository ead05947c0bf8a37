package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
	"sconce/server/delivery/db"
	"sconce/server/delivery/journal"
)

// Evict lets go of a device that its person's log removed: it reads nothing
// more from now on, and the server proposes in each of its rooms that it leave
// the group. Calling it again does no harm. A room that fails does not keep the
// device in the others.
func (s *Service) Evict(ctx context.Context, _ identity.UserID, device identity.DeviceID) error {
	d := api.DeviceID(device)
	var after api.LogID
	var failed error // the last: of many rooms there may be many
	for {
		logs, err := s.journal.LogsOf(ctx, d, after, api.MaxBatch)
		if err != nil {
			return err
		}
		if len(logs) == 0 {
			return failed
		}
		for _, id := range logs {
			if err := s.evictFrom(ctx, id, d); err != nil {
				failed = fmt.Errorf("evicting device: %w", err)
			}
		}
		after = logs[len(logs)-1]
	}
}

func (s *Service) evictFrom(ctx context.Context, id api.LogID, device api.DeviceID) error {
	if id == api.Inbox(device) {
		_, err := s.journal.Write(ctx, &journal.Write{Log: id, Change: &journal.Change{Drop: []api.DeviceID{device}}})
		return err
	}
	return s.with(ctx, id, func(f *follower, status journal.Status) error {
		if err := s.letGo(ctx, f, status.State, device); err != nil {
			return err
		}
		return s.proposeRemovals(ctx, f, status.State)
	})
}

// letGo ends a device's reading of the follower's room, and notes that it must
// leave the group if it is in.
func (s *Service) letGo(ctx context.Context, f *follower, state journal.State, device api.DeviceID) error {
	_, inGroup := f.leafOf(device)
	_, err := s.write(ctx, f, &journal.Write{Log: f.room, Change: &journal.Change{
		From: state, To: state, Drop: []api.DeviceID{device},
		Save: func(ctx context.Context, tx *journal.Tx) error {
			if !inGroup {
				return nil
			}
			return db.New(tx).InsertEviction(ctx, db.InsertEvictionParams{Room: f.room[:], Device: device[:]})
		},
	}})
	if err == nil && inGroup {
		f.evicts[device] = true
	}
	return err
}

// evictLate looks once more at the devices that a commit brought in. One that
// its owner removed while the commit was judged was let go of everywhere before
// it was here.
func (s *Service) evictLate(ctx context.Context, f *follower, change *journal.Change) error {
	for _, o := range change.Open {
		log, err := s.Logs.Log(ctx, identity.UserID(o.User))
		if err != nil {
			return err
		}
		if log != nil && log.Active(identity.DeviceID(o.Device)) {
			continue
		}
		if err := s.evictFrom(ctx, api.Inbox(o.Device), o.Device); err != nil {
			return err
		}
		if err := s.letGo(ctx, f, change.To, o.Device); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) leafOf(device api.DeviceID) (mls.LeafIndex, bool) {
	for i, leaf := range f.group.Members() {
		if leafDevice(leaf) == device {
			return i, true
		}
	}
	return 0, false
}

// proposeRemovals proposes, in the group's present epoch, the removal of every
// device that must leave. What cannot be committed, such as the removal of the
// last member, waits for another epoch.
func (s *Service) proposeRemovals(ctx context.Context, f *follower, state journal.State) error {
	devices := make([]api.DeviceID, 0, len(f.evicts))
	for device := range f.evicts {
		devices = append(devices, device)
	}
	slices.SortFunc(devices, func(a, b api.DeviceID) int { return slices.Compare(a[:], b[:]) })
	for _, device := range devices {
		leaf, ok := f.leafOf(device)
		if !ok || f.removalPending(leaf) {
			continue
		}
		entry, err := s.removal(f, leaf)
		if err != nil {
			return err
		}
		if entry == nil {
			continue
		}
		if _, err := s.write(ctx, f, s.proposal(f, state, entry)); err != nil {
			return err
		}
		state.Pending++
	}
	return nil
}

// removalPending reports whether the leaf goes with the next commit anyway.
func (f *follower) removalPending(leaf mls.LeafIndex) bool {
	return slices.ContainsFunc(f.group.Pending(), func(v mls.ProposalView) bool {
		switch p := v.Proposal.(type) {
		case *mls.Remove:
			return p.Removed == leaf
		case *mls.SelfRemove:
			return mls.LeafIndex(v.Sender.Index) == leaf
		}
		return false
	})
}

// removal makes the server's proposal and has the follower take it; nil if the
// group cannot.
func (s *Service) removal(f *follower, leaf mls.LeafIndex) (*api.Entry, error) {
	ctx := f.group.Context()
	message, err := mls.NewExternalProposal(&mls.Remove{Removed: leaf},
		mls.ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: ctx.CipherSuite}, 0, s.SenderKey)
	if err != nil {
		return nil, fmt.Errorf("proposing removal: %w", err)
	}
	m, err := mls.ParseMessage(message)
	if err != nil {
		return nil, fmt.Errorf("proposing removal: %w", err)
	}
	now := s.Clock.Millis()
	if _, err := f.group.Process(m, time.UnixMilli(now)); err != nil {
		return nil, nil
	}
	_, generation, err := room.ParseGroupID(ctx.GroupID)
	if err != nil {
		return nil, err
	}
	return &api.Entry{Kind: api.EntryProposal, Generation: generation, Epoch: ctx.Epoch, Time: now, Keep: api.KeepMonth, Message: message}, nil
}

// sweepEvictions proposes what a crash or a failure left unproposed.
func (s *Service) sweepEvictions(ctx context.Context) error {
	after := []byte{}
	var failed error // the last; the rooms after it still have their turn
	for {
		rooms, err := s.reads.AllEvictions(ctx, after)
		if err != nil {
			return err
		}
		if len(rooms) == 0 {
			return failed
		}
		for _, id := range rooms {
			err := s.with(ctx, api.LogID(id), func(f *follower, at journal.Status) error { return s.proposeRemovals(ctx, f, at.State) })
			if err != nil {
				failed = fmt.Errorf("proposing removals: %w", err)
			}
		}
		after = rooms[len(rooms)-1]
	}
}
