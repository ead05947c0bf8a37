package room

import (
	"iter"
	"slices"

	"sconce/identity"
	"sconce/mls"
)

// CheckFirst judges epoch 0 of a generation, which no commit made: the group
// has one leaf, that of a participant's device, and the context of a room.
// before is the participants of the generation before, nil for a new room: then
// its maker is alone in it. A new generation has the same people in the same
// roles, and pins that did not go back; that it takes the rest over as well,
// [CheckFollows] says. sender is the server's key. That the [mls.GroupInfo] is
// signed and fits its tree, [mls.NewPublicGroup] has checked.
func CheckFirst(gi *mls.GroupInfo, members iter.Seq2[mls.LeafIndex, *mls.LeafNode], before *Participants, sender []byte, logs LogSource) error {
	ctx := &gi.Context
	if ctx.Epoch != 0 || len(ctx.ConfirmedTranscriptHash) != 0 { // RFC 9420, Section 11
		return refuse("first epoch", "not the beginning of a group")
	}
	_, generation, err := ParseGroupID(ctx.GroupID)
	if err != nil {
		return refuse("first epoch", "%v", err)
	}
	if (generation == 0) != (before == nil) {
		return refuse("first epoch", "generation %d does not follow", generation)
	}
	if err := CheckContext(ctx, sender); err != nil {
		return err
	}
	p, err := ParticipantsOf(ctx)
	if err != nil {
		return refuse("participants", "%v", err)
	}
	maker, err := onlyLeaf(members)
	if err != nil {
		return err
	}
	c, err := CredentialOf(maker)
	if err != nil {
		return err
	}
	if before == nil {
		before = &Participants{}
		err = checkNew(p, c.User)
	} else {
		err = checkSamePeople(p, *before, c.User)
	}
	if err != nil {
		return err
	}
	return checkFirstPins(p, *before, c, maker, logs)
}

// CheckFollows judges what [CheckFirst] cannot see of a new generation: that it
// is the next one of the same room and keeps the room's state, which is not for
// its maker to change, who may be anyone in the room. before is the context of
// the generation before as it last was.
func CheckFollows(gi *mls.GroupInfo, before *mls.GroupContext) error {
	id, generation, err := ParseGroupID(gi.Context.GroupID)
	if err != nil {
		return refuse("first epoch", "%v", err)
	}
	oldID, oldGeneration, err := ParseGroupID(before.GroupID)
	if err != nil {
		return refuse("first epoch", "%v", err)
	}
	if id != oldID || uint64(generation) != uint64(oldGeneration)+1 {
		return refuse("first epoch", "generation %d does not follow %d of the same room", generation, oldGeneration)
	}
	state, err := StateHash(&gi.Context)
	if err != nil {
		return refuse("state", "%v", err)
	}
	if old, err := StateHash(before); err != nil || state != old {
		return refuse("state", "a new generation keeps the room's state")
	}
	return nil
}

func onlyLeaf(members iter.Seq2[mls.LeafIndex, *mls.LeafNode]) (*mls.LeafNode, error) {
	var only *mls.LeafNode
	for _, leaf := range members {
		if only != nil {
			return nil, refuse("first epoch", "more than one leaf")
		}
		only = leaf
	}
	if only == nil {
		return nil, refuse("first epoch", "no leaf")
	}
	return only, nil
}

func checkNew(p Participants, maker identity.UserID) error {
	if len(p.List) != 1 || p.List[0].User != maker || p.List[0].Role != Admin {
		return refuse("first epoch", "a new room has its maker as the one participant, an admin")
	}
	return nil
}

func checkSamePeople(p, before Participants, maker identity.UserID) error {
	same := p.Kind == before.Kind && slices.EqualFunc(p.List, before.List, func(a, b Participant) bool {
		return a.User == b.User && a.Role == b.Role
	})
	if !same {
		return refuse("people", "a new generation has other participants or roles")
	}
	if _, ok := p.Find(maker); !ok {
		return refuse("people", "the maker does not participate")
	}
	return nil
}

// checkFirstPins checks the maker's leaf, and every pin that moved.
func checkFirstPins(p, before Participants, c identity.Credential, leaf *mls.LeafNode, logs LogSource) error {
	var missing MissingLogsError
	for _, q := range p.List {
		old, _ := before.Find(q.User)
		if old.Pin == q.Pin && q.User != c.User {
			continue
		}
		k, err := openLog(logs, q)
		if err != nil {
			return err
		}
		if k.log == nil {
			missing.Needs = append(missing.Needs, LogNeed{q.User, q.Pin})
			continue
		}
		if err := k.view.Extends(old.Pin); err != nil {
			return refuse("pins", "%v", err)
		}
		if q.User != c.User {
			continue
		}
		if err := identity.AcceptLeaf(k.view, c, uint16(Suite), leaf.SignatureKey); err != nil {
			return refuse("leaves", "%v", err)
		}
	}
	if len(missing.Needs) > 0 {
		return &missing
	}
	return nil
}
