// Package certificate lets members of MLS groups show X.509 certificates
// (RFC 9420, Section 5.3). Put an [Authority] with the roots that are trusted
// into [mls.Config], and make the signer of a client with [Signer]. Such leaves
// list [mls.CredentialX509] among their capabilities.
package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"sconce/mls"
)

// Authority validates X.509 credentials, and basic ones where it is told how.
// It may be used by many goroutines at once, if Basic may.
type Authority struct {
	Roots         *x509.CertPool // required for X.509: the machine's own roots are never asked
	Intermediates *x509.CertPool // that a chain may leave out

	// Basic judges a bare identity with its signature key. Nil refuses all.
	Basic func(identity, signatureKey []byte) error
}

var _ mls.Authority = (*Authority)(nil)

const (
	maxChain       = 8
	maxCertificate = 16 << 10 // octets
)

// Validate checks that the credential's chain leads to a root, that it was
// valid at that time (or ever, for the zero time), and that its first
// certificate holds the signature key.
func (a *Authority) Validate(c mls.Credential, signatureKey []byte, now time.Time) error {
	if c.Type == mls.CredentialBasic && a.Basic != nil {
		return a.Basic(c.Identity, signatureKey)
	}
	chain, err := parse(c)
	if err != nil {
		return err
	}
	key, err := publicKey(chain[0])
	if err != nil {
		return err
	}
	if !bytes.Equal(key, signatureKey) {
		return errors.New("the certificate holds another key than the leaf")
	}
	if u := chain[0].KeyUsage; u != 0 && u&x509.KeyUsageDigitalSignature == 0 {
		return errors.New("the certificate is not for signing")
	}
	if a.Roots == nil {
		return errors.New("no roots are trusted")
	}
	if now.IsZero() {
		now = chain[0].NotBefore // the verifier would ask the clock
	}
	between := x509.NewCertPool()
	if a.Intermediates != nil {
		between = a.Intermediates.Clone()
	}
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots:         a.Roots,
		Intermediates: between,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// Succeeds allows a certificate that presents the same identifiers, and a basic
// credential with the same identity. Neither may take the other's place.
func (a *Authority) Succeeds(old, next mls.Credential) error {
	if old.Type != next.Type {
		return errors.New("the credential is of another type")
	}
	if next.Type == mls.CredentialBasic {
		if !bytes.Equal(old.Identity, next.Identity) {
			return errors.New("the credential names somebody else")
		}
		return nil
	}
	before, err := parse(old)
	if err != nil {
		return err
	}
	after, err := parse(next)
	if err != nil {
		return err
	}
	if !slices.Equal(Identifiers(before[0]), Identifiers(after[0])) {
		return errors.New("the certificate names somebody else")
	}
	return nil
}

// Identifiers gives the names that a certificate presents, sorted: those of its
// subjectAltName, or its subject if there are none.
func Identifiers(c *x509.Certificate) []string {
	var out []string
	for _, name := range c.DNSNames {
		out = append(out, "dns:"+name)
	}
	for _, name := range c.EmailAddresses {
		out = append(out, "email:"+name)
	}
	for _, u := range c.URIs {
		out = append(out, "uri:"+u.String())
	}
	for _, ip := range c.IPAddresses {
		out = append(out, "ip:"+ip.String())
	}
	if len(out) == 0 {
		return []string{"subject:" + string(c.RawSubject)}
	}
	slices.Sort(out)
	return out
}

// Signer makes a client's signer of its certificate chain, its own first, and
// its private key in the suite's encoding.
func Signer(suite mls.CipherSuite, chain [][]byte, private mls.Secret) (mls.Signer, error) {
	c := mls.Credential{Type: mls.CredentialX509, Certificates: chain}
	certs, err := parse(c)
	if err != nil {
		return mls.Signer{}, err
	}
	inside, err := publicKey(certs[0])
	if err != nil {
		return mls.Signer{}, err
	}
	public, err := suite.PublicSignatureKey(private)
	if err != nil {
		return mls.Signer{}, err
	}
	if !bytes.Equal(inside, public) {
		return mls.Signer{}, errors.New("the certificate holds another key than the private key's")
	}
	return mls.Signer{Credential: c, Public: public, Private: private}, nil
}

func parse(c mls.Credential) ([]*x509.Certificate, error) {
	switch {
	case c.Type != mls.CredentialX509:
		return nil, fmt.Errorf("credential type %d is not accepted", c.Type)
	case len(c.Certificates) == 0:
		return nil, errors.New("the credential has no certificate")
	case len(c.Certificates) > maxChain:
		return nil, fmt.Errorf("the chain has %d certificates; %d are allowed", len(c.Certificates), maxChain)
	}
	out := make([]*x509.Certificate, len(c.Certificates))
	for i, der := range c.Certificates {
		if len(der) > maxCertificate {
			return nil, fmt.Errorf("certificate %d has %d octets; %d are allowed", i, len(der), maxCertificate)
		}
		var err error
		if out[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i, err)
		}
	}
	return out, nil
}

// publicKey gives a certificate's key as a leaf carries it (RFC 9420,
// Section 5.1.1).
func publicKey(c *x509.Certificate) ([]byte, error) {
	switch k := c.PublicKey.(type) {
	case ed25519.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		return k.Bytes()
	}
	return nil, fmt.Errorf("certificates with keys of type %v are not supported", c.PublicKeyAlgorithm)
}
