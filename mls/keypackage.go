package mls

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// CredentialDevice is the private credential type whose identity names a
// user's device. What it holds is the application's to say.
const CredentialDevice CredentialType = 0xFA01

// Signer is how a client signs: the credential it shows, and the key pair that
// the credential speaks for. A group that gets one has its own copy of Private.
type Signer struct {
	Credential Credential
	Public     []byte
	Private    Secret
}

func (Signer) Format(f fmt.State, verb rune) { hidden{}.Format(f, verb) }
func (Signer) LogValue() slog.Value          { return hidden{}.LogValue() }

// check makes sure that the halves belong together, so that a mix-up shows
// before anything is sent.
func (s Signer) check(suite *suite) error {
	public, err := suite.sig.public(s.Private)
	if err != nil {
		return fmt.Errorf("mls: signer: %w", err)
	}
	if !slices.Equal(public, s.Public) {
		return errors.New("mls: signer: the public key is not the private key's")
	}
	return nil
}

// KeyPackageOptions is what a KeyPackage says beyond its keys.
type KeyPackageOptions struct {
	Lifetime       Lifetime
	Capabilities   Capabilities // the zero value means [DefaultCapabilities]
	LeafExtensions Extensions
	Extensions     Extensions
	LastResort     bool          // it may be used more than once, when all others are gone
	NoGREASE       bool          // leave out the meaningless values that keep others tolerant
	Components     []ComponentID // that the application understands, beside this package's own
}

// KeyPackageSecrets are the private keys of a KeyPackage. Init must be erased
// once a Welcome used it.
type KeyPackageSecrets struct{ Init, Encryption, Signature Secret }

func (KeyPackageSecrets) Format(f fmt.State, verb rune) { hidden{}.Format(f, verb) }
func (KeyPackageSecrets) LogValue() slog.Value          { return hidden{}.LogValue() }

const keyPackageSecretsVersion = 1

// Bytes gives a copy of the secrets as a record for the caller's sealed store.
func (k *KeyPackageSecrets) Bytes() Secret {
	b := make([]byte, 0, 1+3*4+len(k.Init)+len(k.Encryption)+len(k.Signature))
	b = append(b, keyPackageSecretsVersion)
	b = appendVec(b, k.Init)
	b = appendVec(b, k.Encryption)
	return appendVec(b, k.Signature)
}

// ParseKeyPackageSecrets reads what Bytes gave. The secrets are in the memory of
// b: who erases the ones erases the others.
func ParseKeyPackageSecrets(b []byte) (*KeyPackageSecrets, error) {
	return parse(b, "key package secrets", func(r *reader) *KeyPackageSecrets {
		r.version(keyPackageSecretsVersion)
		return &KeyPackageSecrets{Init: r.vec(), Encryption: r.vec(), Signature: r.vec()}
	})
}

// DefaultCapabilities is what this implementation understands.
func DefaultCapabilities() Capabilities {
	return Capabilities{
		Versions:     []uint16{versionMLS10},
		CipherSuites: Suites(),
		Extensions:   []ExtensionType{ExtensionAppDataDictionary},
		Proposals:    []ProposalType{ProposalAppDataUpdate, ProposalAppEphemeral, ProposalSelfRemove},
		Credentials:  []CredentialType{CredentialBasic, CredentialDevice},
	}
}

func (c Capabilities) orDefault() Capabilities {
	if c.Versions == nil && c.CipherSuites == nil && c.Extensions == nil && c.Proposals == nil && c.Credentials == nil {
		return DefaultCapabilities()
	}
	return c
}

// checkOwn: what every client understands is not listed (RFC 9420, Section 7.2).
func (c *Capabilities) checkOwn() error {
	for _, t := range c.Extensions {
		if t.isDefault() {
			return fmt.Errorf("mls: capabilities list extension %d, which all clients have", t)
		}
	}
	for _, t := range c.Proposals {
		if t.isDefault() {
			return fmt.Errorf("mls: capabilities list proposal type %d, which all clients have", t)
		}
	}
	return nil
}

// NewKeyPackage makes a KeyPackage and its secrets, which must be stored
// before the KeyPackage is published. The secrets' signature key is the signer's
// own, not a copy: who erases the one erases the other.
func NewKeyPackage(suite CipherSuite, signer Signer, o KeyPackageOptions) (*KeyPackage, *KeyPackageSecrets, error) {
	s, err := suite.suite()
	if err != nil {
		return nil, nil, err
	}
	if err := signer.check(s); err != nil {
		return nil, nil, err
	}
	initPrivate, initPublic, err := s.generateKeyPair()
	if err != nil {
		return nil, nil, err
	}
	leaf, encryption, err := newKeyPackageLeaf(s, signer, o)
	if err != nil {
		return nil, nil, err
	}
	kp := &KeyPackage{Version: versionMLS10, CipherSuite: suite, InitKey: initPublic, Leaf: leaf, Extensions: o.Extensions}
	if o.LastResort {
		if kp.Extensions, err = withLastResort(kp.Extensions); err != nil {
			return nil, nil, err
		}
	}
	if !o.NoGREASE {
		kp.Extensions = kp.Extensions.withGREASE(leaf.Capabilities)
	}
	if err := kp.sign(s, signer.Private); err != nil {
		return nil, nil, fmt.Errorf("signing key package: %w", err)
	}
	return kp, &KeyPackageSecrets{Init: initPrivate, Encryption: encryption, Signature: signer.Private}, nil
}

func newKeyPackageLeaf(s *suite, signer Signer, o KeyPackageOptions) (*LeafNode, Secret, error) {
	private, public, err := s.generateKeyPair()
	if err != nil {
		return nil, nil, err
	}
	caps := o.Capabilities.orDefault()
	if err := caps.checkOwn(); err != nil {
		return nil, nil, err
	}
	if !o.NoGREASE {
		caps = caps.withGREASE()
	}
	ext := o.LeafExtensions
	if slices.Contains(caps.Extensions, ExtensionAppDataDictionary) {
		if ext, err = ext.withComponents(o.Components, !o.NoGREASE); err != nil {
			return nil, nil, err
		}
	}
	leaf := &LeafNode{
		EncryptionKey: public,
		SignatureKey:  signer.Public,
		Credential:    signer.Credential,
		Capabilities:  caps,
		Source:        LeafFromKeyPackage,
		Lifetime:      o.Lifetime,
		Extensions:    ext,
	}
	if err := leaf.sign(s, signer.Private, nil, 0); err != nil {
		return nil, nil, fmt.Errorf("signing leaf: %w", err)
	}
	return leaf, private, leaf.checkAlone(s)
}
