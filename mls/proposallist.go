package mls

import (
	"bytes"
	"fmt"
	"time"
)

// Which proposals are valid, each by itself (RFC 9420, Section 12.1) and
// together (Section 12.2).

// checkSender checks who may send a proposal by itself
// (RFC 9420, Sections 12.1.6 and 12.1.8; draft-ietf-mls-extensions, SelfRemove).
func (v *ProposalView) checkSender() error {
	t := v.Proposal.Type()
	switch v.Sender.Type {
	case SenderMember:
		if t == ProposalExternalInit {
			return invalid("12.1.6", "external init outside an external commit")
		}
	case SenderExternal:
		switch t {
		case ProposalUpdate, ProposalExternalInit, ProposalSelfRemove:
			return invalid("12.1.8", "proposal type %d from an external sender", t)
		}
		if t.isCustom() {
			return invalid("12.1.8", "custom type %#04x is not for external senders", uint16(t))
		}
	case SenderNewMemberProposal:
		if t != ProposalAdd {
			return invalid("12.1.8", "proposal type %d from a new member", t)
		}
	case SenderNewMemberCommit:
		if v.ByReference {
			return invalid("12.4.3.2", "a joiner's proposal outside its commit")
		}
	}
	if t == ProposalSelfRemove {
		switch {
		case !v.ByReference:
			return invalid("draft-ietf-mls-extensions SelfRemove", "self remove inside a commit")
		case v.format != FormatPublicMessage:
			return invalid("draft-ietf-mls-extensions SelfRemove", "self remove outside a public message")
		}
	}
	return nil
}

// checkProposal checks a proposal by itself against the present group
// (RFC 9420, Section 12.1). What depends on the other proposals of a commit
// is checked when it is applied. The zero time checks no lifetime.
func (p *PublicGroup) checkProposal(v *ProposalView, now time.Time) error {
	if err := v.checkSender(); err != nil {
		return err
	}
	switch q := v.Proposal.(type) {
	case *Add:
		return p.checkAdd(q, now)
	case *Update:
		return p.checkUpdate(v.Sender.leaf(), q, now)
	case *Remove:
		if p.tree.leaf(q.Removed) == nil {
			return invalid("12.1.3", "remove names leaf %d, which is blank", q.Removed)
		}
	case *PreSharedKey:
		return p.checkPSK(&q.ID)
	case *ReInit:
		if q.Version < p.ctx.Version {
			return invalid("12.1.5", "reinit to an older protocol version")
		}
	case *GroupContextExtensions:
		if err := p.checkNewExtensions(q.Extensions); err != nil {
			return err
		}
		return p.cfg.checkSenders(p.ctx.Extensions, q.Extensions, now)
	case *AppEphemeral:
		return p.checkEphemeral(q)
	case *CustomProposal:
		if !q.Kind.isCustom() || p.cfg.Rules == nil {
			return invalid("13.2", "custom proposal type %#04x is not known here", uint16(q.Kind))
		}
	}
	return nil
}

// checkEphemeral is AppEphemeral of draft-ietf-mls-extensions.
func (p *PublicGroup) checkEphemeral(q *AppEphemeral) error {
	rules, ok := p.cfg.Rules.(EphemeralRules)
	if !ok {
		return invalid("draft-ietf-mls-extensions AppEphemeral", "component %#04x is not known here", q.Component)
	}
	if err := rules.AppEphemeral(q.Component, q.Data); err != nil {
		return fmt.Errorf("app ephemeral of component %#04x: %w", q.Component, err)
	}
	return nil
}

// checkAdd is RFC 9420, Section 10.1.
func (p *PublicGroup) checkAdd(a *Add, now time.Time) error {
	if a.KeyPackage.CipherSuite != p.s.id || a.KeyPackage.Version != p.ctx.Version {
		return invalid("10.1", "key package is for another cipher suite or version")
	}
	if err := a.KeyPackage.verify(p.s); err != nil {
		return err
	}
	if !now.IsZero() && !a.KeyPackage.Leaf.Lifetime.contains(now) {
		return invalid("7.3", "key package is outside its lifetime")
	}
	if l, most := a.KeyPackage.Leaf.Lifetime, p.cfg.MaxLifetime; most > 0 && l.NotAfter-l.NotBefore > uint64(most/time.Second) {
		return invalid("7.2", "lifetime of the key package is longer than %v", most)
	}
	if err := a.KeyPackage.Leaf.checkAlone(p.s); err != nil {
		return err
	}
	return p.cfg.checkCredential(nil, a.KeyPackage.Leaf, now)
}

// checkUpdate is RFC 9420, Sections 12.1.2 and 7.3.
func (p *PublicGroup) checkUpdate(sender LeafIndex, u *Update, now time.Time) error {
	old := p.tree.leaf(sender)
	switch {
	case old == nil:
		return invalid("12.1.2", "update from leaf %d, which is blank", sender)
	case u.Leaf.Source != LeafFromUpdate:
		return invalid("7.3", "leaf node of an update has source %d", u.Leaf.Source)
	case bytes.Equal(old.EncryptionKey, u.Leaf.EncryptionKey):
		return invalid("7.3", "update keeps the encryption key")
	}
	if err := u.Leaf.verify(p.s, p.ctx.GroupID, sender); err != nil {
		return err
	}
	if err := u.Leaf.checkAlone(p.s); err != nil {
		return err
	}
	return p.cfg.checkCredential(old, u.Leaf, now)
}

// checkPSK is RFC 9420, Section 12.1.4. The first commit of a group is where
// re-initialisation and branching happen.
func (p *PublicGroup) checkPSK(id *PreSharedKeyID) error {
	if len(id.Nonce) != p.s.nh {
		return invalid("12.1.4", "psk_nonce has %d octets", len(id.Nonce))
	}
	if id.Type != PSKResumption {
		return nil
	}
	switch id.Usage {
	case ResumptionApplication:
		return nil
	case ResumptionReInit, ResumptionBranch:
		if p.ctx.Epoch == 0 {
			return nil
		}
		return invalid("12.1.4", "resumption PSK for reinit or branch in a running group")
	}
	return invalid("8.4", "unknown resumption PSK usage %d", id.Usage)
}

// checkNewExtensions is RFC 9420, Section 12.1.7, and what
// draft-ietf-mls-extensions adds: where all members support AppDataUpdate, the
// dictionary changes by nothing else.
func (p *PublicGroup) checkNewExtensions(ext Extensions) error {
	if err := checkGroupExtensions(ext); err != nil {
		return err
	}
	demands, err := demandsOf(p.ctx.Extensions)
	if err != nil {
		return err
	}
	for _, t := range demands.required.Proposals {
		if t != ProposalAppDataUpdate {
			continue
		}
		before, had := p.ctx.Extensions.Find(ExtensionAppDataDictionary)
		after, has := ext.Find(ExtensionAppDataDictionary)
		if had != has || !bytes.Equal(before, after) {
			return invalid("draft-ietf-mls-extensions AppDataUpdate", "group context extensions change the app data dictionary")
		}
	}
	return nil
}

// proposalList collects the proposals of one commit and refuses, one at a
// time, what cannot stand beside those it has (RFC 9420, Section 12.2). It
// serves three times: to check a received list, to choose among the pending
// proposals, and to tell whether a commit could have included one it left out.
type proposalList struct {
	committer Sender
	items     []ProposalView

	leaves     map[LeafIndex]bool   // updated, or removed if true
	added      map[string]bool      // signature keys
	psks       map[string]bool      // encoded ids
	components map[ComponentID]bool // true if removed
	count      map[ProposalType]int
}

func newProposalList(committer Sender) *proposalList {
	return &proposalList{
		committer:  committer,
		leaves:     map[LeafIndex]bool{},
		added:      map[string]bool{},
		psks:       map[string]bool{},
		components: map[ComponentID]bool{},
		count:      map[ProposalType]int{},
	}
}

func (l *proposalList) add(v ProposalView) error {
	check := l.admitsMember
	if l.committer.Type == SenderNewMemberCommit {
		check = l.admitsJoiner
	}
	if err := check(&v); err != nil {
		return err
	}
	if err := l.admitsBeside(&v); err != nil {
		return err
	}
	l.note(&v)
	return nil
}

// admitsMember is the part of RFC 9420, Section 12.2, that concerns a member's
// commit alone.
func (l *proposalList) admitsMember(v *ProposalView) error {
	if l.count[ProposalReInit] > 0 || v.Proposal.Type() == ProposalReInit && len(l.items) > 0 {
		return invalid("12.2", "reinit together with another proposal")
	}
	switch q := v.Proposal.(type) {
	case *ExternalInit:
		return invalid("12.2", "external init in a member's commit")
	case *Update:
		if v.Sender.leaf() == l.committer.leaf() {
			return invalid("12.2", "update by the committer")
		}
	case *Remove:
		if q.Removed == l.committer.leaf() {
			return invalid("12.2", "remove of the committer")
		}
	case *SelfRemove:
		if v.Sender.leaf() == l.committer.leaf() {
			return invalid("draft-ietf-mls-extensions SelfRemove", "self remove of the committer")
		}
	}
	return nil
}

// admitsJoiner lists what an external commit may hold: RFC 9420, Sections 12.2
// and 12.4.3.2, and what draft-ietf-mls-extensions adds.
func (l *proposalList) admitsJoiner(v *ProposalView) error {
	t := v.Proposal.Type()
	if v.ByReference != (t == ProposalSelfRemove) {
		return invalid("12.4.3.2", "external commit with proposal type %d, by reference: %t", t, v.ByReference)
	}
	switch t {
	case ProposalExternalInit, ProposalRemove:
		if l.count[t] > 0 {
			return invalid("12.2", "external commit with more than one proposal of type %d", t)
		}
		return nil
	case ProposalPSK, ProposalAppDataUpdate, ProposalAppEphemeral, ProposalSelfRemove:
		return nil
	}
	return invalid("12.2", "external commit with proposal type %d", t)
}

func (l *proposalList) admitsBeside(v *ProposalView) error {
	if leaf, ok := v.changedLeaf(); ok && l.changes(leaf) {
		return invalid("12.2", "more than one update or remove for leaf %d", leaf)
	}
	switch q := v.Proposal.(type) {
	case *Add:
		if l.added[string(q.KeyPackage.Leaf.SignatureKey)] {
			return invalid("12.2", "the same client is added twice")
		}
	case *PreSharedKey:
		if l.psks[string(q.ID.appendTo(nil))] {
			return invalid("12.2", "the same PSK twice")
		}
	case *GroupContextExtensions:
		if l.count[ProposalGroupContextExtensions] > 0 {
			return invalid("12.2", "more than one group context extensions")
		}
	case *AppDataUpdate:
		removed, seen := l.components[q.Component]
		if seen && (removed || q.Removes) {
			return invalid("draft-ietf-mls-extensions AppDataUpdate", "component %#04x is removed beside another change of it", q.Component)
		}
	}
	return nil
}

func (l *proposalList) changes(i LeafIndex) bool {
	_, ok := l.leaves[i]
	return ok
}

func (l *proposalList) note(v *ProposalView) {
	l.items = append(l.items, *v)
	l.count[v.Proposal.Type()]++
	if leaf, ok := v.changedLeaf(); ok {
		l.leaves[leaf] = v.Proposal.Type() != ProposalUpdate
	}
	switch q := v.Proposal.(type) {
	case *Add:
		l.added[string(q.KeyPackage.Leaf.SignatureKey)] = true
	case *PreSharedKey:
		l.psks[string(q.ID.appendTo(nil))] = true
	case *AppDataUpdate:
		l.components[q.Component] = q.Removes
	}
}

// changedLeaf is the leaf that an Update, Remove or SelfRemove applies to.
func (v *ProposalView) changedLeaf() (LeafIndex, bool) {
	switch q := v.Proposal.(type) {
	case *Update, *SelfRemove:
		return v.Sender.leaf(), true
	case *Remove:
		return q.Removed, true
	}
	return 0, false
}

// pathRequired is RFC 9420, Section 12.4; SelfRemove and custom proposals need
// a path too, AppDataUpdate and AppEphemeral none.
func (l *proposalList) pathRequired() bool {
	for t, n := range l.count {
		switch t {
		case ProposalAdd, ProposalPSK, ProposalReInit, ProposalAppDataUpdate, ProposalAppEphemeral:
		default:
			if n > 0 {
				return true
			}
		}
	}
	return len(l.items) == 0
}
