package mls

import (
	"crypto/hpke"
	"fmt"
)

// epochSecrets is what an epoch's secret gives (RFC 9420, Section 8). The
// joiner secret, the epoch secret and the commit secret are consumed in making
// it and are not kept (RFC 9420, Section 9.2).
type epochSecrets struct {
	hidden
	senderData Secret
	encryption Secret // nil once the secret tree has taken it over
	// applicationExport is of draft-ietf-mls-extensions; nil once the exporter
	// tree has taken it over.
	applicationExport Secret
	exporter          Secret
	external          Secret
	confirmation      Secret
	membership        Secret
	resumption        Secret
	authenticator     Secret
	init              Secret
}

// nextEpoch derives the epoch that a commit opens. ctx is the encoded
// GroupContext of the new epoch; commitSecret is all zero for a commit without
// a path, pskSecret without PSKs. The joiner secret is for Welcomes, and the
// caller's to erase; so are its arguments.
func (s *suite) nextEpoch(init, commitSecret, pskSecret Secret, ctx []byte) (joiner Secret, e *epochSecrets) {
	extracted := s.extract(init, commitSecret)
	joiner = s.expandWithLabel(extracted, "joiner", ctx, s.nh)
	extracted.erase()
	return joiner, s.epochFromJoiner(joiner, pskSecret, ctx)
}

// epochFromJoiner derives the epoch that a Welcome leads into.
func (s *suite) epochFromJoiner(joiner, pskSecret Secret, ctx []byte) *epochSecrets {
	member := s.extract(joiner, pskSecret)
	epoch := s.expandWithLabel(member, "epoch", ctx, s.nh)
	member.erase()
	e := s.epochFromSecret(epoch)
	epoch.erase()
	return e
}

// epochFromSecret derives everything from the epoch secret itself, which only
// the creator of a group chooses (RFC 9420, Section 11).
func (s *suite) epochFromSecret(epoch Secret) *epochSecrets {
	return &epochSecrets{
		senderData: s.deriveSecret(epoch, "sender data"),
		encryption: s.deriveSecret(epoch, "encryption"),

		applicationExport: s.deriveSecret(epoch, "application_export"),
		exporter:          s.deriveSecret(epoch, "exporter"),
		external:          s.deriveSecret(epoch, "external"),
		confirmation:      s.deriveSecret(epoch, "confirm"),
		membership:        s.deriveSecret(epoch, "membership"),
		resumption:        s.deriveSecret(epoch, "resumption"),
		authenticator:     s.deriveSecret(epoch, "authentication"),
		init:              s.deriveSecret(epoch, "init"),
	}
}

// welcomeSecret protects the GroupInfo in a Welcome (RFC 9420, Section 8).
func (s *suite) welcomeSecret(joiner, pskSecret Secret) Secret {
	member := s.extract(joiner, pskSecret)
	defer member.erase()
	return s.deriveSecret(member, "welcome")
}

// welcomeKeyNonce is how a welcome secret is used (RFC 9420, Section 12.4.3.1).
func (s *suite) welcomeKeyNonce(welcomeSecret Secret) (key Secret, nonce []byte) {
	return s.expandWithLabel(welcomeSecret, "key", nil, s.nk), s.expandWithLabel(welcomeSecret, "nonce", nil, s.nn)
}

// confirmationTag shows that members agree on the epoch (RFC 9420, Section 6.1).
func (e *epochSecrets) confirmationTag(s *suite, confirmedTranscriptHash []byte) []byte {
	return s.mac(e.confirmation, confirmedTranscriptHash)
}

// checkConfirmationTag compares in constant time.
func (e *epochSecrets) checkConfirmationTag(s *suite, confirmedTranscriptHash, tag []byte) error {
	if !s.verifyMAC(e.confirmation, tag, confirmedTranscriptHash) {
		return invalid("6.1", "confirmation tag does not verify")
	}
	return nil
}

// maxExport is the longest secret that export can give.
func (s *suite) maxExport() int { return 255 * s.nh }

// export is MLS-Exporter (RFC 9420, Section 8.5). n is between 1 and maxExport.
func (e *epochSecrets) export(s *suite, label string, context []byte, n int) Secret {
	derived := s.deriveSecret(e.exporter, label)
	defer derived.erase()
	return s.expandWithLabel(derived, "exported", s.digest(context), n)
}

// externalKeyPair is the key pair that everyone in the group holds, for those
// who join by external commit (RFC 9420, Section 8).
func (e *epochSecrets) externalKeyPair(s *suite) (private Secret, public []byte, err error) {
	return s.deriveKeyPair(e.external)
}

// External initialisation (RFC 9420, Section 8.3): one who joins by external
// commit agrees with the group on an init secret through the external key.

const externalInitLabel = "MLS 1.0 external init secret"

func (s *suite) externalInitSender(externalPub []byte) (kemOutput []byte, init Secret, err error) {
	pub, err := s.kem.NewPublicKey(externalPub)
	if err != nil {
		return nil, nil, invalid("8.3", "external_pub is not a key of %v", s.id)
	}
	kemOutput, sender, err := hpke.NewSender(pub, s.kdf, s.aead, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("encapsulating to external_pub: %w", err)
	}
	init, err = sender.Export(externalInitLabel, s.nh)
	if err != nil {
		return nil, nil, fmt.Errorf("exporting the init secret: %w", err)
	}
	return kemOutput, init, nil
}

func (s *suite) externalInitReceiver(externalPriv Secret, kemOutput []byte) (Secret, error) {
	priv, err := s.kem.NewPrivateKey(externalPriv)
	if err != nil {
		return nil, fmt.Errorf("mls: external private key: %w", err)
	}
	r, err := hpke.NewRecipient(kemOutput, priv, s.kdf, s.aead, nil)
	if err != nil {
		return nil, invalid("8.3", "kem_output of external init is not an encapsulation")
	}
	init, err := r.Export(externalInitLabel, s.nh)
	if err != nil {
		return nil, fmt.Errorf("exporting the init secret: %w", err)
	}
	return init, nil
}

// kept lists what a member keeps, in the order of the record. The encryption
// secret is not in it: the secret tree has its own records, and erases it.
func (e *epochSecrets) kept() []*Secret {
	return []*Secret{&e.senderData, &e.exporter, &e.external, &e.confirmation, &e.membership,
		&e.resumption, &e.authenticator, &e.init}
}

const epochSecretsVersion = 1

func (e *epochSecrets) sizeHint() int { return 1 + len(e.kept())*(lengthSize(len(e.init))+len(e.init)) }

// appendTo appends the record of what a member keeps.
func (e *epochSecrets) appendTo(b []byte) []byte {
	b = append(b, epochSecretsVersion)
	for _, secret := range e.kept() {
		b = appendVec(b, *secret)
	}
	return b
}

func parseEpochSecrets(s *suite, b []byte) (*epochSecrets, error) {
	return parse(b, "record of epoch secrets", func(r *reader) *epochSecrets {
		r.version(epochSecretsVersion)
		e := &epochSecrets{}
		for _, secret := range e.kept() {
			*secret = r.secret(s.nh)
		}
		return e
	})
}

// erase overwrites everything the epoch holds.
func (e *epochSecrets) erase() {
	for _, secret := range append(e.kept(), &e.encryption, &e.applicationExport) {
		secret.erase()
		*secret = nil
	}
}
