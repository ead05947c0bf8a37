package mls

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// Join enters a group by a Welcome (RFC 9420, Section 12.4.3.1). kp and
// secrets are those of the KeyPackage by which this client was added; tree is
// nil when the Welcome holds it. That the group's id is new to this client,
// and that its members are who they claim to be, is for the caller to check.
// Once the group is stored the caller must erase secrets.Init. now is for the
// application's [Authority] alone.
func Join(cfg Config, m *Message, kp *KeyPackage, secrets *KeyPackageSecrets, tree []byte, now time.Time) (*Group, error) {
	if m.welcome == nil {
		return nil, errors.New("mls: message is not a welcome")
	}
	s, err := kp.CipherSuite.suite()
	if err != nil {
		return nil, err
	}
	gs, err := m.welcome.open(s, kp, secrets)
	if err != nil {
		return nil, err
	}
	defer gs.erase()
	link, err := gs.checkPSKs(s)
	if err != nil {
		return nil, err
	}
	psk, err := lookUpPSKs(s, gs.psks, cfg.psk)
	if err != nil {
		return nil, err
	}
	defer psk.erase()
	gi, err := m.welcome.groupInfo(s, gs.joiner, psk)
	if err != nil {
		return nil, err
	}
	if gi.Context.CipherSuite != s.id {
		return nil, invalid("12.4.3.1", "group info and key package have different cipher suites")
	}
	p, err := NewPublicGroup(cfg, gi, tree, now)
	if err != nil {
		return nil, err
	}
	mine, err := p.enter(gs, gi, kp, secrets)
	if err != nil {
		return nil, err
	}
	mine.epoch = s.epochFromJoiner(gs.joiner, psk, p.encoded)
	if err := mine.epoch.checkConfirmationTag(s, gi.Context.ConfirmedTranscriptHash, gi.ConfirmationTag); err != nil {
		mine.signer.erase()
		mine.erase()
		return nil, err
	}
	g := newGroup(p, *mine)
	if link != nil {
		if err := g.checkLink(*link); err != nil {
			g.end()
			return nil, err
		}
	}
	return g, nil
}

// open decrypts the group secrets meant for this KeyPackage.
func (w *welcome) open(s *suite, kp *KeyPackage, secrets *KeyPackageSecrets) (*groupSecrets, error) {
	if w.suite != s.id {
		return nil, invalid("12.4.3.1", "welcome and key package have different cipher suites")
	}
	ref, err := kp.Ref()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(w.secrets, func(e encryptedGroupSecrets) bool { return bytes.Equal(e.newMember, ref) })
	if i < 0 {
		return nil, invalid("12.4.3.1", "welcome is for other key packages")
	}
	plaintext, err := s.decryptWithLabel(secrets.Init, "Welcome", w.encryptedGroupInfo, w.secrets[i].secrets)
	if err != nil {
		return nil, err
	}
	gs, err := parse(plaintext, "group secrets", readGroupSecrets)
	if err != nil {
		plaintext.erase()
		return nil, err
	}
	return &gs, nil
}

func (g *groupSecrets) erase() {
	g.joiner.erase()
	g.pathSecret.erase()
}

// checkPSKs checks the PSKs of a Welcome, and gives the one that links the
// group to an older one, if any.
func (g *groupSecrets) checkPSKs(s *suite) (link *PreSharedKeyID, err error) {
	for i, id := range g.psks {
		if len(id.Nonce) != s.nh {
			return nil, invalid("12.1.4", "psk_nonce has %d octets", len(id.Nonce))
		}
		if id.Type != PSKResumption || id.Usage == ResumptionApplication {
			continue
		}
		if link != nil {
			return nil, invalid("12.4.3.1", "welcome with more than one PSK for reinit or branch")
		}
		link = &g.psks[i]
	}
	return link, nil
}

func (w *welcome) groupInfo(s *suite, joiner, psk Secret) (*GroupInfo, error) {
	secret := s.welcomeSecret(joiner, psk)
	key, nonce := s.welcomeKeyNonce(secret)
	secret.erase()
	defer key.erase()
	plaintext, err := s.open(nil, key, nonce, nil, w.encryptedGroupInfo)
	if err != nil {
		return nil, err
	}
	return parse(plaintext, "group info", readGroupInfo)
}

// enter finds this client's leaf and takes over its keys.
func (p *PublicGroup) enter(gs *groupSecrets, gi *GroupInfo, kp *KeyPackage, secrets *KeyPackageSecrets) (*member, error) {
	want, own := marshal(kp.Leaf), LeafIndex(noLeaf)
	for i, l := range p.tree.leaves() {
		if bytes.Equal(l.EncryptionKey, kp.Leaf.EncryptionKey) && bytes.Equal(marshal(l), want) {
			own = i
			break
		}
	}
	if own == noLeaf {
		return nil, invalid("12.4.3.1", "the tree does not hold the key package's leaf")
	}
	if err := checkKeyPair(p.s, secrets, kp.Leaf); err != nil {
		return nil, err
	}
	m := &member{own: own, signer: slices.Clone(secrets.Signature), secrets: newTreeSecrets(slices.Clone(secrets.Encryption))}
	if gs.pathSecret == nil {
		return m, nil
	}
	if err := m.secrets.fromWelcome(p.s, p.tree, own, gi.Signer, gs.pathSecret); err != nil {
		m.signer.erase()
		m.secrets.erase()
		return nil, err
	}
	return m, nil
}

// checkKeyPair makes sure that the secrets are the leaf's.
func checkKeyPair(s *suite, secrets *KeyPackageSecrets, leaf *LeafNode) error {
	public, err := s.publicOf(secrets.Encryption)
	if err != nil {
		return err
	}
	if !bytes.Equal(public, leaf.EncryptionKey) {
		return errors.New("mls: the encryption key's secret is not the key package's")
	}
	return Signer{Public: leaf.SignatureKey, Private: secrets.Signature}.check(s)
}

// checkLink is the end of RFC 9420, Section 12.4.3.1.
func (g *Group) checkLink(old PreSharedKeyID) error {
	if g.public.ctx.Epoch != 1 {
		return invalid("12.4.3.1", "welcome for reinit or branch to epoch %d", g.public.ctx.Epoch)
	}
	if g.public.cfg.Successor == nil {
		return errors.New("mls: welcome continues another group, which this client does not expect")
	}
	return g.public.cfg.Successor(old, g)
}
