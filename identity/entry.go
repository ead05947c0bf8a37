package identity

import (
	"errors"
	"fmt"
	"time"
)

const (
	// MaxEntrySize is the size of the largest entry, in bytes.
	MaxEntrySize = 64 << 10

	// A claimed time beyond this cannot be written as a date of four digits.
	maxTime = 253402300799999
)

// Kind says what an entry does.
type Kind uint8

// The kinds of entries, with the keys that must sign each, in this order.
const (
	KindGenesis     Kind = 1 // first device, recovery key
	KindAddDevice   Kind = 2 // any active device
	KindRemove      Kind = 3 // any active device
	KindRotate      Kind = 4 // the device itself, its new log key
	KindSetRecovery Kind = 5 // any active device, old recovery key, new recovery key
	KindRecover     Kind = 6 // recovery key
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindGenesis:
		return "genesis"
	case KindAddDevice:
		return "add device"
	case KindRemove:
		return "remove device"
	case KindRotate:
		return "rotate"
	case KindSetRecovery:
		return "set recovery"
	case KindRecover:
		return "recover"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Entry is one parsed entry of a log. Parsing does not verify: what an entry
// claims is true only once [Log.Append] or [Open] took it.
type Entry struct {
	hash Hash
	wire entryWire
	head contentWire
	body body
}

// An entry's signatures are over Content, as bytes.
type entryWire struct {
	_          struct{} `cbor:",toarray"`
	Content    []byte
	Signatures [][]byte
}

type contentWire struct {
	_        struct{} `cbor:",toarray"`
	Network  NetworkID
	Index    uint64
	Previous Hash // zero in a genesis entry
	Time     int64
	Signer   DeviceID // zero where no device signs
	Kind     Kind
	Body     []byte
}

// ParseEntry reads one entry. The result does not share data.
func ParseEntry(data []byte) (*Entry, error) {
	e, err := parseEntry(data)
	if err != nil {
		return nil, fmt.Errorf("log entry: %w", err)
	}
	return e, nil
}

func parseEntry(data []byte) (*Entry, error) {
	w, err := decodeVersioned[entryWire](data, MaxEntrySize)
	if err != nil {
		return nil, err
	}
	head, err := decode[contentWire](w.Content)
	if err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	if head.Index >= MaxEntries {
		return nil, fmt.Errorf("index %d in a log of at most %d", head.Index, MaxEntries)
	}
	if head.Time <= 0 || head.Time > maxTime {
		return nil, errors.New("time is not between 1970 and 9999")
	}
	body, err := parseBody(head.Kind, head.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", head.Kind, err)
	}
	head.Body = nil // parsed, and part of w.Content
	return &Entry{hash: Hash(labelledHash(labelEntry, w.Content)), wire: w, head: head, body: body}, nil
}

// Marshal returns the bytes the entry was parsed from: it has only one encoding.
func (e *Entry) Marshal() []byte { return encodeVersioned(&e.wire) }

// Hash is what the next entry, credentials and pins call the entry by.
func (e *Entry) Hash() Hash { return e.hash }

// Network is the network the log belongs to.
func (e *Entry) Network() NetworkID { return e.head.Network }

// Index is the entry's place in the log, from 0.
func (e *Entry) Index() int { return int(e.head.Index) }

// Previous is the hash of the entry before.
func (e *Entry) Previous() Hash { return e.head.Previous }

// Time is when the signer says it signed; nothing is decided by it.
func (e *Entry) Time() time.Time { return time.UnixMilli(e.head.Time).UTC() }

// Kind says what the entry does.
func (e *Entry) Kind() Kind { return e.head.Kind }

// Signer is the device that signed, or zero if only the recovery key did.
func (e *Entry) Signer() DeviceID { return e.head.Signer }

// User is the id of the person whose log a genesis entry begins.
func (e *Entry) User() (UserID, bool) {
	return e.user(), e.head.Kind == KindGenesis
}

func (e *Entry) user() UserID { return UserID(labelledHash(labelUser, e.wire.Content)) }

// Admits returns the device keys the entry brings into the log, if it does so:
// those of a first, added or recovered device, or new ones of a rotated device.
func (e *Entry) Admits() (*DeviceKeys, bool) {
	switch b := e.body.(type) {
	case genesisBody:
		return b.device, true
	case addBody:
		return b.Keys, true
	case rotateBody:
		return b.keys, true
	case recoverBody:
		if b.add != nil {
			return b.add.Keys, true
		}
	}
	return nil, false
}

// Removes lists the devices a remove or recover entry names. A recovery drops
// more than it names when it keeps less than the whole log: see [Log.Recover].
func (e *Entry) Removes() []DeviceID {
	switch b := e.body.(type) {
	case removeBody:
		return []DeviceID{b.Device}
	case recoverBody:
		return append([]DeviceID(nil), b.remove...)
	}
	return nil
}

// Keeps is how many entries a recover entry leaves in force.
func (e *Entry) Keeps() (int, bool) {
	b, ok := e.body.(recoverBody)
	return b.keep, ok
}

// signEntry makes an entry's bytes from its content and the keys its kind wants.
func signEntry(content contentWire, signers ...pairSecret) ([]byte, error) {
	w := entryWire{Content: encode(&content)}
	for _, s := range signers {
		sig, err := s.sign(labelEntry, content.Network, w.Content)
		if err != nil {
			return nil, err
		}
		w.Signatures = append(w.Signatures, sig)
	}
	return encodeVersioned(&w), nil
}

// verify checks that exactly these keys signed, in this order.
func (e *Entry) verify(keys ...pairKey) error {
	if len(e.wire.Signatures) != len(keys) {
		return fmt.Errorf("%d signatures instead of %d", len(e.wire.Signatures), len(keys))
	}
	for i, key := range keys {
		if err := key.verify(labelEntry, e.head.Network, e.wire.Content, e.wire.Signatures[i]); err != nil {
			return fmt.Errorf("signature %d of %d: %w", i+1, len(keys), err)
		}
	}
	return nil
}
