package identity

import (
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/mldsa"
)

const (
	recoveryPrefix   = "SR1" // Sconce recovery, version 1
	recoverySeedSize = 32
)

// RecoveryKey is the last key of a person, on paper or in a safe. It can bring
// a log back from thieves and from the loss of every device: see [Log.Recover].
// It opens no message by itself. The zero value is not a key.
type RecoveryKey struct {
	secret
	seed [recoverySeedSize]byte
}

// NewRecoveryKey makes a key from 32 random bytes.
func NewRecoveryKey() *RecoveryKey {
	k := new(RecoveryKey)
	_, _ = rand.Read(k.seed[:]) // never fails
	return k
}

// ErrRecoveryKey begins the errors of [ParseRecoveryKey].
var ErrRecoveryKey = errors.New("recovery key")

// ParseRecoveryKey reads what [RecoveryKey.Reveal] wrote, as people type it: in
// either case, with or without dashes and spaces, O for 0, I or L for 1. Up to
// four mistyped characters are found for certain. Errors do not quote s.
func ParseRecoveryKey(s string) (*RecoveryKey, error) {
	k := new(RecoveryKey)
	if err := decodeCode(recoveryPrefix, s, k.seed[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecoveryKey, err)
	}
	return k, nil
}

// Reveal returns the key as text to write down: "SR1-XXXXX-…", 58 characters in
// groups of five. Whoever has it can take the identity over.
func (k *RecoveryKey) Reveal() string { return encodeCode(recoveryPrefix, k.seed[:]) }

// pair derives the signing pair. It is derived anew for each use, which is rare,
// so that no expanded key stays in memory.
func (k *RecoveryKey) pair() pairSecret {
	pq, err := mldsa.NewPrivateKey(mldsa.MLDSA65(), k.derive(labelRecoveryPQ, mldsa.PrivateKeySize))
	if err != nil {
		panic("identity: deriving ML-DSA key: " + err.Error()) // a seed of the right size is a key
	}
	return pairSecret{ec: k.scalar(), pq: pq}
}

// scalar takes the first derived candidate below the order of P-256; the first
// one is not in about one of 2^32 keys.
func (k *RecoveryKey) scalar() *ecdsa.PrivateKey {
	for try := range 256 {
		key, err := parseECSecret(k.derive(fmt.Sprintf("%s, try %d", labelRecoveryEC, try), ecSecretSize))
		if err == nil {
			return key
		}
	}
	panic("identity: no P-256 scalar in 256 tries") // a chance of 2^-8192
}

func (k *RecoveryKey) derive(info string, size int) []byte {
	b, err := hkdf.Key(sha256.New, k.seed[:], nil, info, size)
	if err != nil {
		panic("identity: HKDF: " + err.Error()) // sizes are constants far below its limit
	}
	return b
}

// ID names the recovery key in public: it is how somebody who has nothing but
// the key finds the log that it speaks for. See [Log.RecoveryID].
func (k *RecoveryKey) ID() Hash { return recoveryID(k.pair().public()) }

// RecoveryID names the recovery key that speaks for the log now.
func (l *Log) RecoveryID() Hash { return recoveryID(l.states[l.Length()-1].recovery) }

func recoveryID(k pairKey) Hash { return Hash(labelledHash(labelRecoveryID, k)) }
