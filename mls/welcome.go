package mls

import "errors"

// GroupInfo lets someone join: inside a Welcome, or by external commit
// (RFC 9420, Section 12.4.3).
type GroupInfo struct {
	Context         GroupContext
	Extensions      Extensions
	ConfirmationTag []byte
	Signer          LeafIndex
	Signature       []byte
}

func readGroupInfo(r *reader) *GroupInfo {
	return &GroupInfo{Context: readGroupContext(r), Extensions: readExtensions(r), ConfirmationTag: r.vec(),
		Signer: LeafIndex(r.u32()), Signature: r.vec()}
}

func (g *GroupInfo) tbs() []byte {
	b := g.Context.appendTo(nil)
	b = g.Extensions.appendTo(b)
	b = appendVec(b, g.ConfirmationTag)
	return appendU32(b, uint32(g.Signer))
}

func (g *GroupInfo) appendTo(b []byte) []byte { return appendVec(append(b, g.tbs()...), g.Signature) }

func (g *GroupInfo) sign(s *suite, private Secret) (err error) {
	g.Signature, err = s.signWithLabel(private, "GroupInfoTBS", g.tbs())
	return err
}

func (g *GroupInfo) verify(s *suite, public []byte) error {
	if !s.verifyWithLabel(public, "GroupInfoTBS", g.Signature, g.tbs()) {
		return invalid("12.4.3", "group info signature does not verify")
	}
	return nil
}

// ParseGroupInfo reads an MLSMessage that carries a GroupInfo: parsed, not verified.
func ParseGroupInfo(b []byte) (*GroupInfo, error) {
	m, err := ParseMessage(b)
	if err != nil {
		return nil, err
	}
	if m.groupInfo == nil {
		return nil, errors.New("mls: message is not a group info")
	}
	return m.groupInfo, nil
}

// Bytes gives the GroupInfo as an MLSMessage.
func (g *GroupInfo) Bytes() []byte { return marshal(&Message{Format: FormatGroupInfo, groupInfo: g}) }

// groupSecrets is GroupSecrets (RFC 9420, Section 12.4.3.1).
type groupSecrets struct {
	hidden
	joiner     Secret
	pathSecret Secret // nil when the commit had no path
	psks       []PreSharedKeyID
}

func readGroupSecrets(r *reader) groupSecrets {
	g := groupSecrets{joiner: r.vec()}
	if r.optional() {
		g.pathSecret = r.vec()
	}
	g.psks = list(r, readPreSharedKeyID)
	return g
}

// sizeHint is room enough: memory that grows leaves secrets behind where it was.
func (g groupSecrets) sizeHint() int {
	n := 16 + len(g.joiner) + len(g.pathSecret)
	for _, id := range g.psks {
		n += 32 + len(id.ID) + len(id.GroupID) + len(id.Nonce)
	}
	return n
}

func (g groupSecrets) appendTo(b []byte) []byte {
	b = appendVec(b, g.joiner)
	b = appendOptional(b, g.pathSecret != nil)
	if g.pathSecret != nil {
		b = appendVec(b, g.pathSecret)
	}
	return appendList(b, g.psks)
}

// encryptedGroupSecrets is EncryptedGroupSecrets (RFC 9420, Section 12.4.3.1).
type encryptedGroupSecrets struct {
	newMember []byte // KeyPackageRef
	secrets   hpkeCiphertext
}

func (e encryptedGroupSecrets) appendTo(b []byte) []byte {
	return e.secrets.appendTo(appendVec(b, e.newMember))
}

// welcome is Welcome (RFC 9420, Section 12.4.3.1).
type welcome struct {
	suite              CipherSuite
	secrets            []encryptedGroupSecrets
	encryptedGroupInfo []byte
}

func readWelcome(r *reader) *welcome {
	return &welcome{
		suite: CipherSuite(r.u16()),
		secrets: list(r, func(r *reader) encryptedGroupSecrets {
			return encryptedGroupSecrets{newMember: r.vec(), secrets: readHPKECiphertext(r)}
		}),
		encryptedGroupInfo: r.vec(),
	}
}

func (w *welcome) sizeHint() int {
	n := len(w.encryptedGroupInfo) + 16
	for _, e := range w.secrets {
		n += len(e.newMember) + len(e.secrets.kemOutput) + len(e.secrets.ciphertext) + 12
	}
	return n
}

func (w *welcome) appendTo(b []byte) []byte {
	b = appendU16(b, uint16(w.suite))
	b = appendList(b, w.secrets)
	return appendVec(b, w.encryptedGroupInfo)
}

// NewMembers names the KeyPackages, by [KeyPackage.Ref], that a Welcome is
// for. It is nil for other messages.
func (m *Message) NewMembers() [][]byte {
	if m.welcome == nil {
		return nil
	}
	refs := make([][]byte, len(m.welcome.secrets))
	for i, s := range m.welcome.secrets {
		refs[i] = s.newMember
	}
	return refs
}
