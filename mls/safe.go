package mls

import (
	"bytes"
	"fmt"
)

// The Safe Application Interface (draft-ietf-mls-extensions) lends MLS's own key
// pairs to components of an application. What one component signs or seals
// under a label says nothing to another, nor to MLS, so that none can lead the
// keys' owner to do what another's protocol means something by.
//
// A component signs by [Group.SafeSign], and anyone checks it by
// [CipherSuite.SafeVerify] with the key of the signer's leaf. Anyone seals by
// [CipherSuite.SafeEncrypt] to a member's leaf ([LeafNode].EncryptionKey), to all
// members of an epoch ([GroupInfo.ExternalPub]) or to the owner of a KeyPackage
// (its InitKey); members open it by [Group.SafeDecrypt].

// componentLabel is ComponentOperationLabel, which stands where MLS has a label.
func componentLabel(c ComponentID, label string) string {
	const base = "MLS Component"
	b := appendVec(make([]byte, 0, len(base)+len(label)+8), []byte(base))
	b = appendU16(b, uint16(c))
	return string(appendVec(b, []byte(label)))
}

// maxSafe bounds each of what is signed or sealed for a component.
const maxSafe = 1 << 28

func checkSafe(what string, parts ...int) error {
	for _, n := range parts {
		if n > maxSafe {
			return fmt.Errorf("mls: %s of %d octets for a component; the limit is %d", what, n, maxSafe)
		}
	}
	return nil
}

// SafeSign signs content for a component with the key of this member's leaf.
// The component is the one that asks: the caller lets no component sign under
// another's id. A key that [CommitOptions].Signer replaces signs no more,
// and what it signed is verified with the leaf of then.
func (g *Group) SafeSign(c ComponentID, label string, content []byte) ([]byte, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if err := checkSafe("content", len(label), len(content)); err != nil {
		return nil, err
	}
	k, err := g.signingKey()
	if err != nil {
		return nil, err
	}
	return k.signWithLabel(componentLabel(c, label), content)
}

// SafeVerify reports whether a signature over content is one that the owner of
// public, a [LeafNode].SignatureKey, made for the component and label. It is
// not if the suite is unknown or public is no key of it.
func (cs CipherSuite) SafeVerify(public []byte, c ComponentID, label string, content, signature []byte) bool {
	s, err := cs.suite()
	if err != nil || checkSafe("content", len(label), len(content)) != nil {
		return false
	}
	return s.verifyWithLabel(public, componentLabel(c, label), signature, content)
}

// SafeEncrypt seals a plaintext to the owner of an encryption key of the suite,
// for the component and label. Who opens it must give the same context, which
// may be nil and is not part of the result: an encoded HPKECiphertext
// (RFC 9420, Section 7.6). A key that is none gives an [InvalidError].
func (cs CipherSuite) SafeEncrypt(public []byte, c ComponentID, label string, context, plaintext []byte) ([]byte, error) {
	s, err := cs.suite()
	if err != nil {
		return nil, err
	}
	if err := checkSafe("plaintext", len(label), len(context), len(plaintext)); err != nil {
		return nil, err
	}
	ct, err := s.encryptWithLabel(public, encryptContext(componentLabel(c, label), context), plaintext)
	if err != nil {
		return nil, err
	}
	return marshal(ct), nil
}

// SafeDecrypt opens what [CipherSuite.SafeEncrypt] gave with a private key that
// the caller holds, such as [KeyPackageSecrets].Init. The plaintext is the
// caller's. [ErrCannotDecrypt] says that it was sealed to another key, or for
// another component, label or context.
func (cs CipherSuite) SafeDecrypt(private Secret, c ComponentID, label string, context, sealed []byte) (Secret, error) {
	s, err := cs.suite()
	if err != nil {
		return nil, err
	}
	if err := checkSafe("context", len(label), len(context)); err != nil {
		return nil, err
	}
	ct, err := parse(sealed, "sealed data of a component", readHPKECiphertext)
	if err != nil {
		return nil, err
	}
	return s.decryptWithLabel(private, componentLabel(c, label), context, ct)
}

// SafeDecrypt opens what was sealed to public with the private half, which a
// member holds of its own leaf's key, of parents above it, and of the epoch's
// external key. Of any other key, and of keys that were replaced since, it gives
// [ErrCannotDecrypt]; the rest is as for [CipherSuite.SafeDecrypt].
func (g *Group) SafeDecrypt(public []byte, c ComponentID, label string, context, sealed []byte) (Secret, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if len(public) == 0 { // as blank nodes have it
		return nil, ErrCannotDecrypt
	}
	cs := g.public.ctx.CipherSuite
	if bytes.Equal(public, g.public.tree.encryptionKey(g.own.node())) {
		return cs.SafeDecrypt(g.secrets.leaf, c, label, context, sealed)
	}
	for n, private := range g.secrets.private {
		if bytes.Equal(public, g.public.tree.encryptionKey(n)) {
			return cs.SafeDecrypt(private, c, label, context, sealed)
		}
	}
	private, externalPub, err := g.epoch.externalKeyPair(g.public.s)
	if err != nil {
		return nil, err
	}
	defer private.erase()
	if !bytes.Equal(public, externalPub) {
		return nil, ErrCannotDecrypt
	}
	return cs.SafeDecrypt(private, c, label, context, sealed)
}
