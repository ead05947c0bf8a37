package mls

import (
	"crypto"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// Hashing and derivation: RFC 9420, Sections 5.1, 5.2 and 8.
//
// Where the FIPS 140-3 module is asked for, HKDF is the module's. Otherwise it
// is put together here from the hash alone. That is for the sake of secrecy and
// then of speed: that of the standard library keeps each key in several places
// on the heap until the collector reuses them, while this works on the stack,
// which it clears. Tags over messages are always the standard library's HMAC.

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

func (s *suite) digest(b []byte) []byte { return s.appendDigest(nil, b) }

// appendDigest appends the hash of b to out.
func (s *suite) appendDigest(out, b []byte) []byte {
	switch s.hash {
	case crypto.SHA256:
		d := sha256.Sum256(b)
		return append(out, d[:]...)
	case crypto.SHA384:
		d := sha512.Sum384(b)
		return append(out, d[:]...)
	default:
		d := sha512.Sum512(b)
		return append(out, d[:]...)
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

const (
	mostHash  = sha512.Size
	mostBlock = sha512.BlockSize
)

// appendHMAC appends the HMAC of the pieces to out (RFC 2104).
func (s *suite) appendHMAC(out, key []byte, pieces ...[]byte) []byte {
	block := sha256.BlockSize
	if s.hash != crypto.SHA256 {
		block = sha512.BlockSize
	}
	var inner [mostBlock + 256]byte // on the stack: enough for all but a group context
	var outer [mostBlock + mostHash]byte
	defer clear(outer[:])
	if len(key) > block {
		s.appendDigest(inner[:0], key)
		copy(outer[:], inner[:s.nh])
	} else {
		copy(outer[:], key)
	}
	b := inner[:block]
	for i := range block {
		b[i] = outer[i] ^ 0x36
		outer[i] ^= 0x5c
	}
	for _, piece := range pieces {
		b = append(b, piece...)
	}
	n := len(s.appendDigest(outer[block:block], b))
	clear(inner[:])
	clear(b)
	return s.appendDigest(out, outer[:block+n])
}

func (s *suite) extract(salt, ikm []byte) (out Secret) {
	wiping(func() {
		if !fips140.Enabled() {
			out = s.appendHMAC(make([]byte, 0, s.nh), salt, ikm)
			return
		}
		var err error
		if out, err = hkdf.Extract(s.newHash, ikm, salt); err != nil {
			panic("mls: HKDF-Extract: " + err.Error()) // only in FIPS-only mode with a short key; ours are hash-sized
		}
	})
	return out
}

// expandInto is HKDF-Expand, filling out.
func (s *suite) expandInto(out []byte, secret Secret, info []byte) {
	if fips140.Enabled() {
		b, err := hkdf.Expand(s.newHash, secret, string(info), len(out))
		if err != nil {
			panic("mls: HKDF-Expand: " + err.Error()) // lengths are ours and far below 255 hashes
		}
		copy(out, b)
		clear(b)
		return
	}
	var last [mostHash]byte // T(n) of RFC 5869, Section 2.3
	defer clear(last[:])
	counter := [1]byte{1}
	t := s.appendHMAC(last[:0], secret, info, counter[:])
	for n := copy(out, t); n < len(out); n += copy(out[n:], t) {
		counter[0]++
		t = s.appendHMAC(last[:0], secret, t, info, counter[:])
	}
}

// expandWithLabelInto is ExpandWithLabel, filling out.
func (s *suite) expandWithLabelInto(out []byte, secret Secret, label string, context []byte) {
	var room [128]byte // on the stack: enough for all but a group context
	info := appendU16(room[:0], uint16(len(out)))
	info = appendLabel(info, label)
	info = appendVec(info, context)
	wiping(func() { s.expandInto(out, secret, info) })
}

func (s *suite) expandWithLabel(secret Secret, label string, context []byte, length int) Secret {
	out := make(Secret, length)
	s.expandWithLabelInto(out, secret, label, context)
	return out
}

func (s *suite) deriveSecret(secret Secret, label string) Secret {
	return s.expandWithLabel(secret, label, nil, s.nh)
}

func (s *suite) deriveTreeSecret(secret Secret, label string, generation uint32, length int) Secret {
	out := make(Secret, length)
	s.deriveTreeSecretInto(out, secret, label, generation)
	return out
}

// deriveTreeSecretInto is DeriveTreeSecret, filling out.
func (s *suite) deriveTreeSecretInto(out []byte, secret Secret, label string, generation uint32) {
	var ctx [4]byte
	appendU32(ctx[:0], generation)
	s.expandWithLabelInto(out, secret, label, ctx[:])
}

func (s *suite) refHash(label string, value []byte) []byte {
	in := make([]byte, 0, len(label)+len(value)+8)
	in = appendVec(in, []byte(label))
	in = appendVec(in, value)
	return s.digest(in)
}

// zero is a string of hash-size zero octets.
func (s *suite) zero() []byte { return make([]byte, s.nh) }
