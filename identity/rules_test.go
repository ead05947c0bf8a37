package identity

import (
	"testing"
)

// Each test here makes an entry that is right but for one thing.

func TestGenesisIsSignedByDeviceAndRecoveryKey(t *testing.T) {
	phone, other, recovery, otherRecovery := newDevice(t, "phone"), newDevice(t, "other"), NewRecoveryKey(), NewRecoveryKey()
	pair := recovery.pair()
	right := func() contentWire {
		return contentWire{
			Network: testNetwork, Time: 1, Signer: phone.Keys().ID(), Kind: KindGenesis,
			Body: encode(&genesisWire{Recovery: pair.public(), Device: phone.Keys().Marshal()}),
		}
	}
	for claim, test := range map[string]struct {
		rule    Rule
		change  func(*contentWire)
		signers []pairSecret
	}{
		"no recovery signature":      {RuleSignature, nil, []pairSecret{phone.log}},
		"no device signature":        {RuleSignature, nil, []pairSecret{pair}},
		"another recovery key":       {RuleSignature, nil, []pairSecret{phone.log, otherRecovery.pair()}},
		"another device":             {RuleSignature, nil, []pairSecret{other.log, pair}},
		"signatures in wrong order":  {RuleSignature, nil, []pairSecret{pair, phone.log}},
		"one signature more":         {RuleSignature, nil, []pairSecret{phone.log, pair, pair}},
		"names another signer":       {RuleSigner, func(c *contentWire) { c.Signer[0] ^= 1 }, []pairSecret{phone.log, pair}},
		"names an entry before":      {RuleIndex, func(c *contentWire) { c.Previous[0] = 1 }, []pairSecret{phone.log, pair}},
		"is not at the first place":  {RuleIndex, func(c *contentWire) { c.Index = 1 }, []pairSecret{phone.log, pair}},
		"belongs to another network": {RuleNetwork, func(c *contentWire) { c.Network[0] ^= 1 }, []pairSecret{phone.log, pair}},
	} {
		t.Run(claim, func(t *testing.T) {
			c := right()
			if test.change != nil {
				test.change(&c)
			}
			entry, err := signEntry(c, test.signers...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(testNetwork, [][]byte{entry})
			wantRule(t, err, test.rule)
		})
	}
	entry, err := signEntry(right(), phone.log, pair)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testNetwork, [][]byte{entry}); err != nil {
		t.Fatalf("the right one: %v", err)
	}
}

func TestFirstEntryIsGenesis(t *testing.T) {
	p := newPerson(t)
	c := p.content(KindRemove, p.phone.Keys().ID(), &removeBody{Device: p.phone.Keys().ID()})
	c.Index, c.Previous = 0, Hash{}
	_, err := Open(testNetwork, [][]byte{p.signed(c, p.phone.log)})
	wantRule(t, err, RuleIndex)
}

func TestSecondGenesisIsRefused(t *testing.T) {
	p, other := newPerson(t), newPerson(t)
	wantRule(t, p.log.Append(other.entries[0]), RuleIndex)
	c := p.content(KindGenesis, p.phone.Keys().ID(), &genesisWire{
		Recovery: p.recovery.pair().public(), Device: p.phone.Keys().Marshal(),
	})
	wantRule(t, p.log.Append(p.signed(c, p.phone.log, p.recovery.pair())), RuleIndex)
}

func TestEntryFollowsTheHead(t *testing.T) {
	for claim, test := range map[string]struct {
		rule   Rule
		change func(*contentWire)
	}{
		"skips a place":   {RuleIndex, func(c *contentWire) { c.Index++ }},
		"other previous":  {RulePrevious, func(c *contentWire) { c.Previous[0] ^= 1 }},
		"no previous":     {RulePrevious, func(c *contentWire) { c.Previous = Hash{} }},
		"another network": {RuleNetwork, func(c *contentWire) { c.Network[0] ^= 1 }},
	} {
		t.Run(claim, func(t *testing.T) {
			p := newPerson(t)
			c := p.content(KindRemove, p.phone.Keys().ID(), &removeBody{Device: p.phone.Keys().ID()})
			test.change(&c)
			wantRule(t, p.log.Append(p.signed(c, p.phone.log)), test.rule)
		})
	}
}

func TestOnlyAnActiveDeviceSigns(t *testing.T) {
	p := newPerson(t)
	laptop, stranger := newDevice(t, "laptop"), newDevice(t, "stranger")
	p.add(laptop)
	p.take(p.log.RemoveDevice(p.phone, p.now(), laptop.Keys().ID()))
	phone := p.phone.Keys().ID()

	for claim, test := range map[string]struct {
		rule   Rule
		named  DeviceID
		signed []pairSecret
	}{
		"removed device":             {RuleSigner, laptop.Keys().ID(), []pairSecret{laptop.log}},
		"stranger":                   {RuleSigner, stranger.Keys().ID(), []pairSecret{stranger.log}},
		"nobody":                     {RuleSigner, DeviceID{}, []pairSecret{p.phone.log}},
		"stranger as the phone":      {RuleSignature, phone, []pairSecret{stranger.log}},
		"recovery key as the phone":  {RuleSignature, phone, []pairSecret{p.recovery.pair()}},
		"phone and one more":         {RuleSignature, phone, []pairSecret{p.phone.log, p.phone.log}},
		"phone, without a signature": {RuleSignature, phone, nil},
	} {
		t.Run(claim, func(t *testing.T) {
			add := p.join(newDevice(t, "new")).wire()
			for kind, body := range map[Kind]any{
				KindAddDevice: &add, KindRemove: &removeBody{Device: phone},
			} {
				wantRule(t, p.log.Append(p.signed(p.content(kind, test.named, body), test.signed...)), test.rule)
			}
		})
	}
}

func TestBothSignaturesOfAPairMustHold(t *testing.T) {
	p := newPerson(t)
	other := newDevice(t, "other").log
	for claim, half := range map[string]pairSecret{
		"P-256 by another":     {ec: other.ec, pq: p.phone.log.pq},
		"ML-DSA-65 by another": {ec: p.phone.log.ec, pq: other.pq},
	} {
		t.Run(claim, func(t *testing.T) {
			c := p.content(KindRemove, p.phone.Keys().ID(), &removeBody{Device: p.phone.Keys().ID()})
			wantRule(t, p.log.Append(p.signed(c, half)), RuleSignature)
		})
	}
}

func TestSignatureForAnotherPurposeDoesNotCount(t *testing.T) {
	p := newPerson(t)
	c := p.content(KindRemove, p.phone.Keys().ID(), &removeBody{Device: p.phone.Keys().ID()})
	content := encode(&c)
	for _, label := range []string{labelEntry, "log entry"} {
		sig, err := p.phone.Sign(testNetwork, label, content)
		if err != nil {
			t.Fatal(err)
		}
		entry := encodeVersioned(&entryWire{Content: content, Signatures: [][]byte{sig}})
		wantRule(t, p.log.Append(entry), RuleSignature)
	}
}

func TestNewDeviceMustAgree(t *testing.T) {
	p, other := newPerson(t), newPerson(t)
	laptop := newDevice(t, "laptop")
	proof := func(s *DeviceSecrets, network NetworkID, user UserID) []byte {
		a, err := s.Join(network, user)
		if err != nil {
			t.Fatal(err)
		}
		return a.Proof
	}
	for claim, bad := range map[string][]byte{
		"to join another person": proof(laptop, testNetwork, other.log.User()),
		"on another network":     proof(laptop, NetworkID{9}, p.log.User()),
		"by its own key":         proof(p.phone, testNetwork, p.log.User()),
		"at all":                 {},
	} {
		t.Run(claim, func(t *testing.T) {
			a := Admission{Keys: laptop.Keys(), Proof: bad}
			w := a.wire()
			c := p.content(KindAddDevice, p.phone.Keys().ID(), &w)
			wantRule(t, p.log.Append(p.signed(c, p.phone.log)), RuleProof)
			c = p.content(KindRecover, DeviceID{}, &recoverWire{Keep: 1, Add: []admissionWire{w}})
			wantRule(t, p.log.Append(p.signed(c, p.recovery.pair())), RuleProof)
			if _, err := p.log.AddDevice(p.phone, p.now(), a); err == nil {
				t.Fatal("AddDevice made an entry of it")
			}
		})
	}
}

func TestKeysAreAdmittedOnce(t *testing.T) {
	p := newPerson(t)
	laptop := newDevice(t, "laptop")
	p.add(laptop)
	_, err := p.addEntry(laptop)
	wantRule(t, err, RuleReuse)
	p.take(p.log.RemoveDevice(p.phone, p.now(), laptop.Keys().ID()))
	_, err = p.addEntry(laptop)
	wantRule(t, err, RuleReuse)
	_, err = p.log.Rotate(p.phone, p.now(), laptop)
	wantRule(t, err, RuleReuse)
	a := p.join(laptop)
	_, err = p.log.Recover(p.recovery, p.now(), Recovery{Keep: 1, Add: &a})
	wantRule(t, err, RuleReuse)
}

func TestOnlyActiveDevicesAreRemoved(t *testing.T) {
	p := newPerson(t)
	_, err := p.log.RemoveDevice(p.phone, p.now(), DeviceID{1})
	wantRule(t, err, RuleDevice)
	_, err = p.log.Recover(p.recovery, p.now(), Recovery{Keep: 1, Remove: []DeviceID{{1}}})
	wantRule(t, err, RuleDevice)
}

func TestDeviceRotatesOnlyItselfAndProvesTheNewKeys(t *testing.T) {
	p := newPerson(t)
	laptop, fresh := newDevice(t, "laptop"), newDevice(t, "fresh")
	p.add(laptop)
	for claim, signers := range map[string][]pairSecret{
		"without the new key": {p.phone.log},
		"without the old key": {fresh.log},
		"by another device":   {laptop.log, fresh.log},
		"in wrong order":      {fresh.log, p.phone.log},
	} {
		t.Run(claim, func(t *testing.T) {
			c := p.content(KindRotate, p.phone.Keys().ID(), &rotateWire{Keys: fresh.Keys().Marshal()})
			wantRule(t, p.log.Append(p.signed(c, signers...)), RuleSignature)
		})
	}
}

func TestRecoveryKeyChangesOnlyByDeviceAndOldKey(t *testing.T) {
	p := newPerson(t)
	fresh := NewRecoveryKey().pair()
	old, phone := p.recovery.pair(), p.phone.log
	for claim, signers := range map[string][]pairSecret{
		"by a stolen device":           {phone, fresh},
		"by the old key":               {old, fresh},
		"without the new key":          {phone, old},
		"by device and wrong old key":  {phone, fresh, fresh},
		"by the keys in another order": {old, phone, fresh},
	} {
		t.Run(claim, func(t *testing.T) {
			c := p.content(KindSetRecovery, p.phone.Keys().ID(), &setRecoveryWire{Recovery: fresh.public()})
			wantRule(t, p.log.Append(p.signed(c, signers...)), RuleSignature)
		})
	}
	_, err := p.log.SetRecovery(p.phone, p.now(), p.recovery, p.recovery)
	wantRule(t, err, RuleRecovery)
}

func TestOnlyTheRecoveryKeyRecovers(t *testing.T) {
	p := newPerson(t)
	body := &recoverWire{Keep: 1}
	c := p.content(KindRecover, DeviceID{}, body)
	wantRule(t, p.log.Append(p.signed(c, p.phone.log)), RuleSignature)
	wantRule(t, p.log.Append(p.signed(c, p.recovery.pair(), p.phone.log)), RuleSignature)
	c = p.content(KindRecover, p.phone.Keys().ID(), body)
	wantRule(t, p.log.Append(p.signed(c, p.recovery.pair())), RuleSigner)
}

func TestRecoveryKeepsNoMoreThanThereIs(t *testing.T) {
	p := newPerson(t)
	c := p.content(KindRecover, DeviceID{}, &recoverWire{Keep: 2})
	wantRule(t, p.log.Append(p.signed(c, p.recovery.pair())), RuleRecovery)
	for _, keep := range []int{-1, 2} {
		if _, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: keep}); err == nil {
			t.Fatalf("Recover made an entry that keeps %d", keep)
		}
	}
}

func TestRecoveryNeverBringsBackWhatAnEarlierOneRevoked(t *testing.T) {
	p := newPerson(t)
	thief := newDevice(t, "thief")
	p.add(thief) // entry 1
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: 1}))
	_, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: 2})
	wantRule(t, err, RuleRecovery)
	for _, keep := range []int{0, 1, 3} {
		if _, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: keep}); err != nil {
			t.Fatalf("keeping %d: %v", keep, err)
		}
	}
}
