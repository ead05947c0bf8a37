package mls

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// PrivateMessage: content that is authenticated and encrypted
// (RFC 9420, Section 6.3).

// maxPrivateContent bounds content with its padding: far above any message
// that is delivered, and below what the length header of a vector can name.
const maxPrivateContent = 1 << 28

// protectPrivate encrypts a member's signed content under the next key of the
// member's ratchet, which is spent even if an error comes back. padding says
// how many zero octets to add to content of n octets; nil adds none.
func protectPrivate(s *suite, ac *authenticatedContent, tree *secretTree, senderDataSecret Secret, padding func(n int) int) (*privateMessage, error) {
	c := ac.content
	if c.sender.Type != SenderMember {
		return nil, errors.New("mls: only a member sends private messages") // RFC 9420, Section 6.3.2
	}
	plaintext, err := privateContent(ac, padding)
	if err != nil {
		return nil, err
	}
	sd := senderData{leaf: c.sender.leaf()}
	rand.Read(sd.reuseGuard[:]) // never fails since Go 1.24
	generation, key, nonce, err := tree.next(sd.leaf, ratchetFor(c.contentType))
	if err != nil {
		return nil, err
	}
	defer key.erase()
	sd.generation = generation
	sd.guard(nonce)

	m := &privateMessage{groupID: c.groupID, epoch: c.epoch, contentType: c.contentType, authenticatedData: c.authenticatedData}
	a, err := s.newAEAD(key)
	if err != nil {
		return nil, err
	}
	m.ciphertext = a.Seal(plaintext[:0], nonce, plaintext, m.aad())
	m.encryptedSenderData, err = sd.seal(s, m, senderDataSecret)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// unprotectPrivate decrypts a message. Its signature has not been checked: who
// has checked it calls consume, which erases the message key. Until then, and
// after an error, tree is as it was, so that nobody can use up a key that is
// not theirs with a message that is not authentic.
//
// The content shares the group id and the authenticated data of m, which is not
// written to; the rest is its own.
func unprotectPrivate(s *suite, m *privateMessage, tree *secretTree, senderDataSecret Secret) (ac *authenticatedContent, consume func(), err error) {
	sd, err := m.senderData(s, senderDataSecret)
	if err != nil {
		return nil, nil, err
	}
	return m.open(s, tree, sd)
}

// open decrypts a message whose sender data is known.
func (m *privateMessage) open(s *suite, tree *secretTree, sd senderData) (*authenticatedContent, func(), error) {
	k, err := tree.at(sd.leaf, ratchetFor(m.contentType), sd.generation)
	if err != nil {
		return nil, nil, err
	}
	nonce := bytes.Clone(k.nonce)
	sd.guard(nonce)
	plaintext, err := s.open(k.key, nonce, m.aad(), m.ciphertext)
	if err != nil {
		return nil, nil, err
	}
	ac, err := m.parseContent(plaintext, sd.leaf)
	if err != nil {
		return nil, nil, err
	}
	return ac, k.consume, nil
}

// privateContent is PrivateMessageContent (RFC 9420, Section 6.3.1), with room
// for the AEAD's tag behind it.
func privateContent(ac *authenticatedContent, padding func(n int) int) ([]byte, error) {
	t := ac.content.contentType
	b := make([]byte, 0, ac.content.sizeHint()+len(ac.auth.signature)+aeadOverhead)
	b = ac.auth.append(ac.content.appendBody(b), t)
	pad := 0
	if padding != nil {
		pad = padding(len(b))
	}
	if pad < 0 || pad > maxPrivateContent-len(b) {
		return nil, fmt.Errorf("mls: message of %d octets with %d of padding", len(b), pad)
	}
	b = slices.Grow(b, pad+aeadOverhead)
	return append(b, make([]byte, pad)...), nil
}

// aeadOverhead is the length of the tag of every suite's AEAD.
const aeadOverhead = 16

// parseContent reads PrivateMessageContent, and puts back the framing that is
// outside of it.
func (m *privateMessage) parseContent(plaintext []byte, sender LeafIndex) (*authenticatedContent, error) {
	c := &framedContent{groupID: m.groupID, epoch: m.epoch, sender: Sender{SenderMember, uint32(sender)},
		authenticatedData: m.authenticatedData, contentType: m.contentType}
	r := reader{b: plaintext}
	c.readBody(&r)
	auth := readContentAuth(&r, m.contentType)
	if r.err != nil {
		return nil, fmt.Errorf("parsing private message content: %w", r.err)
	}
	if err := checkPadding(r.b); err != nil {
		return nil, err
	}
	return &authenticatedContent{format: FormatPrivateMessage, content: c, auth: auth}, nil
}

// checkPadding: padding is zero, lest it be a covert channel
// (RFC 9420, Section 6.3.1).
func checkPadding(padding []byte) error {
	for _, b := range padding {
		if b != 0 {
			return invalid("6.3.1", "padding is not all zero")
		}
	}
	return nil
}

// aad is PrivateContentAAD (RFC 9420, Section 6.3.1).
func (m *privateMessage) aad() []byte {
	return appendVec(m.senderDataAAD(len(m.authenticatedData)+4), m.authenticatedData)
}

// senderDataAAD is SenderDataAAD (RFC 9420, Section 6.3.2), with room for more.
func (m *privateMessage) senderDataAAD(room int) []byte {
	b := make([]byte, 0, len(m.groupID)+13+room)
	b = appendVec(b, m.groupID)
	b = appendU64(b, m.epoch)
	return append(b, byte(m.contentType))
}

// senderData is SenderData (RFC 9420, Section 6.3.2): whose key a message is
// under.
type senderData struct {
	leaf       LeafIndex
	generation uint32
	reuseGuard [4]byte
}

// guard mixes the reuse guard into a nonce (RFC 9420, Section 6.3.1).
func (d *senderData) guard(nonce []byte) {
	for i, g := range d.reuseGuard {
		nonce[i] ^= g
	}
}

func (d *senderData) seal(s *suite, m *privateMessage, secret Secret) ([]byte, error) {
	key, nonce := senderDataKey(s, secret, m.ciphertext)
	defer key.erase()
	b := make([]byte, 0, 12+aeadOverhead)
	b = appendU32(b, uint32(d.leaf))
	b = appendU32(b, d.generation)
	b = append(b, d.reuseGuard[:]...)
	a, err := s.newAEAD(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(b[:0], nonce, b, m.senderDataAAD(0)), nil
}

// senderData decrypts who sent the message and with which key. It says nothing
// about who is entitled to: the leaf may be blank, or outside of the tree.
func (m *privateMessage) senderData(s *suite, secret Secret) (senderData, error) {
	key, nonce := senderDataKey(s, secret, m.ciphertext)
	defer key.erase()
	b, err := s.open(key, nonce, m.senderDataAAD(0), m.encryptedSenderData)
	if err != nil {
		return senderData{}, err
	}
	return parse(b, "sender data", func(r *reader) senderData {
		d := senderData{leaf: LeafIndex(r.u32()), generation: r.u32()}
		copy(d.reuseGuard[:], r.fixed(len(d.reuseGuard)))
		return d
	})
}

// senderDataKey derives from a sample of the ciphertext (RFC 9420, Section 6.3.2).
func senderDataKey(s *suite, secret Secret, ciphertext []byte) (key Secret, nonce []byte) {
	sample := ciphertext[:min(len(ciphertext), s.nh)]
	return s.expandWithLabel(secret, "key", sample, s.nk), s.expandWithLabel(secret, "nonce", sample, s.nn)
}
