package identity

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
)

// body is what one kind of entry says. Its apply is the rule of that kind: it
// checks everything, signatures included, against the state before the entry,
// and returns the state after it.
type body interface {
	apply(l *Log, e *Entry, before *state) (*state, error)
}

func parseBody(kind Kind, data []byte) (body, error) {
	switch kind {
	case KindGenesis:
		return parseGenesis(data)
	case KindAddDevice:
		return parseAdd(data)
	case KindRemove:
		return decode[removeBody](data)
	case KindRotate:
		return parseRotate(data)
	case KindSetRecovery:
		return parseSetRecovery(data)
	case KindRecover:
		return parseRecover(data)
	}
	return nil, errors.New("unknown kind")
}

// genesisBody begins a log. The device's signature is also its consent.
type genesisBody struct {
	recovery pairKey
	device   *DeviceKeys
}

type genesisWire struct {
	_        struct{} `cbor:",toarray"`
	Recovery []byte
	Device   []byte
}

func parseGenesis(data []byte) (body, error) {
	w, err := decode[genesisWire](data)
	if err != nil {
		return nil, err
	}
	recovery, err := parsePairKey(w.Recovery)
	if err != nil {
		return nil, fmt.Errorf("recovery key: %w", err)
	}
	device, err := ParseDeviceKeys(w.Device)
	if err != nil {
		return nil, err
	}
	return genesisBody{recovery: recovery, device: device}, nil
}

func (b genesisBody) apply(_ *Log, e *Entry, before *state) (*state, error) {
	switch {
	case before != nil:
		return nil, refuse(e, RuleIndex, "a genesis entry that is not the first")
	case e.head.Previous != Hash{}:
		return nil, refuse(e, RuleIndex, "a genesis entry that names one before it")
	case e.head.Signer != b.device.id:
		return nil, refuse(e, RuleSigner, "signed by a device that is not the first")
	}
	if err := e.verify(b.device.log, b.recovery); err != nil {
		return nil, refuse(e, RuleSignature, err.Error())
	}
	return &state{recovery: b.recovery, devices: []*Device{admit(e, b.device)}}, nil
}

// addBody admits a device, by an active one.
type addBody struct{ Admission }

func parseAdd(data []byte) (body, error) {
	w, err := decode[admissionWire](data)
	if err != nil {
		return nil, err
	}
	a, err := w.admission()
	return addBody{a}, err
}

func (b addBody) apply(l *Log, e *Entry, before *state) (*state, error) {
	signer, err := before.signer(e)
	if err != nil {
		return nil, err
	}
	if err := e.verify(signer.Keys.log); err != nil {
		return nil, refuse(e, RuleSignature, err.Error())
	}
	return before.with(l, e, b.Admission)
}

// removeBody takes a device out, by any active one, itself included.
type removeBody struct {
	_      struct{} `cbor:",toarray"`
	Device DeviceID
}

func (b removeBody) apply(_ *Log, e *Entry, before *state) (*state, error) {
	signer, err := before.signer(e)
	if err != nil {
		return nil, err
	}
	if before.device(b.Device) == nil {
		return nil, refuse(e, RuleDevice, "removes a device that is not active")
	}
	if err := e.verify(signer.Keys.log); err != nil {
		return nil, refuse(e, RuleSignature, err.Error())
	}
	return before.without(b.Device), nil
}

// rotateBody gives the signing device new keys. A device rotates only itself:
// new keys for another would be a way to become it.
type rotateBody struct{ keys *DeviceKeys }

type rotateWire struct {
	_    struct{} `cbor:",toarray"`
	Keys []byte
}

func parseRotate(data []byte) (body, error) {
	w, err := decode[rotateWire](data)
	if err != nil {
		return nil, err
	}
	keys, err := ParseDeviceKeys(w.Keys)
	return rotateBody{keys}, err
}

func (b rotateBody) apply(l *Log, e *Entry, before *state) (*state, error) {
	old, err := before.signer(e)
	if err != nil {
		return nil, err
	}
	if err := l.checkFresh(e, b.keys); err != nil {
		return nil, err
	}
	if err := e.verify(old.Keys.log, b.keys.log); err != nil {
		return nil, refuse(e, RuleSignature, err.Error())
	}
	rotated := &Device{ID: old.ID, Keys: b.keys, Entry: e.hash, Since: old.Since}
	devices := slices.Clone(before.devices)
	devices[slices.Index(devices, old)] = rotated
	return &state{recovery: before.recovery, devices: devices}, nil
}

// setRecoveryBody replaces the recovery key. A device alone must not be able to,
// or a thief could shut the owner out for good. The old recovery key alone must
// not either: finding the paper should not be enough to do it unseen by every
// device. Both are always at hand, because the recovery key can add a device
// first. The new key signs too, so that nobody names a key that nobody has.
type setRecoveryBody struct{ recovery pairKey }

type setRecoveryWire struct {
	_        struct{} `cbor:",toarray"`
	Recovery []byte
}

func parseSetRecovery(data []byte) (body, error) {
	w, err := decode[setRecoveryWire](data)
	if err != nil {
		return nil, err
	}
	recovery, err := parsePairKey(w.Recovery)
	return setRecoveryBody{recovery}, err
}

func (b setRecoveryBody) apply(_ *Log, e *Entry, before *state) (*state, error) {
	signer, err := before.signer(e)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(b.recovery, before.recovery) {
		return nil, refuse(e, RuleRecovery, "the new recovery key is the old one")
	}
	if err := e.verify(signer.Keys.log, before.recovery, b.recovery); err != nil {
		return nil, refuse(e, RuleSignature, err.Error())
	}
	return &state{recovery: b.recovery, devices: before.devices}, nil
}

// recoverBody puts the devices back to what they were after the first keep
// entries, less those it removes, plus the one it adds. The recovery key stays
// the current one: going back to an older one would hand the log to whoever
// made its owner replace it.
type recoverBody struct {
	keep   int
	remove []DeviceID
	add    *Admission
}

type recoverWire struct {
	_      struct{} `cbor:",toarray"`
	Keep   uint64
	Remove []DeviceID      // in order, each once
	Add    []admissionWire // none or one
}

func parseRecover(data []byte) (body, error) {
	w, err := decode[recoverWire](data)
	if err != nil {
		return nil, err
	}
	if w.Keep > math.MaxInt32 || len(w.Remove) > MaxDevices || len(w.Add) > 1 {
		return nil, errors.New("out of range")
	}
	for i := 1; i < len(w.Remove); i++ {
		if bytes.Compare(w.Remove[i-1][:], w.Remove[i][:]) >= 0 {
			return nil, errors.New("removed devices are not in order")
		}
	}
	b := recoverBody{keep: int(w.Keep), remove: w.Remove}
	for _, add := range w.Add {
		a, err := add.admission()
		if err != nil {
			return nil, err
		}
		b.add = &a
	}
	return b, nil
}

// checkKeep refuses a recovery that would put back what an earlier one revoked,
// a thief's device perhaps: it may keep less than that one kept, or all of it.
func (l *Log) checkKeep(e *Entry, keep int) error {
	if keep > e.Index() {
		return refuse(e, RuleRecovery, fmt.Sprintf("keeps %d entries", keep))
	}
	for _, earlier := range l.entries[:e.Index()] {
		if kept, ok := earlier.Keeps(); ok && kept < keep && keep <= earlier.Index() {
			return refuse(e, RuleRecovery, fmt.Sprintf("keeps entries that entry %d revoked", earlier.Index()))
		}
	}
	return nil
}

func (b recoverBody) apply(l *Log, e *Entry, before *state) (*state, error) {
	if e.head.Signer != (DeviceID{}) {
		return nil, refuse(e, RuleSigner, "a recovery that names a device as its signer")
	}
	if err := l.checkKeep(e, b.keep); err != nil {
		return nil, err
	}
	if err := e.verify(before.recovery); err != nil {
		return nil, refuse(e, RuleSignature, err.Error())
	}
	after := &state{recovery: before.recovery}
	if b.keep > 0 {
		after.devices = l.states[b.keep-1].devices
	}
	for _, id := range b.remove {
		if after.device(id) == nil {
			return nil, refuse(e, RuleDevice, "removes a device that is not active")
		}
		after = after.without(id)
	}
	if b.add == nil {
		return after, nil
	}
	return after.with(l, e, *b.add)
}
