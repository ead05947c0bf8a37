package identity

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// The functions here make signed entries. An entry counts once it is published:
// save what it depends on first, send it, and hand it to Append when the server
// has taken it. Whatever they return, Append would take at this moment. Never
// publish two entries made from the same length of a log: that is a [ForkError].

// NewGenesis makes the first entry of a new person's log. The id of the person
// is its hash: [Entry.User].
func NewGenesis(network NetworkID, now time.Time, recovery *RecoveryKey, device *DeviceSecrets) ([]byte, error) {
	pair := recovery.pair()
	body := genesisWire{Recovery: pair.public(), Device: device.keys.raw}
	entry, err := signEntry(contentWire{
		Network: network, Time: now.UnixMilli(), Signer: device.keys.id,
		Kind: KindGenesis, Body: encode(&body),
	}, device.log, pair)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if _, err := Open(network, [][]byte{entry}); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return entry, nil
}

// AddDevice makes the entry by which an active device admits a new one. Before
// that, compare the admission's keys with the [LinkCode] the person scanned or
// typed; nothing else says that the keys are those of the device at hand.
func (l *Log) AddDevice(signer *DeviceSecrets, now time.Time, a Admission) ([]byte, error) {
	if err := a.Verify(l.network, l.user); err != nil {
		return nil, err
	}
	w := a.wire()
	return l.bySigner(signer, now, KindAddDevice, encode(&w))
}

// RemoveDevice makes the entry by which an active device takes one out, which
// may be itself and may be the last: the recovery key can add another.
func (l *Log) RemoveDevice(signer *DeviceSecrets, now time.Time, device DeviceID) ([]byte, error) {
	return l.bySigner(signer, now, KindRemove, encode(&removeBody{Device: device}))
}

// Rotate makes the entry by which a device replaces its own keys. Its id stays.
// New MLS leaves of the device need a credential that names this entry.
func (l *Log) Rotate(old *DeviceSecrets, now time.Time, fresh *DeviceSecrets) ([]byte, error) {
	body := rotateWire{Keys: fresh.keys.raw}
	return l.bySigner(old, now, KindRotate, encode(&body), fresh.log)
}

// SetRecovery makes the entry that replaces the recovery key. It takes an active
// device and the old key, so that neither a thief of one nor of the other can.
func (l *Log) SetRecovery(signer *DeviceSecrets, now time.Time, old, fresh *RecoveryKey) ([]byte, error) {
	pair := fresh.pair()
	body := setRecoveryWire{Recovery: pair.public()}
	return l.bySigner(signer, now, KindSetRecovery, encode(&body), old.pair(), pair)
}

// Recovery says what a recovery does to the devices of a log.
type Recovery struct {
	// Keep is how many entries stay in force. The active devices become those
	// that were active after that many; 0 drops every device there ever was.
	// It must not lie within what an earlier recovery revoked.
	Keep int

	// Remove lists devices that were active then and are to go as well, each
	// once, in any order: a stolen device that had been admitted honestly.
	Remove []DeviceID

	// Add is a device to admit, usually the one that runs the recovery.
	Add *Admission
}

// Recover makes the entry by which the recovery key takes a log back. It needs
// no device, undoes whatever devices did since Keep, and ends a fork. It still
// has to become the next entry: a server must limit how often devices append,
// or a thief could keep the head moving.
func (l *Log) Recover(key *RecoveryKey, now time.Time, r Recovery) ([]byte, error) {
	if r.Keep < 0 || r.Keep > l.Length() {
		return nil, fmt.Errorf("recovery keeps %d of %d entries", r.Keep, l.Length())
	}
	body := recoverWire{Keep: uint64(r.Keep), Remove: sortedIDs(r.Remove)}
	if r.Add != nil {
		body.Add = []admissionWire{r.Add.wire()}
	}
	return l.sign(contentWire{Time: now.UnixMilli(), Kind: KindRecover, Body: encode(&body)}, key.pair())
}

// bySigner signs with the log key of an active device, then with others.
func (l *Log) bySigner(signer *DeviceSecrets, now time.Time, kind Kind, body []byte, others ...pairSecret) ([]byte, error) {
	device, ok := l.Holder(signer.keys)
	if !ok {
		return nil, fmt.Errorf("%s: these keys are not those of an active device", kind)
	}
	content := contentWire{Time: now.UnixMilli(), Signer: device.ID, Kind: kind, Body: body}
	return l.sign(content, append([]pairSecret{signer.log}, others...)...)
}

// sign completes an entry for the next place and checks it as Append would.
func (l *Log) sign(content contentWire, signers ...pairSecret) ([]byte, error) {
	content.Network, content.Index, content.Previous = l.network, uint64(l.Length()), l.Head()
	entry, err := signEntry(content, signers...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", content.Kind, err)
	}
	e, err := parseEntry(entry)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", content.Kind, err)
	}
	if _, err := l.successor(e); err != nil {
		return nil, fmt.Errorf("%s: %w", content.Kind, err)
	}
	return entry, nil
}

func sortedIDs(ids []DeviceID) []DeviceID {
	return slices.SortedFunc(slices.Values(ids), func(a, b DeviceID) int { return bytes.Compare(a[:], b[:]) })
}
