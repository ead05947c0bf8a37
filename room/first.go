package room

import (
	"bytes"
	"iter"

	"sconce/identity"
	"sconce/mls"
)

// CheckFirst judges epoch 0 of a generation, which no commit made: the group
// has one leaf, that of a participant's device, and the context of a room.
// before is the participants of the generation before, nil for a new room: then
// its maker is alone in it. sender is the server's key.
func CheckFirst(gi *mls.GroupInfo, members iter.Seq2[mls.LeafIndex, *mls.LeafNode], before *Participants, sender []byte, logs LogSource) error {
	ctx := &gi.Context
	if ctx.CipherSuite != Suite || ctx.Epoch != 0 {
		return refuse("first epoch", "not epoch 0 of suite %v", Suite)
	}
	_, generation, err := ParseGroupID(ctx.GroupID)
	if err != nil {
		return refuse("first epoch", "%v", err)
	}
	if (generation == 0) != (before == nil) {
		return refuse("first epoch", "generation %d does not follow", generation)
	}
	p, err := ParticipantsOf(ctx)
	if err != nil {
		return refuse("first epoch", "%v", err)
	}
	state, err := StateHash(ctx)
	if err != nil {
		return refuse("first epoch", "%v", err)
	}
	want := Extensions(sender, p, state)
	if !bytes.Equal(extensionBytes(want), extensionBytes(ctx.Extensions)) {
		return refuse("first epoch", "the group's extensions are not a room's")
	}
	maker, err := onlyLeaf(members)
	if err != nil {
		return err
	}
	c, err := CredentialOf(maker)
	if err != nil {
		return err
	}
	if err := checkFirstPeople(p, before, c.User); err != nil {
		return err
	}
	return checkFirstPins(p, before, c, maker, logs)
}

func extensionBytes(e mls.Extensions) []byte {
	var b []byte
	for _, x := range e {
		b = append(b, byte(x.Type>>8), byte(x.Type), byte(len(x.Data)>>24), byte(len(x.Data)>>16), byte(len(x.Data)>>8), byte(len(x.Data)))
		b = append(b, x.Data...)
	}
	return b
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

func checkFirstPeople(p Participants, before *Participants, maker identity.UserID) error {
	if before == nil {
		if len(p.List) != 1 || p.List[0].User != maker || p.List[0].Role != Admin {
			return refuse("first epoch", "a new room has its maker as the one participant, an admin")
		}
		return nil
	}
	if p.Kind != before.Kind || len(p.List) != len(before.List) {
		return refuse("first epoch", "a new generation has other participants")
	}
	for i, q := range p.List {
		if q.User != before.List[i].User || q.Role != before.List[i].Role {
			return refuse("first epoch", "a new generation has other participants or roles")
		}
	}
	if _, ok := p.Find(maker); !ok {
		return refuse("first epoch", "the maker does not participate")
	}
	return nil
}

// checkFirstPins checks the maker's leaf, and every pin that moved.
func checkFirstPins(p Participants, before *Participants, c identity.Credential, leaf *mls.LeafNode, logs LogSource) error {
	var missing MissingLogsError
	for _, q := range p.List {
		var old Participant
		if before != nil {
			old, _ = before.Find(q.User)
		}
		if old.Pin == q.Pin && q.User != c.User {
			continue
		}
		log := logs(q.User)
		if log == nil || log.Length() < q.Pin.Length {
			missing.Needs = append(missing.Needs, LogNeed{q.User, q.Pin})
			continue
		}
		v, err := log.View(q.Pin)
		if err != nil {
			return refuse("pins", "%v", err)
		}
		if err := v.Extends(old.Pin); err != nil {
			return refuse("pins", "%v", err)
		}
		if q.User != c.User {
			continue
		}
		if err := identity.AcceptLeaf(v, c, uint16(Suite), leaf.SignatureKey); err != nil {
			return refuse("leaves", "%v", err)
		}
	}
	if len(missing.Needs) > 0 {
		return &missing
	}
	return nil
}
