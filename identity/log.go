package identity

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// MaxEntries is the longest log.
	MaxEntries = 4096

	// MaxDevices is how many devices of one person may be active at once.
	MaxDevices = 64

	// The last places of a log are for the recovery key, or a thief could fill
	// the log up and so keep its owner from ever recovering it.
	reservedEntries = 64
)

// Rule names what an entry was refused for.
type Rule string

// The rules of a log. An entry that cannot be parsed breaks RuleEncoding.
const (
	RuleEncoding  Rule = "encoding"
	RuleNetwork   Rule = "network"   // the log is of another network
	RuleIndex     Rule = "index"     // not the next place, so perhaps fetch what is missing
	RulePrevious  Rule = "previous"  // does not follow the head
	RuleFull      Rule = "full"      // no room but for the recovery key
	RuleSigner    Rule = "signer"    // not signed by an active device
	RuleSignature Rule = "signature" // a signature is missing, superfluous or wrong
	RuleDevice    Rule = "device"    // names a device that is not active, or adds one too many
	RuleReuse     Rule = "reuse"     // admits keys that were in the log before
	RuleProof     Rule = "proof"     // the new device did not agree
	RuleRecovery  Rule = "recovery"  // a recovery that makes no sense
	RuleSettled   Rule = "settled"   // an old branch that a recovery has overruled
)

// EntryError says which rule of the log an entry broke.
type EntryError struct {
	Index  int // the place the entry claims; of no meaning for RuleEncoding
	Rule   Rule
	Reason string
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("log entry %d refused: %s: %s", e.Index, e.Rule, e.Reason)
}

func refuse(e *Entry, rule Rule, reason string) *EntryError {
	return &EntryError{Index: e.Index(), Rule: rule, Reason: reason}
}

// ErrKnown is returned by [Log.Append] for an entry the log already holds. The
// signatures of that copy were not checked.
var ErrKnown = errors.New("the log already holds this entry")

// Device is one device as a log knows it at some moment.
type Device struct {
	ID    DeviceID
	Keys  *DeviceKeys
	Entry Hash      // the entry that admitted it, or last rotated its keys
	Since time.Time // when it was admitted, by the signer's clock
}

// Log is the verified history of one person's devices. Reading it from several
// goroutines is safe while none calls Append; a [View] is always safe.
type Log struct {
	network NetworkID
	user    UserID
	entries []*Entry
	hashes  []Hash               // of entries; views share the front of it
	states  []*state             // after each entry
	first   map[DeviceID]int     // the entry that first declared these keys
	known   map[DeviceID]*Device // every device that ever was, as last seen active
	settled int                  // entries up to the last recovery: forks there are decided
	fork    *ForkError
}

// state is what the log says at one moment. It does not change once made.
type state struct {
	recovery pairKey
	devices  []*Device // active, in the order of their admission
}

// Open verifies a whole log, from its genesis on, and returns it. The time it
// takes is proportional to the number of entries, and mostly goes into their
// signatures. If anything is amiss there is no log, only an error, as of
// [Log.Append].
func Open(network NetworkID, entries [][]byte) (*Log, error) {
	if len(entries) == 0 {
		return nil, &EntryError{Rule: RuleIndex, Reason: "a log without entries"}
	}
	l := &Log{network: network, first: make(map[DeviceID]int), known: make(map[DeviceID]*Device)}
	for i, data := range entries {
		e, err := parseEntry(data)
		if err != nil {
			return nil, &EntryError{Index: i, Rule: RuleEncoding, Reason: err.Error()}
		}
		if err := l.append(e); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Append verifies one entry and adds it. On any error the log's history is as
// before, and the error is one of:
//   - [*EntryError]: the entry breaks a rule.
//   - [ErrKnown]: the log holds this entry.
//   - [*ForkError]: the entry is as valid as another one in its place. The log
//     remembers this and takes nothing more but a recovery: see [Log.Fork].
//
// A server that takes entries from devices must first compare [Entry.Index] with
// [Log.Length] and turn down what is not next: of two devices that race, the one
// that lost has signed a second successor that is never published, and that must
// not be mistaken for a fork.
func (l *Log) Append(entry []byte) error {
	e, err := parseEntry(entry)
	if err != nil {
		return &EntryError{Index: l.Length(), Rule: RuleEncoding, Reason: err.Error()}
	}
	return l.append(e)
}

func (l *Log) append(e *Entry) error {
	if e.Index() < len(l.entries) {
		return l.meet(e)
	}
	after, err := l.successor(e)
	if err != nil {
		return err
	}
	if len(l.entries) == 0 {
		l.user = e.user()
	}
	l.entries = append(l.entries, e)
	l.hashes = append(l.hashes, e.hash)
	l.states = append(l.states, after)
	if keys, ok := e.Admits(); ok {
		l.first[keys.id] = e.Index()
	}
	for _, d := range after.devices {
		l.known[d.ID] = d
	}
	if e.Kind() == KindRecover {
		l.settled, l.fork = len(l.entries), nil
	}
	return nil
}

// successor checks an entry that would be the next, and returns the state after it.
func (l *Log) successor(e *Entry) (*state, error) {
	if e.Index() > len(l.entries) {
		return nil, refuse(e, RuleIndex, fmt.Sprintf("the log has %d entries", len(l.entries)))
	}
	if l.fork != nil && e.Kind() != KindRecover {
		return nil, l.fork
	}
	return l.follow(e)
}

// follow checks an entry against the log as it was before the entry's index,
// which the log reaches.
func (l *Log) follow(e *Entry) (*state, error) {
	if e.head.Network != l.network {
		return nil, refuse(e, RuleNetwork, "of another network")
	}
	if e.Index() == 0 {
		if e.Kind() != KindGenesis {
			return nil, refuse(e, RuleIndex, "the first entry is not a genesis entry")
		}
		return e.body.apply(l, e, nil)
	}
	if e.head.Previous != l.hashes[e.Index()-1] {
		return nil, refuse(e, RulePrevious, "does not follow the entry before it")
	}
	if e.Index() >= MaxEntries-reservedEntries && e.Kind() != KindRecover && e.Kind() != KindSetRecovery {
		return nil, refuse(e, RuleFull, "the last places are for the recovery key")
	}
	return e.body.apply(l, e, l.states[e.Index()-1])
}

// checkFresh refuses keys that the log has seen before the entry, whoever had
// them and whatever became of them: removed keys must stay removed.
func (l *Log) checkFresh(e *Entry, keys *DeviceKeys) error {
	if at, ok := l.first[keys.id]; ok && at < e.Index() {
		return refuse(e, RuleReuse, fmt.Sprintf("entry %d already declared these keys", at))
	}
	return nil
}

// signer returns the active device that an entry says it is signed by.
func (s *state) signer(e *Entry) (*Device, error) {
	d := s.device(e.head.Signer)
	if d == nil {
		return nil, refuse(e, RuleSigner, "signed by a device that is not active")
	}
	return d, nil
}

func (s *state) device(id DeviceID) *Device {
	for _, d := range s.devices {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// with returns the state plus a device that agreed to be admitted by e.
func (s *state) with(l *Log, e *Entry, a Admission) (*state, error) {
	if len(s.devices) >= MaxDevices {
		return nil, refuse(e, RuleDevice, fmt.Sprintf("more than %d active devices", MaxDevices))
	}
	if err := l.checkFresh(e, a.Keys); err != nil {
		return nil, err
	}
	if err := a.Verify(l.network, l.user); err != nil {
		return nil, refuse(e, RuleProof, err.Error())
	}
	devices := append(slices.Clone(s.devices), admit(e, a.Keys))
	return &state{recovery: s.recovery, devices: devices}, nil
}

func (s *state) without(id DeviceID) *state {
	devices := slices.Clone(s.devices)
	devices = slices.DeleteFunc(devices, func(d *Device) bool { return d.ID == id })
	return &state{recovery: s.recovery, devices: devices}
}

func admit(e *Entry, keys *DeviceKeys) *Device {
	return &Device{ID: keys.id, Keys: keys, Entry: e.hash, Since: e.Time()}
}

// Network is the network the log belongs to.
func (l *Log) Network() NetworkID { return l.network }

// User is the person whose log it is.
func (l *Log) User() UserID { return l.user }

// Length is the number of entries, at least 1.
func (l *Log) Length() int { return len(l.entries) }

// Head is the hash of the last entry.
func (l *Log) Head() Hash { return l.hashes[len(l.hashes)-1] }

// Pin is the whole log as a room pins it.
func (l *Log) Pin() Pin { return Pin{Length: l.Length(), Head: l.Head()} }

// Entry returns an entry by its index, for showing history and for passing it
// on. It panics if i is not below Length, like a slice.
func (l *Log) Entry(i int) *Entry { return l.entries[i] }

// Devices lists the active devices, in the order of their admission.
func (l *Log) Devices() []Device { return l.now().Devices() }

// Active reports whether a device is active.
func (l *Log) Active(id DeviceID) bool { return l.now().Active(id) }

// Device returns any device that was ever admitted, as it last was while active:
// old messages still want a name beside them.
func (l *Log) Device(id DeviceID) (Device, bool) {
	if d, ok := l.known[id]; ok {
		return *d, true
	}
	return Device{}, false
}

// Holder returns the active device whose keys these are. After a rotation that
// is not the device with the id of the keys.
func (l *Log) Holder(keys *DeviceKeys) (Device, bool) {
	for _, d := range l.states[len(l.states)-1].devices {
		if d.Keys.id == keys.id {
			return *d, true
		}
	}
	return Device{}, false
}

// At returns the log as it was when it had length entries.
func (l *Log) At(length int) (View, error) {
	if length < 1 || length > l.Length() {
		return View{}, &PinError{User: l.user, Pin: Pin{Length: length}, Length: l.Length()}
	}
	return l.at(length), nil
}

func (l *Log) now() View { return l.at(l.Length()) }
