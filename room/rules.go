package room

import (
	"bytes"
	"fmt"
	"maps"

	"sconce/identity"
	"sconce/mls"
)

// LogSource gives what is known of a person's device log, or nil. What it
// knows beyond a pin never changes a verdict.
type LogSource func(identity.UserID) *identity.Log

// Rules is the room's policy, which mls asks about every commit and proposal.
// Its verdicts depend only on the commit, the group's state and the device logs
// up to the pins that the commit names: if one of these is not known, the
// verdict is a [*MissingLogsError], and the caller fetches it and asks again.
type Rules struct{ Logs LogSource }

var _ mls.Rules = Rules{}

// LogNeed is a part of a device log that a verdict needs.
type LogNeed struct {
	User identity.UserID
	Pin  identity.Pin
}

// MissingLogsError asks for device logs.
type MissingLogsError struct{ Needs []LogNeed }

func (e *MissingLogsError) Error() string {
	return fmt.Sprintf("device logs of %d people are needed for a verdict", len(e.Needs))
}

// AppData gives a component's next state. A component is updated once in a
// commit: one change says all there is to say, and a commit of many small ones
// would cost its receivers far more than its sender.
func (Rules) AppData(c mls.ComponentID, state []byte, updates [][]byte) ([]byte, error) {
	switch c {
	case ComponentParticipants:
		p, err := ParseParticipants(state)
		if err != nil {
			return nil, refuse("participants", "%v", err)
		}
		if len(updates) != 1 {
			return nil, refuse("participants", "the participants are changed once in a commit")
		}
		change, err := ParseChange(updates[0])
		if err != nil {
			return nil, refuse("participants", "%v", err)
		}
		if p, err = p.Apply(change); err != nil {
			return nil, refuse("participants", "%v", err)
		}
		return p.Bytes(), nil
	case ComponentState:
		if len(updates) != 1 || len(updates[0]) != 32 {
			return nil, refuse("state", "the room's state hash is set once in a commit, to 32 octets")
		}
		return updates[0], nil
	}
	return nil, refuse("components", "component 0x%04x is not a room's", uint16(c))
}

// Proposal judges a proposal sent by itself: only a member's removal of itself
// and a removal by the server travel so; all else is inline in its commit.
// Nobody leaves a direct room or a room of their own: the place of one of the
// two would be free for a third.
func (Rules) Proposal(p *mls.ProposalView) error {
	switch p.Proposal.(type) {
	case *mls.SelfRemove:
		people, err := ParticipantsOf(p.Context)
		if err != nil {
			return refuse("participants", "%v", err)
		}
		if people.Kind != Group {
			return refuse("people", "this kind of room is not for leaving")
		}
		if p.Sender.Type == mls.SenderMember {
			return nil
		}
	case *mls.Remove:
		if p.Sender.Type == mls.SenderExternal {
			return nil
		}
	}
	return refuse("proposals", "a proposal of type %d may not be sent by itself", p.Proposal.Type())
}

// Commit judges a commit. What needs no device log comes first, so that a
// commit which nobody may make sends nobody looking for logs.
func (r Rules) Commit(c *mls.CommitView) error {
	j := &judgement{commit: c}
	for _, step := range []func() error{
		j.checkProposals, j.readContexts, j.readCommitter, j.survey, j.checkPeople, j.checkState,
		func() error { return j.openLogs(r.Logs) },
		j.checkAdded, j.checkUpdated, j.checkRemoved, j.checkLeaves,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// judgement is one commit under examination.
type judgement struct {
	commit        *mls.CommitView
	before, after Participants
	committer     identity.Credential
	admin         bool                         // the committer may do what admins may
	raised        map[identity.UserID]bool     // pins that moved
	removed       map[identity.UserID]bool     // people taken out
	brought       map[identity.UserID]bool     // people with a new device
	left          map[identity.UserID]bool     // people who took their own last device out
	known         map[identity.UserID]knownLog // of everyone whom the commit touches, at the pin after it
}

func (j *judgement) checkProposals() error {
	for _, p := range j.commit.Proposals {
		switch p.Proposal.(type) {
		case *mls.Add, *mls.AppDataUpdate, *mls.ExternalInit:
			if p.ByReference {
				return refuse("proposals", "a proposal of type %d is by reference", p.Proposal.Type())
			}
		case *mls.Remove, *mls.SelfRemove:
		default:
			return refuse("proposals", "rooms take no proposal of type %d", p.Proposal.Type())
		}
	}
	return nil
}

// readContexts reads both contexts and checks that nothing but the components
// differs: capabilities and external sender stay.
func (j *judgement) readContexts() (err error) {
	if j.before, err = ParticipantsOf(j.commit.Before); err != nil {
		return refuse("participants", "%v", err)
	}
	if j.after, err = ParticipantsOf(j.commit.After); err != nil {
		return refuse("participants", "%v", err)
	}
	if j.before.Kind != j.after.Kind {
		return refuse("kind", "a room's kind is fixed")
	}
	b, a := j.commit.Before.Extensions, j.commit.After.Extensions
	if len(a) != len(b) {
		return refuse("extensions", "a commit adds or takes away an extension")
	}
	for i := range a {
		if a[i].Type != b[i].Type || a[i].Type != mls.ExtensionAppDataDictionary && !bytes.Equal(a[i].Data, b[i].Data) {
			return refuse("extensions", "extension %d is fixed", a[i].Type)
		}
	}
	d, err := j.commit.After.AppData()
	if err != nil {
		return err
	}
	if len(d) != 2 || len(d[ComponentState]) != 32 {
		return refuse("components", "a room has its two components and no other")
	}
	return nil
}

func (j *judgement) readCommitter() (err error) {
	if j.committer, err = CredentialOf(j.commit.CommitterLeaf); err != nil {
		return err
	}
	if _, ok := j.before.Find(j.committer.User); !ok {
		return refuse("committer", "the committer does not participate")
	}
	// A device that lets itself in does that, and no more.
	j.admin = !j.commit.External && j.before.May(j.committer.User)
	return nil
}

// survey notes whom the commit concerns, and how.
func (j *judgement) survey() error {
	j.raised, j.removed = map[identity.UserID]bool{}, map[identity.UserID]bool{}
	for _, q := range j.after.List {
		if old, _ := j.before.Find(q.User); old.Pin != q.Pin {
			j.raised[q.User] = true
		}
	}
	for _, q := range j.before.List {
		if _, stays := j.after.Find(q.User); !stays {
			j.removed[q.User] = true
		}
	}
	j.brought, j.left = map[identity.UserID]bool{}, map[identity.UserID]bool{}
	for _, m := range j.commit.Added {
		c, err := CredentialOf(m.New)
		if err != nil {
			return err
		}
		j.brought[c.User] = true
	}
	for _, m := range j.commit.Removed {
		c, err := CredentialOf(m.Old)
		if err != nil {
			return err
		}
		if m.SelfRemoved {
			j.left[c.User] = true
		}
	}
	if len(j.left) == 0 {
		return nil
	}
	for _, leaf := range j.commit.Members() {
		c, err := CredentialOf(leaf)
		if err != nil {
			return err
		}
		delete(j.left, c.User)
	}
	return nil
}

// openLogs opens the device log at the pin after the commit of everyone whom
// the commit touches.
func (j *judgement) openLogs(logs LogSource) error {
	touched := maps.Clone(j.raised)
	for _, list := range [][]mls.MemberChange{j.commit.Added, j.commit.Removed, j.commit.Updated} {
		for _, m := range list {
			if m.Old != nil && m.New != nil && sameKey(m.Old, m.New) {
				continue
			}
			leaf := m.New
			if leaf == nil {
				leaf = m.Old
			}
			c, err := CredentialOf(leaf)
			if err != nil {
				return err
			}
			touched[c.User] = true
		}
	}
	j.known = map[identity.UserID]knownLog{}
	var missing MissingLogsError
	for _, q := range j.after.List {
		if !touched[q.User] {
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
		old, _ := j.before.Find(q.User)
		if err := k.view.Extends(old.Pin); err != nil {
			return refuse("pins", "%v", err)
		}
		j.known[q.User] = k
	}
	if len(missing.Needs) > 0 {
		return &missing
	}
	return nil
}

func sameKey(a, b *mls.LeafNode) bool {
	return bytes.Equal(a.SignatureKey, b.SignatureKey) && a.Credential.Type == b.Credential.Type &&
		bytes.Equal(a.Credential.Identity, b.Credential.Identity)
}

// checkPeople checks who came, who went, and whose role changed.
func (j *judgement) checkPeople() error {
	if err := checkSize(j.after); err != nil {
		return err
	}
	for _, q := range j.after.List {
		old, was := j.before.Find(q.User)
		switch {
		case !was && !j.admin:
			return refuse("people", "only an admin brings somebody in")
		case !was && !j.brought[q.User]:
			return refuse("people", "somebody is brought in without a device")
		case was && old.Role != q.Role && (!j.admin || j.after.Kind != Group):
			return refuse("people", "only an admin changes roles")
		case was && old.Pin != q.Pin && j.commit.External && q.User != j.committer.User:
			return refuse("pins", "a device that lets itself in moves somebody else's pin")
		case j.left[q.User]:
			return refuse("people", "somebody left and is kept as a participant")
		}
	}
	for u := range j.removed {
		switch {
		case j.after.Kind != Group:
			return refuse("people", "nobody is taken out of this kind of room")
		case !j.left[u] && !j.admin:
			return refuse("people", "only an admin takes somebody out")
		}
	}
	return nil
}

// checkSize checks that a room has no more people than its kind is for.
func checkSize(p Participants) error {
	limit := map[Kind]int{Group: MaxParticipants, Direct: 2, Self: 1}[p.Kind]
	if len(p.List) > limit {
		return refuse("people", "%d people are too many for this kind of room", len(p.List))
	}
	return nil
}

func (j *judgement) checkState() error {
	b, err := StateHash(j.commit.Before)
	if err != nil {
		return err
	}
	a, err := StateHash(j.commit.After)
	if err != nil {
		return err
	}
	if a != b && !j.admin {
		return refuse("state", "only an admin changes the room's state")
	}
	return nil
}

// checkAdded checks every new leaf, by whomever it comes in: it is a device of
// a participant, as that person's log at its pin says.
func (j *judgement) checkAdded() error {
	if len(j.commit.Added) == 0 {
		return nil
	}
	devices := map[identity.DeviceID]int{}
	for _, leaf := range j.commit.Members() {
		c, err := CredentialOf(leaf)
		if err != nil {
			return err
		}
		devices[c.Device]++
	}
	for _, m := range j.commit.Added {
		c, err := j.accept(m.New)
		if err != nil {
			return err
		}
		if devices[c.Device] != 1 {
			return refuse("leaves", "a device has two leaves")
		}
		if _, was := j.before.Find(c.User); was && c.User != j.committer.User && !j.admin {
			return refuse("leaves", "a device is brought in by somebody else who is no admin")
		}
	}
	return nil
}

// accept is the acceptance of one leaf.
func (j *judgement) accept(leaf *mls.LeafNode) (identity.Credential, error) {
	c, err := CredentialOf(leaf)
	if err != nil {
		return c, err
	}
	k, ok := j.known[c.User]
	if !ok {
		return c, refuse("leaves", "a device of somebody who does not participate")
	}
	if err := identity.AcceptLeaf(k.view, c, uint16(Suite), leaf.SignatureKey); err != nil {
		return c, refuse("leaves", "%v", err)
	}
	return c, nil
}

func (j *judgement) checkUpdated() error {
	for _, m := range j.commit.Updated {
		if sameKey(m.Old, m.New) {
			continue
		}
		old, err := CredentialOf(m.Old)
		if err != nil {
			return err
		}
		c, err := j.accept(m.New)
		if err != nil {
			return err
		}
		if c.User != old.User || c.Device != old.Device {
			return refuse("leaves", "a leaf is handed to another device")
		}
	}
	return nil
}

// checkRemoved checks who may take a device out: its owner, itself, the server
// by a proposal, an admin of a group, or anyone once its owner's log no longer
// lets it stay. One that lets itself in takes the place of its own former leaf,
// or of a device that its person has lost and removed: else who has lost the
// only device of a room would wait for others to let the new one in, and in a
// room of their own for ever.
func (j *judgement) checkRemoved() error {
	for _, m := range j.commit.Removed {
		c, err := CredentialOf(m.Old)
		if err != nil {
			return err
		}
		k, known := j.known[c.User]
		switch own := c.User == j.committer.User; {
		case m.SelfRemoved, m.By.Type == mls.SenderExternal:
		case j.commit.External && own && (c.Device == j.committer.Device || known && !k.stands(c)):
		case j.commit.External:
			return refuse("leaves", "a device that lets itself in takes another out")
		case own, j.admin && j.after.Kind == Group:
		case known && !k.stands(c):
		default:
			return refuse("leaves", "a device is taken out by somebody who may not")
		}
	}
	return nil
}

// checkLeaves checks the leaves that stay, where a pin moved or a person went:
// no leaf without a participant, no leaf that its owner's log took back.
func (j *judgement) checkLeaves() error {
	if len(j.raised) == 0 && len(j.removed) == 0 {
		return nil
	}
	for _, leaf := range j.commit.Members() {
		c, err := CredentialOf(leaf)
		if err != nil {
			return err
		}
		if j.removed[c.User] {
			return refuse("people", "somebody is taken out and a device of theirs stays")
		}
		if j.raised[c.User] && !j.known[c.User].stands(c) {
			return refuse("pins", "a device stays that its owner removed")
		}
	}
	return nil
}
