package room

import (
	"testing"

	"sconce/identity"
	"sconce/mls"
)

func TestStrangerCannotLetItselfIn(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	p.refuseJoin("committer", dave.phone, dave.phone.signer(), mls.ExternalOptions{})
	p.refuseJoin("committer", dave.phone, dave.phone.signer(), mls.ExternalOptions{Proposals: []mls.Proposal{set(dave.at(Member, 0))}})
}

func TestStrangerCannotLetItselfInAsAnother(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	for name, c := range map[string]identity.Credential{
		"another's device":   p.bob.phone.credential(),
		"device not in log":  {User: p.bob.user(), Device: dave.phone.id, Entry: dave.phone.credential().Entry},
		"device in no entry": {User: p.bob.user(), Device: dave.phone.id, Entry: p.bob.log.Head()},
	} {
		t.Run(name, func(t *testing.T) {
			p.refuseJoin("leaves", dave.phone, dave.phone.signerAs(c), mls.ExternalOptions{})
		})
	}
}

func TestPersonWhoWasTakenOutCannotComeBackAlone(t *testing.T) {
	p := newParty(t)
	p.accept(p.alice.phone, p.commit(p.alice.phone, inline(p.remove(p.carol.phone), takeOut(p.carol))))
	p.refuseJoin("committer", p.carol.phone, p.carol.phone.signer(), mls.ExternalOptions{})
}

func TestNewDeviceOfAParticipantLetsItselfIn(t *testing.T) {
	p := newParty(t)
	tablet := p.bob.newDevice("tablet")
	p.refuseJoin("leaves", tablet, tablet.signer(), mls.ExternalOptions{}) // not without the pin
	p.acceptJoin(tablet, mls.ExternalOptions{Proposals: []mls.Proposal{set(p.bob.at(Member, 0))}})
}

func TestResyncReplacesTheSameDeviceAlone(t *testing.T) {
	p := newParty(t)
	phone, laptop, carol := p.leaf(p.bob.phone), p.leaf(p.laptop), p.leaf(p.carol.phone)
	tablet := p.bob.newDevice("tablet")
	raise := []mls.Proposal{set(p.bob.at(Member, 0))}
	p.refuseJoin("leaves", tablet, tablet.signer(), mls.ExternalOptions{Resync: &laptop, Proposals: raise})
	p.refuseJoin("leaves", tablet, tablet.signer(), mls.ExternalOptions{Resync: &carol, Proposals: raise})
	p.acceptJoin(p.bob.phone, mls.ExternalOptions{Resync: &phone})
}

func TestResyncTakesANewerKeyOfTheDevice(t *testing.T) {
	p := newParty(t)
	leaf := p.leaf(p.laptop)
	p.laptop.rotate()
	raise := []mls.Proposal{set(p.bob.at(Member, 0))}
	p.refuseJoin("leaves", p.laptop, p.laptop.signer(), mls.ExternalOptions{Proposals: raise}) // or it has two leaves
	p.acceptJoin(p.laptop, mls.ExternalOptions{Resync: &leaf, Proposals: raise})
}

// Two people may list one device, if it agrees. It does not thereby speak for
// one of them against the other.
func TestDeviceOfTwoPeopleCannotReplaceTheOthersLeaf(t *testing.T) {
	p := newParty(t)
	a, err := p.laptop.secrets.Join(testNetwork, p.carol.user())
	p.ok(err)
	p.carol.take(p.carol.log.AddDevice(p.carol.phone.secrets, p.tick(), a))
	shared := p.carol.device(p.laptop.secrets)
	leaf := p.leaf(p.laptop)
	p.refuseJoin("leaves", shared, shared.signer(),
		mls.ExternalOptions{Resync: &leaf, Proposals: []mls.Proposal{set(p.carol.at(Member, 0))}})
}

func TestJoinerCannotMoveAnothersPin(t *testing.T) {
	p := newParty(t)
	tablet := p.bob.newDevice("tablet")
	p.carol.newDevice("tablet")
	p.refuseJoin("pins", tablet, tablet.signer(), mls.ExternalOptions{
		Proposals: []mls.Proposal{set(p.bob.at(Member, 0), p.carol.at(Member, 0))}})
}

func TestJoinerCannotDoWhatAdminsDo(t *testing.T) {
	p := newParty(t)
	tablet, dave := p.alice.newDevice("tablet"), p.newPerson()
	here := p.alice.at(Admin, 0)
	for rule, lists := range map[string][][]mls.Proposal{
		"people": {
			{set(here, p.bob.at(Admin, 0))},
			{set(p.alice.at(Member, 0))},
			{set(here, dave.at(Member, 0))},
			{Change{Set: []Participant{here}, Remove: []identity.UserID{p.carol.user()}}.Proposal()},
		},
		"state": {{set(here), StateProposal([32]byte{1})}},
	} {
		for _, list := range lists {
			p.refuseJoin(rule, tablet, tablet.signer(), mls.ExternalOptions{Proposals: list})
		}
	}
}

func TestJoinerTakesLeaversOut(t *testing.T) {
	p := newParty(t)
	raw, err := p.groups[p.carol.phone].Propose(&mls.SelfRemove{}, nil)
	p.ok(err)
	p.propose(p.carol.phone, raw)
	tablet := p.bob.newDevice("tablet")
	raise := p.bob.at(Member, 0)
	p.refuseJoin("people", tablet, tablet.signer(), mls.ExternalOptions{Pending: [][]byte{raw}, Proposals: []mls.Proposal{set(raise)}})
	p.acceptJoin(tablet, mls.ExternalOptions{Pending: [][]byte{raw}, Proposals: []mls.Proposal{
		Change{Set: []Participant{raise}, Remove: []identity.UserID{p.carol.user()}}.Proposal()}})
}

func TestJoinerCannotLeaveARemovedDeviceBehind(t *testing.T) {
	p := newParty(t)
	tablet := p.bob.newDevice("tablet")
	p.bob.removes(p.laptop)
	raise := []mls.Proposal{set(p.bob.at(Member, 0))}
	p.refuseJoin("pins", tablet, tablet.signer(), mls.ExternalOptions{Proposals: raise})
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(p.remove(p.laptop), raise[0])))
	p.acceptJoin(tablet, mls.ExternalOptions{})
}

func TestRecoveredPersonComesBackIntoARoomOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	alice := w.newPerson()
	r := w.newRoom(Self, alice.phone)
	s := w.deviceSecrets("tablet")
	a, err := s.Join(testNetwork, alice.user())
	w.ok(err)
	alice.recovers(identity.Recovery{Add: &a}) // without any device there was
	lost, tablet := r.leaf(alice.phone), alice.device(s)
	raise := []mls.Proposal{set(alice.at(Admin, 0))}
	r.refuseJoin("pins", tablet, tablet.signer(), mls.ExternalOptions{Proposals: raise})
	r.acceptJoin(tablet, mls.ExternalOptions{Resync: &lost, Proposals: raise})
	if _, in := r.groups[alice.phone]; in || len(r.devices) != 1 {
		t.Error("the lost phone is still in the room")
	}
}

// What its person has not removed, or another person has, is not the joiner's
// to take out.
func TestJoinerTakesOutOnlyALostDeviceOfItsOwn(t *testing.T) {
	p := newParty(t)
	tablet := p.bob.newDevice("tablet")
	carols := p.carol.newDevice("tablet")
	p.add(p.carol.phone, carols)
	p.carol.removes(carols)
	raise := set(p.bob.at(Member, 0))
	laptop, hers := p.leaf(p.laptop), p.leaf(carols)
	p.refuseJoin("leaves", tablet, tablet.signer(), mls.ExternalOptions{Resync: &laptop, Proposals: []mls.Proposal{raise}})
	p.refuseJoin("leaves", tablet, tablet.signer(), mls.ExternalOptions{Resync: &hers, Proposals: []mls.Proposal{raise}})
	p.bob.removes(p.laptop)
	p.refuseJoin("leaves", tablet, tablet.signer(), mls.ExternalOptions{Resync: &laptop, Proposals: []mls.Proposal{raise}}) // the pin is from before
	p.acceptJoin(tablet, mls.ExternalOptions{Resync: &laptop, Proposals: []mls.Proposal{set(p.bob.at(Member, 0))}})
}
