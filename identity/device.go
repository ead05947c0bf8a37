package identity

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxDeviceName is the longest device name, in bytes.
	MaxDeviceName = 64

	maxLeaves        = 32
	maxLeafKey       = 4096
	maxDeviceKeys    = 32 << 10 // so that two fit into an entry with its signatures
	maxDeviceSecrets = 512 << 10
	maxLabel         = 128
)

// FingerprintSize is the length of [DeviceKeys.Fingerprint].
const FingerprintSize = 16

// DeviceKeys declares the public keys of one device: for the log, for login,
// and one MLS signature key for each suite. It does not change once made.
// The keys differ so that a login server can never obtain a signature that
// means something in a log or a group.
type DeviceKeys struct {
	raw    []byte
	id     DeviceID
	name   string
	log    pairKey
	login  []byte
	leaves map[uint16][]byte
}

type deviceKeysWire struct {
	_      struct{} `cbor:",toarray"`
	Name   string
	Log    []byte
	Login  []byte
	Leaves map[uint16][]byte
}

// ParseDeviceKeys reads what [DeviceKeys.Marshal] wrote.
func ParseDeviceKeys(data []byte) (*DeviceKeys, error) {
	w, err := decodeVersioned[deviceKeysWire](data, maxDeviceKeys)
	if err != nil {
		return nil, fmt.Errorf("device keys: %w", err)
	}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("device keys: %w", err)
	}
	return w.keys(), nil
}

func (w *deviceKeysWire) check() error {
	if err := checkName(w.Name); err != nil {
		return err
	}
	if _, err := parsePairKey(w.Log); err != nil {
		return fmt.Errorf("log key: %w", err)
	}
	if err := checkECPublic(w.Login); err != nil {
		return fmt.Errorf("login key: %w", err)
	}
	if bytes.Equal(w.Login, w.Log[:ecPublicSize]) {
		return errors.New("login key is the log key")
	}
	if len(w.Leaves) > maxLeaves {
		return fmt.Errorf("leaf keys for %d suites, more than %d", len(w.Leaves), maxLeaves)
	}
	seen := make(map[string]bool, len(w.Leaves))
	for suite, key := range w.Leaves {
		if len(key) == 0 || len(key) > maxLeafKey {
			return fmt.Errorf("leaf key of %d bytes for suite %#04x", len(key), suite)
		}
		if seen[string(key)] || bytes.Equal(key, w.Login) || bytes.Equal(key, w.Log[:ecPublicSize]) {
			return fmt.Errorf("leaf key for suite %#04x is used for another purpose", suite)
		}
		seen[string(key)] = true
	}
	return nil
}

func (w *deviceKeysWire) keys() *DeviceKeys {
	raw := encodeVersioned(w)
	return &DeviceKeys{
		raw: raw, id: DeviceID(labelledHash(labelDevice, raw)),
		name: w.Name, log: w.Log, login: w.Login, leaves: w.Leaves,
	}
}

// checkName keeps out what would let a name draw over its surroundings: control
// and format characters, so also the marks that turn the writing direction.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("device name is empty")
	case len(name) > MaxDeviceName:
		return fmt.Errorf("device name of %d bytes, more than %d", len(name), MaxDeviceName)
	case !utf8.ValidString(name):
		return errors.New("device name is not UTF-8")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("device name holds the unprintable character %U", r)
		}
	}
	return nil
}

// Marshal returns the one encoding of the keys. The caller may keep it, not change it.
func (k *DeviceKeys) Marshal() []byte { return k.raw }

// ID is the id of a device that is admitted with these keys.
func (k *DeviceKeys) ID() DeviceID { return k.id }

// Name is what the owner called the device.
func (k *DeviceKeys) Name() string { return k.name }

// LeafKey returns the MLS signature key for a suite. The caller must not change it.
func (k *DeviceKeys) LeafKey(suite uint16) ([]byte, bool) {
	key, ok := k.leaves[suite]
	return key, ok
}

// Suites lists the suites that have a leaf key, in order.
func (k *DeviceKeys) Suites() []uint16 { return slices.Sorted(maps.Keys(k.leaves)) }

// Fingerprint is the short hash of the keys that a [LinkCode] carries. Finding
// other keys with the same one takes 2^128 tries; that somebody could make two
// sets of their own with one fingerprint gains them nothing.
func (k *DeviceKeys) Fingerprint() [FingerprintSize]byte {
	full := labelledHash(labelFingerprint, k.raw)
	return [FingerprintSize]byte(full[:FingerprintSize])
}

// Verify checks a signature of [DeviceSecrets.Sign] with the device's log key.
func (k *DeviceKeys) Verify(network NetworkID, label string, content, signature []byte) error {
	if err := checkLabel(label); err != nil {
		return err
	}
	return k.log.verify(labelApplication+label, network, content, signature)
}

// LeafPair is an MLS signature key pair, in whatever encoding its suite uses.
type LeafPair struct {
	secret
	Public, Secret []byte
}

// DeviceSecrets is the private half of [DeviceKeys]. It is safe for concurrent use.
type DeviceSecrets struct {
	secret
	log    pairSecret
	login  *ecdsa.PrivateKey
	leaves map[uint16]LeafPair
	keys   *DeviceKeys
}

type deviceSecretsWire struct {
	_      struct{} `cbor:",toarray"`
	Name   string
	Log    []byte
	Login  []byte
	Leaves map[uint16]leafSecretWire
}

type leafSecretWire struct {
	_      struct{} `cbor:",toarray"`
	Public []byte
	Secret []byte
}

// NewDeviceSecrets makes the keys of a new device, or new keys for [Log.Rotate].
// The leaf keys are made by the MLS side; the device speaks only the suites
// that are among them. Save the result before publishing anything signed with it.
func NewDeviceSecrets(name string, leaves map[uint16]LeafPair) (*DeviceSecrets, error) {
	return newDeviceSecrets(name, newPairSecret(), newECSecret(), leaves)
}

func newDeviceSecrets(name string, log pairSecret, login *ecdsa.PrivateKey, leaves map[uint16]LeafPair) (*DeviceSecrets, error) {
	s := &DeviceSecrets{log: log, login: login, leaves: make(map[uint16]LeafPair, len(leaves))}
	public := make(map[uint16][]byte, len(leaves))
	for suite, leaf := range leaves {
		if len(leaf.Secret) == 0 || len(leaf.Secret) > maxLeafKey {
			return nil, fmt.Errorf("device secrets: leaf private key of %d bytes for suite %#04x", len(leaf.Secret), suite)
		}
		s.leaves[suite] = LeafPair{Public: bytes.Clone(leaf.Public), Secret: bytes.Clone(leaf.Secret)}
		public[suite] = bytes.Clone(leaf.Public)
	}
	keys, err := ParseDeviceKeys(encodeVersioned(&deviceKeysWire{
		Name: name, Log: log.public(), Login: marshalECPublic(login), Leaves: public,
	}))
	if err != nil {
		return nil, err
	}
	s.keys = keys
	return s, nil
}

// ParseDeviceSecrets reads what [DeviceSecrets.Marshal] wrote.
func ParseDeviceSecrets(data []byte) (*DeviceSecrets, error) {
	w, err := decodeVersioned[deviceSecretsWire](data, maxDeviceSecrets)
	if err != nil {
		return nil, errors.New("device secrets: malformed") // a decoder's error may quote its input
	}
	log, err := parsePairSecret(w.Log)
	if err != nil {
		return nil, fmt.Errorf("device secrets: %w", err)
	}
	login, err := parseECSecret(w.Login)
	if err != nil {
		return nil, fmt.Errorf("device secrets: %w", err)
	}
	leaves := make(map[uint16]LeafPair, len(w.Leaves))
	for suite, leaf := range w.Leaves {
		leaves[suite] = LeafPair{Public: leaf.Public, Secret: leaf.Secret}
	}
	return newDeviceSecrets(w.Name, log, login, leaves)
}

// Marshal returns the private keys in the clear, for a sealed store.
func (s *DeviceSecrets) Marshal() []byte {
	w := deviceSecretsWire{
		Name: s.keys.name, Log: s.log.marshal(), Login: marshalECSecret(s.login),
		Leaves: make(map[uint16]leafSecretWire, len(s.leaves)),
	}
	for suite, leaf := range s.leaves {
		w.Leaves[suite] = leafSecretWire{Public: leaf.Public, Secret: leaf.Secret}
	}
	return encodeVersioned(&w)
}

// Keys is the public half.
func (s *DeviceSecrets) Keys() *DeviceKeys { return s.keys }

// Leaf returns the MLS signature key pair for a suite. The caller must not change it.
func (s *DeviceSecrets) Leaf(suite uint16) (LeafPair, bool) {
	leaf, ok := s.leaves[suite]
	return leaf, ok
}

// Sign signs content with the device's log key, both ways. The label says what
// for; no label makes a signature that would count in a log or at login.
func (s *DeviceSecrets) Sign(network NetworkID, label string, content []byte) ([]byte, error) {
	if err := checkLabel(label); err != nil {
		return nil, err
	}
	return s.log.sign(labelApplication+label, network, content)
}

func checkLabel(label string) error {
	if label == "" || len(label) > maxLabel {
		return fmt.Errorf("signature label of %d bytes, not 1 to %d", len(label), maxLabel)
	}
	return nil
}

// Admission is a device's consent to join a person's log: its public keys and
// a signature by its own log key over them and the person. Without it, a person
// could list a stranger's device as theirs. It is not secret.
type Admission struct {
	Keys  *DeviceKeys
	Proof []byte
}

type admissionWire struct {
	_     struct{} `cbor:",toarray"`
	Keys  []byte
	Proof []byte
}

// Join makes the new device's [Admission] to the log of a user, for
// [Log.AddDevice] or [Recovery]. The new device must have learned the user from
// someone it trusts: the device that shows or scans the [LinkCode].
func (s *DeviceSecrets) Join(network NetworkID, user UserID) (Admission, error) {
	proof, err := s.log.sign(labelAdmission, network, append(user[:], s.keys.raw...))
	if err != nil {
		return Admission{}, err
	}
	return Admission{Keys: s.keys, Proof: proof}, nil
}

// Verify checks that the device agreed to join the user.
func (a Admission) Verify(network NetworkID, user UserID) error {
	if a.Keys == nil {
		return errors.New("admission without device keys")
	}
	if err := a.Keys.log.verify(labelAdmission, network, append(user[:], a.Keys.raw...), a.Proof); err != nil {
		return fmt.Errorf("admission: %w", err)
	}
	return nil
}

// Marshal returns the admission as the new device sends it to the one that
// approves it.
func (a Admission) Marshal() []byte { return encodeVersioned(a.wire()) }

// ParseAdmission reads what [Admission.Marshal] wrote. It does not verify.
func ParseAdmission(data []byte) (Admission, error) {
	w, err := decodeVersioned[admissionWire](data, MaxEntrySize)
	if err != nil {
		return Admission{}, fmt.Errorf("admission: %w", err)
	}
	return w.admission()
}

func (a Admission) wire() admissionWire {
	if a.Keys == nil {
		return admissionWire{Proof: a.Proof}
	}
	return admissionWire{Keys: a.Keys.raw, Proof: a.Proof}
}

func (w admissionWire) admission() (Admission, error) {
	keys, err := ParseDeviceKeys(w.Keys)
	if err != nil {
		return Admission{}, err
	}
	return Admission{Keys: keys, Proof: w.Proof}, nil
}
