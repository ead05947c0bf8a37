package mls

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
)

// Group is a member's view of a group: what everyone can know of it, and this
// member's secrets. It comes from [Create], [Join], [StagedCommit.Group] or
// [Load]. After any call that changes it, what [Group.Drain] gives must be
// stored before anything that the call returned leaves the device.
type Group struct {
	public *PublicGroup
	member
	signing    signingKey // member.signer, read when first needed
	messages   *secretTree
	resumption []resumption      // of the last epochs, the latest last
	updates    map[string]Secret // private keys of own pending Updates, by public key
	sent       sentProposals     // own encrypted proposals of the epoch
	exporter   *exporterTree
	past       []*pastEpoch // the latest last
	removed    bool

	unsavedMember bool
	deleted       []record // of secret trees that are over
	pastRecords   []Record // that past epochs came or went
}

// resumption is the resumption PSK of an epoch that is over
// (RFC 9420, Section 8.6).
type resumption struct {
	hidden
	epoch uint64
	psk   Secret
}

const keptResumptions = 2

// Create makes a group whose only member is its creator, at epoch 0
// (RFC 9420, Section 11). Others are added by [Group.Commit].
func Create(cfg Config, groupID []byte, suite CipherSuite, signer Signer, caps Capabilities, ext Extensions) (*Group, error) {
	s, err := suite.suite()
	if err != nil {
		return nil, err
	}
	if err := signer.check(s); err != nil {
		return nil, err
	}
	if err := checkGroupExtensions(ext); err != nil {
		return nil, err
	}
	if err := cfg.checkSenders(nil, ext, noTime); err != nil {
		return nil, err
	}
	leaf, private, err := newKeyPackageLeaf(s, signer, KeyPackageOptions{
		Lifetime:     Lifetime{NotAfter: 1<<64 - 1}, // nobody adds the creator
		Capabilities: caps,
		NoGREASE:     cfg.NoGREASE,
		Components:   cfg.Components,
	})
	if err != nil {
		return nil, err
	}
	demands, err := demandsOf(ext)
	if err != nil {
		return nil, err
	}
	// RFC 9420, Section 13.5: one's own capabilities are compared without GREASE.
	if err := demands.check(&LeafNode{Capabilities: caps.orDefault()}); err != nil {
		return nil, err
	}
	t := newTree(leaf)
	ctx := &GroupContext{Version: versionMLS10, CipherSuite: suite, GroupID: groupID, TreeHash: t.hash(s), Extensions: ext}
	epoch := s.randomSecret()
	m := member{signer: slices.Clone(signer.Private), secrets: newTreeSecrets(private), epoch: s.epochFromSecret(epoch)}
	epoch.erase()
	tag := m.epoch.confirmationTag(s, nil)
	p := &PublicGroup{cfg: cfg, s: s, tree: t}
	p.setEpoch(ctx, interimTranscriptHash(s, nil, tag), tag)
	p.unsaved.everything(p)
	return newGroup(p, m), nil
}

// newGroup starts the epoch's secret tree and exporter tree, which take their
// roots from the epoch's secrets.
func newGroup(p *PublicGroup, m member) *Group {
	g := &Group{public: p, member: m, unsavedMember: true}
	g.startMessages()
	return g
}

func (g *Group) startMessages() {
	g.messages = newSecretTree(g.public.s, g.epoch.encryption, g.public.tree.width())
	g.messages.limit(g.public.cfg.skips())
	g.exporter = newExporterTree(g.public.s, g.epoch.applicationExport, g.exporter)
	g.epoch.encryption, g.epoch.applicationExport = nil, nil
}

// Context is what the members of the present epoch agree on.
func (g *Group) Context() *GroupContext { return g.public.ctx }

// Own gives this member's leaf.
func (g *Group) Own() LeafIndex { return g.own }

// Member gives the member at a leaf, nil if there is none.
func (g *Group) Member(i LeafIndex) *LeafNode { return g.public.Member(i) }

// MemberCount gives the number of members.
func (g *Group) MemberCount() int { return g.public.MemberCount() }

// Members iterates over the members from the left of the tree.
func (g *Group) Members() iter.Seq2[LeafIndex, *LeafNode] { return g.public.Members() }

// Pending gives the valid proposals of the epoch in the order they came.
func (g *Group) Pending() []ProposalView { return g.public.Pending() }

// Tree gives the ratchet tree, for those who join.
func (g *Group) Tree() []byte { return g.public.Tree() }

// ReInit gives the proposal that ended the group, nil while it runs.
func (g *Group) ReInit() *ReInit { return g.public.reinit }

// ConfirmationTag is that of the commit that began the epoch.
func (g *Group) ConfirmationTag() []byte { return g.public.confirmationTag }

// Removed reports whether this member was removed. The group then stays as it
// was before, without any secrets; stored and loaded, without its own leaf, too.
func (g *Group) Removed() bool { return g.removed }

// EpochAuthenticator is equal for members who agree on the epoch and its
// secrets, and for nobody else (RFC 9420, Section 8.7). It is a copy. Nil after
// removal.
func (g *Group) EpochAuthenticator() []byte { return slices.Clone(g.epoch.authenticator) }

// Export gives a secret of n octets that all members of the epoch share, for a
// purpose that label and context name (RFC 9420, Section 8.5). It is the caller's
// to erase, and can be had again until the epoch ends: see [Group.SafeExport] for
// one that can't. n is at most 255 times the length of the suite's hash.
func (g *Group) Export(label string, context []byte, n int) (Secret, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if most := g.public.s.maxExport(); n < 1 || n > most {
		return nil, fmt.Errorf("mls: export of %d octets, which must be 1 to %d", n, most)
	}
	return g.epoch.export(g.public.s, label, context, n), nil
}

// GroupInfo gives a signed GroupInfo of the present epoch, by which others can
// join (RFC 9420, Section 12.4.3).
func (g *Group) GroupInfo(includeTree bool) (*GroupInfo, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	var tree *tree
	if includeTree {
		tree = g.public.tree
	}
	return g.groupInfo(g.public, g.public.ctx, g.public.confirmationTag, tree, true)
}

func (g *Group) usable() error {
	switch {
	case g.removed:
		return ErrRemoved
	case g.public.reinit != nil:
		return ErrClosed
	}
	return nil
}

// Encrypt makes a message of application data. It is refused while proposals
// are pending ([ErrPendingProposals]). authenticatedData is seen by everyone who
// carries the message. Neither argument is kept, and the message is the caller's.
func (g *Group) Encrypt(authenticatedData, plaintext []byte) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	if g.public.pending.len() > 0 {
		return nil, ErrPendingProposals
	}
	if err := checkSafeAAD(g.public.safeAAD, authenticatedData); err != nil {
		return nil, err
	}
	k, err := g.signingKey()
	if err != nil {
		return nil, err
	}
	p := g.public
	ac := g.frame(ContentApplication, FormatPrivateMessage, authenticatedData)
	ac.content.application = plaintext
	w := getWorkspace()
	defer w.release()
	if err := ac.signInto(w.signature[:0], w, k, p.encoded); err != nil {
		return nil, err
	}
	return sealPrivate(p.s, ac, g.messages, g.epoch.senderData, p.cfg.zeros())
}

// sign signs content for the present epoch.
func (g *Group) sign(ac *authenticatedContent) error {
	if err := checkSafeAAD(g.public.safeAAD, ac.content.authenticatedData); err != nil {
		return err
	}
	k, err := g.signingKey()
	if err != nil {
		return err
	}
	return ac.signWith(k, g.public.encoded)
}

// signingKey reads the member's signature key. Reading an Ed25519 key costs as
// much as signing with it, hence once.
func (g *Group) signingKey() (k signingKey, err error) {
	if g.signing == nil {
		g.signing, err = g.public.s.sig.signingKey(g.signer)
	}
	return g.signing, err
}

func (g *Group) frame(content ContentType, format WireFormat, authenticatedData []byte) *authenticatedContent {
	return &authenticatedContent{format: format, content: &framedContent{
		groupID:           g.public.ctx.GroupID,
		epoch:             g.public.ctx.Epoch,
		sender:            Sender{Type: SenderMember, Index: uint32(g.own)},
		authenticatedData: authenticatedData,
		contentType:       content,
	}}
}

// Propose makes a message of one proposal: public, or private where
// [Config.EncryptHandshakes] asks for it, but for a [SelfRemove], which joiners
// must be able to read. An [Update] without a leaf gets a fresh one. The
// proposal is pending only once it has come back through [Group.Process], in
// the order that the delivery service gave it.
func (g *Group) Propose(q Proposal, authenticatedData []byte) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	p := g.public
	if u, ok := q.(*Update); ok && u.Leaf == nil {
		fresh, err := g.freshUpdate()
		if err != nil {
			return nil, err
		}
		q = fresh
	}
	format := FormatPublicMessage
	if p.cfg.EncryptHandshakes && q.Type() != ProposalSelfRemove {
		format = FormatPrivateMessage
	}
	ac := g.frame(ContentProposal, format, authenticatedData)
	ac.content.proposal = q
	v, err := p.viewOf(ac)
	if err != nil {
		return nil, err
	}
	if err := p.checkProposal(v, noTime); err != nil {
		return nil, err
	}
	if err := p.pending.checkOnlySelfRemove(v); err != nil {
		return nil, err
	}
	if err := g.sign(ac); err != nil {
		return nil, err
	}
	if format == FormatPublicMessage {
		return marshal(&Message{Format: format, public: protectPublic(p.s, ac, g.epoch.membership, p.encoded)}), nil
	}
	m, err := g.protect(ac)
	if err != nil {
		return nil, err
	}
	g.sent.add(m, ac)
	g.unsavedMember = true
	return marshal(&Message{Format: format, private: m}), nil
}

// protect encrypts this member's signed content.
func (g *Group) protect(ac *authenticatedContent) (*privateMessage, error) {
	return protectPrivate(g.public.s, ac, g.messages, g.epoch.senderData, g.public.cfg.zeros())
}

// zeros gives how many octets of padding go after content of n octets.
func (c *Config) zeros() func(n int) int {
	if c.Padding == nil {
		return nil
	}
	return func(n int) int { return c.Padding(n) - n }
}

// freshUpdate makes a leaf with a new encryption key and keeps the private key
// until the epoch ends.
func (g *Group) freshUpdate() (*Update, error) {
	s, old := g.public.s, g.public.tree.leaf(g.own)
	private, public, err := s.generateKeyPair()
	if err != nil {
		return nil, err
	}
	leaf := &LeafNode{
		EncryptionKey: public,
		SignatureKey:  old.SignatureKey,
		Credential:    old.Credential,
		Capabilities:  old.Capabilities,
		Source:        LeafFromUpdate,
		Extensions:    old.Extensions,
	}
	if err := leaf.sign(s, g.signer, g.public.ctx.GroupID, g.own); err != nil {
		return nil, err
	}
	if g.updates == nil {
		g.updates = map[string]Secret{}
	}
	g.updates[string(public)] = private
	g.unsavedMember = true
	return &Update{Leaf: leaf}, nil
}

// pskSecret looks up PSKs and chains them (RFC 9420, Section 8.4).
func (g *Group) pskSecret(ids []PreSharedKeyID) (Secret, error) {
	return lookUpPSKs(g.public.s, ids, g.psk)
}

func lookUpPSKs(s *suite, ids []PreSharedKeyID, lookUp func(PreSharedKeyID) (Secret, bool)) (Secret, error) {
	psks := make([]Secret, len(ids))
	for i, id := range ids {
		psk, ok := lookUp(id)
		if !ok {
			return nil, &UnknownPSKError{ID: id}
		}
		psks[i] = psk
	}
	return pskSecret(s, ids, psks)
}

// psk finds a PSK: this group's last resumption PSKs, or the application's.
func (g *Group) psk(id PreSharedKeyID) (Secret, bool) {
	if id.Type == PSKResumption && bytes.Equal(id.GroupID, g.public.ctx.GroupID) {
		if psk, ok := g.ResumptionPSK(id.Epoch); ok {
			return psk, true
		}
	}
	return g.public.cfg.psk(id)
}

func (c *Config) psk(id PreSharedKeyID) (Secret, bool) {
	if c.PSK == nil {
		return nil, false
	}
	return c.PSK(id)
}

// ResumptionPSK gives the resumption PSK of the present epoch or of one of the
// two before it (RFC 9420, Section 8.6), for a [Config.PSK] of another group.
// It is the group's, and erased with it.
func (g *Group) ResumptionPSK(epoch uint64) (Secret, bool) {
	if g.removed {
		return nil, false
	}
	if epoch == g.public.ctx.Epoch {
		return g.epoch.resumption, true
	}
	for _, r := range g.resumption {
		if r.epoch == epoch {
			return r.psk, true
		}
	}
	return nil, false
}
