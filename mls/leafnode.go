package mls

import (
	"errors"
	"slices"
	"time"
)

// CredentialType names how a credential is to be read (RFC 9420, Section 17.5).
type CredentialType uint16

const (
	CredentialBasic CredentialType = 1
	CredentialX509  CredentialType = 2
)

// Credential says who a leaf claims to be (RFC 9420, Section 5.3). The claim is
// the application's to judge, by its [Authority] or its [Rules]. Identity is the
// content of a basic credential and of every type other than X.509.
type Credential struct {
	Type         CredentialType
	Identity     []byte
	Certificates [][]byte // X.509 only, leaf first, DER
}

func readCredential(r *reader) Credential {
	c := Credential{Type: CredentialType(r.u16())}
	if c.Type == CredentialX509 {
		c.Certificates = list(r, (*reader).vec)
	} else {
		c.Identity = r.vec()
	}
	return c
}

func (c Credential) appendTo(b []byte) []byte {
	b = appendU16(b, uint16(c.Type))
	if c.Type != CredentialX509 {
		return appendVec(b, c.Identity)
	}
	return appendNested(b, func(b []byte) []byte {
		for _, der := range c.Certificates {
			b = appendVec(b, der)
		}
		return b
	})
}

func (c Credential) equal(o Credential) bool {
	return c.Type == o.Type && slices.Equal(c.appendTo(nil), o.appendTo(nil))
}

// Capabilities is what a leaf's client understands (RFC 9420, Section 7.2).
type Capabilities struct {
	Versions     []uint16
	CipherSuites []CipherSuite
	Extensions   []ExtensionType
	Proposals    []ProposalType
	Credentials  []CredentialType
}

func readCapabilities(r *reader) Capabilities {
	return Capabilities{
		Versions:     listIDs[uint16](r),
		CipherSuites: listIDs[CipherSuite](r),
		Extensions:   listIDs[ExtensionType](r),
		Proposals:    listIDs[ProposalType](r),
		Credentials:  listIDs[CredentialType](r),
	}
}

func (c Capabilities) appendTo(b []byte) []byte {
	b = appendIDs(b, c.Versions)
	b = appendIDs(b, c.CipherSuites)
	b = appendIDs(b, c.Extensions)
	b = appendIDs(b, c.Proposals)
	return appendIDs(b, c.Credentials)
}

func appendIDs[T ~uint16](b []byte, ids []T) []byte {
	b = appendLength(b, 2*len(ids))
	for _, v := range ids {
		b = appendU16(b, uint16(v))
	}
	return b
}

// Lifetime bounds when a KeyPackage's leaf may be added (RFC 9420, Section 7.2).
// Both ends are Unix seconds.
type Lifetime struct{ NotBefore, NotAfter uint64 }

// contains reports whether t is inside, ends included.
func (l Lifetime) contains(t time.Time) bool {
	s := t.Unix()
	return s >= 0 && uint64(s) >= l.NotBefore && uint64(s) <= l.NotAfter
}

// LeafNodeSource says how a leaf came into the tree (RFC 9420, Section 7.2).
type LeafNodeSource uint8

const (
	LeafFromKeyPackage LeafNodeSource = 1
	LeafFromUpdate     LeafNodeSource = 2
	LeafFromCommit     LeafNodeSource = 3
)

// LeafNode is one member's client (RFC 9420, Section 7.2).
type LeafNode struct {
	EncryptionKey []byte
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafNodeSource
	Lifetime      Lifetime // LeafFromKeyPackage only
	ParentHash    []byte   // LeafFromCommit only
	Extensions    Extensions
	Signature     []byte
}

func readLeafNode(r *reader) *LeafNode {
	l := &LeafNode{
		EncryptionKey: r.vec(),
		SignatureKey:  r.vec(),
		Credential:    readCredential(r),
		Capabilities:  readCapabilities(r),
		Source:        LeafNodeSource(r.u8()),
	}
	switch l.Source {
	case LeafFromKeyPackage:
		l.Lifetime = Lifetime{NotBefore: r.u64(), NotAfter: r.u64()}
	case LeafFromUpdate:
	case LeafFromCommit:
		l.ParentHash = r.vec()
	default:
		r.fail(invalid("7.2", "unknown leaf node source %d", l.Source))
	}
	l.Extensions = readExtensions(r)
	l.Signature = r.vec()
	return l
}

func (l *LeafNode) appendUnsigned(b []byte) []byte {
	b = appendVec(b, l.EncryptionKey)
	b = appendVec(b, l.SignatureKey)
	b = l.Credential.appendTo(b)
	b = l.Capabilities.appendTo(b)
	b = append(b, byte(l.Source))
	switch l.Source {
	case LeafFromKeyPackage:
		b = appendU64(b, l.Lifetime.NotBefore)
		b = appendU64(b, l.Lifetime.NotAfter)
	case LeafFromCommit:
		b = appendVec(b, l.ParentHash)
	}
	return l.Extensions.appendTo(b)
}

// sizeHint is room enough for a leaf with few capabilities and extensions.
func (l *LeafNode) sizeHint() int {
	return len(l.EncryptionKey) + len(l.SignatureKey) + len(l.Credential.Identity) + len(l.ParentHash) + len(l.Signature) + 256
}

func (l *LeafNode) appendTo(b []byte) []byte {
	return appendVec(l.appendUnsigned(b), l.Signature)
}

// tbs is LeafNodeTBS. A leaf of source update or commit is bound to its group
// and place; one from a KeyPackage is not.
func (l *LeafNode) tbs(groupID []byte, leaf LeafIndex) []byte {
	b := l.appendUnsigned(make([]byte, 0, l.sizeHint()+len(groupID)+8))
	if l.Source != LeafFromKeyPackage {
		b = appendVec(b, groupID)
		b = appendU32(b, uint32(leaf))
	}
	return b
}

func (l *LeafNode) sign(s *suite, private Secret, groupID []byte, leaf LeafIndex) (err error) {
	l.Signature, err = s.signWithLabel(private, "LeafNodeTBS", l.tbs(groupID, leaf))
	return err
}

func (l *LeafNode) verify(s *suite, groupID []byte, leaf LeafIndex) error {
	if !s.verifyWithLabel(l.SignatureKey, "LeafNodeTBS", l.Signature, l.tbs(groupID, leaf)) {
		return invalid("7.3", "leaf node signature does not verify")
	}
	return nil
}

// LeafIndex counts leaves from the left, blank ones too.
type LeafIndex uint32

// KeyPackage invites whoever holds it to add its client (RFC 9420, Section 10).
type KeyPackage struct {
	Version     uint16
	CipherSuite CipherSuite
	InitKey     []byte
	Leaf        *LeafNode
	Extensions  Extensions
	Signature   []byte
}

const versionMLS10 = 1

func readKeyPackage(r *reader) *KeyPackage {
	return &KeyPackage{
		Version:     r.u16(),
		CipherSuite: CipherSuite(r.u16()),
		InitKey:     r.vec(),
		Leaf:        readLeafNode(r),
		Extensions:  readExtensions(r),
		Signature:   r.vec(),
	}
}

func (k *KeyPackage) tbs() []byte { return k.appendUnsigned(make([]byte, 0, k.sizeHint())) }

// sizeHint is room enough for a key package with few extensions.
func (k *KeyPackage) sizeHint() int {
	return len(k.InitKey) + k.Leaf.sizeHint() + len(k.Signature) + 64
}

func (k *KeyPackage) appendUnsigned(b []byte) []byte {
	b = appendU16(b, k.Version)
	b = appendU16(b, uint16(k.CipherSuite))
	b = appendVec(b, k.InitKey)
	b = k.Leaf.appendTo(b)
	return k.Extensions.appendTo(b)
}

func (k *KeyPackage) appendTo(b []byte) []byte {
	return appendVec(k.appendUnsigned(b), k.Signature)
}

// ParseKeyPackage reads an MLSMessage that carries a KeyPackage. What it gives
// is parsed, not verified: see [KeyPackage.Verify].
func ParseKeyPackage(b []byte) (*KeyPackage, error) {
	m, err := ParseMessage(b)
	if err != nil {
		return nil, err
	}
	if m.keyPackage == nil {
		return nil, errors.New("mls: message is not a key package")
	}
	return m.keyPackage, nil
}

// Bytes gives the KeyPackage as an MLSMessage.
func (k *KeyPackage) Bytes() []byte {
	return marshal(&Message{Format: FormatKeyPackage, keyPackage: k})
}

// Ref names the KeyPackage (RFC 9420, Section 5.2).
func (k *KeyPackage) Ref() ([]byte, error) {
	s, err := k.CipherSuite.suite()
	if err != nil {
		return nil, err
	}
	return s.refHash("MLS 1.0 KeyPackage Reference", marshal(k)), nil
}

// Verify checks the KeyPackage as RFC 9420, Section 10.1, asks, but for the
// credential, which is the application's to judge, and what depends on a group.
func (k *KeyPackage) Verify(now time.Time) error {
	s, err := k.CipherSuite.suite()
	if err != nil {
		return err
	}
	if !k.Leaf.Lifetime.contains(now) {
		return invalid("7.3", "key package is outside its lifetime")
	}
	if err := k.verify(s); err != nil {
		return err
	}
	return k.Leaf.checkAlone(s)
}

// verify checks everything but the lifetime: a receiver who replays a log
// meets key packages that have expired since.
func (k *KeyPackage) verify(s *suite) error {
	switch {
	case k.Version != versionMLS10:
		return invalid("10.1", "key package has protocol version %d", k.Version)
	case k.CipherSuite != s.id:
		return invalid("10.1", "key package is for the suite %v", k.CipherSuite)
	case k.Leaf.Source != LeafFromKeyPackage:
		return invalid("10.1", "leaf node of a key package has source %d", k.Leaf.Source)
	case slices.Equal(k.InitKey, k.Leaf.EncryptionKey):
		return invalid("10.1", "init key and encryption key are the same")
	}
	if err := s.checkPublicKey(k.InitKey); err != nil {
		return err
	}
	if err := k.Leaf.verify(s, nil, 0); err != nil {
		return err
	}
	if !s.verifyWithLabel(k.Leaf.SignatureKey, "KeyPackageTBS", k.Signature, k.tbs()) {
		return invalid("10.1", "key package signature does not verify")
	}
	for _, e := range k.Extensions {
		if !e.Type.isDefault() && !slices.Contains(k.Leaf.Capabilities.Extensions, e.Type) {
			return invalid("10", "key package has extension %d, which its leaf does not list", e.Type)
		}
	}
	return nil
}

func (k *KeyPackage) sign(s *suite, private Secret) (err error) {
	k.Signature, err = s.signWithLabel(private, "KeyPackageTBS", k.tbs())
	return err
}
