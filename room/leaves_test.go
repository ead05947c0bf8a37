package room

import (
	"testing"

	"sconce/identity"
	"sconce/mls"
)

func TestGhostDeviceIsRefused(t *testing.T) {
	p := newParty(t)
	dave, eve := p.newPerson(), p.newPerson()
	tablet, later := dave.newDevice("tablet"), dave.newDevice("later")
	lost := dave.newDevice("lost")
	dave.removes(lost)
	replaced := tablet.rotate()
	// In dave's log, in this order: phone, tablet, later, lost, no lost, tablet's new keys.
	entry := func(i int) identity.Hash { return dave.log.Entry(i).Hash() }
	tests := []struct {
		name   string
		signer mls.Signer
		pinned int
	}{
		{"credential of a person with keys of another", eve.phone.signerAs(dave.phone.credential()), 0},
		{"device of another person's log", eve.phone.signerAs(identity.Credential{User: dave.user(), Device: eve.phone.id, Entry: eve.phone.credential().Entry}), 0},
		{"device of another person's log, by an entry of this one", eve.phone.signerAs(identity.Credential{User: dave.user(), Device: eve.phone.id, Entry: entry(0)}), 0},
		{"device by another device's entry", later.signerAs(identity.Credential{User: dave.user(), Device: later.id, Entry: entry(0)}), 0},
		{"removed device", lost.signer(), 0},
		{"device that is admitted after the pin", later.signer(), 2},
		{"keys that the device has replaced", replaced.signer(), 0},
		{"keys from after the pin", tablet.signer(), 5},
		{"present credential with the keys from before", replaced.signerAs(tablet.credential()), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			add := &mls.Add{KeyPackage: p.offer(test.signer).kp}
			p.refuse("leaves", p.alice.phone, inline(add, p.brings(dave.phone), set(dave.at(Member, test.pinned))))
		})
	}
}

func TestLeafThatIsNoDeviceIsRefused(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	for name, c := range map[string]mls.Credential{
		"another type":   {Type: mls.CredentialBasic, Identity: dave.phone.credential().Marshal()},
		"another form":   {Type: mls.CredentialDevice, Identity: []byte("dave")},
		"of no one":      {Type: mls.CredentialDevice, Identity: make([]byte, identity.CredentialSize)},
		"with more ends": {Type: mls.CredentialDevice, Identity: append(dave.phone.credential().Marshal(), 0)},
	} {
		t.Run(name, func(t *testing.T) {
			s := dave.phone.signer()
			s.Credential = c
			p.refuse("credential", p.alice.phone, inline(&mls.Add{KeyPackage: p.offer(s).kp}, set(dave.at(Member, 0))))
		})
	}
}

// A removed device that was active at an older pin cannot come in with a pin
// that the room has left behind.
func TestPinNeverGoesBack(t *testing.T) {
	p := newParty(t)
	p.refuse("pins", p.alice.phone, inline(set(p.bob.at(Member, 1))))
	p.refuse("pins", p.bob.phone, inline(set(p.bob.at(Member, 1))))
	lost := p.bob.newDevice("lost")
	p.bob.removes(lost)
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(set(p.bob.at(Member, 0)))))
	p.refuse("pins", p.bob.phone, inline(p.brings(lost), set(p.bob.at(Member, 3))))
	p.refuse("leaves", p.bob.phone, inline(p.brings(lost)))
}

func TestPinOfAnotherHistoryIsRefused(t *testing.T) {
	p := newParty(t)
	for name, pin := range map[string]identity.Pin{
		"same length":   {Length: p.bob.log.Length(), Head: identity.Hash{1}},
		"another's log": {Length: 1, Head: p.alice.log.Head()},
	} {
		t.Run(name, func(t *testing.T) {
			p.refuse("pins", p.alice.phone, inline(set(Participant{p.bob.user(), Member, pin})))
		})
	}
	dave := p.newPerson()
	fake := dave.at(Member, 0)
	fake.Pin.Head = p.bob.log.Head()
	p.refuse("pins", p.alice.phone, inline(p.brings(dave.phone), set(fake)))
}

func TestAnyMemberRaisesAPin(t *testing.T) {
	p := newParty(t)
	p.bob.newDevice("tablet")
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(set(p.bob.at(Member, 0)))))
	if q, _ := p.participants().Find(p.bob.user()); q.Pin != p.bob.log.Pin() {
		t.Errorf("bob is pinned at %v, want %v", q.Pin, p.bob.log.Pin())
	}
}

func TestPinAndRemovedDeviceMoveTogether(t *testing.T) {
	p := newParty(t)
	p.bob.removes(p.laptop)
	p.refuse("leaves", p.carol.phone, inline(p.remove(p.laptop)))
	p.refuse("pins", p.carol.phone, inline(set(p.bob.at(Member, 0))))
	p.refuse("pins", p.laptop, inline(set(p.bob.at(Member, 0))))
}

func TestAnyMemberEvictsADeviceThatItsOwnerRemoved(t *testing.T) {
	p := newParty(t)
	p.bob.removes(p.laptop)
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(p.remove(p.laptop), set(p.bob.at(Member, 0)))))
	p.refuseJoin("leaves", p.laptop, p.laptop.signer(), mls.ExternalOptions{})
}

func TestDeviceHasOneLeaf(t *testing.T) {
	p := newParty(t)
	old := p.laptop.rotate() // another signature key, so that mls itself has no objection
	p.refuse("leaves", p.bob.phone, inline(p.brings(p.laptop), set(p.bob.at(Member, 0))))
	*p.laptop = *old
	dave := p.newPerson()
	phone := p.offer(dave.phone.signer()).kp
	dave.phone.rotate()
	p.refuse("leaves", p.alice.phone, inline(&mls.Add{KeyPackage: phone}, p.brings(dave.phone), set(dave.at(Member, 0))))
}

func TestLeafStaysWithItsDevice(t *testing.T) {
	p := newParty(t)
	tablet, dave := p.bob.newDevice("tablet"), p.newPerson()
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(set(p.bob.at(Member, 0)))))
	for name, s := range map[string]mls.Signer{
		"own other device":      tablet.signer(),
		"another person's":      dave.phone.signer(),
		"own with foreign keys": dave.phone.signerAs(p.bob.phone.credential()),
	} {
		t.Run(name, func(t *testing.T) {
			p.refuse("leaves", p.bob.phone, mls.CommitOptions{Signer: &s})
		})
	}
}

func TestDeviceThatRotatedRenewsItsLeaf(t *testing.T) {
	p := newParty(t)
	old := p.laptop.rotate()
	fresh, before := p.laptop.signer(), old.signer()
	p.refuse("leaves", p.laptop, mls.CommitOptions{Signer: &fresh}) // not without the pin
	p.accept(p.laptop, p.commit(p.laptop, mls.CommitOptions{Signer: &fresh, Proposals: []mls.Proposal{set(p.bob.at(Member, 0))}}))
	p.refuse("leaves", p.laptop, mls.CommitOptions{Signer: &before})
}

// Members let a leaf stay until its device renews it, so who joins must too:
// or else one person who rotates and does not renew would close the room.
func TestRotatedDeviceClosesTheRoomToNobody(t *testing.T) {
	p := newParty(t)
	p.laptop.rotate()
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(set(p.bob.at(Member, 0)))))
	p.add(p.alice.phone, p.newPerson().phone)
	p.refuse("leaves", p.carol.phone, inline(p.remove(p.laptop)))
}

// A thief rotates a device's keys and moves its leaf to them. The owner's
// recovery goes back to the keys from before: the device is active, the
// thief's leaf is not of it.
func TestRecoveryTakesBackARotatedLeaf(t *testing.T) {
	p := newParty(t)
	keep := p.bob.log.Length()
	honest := p.laptop.rotate()
	stolen := p.laptop.signer()
	p.accept(p.laptop, p.commit(p.laptop, mls.CommitOptions{Signer: &stolen, Proposals: []mls.Proposal{set(p.bob.at(Member, 0))}}))
	p.bob.recovers(identity.Recovery{Keep: keep})
	if !p.bob.log.Active(p.laptop.id) {
		t.Fatal("the laptop is to be active again")
	}
	p.refuse("pins", p.carol.phone, inline(set(p.bob.at(Member, 0))))
	p.refuse("pins", p.laptop, inline(set(p.bob.at(Member, 0))))
	for _, test := range []struct {
		of   *device
		want bool
	}{{p.laptop, false}, {honest, true}, {p.bob.phone, true}} {
		if got, err := Stands(p.bob.log, p.bob.log.Pin(), test.of.credential()); err != nil || got != test.want {
			t.Errorf("Stands = %v, %v, want %v", got, err, test.want)
		}
	}
	eviction := inline(p.remove(p.laptop), set(p.bob.at(Member, 0)))
	p.accept(p.carol.phone, p.commit(p.carol.phone, eviction))
	thief := *p.laptop
	p.refuseJoin("leaves", &thief, stolen, mls.ExternalOptions{})
	p.acceptJoin(honest, mls.ExternalOptions{})
}

func TestMemberCannotBringInAnothersDevice(t *testing.T) {
	p := newParty(t)
	tablet := p.bob.newDevice("tablet")
	p.refuse("leaves", p.carol.phone, inline(p.brings(tablet), set(p.bob.at(Member, 0))))
	p.add(p.bob.phone, tablet)
}

func TestAdminBringsInAnothersDevice(t *testing.T) {
	p := newParty(t)
	p.add(p.alice.phone, p.bob.newDevice("tablet"))
}

func TestStandsNeedsTheLogAtThePin(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.newPerson(), w.newPerson()
	if _, err := Stands(alice.log, identity.Pin{Length: 2}, alice.phone.credential()); err == nil {
		t.Error("judges beyond the log")
	}
	if ok, err := Stands(alice.log, alice.log.Pin(), bob.phone.credential()); ok || err != nil {
		t.Errorf("bob's device in alice's log: %v, %v", ok, err)
	}
}
