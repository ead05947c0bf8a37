package identity

import (
	"errors"
	"testing"
)

func wantLeafRule(t *testing.T, err error, want LeafRule) {
	t.Helper()
	got, ok := errors.AsType[*LeafError](err)
	if !ok || got.Rule != want {
		t.Fatalf("got error %v, want one of rule %q", err, want)
	}
}

func credentialOf(t *testing.T, l *Log, s *DeviceSecrets) Credential {
	t.Helper()
	d, ok := l.Holder(s.Keys())
	if !ok {
		t.Fatal("not an active device")
	}
	return l.Credential(d)
}

func leafKey(t *testing.T, s *DeviceSecrets, suite uint16) []byte {
	t.Helper()
	key, ok := s.Keys().LeafKey(suite)
	if !ok {
		t.Fatalf("no key for suite %#04x", suite)
	}
	return key
}

func TestLeafIsAcceptedByTheLogAtItsPin(t *testing.T) {
	p := newPerson(t)
	early, phone := p.log.now(), credentialOf(t, p.log, p.phone)
	key := leafKey(t, p.phone, suiteHybrid)
	if err := AcceptLeaf(early, phone, suiteHybrid, key); err != nil {
		t.Fatal(err)
	}

	laptop := newDevice(t, "laptop")
	p.add(laptop)
	late, c, laptopKey := p.log.now(), credentialOf(t, p.log, laptop), leafKey(t, laptop, suiteHybrid)
	if err := AcceptLeaf(late, c, suiteHybrid, laptopKey); err != nil {
		t.Fatal(err)
	}
	wantLeafRule(t, AcceptLeaf(early, c, suiteHybrid, laptopKey), LeafEntry)
	wantLeafRule(t, AcceptLeaf(late, c, suiteHybrid, key), LeafKey)
	wantLeafRule(t, AcceptLeaf(late, c, suiteClassic, laptopKey), LeafKey)
	wantLeafRule(t, AcceptLeaf(late, c, suiteHybrid, nil), LeafKey)
	wantLeafRule(t, AcceptLeaf(late, c, 0x0007, laptopKey), LeafSuite)
	wantLeafRule(t, AcceptLeaf(View{}, c, suiteHybrid, laptopKey), LeafUser)
	wantLeafRule(t, AcceptLeaf(newPerson(t).log.now(), c, suiteHybrid, laptopKey), LeafUser)

	wrong := c
	wrong.Entry = phone.Entry
	wantLeafRule(t, AcceptLeaf(late, wrong, suiteHybrid, laptopKey), LeafReplaced)
	wrong = c
	wrong.Device[0] ^= 1
	wantLeafRule(t, AcceptLeaf(late, wrong, suiteHybrid, laptopKey), LeafInactive)
}

func TestRemovedDeviceGetsNoLeaf(t *testing.T) {
	p := newPerson(t)
	laptop := newDevice(t, "laptop")
	p.add(laptop)
	before, c, key := p.log.now(), credentialOf(t, p.log, laptop), leafKey(t, laptop, suiteHybrid)
	p.take(p.log.RemoveDevice(p.phone, p.now(), laptop.Keys().ID()))
	wantLeafRule(t, AcceptLeaf(p.log.now(), c, suiteHybrid, key), LeafInactive)
	if err := AcceptLeaf(before, c, suiteHybrid, key); err != nil {
		t.Fatalf("what happened later changed the verdict at an earlier pin: %v", err)
	}
}

func TestRotatedKeyGetsNoLeaf(t *testing.T) {
	p := newPerson(t)
	old, fresh := p.phone, newDevice(t, "fresh")
	c := credentialOf(t, p.log, old)
	p.take(p.log.Rotate(old, p.now(), fresh))
	wantLeafRule(t, AcceptLeaf(p.log.now(), c, suiteHybrid, leafKey(t, old, suiteHybrid)), LeafReplaced)
	c = credentialOf(t, p.log, fresh)
	wantLeafRule(t, AcceptLeaf(p.log.now(), c, suiteHybrid, leafKey(t, old, suiteHybrid)), LeafKey)
	if err := AcceptLeaf(p.log.now(), c, suiteHybrid, leafKey(t, fresh, suiteHybrid)); err != nil {
		t.Fatal(err)
	}
}

func TestRevokedRotationGivesTheOldKeyBack(t *testing.T) {
	p := newPerson(t)
	c, key := credentialOf(t, p.log, p.phone), leafKey(t, p.phone, suiteHybrid)
	thief := newDevice(t, "thief")
	p.take(p.log.Rotate(p.phone, p.now(), thief))
	stolen := credentialOf(t, p.log, thief)
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: 1}))
	if err := AcceptLeaf(p.log.now(), c, suiteHybrid, key); err != nil {
		t.Fatal(err)
	}
	wantLeafRule(t, AcceptLeaf(p.log.now(), stolen, suiteHybrid, leafKey(t, thief, suiteHybrid)), LeafReplaced)
}

func TestPinsNeverGoBackAndTheHistoryAgrees(t *testing.T) {
	p := newPerson(t)
	early := p.log.now()
	p.add(newDevice(t, "laptop"))
	late := p.log.now()
	for claim, test := range map[string]struct {
		view View
		old  Pin
		ok   bool
	}{
		"nothing pinned yet": {early, Pin{}, true},
		"the same":           {late, late.Pin(), true},
		"further":            {late, early.Pin(), true},
		"back":               {early, late.Pin(), false},
		"another history":    {late, Pin{Length: 1, Head: Hash{1}}, false},
		"a negative length":  {late, Pin{Length: -1}, false},
		"a head of nothing":  {late, Pin{Head: Hash{1}}, false},
		"a view of nobody":   {View{}, early.Pin(), false},
	} {
		t.Run(claim, func(t *testing.T) {
			err := test.view.Extends(test.old)
			if _, typed := errors.AsType[*PinError](err); (err == nil) != test.ok || typed == test.ok {
				t.Fatalf("got %v, want ok=%t", err, test.ok)
			}
		})
	}
}

func TestViewNeedsAPinOfThisHistory(t *testing.T) {
	p := newPerson(t)
	for _, pin := range []Pin{{}, {Length: 2, Head: p.log.Head()}, {Length: 1, Head: Hash{1}}, {Length: -1}} {
		if _, err := p.log.View(pin); err == nil {
			t.Fatalf("got a view at %v", pin)
		}
	}
	for _, length := range []int{-1, 0, 2} {
		if _, err := p.log.At(length); err == nil {
			t.Fatalf("got a view at length %d", length)
		}
	}
}

func TestCredentialHasOneEncoding(t *testing.T) {
	c := Credential{User: UserID{1}, Device: DeviceID{2}, Entry: Hash{3}}
	got, err := ParseCredential(c.Marshal())
	if err != nil || got != c || len(c.Marshal()) != CredentialSize {
		t.Fatalf("got %v, %v, want %v", got, err, c)
	}
	good := c.Marshal()
	version := append([]byte{2}, good[1:]...)
	nobody := append([]byte{1}, make([]byte, 96)...)
	for _, bad := range [][]byte{nil, good[:96], append(good, 0), version, nobody} {
		if _, err := ParseCredential(bad); err == nil {
			t.Fatalf("parsed %x", bad)
		}
	}
}

func FuzzParseCredential(f *testing.F) {
	f.Add(Credential{User: UserID{1}, Device: DeviceID{2}, Entry: Hash{3}}.Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCredential(data)
		if err == nil && string(c.Marshal()) != string(data) {
			t.Fatalf("%x is not the only encoding of %v", data, c)
		}
	})
}
