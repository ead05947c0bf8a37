package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/mldsa"
)

const (
	ecPublicSize = 65 // SEC 1, uncompressed
	ecSecretSize = 32
	ecMaxSigSize = 72 // DER of two 33-byte integers

	pairPublicSize = ecPublicSize + mldsa.MLDSA65PublicKeySize
	pairSecretSize = ecSecretSize + mldsa.PrivateKeySize
)

// errSignature says no more on purpose: which half failed helps only a forger.
var errSignature = errors.New("signature does not verify")

// pairKey is the public half of a pair: P-256 point, then ML-DSA-65 key. It is
// kept as bytes because an expanded ML-DSA key takes fifteen times the memory,
// and most keys are looked at more often than they verify anything.
type pairKey []byte

// parsePairKey checks that both keys are well-formed. The result shares b.
func parsePairKey(b []byte) (pairKey, error) {
	if len(b) != pairPublicSize {
		return nil, fmt.Errorf("public key of %d bytes instead of %d", len(b), pairPublicSize)
	}
	if err := checkECPublic(b[:ecPublicSize]); err != nil {
		return nil, err
	}
	// Every string of the right length is an ML-DSA public key (FIPS 204,
	// Algorithm 23), so there is nothing to check in the rest.
	return pairKey(b), nil
}

// verify accepts only if both signatures hold.
func (k pairKey) verify(label string, network NetworkID, content, signature []byte) error {
	if len(k) != pairPublicSize || len(signature) <= mldsa.MLDSA65SignatureSize ||
		len(signature) > mldsa.MLDSA65SignatureSize+ecMaxSigSize {
		return errSignature
	}
	pqSig, ecSig := signature[:mldsa.MLDSA65SignatureSize], signature[mldsa.MLDSA65SignatureSize:]
	message := labelled(label, network[:], content)
	if err := verifyEC(k[:ecPublicSize], message, ecSig); err != nil {
		return err
	}
	pq, err := mldsa.NewPublicKey(mldsa.MLDSA65(), k[ecPublicSize:])
	if err != nil {
		return errSignature
	}
	if err := mldsa.Verify(pq, message, pqSig, &mldsa.Options{Context: label}); err != nil {
		return errSignature
	}
	return nil
}

// pairSecret is a P-256 key and an ML-DSA-65 key that always sign together.
type pairSecret struct {
	secret
	ec *ecdsa.PrivateKey
	pq *mldsa.PrivateKey
}

func newPairSecret() pairSecret {
	ec := newECSecret()
	pq, err := mldsa.GenerateKey(mldsa.MLDSA65())
	if err != nil {
		panic("identity: generating ML-DSA key: " + err.Error()) // crypto/rand never fails
	}
	return pairSecret{ec: ec, pq: pq}
}

// parsePairSecret reads a P-256 scalar and an ML-DSA seed.
func parsePairSecret(b []byte) (pairSecret, error) {
	if len(b) != pairSecretSize {
		return pairSecret{}, errors.New("private key has the wrong size")
	}
	ec, err := parseECSecret(b[:ecSecretSize])
	if err != nil {
		return pairSecret{}, err
	}
	pq, err := mldsa.NewPrivateKey(mldsa.MLDSA65(), b[ecSecretSize:])
	if err != nil {
		return pairSecret{}, errors.New("private key is not an ML-DSA seed")
	}
	return pairSecret{ec: ec, pq: pq}, nil
}

func (s pairSecret) marshal() []byte {
	return append(marshalECSecret(s.ec), s.pq.Bytes()...)
}

func (s pairSecret) public() pairKey {
	return append(marshalECPublic(s.ec), s.pq.PublicKey().Bytes()...)
}

// sign returns the ML-DSA signature, which has a fixed size, then the ECDSA one.
func (s pairSecret) sign(label string, network NetworkID, content []byte) ([]byte, error) {
	message := labelled(label, network[:], content)
	pqSig, err := s.pq.Sign(nil, message, &mldsa.Options{Context: label})
	if err != nil {
		return nil, fmt.Errorf("signing with ML-DSA-65: %w", err)
	}
	ecSig, err := signEC(s.ec, message)
	if err != nil {
		return nil, err
	}
	return append(pqSig, ecSig...), nil
}

func newECSecret() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("identity: generating P-256 key: " + err.Error()) // crypto/rand never fails
	}
	return key
}

func parseECSecret(b []byte) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		return nil, errors.New("private key is not a P-256 scalar")
	}
	return key, nil
}

func marshalECSecret(key *ecdsa.PrivateKey) []byte {
	b, err := key.Bytes()
	if err != nil {
		panic("identity: P-256 private key: " + err.Error()) // made or parsed by this file
	}
	return b
}

func marshalECPublic(key *ecdsa.PrivateKey) []byte {
	b, err := key.PublicKey.Bytes()
	if err != nil {
		panic("identity: P-256 public key: " + err.Error()) // made or parsed by this file
	}
	return b
}

func checkECPublic(b []byte) error {
	if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b); err != nil {
		return errors.New("public key is not a point of P-256")
	}
	return nil
}

func signEC(key *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing with P-256: %w", err)
	}
	return sig, nil
}

func verifyEC(public, message, signature []byte) error {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), public)
	if err != nil {
		return errSignature
	}
	digest := sha256.Sum256(message)
	if !ecdsa.VerifyASN1(key, digest[:], signature) {
		return errSignature
	}
	return nil
}
