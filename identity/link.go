package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
)

const (
	linkPrefix = "SD1" // Sconce device, version 1; codes have no letter L

	// RendezvousSize is the length of [LinkCode.Rendezvous].
	RendezvousSize = 8
)

// LinkCode is what a new device shows, as a QR code or to be typed, so that a
// device of the person can admit it. It is public, but must come from the screen
// of the new device itself: it says which keys are meant.
type LinkCode struct {
	Fingerprint [FingerprintSize]byte // of the new device's keys
	Rendezvous  [RendezvousSize]byte  // where the two devices meet on the server
}

// NewLinkCode makes a code for a device's keys with a random meeting place.
func NewLinkCode(k *DeviceKeys) LinkCode {
	c := LinkCode{Fingerprint: k.Fingerprint()}
	_, _ = rand.Read(c.Rendezvous[:]) // never fails
	return c
}

// Matches reports whether the code means these keys. Whoever approves a device
// must refuse keys that it does not.
func (c LinkCode) Matches(k *DeviceKeys) bool {
	fingerprint := k.Fingerprint()
	return subtle.ConstantTimeCompare(c.Fingerprint[:], fingerprint[:]) == 1
}

// String returns the code to show: "SD1-XXXXX-…", nine groups of five.
func (c LinkCode) String() string {
	return encodeCode(linkPrefix, append(c.Fingerprint[:], c.Rendezvous[:]...))
}

// ErrLinkCode begins the errors of [ParseLinkCode].
var ErrLinkCode = errors.New("linking code")

// ParseLinkCode reads what [LinkCode.String] wrote, as people type it: in either
// case, with or without dashes and spaces, O for 0, I or L for 1.
func ParseLinkCode(s string) (LinkCode, error) {
	var data [FingerprintSize + RendezvousSize]byte
	if err := decodeCode(linkPrefix, s, data[:]); err != nil {
		return LinkCode{}, fmt.Errorf("%w: %w", ErrLinkCode, err)
	}
	return LinkCode{
		Fingerprint: [FingerprintSize]byte(data[:FingerprintSize]),
		Rendezvous:  [RendezvousSize]byte(data[FingerprintSize:]),
	}, nil
}
