package mls

import (
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

// sealPrivate encrypts a member's signed content under the next key of the
// member's ratchet, which is spent even if an error comes back, into a whole
// MLSMessage. padding says how many zero octets to add to content of n octets;
// nil adds none.
func sealPrivate(s *suite, ac *authenticatedContent, tree *secretTree, senderDataSecret Secret, padding func(n int) int) ([]byte, error) {
	c := ac.content
	if c.sender.Type != SenderMember {
		return nil, errors.New("mls: only a member sends private messages") // RFC 9420, Section 6.3.2
	}
	w := getWorkspace()
	defer w.release()
	w.content = ac.appendPrivateContent(slices.Grow(w.content[:0], c.sizeHint()+len(ac.auth.signature)))
	pad := 0
	if padding != nil {
		pad = padding(len(w.content))
	}
	if pad < 0 || pad > maxPrivateContent-len(w.content) {
		return nil, fmt.Errorf("mls: message of %d octets with %d of padding", len(w.content), pad)
	}
	k, err := tree.next(c.sender.leaf(), ratchetFor(c.contentType))
	if err != nil {
		return nil, err
	}
	defer k.consume()
	sd := senderData{leaf: k.id.leaf, generation: k.generation}
	rand.Read(sd.reuseGuard[:]) // never fails since Go 1.24

	m := privateMessage{groupID: c.groupID, epoch: c.epoch, contentType: c.contentType, authenticatedData: c.authenticatedData}
	size := len(w.content) + pad + aeadOverhead
	b := m.appendHead(make([]byte, 0, m.sizeHint()+sealedSenderDataSize+size))
	// The ciphertext comes before the sender data in time and behind it in
	// place: its own length is known by now.
	b = appendLength(b, sealedSenderDataSize)
	at := len(b)
	b = appendLength(append(b, w.plaintext[:]...), size)
	m.encryptedSenderData = b[at : at+sealedSenderDataSize]
	plaintext := append(b[len(b):], w.content...)
	plaintext = plaintext[:len(plaintext)+pad] // new memory is zero
	if m.ciphertext, err = k.seal(s, w, &m, sd.reuseGuard, plaintext); err != nil {
		return nil, err
	}
	return b[:len(b)+len(m.ciphertext)], sd.seal(s, w, &m, senderDataSecret)
}

// protectPrivate is [sealPrivate] for who wants the message's parts.
func protectPrivate(s *suite, ac *authenticatedContent, tree *secretTree, senderDataSecret Secret, padding func(n int) int) (*privateMessage, error) {
	b, err := sealPrivate(s, ac, tree, senderDataSecret, padding)
	if err != nil {
		return nil, err
	}
	m, err := ParseMessage(b)
	if err != nil {
		return nil, err
	}
	return m.private, nil
}

// seal encrypts a message's plaintext in its place.
func (k *messageKey) seal(s *suite, w *workspace, m *privateMessage, guard [4]byte, plaintext []byte) ([]byte, error) {
	w.aad = m.appendAAD(w.aad[:0])
	return s.seal(plaintext[:0], k.key, w.guarded(k.nonce, guard), w.aad, plaintext)
}

// guarded mixes the reuse guard into a nonce (RFC 9420, Section 6.3.1).
func (w *workspace) guarded(nonce []byte, guard [4]byte) []byte {
	copy(w.nonce[:], nonce)
	for i, g := range guard {
		w.nonce[i] ^= g
	}
	return w.nonce[:]
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
	plaintext, k, err := m.decrypt(s, tree, sd)
	if err != nil {
		return nil, nil, err
	}
	ac, err := m.parseContent(plaintext, sd.leaf)
	if err != nil {
		k.discard()
		return nil, nil, err
	}
	return ac, k.consume, nil
}

// decrypt gives a message's plaintext, and the key for the caller to consume or
// to discard.
func (m *privateMessage) decrypt(s *suite, tree *secretTree, sd senderData) ([]byte, *messageKey, error) {
	k, err := tree.at(sd.leaf, ratchetFor(m.contentType), sd.generation)
	if err != nil {
		return nil, nil, err
	}
	w := getWorkspace()
	defer w.release()
	w.aad = m.appendAAD(w.aad[:0])
	plaintext, err := s.open(nil, k.key, w.guarded(k.nonce, sd.reuseGuard), w.aad, m.ciphertext)
	if err != nil {
		k.discard()
		return nil, nil, err
	}
	return plaintext, k, nil
}

// appendPrivateContent appends PrivateMessageContent (RFC 9420, Section 6.3.1)
// without its padding.
func (a *authenticatedContent) appendPrivateContent(b []byte) []byte {
	return a.auth.append(a.content.appendBody(b), a.content.contentType)
}

// aeadOverhead is the length of the tag of every suite's AEAD.
const aeadOverhead = 16

func (m *privateMessage) parseContent(plaintext []byte, sender LeafIndex) (*authenticatedContent, error) {
	c := &framedContent{}
	auth, err := m.readContent(c, plaintext, sender)
	if err != nil {
		return nil, err
	}
	return &authenticatedContent{format: FormatPrivateMessage, content: c, auth: auth}, nil
}

// readContent reads PrivateMessageContent into c, and puts back the framing
// that is outside of it.
func (m *privateMessage) readContent(c *framedContent, plaintext []byte, sender LeafIndex) (contentAuth, error) {
	*c = framedContent{groupID: m.groupID, epoch: m.epoch, sender: Sender{SenderMember, uint32(sender)},
		authenticatedData: m.authenticatedData, contentType: m.contentType}
	r := reader{b: plaintext}
	c.readBody(&r)
	auth := readContentAuth(&r, m.contentType)
	if r.err != nil {
		return auth, fmt.Errorf("parsing private message content: %w", r.err)
	}
	return auth, checkPadding(r.b)
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

// appendAAD appends PrivateContentAAD (RFC 9420, Section 6.3.1).
func (m *privateMessage) appendAAD(b []byte) []byte {
	return appendVec(m.appendSenderDataAAD(b), m.authenticatedData)
}

// appendSenderDataAAD appends SenderDataAAD (RFC 9420, Section 6.3.2).
func (m *privateMessage) appendSenderDataAAD(b []byte) []byte {
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

const (
	senderDataSize       = 4 + 4 + 4
	sealedSenderDataSize = senderDataSize + aeadOverhead
)

// seal encrypts the sender data into its place in a message.
func (d *senderData) seal(s *suite, w *workspace, m *privateMessage, secret Secret) error {
	w.deriveSenderData(s, secret, m)
	b := appendU32(w.plaintext[:0], uint32(d.leaf))
	b = appendU32(b, d.generation)
	b = append(b, d.reuseGuard[:]...)
	_, err := s.seal(m.encryptedSenderData[:0], w.key[:s.nk], w.nonce[:], w.aad, b)
	return err
}

// senderData decrypts who sent the message and with which key. It says nothing
// about who is entitled to: the leaf may be blank, or outside of the tree.
func (m *privateMessage) senderData(s *suite, secret Secret) (senderData, error) {
	if len(m.encryptedSenderData) != sealedSenderDataSize {
		return senderData{}, errDecrypt
	}
	w := getWorkspace()
	defer w.release()
	w.deriveSenderData(s, secret, m)
	b, err := s.open(w.plaintext[:0], w.key[:s.nk], w.nonce[:], w.aad, m.encryptedSenderData)
	if err != nil {
		return senderData{}, err
	}
	r := reader{b: b} // of the right length
	d := senderData{leaf: LeafIndex(r.u32()), generation: r.u32()}
	copy(d.reuseGuard[:], r.fixed(len(d.reuseGuard)))
	return d, nil
}

// deriveSenderData derives from a sample of the ciphertext what the sender data
// is encrypted with (RFC 9420, Section 6.3.2), into the workspace.
func (w *workspace) deriveSenderData(s *suite, secret Secret, m *privateMessage) {
	sample := m.ciphertext[:min(len(m.ciphertext), s.nh)]
	s.expandWithLabelInto(w.key[:s.nk], secret, "key", sample)
	s.expandWithLabelInto(w.nonce[:s.nn], secret, "nonce", sample)
	w.aad = m.appendSenderDataAAD(w.aad[:0])
}
