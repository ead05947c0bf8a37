package room

import (
	"crypto/sha256"
	"testing"

	"sconce/identity"
	"sconce/mls"
)

func TestAdminBringsInAPersonWithDevices(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	p.add(p.alice.phone, dave.phone, dave.newDevice("tablet"))
	if q, ok := p.participants().Find(dave.user()); !ok || q.Role != Member || q.Pin != dave.log.Pin() {
		t.Errorf("dave stands in the room as %+v, %v", q, ok)
	}
}

func TestMemberCannotBringSomebodyIn(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	p.refuse("people", p.bob.phone, inline(p.brings(dave.phone), set(dave.at(Member, 0))))
}

func TestNobodyParticipatesWithoutADevice(t *testing.T) {
	p := newParty(t)
	p.refuse("people", p.alice.phone, inline(set(p.newPerson().at(Member, 0))))
}

func TestDeviceNeedsItsPersonAmongTheParticipants(t *testing.T) {
	p := newParty(t)
	p.refuse("leaves", p.alice.phone, inline(p.brings(p.newPerson().phone)))
}

func TestMemberCannotChangeRoles(t *testing.T) {
	p := newParty(t)
	p.refuse("people", p.bob.phone, inline(set(p.bob.at(Admin, 0))))
	p.refuse("people", p.bob.phone, inline(set(p.alice.at(Member, 0))))
}

func TestAdminChangesRoles(t *testing.T) {
	p := newParty(t)
	p.accept(p.alice.phone, p.commit(p.alice.phone, inline(set(p.bob.at(Admin, 0)))))
	p.accept(p.laptop, p.commit(p.laptop, inline(set(p.alice.at(Member, 0)))))
	p.refuse("people", p.alice.phone, inline(set(p.bob.at(Member, 0))))
}

func TestMemberCannotTakeAnotherOut(t *testing.T) {
	p := newParty(t)
	p.refuse("people", p.bob.phone, inline(p.remove(p.carol.phone), takeOut(p.carol)))
	p.refuse("leaves", p.bob.phone, inline(p.remove(p.carol.phone)))
	p.refuse("people", p.bob.phone, inline(takeOut(p.carol)))
}

func TestAdminTakesAPersonOutWithAllDevices(t *testing.T) {
	p := newParty(t)
	p.refuse("people", p.alice.phone, inline(p.remove(p.bob.phone), takeOut(p.bob)))
	p.accept(p.alice.phone, p.commit(p.alice.phone, inline(p.remove(p.bob.phone), p.remove(p.laptop), takeOut(p.bob))))
	if _, ok := p.participants().Find(p.bob.user()); ok || len(p.devices) != 2 {
		t.Error("bob is still in the room")
	}
}

func TestPersonIsTakenOutOnlyWhereTheyAre(t *testing.T) {
	p := newParty(t)
	p.refuse("participants", p.alice.phone, inline(takeOut(p.newPerson())))
}

func TestCommitterCannotTakeItselfOutAndStay(t *testing.T) {
	p := newParty(t)
	p.refuse("people", p.alice.phone, inline(takeOut(p.alice)))
}

func TestMemberTakesItsOwnDeviceOut(t *testing.T) {
	p := newParty(t)
	p.accept(p.bob.phone, p.commit(p.bob.phone, inline(p.remove(p.laptop))))
}

func TestLeavingEndsParticipation(t *testing.T) {
	p := newParty(t)
	p.selfRemove(p.carol.phone)
	p.refuse("people", p.bob.phone, inline())
	p.accept(p.bob.phone, p.commit(p.bob.phone, inline(takeOut(p.carol))))
	if _, ok := p.participants().Find(p.carol.user()); ok {
		t.Error("carol left and still participates")
	}
}

func TestOneDeviceLeavingKeepsThePerson(t *testing.T) {
	p := newParty(t)
	p.selfRemove(p.laptop)
	p.refuse("people", p.carol.phone, inline(takeOut(p.bob)))
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline()))
	if _, ok := p.participants().Find(p.bob.user()); !ok {
		t.Error("bob still has a device and no longer participates")
	}
}

func TestLeavingOfOneDoesNotTakeAnotherOut(t *testing.T) {
	p := newParty(t)
	p.selfRemove(p.carol.phone)
	p.refuse("people", p.bob.phone, inline(Change{Remove: []identity.UserID{p.carol.user(), p.alice.user()}}.Proposal()))
}

func TestEverybodyIsAdminWhereNobodyIs(t *testing.T) {
	p := newParty(t)
	p.selfRemove(p.alice.phone)
	p.refuse("state", p.bob.phone, inline(takeOut(p.alice), StateProposal([32]byte{1}))) // not in the same step
	p.accept(p.bob.phone, p.commit(p.bob.phone, inline(takeOut(p.alice))))
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline(StateProposal([32]byte{1}))))
}

func TestPersonWithoutDeviceStaysAdmin(t *testing.T) {
	p := newParty(t)
	p.propose(nil, p.external(p.remove(p.alice.phone), p.secret, 0))
	p.accept(p.bob.phone, p.commit(p.bob.phone, inline()))
	if q, ok := p.participants().Find(p.alice.user()); !ok || q.Role != Admin {
		t.Fatalf("alice stands in the room as %+v, %v", q, ok)
	}
	p.refuse("state", p.bob.phone, inline(StateProposal([32]byte{1})))
	p.refuse("people", p.bob.phone, inline(takeOut(p.alice)))
	p.acceptJoin(p.alice.phone, mls.ExternalOptions{})
}

func TestMemberCannotChangeTheState(t *testing.T) {
	p := newParty(t)
	p.refuse("state", p.bob.phone, inline(StateProposal([32]byte{1})))
	p.accept(p.alice.phone, p.commit(p.alice.phone, inline(StateProposal([32]byte{1}))))
	if got, err := StateHash(p.public.Context()); err != nil || got != ([32]byte{1}) {
		t.Errorf("state hash %x, %v", got, err)
	}
}

func TestStateIsAHashSetOnce(t *testing.T) {
	p := newParty(t)
	p.refuse("state", p.alice.phone, inline(&mls.AppDataUpdate{Component: ComponentState, Update: make([]byte, 31)}))
	p.refuse("state", p.alice.phone, inline(StateProposal([32]byte{1}), StateProposal([32]byte{2})))
}

func TestDirectRoomHasNoThirdPerson(t *testing.T) {
	w := newWorld(t)
	alice, bob, eve := w.newPerson(), w.newPerson(), w.newPerson()
	r := w.newRoom(Direct, alice.phone, bob.phone)
	r.refuse("people", alice.phone, inline(r.brings(eve.phone), set(eve.at(Member, 0))))
}

func TestNobodyIsTakenOutOfADirectRoom(t *testing.T) {
	w := newWorld(t)
	alice, bob, eve := w.newPerson(), w.newPerson(), w.newPerson()
	r := w.newRoom(Direct, alice.phone, bob.phone)
	r.refuse("people", alice.phone, inline(r.remove(bob.phone), takeOut(bob)))
	r.refuse("people", alice.phone, inline(r.remove(bob.phone), r.brings(eve.phone),
		Change{Set: []Participant{eve.at(Member, 0)}, Remove: []identity.UserID{bob.user()}}.Proposal()))
	r.refuse("leaves", alice.phone, inline(r.remove(bob.phone)))
	r.refuse("people", alice.phone, inline(set(bob.at(Admin, 0))))
}

// Or else the one who stays could fill the place with somebody else.
func TestNobodyLeavesADirectRoom(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.newPerson(), w.newPerson()
	r := w.newRoom(Direct, alice.phone, bob.phone)
	raw, err := r.groups[bob.phone].Propose(&mls.SelfRemove{}, nil)
	w.ok(err)
	r.refused("people", bob.phone, raw)
}

func TestSelfRoomHasNoSecondPerson(t *testing.T) {
	w := newWorld(t)
	alice, eve := w.newPerson(), w.newPerson()
	tablet := alice.newDevice("tablet")
	r := w.newRoom(Self, alice.phone, tablet)
	r.refuse("people", alice.phone, inline(r.brings(eve.phone), set(eve.at(Member, 0))))
	r.accept(tablet, r.commit(tablet, inline(r.remove(alice.phone))))
}

func TestKindAndComponentsOfARoomAreFixed(t *testing.T) {
	p := newParty(t)
	c := *p.public.Context()
	people := p.participants()
	people.Kind = Direct
	c.Extensions = c.Extensions.With(mls.ExtensionAppDataDictionary,
		mls.AppData{ComponentParticipants: people.Bytes(), ComponentState: make([]byte, 32)}.Extension().Data)
	v := *p.commit(p.alice.phone, inline()).View()
	v.After = &c
	p.wantRule("the rules", "kind", p.server.Rules.Commit(&v))
	people.Kind = Group
	c.Extensions = c.Extensions.With(mls.ExtensionAppDataDictionary,
		mls.AppData{ComponentParticipants: people.Bytes(), ComponentState: make([]byte, 32), 0x8003: nil}.Extension().Data)
	p.wantRule("the rules", "components", p.server.Rules.Commit(&v))
}

func TestParticipantsChangeOnceInACommit(t *testing.T) {
	p := newParty(t)
	p.refuse("participants", p.alice.phone, inline(set(p.bob.at(Admin, 0)), set(p.carol.at(Admin, 0))))
}

func TestComponentsAreTheTwo(t *testing.T) {
	p := newParty(t)
	p.refuse("components", p.alice.phone, inline(&mls.AppDataUpdate{Component: 0x8003, Update: []byte("x")}))
	p.refuse("components", p.alice.phone, inline(&mls.AppDataUpdate{Component: ComponentState, Removes: true}))
	p.refuse("participants", p.alice.phone, inline(&mls.AppDataUpdate{Component: ComponentParticipants, Removes: true}))
	p.refuse("participants", p.alice.phone, inline(&mls.AppDataUpdate{Component: ComponentParticipants, Update: []byte{9}}))
}

func TestExtensionsOfARoomAreFixed(t *testing.T) {
	p := newParty(t)
	ext := p.public.Context().Extensions
	_, stranger := p.leafKey()
	p.refuse("proposals", p.alice.phone, inline(&mls.GroupContextExtensions{Extensions: ext}))
	// Should a kind of proposal ever let one through, the contexts still say so.
	view := *p.commit(p.alice.phone, inline()).View()
	after := *p.public.Context()
	view.After = &after
	for name, changed := range map[string]mls.Extensions{
		"another sender": Extensions(stranger, p.participants(), sha256.Sum256(nil)),
		"one less":       ext[1:],
		"one more":       append(ext[:3:3], mls.Extension{Type: 0xF00D}),
	} {
		after.Extensions = changed
		p.wantRule(name, "extensions", p.server.Rules.Commit(&view))
	}
}
