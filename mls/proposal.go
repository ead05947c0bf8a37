package mls

// ProposalType names a kind of proposal (RFC 9420, Section 17.4, and
// draft-ietf-mls-extensions).
type ProposalType uint16

const (
	ProposalAdd                    ProposalType = 1
	ProposalUpdate                 ProposalType = 2
	ProposalRemove                 ProposalType = 3
	ProposalPSK                    ProposalType = 4
	ProposalReInit                 ProposalType = 5
	ProposalExternalInit           ProposalType = 6
	ProposalGroupContextExtensions ProposalType = 7
	ProposalAppDataUpdate          ProposalType = 8
	ProposalAppEphemeral           ProposalType = 9
	ProposalSelfRemove             ProposalType = 10
)

// Proposal is a change to a group that a Commit may make (RFC 9420, Section 12.1):
// one of [Add], [Update], [Remove], [PreSharedKey], [ReInit], [ExternalInit],
// [GroupContextExtensions], [AppDataUpdate], [AppEphemeral], [SelfRemove] and
// [CustomProposal].
type Proposal interface {
	Type() ProposalType
	appendTo([]byte) []byte // the body, without the type
}

type (
	// Add adds a client (RFC 9420, Section 12.1.1).
	Add struct{ KeyPackage *KeyPackage }
	// Update replaces the sender's own leaf (RFC 9420, Section 12.1.2).
	Update struct{ Leaf *LeafNode }
	// Remove removes the member at a leaf (RFC 9420, Section 12.1.3).
	Remove struct{ Removed LeafIndex }
	// PreSharedKey mixes a PSK into the key schedule (RFC 9420, Section 12.1.4).
	PreSharedKey struct{ ID PreSharedKeyID }
	// ReInit closes the group in favour of a new one (RFC 9420, Section 12.1.5).
	ReInit struct {
		GroupID     []byte
		Version     uint16
		CipherSuite CipherSuite
		Extensions  Extensions
	}
	// ExternalInit opens an external commit (RFC 9420, Section 12.1.6).
	ExternalInit struct{ KEMOutput []byte }
	// GroupContextExtensions replaces the group's extensions (RFC 9420, Section 12.1.7).
	GroupContextExtensions struct{ Extensions Extensions }
	// AppDataUpdate changes or removes one component's state
	// (draft-ietf-mls-extensions). What an update means is the component's to
	// say: see [Rules].
	AppDataUpdate struct {
		Component ComponentID
		Removes   bool
		Update    []byte
	}
	// AppEphemeral tells a component something that all members learn with the
	// commit, and that changes no state of the group (draft-ietf-mls-extensions):
	// see [EphemeralRules].
	AppEphemeral struct {
		Component ComponentID
		Data      []byte
	}
	// SelfRemove removes its sender, by reference only (draft-ietf-mls-extensions).
	SelfRemove struct{}
	// CustomProposal is an application's own, of a type for private use
	// (RFC 9420, Sections 13.2 and 17.4). Its body is one vector of octets. It
	// changes nothing by itself, comes from members alone, and needs a path;
	// [Rules] judge it, and without any it is refused.
	CustomProposal struct {
		Kind ProposalType // 0xF000 to 0xFFFF
		Data []byte
	}
)

func (*Add) Type() ProposalType                    { return ProposalAdd }
func (*Update) Type() ProposalType                 { return ProposalUpdate }
func (*Remove) Type() ProposalType                 { return ProposalRemove }
func (*PreSharedKey) Type() ProposalType           { return ProposalPSK }
func (*ReInit) Type() ProposalType                 { return ProposalReInit }
func (*ExternalInit) Type() ProposalType           { return ProposalExternalInit }
func (*GroupContextExtensions) Type() ProposalType { return ProposalGroupContextExtensions }
func (*AppDataUpdate) Type() ProposalType          { return ProposalAppDataUpdate }
func (*AppEphemeral) Type() ProposalType           { return ProposalAppEphemeral }
func (*SelfRemove) Type() ProposalType             { return ProposalSelfRemove }
func (p *CustomProposal) Type() ProposalType       { return p.Kind }

func (p *Add) appendTo(b []byte) []byte          { return p.KeyPackage.appendTo(b) }
func (p *Update) appendTo(b []byte) []byte       { return p.Leaf.appendTo(b) }
func (p *Remove) appendTo(b []byte) []byte       { return appendU32(b, uint32(p.Removed)) }
func (p *PreSharedKey) appendTo(b []byte) []byte { return p.ID.appendTo(b) }
func (p *ReInit) appendTo(b []byte) []byte {
	b = appendVec(b, p.GroupID)
	b = appendU16(b, p.Version)
	b = appendU16(b, uint16(p.CipherSuite))
	return p.Extensions.appendTo(b)
}
func (p *ExternalInit) appendTo(b []byte) []byte           { return appendVec(b, p.KEMOutput) }
func (p *GroupContextExtensions) appendTo(b []byte) []byte { return p.Extensions.appendTo(b) }
func (p *AppDataUpdate) appendTo(b []byte) []byte {
	b = appendU16(b, uint16(p.Component))
	if p.Removes {
		return append(b, 2)
	}
	return appendVec(append(b, 1), p.Update)
}
func (p *AppEphemeral) appendTo(b []byte) []byte {
	return appendVec(appendU16(b, uint16(p.Component)), p.Data)
}
func (*SelfRemove) appendTo(b []byte) []byte       { return b }
func (p *CustomProposal) appendTo(b []byte) []byte { return appendVec(b, p.Data) }

// isCustom reports whether the type is one for private use. The last of them
// is a GREASE value, which no proposal has (RFC 9420, Section 13.5).
func (t ProposalType) isCustom() bool { return t >= 0xF000 }

func readProposal(r *reader) Proposal {
	t := ProposalType(r.u16())
	if r.err != nil {
		return nil
	}
	return readProposalBody(r, t)
}

func readProposalBody(r *reader, t ProposalType) Proposal {
	switch t {
	case ProposalAdd:
		return &Add{readKeyPackage(r)}
	case ProposalUpdate:
		return &Update{readLeafNode(r)}
	case ProposalRemove:
		return &Remove{LeafIndex(r.u32())}
	case ProposalPSK:
		return &PreSharedKey{readPreSharedKeyID(r)}
	case ProposalReInit:
		return &ReInit{GroupID: r.vec(), Version: r.u16(), CipherSuite: CipherSuite(r.u16()), Extensions: readExtensions(r)}
	case ProposalExternalInit:
		return &ExternalInit{r.vec()}
	case ProposalGroupContextExtensions:
		return &GroupContextExtensions{readExtensions(r)}
	case ProposalAppDataUpdate:
		return readAppDataUpdate(r)
	case ProposalAppEphemeral:
		return &AppEphemeral{Component: ComponentID(r.u16()), Data: r.vec()}
	case ProposalSelfRemove:
		return &SelfRemove{}
	}
	if t.isCustom() {
		return &CustomProposal{Kind: t, Data: r.vec()}
	}
	r.fail(invalid("12.1", "unknown proposal type 0x%04x", uint16(t)))
	return nil
}

func readAppDataUpdate(r *reader) *AppDataUpdate {
	p := &AppDataUpdate{Component: ComponentID(r.u16())}
	switch op := r.u8(); op {
	case 1:
		p.Update = r.vec()
	case 2:
		p.Removes = true
	default:
		r.fail(invalid("draft-ietf-mls-extensions AppDataUpdate", "unknown app data update operation %d", op))
	}
	return p
}

func appendProposal(b []byte, p Proposal) []byte {
	return p.appendTo(appendU16(b, uint16(p.Type())))
}

// proposalOrRef is one entry of a Commit (RFC 9420, Section 12.4).
type proposalOrRef struct {
	proposal Proposal // inline, or nil
	ref      []byte   // ProposalRef, when proposal is nil
}

func readProposalOrRef(r *reader) proposalOrRef {
	switch t := r.u8(); t {
	case 1:
		return proposalOrRef{proposal: readProposal(r)}
	case 2:
		return proposalOrRef{ref: r.vec()}
	default:
		r.fail(invalid("12.4", "unknown kind of proposal reference %d", t))
		return proposalOrRef{}
	}
}

func (p proposalOrRef) appendTo(b []byte) []byte {
	if p.proposal != nil {
		return appendProposal(append(b, 1), p.proposal)
	}
	return appendVec(append(b, 2), p.ref)
}

// commit is the content of a Commit (RFC 9420, Section 12.4).
type commit struct {
	proposals []proposalOrRef
	path      *updatePath // optional
}

func readCommit(r *reader) *commit {
	c := &commit{proposals: list(r, readProposalOrRef)}
	if r.optional() {
		c.path = readUpdatePath(r)
	}
	return c
}

// sizeHint is room enough for a commit of many Adds or of a long path: the
// other proposals are small.
func (c *commit) sizeHint() int {
	n := 64 * len(c.proposals)
	for _, p := range c.proposals {
		if add, ok := p.proposal.(*Add); ok {
			n += add.KeyPackage.sizeHint()
		}
	}
	if c.path != nil {
		n += c.path.sizeHint()
	}
	return n
}

func (c *commit) appendTo(b []byte) []byte {
	b = appendList(b, c.proposals)
	b = appendOptional(b, c.path != nil)
	if c.path != nil {
		b = c.path.appendTo(b)
	}
	return b
}

// updatePath is UpdatePath (RFC 9420, Section 7.6).
type updatePath struct {
	leaf  *LeafNode
	nodes []updatePathNode
}

type updatePathNode struct {
	encryptionKey []byte
	secrets       []hpkeCiphertext // one for each node of the copath node's resolution
}

func readUpdatePath(r *reader) *updatePath {
	return &updatePath{leaf: readLeafNode(r), nodes: list(r, func(r *reader) updatePathNode {
		return updatePathNode{encryptionKey: r.vec(), secrets: list(r, readHPKECiphertext)}
	})}
}

func (p *updatePath) sizeHint() int {
	n := p.leaf.sizeHint()
	for _, node := range p.nodes {
		n += len(node.encryptionKey) + 16
		for _, ct := range node.secrets {
			n += len(ct.kemOutput) + len(ct.ciphertext) + 8
		}
	}
	return n
}

func (p *updatePath) appendTo(b []byte) []byte {
	return appendList(p.leaf.appendTo(b), p.nodes)
}

func (n updatePathNode) appendTo(b []byte) []byte {
	return appendList(appendVec(b, n.encryptionKey), n.secrets)
}

// PSKType, and the usages of resumption PSKs (RFC 9420, Section 8.4).
type (
	PSKType            uint8
	ResumptionPSKUsage uint8
)

const (
	PSKExternal    PSKType = 1
	PSKResumption  PSKType = 2
	PSKApplication PSKType = 3 // draft-ietf-mls-extensions

	ResumptionApplication ResumptionPSKUsage = 1
	ResumptionReInit      ResumptionPSKUsage = 2
	ResumptionBranch      ResumptionPSKUsage = 3
)

// PreSharedKeyID names a PSK and the nonce it is injected with
// (RFC 9420, Section 8.4).
type PreSharedKeyID struct {
	Type      PSKType
	ID        []byte             // external and application
	Component ComponentID        // application
	Usage     ResumptionPSKUsage // resumption
	GroupID   []byte             // resumption
	Epoch     uint64             // resumption
	Nonce     []byte
}

func readPreSharedKeyID(r *reader) PreSharedKeyID {
	p := PreSharedKeyID{Type: PSKType(r.u8())}
	switch p.Type {
	case PSKExternal:
		p.ID = r.vec()
	case PSKResumption:
		p.Usage = ResumptionPSKUsage(r.u8())
		p.GroupID = r.vec()
		p.Epoch = r.u64()
	case PSKApplication:
		p.Component = ComponentID(r.u16())
		p.ID = r.vec()
	default:
		r.fail(invalid("8.4", "unknown PSK type %d", p.Type))
	}
	p.Nonce = r.vec()
	return p
}

func (p PreSharedKeyID) appendTo(b []byte) []byte {
	b = append(b, byte(p.Type))
	switch p.Type {
	case PSKExternal:
		b = appendVec(b, p.ID)
	case PSKApplication:
		b = appendVec(appendU16(b, uint16(p.Component)), p.ID)
	default:
		b = append(b, byte(p.Usage))
		b = appendVec(b, p.GroupID)
		b = appendU64(b, p.Epoch)
	}
	return appendVec(b, p.Nonce)
}
