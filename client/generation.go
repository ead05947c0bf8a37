package client

import (
	"fmt"
	"slices"

	"sconce/api"
	"sconce/mls"
	"sconce/room"
)

// A room outlives its MLS group. Where the present group can't be entered, a
// participant's device opens the next generation: a new group with the same
// people and settings, into which everyone else comes by external commit.

// unenterable looks for what keeps this device out of a group for good: leaves
// of devices of this person that are no more, more than its one commit may
// replace, where nobody else is left to take them out. That is what a person
// who lost all devices finds in their self-group.
func (c *Client) unenterable(public *mls.PublicGroup) (lost []mls.LeafIndex, stranded bool) {
	log := c.knownLog(c.device.User)
	others := false
	for i, leaf := range public.Members() {
		cred, err := room.CredentialOf(leaf)
		if err != nil {
			continue
		}
		if cred.User != c.device.User {
			others = true
			continue
		}
		switch stands, err := room.Stands(log, log.Pin(), cred); {
		case err != nil:
		case stands && cred.Device != c.deviceID():
			others = true
		case !stands:
			lost = append(lost, i)
		}
	}
	return lost, len(lost) > 1 && !others
}

// stageGeneration makes the first epoch of a room's next generation and saves
// it, before the server hears of it. The caller holds c.mu.
func (c *Client) stageGeneration(r *roomState, generation uint32, before *mls.GroupContext, people room.Participants) (*stagedRecord, error) {
	change, err := c.ownPin(people)
	if err != nil {
		return nil, err
	}
	if people, err = people.Apply(change); err != nil {
		return nil, fmt.Errorf("%w: %w", errRoom, err)
	}
	state, err := room.StateHash(before)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRoom, err)
	}
	signer, err := c.signer()
	if err != nil {
		return nil, err
	}
	g, err := mls.Create(c.mlsConfig(), room.GroupID(r.id, generation), room.Suite, signer, mls.DefaultCapabilities(),
		room.Extensions(c.device.Sender, people, state))
	if err != nil {
		return nil, fmt.Errorf("making the next generation: %w", err)
	}
	gi, err := g.GroupInfo(false)
	if err != nil {
		return nil, err
	}
	s := &stagedRecord{Generation: generation}
	for _, rec := range g.Drain() {
		s.Group = append(s.Group, groupRecord{Key: rec.Key, Value: rec.Value, Secret: rec.Secret})
	}
	req := &api.AppendRequest{Room: r.id, Generation: generation, Keep: api.KeepMonth, Message: gi.Bytes(),
		Commit: &api.CommitPart{Tree: g.Tree()}}
	return c.saveStaged(r, req, s)
}

// enterGeneration goes over into a generation of one's own, now that the log
// holds its beginning.
func (c *Client) enterGeneration(b *batch, r *roomState, s *stagedRecord) error {
	g, err := mls.Load(c.mlsConfig(), func(yield func(k, v []byte) bool) {
		for _, rec := range s.Group {
			if !yield(rec.Key, rec.Value) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("opening the next generation: %w", err)
	}
	r.Generation = s.Generation
	if err := c.replaceGroup(b, r, g); err != nil {
		return err
	}
	for _, rec := range s.Group {
		b.puts = append(b.puts, Put{Key: r.keyOf(prefixGroup, rec.Key), Value: slices.Clone(rec.Value), Erasable: rec.Secret})
	}
	r.Checked = true
	c.noteSelf(b, r)
	return nil
}
