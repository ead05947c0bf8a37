package mls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// CipherSuite names a row of the suite table: RFC 9420, Section 17.1, or a
// private id for draft-ietf-mls-pq-ciphersuites, whose ids are not assigned yet.
type CipherSuite uint16

const (
	X25519AES128       CipherSuite = 0x0001 // MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
	P256AES128         CipherSuite = 0x0002 // MLS_128_DHKEMP256_AES128GCM_SHA256_P256
	X25519ChaCha20     CipherSuite = 0x0003 // MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519
	P521AES256         CipherSuite = 0x0005 // MLS_256_DHKEMP521_AES256GCM_SHA512_P521
	P384AES256         CipherSuite = 0x0007 // MLS_256_DHKEMP384_AES256GCM_SHA384_P384
	MLKEM768P256AES256 CipherSuite = 0xFA04 // MLS_128_MLKEM768P256_AES256GCM_SHA384_P256 (TBD4)
	DefaultSuite                   = MLKEM768P256AES256
)

// suite is one row: every algorithm that a CipherSuite names.
type suite struct {
	id   CipherSuite
	name string
	kem  hpke.KEM
	kdf  hpke.KDF
	aead hpke.AEAD
	hash crypto.Hash
	sig  signatureScheme

	// validKey tells what the KEM accepts as a public key, where reading one
	// costs much more than telling. Nil asks the KEM.
	validKey func([]byte) bool

	nh, nk, nn int // sizes of hash, AEAD key and AEAD nonce
}

var suites = map[CipherSuite]*suite{}

func register(s *suite) {
	s.nh = s.hash.Size()
	s.nn = 12
	s.nk = 32
	if s.aead.ID() == hpke.AES128GCM().ID() {
		s.nk = 16
	}
	suites[s.id] = s
}

func init() {
	register(&suite{id: X25519AES128, name: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
		kem: hpke.DHKEM(ecdh.X25519()), kdf: hpke.HKDFSHA256(), aead: hpke.AES128GCM(), hash: crypto.SHA256, sig: ed25519Scheme{}})
	register(&suite{id: P256AES128, name: "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
		kem: hpke.DHKEM(ecdh.P256()), kdf: hpke.HKDFSHA256(), aead: hpke.AES128GCM(), hash: crypto.SHA256, sig: ecdsaP256})
	register(&suite{id: X25519ChaCha20, name: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
		kem: hpke.DHKEM(ecdh.X25519()), kdf: hpke.HKDFSHA256(), aead: hpke.ChaCha20Poly1305(), hash: crypto.SHA256, sig: ed25519Scheme{}})
	register(&suite{id: P521AES256, name: "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
		kem: hpke.DHKEM(ecdh.P521()), kdf: hpke.HKDFSHA512(), aead: hpke.AES256GCM(), hash: crypto.SHA512, sig: ecdsaP521})
	register(&suite{id: P384AES256, name: "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
		kem: hpke.DHKEM(ecdh.P384()), kdf: hpke.HKDFSHA384(), aead: hpke.AES256GCM(), hash: crypto.SHA384, sig: ecdsaP384})
	register(&suite{id: MLKEM768P256AES256, name: "MLS_128_MLKEM768P256_AES256GCM_SHA384_P256",
		kem: hpke.MLKEM768P256(), kdf: hpke.HKDFSHA384(), aead: hpke.AES256GCM(), hash: crypto.SHA384, sig: ecdsaP256,
		validKey: validMLKEM768P256})
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

func (c CipherSuite) String() string {
	if s, ok := suites[c]; ok {
		return s.name
	}
	return fmt.Sprintf("cipher suite 0x%04x", uint16(c))
}

func (c CipherSuite) suite() (*suite, error) {
	s, ok := suites[c]
	if !ok {
		return nil, fmt.Errorf("mls: unknown cipher suite 0x%04x", uint16(c))
	}
	return s, nil
}

// GenerateSignatureKey makes a signature key pair for the suite: the private
// key in the suite's own encoding (Ed25519 seed, ECDSA scalar) and the public
// key as a LeafNode carries it (RFC 9420, Section 5.1.1).
func (c CipherSuite) GenerateSignatureKey() (private Secret, public []byte, err error) {
	s, err := c.suite()
	if err != nil {
		return nil, nil, err
	}
	return s.sig.generate()
}

// PublicSignatureKey gives the public half of a private signature key.
func (c CipherSuite) PublicSignatureKey(private Secret) ([]byte, error) {
	s, err := c.suite()
	if err != nil {
		return nil, err
	}
	return s.sig.public(private)
}

// Hashing and derivation: RFC 9420, Sections 5.1, 5.2 and 8.

func (s *suite) newHash() hash.Hash {
	switch s.hash {
	case crypto.SHA256:
		return sha256.New()
	case crypto.SHA384:
		return sha512.New384()
	default:
		return sha512.New()
	}
}

func (s *suite) digest(b []byte) []byte {
	switch s.hash {
	case crypto.SHA256:
		d := sha256.Sum256(b)
		return d[:]
	case crypto.SHA384:
		d := sha512.Sum384(b)
		return d[:]
	default:
		d := sha512.Sum512(b)
		return d[:]
	}
}

// mac, like signatures, takes its input in pieces: a commit can be megabytes,
// which are not to be copied just to have their framing beside them.
func (s *suite) mac(key Secret, data ...[]byte) []byte {
	h := hmac.New(s.newHash, key)
	for _, piece := range data {
		h.Write(piece)
	}
	return h.Sum(nil)
}

func (s *suite) verifyMAC(key Secret, tag []byte, data ...[]byte) bool {
	return hmac.Equal(s.mac(key, data...), tag)
}

// zero is a string of hash-size zero octets.
func (s *suite) zero() []byte { return make([]byte, s.nh) }

func (s *suite) extract(salt, ikm []byte) Secret {
	out, err := hkdf.Extract(s.newHash, ikm, salt)
	if err != nil {
		panic("mls: HKDF-Extract: " + err.Error()) // only in FIPS-only mode with a short key; ours are hash-sized
	}
	return out
}

func (s *suite) expandWithLabel(secret Secret, label string, context []byte, length int) Secret {
	var room [128]byte // on the stack: enough for all but a group context
	info := appendU16(room[:0], uint16(length))
	info = appendLabel(info, label)
	info = appendVec(info, context)
	out, err := hkdf.Expand(s.newHash, secret, string(info), length)
	if err != nil {
		panic("mls: HKDF-Expand: " + err.Error()) // lengths are ours and far below 255 hashes
	}
	return out
}

func (s *suite) deriveSecret(secret Secret, label string) Secret {
	return s.expandWithLabel(secret, label, nil, s.nh)
}

func (s *suite) deriveTreeSecret(secret Secret, label string, generation uint32, length int) Secret {
	var ctx [4]byte
	appendU32(ctx[:0], generation)
	return s.expandWithLabel(secret, label, ctx[:], length)
}

func (s *suite) refHash(label string, value []byte) []byte {
	in := make([]byte, 0, len(label)+len(value)+8)
	in = appendVec(in, []byte(label))
	in = appendVec(in, value)
	return s.digest(in)
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

func (s *suite) seal(key Secret, nonce, aad, plaintext []byte) ([]byte, error) {
	a, err := s.newAEAD(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nonce, plaintext, aad), nil
}

var errDecrypt = errors.New("mls: decryption failed")

func (s *suite) open(key Secret, nonce, aad, ciphertext []byte) ([]byte, error) {
	a, err := s.newAEAD(key)
	if err != nil {
		return nil, err
	}
	out, err := a.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, errDecrypt
	}
	return out, nil
}

// Public-key encryption (RFC 9420, Section 5.1.3).

func encryptContext(label string, context []byte) []byte {
	b := make([]byte, 0, len(label)+len(context)+16)
	b = appendLabel(b, label)
	return appendVec(b, context)
}

func (s *suite) parsePublicKey(b []byte) (hpke.PublicKey, error) {
	k, err := s.kem.NewPublicKey(b)
	if err != nil {
		return nil, s.errPublicKey()
	}
	return k, nil
}

func (s *suite) errPublicKey() error {
	return invalid("7.3", "encryption key is not a key of %v", s.id)
}

// checkPublicKey checks that one can seal to a key.
func (s *suite) checkPublicKey(b []byte) error {
	if s.validKey == nil {
		_, err := s.parsePublicKey(b)
		return err
	}
	if !s.validKey(b) {
		return s.errPublicKey()
	}
	return nil
}

// validMLKEM768P256 accepts what [hpke.MLKEM768P256] reads as a public key: the
// input checks of FIPS 203, Section 7.2, and a point of the curve. Reading the
// key would expand its matrix too, which takes twenty times as long and is of
// use only to who seals.
func validMLKEM768P256(b []byte) bool {
	const seed = 32
	const modulus = 3329
	if len(b) < mlkem.EncapsulationKeySize768 {
		return false
	}
	for c := b[:mlkem.EncapsulationKeySize768-seed]; len(c) > 0; c = c[3:] { // two coefficients in three octets
		x, y := uint16(c[0])|uint16(c[1]&0xf)<<8, uint16(c[1]>>4)|uint16(c[2])<<4
		if x >= modulus || y >= modulus {
			return false
		}
	}
	_, err := ecdh.P256().NewPublicKey(b[mlkem.EncapsulationKeySize768:])
	return err == nil
}

// encryptWithLabel seals in an [encryptContext], which who seals to many makes
// once.
func (s *suite) encryptWithLabel(public []byte, context, plaintext []byte) (hpkeCiphertext, error) {
	pub, err := s.parsePublicKey(public)
	if err != nil {
		return hpkeCiphertext{}, err
	}
	enc, sender, err := hpke.NewSender(pub, s.kdf, s.aead, context)
	if err != nil {
		return hpkeCiphertext{}, fmt.Errorf("encapsulating: %w", err)
	}
	ct, err := sender.Seal(nil, plaintext)
	if err != nil {
		return hpkeCiphertext{}, fmt.Errorf("sealing: %w", err)
	}
	return hpkeCiphertext{kemOutput: enc, ciphertext: ct}, nil
}

func (s *suite) decryptWithLabel(private Secret, label string, context []byte, ct hpkeCiphertext) (Secret, error) {
	k, err := s.kem.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("mls: private encryption key: %w", err)
	}
	r, err := hpke.NewRecipient(ct.kemOutput, k, s.kdf, s.aead, encryptContext(label, context))
	if err != nil {
		return nil, errDecrypt
	}
	out, err := r.Open(nil, ct.ciphertext)
	if err != nil {
		return nil, errDecrypt
	}
	return out, nil
}

// deriveKeyPair is DeriveKeyPair of RFC 9180, Section 4.
func (s *suite) deriveKeyPair(ikm Secret) (private Secret, public []byte, err error) {
	k, err := s.kem.DeriveKeyPair(ikm)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving key pair: %w", err)
	}
	return keyPairBytes(k)
}

func (s *suite) generateKeyPair() (private Secret, public []byte, err error) {
	k, err := s.kem.GenerateKey()
	if err != nil {
		return nil, nil, fmt.Errorf("generating key pair: %w", err)
	}
	return keyPairBytes(k)
}

func keyPairBytes(k hpke.PrivateKey) (Secret, []byte, error) {
	priv, err := k.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("serialising private key: %w", err)
	}
	return priv, k.PublicKey().Bytes(), nil
}

// publicOf derives the public key from a private one.
func (s *suite) publicOf(private Secret) ([]byte, error) {
	k, err := s.kem.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("mls: private encryption key: %w", err)
	}
	return k.PublicKey().Bytes(), nil
}

func (s *suite) randomSecret() Secret {
	b := make([]byte, s.nh)
	rand.Read(b) // never fails since Go 1.24
	return b
}

// Signatures (RFC 9420, Section 5.1.2).

// signContent is SignContent, in pieces.
func signContent(label string, content [][]byte) [][]byte {
	size := 0
	for _, piece := range content {
		size += len(piece)
	}
	head := appendLabel(make([]byte, 0, len(label)+16), label)
	pieces := make([][]byte, 0, 1+len(content))
	return append(append(pieces, appendLength(head, size)), content...)
}

func (s *suite) signWithLabel(private Secret, label string, content ...[]byte) ([]byte, error) {
	k, err := s.sig.signingKey(private)
	if err != nil {
		return nil, err
	}
	return k.signWithLabel(label, content...)
}

// signingKey signs with a private key that has been read already. Reading one
// takes as long as signing does: who signs often keeps it.
type signingKey func(message [][]byte) ([]byte, error)

func (k signingKey) signWithLabel(label string, content ...[]byte) ([]byte, error) {
	return k(signContent(label, content))
}

func (s *suite) verifyWithLabel(public []byte, label string, signature []byte, content ...[]byte) bool {
	return s.sig.verify(public, signContent(label, content), signature)
}

// signatureScheme is one of the suite table's signature algorithms, with keys
// in the encodings of RFC 9420, Section 5.1.1.
type signatureScheme interface {
	generate() (private Secret, public []byte, err error)
	public(private Secret) ([]byte, error)
	signingKey(private Secret) (signingKey, error)
	verify(public []byte, message [][]byte, signature []byte) bool
	valid(public []byte) bool
}

type ed25519Scheme struct{}

func (ed25519Scheme) generate() (Secret, []byte, error) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	return Secret(priv.Seed()), pub, nil
}

func (ed25519Scheme) key(private Secret) (ed25519.PrivateKey, error) {
	if len(private) != ed25519.SeedSize {
		return nil, errors.New("mls: Ed25519 private key is not 32 octets")
	}
	return ed25519.NewKeyFromSeed(private), nil
}

func (e ed25519Scheme) public(private Secret) ([]byte, error) {
	k, err := e.key(private)
	if err != nil {
		return nil, err
	}
	return k.Public().(ed25519.PublicKey), nil
}

func (e ed25519Scheme) signingKey(private Secret) (signingKey, error) {
	k, err := e.key(private)
	if err != nil {
		return nil, err
	}
	return func(message [][]byte) ([]byte, error) { return ed25519.Sign(k, slices.Concat(message...)), nil }, nil
}

func (ed25519Scheme) verify(public []byte, message [][]byte, signature []byte) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, slices.Concat(message...), signature)
}

func (ed25519Scheme) valid(public []byte) bool { return len(public) == ed25519.PublicKeySize }

// ecdsaScheme is ECDSA with uncompressed points and DER signatures.
type ecdsaScheme struct {
	curve elliptic.Curve
	hash  func() hash.Hash
}

var (
	ecdsaP256 = ecdsaScheme{elliptic.P256(), sha256.New}
	ecdsaP384 = ecdsaScheme{elliptic.P384(), sha512.New384}
	ecdsaP521 = ecdsaScheme{elliptic.P521(), sha512.New}
)

func (e ecdsaScheme) generate() (Secret, []byte, error) {
	k, err := ecdsa.GenerateKey(e.curve, rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	priv, err := k.Bytes()
	if err != nil {
		return nil, nil, err
	}
	pub, err := k.PublicKey.Bytes()
	return priv, pub, err
}

func (e ecdsaScheme) key(private Secret) (*ecdsa.PrivateKey, error) {
	// Vectors and peers may drop leading zeros of the scalar.
	size := (e.curve.Params().BitSize + 7) / 8
	if len(private) < size {
		private = new(big.Int).SetBytes(private).FillBytes(make([]byte, size))
	}
	k, err := ecdsa.ParseRawPrivateKey(e.curve, private)
	if err != nil {
		return nil, fmt.Errorf("mls: ECDSA private key: %w", err)
	}
	return k, nil
}

func (e ecdsaScheme) public(private Secret) ([]byte, error) {
	k, err := e.key(private)
	if err != nil {
		return nil, err
	}
	return k.PublicKey.Bytes()
}

func (e ecdsaScheme) signingKey(private Secret) (signingKey, error) {
	k, err := e.key(private)
	if err != nil {
		return nil, err
	}
	return func(message [][]byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, k, e.digest(message)) }, nil
}

func (e ecdsaScheme) digest(message [][]byte) []byte {
	h := e.hash()
	for _, piece := range message {
		h.Write(piece)
	}
	return h.Sum(nil)
}

func (e ecdsaScheme) verify(public []byte, message [][]byte, signature []byte) bool {
	k, err := ecdsa.ParseUncompressedPublicKey(e.curve, public)
	return err == nil && ecdsa.VerifyASN1(k, e.digest(message), signature)
}

func (e ecdsaScheme) valid(public []byte) bool {
	_, err := ecdsa.ParseUncompressedPublicKey(e.curve, public)
	return err == nil
}

// hpkeCiphertext is HPKECiphertext (RFC 9420, Section 7.6).
type hpkeCiphertext struct{ kemOutput, ciphertext []byte }

func readHPKECiphertext(r *reader) hpkeCiphertext {
	return hpkeCiphertext{kemOutput: r.vec(), ciphertext: r.vec()}
}

func (c hpkeCiphertext) appendTo(b []byte) []byte {
	return appendVec(appendVec(b, c.kemOutput), c.ciphertext)
}
