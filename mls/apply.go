package mls

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// What a commit makes of a group: RFC 9420, Sections 12.3 and 12.4.2, the part
// that needs no secrets. Members and servers, committers and receivers all go
// through here.

// transition is the public state on its way from one epoch to the next.
type transition struct {
	from      *PublicGroup
	list      *proposalList
	committer Sender // its index is the leaf, for an external commit too
	tree      *tree
	ctx       GroupContext // provisional: the tree hash comes last, the transcript hash is the old one
	joiners   []joiner
	psks      []PreSharedKeyID
	view      *CommitView
	now       time.Time // for the application's Authority

	fresh   map[LeafIndex]bool // leaves this commit puts into the tree
	exclude map[LeafIndex]bool // leaves it adds: its path is not encrypted to them
}

type joiner struct {
	leaf LeafIndex
	kp   *KeyPackage
}

// resolve looks up what a received commit refers to, and checks the list
// (RFC 9420, Section 12.2).
func (p *PublicGroup) resolve(c *commit, committer Sender, leaf *LeafNode, now time.Time) (*proposalList, error) {
	l := newProposalList(committer)
	var inline []*ProposalView
	for _, item := range c.proposals {
		v, err := p.resolveOne(item, committer, leaf)
		if err != nil {
			return nil, err
		}
		if !v.ByReference {
			inline = append(inline, v)
		}
		if err := l.add(*v); err != nil {
			return nil, err
		}
	}
	if err := inParallel(len(inline), func(i int) error { return p.checkProposal(inline[i], now) }); err != nil {
		return nil, err
	}
	if committer.Type == SenderNewMemberCommit && l.count[ProposalExternalInit] != 1 {
		return nil, invalid("12.2", "external commit without external init")
	}
	return l, nil
}

func (p *PublicGroup) resolveOne(item proposalOrRef, committer Sender, leaf *LeafNode) (*ProposalView, error) {
	if item.proposal != nil {
		return &ProposalView{Proposal: item.proposal, Sender: committer, Leaf: leaf, Context: p.ctx}, nil
	}
	v, ok := p.pending.find(item.ref)
	if !ok {
		return nil, invalid("12.4", "commit refers to a proposal that is not pending")
	}
	return v, nil
}

// checkNothingOmitted keeps [Config.StrictPending].
func (p *PublicGroup) checkNothingOmitted(l *proposalList) error {
	if !p.cfg.StrictPending || p.pending.len() == 0 {
		return nil
	}
	included := make(map[string]bool, len(l.items))
	for i := range l.items {
		included[string(l.items[i].Ref)] = true
	}
	for v := range p.pending.all() {
		if included[string(v.Ref)] {
			continue
		}
		leaf, changes := v.changedLeaf()
		_, updates := v.Proposal.(*Update)
		if changes && !updates && l.committer.Type == SenderMember && leaf == l.committer.leaf() {
			return invalid("12.4", "commit by a member whose removal is pending")
		}
		if l.add(*v) == nil {
			return invalid("12.4", "commit leaves out a pending proposal")
		}
	}
	return nil
}

// apply makes the tree and extensions that a valid list asks for
// (RFC 9420, Section 12.3).
func (p *PublicGroup) apply(l *proposalList, committerLeaf *LeafNode) (*transition, error) {
	if p.ctx.Epoch == 1<<64-1 {
		return nil, errors.New("mls: the group is at its last epoch")
	}
	p.tree.hash(p.s) // into the cache that the fork shares
	t := &transition{
		from:      p,
		list:      l,
		committer: l.committer,
		tree:      p.tree.fork(),
		ctx:       *p.ctx,
		fresh:     map[LeafIndex]bool{},
		exclude:   map[LeafIndex]bool{},
	}
	t.ctx.Epoch++
	t.view = &CommitView{
		Committer:     l.committer,
		CommitterLeaf: committerLeaf,
		Before:        p.ctx,
		After:         &t.ctx,
		Proposals:     l.items,
		External:      l.committer.Type == SenderNewMemberCommit,
		Members:       func() iter.Seq2[LeafIndex, *LeafNode] { return t.tree.leaves() },
	}
	t.applyExtensions()
	t.applyUpdates()
	t.applyRemoves()
	if err := t.applyAdds(); err != nil {
		return nil, err
	}
	for _, v := range l.items {
		switch q := v.Proposal.(type) {
		case *PreSharedKey:
			t.psks = append(t.psks, q.ID)
		case *ReInit:
			t.view.ReInit = q
		}
	}
	if err := t.applyAppData(); err != nil {
		return nil, err
	}
	if t.view.External {
		if err := t.placeJoiner(); err != nil {
			return nil, err
		}
	}
	if len(t.fresh) > 0 {
		return t, t.tree.checkNewLeaves()
	}
	return t, nil
}

func (t *transition) applyExtensions() {
	for _, v := range t.list.items {
		if q, ok := v.Proposal.(*GroupContextExtensions); ok {
			t.ctx.Extensions = q.Extensions
		}
	}
}

func (t *transition) applyUpdates() {
	for _, v := range t.list.items {
		if q, ok := v.Proposal.(*Update); ok {
			i := v.Sender.leaf()
			t.view.Updated = append(t.view.Updated, MemberChange{Leaf: i, Old: t.tree.leaf(i), New: q.Leaf, By: v.Sender, ByReference: true})
			t.tree.replaceLeaf(i, q.Leaf)
			t.fresh[i] = true
		}
	}
}

func (t *transition) applyRemoves() {
	for _, v := range t.list.items {
		leaf, ok := v.changedLeaf()
		if _, update := v.Proposal.(*Update); !ok || update {
			continue
		}
		_, self := v.Proposal.(*SelfRemove)
		t.view.Removed = append(t.view.Removed, MemberChange{Leaf: leaf, Old: t.tree.leaf(leaf), By: v.Sender, ByReference: v.ByReference, SelfRemoved: self})
		t.tree.remove(leaf)
		t.view.Resync = t.view.Resync || t.view.External && !self
	}
}

func (t *transition) applyAdds() error {
	limit := t.from.cfg.maxMembers()
	for _, v := range t.list.items {
		q, ok := v.Proposal.(*Add)
		if !ok {
			continue
		}
		if t.tree.memberCount() >= limit {
			return fmt.Errorf("mls: commit adds members beyond the limit of %d", limit)
		}
		i := t.tree.add(q.KeyPackage.Leaf)
		t.fresh[i], t.exclude[i] = true, true
		t.joiners = append(t.joiners, joiner{i, q.KeyPackage})
		t.view.Added = append(t.view.Added, MemberChange{Leaf: i, New: q.KeyPackage.Leaf, By: v.Sender, ByReference: v.ByReference})
	}
	return nil
}

// placeJoiner gives one who joins by external commit its leaf: the path will
// fill it (RFC 9420, Section 12.4.2).
func (t *transition) placeJoiner() error {
	if limit := t.from.cfg.maxMembers(); t.tree.memberCount() >= limit {
		return fmt.Errorf("mls: commit adds a member beyond the limit of %d", limit)
	}
	t.committer.Index = uint32(t.tree.freeLeaf())
	t.view.Committer = t.committer
	for i := range t.view.Removed {
		if by := &t.view.Removed[i].By; by.Type == SenderNewMemberCommit {
			*by = t.committer // whose leaf was not known before
		}
	}
	return nil
}

// applyAppData is AppDataUpdate of draft-ietf-mls-extensions: after the RFC's
// proposals, by component, in commit order.
func (t *transition) applyAppData() error {
	var order []ComponentID
	updates := map[ComponentID][]*AppDataUpdate{}
	for _, v := range t.list.items {
		if q, ok := v.Proposal.(*AppDataUpdate); ok {
			if updates[q.Component] == nil {
				order = append(order, q.Component)
			}
			updates[q.Component] = append(updates[q.Component], q)
		}
	}
	if len(order) == 0 {
		return nil
	}
	data, err := t.ctx.AppData()
	if err != nil {
		return err
	}
	for _, c := range order {
		if err := t.updateComponent(data, c, updates[c]); err != nil {
			return err
		}
	}
	t.ctx.Extensions = t.ctx.Extensions.With(ExtensionAppDataDictionary, data.Extension().Data)
	return nil
}

func (t *transition) updateComponent(data AppData, c ComponentID, updates []*AppDataUpdate) error {
	const section = "draft-ietf-mls-extensions AppDataUpdate"
	state, has := data[c]
	if updates[0].Removes {
		if !has {
			return invalid(section, "component %#04x is removed but has no state", c)
		}
		delete(data, c)
		return nil
	}
	if t.from.cfg.Rules == nil {
		return invalid(section, "component %#04x is not known here", c)
	}
	list := make([][]byte, len(updates))
	for i, u := range updates {
		list[i] = u.Update
	}
	next, err := t.from.cfg.Rules.AppData(c, state, list)
	if err != nil {
		return fmt.Errorf("updating component %#04x: %w", c, err)
	}
	data[c] = next
	return nil
}

// checkPathPresence is RFC 9420, Section 12.4.
func (t *transition) checkPathPresence(path *updatePath) error {
	if path == nil && t.list.pathRequired() {
		return invalid("12.4", "commit has no path but needs one")
	}
	return nil
}

// applyPath checks a received path and puts its keys into the tree
// (RFC 9420, Section 12.4.2).
func (t *transition) applyPath(path *updatePath) error {
	p, leaf := t.from, path.leaf
	if leaf.Source != LeafFromCommit {
		return invalid("12.4.2", "leaf node of a path has source %d", leaf.Source)
	}
	if err := leaf.checkAlone(p.s); err != nil {
		return err
	}
	if err := leaf.verify(p.s, p.ctx.GroupID, t.committer.leaf()); err != nil {
		return err
	}
	// RFC 9420, Section 12.2: a leaf that replaces another by resync keeps the
	// rules of an Update.
	for _, r := range t.view.Removed {
		if t.view.External && bytes.Equal(r.Old.EncryptionKey, leaf.EncryptionKey) {
			return invalid("12.2", "external commit keeps the encryption key of the leaf it replaces")
		}
	}
	if err := t.tree.checkPathCiphertexts(t.committer.leaf(), path, t.exclude); err != nil {
		return err
	}
	if err := t.tree.applyPathKeys(p.s, t.committer.leaf(), path); err != nil {
		return err
	}
	return t.notePathLeaf()
}

// notePathLeaf enters the committer's new leaf into the view, and checks it
// against the others where it differs from the old one in more than keys.
func (t *transition) notePathLeaf() error {
	i := t.committer.leaf()
	leaf := t.tree.leaf(i)
	t.fresh[i] = true
	change := MemberChange{Leaf: i, Old: t.view.CommitterLeaf, New: leaf, By: t.committer}
	if t.view.External {
		change.Old = nil
		t.view.CommitterLeaf = leaf
		t.view.Added = append(t.view.Added, change)
		if err := t.checkCommitter(); err != nil {
			return err
		}
		return t.tree.checkCredentialTypes()
	}
	t.view.Updated = append(t.view.Updated, change)
	if err := t.checkCommitter(); err != nil {
		return err
	}
	if change.Old.Credential.Type == leaf.Credential.Type && slices.Equal(change.Old.Capabilities.Credentials, leaf.Capabilities.Credentials) {
		return nil
	}
	return t.tree.checkCredentialTypes()
}

// finish checks the whole that the parts have come to, and asks the
// application (RFC 9420, Sections 7.3 and 12.2).
func (t *transition) finish() error {
	if err := t.checkMembers(); err != nil {
		return err
	}
	t.ctx.TreeHash = t.tree.hash(t.from.s)
	if t.from.cfg.Rules == nil {
		return nil
	}
	if err := t.from.cfg.Rules.Commit(t.view); err != nil {
		return fmt.Errorf("commit refused: %w", err)
	}
	return nil
}

// checkMembers checks what the group asks of its members: of all if it asks
// something new, or else of those whose leaf is new.
func (t *transition) checkMembers() error {
	demands, err := demandsOf(t.ctx.Extensions)
	if err != nil {
		return err
	}
	if !sameDemands(t.from.ctx.Extensions, t.ctx.Extensions) {
		for _, l := range t.tree.leaves() {
			if err := demands.check(l); err != nil {
				return err
			}
		}
	} else {
		for i := range t.fresh {
			if err := demands.check(t.tree.leaf(i)); err != nil {
				return err
			}
		}
	}
	for kind := range t.list.count {
		if kind.isDefault() || slices.Contains(demands.required.Proposals, kind) {
			continue
		}
		if err := t.checkSupport(kind); err != nil {
			return err
		}
	}
	return nil
}

// checkSupport is RFC 9420, Section 12.2: whoever processes a commit supports
// the proposals in it. Those it adds or removes do not process it.
func (t *transition) checkSupport(kind ProposalType) error {
	for i, l := range t.tree.leaves() {
		if joins := t.view.External && i == t.committer.leaf(); joins || t.exclude[i] {
			continue
		}
		if !l.Capabilities.supportsProposal(kind) {
			return invalid("12.2", "member %d does not support proposal type %d", i, kind)
		}
	}
	return nil
}

// sameDemands reports whether two lists of extensions ask the same of members:
// what an extension that we do not read says is no demand on them.
func sameDemands(a, b Extensions) bool {
	if !slices.EqualFunc(a, b, func(x, y Extension) bool { return x.Type == y.Type }) {
		return false
	}
	x, _ := a.Find(ExtensionRequiredCapabilities)
	y, _ := b.Find(ExtensionRequiredCapabilities)
	return bytes.Equal(x, y)
}
