// Package room says what a room is to everyone who must agree on it: who
// participates in which role, how much of each person's device log the room has
// seen, and what a commit may change. Clients judge with it what they receive
// and what they send, and the server judges with it what it puts in order, so
// all reach the same verdict: everything here is a pure function of the commit,
// the group's state and the device logs that it names.
//
// A room outlives its MLS groups. A [GroupID] names a room and a generation of
// it; the group context carries the [Participants] and the hash of the room's
// encrypted state. [Rules] is the application policy that mls asks.
package room

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"sconce/identity"
	"sconce/mls"
)

// ID names a room. It is random.
type ID [16]byte

// Kind says what a room is for.
type Kind uint8

const (
	Group  Kind = 1 // any number of people
	Direct Kind = 2 // two people, the only such room of theirs
	Self   Kind = 3 // one person's own devices
)

// Role says what a participant may do.
type Role uint8

const (
	Member Role = 1
	Admin  Role = 2 // adds and removes others, changes roles and the room's state
)

// Suite is the cipher suite of every room.
const Suite = mls.DefaultSuite

// KeyPackageLifetime is how long a key package is offered.
const KeyPackageLifetime = 60 * 24 * time.Hour

// Components of the group context (draft-ietf-mls-extensions, private ids).
const (
	ComponentParticipants mls.ComponentID = 0x8001 // [Participants]
	ComponentState        mls.ComponentID = 0x8002 // SHA-256(salt ‖ room state), 32 octets
)

// SenderLabel is what the network's key signs the server's key for proposals under.
const SenderLabel = "server sender key, 1"

const groupIDVersion = 1

// GroupID is the id of the MLS group that is a room's given generation.
func GroupID(id ID, generation uint32) []byte {
	b := append([]byte{groupIDVersion}, id[:]...)
	return binary.BigEndian.AppendUint32(b, generation)
}

// ParseGroupID reads what [GroupID] wrote.
func ParseGroupID(b []byte) (ID, uint32, error) {
	if len(b) != 1+16+4 || b[0] != groupIDVersion {
		return ID{}, 0, errors.New("group id is not a room's")
	}
	return ID(b[1:17]), binary.BigEndian.Uint32(b[17:]), nil
}

// Credential is the leaf credential of a device.
func Credential(c identity.Credential) mls.Credential {
	return mls.Credential{Type: mls.CredentialDevice, Identity: c.Marshal()}
}

// CredentialOf reads the device credential of a leaf.
func CredentialOf(leaf *mls.LeafNode) (identity.Credential, error) {
	if leaf.Credential.Type != mls.CredentialDevice {
		return identity.Credential{}, refuse("credential", "a leaf has credential type %d, not a device's", leaf.Credential.Type)
	}
	c, err := identity.ParseCredential(leaf.Credential.Identity)
	if err != nil {
		return identity.Credential{}, refuse("credential", "%v", err)
	}
	return c, nil
}

// Extensions is what the context of every room's group holds when it begins:
// the capabilities that all members need, the server as the one external
// sender, and the room's components. sender is the server's P-256 key.
func Extensions(sender []byte, p Participants, state [32]byte) mls.Extensions {
	return mls.Extensions{
		required().Extension(),
		externalSender(sender),
		mls.AppData{ComponentParticipants: p.Bytes(), ComponentState: state[:]}.Extension(),
	}
}

func required() mls.RequiredCapabilities {
	return mls.RequiredCapabilities{
		Extensions:  []mls.ExtensionType{mls.ExtensionAppDataDictionary},
		Proposals:   []mls.ProposalType{mls.ProposalAppDataUpdate, mls.ProposalSelfRemove},
		Credentials: []mls.CredentialType{mls.CredentialDevice},
	}
}

func externalSender(key []byte) mls.Extension {
	return mls.ExternalSendersExtension(mls.ExternalSender{
		SignatureKey: key, Credential: mls.Credential{Type: mls.CredentialBasic, Identity: []byte("sconce server")},
	})
}

// RuleError says which rule of the room a commit or proposal breaks.
type RuleError struct{ Rule, Reason string }

func (e *RuleError) Error() string { return fmt.Sprintf("room rule %q: %s", e.Rule, e.Reason) }

func refuse(rule, format string, args ...any) error {
	return &RuleError{Rule: rule, Reason: fmt.Sprintf(format, args...)}
}
