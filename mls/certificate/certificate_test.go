package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"sconce/mls"
)

var now = time.Unix(1_800_000_000, 0)

// ca is a certificate authority with one that stands between it and people.
type ca struct {
	t                testing.TB
	root, between    *x509.Certificate
	rootKey, nextKey *ecdsa.PrivateKey
	serial           int64
}

func newCA(t testing.TB) *ca {
	t.Helper()
	c := &ca{t: t}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0)}
	c.rootKey, c.nextKey = newKey(t), newKey(t)
	c.root = c.sign(template, template, &c.rootKey.PublicKey, c.rootKey)
	middle := *template
	middle.Subject.CommonName = "between"
	c.between = c.sign(&middle, c.root, &c.nextKey.PublicKey, c.rootKey)
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (c *ca) sign(template, parent *x509.Certificate, public crypto.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	c.t.Helper()
	c.serial++
	template.SerialNumber = big.NewInt(c.serial)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

func (c *ca) authority() *Authority {
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	return &Authority{Roots: pool}
}

// person makes a signer with a certificate of this name, which change may alter.
func (c *ca) person(suite mls.CipherSuite, email string, change func(*x509.Certificate)) mls.Signer {
	c.t.Helper()
	private, public, err := suite.GenerateSignatureKey()
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: email}, EmailAddresses: []string{email},
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0)}
	if change != nil {
		change(template)
	}
	var key crypto.PublicKey = ed25519.PublicKey(public)
	if suite == mls.P256AES128 {
		if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), public); err != nil {
			c.t.Fatal(err)
		}
	}
	cert := c.sign(template, c.between, key, c.nextKey)
	s, err := Signer(suite, [][]byte{cert.Raw, c.between.Raw}, private)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func capabilities() mls.Capabilities {
	c := mls.DefaultCapabilities()
	c.Credentials = append(c.Credentials, mls.CredentialX509)
	return c
}

func keyPackage(t testing.TB, suite mls.CipherSuite, s mls.Signer) (*mls.KeyPackage, *mls.KeyPackageSecrets) {
	t.Helper()
	kp, secrets, err := mls.NewKeyPackage(suite, s, mls.KeyPackageOptions{Capabilities: capabilities(),
		Lifetime: mls.Lifetime{NotAfter: uint64(now.Unix()) + 3600}})
	if err != nil {
		t.Fatal(err)
	}
	return kp, secrets
}

func TestMembersWithCertificatesTalk(t *testing.T) {
	for _, suite := range []mls.CipherSuite{mls.X25519AES128, mls.P256AES128} {
		t.Run(suite.String(), func(t *testing.T) {
			c := newCA(t)
			cfg := mls.Config{Authority: c.authority()}
			a, err := mls.Create(cfg, []byte("g"), suite, c.person(suite, "a@example.org", nil), capabilities(), nil)
			if err != nil {
				t.Fatal(err)
			}
			kp, secrets := keyPackage(t, suite, c.person(suite, "b@example.org", nil))
			st, err := a.Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Add{KeyPackage: kp}}, InlineTree: true}, now)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Merge(st); err != nil {
				t.Fatal(err)
			}
			welcome, err := mls.ParseMessage(st.Welcome())
			if err != nil {
				t.Fatal(err)
			}
			b, err := mls.Join(cfg, welcome, kp, secrets, nil, now)
			if err != nil {
				t.Fatal(err)
			}
			// A renewed certificate takes the place of the old one.
			renewed := c.person(suite, "b@example.org", nil)
			st, err = b.Commit(mls.CommitOptions{Signer: &renewed}, now)
			if err != nil {
				t.Fatal(err)
			}
			m, err := mls.ParseMessage(st.Message())
			if err != nil {
				t.Fatal(err)
			}
			e, err := a.Process(m, now)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Merge(e.(*mls.StagedCommit)); err != nil {
				t.Fatal(err)
			}
			// One of another name does not.
			other := c.person(suite, "c@example.org", nil)
			_, err = a.Commit(mls.CommitOptions{Signer: &other}, now)
			refused(t, err, "somebody else")
		})
	}
}

func refused(t testing.TB, err error, why string) {
	t.Helper()
	e, ok := errors.AsType[*mls.InvalidError](err)
	if !ok || e.Section != "5.3.1" || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want a refusal by Section 5.3.1: %s", err, why)
	}
}

func TestFalseCertificatesAreRefused(t *testing.T) {
	const suite = mls.X25519AES128
	c, stranger := newCA(t), newCA(t)
	cfg := mls.Config{Authority: c.authority()}
	g, err := mls.Create(cfg, []byte("g"), suite, c.person(suite, "a@example.org", nil), capabilities(), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := c.person(suite, "b@example.org", nil)
	swapped := c.person(suite, "b@example.org", nil)
	swapped.Credential = good.Credential
	long := good
	for range maxChain {
		long.Credential.Certificates = append(long.Credential.Certificates, c.between.Raw)
	}
	with := func(certs ...[]byte) mls.Signer {
		s := good
		s.Credential.Certificates = certs
		return s
	}
	basic := mls.Signer{Credential: mls.Credential{Type: mls.CredentialBasic, Identity: []byte("b")}, Public: good.Public, Private: good.Private}
	tests := []struct {
		name   string
		signer mls.Signer
		why    string
	}{
		{"of an authority that is not trusted", stranger.person(suite, "b@example.org", nil), "unknown authority"},
		{"that has expired", c.person(suite, "b@example.org", func(t *x509.Certificate) { t.NotAfter = now.Add(-time.Second) }), "expired"},
		{"that is not valid yet", c.person(suite, "b@example.org", func(t *x509.Certificate) { t.NotBefore = now.Add(time.Second) }), "not yet valid"},
		{"for other uses", c.person(suite, "b@example.org", func(t *x509.Certificate) { t.KeyUsage = x509.KeyUsageKeyAgreement }), "not for signing"},
		{"with another key", swapped, "another key"},
		{"without the one between", with(good.Credential.Certificates[0]), "unknown authority"},
		{"with a long chain", long, "are allowed"},
		{"with a huge certificate", with(make([]byte, maxCertificate+1)), "are allowed"},
		{"that is none", with([]byte("x")), "certificate 0"},
		{"with none", with(), "no certificate"},
		{"a bare identity", basic, "not accepted"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kp, _ := keyPackage(t, suite, test.signer)
			_, err := g.Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Add{KeyPackage: kp}}}, now)
			refused(t, err, test.why)
		})
	}
	kp, _ := keyPackage(t, suite, good)
	if _, err := g.Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Add{KeyPackage: kp}}}, now); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestBasicCredentialsGoThroughTheSameDoor(t *testing.T) {
	a := &Authority{Basic: func(identity, _ []byte) error {
		if string(identity) != "known" {
			return errors.New("nobody of this name")
		}
		return nil
	}}
	basic := func(name string) mls.Credential {
		return mls.Credential{Type: mls.CredentialBasic, Identity: []byte(name)}
	}
	if err := a.Validate(basic("known"), nil, now); err != nil {
		t.Error(err)
	}
	if err := a.Validate(basic("other"), nil, now); err == nil {
		t.Error("an unknown name is accepted")
	}
	if err := a.Succeeds(basic("known"), basic("known")); err != nil {
		t.Error(err)
	}
	if a.Succeeds(basic("known"), basic("other")) == nil || a.Succeeds(basic("known"), mls.Credential{Type: mls.CredentialX509}) == nil {
		t.Error("one name succeeds another")
	}
}
