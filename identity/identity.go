// Package identity says who a person is and which devices speak for them.
//
// A person is a [Log]: an append-only chain of signed entries that begins with
// a recovery key and a first device. Every later entry is signed by a key that
// the chain had authorised before it, so a server can carry a log but never
// write to one. The id of a person is the hash of their first entry.
//
// The first call of somebody new is [NewGenesis]; everyone else starts with
// [Open], which verifies a whole log, and goes on with [Log.Append]. A room
// pins how much of each log it has seen as a [Pin]; [Log.View] is the log as it
// stood at a pin, and [AcceptLeaf] decides, from a view alone, whether an MLS
// leaf may speak for the person it names. Views never change, so every receiver
// and the server reach the same verdict, whatever they learned in the meantime.
//
// Signatures on entries are made twice, with ECDSA P-256 and with ML-DSA-65
// (FIPS 204), and both must hold: identities outlive the messages they signed.
// Every signature covers a label for its purpose and the id of the network.
//
// The package does no I/O and reads no clock. Secrets print as "[secret]";
// the methods that give their bytes are called Marshal and Reveal.
package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
)

// UserID names a person for ever: the hash of the genesis entry of their log.
type UserID [32]byte

// DeviceID names a device within a person's log: the hash of the keys it was
// admitted with. It stays when the device rotates its keys.
type DeviceID [32]byte

// NetworkID names a network: the hash of its signing key. See [NetworkKey].
type NetworkID [32]byte

// Hash is the hash of a log entry. It covers what was signed and not the
// signatures: an ECDSA signature can be altered by a stranger and stay valid,
// and that must not pass for a second entry.
type Hash [32]byte

// String returns the id in lower-case base32, 52 characters.
func (id UserID) String() string { return idText.EncodeToString(id[:]) }

// String returns the id in lower-case base32, 52 characters.
func (id DeviceID) String() string { return idText.EncodeToString(id[:]) }

// String returns the id in lower-case base32, 52 characters.
func (id NetworkID) String() string { return idText.EncodeToString(id[:]) }

// String returns the hash in lower-case base32, 52 characters.
func (h Hash) String() string { return idText.EncodeToString(h[:]) }

// ParseUserID reads what [UserID.String] wrote; there is one spelling.
func ParseUserID(s string) (UserID, error) {
	id, err := parseID(s)
	return UserID(id), wrapID("user id", err)
}

// ParseDeviceID reads what [DeviceID.String] wrote; there is one spelling.
func ParseDeviceID(s string) (DeviceID, error) {
	id, err := parseID(s)
	return DeviceID(id), wrapID("device id", err)
}

// ParseNetworkID reads what [NetworkID.String] wrote; there is one spelling.
func ParseNetworkID(s string) (NetworkID, error) {
	id, err := parseID(s)
	return NetworkID(id), wrapID("network id", err)
}

// ParseHash reads what [Hash.String] wrote; there is one spelling.
func ParseHash(s string) (Hash, error) {
	id, err := parseID(s)
	return Hash(id), wrapID("entry hash", err)
}

var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func parseID(s string) ([32]byte, error) {
	var id [32]byte
	if err := parseText(id[:], s); err != nil {
		return [32]byte{}, err
	}
	return id, nil
}

// parseText fills dst from base32. Writing the result again and comparing
// refuses what the decoder forgives: line ends, and bits after the last byte.
func parseText(dst []byte, s string) error {
	if want := idText.EncodedLen(len(dst)); len(s) != want {
		return fmt.Errorf("%d characters instead of %d", len(s), want)
	}
	raw, err := idText.DecodeString(s)
	if err != nil || len(raw) != len(dst) || idText.EncodeToString(raw) != s {
		return errors.New("not lower-case base32")
	}
	copy(dst, raw)
	return nil
}

func wrapID(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Labels keep what is hashed or signed for one purpose from ever being taken
// for another. Those of callers live below labelApplication.
const (
	labelUser        = "sconce identity: user id, 1"
	labelDevice      = "sconce identity: device id, 1"
	labelNetwork     = "sconce identity: network id, 1"
	labelFingerprint = "sconce identity: device fingerprint, 1"
	labelEntry       = "sconce identity: log entry, 1"
	labelAdmission   = "sconce identity: device admission, 1"
	labelLogin       = "sconce identity: login, 1"
	labelSafety      = "sconce identity: safety number, 1"
	labelRecoveryEC  = "sconce identity: recovery key P-256, 1"
	labelRecoveryPQ  = "sconce identity: recovery key ML-DSA-65, 1"
	labelRecoveryID  = "sconce identity: recovery key id, 1"
	labelApplication = "sconce application: "
)

// labelledHash is SHA-256 of the label, its length in front, and the content.
func labelledHash(label string, content ...[]byte) [32]byte {
	h := sha256.New()
	h.Write(labelled(label, content...))
	return [32]byte(h.Sum(nil))
}

// labelled is the one encoding of "content for this purpose". The label's
// length comes first, so no label can run into the content.
func labelled(label string, content ...[]byte) []byte {
	b := append([]byte{byte(len(label))}, label...)
	for _, c := range content {
		b = append(b, c...)
	}
	return b
}
