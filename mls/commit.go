package mls

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// noTime stands for a time that is not known: no lifetime is checked.
var noTime time.Time

// CommitOptions is what a commit is to do beside committing what is pending.
type CommitOptions struct {
	Proposals         []Proposal // to be sent inside the commit
	ForcePath         bool       // renew this member's keys even if no proposal asks for it
	Signer            *Signer    // replaces this member's credential and signature key
	AuthenticatedData []byte
	InlineTree        bool // put the ratchet tree into the Welcome
}

func (CommitOptions) Format(f fmt.State, verb rune) { hidden{}.Format(f, verb) }
func (CommitOptions) LogValue() slog.Value          { return hidden{}.LogValue() }

// Commit makes a commit of every pending proposal that can be in it, and of
// the given ones (RFC 9420, Section 12.4.1). The group stays as it is: store
// [StagedCommit.Bytes], send [StagedCommit.Message], and when the delivery
// service has accepted it, [Group.Merge]. now is checked against the lifetimes
// of those who are added. With [Config.EncryptHandshakes] a commit spends one of
// the group's message keys: what [Group.Drain] gives must be stored too.
func (g *Group) Commit(o CommitOptions, now time.Time) (*StagedCommit, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	p := g.public
	leaf := p.tree.leaf(g.own)
	signer := Signer{Credential: leaf.Credential, Public: leaf.SignatureKey, Private: g.signer}
	if o.Signer != nil {
		if err := o.Signer.check(p.s); err != nil {
			return nil, err
		}
		signer = *o.Signer
	}
	l, err := g.choose(o.Proposals, leaf, now)
	if err != nil {
		return nil, err
	}
	t, err := p.apply(l, leaf)
	if err != nil {
		return nil, err
	}
	t.now = now
	psk, err := g.pskSecret(t.psks)
	if err != nil {
		return nil, err
	}
	m := commitMaker{
		transition: t,
		signer:     signer,
		signKey:    g.signer,
		membership: g.epoch.membership,
		init:       g.epoch.init,
		psk:        psk,
		secrets:    g.secrets,
		rotates:    o.Signer != nil,
		data:       o.AuthenticatedData,
		inlineTree: o.InlineTree,
	}
	if p.cfg.EncryptHandshakes {
		m.encrypt = g.protect
	}
	if o.ForcePath || o.Signer != nil || l.pathRequired() {
		m.template = &LeafNode{SignatureKey: signer.Public, Credential: signer.Credential, Capabilities: leaf.Capabilities, Extensions: leaf.Extensions}
	}
	return m.make()
}

// choose lists the proposals of a commit: removals that are pending, then what
// the caller asks for, then what else is pending and can stand beside it. Of
// several Updates of a leaf the latest goes in (RFC 9420, Section 12.2).
func (g *Group) choose(inline []Proposal, leaf *LeafNode, now time.Time) (*proposalList, error) {
	p := g.public
	committer := Sender{Type: SenderMember, Index: uint32(g.own)}
	l := newProposalList(committer)
	var removals, updates, others []*ProposalView
	for v := range p.pending.all() {
		switch q := v.Proposal.(type) {
		case *Remove, *SelfRemove:
			removals = append(removals, v)
		case *Update:
			updates = append(updates, v)
		case *PreSharedKey:
			if _, ok := g.psk(q.ID); ok {
				others = append(others, v)
			}
		default:
			others = append(others, v)
		}
	}
	for _, v := range removals {
		_ = l.add(*v) // what cannot stand beside the others stays out
	}
	var checks []*ProposalView
	for _, q := range inline {
		if r, ok := q.(*Remove); ok && l.leaves[r.Removed] {
			continue // it is being removed already
		}
		v := &ProposalView{Proposal: q, Sender: committer, Leaf: leaf, Context: p.ctx}
		if err := l.add(*v); err != nil {
			return nil, err
		}
		checks = append(checks, v)
	}
	for _, v := range slices.Backward(updates) {
		_ = l.add(*v)
	}
	for _, v := range others {
		_ = l.add(*v)
	}
	return l, inParallel(len(checks), func(i int) error { return p.checkProposal(checks[i], now) })
}

// commitMaker makes a commit of a transition: a member's or a joiner's.
type commitMaker struct {
	hidden
	*transition
	template   *LeafNode    // of the committer's new leaf; nil for a commit without a path
	signer     Signer       // the new leaf's
	rotates    bool         // whose signature key was not in the tree
	signKey    Secret       // signs the commit
	membership Secret       // a member's
	secrets    *treeSecrets // of the old epoch; a member's
	init, psk  Secret
	data       []byte
	inlineTree bool
	encrypt    func(*authenticatedContent) (*privateMessage, error) // nil for a public message

	path   *newPath
	joiner Secret
}

func (m *commitMaker) make() (*StagedCommit, error) {
	defer m.erase()
	if err := checkSafeAAD(m.from.safeAAD, m.data); err != nil {
		return nil, err
	}
	m.view.AuthenticatedData = m.data
	if err := m.makePath(); err != nil {
		return nil, err
	}
	if err := m.finish(); err != nil {
		return nil, err
	}
	if err := m.from.checkNothingOmitted(m.list); err != nil {
		return nil, err
	}
	ac, err := m.content()
	if err != nil {
		return nil, err
	}
	st := m.stage(ac, m.transition.now)
	st.member = m.nextEpoch(st.encoded)
	ac.auth.confirmationTag = st.member.epoch.confirmationTag(m.from.s, st.ctx.ConfirmedTranscriptHash)
	st.confirm(ac.auth.confirmationTag)
	if err := m.frame(st, ac); err != nil {
		return nil, err
	}
	if len(m.joiners) > 0 {
		if st.welcome, err = m.welcome(st); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// erase overwrites what only making the commit took.
func (m *commitMaker) erase() {
	m.joiner.erase()
	m.psk.erase()
	if m.path != nil {
		m.path.erase()
		m.path.commitSecret.erase()
	}
}

// frame puts the commit into the message that goes over the wire.
func (m *commitMaker) frame(st *StagedCommit, ac *authenticatedContent) error {
	if m.encrypt == nil {
		pm := protectPublic(m.from.s, ac, m.membership, m.from.encoded)
		st.message = marshal(&Message{Format: FormatPublicMessage, public: pm})
		return nil
	}
	pm, err := m.encrypt(ac)
	if err != nil {
		return err
	}
	st.message = marshal(&Message{Format: FormatPrivateMessage, private: pm})
	st.sealed = marshal(ac)
	return nil
}

func (m *commitMaker) makePath() (err error) {
	if m.template == nil {
		return nil
	}
	own := m.committer.leaf()
	m.path, err = m.tree.createPath(m.from.s, own, m.template, m.signer.Private, m.ctx.GroupID)
	if err != nil {
		return err
	}
	if err := m.path.leaf.checkAlone(m.from.s); err != nil {
		return err
	}
	if m.rotates {
		if err := m.tree.checkChanged(); err != nil {
			return err
		}
	}
	return m.notePathLeaf()
}

// content gives the commit, signed but without its confirmation tag. The
// transition's context is still the provisional one.
func (m *commitMaker) content() (*authenticatedContent, error) {
	c := &commit{}
	for _, v := range m.list.items {
		if v.ByReference {
			c.proposals = append(c.proposals, proposalOrRef{ref: v.Ref})
		} else {
			c.proposals = append(c.proposals, proposalOrRef{proposal: v.Proposal})
		}
	}
	s := m.from.s
	if m.path != nil {
		var err error
		if c.path, err = m.path.encryptPath(s, m.ctx.appendTo(nil), m.exclude); err != nil {
			return nil, err
		}
	}
	format := FormatPublicMessage
	if m.encrypt != nil {
		format = FormatPrivateMessage
	}
	ac := &authenticatedContent{format: format, content: &framedContent{
		groupID:           m.ctx.GroupID,
		epoch:             m.from.ctx.Epoch,
		sender:            m.list.committer,
		authenticatedData: m.data,
		contentType:       ContentCommit,
		commit:            c,
	}}
	ac.content.encoded = ac.content.appendTo(make([]byte, 0, c.sizeHint()+ac.content.sizeHint()))
	return ac, ac.sign(s, m.signKey, m.from.encoded)
}

// nextEpoch runs the key schedule for the epoch with this encoded context.
func (m *commitMaker) nextEpoch(encoded []byte) *member {
	s := m.from.s
	next := &member{own: m.committer.leaf(), signer: slices.Clone(m.signer.Private)}
	commitSecret := Secret(s.zero())
	if m.path != nil {
		commitSecret, next.secrets = m.path.commitSecret, m.path.secrets
	} else {
		next.secrets = m.secrets.clone()
	}
	m.joiner, next.epoch = s.nextEpoch(m.init, commitSecret, m.psk, encoded)
	return next
}

// welcome makes the Welcome for all who are added
// (RFC 9420, Sections 12.4.1 and 12.4.3.1).
func (m *commitMaker) welcome(st *StagedCommit) (*welcome, error) {
	s := m.from.s
	var tree *tree
	if m.inlineTree {
		tree = m.tree
	}
	gi, err := st.member.groupInfo(m.from, st.ctx, st.confirmationTag, tree, false)
	if err != nil {
		return nil, err
	}
	secret := s.welcomeSecret(m.joiner, m.psk)
	key, nonce := s.welcomeKeyNonce(secret)
	secret.erase()
	defer key.erase()
	w := &welcome{suite: s.id, secrets: make([]encryptedGroupSecrets, len(m.joiners))}
	if w.encryptedGroupInfo, err = s.seal(nil, key, nonce, nil, marshal(gi)); err != nil {
		return nil, err
	}
	to := s.sealer(encryptContext("Welcome", w.encryptedGroupInfo))
	return w, inParallel(len(m.joiners), func(i int) (err error) {
		w.secrets[i], err = m.sealSecrets(m.joiners[i], to)
		return err
	})
}

func (m *commitMaker) sealSecrets(j joiner, to *sealer) (encryptedGroupSecrets, error) {
	s := m.from.s
	secrets := groupSecrets{joiner: m.joiner, psks: m.psks}
	if m.path != nil {
		if secrets.pathSecret = m.path.pathSecretFor(j.leaf); secrets.pathSecret == nil {
			return encryptedGroupSecrets{}, errors.New("mls: no path secret for an added leaf") // each has a node above it in common with the committer
		}
	}
	plaintext := Secret(marshal(secrets))
	defer plaintext.erase()
	ct, err := to.seal(j.kp.InitKey, plaintext)
	return encryptedGroupSecrets{newMember: s.refHash("MLS 1.0 KeyPackage Reference", marshal(j.kp)), secrets: ct}, err
}
