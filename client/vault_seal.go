package client

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// masterKey is the secret that a passphrase unlocks. It never changes while the
// vault lives; changing the passphrase wraps it anew.
type masterKey [32]byte

func (masterKey) String() string             { return redacted }
func (masterKey) GoString() string           { return redacted }
func (masterKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }
func (masterKey) LogValue() slog.Value       { return slog.StringValue(redacted) }

// derive makes the key for one purpose from the master key and what must be
// there besides it.
func (m *masterKey) derive(purpose string, besides ...byte) ([]byte, error) {
	secret := slices.Concat(besides, m[:])
	defer clear(secret)
	return hkdf.Key(sha256.New, secret, nil, "sconce vault 1: "+purpose, 32)
}

// PassphraseCost is what one guess at the passphrase costs, as the parameters of
// Argon2id (RFC 9106). The zero value means 3 passes over 64 MiB in 2 lanes.
type PassphraseCost struct {
	Passes    uint32
	MemoryKiB uint32
	Lanes     uint8
}

var defaultCost = PassphraseCost{Passes: 3, MemoryKiB: 64 << 10, Lanes: 2}

// The highest cost that a header may demand. Whoever can write the store can
// make it unreadable, but should not be able to take the machine with it.
var maxCost = PassphraseCost{Passes: 16, MemoryKiB: 1 << 20, Lanes: 16}

func (c PassphraseCost) check() error {
	switch {
	case c.Passes < 1 || c.Passes > maxCost.Passes:
		return fmt.Errorf("argon2id with %d passes: want 1 to %d", c.Passes, maxCost.Passes)
	case c.Lanes < 1 || c.Lanes > maxCost.Lanes:
		return fmt.Errorf("argon2id with %d lanes: want 1 to %d", c.Lanes, maxCost.Lanes)
	case c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > maxCost.MemoryKiB:
		return fmt.Errorf("argon2id with %d KiB: want %d to %d", c.MemoryKiB, 8*c.Lanes, maxCost.MemoryKiB)
	}
	return nil
}

// The header record wraps the master key under the passphrase:
//
//	version (1) ‖ passes (4) ‖ KiB (4) ‖ lanes (1) ‖ salt (16) ‖ nonce (24) ‖ sealed master key (48)
//
// Everything before the nonce is authenticated with the seal.
const (
	headerVersion = 1
	headerNonceAt = 1 + 4 + 4 + 1 + saltSize
	headerSealAt  = headerNonceAt + chacha20poly1305.NonceSizeX
	headerSize    = headerSealAt + len(masterKey{}) + chacha20poly1305.Overhead
	saltSize      = 16
)

// wrapMaster returns the header record.
func wrapMaster(master *masterKey, passphrase []byte, cost PassphraseCost) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("empty passphrase")
	}
	if cost == (PassphraseCost{}) {
		cost = defaultCost
	}
	if err := cost.check(); err != nil {
		return nil, err
	}
	h := make([]byte, 0, headerSize)
	h = append(h, headerVersion)
	h = binary.BigEndian.AppendUint32(h, cost.Passes)
	h = binary.BigEndian.AppendUint32(h, cost.MemoryKiB)
	h = append(h, cost.Lanes)
	h = h[:headerSealAt]
	_, _ = rand.Read(h[headerNonceAt-saltSize:])
	aead, err := passphraseSeal(passphrase, cost, h[headerNonceAt-saltSize:headerNonceAt])
	if err != nil {
		return nil, err
	}
	return aead.Seal(h, h[headerNonceAt:headerSealAt], master[:], h[:headerNonceAt]), nil
}

// unwrapMaster opens the header record. A header that was altered looks like a
// wrong passphrase; one that no version of the vault wrote is a DamageError.
func unwrapMaster(header, passphrase []byte) (*masterKey, error) {
	cost, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	aead, err := passphraseSeal(passphrase, cost, header[headerNonceAt-saltSize:headerNonceAt])
	if err != nil {
		return nil, err
	}
	opened, err := aead.Open(nil, header[headerNonceAt:headerSealAt], header[headerSealAt:], header[:headerNonceAt])
	if err != nil {
		return nil, ErrPassphrase
	}
	defer clear(opened)
	return (*masterKey)(slices.Clone(opened)), nil
}

// parseHeader checks all of a header that can be checked without work.
func parseHeader(h []byte) (PassphraseCost, error) {
	if len(h) == 0 || h[0] != headerVersion {
		return PassphraseCost{}, &DamageError{Key: keyHeader, Reason: "unknown version of the header"}
	}
	if len(h) != headerSize {
		return PassphraseCost{}, &DamageError{Key: keyHeader, Reason: fmt.Sprintf("header of %d bytes, want %d", len(h), headerSize)}
	}
	cost := PassphraseCost{
		Passes:    binary.BigEndian.Uint32(h[1:]),
		MemoryKiB: binary.BigEndian.Uint32(h[5:]),
		Lanes:     h[9],
	}
	if err := cost.check(); err != nil {
		return PassphraseCost{}, &DamageError{Key: keyHeader, Reason: err.Error()}
	}
	return cost, nil
}

func passphraseSeal(passphrase []byte, cost PassphraseCost, salt []byte) (cipher.AEAD, error) {
	key := argon2.IDKey(passphrase, salt, cost.Passes, cost.MemoryKiB, cost.Lanes, chacha20poly1305.KeySize)
	defer clear(key)
	return chacha20poly1305.NewX(key)
}

// A record, the sealed value of one key:
//
//	version (1) ‖ kept (1)                            ‖ nonce (24) ‖ sealed value
//	version (1) ‖ erasable (1) ‖ slot (4) ‖ id (16)   ‖ nonce (24) ‖ sealed value
//
// What stands before the nonce and the record's key are authenticated, so that a
// record cannot be put in the place of another. A kept value is sealed under the
// vault's key for values; an erasable one under a key that takes both the master
// key and the slot to derive.
const (
	sealVersion  = 1
	kindKept     = 0
	kindErasable = 1
	nonceAtKept  = 2
	nonceAtErase = 2 + 4 + slotIDSize
	sealOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// sealedHead is what a record says without being opened.
type sealedHead struct {
	erasable bool
	slot     slotName // when erasable
	nonceAt  int
}

func parseSealed(key, record []byte) (sealedHead, error) {
	if len(record) < 2 || record[0] != sealVersion {
		return sealedHead{}, &DamageError{Key: slices.Clone(key), Reason: "unknown version of the record"}
	}
	head := sealedHead{nonceAt: nonceAtKept}
	switch record[1] {
	case kindKept:
	case kindErasable:
		head.erasable, head.nonceAt = true, nonceAtErase
	default:
		return sealedHead{}, &DamageError{Key: slices.Clone(key), Reason: "unknown kind of record"}
	}
	if len(record) < head.nonceAt+sealOverhead {
		return sealedHead{}, &DamageError{Key: slices.Clone(key), Reason: "record cut short"}
	}
	if head.erasable {
		head.slot.index = binary.BigEndian.Uint32(record[2:])
		copy(head.slot.id[:], record[6:])
	}
	return head, nil
}

// sealKept makes the record of a value that is deleted but not erased.
func (v *Vault) sealKept(key, value []byte) []byte {
	return sealRecord(v.values, []byte{sealVersion, kindKept}, key, value)
}

// sealErasable makes the record of a value whose key lies in slot.
func (v *Vault) sealErasable(key, value []byte, name slotName, slotKey []byte) ([]byte, error) {
	aead, err := v.slotSeal(slotKey)
	if err != nil {
		return nil, err
	}
	prefix := binary.BigEndian.AppendUint32([]byte{sealVersion, kindErasable}, name.index)
	return sealRecord(aead, append(prefix, name.id[:]...), key, value), nil
}

func (v *Vault) slotSeal(slotKey []byte) (cipher.AEAD, error) {
	k, err := v.master.derive("erasable value", slotKey...)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	return chacha20poly1305.NewX(k)
}

func sealRecord(aead cipher.AEAD, prefix, key, value []byte) []byte {
	record := make([]byte, len(prefix)+chacha20poly1305.NonceSizeX, len(prefix)+sealOverhead+len(value))
	copy(record, prefix)
	nonce := record[len(prefix):]
	_, _ = rand.Read(nonce) // never fails (crypto/rand since Go 1.24)
	return aead.Seal(record, nonce, value, slices.Concat(prefix, key))
}

// open returns the value of a record, and the slot that it names if it is
// erasable.
func (v *Vault) open(key, record []byte) ([]byte, sealedHead, error) {
	head, err := parseSealed(key, record)
	if err != nil {
		return nil, head, err
	}
	aead := v.values
	if head.erasable {
		slotKey, err := v.ring.key(head.slot)
		if err != nil {
			return nil, head, err
		}
		if aead, err = v.slotSeal(slotKey); err != nil {
			return nil, head, err
		}
	}
	nonce, sealed := record[head.nonceAt:head.nonceAt+chacha20poly1305.NonceSizeX], record[head.nonceAt+chacha20poly1305.NonceSizeX:]
	value := make([]byte, 0, len(sealed)) // not nil: a value of no bytes is a value
	value, err = aead.Open(value, nonce, sealed, slices.Concat(record[:head.nonceAt], key))
	if err != nil {
		return nil, head, &DamageError{Key: slices.Clone(key), Reason: "record was altered or is another key's"}
	}
	return value, head, nil
}
