package room

import (
	"bytes"
	"fmt"
	"slices"

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

// AppData gives a component's next state.
func (Rules) AppData(c mls.ComponentID, state []byte, updates [][]byte) ([]byte, error) {
	switch c {
	case ComponentParticipants:
		p, err := ParseParticipants(state)
		if err != nil {
			return nil, err
		}
		for _, u := range updates {
			change, err := ParseChange(u)
			if err != nil {
				return nil, refuse("participants", "%v", err)
			}
			if p, err = p.Apply(change); err != nil {
				return nil, refuse("participants", "%v", err)
			}
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
func (Rules) Proposal(p *mls.ProposalView) error {
	switch p.Proposal.(type) {
	case *mls.SelfRemove:
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

// Commit judges a commit.
func (r Rules) Commit(c *mls.CommitView) error {
	j := &judgement{commit: c, views: map[identity.UserID]identity.View{}}
	for _, step := range []func() error{
		j.checkProposals, j.readContexts, j.readCommitter,
		func() error { return j.openViews(r.Logs) },
		j.checkPeople, j.checkState, j.checkAdded, j.checkUpdated, j.checkRemoved, j.checkLeaves,
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
	admin         bool // the committer may do what admins may
	views         map[identity.UserID]identity.View
	raised        map[identity.UserID]bool // pins that moved
	removed       map[identity.UserID]bool // people taken out
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
		return err
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

// openViews opens the device log at the pin after the commit of everyone whom
// the commit touches.
func (j *judgement) openViews(logs LogSource) error {
	j.raised, j.removed = map[identity.UserID]bool{}, map[identity.UserID]bool{}
	touched := map[identity.UserID]bool{}
	for _, q := range j.after.List {
		if old, _ := j.before.Find(q.User); old.Pin != q.Pin {
			j.raised[q.User], touched[q.User] = true, true
		}
	}
	for _, q := range j.before.List {
		if _, stays := j.after.Find(q.User); !stays {
			j.removed[q.User] = true
		}
	}
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
	var missing MissingLogsError
	for u := range touched {
		q, ok := j.after.Find(u)
		if !ok {
			continue
		}
		log := logs(u)
		if log == nil || log.Length() < q.Pin.Length {
			missing.Needs = append(missing.Needs, LogNeed{u, q.Pin})
			continue
		}
		v, err := log.View(q.Pin)
		if err != nil {
			return refuse("pins", "%v", err)
		}
		old, _ := j.before.Find(u)
		if err := v.Extends(old.Pin); err != nil {
			return refuse("pins", "%v", err)
		}
		j.views[u] = v
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
	limit := map[Kind]int{Group: MaxParticipants, Direct: 2, Self: 1}[j.after.Kind]
	if len(j.after.List) > limit {
		return refuse("people", "%d people are too many for this kind of room", len(j.after.List))
	}
	for _, q := range j.after.List {
		old, was := j.before.Find(q.User)
		switch {
		case !was && !j.admin:
			return refuse("people", "only an admin brings somebody in")
		case !was && !j.brings(q.User):
			return refuse("people", "somebody is brought in without a device")
		case was && old.Role != q.Role && (!j.admin || j.after.Kind != Group):
			return refuse("people", "only an admin changes roles")
		case was && old.Pin != q.Pin && j.commit.External && q.User != j.committer.User:
			return refuse("pins", "a device that lets itself in moves somebody else's pin")
		}
	}
	for u := range j.removed {
		if j.left(u) {
			continue
		}
		if !j.admin || j.after.Kind != Group {
			return refuse("people", "only an admin takes somebody out")
		}
	}
	return j.checkLeavers()
}

func (j *judgement) brings(u identity.UserID) bool {
	return slices.ContainsFunc(j.commit.Added, func(m mls.MemberChange) bool {
		c, err := CredentialOf(m.New)
		return err == nil && c.User == u
	})
}

// left reports whether the person took their own last device out, which is how
// a person leaves a room.
func (j *judgement) left(u identity.UserID) bool {
	gone := false
	for _, m := range j.commit.Removed {
		c, err := CredentialOf(m.Old)
		gone = gone || err == nil && c.User == u && m.SelfRemoved
	}
	return gone && !j.present(u)
}

func (j *judgement) present(u identity.UserID) bool {
	for _, leaf := range j.commit.Members() {
		if c, err := CredentialOf(leaf); err == nil && c.User == u {
			return true
		}
	}
	return false
}

// checkLeavers checks that who left is no longer a participant.
func (j *judgement) checkLeavers() error {
	for _, m := range j.commit.Removed {
		if !m.SelfRemoved {
			continue
		}
		c, err := CredentialOf(m.Old)
		if err != nil {
			return err
		}
		if _, stays := j.after.Find(c.User); stays && j.left(c.User) {
			return refuse("people", "somebody left and is kept as a participant")
		}
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
	v, ok := j.views[c.User]
	if !ok {
		return c, refuse("leaves", "a device of somebody who does not participate")
	}
	if err := identity.AcceptLeaf(v, c, uint16(Suite), leaf.SignatureKey); err != nil {
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

// checkRemoved checks who may take a device out: its owner, an admin, itself,
// the server by a proposal, or anyone once its owner's log has removed it.
func (j *judgement) checkRemoved() error {
	for _, m := range j.commit.Removed {
		c, err := CredentialOf(m.Old)
		if err != nil {
			return err
		}
		v, known := j.views[c.User]
		switch {
		case m.SelfRemoved, m.By.Type == mls.SenderExternal:
		case j.commit.External && c.Device == j.committer.Device: // resync
		case j.commit.External:
			return refuse("leaves", "a device that lets itself in takes another out")
		case c.User == j.committer.User, j.admin:
		case known && !v.Active(c.Device):
		default:
			return refuse("leaves", "a device is taken out by somebody who may not")
		}
	}
	return nil
}

// checkLeaves checks the leaves that stay, where a pin moved or a person went:
// no leaf without a participant, no leaf of a device that its owner removed.
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
		if j.raised[c.User] && !j.views[c.User].Active(c.Device) {
			return refuse("pins", "a device stays that its owner removed")
		}
	}
	return nil
}
