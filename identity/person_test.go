package identity

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	suiteHybrid  uint16 = 0xfa04
	suiteClassic uint16 = 0x0002
)

var (
	testNetwork = NetworkID{1, 2, 3}
	testTime    = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
)

// tb is what testing.TB and rapid.TB have in common and the tests need.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// person is one user with everything that is theirs.
type person struct {
	tb
	network  NetworkID
	recovery *RecoveryKey
	phone    *DeviceSecrets
	log      *Log
	entries  [][]byte
	clock    time.Time
}

func newPerson(t tb) *person { t.Helper(); return newPersonOf(t, testNetwork) }

func newPersonOf(t tb, network NetworkID) *person {
	t.Helper()
	p := &person{tb: t, network: network, recovery: NewRecoveryKey(), phone: newDevice(t, "phone"), clock: testTime}
	genesis, err := NewGenesis(network, testTime, p.recovery, p.phone)
	if err != nil {
		t.Fatalf("genesis: %v", err)
	}
	p.entries = [][]byte{genesis}
	if p.log, err = Open(network, p.entries); err != nil {
		t.Fatalf("opening: %v", err)
	}
	return p
}

func newDevice(t tb, name string) *DeviceSecrets {
	t.Helper()
	s, err := NewDeviceSecrets(name, map[uint16]LeafPair{
		suiteHybrid:  {Public: []byte(name + " public hybrid"), Secret: []byte("hybrid")},
		suiteClassic: {Public: []byte(name + " public classic"), Secret: []byte("classic")},
	})
	if err != nil {
		t.Fatalf("device: %v", err)
	}
	return s
}

func (p *person) join(s *DeviceSecrets) Admission {
	p.Helper()
	a, err := s.Join(p.log.Network(), p.log.User())
	if err != nil {
		p.Fatalf("joining: %v", err)
	}
	return a
}

func (p *person) now() time.Time {
	p.clock = p.clock.Add(time.Minute)
	return p.clock
}

// take appends an entry that must be good.
func (p *person) take(entry []byte, err error) {
	p.Helper()
	if err != nil {
		p.Fatalf("making an entry: %v", err)
	}
	if err := p.log.Append(entry); err != nil {
		p.Fatalf("appending: %v", err)
	}
	p.entries = append(p.entries, entry)
}

func (p *person) add(s *DeviceSecrets) { p.Helper(); p.take(p.addEntry(s)) }
func (p *person) addEntry(s *DeviceSecrets) ([]byte, error) {
	return p.log.AddDevice(p.phone, p.now(), p.join(s))
}

// copy opens the person's entries anew.
func (p *person) copy() *Log {
	p.Helper()
	l, err := Open(p.network, p.entries)
	if err != nil {
		p.Fatalf("opening a copy: %v", err)
	}
	return l
}

// content is the next entry, right in every way; tests then break one thing.
func (p *person) content(kind Kind, signer DeviceID, body any) contentWire {
	return contentWire{
		Network: p.network, Index: uint64(p.log.Length()), Previous: p.log.Head(),
		Time: p.now().UnixMilli(), Signer: signer, Kind: kind, Body: encode(body),
	}
}

func (p *person) signed(c contentWire, signers ...pairSecret) []byte {
	p.Helper()
	entry, err := signEntry(c, signers...)
	if err != nil {
		p.Fatalf("signing: %v", err)
	}
	return entry
}

// everyKind is a person with an entry of each kind, and the device added last.
func everyKind(t tb) (p *person, spare *DeviceSecrets) {
	t.Helper()
	return everyKindOf(t, testNetwork)
}

func everyKindOf(t tb, network NetworkID) (p *person, spare *DeviceSecrets) {
	t.Helper()
	p = newPersonOf(t, network)
	laptop, tablet := newDevice(t, "laptop"), newDevice(t, "tablet")
	p.add(laptop)
	p.add(tablet)
	p.take(p.log.RemoveDevice(laptop, p.now(), tablet.Keys().ID()))
	fresh := newDevice(t, "new phone")
	p.take(p.log.Rotate(p.phone, p.now(), fresh))
	p.phone = fresh
	recovery := NewRecoveryKey()
	p.take(p.log.SetRecovery(p.phone, p.now(), p.recovery, recovery))
	p.recovery = recovery
	spare = newDevice(t, "spare")
	a := p.join(spare)
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: p.log.Length(), Add: &a}))
	return p, spare
}

func wantRule(t tb, err error, want Rule) {
	t.Helper()
	got, ok := errors.AsType[*EntryError](err)
	if !ok || got.Rule != want {
		t.Fatalf("got error %v, want one of rule %q", err, want)
	}
}

func wantDevices(t tb, got []Device, want ...DeviceID) {
	t.Helper()
	ids := make([]DeviceID, len(got))
	for i, d := range got {
		ids[i] = d.ID
	}
	if !slices.Equal(ids, want) {
		t.Fatalf("active devices are %v, want %v", ids, want)
	}
}

func wantSameLog(t tb, got, want *Log) {
	t.Helper()
	describe := func(l *Log) string {
		var b bytes.Buffer
		for i := range l.Length() {
			v, err := l.At(i + 1)
			if err != nil {
				t.Fatalf("at %d: %v", i+1, err)
			}
			fmt.Fprintln(&b, v.Pin(), v.state.recovery)
			for _, d := range v.Devices() {
				fmt.Fprintln(&b, d.ID, d.Entry, d.Since, d.Keys.ID(), d.Keys.Name())
			}
		}
		fmt.Fprintln(&b, l.user, l.network, l.settled, l.fork, l.first, len(l.known))
		return b.String()
	}
	if g, w := describe(got), describe(want); g != w {
		t.Fatalf("logs differ:\n%s\nwant\n%s", g, w)
	}
}
