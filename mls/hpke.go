package mls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha3"
	"fmt"
)

// Sealing to many (RFC 9180 and draft-ietf-hpke-pq). A commit or a Welcome seals
// to each of a thousand keys in one context. crypto/hpke would work out the part
// of the key schedule that depends on the context for each of them, with the
// standard library's HKDF: see kdf.go. What is sealed here is opened by
// crypto/hpke, so that the two are held against each other wherever a group
// works. Where the FIPS 140-3 module is asked for, crypto/hpke seals, too.

// sealer seals in one context. It may be used by several goroutines at once.
type sealer struct {
	suite   *suite
	info    []byte
	id      []byte // suite_id
	context []byte // key_schedule_context
}

// sealer gives what seals in an [encryptContext].
func (s *suite) sealer(info []byte) *sealer {
	e := &sealer{suite: s, info: info}
	if fips140.Enabled() {
		return e
	}
	e.id = appendU16([]byte("HPKE"), s.kem.ID())
	e.id = appendU16(e.id, s.kdf.ID())
	e.id = appendU16(e.id, s.aead.ID())
	e.context = make([]byte, 1, 1+2*s.nh) // mode_base
	e.context = s.appendLabeledExtract(e.context, nil, e.id, "psk_id_hash", nil)
	e.context = s.appendLabeledExtract(e.context, nil, e.id, "info_hash", info)
	return e
}

func (e *sealer) seal(public, plaintext []byte) (ct hpkeCiphertext, err error) {
	wiping(func() {
		if fips140.Enabled() {
			ct, err = e.suite.hpkeSeal(e.info, public, plaintext)
		} else {
			ct, err = e.sealHere(public, plaintext)
		}
	})
	return ct, err
}

// hpkeSeal is the standard library's.
func (s *suite) hpkeSeal(info, public, plaintext []byte) (hpkeCiphertext, error) {
	pub, err := s.parsePublicKey(public)
	if err != nil {
		return hpkeCiphertext{}, err
	}
	enc, sender, err := hpke.NewSender(pub, s.kdf, s.aead, info)
	if err != nil {
		return hpkeCiphertext{}, fmt.Errorf("encapsulating: %w", err)
	}
	ct, err := sender.Seal(nil, plaintext)
	if err != nil {
		return hpkeCiphertext{}, fmt.Errorf("sealing: %w", err)
	}
	return hpkeCiphertext{kemOutput: enc, ciphertext: ct}, nil
}

func (e *sealer) sealHere(public, plaintext []byte) (hpkeCiphertext, error) {
	s := e.suite
	shared, enc, err := s.kem.encapsulate(s, public)
	if err != nil {
		return hpkeCiphertext{}, err
	}
	w := getWorkspace()
	defer w.release()
	var room [mostHash]byte
	defer clear(room[:])
	secret := Secret(s.appendLabeledExtract(room[:0], shared, e.id, "secret", nil))
	shared.erase()
	s.labeledExpandInto(w.key[:s.nk], secret, e.id, "key", e.context)
	s.labeledExpandInto(w.nonce[:s.nn], secret, e.id, "base_nonce", e.context)
	ct, err := s.seal(nil, w.key[:s.nk], w.nonce[:], nil, plaintext)
	if err != nil {
		return hpkeCiphertext{}, fmt.Errorf("sealing: %w", err)
	}
	return hpkeCiphertext{kemOutput: enc, ciphertext: ct}, nil
}

// appendLabeledExtract is LabeledExtract (RFC 9180, Section 4).
func (s *suite) appendLabeledExtract(out, salt, id []byte, label string, ikm []byte) []byte {
	var room [64]byte
	head := append(room[:0], "HPKE-v1"...)
	head = append(append(head, id...), label...)
	return s.appendHMAC(out, salt, head, ikm)
}

// labeledExpandInto is LabeledExpand (RFC 9180, Section 4), filling out.
func (s *suite) labeledExpandInto(out []byte, secret Secret, id []byte, label string, info []byte) {
	var room [512]byte
	b := appendU16(room[:0], uint16(len(out)))
	b = append(b, "HPKE-v1"...)
	b = append(append(b, id...), label...)
	s.expandInto(out, secret, append(b, info...))
}

// encapsulation draws a shared secret for the owner of a public key. The suite
// has the KEM's own hash.
type encapsulation func(s *suite, public []byte) (shared Secret, enc []byte, err error)

// dhEncap is Encap of DHKEM (RFC 9180, Section 4.1).
func dhEncap(curve ecdh.Curve, h crypto.Hash) encapsulation {
	return func(s *suite, public []byte) (Secret, []byte, error) {
		if s.hash != h {
			panic("mls: a suite's hash is not its KEM's") // no row of the table is like that
		}
		dh, enc, err := ephemeral(s, curve, public)
		if err != nil {
			return nil, nil, err
		}
		defer dh.erase()
		id := appendU16([]byte("KEM"), s.kem.ID())
		var room [mostHash]byte
		defer clear(room[:])
		prk := Secret(s.appendLabeledExtract(room[:0], nil, id, "eae_prk", dh))
		shared := make(Secret, s.nh)
		var both [2 * 133]byte
		s.labeledExpandInto(shared, prk, id, "shared_secret", append(append(both[:0], enc...), public...))
		return shared, enc, nil
	}
}

// ephemeral agrees on a secret with a public key by a key of this moment.
func ephemeral(s *suite, curve ecdh.Curve, public []byte) (dh Secret, enc []byte, err error) {
	pub, err := curve.NewPublicKey(public)
	if err != nil {
		return nil, nil, s.errPublicKey()
	}
	k, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("encapsulating: %w", err)
	}
	if dh, err = k.ECDH(pub); err != nil {
		return nil, nil, fmt.Errorf("encapsulating: %w", err)
	}
	return dh, k.PublicKey().Bytes(), nil
}

// mlkemEncap is Encap of ML-KEM.
func mlkemEncap(parse func([]byte) (crypto.Encapsulator, error)) encapsulation {
	return func(s *suite, public []byte) (Secret, []byte, error) {
		k, err := parse(public) // which checks the length
		if err != nil {
			return nil, nil, s.errPublicKey()
		}
		shared, enc := k.Encapsulate()
		return shared, enc, nil
	}
}

// hybridEncap is Encap of ML-KEM and a curve in one (draft-ietf-hpke-pq).
func hybridEncap(size int, pq encapsulation, curve ecdh.Curve, label string) encapsulation {
	return func(s *suite, public []byte) (Secret, []byte, error) {
		if len(public) < size {
			return nil, nil, s.errPublicKey()
		}
		shared, enc, err := pq(s, public[:size])
		if err != nil {
			return nil, nil, err
		}
		defer shared.erase()
		theirs := public[size:]
		dh, ours, err := ephemeral(s, curve, theirs)
		if err != nil {
			return nil, nil, err
		}
		defer dh.erase()
		var room [512]byte
		defer clear(room[:])
		b := append(append(room[:0], shared...), dh...)
		b = append(append(b, ours...), theirs...)
		both := sha3.Sum256(append(b, label...))
		defer clear(both[:])
		return append(Secret(nil), both[:]...), append(enc, ours...), nil
	}
}

var (
	mlkem768Encap = mlkemEncap(func(b []byte) (crypto.Encapsulator, error) {
		return mlkem.NewEncapsulationKey768(b)
	})
	mlkem1024Encap = mlkemEncap(func(b []byte) (crypto.Encapsulator, error) {
		return mlkem.NewEncapsulationKey1024(b)
	})
)

// xWingLabel is a drawing of the X-Wing.
const xWingLabel = `\.//^\`
