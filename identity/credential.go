package identity

import (
	"crypto/subtle"
	"errors"
	"fmt"
)

// CredentialSize is the length of every marshalled credential.
const CredentialSize = 1 + 3*32

// Credential is what an MLS leaf says about who it is. It proves nothing by
// itself: [AcceptLeaf] holds it against the log.
type Credential struct {
	User   UserID
	Device DeviceID
	Entry  Hash // the log entry that admitted the device, or last rotated its keys
}

// Credential returns the credential for a device's leaves. It is the caller's
// to send; [Log.Holder] gives the device.
func (l *Log) Credential(d Device) Credential {
	return Credential{User: l.user, Device: d.ID, Entry: d.Entry}
}

// Marshal returns the credential's one encoding, [CredentialSize] bytes.
func (c Credential) Marshal() []byte {
	b := make([]byte, 0, CredentialSize)
	b = append(b, version1)
	b = append(b, c.User[:]...)
	b = append(b, c.Device[:]...)
	return append(b, c.Entry[:]...)
}

// ParseCredential reads what [Credential.Marshal] wrote.
func ParseCredential(data []byte) (Credential, error) {
	if len(data) != CredentialSize {
		return Credential{}, fmt.Errorf("credential of %d bytes instead of %d", len(data), CredentialSize)
	}
	if data[0] != version1 {
		return Credential{}, fmt.Errorf("credential: %w", errVersion)
	}
	c := Credential{User: UserID(data[1:33]), Device: DeviceID(data[33:65]), Entry: Hash(data[65:])}
	if c.User == (UserID{}) || c.Device == (DeviceID{}) || c.Entry == (Hash{}) {
		return Credential{}, errors.New("credential names nobody")
	}
	return c, nil
}

// LeafRule names what a leaf was refused for.
type LeafRule string

// The rules of [AcceptLeaf], in the order in which it checks them.
const (
	LeafUser     LeafRule = "user"     // the credential names another person
	LeafEntry    LeafRule = "entry"    // its entry is not in the log at the pin
	LeafInactive LeafRule = "inactive" // the device is not active at the pin
	LeafReplaced LeafRule = "replaced" // the entry is not the one that gave the device its present keys
	LeafSuite    LeafRule = "suite"    // the device has no key for the suite
	LeafKey      LeafRule = "key"      // the device has another key for the suite
)

// LeafError says which rule a leaf broke.
type LeafError struct {
	Rule       LeafRule
	Credential Credential
	Suite      uint16
}

func (e *LeafError) Error() string {
	return fmt.Sprintf("leaf of device %s of user %s for suite %#04x refused: %s",
		e.Credential.Device, e.Credential.User, e.Suite, e.Rule)
}

// AcceptLeaf decides whether an MLS leaf with this credential and signature key
// may stand for the person it names, in a room that has pinned the person's log
// at the view. It returns nil or a [*LeafError].
//
// The committer, every receiver and the server call it for each leaf that
// appears, and all reach the same verdict, because it depends on nothing but
// its arguments. That the leaf is signed with signatureKey is for MLS to check.
//
// A device that rotated its keys gets no new leaf with the old ones. A leaf that
// was accepted before the rotation stays; seen by someone who joins later, it
// breaks [LeafReplaced], and the device should be asked to update it.
func AcceptLeaf(at View, c Credential, suite uint16, signatureKey []byte) error {
	refused := func(rule LeafRule) error {
		return &LeafError{Rule: rule, Credential: c, Suite: suite}
	}
	if at.state == nil || c.User != at.user {
		return refused(LeafUser)
	}
	if !at.holds(c.Entry) {
		return refused(LeafEntry)
	}
	device := at.state.device(c.Device)
	if device == nil {
		return refused(LeafInactive)
	}
	if device.Entry != c.Entry {
		return refused(LeafReplaced)
	}
	key, ok := device.Keys.LeafKey(suite)
	if !ok {
		return refused(LeafSuite)
	}
	if subtle.ConstantTimeCompare(key, signatureKey) != 1 {
		return refused(LeafKey)
	}
	return nil
}

func (v View) holds(entry Hash) bool {
	for _, h := range v.hashes {
		if h == entry {
			return true
		}
	}
	return false
}
