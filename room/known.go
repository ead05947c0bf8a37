package room

import (
	"errors"

	"sconce/identity"
	"sconce/mls"
)

// knownLog is a person's device log as a room's pin sees it. Without a log it
// is not known as far as the pin.
type knownLog struct {
	log  *identity.Log
	view identity.View
}

// openLog opens a participant's log at their pin. A log of another history is
// refused; one that is not known, or not that far, has no log.
func openLog(logs LogSource, q Participant) (knownLog, error) {
	log := logs(q.User)
	if log == nil || log.Length() < q.Pin.Length {
		return knownLog{}, nil
	}
	v, err := log.View(q.Pin)
	if err != nil {
		return knownLog{}, refuse("pins", "%v", err)
	}
	return knownLog{log, v}, nil
}

// stands reports whether a leaf that was accepted once may stay: its device is
// active, and no recovery revoked the entry that gave it its keys. A leaf with
// keys that the device has since replaced may stay until the device renews it.
func (k knownLog) stands(c identity.Credential) bool {
	return k.view.Active(c.Device) && !k.revoked(c.Entry)
}

// revoked reports whether a recovery up to the pin revoked an entry before it.
// A device can be active and its leaf revoked: when a thief rotated its keys
// and the recovery went back to those from before.
func (k knownLog) revoked(entry identity.Hash) bool {
	at, ok := k.index(entry)
	if !ok {
		return false
	}
	for i := at + 1; i < k.view.Pin().Length; i++ {
		if keep, recovers := k.log.Entry(i).Keeps(); recovers && keep <= at {
			return true
		}
	}
	return false
}

func (k knownLog) index(entry identity.Hash) (int, bool) {
	for i := range k.view.Pin().Length {
		if k.log.Entry(i).Hash() == entry {
			return i, true
		}
	}
	return 0, false
}

// acceptMember judges a leaf that is in the group already, with the verdict of
// those who saw it come in and stay. Where its device has since replaced its
// keys, the leaf is held against the log as it was when they were the present ones.
func (k knownLog) acceptMember(c identity.Credential, leaf *mls.LeafNode) error {
	err := identity.AcceptLeaf(k.view, c, uint16(Suite), leaf.SignatureKey)
	if refused, ok := errors.AsType[*identity.LeafError](err); !ok || refused.Rule != identity.LeafReplaced || !k.stands(c) {
		return err
	}
	at, ok := k.index(c.Entry)
	if !ok {
		return err
	}
	then, atErr := k.log.At(at + 1)
	if atErr != nil {
		return atErr
	}
	return identity.AcceptLeaf(then, c, uint16(Suite), leaf.SignatureKey)
}

// Stands reports whether a leaf that a room accepted once may stay in it when
// the room's pin of its owner moves to at. Whoever raises a pin takes out the
// leaves that do not stand, in the same commit. An error is a
// [*identity.PinError]: the log does not reach the pin, or has another history.
func Stands(log *identity.Log, at identity.Pin, c identity.Credential) (bool, error) {
	v, err := log.View(at)
	if err != nil {
		return false, err
	}
	return v.User() == c.User && knownLog{log, v}.stands(c), nil
}
