package mls

import (
	"errors"
	"slices"
	"time"
)

// ExternalOptions is what a client that joins by itself brings.
type ExternalOptions struct {
	Capabilities      Capabilities // the zero value means [DefaultCapabilities]
	LeafExtensions    Extensions
	Resync            *LeafIndex // this client's former leaf, to be removed
	Proposals         []Proposal // AppDataUpdate, AppEphemeral and PreSharedKey
	Pending           [][]byte   // the SelfRemove messages of the epoch, all of which must go in
	AuthenticatedData []byte
}

// joinState is what a joiner needs to work out its own commit again.
type joinState struct {
	public  *PublicGroup
	info    *GroupInfo
	tree    []byte
	pending [][]byte
}

func (j *joinState) sizeHint() int {
	n := 16 + len(marshal(j.info)) + len(j.tree)
	for _, m := range j.pending {
		n += 4 + len(m)
	}
	return n
}

func (j *joinState) appendTo(b []byte) []byte {
	b = j.info.appendTo(b)
	b = appendVec(b, j.tree)
	return appendNested(b, func(b []byte) []byte {
		for _, m := range j.pending {
			b = appendVec(b, m)
		}
		return b
	})
}

func readJoinState(r *reader) *joinState {
	return &joinState{info: readGroupInfo(r), tree: r.vec(), pending: list(r, (*reader).vec)}
}

// JoinExternal makes a commit by which this client joins a group without being
// added (RFC 9420, Section 12.4.3.2). tree is nil when the GroupInfo holds it.
// Store [StagedCommit.Bytes], send [StagedCommit.Message], and when the
// delivery service has accepted it, [StagedCommit.Group] is the group. now is
// for the application's [Authority] alone.
func JoinExternal(cfg Config, gi *GroupInfo, tree []byte, signer Signer, o ExternalOptions, now time.Time) (*StagedCommit, error) {
	j := &joinState{info: gi, tree: tree, pending: o.Pending}
	if err := j.open(cfg, now); err != nil {
		return nil, err
	}
	s := j.public.s
	if err := signer.check(s); err != nil {
		return nil, err
	}
	pub, err := gi.ExternalPub()
	if err != nil {
		return nil, err
	}
	kemOutput, init, err := s.externalInitSender(pub)
	if err != nil {
		return nil, err
	}
	defer init.erase()
	template := &LeafNode{
		SignatureKey: signer.Public,
		Credential:   signer.Credential,
		Capabilities: o.Capabilities.orDefault(),
		Extensions:   o.LeafExtensions,
	}
	if err := template.complete(&cfg); err != nil {
		return nil, err
	}
	l, err := j.choose(&ExternalInit{KEMOutput: kemOutput}, template, o)
	if err != nil {
		return nil, err
	}
	t, err := j.public.apply(l, template)
	if err != nil {
		return nil, err
	}
	t.now = now
	psk, err := lookUpPSKs(s, t.psks, cfg.psk)
	if err != nil {
		return nil, err
	}
	m := commitMaker{
		transition: t,
		template:   template,
		signer:     signer,
		rotates:    true,
		signKey:    signer.Private,
		init:       init,
		psk:        psk,
		data:       o.AuthenticatedData,
	}
	st, err := m.make()
	if err != nil {
		return nil, err
	}
	st.join = j
	return st, nil
}

// complete adds to a joiner's leaf what every leaf of this package has.
func (l *LeafNode) complete(cfg *Config) (err error) {
	if err := l.Capabilities.checkOwn(); err != nil {
		return err
	}
	if slices.Contains(l.Capabilities.Extensions, ExtensionAppDataDictionary) {
		if l.Extensions, err = l.Extensions.withComponents(cfg.Components, !cfg.NoGREASE); err != nil {
			return err
		}
	}
	if !cfg.NoGREASE {
		l.Capabilities = l.Capabilities.withGREASE()
	}
	return nil
}

// open checks the GroupInfo, the tree, and the proposals that are pending.
func (j *joinState) open(cfg Config, now time.Time) (err error) {
	if j.public, err = NewPublicGroup(cfg, j.info, j.tree, now); err != nil {
		return err
	}
	for _, b := range j.pending {
		m, err := ParseMessage(b)
		if err != nil {
			return err
		}
		if m.public == nil || m.public.content.contentType != ContentProposal || m.public.content.proposal.Type() != ProposalSelfRemove {
			return errors.New("mls: a joiner's pending proposals are SelfRemoves in public messages")
		}
		if _, err := j.public.Process(m, noTime); err != nil {
			return err
		}
	}
	return nil
}

// choose lists the proposals of an external commit (RFC 9420, Section 12.2).
func (j *joinState) choose(init *ExternalInit, leaf *LeafNode, o ExternalOptions) (*proposalList, error) {
	committer := Sender{Type: SenderNewMemberCommit}
	l := newProposalList(committer)
	proposals := []Proposal{init}
	for v := range j.public.pending.all() {
		if err := l.add(*v); err != nil {
			return nil, err
		}
	}
	if o.Resync != nil && !l.changes(*o.Resync) {
		proposals = append(proposals, &Remove{Removed: *o.Resync})
	}
	for _, q := range append(proposals, o.Proposals...) {
		v := ProposalView{Proposal: q, Sender: committer, Leaf: leaf, Context: j.public.ctx}
		if err := l.add(v); err != nil {
			return nil, err
		}
		if err := j.public.checkProposal(&v, noTime); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Group gives the group that this client is in since the delivery service
// accepted its external commit. It can be called once, and on no other kind of
// staged commit.
func (s *StagedCommit) Group() (*Group, error) {
	if s.join == nil || s.member == nil {
		return nil, errors.New("mls: the staged commit is not one that joins, or was used")
	}
	p, m := s.join.public, s.member
	if err := p.Merge(s); err != nil {
		return nil, err
	}
	s.join, s.merged = nil, true
	p.unsaved = changes{}
	p.unsaved.everything(p)
	return newGroup(p, *m), nil
}

// ParseStagedJoin reads what [StagedCommit.Bytes] gave for an external commit,
// which keeps b.
func ParseStagedJoin(cfg Config, b []byte) (*StagedCommit, error) {
	var j *joinState
	var s *suite
	rec, err := parse(b, "staged join", func(r *reader) stagedRecord {
		version, _ := readStagedKind(r, stagedJoin)
		j = readJoinState(r)
		var err error
		if s, err = j.info.Context.CipherSuite.suite(); err != nil {
			r.fail(err)
			return stagedRecord{}
		}
		return readStagedRecord(r, s, version)
	})
	if err != nil {
		return nil, err
	}
	if len(j.tree) == 0 {
		j.tree = nil
	}
	if err := j.open(cfg, noTime); err != nil {
		return nil, err
	}
	st, err := j.public.restage(rec)
	if err != nil {
		return nil, err
	}
	st.join = j
	return st, nil
}

// ExternalGroup is what an external sender must know of a group.
type ExternalGroup struct {
	GroupID     []byte
	Epoch       uint64
	CipherSuite CipherSuite

	AuthenticatedData []byte // goes with the proposal: see [SafeAAD]
}

// NewExternalProposal makes the public message of a proposal by the sender at
// senderIndex of the group's external senders (RFC 9420, Section 12.1.8).
func NewExternalProposal(q Proposal, group ExternalGroup, senderIndex uint32, private Secret) ([]byte, error) {
	return signOutside(q, group, Sender{Type: SenderExternal, Index: senderIndex}, private)
}

// NewJoinProposal makes the public message by which the owner of a KeyPackage
// asks to be added (RFC 9420, Section 12.1.8).
func NewJoinProposal(kp *KeyPackage, group ExternalGroup, private Secret) ([]byte, error) {
	return signOutside(&Add{KeyPackage: kp}, group, Sender{Type: SenderNewMemberProposal}, private)
}

func signOutside(q Proposal, group ExternalGroup, sender Sender, private Secret) ([]byte, error) {
	s, err := group.CipherSuite.suite()
	if err != nil {
		return nil, err
	}
	v := ProposalView{Proposal: q, Sender: sender, ByReference: true, format: FormatPublicMessage}
	if err := v.checkSender(); err != nil {
		return nil, err
	}
	ac := &authenticatedContent{format: FormatPublicMessage, content: &framedContent{
		groupID:           group.GroupID,
		epoch:             group.Epoch,
		sender:            sender,
		authenticatedData: group.AuthenticatedData,
		contentType:       ContentProposal,
		proposal:          q,
	}}
	if err := ac.sign(s, private, nil); err != nil {
		return nil, err
	}
	return marshal(&Message{Format: FormatPublicMessage, public: protectPublic(s, ac, nil, nil)}), nil
}
