package client

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"

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
