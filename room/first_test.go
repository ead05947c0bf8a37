package room

import (
	"crypto/sha256"
	"errors"
	"testing"

	"sconce/identity"
	"sconce/mls"
)

// checkFirst judges a room's beginning as the one after before.
func (r *place) checkFirst(before *mls.GroupContext) error {
	r.Helper()
	if before == nil {
		return CheckFirst(r.info(), r.public.Members(), nil, r.sender, r.logs)
	}
	p, err := ParticipantsOf(before)
	r.ok(err)
	if err := CheckFirst(r.info(), r.public.Members(), &p, r.sender, r.logs); err != nil {
		return err
	}
	return CheckFollows(r.info(), before)
}

func TestNewRoomIsItsMakersAlone(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.newPerson(), w.newPerson()
	state := sha256.Sum256(nil)
	_, other := w.leafKey()
	id := func(n uint32) []byte { return GroupID(ID{9}, n) }
	people := func(k Kind, list ...Participant) Participants {
		m := map[identity.UserID]Participant{}
		for _, q := range list {
			m[q.User] = q
		}
		return NewParticipants(k, m)
	}
	for _, kind := range []Kind{Group, Direct, Self} {
		r := w.create(kind, alice.phone, id(0), Extensions(w.sender, people(kind, alice.at(Admin, 0)), state))
		if err := r.checkFirst(nil); err != nil {
			t.Errorf("a good room of kind %d: %v", kind, err)
		}
	}
	good := people(Group, alice.at(Admin, 0))
	fake := good.List[0]
	fake.Pin.Head = bob.log.Head()
	for _, test := range []struct {
		name, rule string
		id         []byte
		ext        mls.Extensions
	}{
		{"another's room", "first epoch", id(0), Extensions(w.sender, people(Group, bob.at(Admin, 0)), state)},
		{"two people", "first epoch", id(0), Extensions(w.sender, people(Group, alice.at(Admin, 0), bob.at(Member, 0)), state)},
		{"three in a direct room", "people", id(0), Extensions(w.sender, people(Direct, alice.at(Admin, 0), bob.at(Member, 0), w.newPerson().at(Member, 0)), state)},
		{"no admin", "first epoch", id(0), Extensions(w.sender, people(Group, alice.at(Member, 0)), state)},
		{"later generation", "first epoch", id(1), Extensions(w.sender, good, state)},
		{"no room's id", "first epoch", []byte("room"), Extensions(w.sender, good, state)},
		{"another server", "extensions", id(0), Extensions(other, good, state)},
		{"one more extension", "extensions", id(0), append(Extensions(w.sender, good, state), mls.Extension{Type: mls.ExtensionApplicationID})},
		{"one less", "extensions", id(0), Extensions(w.sender, good, state)[1:]},
		{"no components", "participants", id(0), Extensions(w.sender, good, state)[:2]},
		{"one more component", "extensions", id(0), append(Extensions(w.sender, good, state)[:2],
			mls.AppData{ComponentParticipants: good.Bytes(), ComponentState: state[:], 0x8003: nil}.Extension())},
		{"no state", "state", id(0), append(Extensions(w.sender, good, state)[:2], mls.AppData{ComponentParticipants: good.Bytes()}.Extension())},
		{"pin of another history", "pins", id(0), Extensions(w.sender, people(Group, fake), state)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.wantRule("CheckFirst", test.rule, w.create(Group, alice.phone, test.id, test.ext).checkFirst(nil))
		})
	}
}

func TestFirstLeafIsTheMakersDevice(t *testing.T) {
	w := newWorld(t)
	alice := w.newPerson()
	tablet := alice.newDevice("tablet")
	p := Participants{Kind: Group, List: []Participant{alice.at(Admin, 1)}}
	r := w.create(Group, tablet, GroupID(ID{9}, 0), Extensions(w.sender, p, [32]byte{}))
	w.wantRule("a device after the pin", "leaves", r.checkFirst(nil))
	full := w.newRoom(Group, alice.phone, w.newPerson().phone)
	w.wantRule("an epoch after the first", "first epoch", full.checkFirst(nil))
	gi := r.info()
	gi.Context.ConfirmedTranscriptHash = []byte{1}
	w.wantRule("a past", "first epoch", CheckFirst(gi, r.public.Members(), nil, w.sender, w.logs))
}

func TestNewGenerationTakesEverythingOver(t *testing.T) {
	p := newParty(t)
	before := p.public.Context()
	id, _, err := ParseGroupID(before.GroupID)
	p.ok(err)
	state := sha256.Sum256(nil)
	tablet := p.bob.newDevice("tablet")
	p.carol.removes(p.carol.phone)
	with := func(change ...Participant) Participants {
		next, err := p.participants().Apply(Change{Set: change})
		p.ok(err)
		return next
	}
	without, err := p.participants().Apply(Change{Remove: []identity.UserID{p.alice.user()}})
	p.ok(err)
	other := with()
	other.Kind = Direct + 1
	// Anyone who participates may open one, so bob, who is no admin, does.
	for _, test := range []struct {
		name, rule string
		by         *device
		generation uint32
		people     Participants
		state      [32]byte
	}{
		{"as it was", "", p.bob.phone, 1, with(), state},
		{"by a new device, with the pin", "", tablet, 1, with(p.bob.at(Member, 0)), state},
		{"with another's pin raised", "", p.bob.phone, 1, with(p.carol.at(Member, 0)), state},
		{"by a new device, without the pin", "leaves", tablet, 1, with(), state},
		{"the same generation", "first epoch", p.bob.phone, 0, with(), state},
		{"a generation ahead", "first epoch", p.bob.phone, 2, with(), state},
		{"another kind", "people", p.bob.phone, 1, other, state},
		{"a person less", "people", p.bob.phone, 1, without, state},
		{"a person more", "people", p.bob.phone, 1, with(p.newPerson().at(Member, 0)), state},
		{"a promotion", "people", p.bob.phone, 1, with(p.bob.at(Admin, 1)), state},
		{"a pin going back", "pins", p.bob.phone, 1, with(p.bob.at(Member, 1)), state},
		{"another state", "state", p.bob.phone, 1, with(), [32]byte{1}},
		{"a stranger's", "people", p.newPerson().phone, 1, with(), state},
		{"by a device that its owner removed", "leaves", p.carol.phone, 1, with(p.carol.at(Member, 0)), state},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := p.create(Group, test.by, GroupID(id, test.generation), Extensions(p.sender, test.people, test.state))
			err := r.checkFirst(before)
			if test.rule != "" {
				p.wantRule("CheckFirst", test.rule, err)
			} else if err != nil {
				t.Errorf("a good generation is refused: %v", err)
			}
		})
	}
	r := p.create(Group, p.bob.phone, GroupID(ID{0xee}, 1), Extensions(p.sender, with(), state))
	p.wantRule("another room", "first epoch", r.checkFirst(before))
}

func TestVerdictOnAFirstEpochDependsOnNothingLater(t *testing.T) {
	p := newParty(t)
	id, _, err := ParseGroupID(p.public.Context().GroupID)
	p.ok(err)
	tablet := p.bob.newDevice("tablet")
	p.carol.newDevice("tablet")
	raised, err := p.participants().Apply(Change{Set: []Participant{p.bob.at(Member, 0), p.carol.at(Member, 0)}})
	p.ok(err)
	good := p.create(Group, tablet, GroupID(id, 1), Extensions(p.sender, raised, sha256.Sum256(nil)))
	bad := p.create(Group, tablet, GroupID(id, 1), Extensions(p.sender, p.participants(), sha256.Sum256(nil)))
	p.bob.removes(tablet)
	p.carol.newDevice("another")
	h := p.history()
	for name, r := range map[string]*place{"good": good, "bad": bad} {
		t.Run(name, func(t *testing.T) {
			info, before := r.info(), p.participants()
			h.checkIndependence(t, func(logs LogSource) error {
				return CheckFirst(info, r.public.Members(), &before, p.sender, logs)
			})
		})
	}
}

// forge makes a group that no honest rules ever saw.
func (w *world) forge(people Participants, maker *device, ext mls.Extensions, added ...mls.Signer) *place {
	w.Helper()
	if ext == nil {
		ext = Extensions(w.sender, people, [32]byte{})
	}
	maker.rules.dishonest = true
	defer func() { maker.rules.dishonest = false }()
	r := w.create(people.Kind, maker, GroupID(ID{0xf0}, 0), ext)
	r.server.dishonest = true
	var list []mls.Proposal
	for _, s := range added {
		list = append(list, &mls.Add{KeyPackage: w.offer(s).kp})
	}
	r.accept(maker, r.commit(maker, inline(list...)))
	return r
}

func TestJoinerRefusesAForgedGroup(t *testing.T) {
	w := newWorld(t)
	alice, bob, eve := w.newPerson(), w.newPerson(), w.newPerson()
	tablet, lost := bob.newDevice("tablet"), bob.newDevice("lost")
	bob.removes(lost)
	old := tablet.rotate()
	two := Participants{Kind: Group}
	two, err := two.Apply(Change{Set: []Participant{alice.at(Admin, 0), bob.at(Member, 0)}})
	w.ok(err)
	three, err := two.Apply(Change{Set: []Participant{eve.at(Member, 0)}})
	w.ok(err)
	three.Kind = Direct
	early, err := two.Apply(Change{Set: []Participant{bob.at(Member, 2)}})
	w.ok(err)
	foreign, err := two.Apply(Change{Set: []Participant{{bob.user(), Member, identity.Pin{Length: 2, Head: eve.log.Head()}}}})
	w.ok(err)
	for _, test := range []struct {
		name, rule string
		people     Participants
		added      []mls.Signer
	}{
		{"good", "", two, []mls.Signer{bob.phone.signer(), tablet.signer()}},
		{"keys replaced since", "", two, []mls.Signer{old.signer()}},
		{"somebody who does not participate", "leaves", two, []mls.Signer{eve.phone.signer()}},
		{"removed device", "leaves", two, []mls.Signer{lost.signer()}},
		{"foreign keys", "leaves", two, []mls.Signer{eve.phone.signerAs(bob.phone.credential())}},
		{"foreign keys for replaced ones", "leaves", two, []mls.Signer{eve.phone.signerAs(old.credential())}},
		{"entry of another device", "leaves", two, []mls.Signer{old.signerAs(identity.Credential{User: bob.user(), Device: tablet.id, Entry: bob.phone.credential().Entry})}},
		{"admitted after the pin", "leaves", early, []mls.Signer{lost.signer()}},
		{"one device twice", "leaves", two, []mls.Signer{tablet.signer(), old.signer()}},
		{"pin of another history", "pins", foreign, []mls.Signer{bob.phone.signer()}},
		{"a third in a direct room", "people", three, []mls.Signer{bob.phone.signer(), eve.phone.signer()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := w.forge(test.people, alice.phone, nil, test.added...)
			err := CheckMembers(r.public.Context(), r.public.Members(), w.logs)
			if test.rule != "" {
				w.wantRule("CheckMembers", test.rule, err)
			} else if err != nil {
				t.Errorf("CheckMembers: %v", err)
			}
		})
	}
}

func TestJoinerRefusesARecoveredRotation(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.newPerson(), w.newPerson()
	tablet := bob.newDevice("tablet")
	keep := bob.log.Length()
	tablet.rotate()
	bob.recovers(identity.Recovery{Keep: keep})
	two, err := (Participants{Kind: Group}).Apply(Change{Set: []Participant{alice.at(Admin, 0), bob.at(Member, 0)}})
	w.ok(err)
	r := w.forge(two, alice.phone, nil, tablet.signer())
	w.wantRule("CheckMembers", "leaves", CheckMembers(r.public.Context(), r.public.Members(), w.logs))
}

func TestJoinerAsksForEachLogOnce(t *testing.T) {
	p := newParty(t)
	err := CheckMembers(p.public.Context(), p.public.Members(), func(identity.UserID) *identity.Log { return nil })
	missing, ok := errors.AsType[*MissingLogsError](err)
	if !ok || len(missing.Needs) != 3 {
		t.Errorf("got %v, want to be asked for three logs", err)
	}
}

func TestContextIsARooms(t *testing.T) {
	w := newWorld(t)
	alice, eve := w.newPerson(), w.newPerson()
	r := w.newRoom(Group, alice.phone)
	_, other := w.leafKey()
	w.ok(CheckContext(r.public.Context(), w.sender))
	w.wantRule("another server", "extensions", CheckContext(r.public.Context(), other))
	three, err := r.participants().Apply(Change{Set: []Participant{eve.at(Member, 0), w.newPerson().at(Member, 0)}})
	w.ok(err)
	three.Kind = Direct
	c := *r.public.Context()
	c.Extensions = Extensions(w.sender, three, [32]byte{})
	w.wantRule("three in a direct room", "people", CheckContext(&c, w.sender))
	c = *r.public.Context()
	c.CipherSuite = 2
	w.wantRule("another suite", "extensions", CheckContext(&c, w.sender))
}
