package mls

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"time"
)

// PublicGroup follows a group without its secrets: it checks proposals and
// commits as a member does, but for membership tags, confirmation tags and
// what is encrypted. Start with [NewPublicGroup] or [LoadPublicGroup].
type PublicGroup struct {
	cfg Config
	s   *suite

	ctx             *GroupContext // a new one each epoch: views keep it
	encoded         []byte        // ctx on the wire
	tree            *tree
	interim         []byte // interim transcript hash
	confirmationTag []byte
	pending         pendingSet
	reinit          *ReInit // the group ended with it
	safeAAD         bool    // authenticated data is framed by component

	unsaved changes
}

// NewPublicGroup starts to follow a group from a GroupInfo that one of its
// members signed. tree is nil when the GroupInfo holds the ratchet tree. That
// the signer is who the application takes it for is the application's to
// judge. now is for its [Authority] alone.
func NewPublicGroup(cfg Config, gi *GroupInfo, tree []byte, now time.Time) (*PublicGroup, error) {
	s, err := gi.Context.CipherSuite.suite()
	if err != nil {
		return nil, err
	}
	if gi.Context.Version != versionMLS10 {
		return nil, invalid("8.1", "group is of protocol version %d", gi.Context.Version)
	}
	t, err := receiveTree(s, gi, tree, cfg.maxMembers())
	if err != nil {
		return nil, err
	}
	if err := checkReceivedContext(s, gi, t); err != nil {
		return nil, err
	}
	if err := cfg.checkEveryone(t, gi.Context.Extensions, now); err != nil {
		return nil, err
	}
	p := &PublicGroup{cfg: cfg, s: s, tree: t}
	p.setEpoch(&gi.Context, interimTranscriptHash(s, gi.Context.ConfirmedTranscriptHash, gi.ConfirmationTag), gi.ConfirmationTag)
	p.unsaved.everything(p)
	return p, nil
}

// receiveTree reads and verifies the tree that goes with a GroupInfo, and the
// GroupInfo's signature (RFC 9420, Section 12.4.3.1).
func receiveTree(s *suite, gi *GroupInfo, encoded []byte, maxMembers int) (*tree, error) {
	if encoded == nil {
		var ok bool
		if encoded, ok = gi.Extensions.Find(ExtensionRatchetTree); !ok {
			return nil, errors.New("mls: the ratchet tree is neither in the group info nor given")
		}
	}
	t, err := parseTree(encoded)
	if err != nil {
		return nil, err
	}
	if n := t.memberCount(); n > maxMembers {
		return nil, fmt.Errorf("mls: group has %d members; the limit is %d", n, maxMembers)
	}
	signer := t.leaf(gi.Signer)
	if signer == nil {
		return nil, invalid("12.4.3.1", "group info is signed by leaf %d, which is blank", gi.Signer)
	}
	if err := gi.verify(s, signer.SignatureKey); err != nil {
		return nil, err
	}
	return t, t.verify(s, gi.Context.GroupID, gi.Context.TreeHash)
}

// checkReceivedContext checks every member against the group's extensions
// (RFC 9420, Sections 7.3 and 13.4).
func checkReceivedContext(s *suite, gi *GroupInfo, t *tree) error {
	if err := checkGroupExtensions(gi.Context.Extensions); err != nil {
		return err
	}
	demands, err := demandsOf(gi.Context.Extensions)
	if err != nil {
		return err
	}
	for _, l := range t.leaves() {
		if err := l.checkSuite(s); err != nil {
			return err
		}
		if err := demands.check(l); err != nil {
			return err
		}
	}
	return nil
}

func (p *PublicGroup) setEpoch(ctx *GroupContext, interim, tag []byte) {
	p.ctx, p.encoded = ctx, ctx.appendTo(nil)
	p.interim, p.confirmationTag = interim, tag
	p.safeAAD = ctx.framesAAD()
}

// Context is what the members of the present epoch agree on.
func (p *PublicGroup) Context() *GroupContext { return p.ctx }

// ConfirmationTag is that of the commit that began the epoch.
func (p *PublicGroup) ConfirmationTag() []byte { return p.confirmationTag }

// Member gives the member at a leaf, nil if there is none.
func (p *PublicGroup) Member(i LeafIndex) *LeafNode { return p.tree.leaf(i) }

// MemberCount gives the number of members.
func (p *PublicGroup) MemberCount() int { return p.tree.memberCount() }

// Members iterates over the members from the left of the tree.
func (p *PublicGroup) Members() iter.Seq2[LeafIndex, *LeafNode] { return p.tree.leaves() }

// Tree gives the ratchet tree as the ratchet_tree extension holds it, for
// those who join.
func (p *PublicGroup) Tree() []byte { return p.tree.appendTo(nil) }

// Pending gives the valid proposals of the epoch in the order they came.
func (p *PublicGroup) Pending() []ProposalView {
	out := make([]ProposalView, 0, p.pending.len())
	for v := range p.pending.all() {
		out = append(out, *v)
	}
	return out
}

// ReInit gives the proposal that ended the group, nil while it runs.
func (p *PublicGroup) ReInit() *ReInit { return p.reinit }

// Process checks a public message: a proposal, which is pending when Process
// returns, or a commit, which changes nothing until [PublicGroup.Merge]. On
// error nothing has changed. now is when the message is taken into the group's
// order, the server's stamp where a log is replayed; the zero time checks no
// lifetimes. A private message gives [ErrMembersOnly]: see
// [PublicGroup.CheckApplication].
func (p *PublicGroup) Process(m *Message, now time.Time) (Event, error) {
	if err := p.checkAddress(m); err != nil {
		return nil, err
	}
	if m.private != nil {
		return nil, ErrMembersOnly
	}
	ac := m.public.authenticated()
	if err := p.authenticate(ac); err != nil {
		return nil, err
	}
	if ac.content.contentType == ContentProposal {
		return event(p.receiveProposal(ac, now))
	}
	t, err := p.receiveCommit(ac, now)
	if err != nil {
		return nil, err
	}
	return t.stage(ac, now).confirm(ac.auth.confirmationTag), nil
}

// CheckApplication checks what can be seen from outside of a private message
// that claims to be application data: that it is for this group and epoch, and
// that no proposal is pending (RFC 9420, Section 12.4).
func (p *PublicGroup) CheckApplication(m *Message) error {
	if err := p.checkAddress(m); err != nil {
		return err
	}
	if m.private == nil || m.private.contentType != ContentApplication {
		return ErrNotForGroup
	}
	if p.pending.len() > 0 {
		return ErrPendingProposals
	}
	return nil
}

// checkAddress checks that a message is for this group as it is now
// (RFC 9420, Sections 12.1 and 12.4.2).
func (p *PublicGroup) checkAddress(m *Message) error {
	id, epoch, content, ok := m.Group()
	switch {
	case !ok || !bytes.Equal(id, p.ctx.GroupID):
		return ErrNotForGroup
	case epoch != p.ctx.Epoch:
		return &EpochError{Have: p.ctx.Epoch, Got: epoch}
	case p.reinit != nil:
		return ErrClosed
	case m.public != nil && content == ContentApplication:
		return invalid("6.2", "application data in a public message")
	}
	return nil
}

// authenticate verifies the signature over framed content
// (RFC 9420, Section 6.1).
func (p *PublicGroup) authenticate(ac *authenticatedContent) error {
	return p.authenticateContent(ac.content, ac.format, ac.auth.signature)
}

func (p *PublicGroup) authenticateContent(c *framedContent, format WireFormat, signature []byte) error {
	key, err := p.signatureKeyOf(c)
	if err != nil {
		return err
	}
	if err := c.verify(p.s, format, signature, key, p.encoded); err != nil {
		return err
	}
	return checkSafeAAD(p.safeAAD, c.authenticatedData)
}

func (p *PublicGroup) signatureKeyOf(c *framedContent) ([]byte, error) {
	switch c.sender.Type {
	case SenderMember:
		if l := p.tree.leaf(c.sender.leaf()); l != nil {
			return l.SignatureKey, nil
		}
		return nil, invalid("6.1", "message from leaf %d, which is blank", c.sender.Index)
	case SenderExternal:
		if c.contentType != ContentProposal {
			return nil, invalid("6", "external sender sends something other than a proposal")
		}
		return p.externalSenderKey(c.sender.Index)
	case SenderNewMemberProposal:
		if add, ok := c.proposal.(*Add); ok && c.contentType == ContentProposal {
			return add.KeyPackage.Leaf.SignatureKey, nil
		}
		return nil, invalid("12.1.8", "new member proposes something other than to be added")
	}
	if c.contentType != ContentCommit || c.commit.path == nil {
		return nil, invalid("12.4.3.2", "joiner sends something other than a commit with a path")
	}
	return c.commit.path.leaf.SignatureKey, nil
}

// externalSenderKey is RFC 9420, Section 12.1.8.1.
func (p *PublicGroup) externalSenderKey(index uint32) ([]byte, error) {
	b, ok := p.ctx.Extensions.Find(ExtensionExternalSenders)
	if !ok {
		return nil, invalid("12.1.8", "group has no external senders")
	}
	senders, err := parseExternalSenders(b)
	if err != nil {
		return nil, err
	}
	if uint64(index) >= uint64(len(senders)) {
		return nil, invalid("12.1.8.1", "external sender %d of %d", index, len(senders))
	}
	return senders[index].SignatureKey, nil
}

// receiveProposal takes an authentic proposal among the pending ones
// (RFC 9420, Section 12.1).
func (p *PublicGroup) receiveProposal(ac *authenticatedContent, now time.Time) (*ProposalReceived, error) {
	v, err := p.viewOf(ac)
	if err != nil {
		return nil, err
	}
	if err := p.checkProposal(v, now); err != nil {
		return nil, err
	}
	if err := p.pending.checkOnlySelfRemove(v); err != nil {
		return nil, err
	}
	if err := p.checkCommittable(v); err != nil {
		return nil, err
	}
	if p.cfg.Rules != nil {
		if err := p.cfg.Rules.Proposal(v); err != nil {
			return nil, fmt.Errorf("proposal refused: %w", err)
		}
	}
	if err := p.pending.add(&pendingProposal{view: *v, encoded: marshal(ac)}); err != nil {
		return nil, err
	}
	p.unsaved.proposal(v.Ref)
	return &ProposalReceived{View: *v}, nil
}

func (p *PublicGroup) viewOf(ac *authenticatedContent) (*ProposalView, error) {
	c := ac.content
	v := &ProposalView{
		Proposal:          c.proposal,
		Sender:            c.sender,
		ByReference:       true,
		Ref:               ac.proposalRef(p.s),
		AuthenticatedData: c.authenticatedData,
		Context:           p.ctx,
		format:            ac.format,
	}
	switch c.sender.Type {
	case SenderMember:
		v.Leaf = p.tree.leaf(c.sender.leaf())
	case SenderNewMemberProposal:
		v.Leaf = c.proposal.(*Add).KeyPackage.Leaf // signatureKeyOf made sure of it
	}
	return v, nil
}

// checkCommittable refuses, where nothing pending may be left out of a commit,
// what no commit could include.
func (p *PublicGroup) checkCommittable(v *ProposalView) error {
	if !p.cfg.StrictPending {
		return nil
	}
	l := newProposalList(Sender{Type: SenderMember, Index: noLeaf})
	if err := l.add(*v); err != nil {
		return err
	}
	t, err := p.apply(l, nil)
	if err != nil {
		return err
	}
	if t.tree.memberCount() == 0 {
		return invalid("12.2", "proposal removes the last member")
	}
	return t.checkMembers()
}

// noLeaf is no member's index: trees are far smaller.
const noLeaf = 1<<32 - 1

// receiveCommit checks an authentic commit and applies it to a copy of the
// public state (RFC 9420, Section 12.4.2).
func (p *PublicGroup) receiveCommit(ac *authenticatedContent, now time.Time) (*transition, error) {
	c := ac.content.commit
	leaf := p.tree.leaf(ac.content.sender.leaf())
	if ac.content.sender.Type == SenderNewMemberCommit {
		leaf = c.path.leaf // signatureKeyOf made sure of it
		if ac.format != FormatPublicMessage {
			return nil, invalid("12.4.3.2", "external commit outside a public message")
		}
	}
	l, err := p.resolve(c, ac.content.sender, leaf, now)
	if err != nil {
		return nil, err
	}
	t, err := p.apply(l, leaf)
	if err != nil {
		return nil, err
	}
	t.now = now
	t.view.AuthenticatedData = ac.content.authenticatedData
	if err := t.checkPathPresence(c.path); err != nil {
		return nil, err
	}
	if c.path != nil {
		if err := t.applyPath(c.path); err != nil {
			return nil, err
		}
	}
	if err := t.finish(); err != nil {
		return nil, err
	}
	return t, p.checkNothingOmitted(l)
}

// Merge makes a staged commit the group's present state.
func (p *PublicGroup) Merge(s *StagedCommit) error {
	if err := p.checkStaged(s); err != nil {
		return err
	}
	p.advance(s)
	return nil
}

func (p *PublicGroup) checkStaged(s *StagedCommit) error {
	if s.from != p.ctx.Epoch || !bytes.Equal(s.before, p.encoded) {
		return ErrStale
	}
	return nil
}

func (p *PublicGroup) advance(s *StagedCommit) {
	p.unsaved.epoch(p, s.tree)
	p.tree.merge(s.tree)
	p.setEpoch(s.ctx, s.interim, s.confirmationTag)
	p.pending = pendingSet{}
	p.reinit = s.view.ReInit
}
