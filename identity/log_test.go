package identity

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestGenesisMakesAPersonWithOneDevice(t *testing.T) {
	p := newPerson(t)
	wantDevices(t, p.log.Devices(), p.phone.Keys().ID())
	genesis, err := ParseEntry(p.entries[0])
	if err != nil {
		t.Fatal(err)
	}
	user, ok := genesis.User()
	if !ok || user != p.log.User() || Hash(user) == p.log.Head() {
		t.Fatalf("genesis names %v, log is of %v with head %v", user, p.log.User(), p.log.Head())
	}
}

func TestEntriesTellWhatTheyDo(t *testing.T) {
	p, _ := everyKind(t)
	var got []string
	for i := range p.log.Length() {
		e := p.log.Entry(i)
		_, admits := e.Admits()
		got = append(got, fmt.Sprintf("%d %s admits=%t removes=%d", e.Index(), e.Kind(), admits, len(e.Removes())))
	}
	want := []string{
		"0 genesis admits=true removes=0", "1 add device admits=true removes=0",
		"2 add device admits=true removes=0", "3 remove device admits=false removes=1",
		"4 rotate admits=true removes=0", "5 set recovery admits=false removes=0",
		"6 recover admits=true removes=0",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q\nwant %q", got, want)
	}
	laptop, _ := p.log.Entry(1).Admits()
	tablet, _ := p.log.Entry(2).Admits()
	removal := p.log.Entry(3)
	if removal.Signer() != laptop.ID() || removal.Removes()[0] != tablet.ID() {
		t.Fatalf("%v removed %v, want the laptop to have removed the tablet", removal.Signer(), removal.Removes())
	}
}

func TestRotationKeepsTheDevice(t *testing.T) {
	p := newPerson(t)
	id, old, fresh := p.phone.Keys().ID(), p.phone, newDevice(t, "phone again")
	p.take(p.log.Rotate(old, p.now(), fresh))
	wantDevices(t, p.log.Devices(), id)
	d, ok := p.log.Holder(fresh.Keys())
	if !ok || d.ID != id || d.Entry != p.log.Head() || !d.Since.Equal(testTime) {
		t.Fatalf("holder of the new keys is %+v, %t", d, ok)
	}
	if _, err := p.log.RemoveDevice(old, p.now(), id); err == nil {
		t.Fatal("the replaced keys still sign")
	}
}

func TestRecoveryUndoesAThief(t *testing.T) {
	p := newPerson(t)
	laptop, thief, spare := newDevice(t, "laptop"), newDevice(t, "thief"), newDevice(t, "spare")
	p.add(laptop)
	honest := p.log.Length()
	p.add(thief)
	p.take(p.log.RemoveDevice(thief, p.now(), laptop.Keys().ID()))
	p.take(p.log.RemoveDevice(thief, p.now(), p.phone.Keys().ID()))

	a := p.join(spare)
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{
		Keep: honest, Remove: []DeviceID{p.phone.Keys().ID()}, Add: &a,
	}))
	wantDevices(t, p.log.Devices(), laptop.Keys().ID(), spare.Keys().ID())
}

func TestRecoveryRemovesNamedDevicesAtOnce(t *testing.T) {
	p := newPerson(t)
	laptop, tablet := newDevice(t, "laptop"), newDevice(t, "tablet")
	p.add(laptop)
	p.add(tablet)
	for _, remove := range [][]DeviceID{
		{laptop.Keys().ID(), p.phone.Keys().ID()}, {p.phone.Keys().ID(), laptop.Keys().ID()},
	} {
		entry, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: p.log.Length(), Remove: remove})
		if err != nil {
			t.Fatal(err)
		}
		l := p.copy()
		if err := l.Append(entry); err != nil {
			t.Fatal(err)
		}
		wantDevices(t, l.Devices(), tablet.Keys().ID())
	}
}

func TestRecoveryOfNothingKeptDropsEveryDevice(t *testing.T) {
	p := newPerson(t)
	spare := newDevice(t, "spare")
	a := p.join(spare)
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: 0, Add: &a}))
	wantDevices(t, p.log.Devices(), spare.Keys().ID())
}

func TestRecoveryKeepsTheNewestRecoveryKey(t *testing.T) {
	p := newPerson(t)
	old, fresh := p.recovery, NewRecoveryKey()
	p.take(p.log.SetRecovery(p.phone, p.now(), old, fresh))
	p.take(p.log.Recover(fresh, p.now(), Recovery{Keep: 1}))
	_, err := p.log.Recover(old, p.now(), Recovery{Keep: 1})
	wantRule(t, err, RuleSignature)
}

func TestLastDeviceMayLeaveAndRecoveryBringsAnother(t *testing.T) {
	p := newPerson(t)
	p.take(p.log.RemoveDevice(p.phone, p.now(), p.phone.Keys().ID()))
	wantDevices(t, p.log.Devices())
	a := p.join(newDevice(t, "spare"))
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: p.log.Length(), Add: &a}))
	wantDevices(t, p.log.Devices(), a.Keys.ID())
	if d, ok := p.log.Device(p.phone.Keys().ID()); !ok || d.Keys.Name() != "phone" {
		t.Fatalf("a device of the past is %v, %t", d, ok)
	}
}

func TestKnownEntryIsSaidToBeKnown(t *testing.T) {
	p, _ := everyKind(t)
	for _, entry := range p.entries {
		if err := p.log.Append(entry); !errors.Is(err, ErrKnown) {
			t.Fatalf("got %v, want ErrKnown", err)
		}
	}
}

func TestEmptyLogIsRefused(t *testing.T) {
	_, err := Open(testNetwork, nil)
	wantRule(t, err, RuleIndex)
}

func TestViewsDoNotChangeAsTheLogGrows(t *testing.T) {
	p := newPerson(t)
	before, err := p.log.View(p.log.Pin())
	if err != nil {
		t.Fatal(err)
	}
	pin := before.Pin()
	p.add(newDevice(t, "laptop"))
	p.take(p.log.RemoveDevice(p.phone, p.now(), p.phone.Keys().ID()))
	wantDevices(t, before.Devices(), p.phone.Keys().ID())
	if before.Pin() != pin || !before.Active(p.phone.Keys().ID()) || p.log.Active(p.phone.Keys().ID()) {
		t.Fatal("the view moved with the log")
	}
}

func TestViewsMayBeReadWhileTheLogGrows(t *testing.T) {
	p := newPerson(t)
	view, c, key := p.log.now(), credentialOf(t, p.log, p.phone), leafKey(t, p.phone, suiteHybrid)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := AcceptLeaf(view, c, suiteHybrid, key); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 4 {
		p.add(newDevice(t, fmt.Sprintf("device %d", i)))
	}
	close(stop)
	readers.Wait()
}

// The whole history in one fold and entry by entry come to the same, and to what
// a plain list of active devices says.
func TestRandomHistoriesFoldTheSame(t *testing.T) {
	pool := make([]*DeviceSecrets, 24)
	for i := range pool {
		pool[i] = newDevice(t, fmt.Sprintf("device %d", i))
	}
	rapid.Check(t, func(t *rapid.T) {
		p := newPerson(t)
		holders := map[DeviceID]*DeviceSecrets{p.phone.Keys().ID(): p.phone}
		model := [][]DeviceID{{p.phone.Keys().ID()}} // after each entry
		revoked := func(keep int) bool {
			for i := range p.log.Length() {
				if kept, ok := p.log.Entry(i).Keeps(); ok && kept < keep && keep <= i {
					return true
				}
			}
			return false
		}
		fresh := slices.Clone(pool)
		next := func() *DeviceSecrets { s := fresh[0]; fresh = fresh[1:]; return s }
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			active := slices.Clone(model[len(model)-1])
			op := rapid.IntRange(0, 4).Draw(t, "op")
			if len(active) == 0 {
				op = 4
			}
			var signer *DeviceSecrets
			var target DeviceID
			if len(active) > 0 {
				id := rapid.SampledFrom(active).Draw(t, "signer")
				d, _ := p.log.now().Device(id)
				signer, target = holders[d.Keys.ID()], rapid.SampledFrom(active).Draw(t, "target")
			}
			switch op {
			case 0:
				s := next()
				p.take(p.log.AddDevice(signer, p.now(), p.join(s)))
				holders[s.Keys().ID()], active = s, append(active, s.Keys().ID())
			case 1:
				p.take(p.log.RemoveDevice(signer, p.now(), target))
				active = slices.DeleteFunc(active, func(id DeviceID) bool { return id == target })
			case 2:
				s := next()
				p.take(p.log.Rotate(signer, p.now(), s))
				holders[s.Keys().ID()] = s
			case 3:
				key := NewRecoveryKey()
				p.take(p.log.SetRecovery(signer, p.now(), p.recovery, key))
				p.recovery = key
			case 4:
				s := next()
				a := p.join(s)
				keep := rapid.IntRange(0, p.log.Length()).Draw(t, "keep")
				entry, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: keep, Add: &a})
				if revoked(keep) {
					wantRule(t, err, RuleRecovery)
					continue
				}
				p.take(entry, err)
				active = nil
				if keep > 0 {
					active = slices.Clone(model[keep-1])
				}
				holders[s.Keys().ID()], active = s, append(active, s.Keys().ID())
			}
			model = append(model, active)
		}
		wantSameLog(t, p.copy(), p.log)
		for i, want := range model {
			v, err := p.log.At(i + 1)
			if err != nil {
				t.Fatal(err)
			}
			wantDevices(t, v.Devices(), want...)
		}
	})
}

func TestNoBitOfAnEntryCanChange(t *testing.T) {
	p, _ := everyKind(t)
	logs := make([]*Log, len(p.entries))
	for i := 1; i < len(p.entries); i++ {
		l, err := Open(testNetwork, p.entries[:i])
		if err != nil {
			t.Fatal(err)
		}
		logs[i] = l
	}
	rapid.Check(t, func(t *rapid.T) {
		for i, entry := range p.entries {
			bit := rapid.IntRange(0, len(entry)*8-1).Draw(t, "bit")
			broken := slices.Clone(entry)
			broken[bit/8] ^= 1 << (bit % 8)
			var err error
			if i == 0 {
				_, err = Open(testNetwork, [][]byte{broken})
			} else {
				before := logs[i].Pin()
				err = logs[i].Append(broken)
				if logs[i].Pin() != before || logs[i].Fork() != nil {
					t.Fatalf("a refused entry changed the log")
				}
			}
			if _, ok := errors.AsType[*EntryError](err); !ok {
				t.Fatalf("entry %d with bit %d changed: got %v", i, bit, err)
			}
		}
	})
}

func TestEntryOutOfLimitsIsRefused(t *testing.T) {
	p := newPerson(t)
	body := &removeBody{Device: p.phone.Keys().ID()}
	good := p.content(KindRemove, p.phone.Keys().ID(), body)
	for claim, change := range map[string]func(*contentWire){
		"time of zero":        func(c *contentWire) { c.Time = 0 },
		"negative time":       func(c *contentWire) { c.Time = -1 },
		"time past year 9999": func(c *contentWire) { c.Time = maxTime + 1 },
		"index too large":     func(c *contentWire) { c.Index = MaxEntries },
		"unknown kind":        func(c *contentWire) { c.Kind = 7 },
		"body of another":     func(c *contentWire) { c.Kind = KindRotate },
		"long body":           func(c *contentWire) { c.Body = make([]byte, MaxEntrySize) },
	} {
		t.Run(claim, func(t *testing.T) {
			c := good
			change(&c)
			wantRule(t, p.log.Append(p.signed(c, p.phone.log)), RuleEncoding)
		})
	}
	if err := p.log.Append(p.signed(good, p.phone.log)); err != nil {
		t.Fatalf("the unchanged entry: %v", err)
	}
}

func TestUnorderedRemovalsAreRefused(t *testing.T) {
	p := newPerson(t)
	for _, ids := range [][]DeviceID{{{2}, {1}}, {{1}, {1}}} {
		c := p.content(KindRecover, DeviceID{}, &recoverWire{Keep: 1, Remove: ids})
		wantRule(t, p.log.Append(p.signed(c, p.recovery.pair())), RuleEncoding)
	}
}

func TestFullLogLeavesRoomForTheRecoveryKey(t *testing.T) {
	p := newPerson(t)
	// Repeating the last state is not a valid history, but stands in for one.
	for p.log.Length() < MaxEntries-reservedEntries {
		p.log.entries = append(p.log.entries, p.log.entries[0])
		p.log.hashes = append(p.log.hashes, p.log.hashes[0])
		p.log.states = append(p.log.states, p.log.states[0])
	}
	_, err := p.addEntry(newDevice(t, "laptop"))
	wantRule(t, err, RuleFull)
	p.take(p.log.SetRecovery(p.phone, p.now(), p.recovery, NewRecoveryKey()))
}

func TestTooManyDevicesAreRefused(t *testing.T) {
	p := newPerson(t)
	s := p.log.states[0]
	for len(s.devices) < MaxDevices {
		s.devices = append(s.devices, &Device{ID: DeviceID{byte(len(s.devices))}, Keys: p.phone.Keys()})
	}
	_, err := p.addEntry(newDevice(t, "one more"))
	wantRule(t, err, RuleDevice)
}

func BenchmarkOpenTenEntries(b *testing.B) {
	p := newPerson(b)
	for i := range 9 {
		p.add(newDevice(b, fmt.Sprintf("device %d", i)))
	}
	size := 0
	for _, e := range p.entries {
		size += len(e)
	}
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		if _, err := Open(testNetwork, p.entries); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(b.N*10), "µs/entry")
	b.ReportMetric(float64(size)/10, "B/entry")
}
