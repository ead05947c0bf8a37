package mls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // makes crypto.Hash know it
	_ "crypto/sha512" // likewise
	"errors"
	"fmt"
	"math/big"
	"slices"

	"filippo.io/mldsa"
)

// Signatures (RFC 9420, Section 5.1.2).

// signContent is SignContent: in one piece of the workspace's memory, but in
// several where it is large.
func signContent(w *workspace, label string, content [][]byte) [][]byte {
	size := 0
	for _, piece := range content {
		size += len(piece)
	}
	room := len(label) + 16
	if size <= mostKept/2 {
		room += size // at once: growing would leave a copy behind
	}
	w.message = appendLength(appendLabel(slices.Grow(w.message[:0], room), label), size)
	if size > mostKept/2 {
		return slices.Concat([][]byte{w.message}, content)
	}
	for _, piece := range content {
		w.message = append(w.message, piece...)
	}
	w.joined[0] = w.message
	return w.joined[:]
}

// joined gives a message in one piece.
func joined(message [][]byte) []byte {
	if len(message) == 1 {
		return message[0]
	}
	return slices.Concat(message...)
}

func (s *suite) signWithLabel(private Secret, label string, content ...[]byte) ([]byte, error) {
	k, err := s.sig.signingKey(private)
	if err != nil {
		return nil, err
	}
	return k.signWithLabel(label, content...)
}

// signingKey signs with a private key that has been read already, and appends
// the signature of a message in pieces to out. Reading a key takes as long as
// signing does: who signs often keeps it.
type signingKey func(out []byte, message [][]byte) ([]byte, error)

func (k signingKey) signWithLabel(label string, content ...[]byte) ([]byte, error) {
	w := getWorkspace()
	defer w.release()
	return k.sign(nil, signContent(w, label, content))
}

func (k signingKey) sign(out []byte, message [][]byte) (signature []byte, err error) {
	wiping(func() { signature, err = k(out, message) })
	return signature, err
}

func (s *suite) verifyWithLabel(public []byte, label string, signature []byte, content ...[]byte) bool {
	w := getWorkspace()
	defer w.release()
	return s.sig.verify(public, signContent(w, label, content), signature)
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
	return func(out []byte, message [][]byte) ([]byte, error) {
		return append(out, ed25519.Sign(k, joined(message))...), nil
	}, nil
}

func (ed25519Scheme) verify(public []byte, message [][]byte, signature []byte) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, joined(message), signature)
}

func (ed25519Scheme) valid(public []byte) bool { return len(public) == ed25519.PublicKeySize }

// ecdsaScheme is ECDSA with uncompressed points and DER signatures. Its nonces are
// those of RFC 6979, as EdDSA's depend on key and message alone: a signature needs no
// good randomness, and on P-256 takes a fifth less time than with some mixed in.
type ecdsaScheme struct {
	curve elliptic.Curve
	hash  crypto.Hash
}

var (
	ecdsaP256 = ecdsaScheme{elliptic.P256(), crypto.SHA256}
	ecdsaP384 = ecdsaScheme{elliptic.P384(), crypto.SHA384}
	ecdsaP521 = ecdsaScheme{elliptic.P521(), crypto.SHA512}
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
	return func(out []byte, message [][]byte) ([]byte, error) {
		signature, err := k.Sign(nil, e.digest(message), e.hash)
		return append(out, signature...), err
	}, nil
}

func (e ecdsaScheme) digest(message [][]byte) []byte {
	h := e.hash.New()
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

// mldsaScheme is pure ML-DSA with an empty context string, as TLS has it. A
// private key is its seed.
type mldsaScheme struct{ params mldsa.Parameters }

var (
	mldsa44 = mldsaScheme{mldsa.MLDSA44()}
	mldsa65 = mldsaScheme{mldsa.MLDSA65()}
	mldsa87 = mldsaScheme{mldsa.MLDSA87()}
)

func (m mldsaScheme) generate() (Secret, []byte, error) {
	k, err := mldsa.GenerateKey(m.params)
	if err != nil {
		return nil, nil, err
	}
	return k.Bytes(), k.PublicKey().Bytes(), nil
}

func (m mldsaScheme) key(private Secret) (*mldsa.PrivateKey, error) {
	k, err := mldsa.NewPrivateKey(m.params, private)
	if err != nil {
		return nil, fmt.Errorf("mls: ML-DSA private key: %w", err)
	}
	return k, nil
}

func (m mldsaScheme) public(private Secret) ([]byte, error) {
	k, err := m.key(private)
	if err != nil {
		return nil, err
	}
	return k.PublicKey().Bytes(), nil
}

func (m mldsaScheme) signingKey(private Secret) (signingKey, error) {
	k, err := m.key(private)
	if err != nil {
		return nil, err
	}
	return func(out []byte, message [][]byte) ([]byte, error) {
		signature, err := k.Sign(nil, joined(message), nil)
		return append(out, signature...), err
	}, nil
}

func (m mldsaScheme) verify(public []byte, message [][]byte, signature []byte) bool {
	k, err := mldsa.NewPublicKey(m.params, public)
	return err == nil && mldsa.Verify(k, joined(message), signature, nil) == nil
}

// valid: every encoding of the right length is a key (FIPS 204, Section 7.2).
func (m mldsaScheme) valid(public []byte) bool { return len(public) == m.params.PublicKeySize() }
