package mls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// CipherSuite names a row of the suite table: RFC 9420, Section 17.1, or a
// private id for draft-ietf-mls-pq-ciphersuites, whose ids are not assigned yet.
type CipherSuite uint16

// The suites of RFC 9420, but for those of the 448 bit curves, and of
// draft-ietf-mls-pq-ciphersuites-06, in its order.
const (
	X25519AES128   CipherSuite = 0x0001 // MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
	P256AES128     CipherSuite = 0x0002 // MLS_128_DHKEMP256_AES128GCM_SHA256_P256
	X25519ChaCha20 CipherSuite = 0x0003 // MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519
	P521AES256     CipherSuite = 0x0005 // MLS_256_DHKEMP521_AES256GCM_SHA512_P521
	P384AES256     CipherSuite = 0x0007 // MLS_256_DHKEMP384_AES256GCM_SHA384_P384

	MLKEM768X25519AES128          CipherSuite = 0xFA01 // MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519 (TBD1)
	MLKEM768X25519AES256          CipherSuite = 0xFA02 // MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519 (TBD2)
	MLKEM768P256AES128            CipherSuite = 0xFA03 // MLS_128_MLKEM768P256_AES128GCM_SHA256_P256 (TBD3)
	MLKEM768P256AES256            CipherSuite = 0xFA04 // MLS_128_MLKEM768P256_AES256GCM_SHA384_P256 (TBD4)
	MLKEM1024P384AES256           CipherSuite = 0xFA05 // MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384 (TBD5)
	MLKEM768AES256Ed25519         CipherSuite = 0xFA06 // MLS_128_MLKEM768_AES256GCM_SHA384_Ed25519 (TBD6)
	MLKEM768AES256P256            CipherSuite = 0xFA07 // MLS_128_MLKEM768_AES256GCM_SHA384_P256 (TBD7)
	MLKEM1024AES256P384           CipherSuite = 0xFA08 // MLS_192_MLKEM1024_AES256GCM_SHA384_P384 (TBD8)
	MLKEM768X25519ChaCha20MLDSA44 CipherSuite = 0xFA09 // MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44 (TBD9)
	MLKEM768AES256MLDSA65         CipherSuite = 0xFA0A // MLS_192_MLKEM768_AES256GCM_SHA384_MLDSA65 (TBD10)
	MLKEM1024AES256MLDSA87        CipherSuite = 0xFA0B // MLS_256_MLKEM1024_AES256GCM_SHA384_MLDSA87 (TBD11); CNSA 2.0

	// DefaultSuite is post-quantum and classical in one, and every primitive
	// in it is approved by NIST.
	DefaultSuite = MLKEM768P256AES256
)

// suite is one row: every algorithm that a CipherSuite names.
type suite struct {
	id   CipherSuite
	name string
	kem  kem
	kdf  hpke.KDF
	aead hpke.AEAD
	hash crypto.Hash
	sig  signatureScheme

	nh, nk, nn int // sizes of hash, AEAD key and AEAD nonce
}

// suites is the table. It has a row of its own for each alias.
var suites = map[CipherSuite]*suite{}

func init() {
	aes128, aes256, chacha := hpke.AES128GCM(), hpke.AES256GCM(), hpke.ChaCha20Poly1305()
	row := func(id CipherSuite, name string, kem kem, aead hpke.AEAD, hash crypto.Hash, sig signatureScheme) {
		suites[id] = newSuite(id, name, kem, aead, hash, sig)
	}
	row(X25519AES128, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", kemX25519, aes128, crypto.SHA256, ed25519Scheme{})
	row(P256AES128, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", kemP256, aes128, crypto.SHA256, ecdsaP256)
	row(X25519ChaCha20, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519", kemX25519, chacha, crypto.SHA256, ed25519Scheme{})
	row(P521AES256, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521", kemP521, aes256, crypto.SHA512, ecdsaP521)
	row(P384AES256, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384", kemP384, aes256, crypto.SHA384, ecdsaP384)

	row(MLKEM768X25519AES128, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519", kemMLKEM768X25519, aes128, crypto.SHA256, ed25519Scheme{})
	row(MLKEM768X25519AES256, "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519", kemMLKEM768X25519, aes256, crypto.SHA384, ed25519Scheme{})
	row(MLKEM768P256AES128, "MLS_128_MLKEM768P256_AES128GCM_SHA256_P256", kemMLKEM768P256, aes128, crypto.SHA256, ecdsaP256)
	row(MLKEM768P256AES256, "MLS_128_MLKEM768P256_AES256GCM_SHA384_P256", kemMLKEM768P256, aes256, crypto.SHA384, ecdsaP256)
	row(MLKEM1024P384AES256, "MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384", kemMLKEM1024P384, aes256, crypto.SHA384, ecdsaP384)
	row(MLKEM768AES256Ed25519, "MLS_128_MLKEM768_AES256GCM_SHA384_Ed25519", kemMLKEM768, aes256, crypto.SHA384, ed25519Scheme{})
	row(MLKEM768AES256P256, "MLS_128_MLKEM768_AES256GCM_SHA384_P256", kemMLKEM768, aes256, crypto.SHA384, ecdsaP256)
	row(MLKEM1024AES256P384, "MLS_192_MLKEM1024_AES256GCM_SHA384_P384", kemMLKEM1024, aes256, crypto.SHA384, ecdsaP384)
	row(MLKEM768X25519ChaCha20MLDSA44, "MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44", kemMLKEM768X25519, chacha, crypto.SHA384, mldsa44)
	row(MLKEM768AES256MLDSA65, "MLS_192_MLKEM768_AES256GCM_SHA384_MLDSA65", kemMLKEM768, aes256, crypto.SHA384, mldsa65)
	row(MLKEM1024AES256MLDSA87, "MLS_256_MLKEM1024_AES256GCM_SHA384_MLDSA87", kemMLKEM1024, aes256, crypto.SHA384, mldsa87)
}

// newSuite fills in what follows from a row's algorithms. A suite's KDF is HKDF
// with its hash.
func newSuite(id CipherSuite, name string, kem kem, aead hpke.AEAD, hash crypto.Hash, sig signatureScheme) *suite {
	s := &suite{id: id, name: name, kem: kem, aead: aead, hash: hash, sig: sig, nh: hash.Size(), nk: 32, nn: 12}
	switch hash {
	case crypto.SHA256:
		s.kdf = hpke.HKDFSHA256()
	case crypto.SHA384:
		s.kdf = hpke.HKDFSHA384()
	default:
		s.kdf = hpke.HKDFSHA512()
	}
	if aead.ID() == hpke.AES128GCM().ID() {
		s.nk = 16
	}
	return s
}

// RegisterAlias makes alias a further id of a suite. It is for speaking with
// implementations that picked other ids for the suites of
// draft-ietf-mls-pq-ciphersuites while none are assigned. These contradict each
// other (0x0050 is TBD7 to one and something else to another), so none is
// registered unless the program asks for it. A group keeps the id that it was
// created with: on the wire the two are different suites, and [Suites] lists
// both. To be called before anything else of this package, as in an init
// function.
func RegisterAlias(alias, of CipherSuite) error {
	s, err := of.suite()
	if err != nil {
		return err
	}
	if taken, ok := suites[alias]; ok {
		return fmt.Errorf("mls: id 0x%04x is taken by %s", uint16(alias), taken.name)
	}
	row := *s
	row.id = alias
	suites[alias] = &row
	return nil
}

// Suites lists the suites this package implements, in ascending order.
func Suites() []CipherSuite {
	var out []CipherSuite
	for id := range suites {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

func (cs CipherSuite) String() string {
	if s, ok := suites[cs]; ok {
		return s.name
	}
	return fmt.Sprintf("cipher suite 0x%04x", uint16(cs))
}

func (cs CipherSuite) suite() (*suite, error) {
	s, ok := suites[cs]
	if !ok {
		return nil, fmt.Errorf("mls: unknown cipher suite 0x%04x", uint16(cs))
	}
	return s, nil
}

// GenerateSignatureKey makes a signature key pair for the suite: the private
// key in the suite's own encoding (Ed25519 or ML-DSA seed, ECDSA scalar) and the public
// key as a LeafNode carries it (RFC 9420, Section 5.1.1).
func (cs CipherSuite) GenerateSignatureKey() (private Secret, public []byte, err error) {
	s, err := cs.suite()
	if err != nil {
		return nil, nil, err
	}
	return s.sig.generate()
}

// PublicSignatureKey gives the public half of a private signature key.
func (cs CipherSuite) PublicSignatureKey(private Secret) ([]byte, error) {
	s, err := cs.suite()
	if err != nil {
		return nil, err
	}
	return s.sig.public(private)
}

func (s *suite) randomSecret() Secret {
	b := make([]byte, s.nh)
	rand.Read(b) // never fails since Go 1.24
	return b
}

// appendLabel writes opaque label<V> = "MLS 1.0 " + label.
func appendLabel(b []byte, label string) []byte {
	const prefix = "MLS 1.0 "
	b = appendLength(b, len(prefix)+len(label))
	b = append(b, prefix...)
	return append(b, label...)
}

// Authenticated encryption of messages (RFC 9420, Section 6.3).

func (s *suite) newAEAD(key Secret) (cipher.AEAD, error) {
	if s.aead.ID() == hpke.ChaCha20Poly1305().ID() {
		return chacha20poly1305.New(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal appends the ciphertext to out.
func (s *suite) seal(out []byte, key Secret, nonce, aad, plaintext []byte) (sealed []byte, err error) {
	wiping(func() {
		var a cipher.AEAD
		if a, err = s.newAEAD(key); err == nil {
			sealed = a.Seal(out, nonce, plaintext, aad)
		}
	})
	return sealed, err
}

var errDecrypt = errors.New("mls: decryption failed")

// open appends the plaintext to out.
func (s *suite) open(out []byte, key Secret, nonce, aad, ciphertext []byte) (plaintext []byte, err error) {
	wiping(func() {
		var a cipher.AEAD
		if a, err = s.newAEAD(key); err != nil {
			return
		}
		if plaintext, err = a.Open(out, nonce, ciphertext, aad); err != nil {
			err = errDecrypt
		}
	})
	return plaintext, err
}
