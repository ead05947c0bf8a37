package mls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"fmt"
	"slices"
)

// Public-key encryption (RFC 9420, Section 5.1.3).

func encryptContext(label string, context []byte) []byte {
	b := make([]byte, 0, len(label)+len(context)+16)
	b = appendLabel(b, label)
	return appendVec(b, context)
}

// kem is a KEM with its rule for public keys.
type kem struct {
	hpke.KEM

	// valid tells whether one can seal to a public key, where the KEM itself
	// would say yes to some that one cannot seal to, or takes much longer to
	// read a key than it takes to tell. Nil asks the KEM.
	valid func(public []byte) bool

	// encapsulate is what the KEM itself does for its package alone.
	encapsulate encapsulation
}

const (
	size768  = mlkem.EncapsulationKeySize768
	size1024 = mlkem.EncapsulationKeySize1024
)

var (
	kemX25519 = kem{hpke.DHKEM(ecdh.X25519()), validX25519, dhEncap(ecdh.X25519(), crypto.SHA256)}
	kemP256   = kem{hpke.DHKEM(ecdh.P256()), nil, dhEncap(ecdh.P256(), crypto.SHA256)}
	kemP384   = kem{hpke.DHKEM(ecdh.P384()), nil, dhEncap(ecdh.P384(), crypto.SHA384)}
	kemP521   = kem{hpke.DHKEM(ecdh.P521()), nil, dhEncap(ecdh.P521(), crypto.SHA512)}

	kemMLKEM768  = kem{hpke.MLKEM768(), validMLKEM(size768, nothing), mlkem768Encap}
	kemMLKEM1024 = kem{hpke.MLKEM1024(), validMLKEM(size1024, nothing), mlkem1024Encap}

	kemMLKEM768X25519 = kem{hpke.MLKEM768X25519(), validMLKEM(size768, validX25519), hybridEncap(size768, mlkem768Encap, ecdh.X25519(), xWingLabel)}
	kemMLKEM768P256   = kem{hpke.MLKEM768P256(), validMLKEM(size768, validOn(ecdh.P256())), hybridEncap(size768, mlkem768Encap, ecdh.P256(), "MLKEM768-P256")}
	kemMLKEM1024P384  = kem{hpke.MLKEM1024P384(), validMLKEM(size1024, validOn(ecdh.P384())), hybridEncap(size1024, mlkem1024Encap, ecdh.P384(), "MLKEM1024-P384")}
)

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

// checkPublicKey checks that one can seal to a key. A member whose key passed
// and cannot be sealed to would end everyone's commits.
func (s *suite) checkPublicKey(b []byte) error {
	if s.kem.valid == nil {
		_, err := s.parsePublicKey(b)
		return err
	}
	if !s.kem.valid(b) {
		return s.errPublicKey()
	}
	return nil
}

// validMLKEM gives the input checks of FIPS 203, Section 7.2, for keys of this
// size, behind which the rest of a hybrid key follows. Reading the key would
// expand its matrix too, which takes twenty times as long and is of use only to
// who seals.
func validMLKEM(size int, rest func([]byte) bool) func([]byte) bool {
	const seed = 32
	const largest = 3328 // of a coefficient
	return func(b []byte) bool {
		if len(b) < size {
			return false
		}
		var over uint32                                  // has its first bit set once a difference was negative
		for c := b[:size-seed]; len(c) >= 3; c = c[3:] { // two coefficients in three octets
			v := uint32(c[0]) | uint32(c[1])<<8 | uint32(c[2])<<16
			over |= (largest - v&0xfff) | (largest - v>>12)
		}
		return over>>31 == 0 && rest(b[size:])
	}
}

func nothing(b []byte) bool { return len(b) == 0 }

func validOn(curve ecdh.Curve) func([]byte) bool {
	return func(b []byte) bool {
		_, err := curve.NewPublicKey(b)
		return err == nil
	}
}

// lowOrder has the u coordinates with which X25519 agrees on zero whatever the
// other key is, so that RFC 9180, Section 7.1.4, forbids sealing to them: those
// of the points of small order on the curve and its twist, and what reduces to
// them.
var lowOrder = [][32]byte{
	{},
	{1},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	nearPrime(0xec),
	nearPrime(0xed),
	nearPrime(0xee),
}

// nearPrime gives 2^255 - 256 + low. The prime of the curve is 2^255 - 19.
func nearPrime(low byte) (u [32]byte) {
	for i := range u {
		u[i] = 0xff
	}
	u[0], u[31] = low, 0x7f
	return u
}

func validX25519(b []byte) bool {
	if len(b) != 32 {
		return false
	}
	u := [32]byte(b)
	u[31] &= 0x7f // which X25519 ignores
	return !slices.Contains(lowOrder, u)
}

// encryptWithLabel seals in an [encryptContext]. Who seals to many makes a
// [sealer].
func (s *suite) encryptWithLabel(public []byte, context, plaintext []byte) (hpkeCiphertext, error) {
	return s.sealer(context).seal(public, plaintext)
}

func (s *suite) decryptWithLabel(private Secret, label string, context []byte, ct hpkeCiphertext) (plaintext Secret, err error) {
	wiping(func() { plaintext, err = s.hpkeOpen(private, label, context, ct) })
	return plaintext, err
}

func (s *suite) hpkeOpen(private Secret, label string, context []byte, ct hpkeCiphertext) (Secret, error) {
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
	wiping(func() {
		var k hpke.PrivateKey
		if k, err = s.kem.DeriveKeyPair(ikm); err == nil {
			private, public, err = keyPairBytes(k)
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("deriving key pair: %w", err)
	}
	return private, public, nil
}

func (s *suite) generateKeyPair() (private Secret, public []byte, err error) {
	wiping(func() {
		var k hpke.PrivateKey
		if k, err = s.kem.GenerateKey(); err == nil {
			private, public, err = keyPairBytes(k)
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("generating key pair: %w", err)
	}
	return private, public, nil
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

// hpkeCiphertext is HPKECiphertext (RFC 9420, Section 7.6).
type hpkeCiphertext struct{ kemOutput, ciphertext []byte }

func readHPKECiphertext(r *reader) hpkeCiphertext {
	return hpkeCiphertext{kemOutput: r.vec(), ciphertext: r.vec()}
}

func (c hpkeCiphertext) appendTo(b []byte) []byte {
	return appendVec(appendVec(b, c.kemOutput), c.ciphertext)
}
