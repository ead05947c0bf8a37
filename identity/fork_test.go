package identity

import (
	"bytes"
	"errors"
	"testing"
)

// forked is a person whose phone signed two entries for place 1.
func forked(t *testing.T) (p *person, held, other []byte) {
	t.Helper()
	p = newPerson(t)
	held, err := p.addEntry(newDevice(t, "laptop"))
	if err != nil {
		t.Fatal(err)
	}
	if other, err = p.addEntry(newDevice(t, "tablet")); err != nil {
		t.Fatal(err)
	}
	p.take(held, nil)
	return p, held, other
}

func wantFork(t *testing.T, err error, a, b []byte) {
	t.Helper()
	fork, ok := errors.AsType[*ForkError](err)
	if !ok || !bytes.Equal(fork.A, a) || !bytes.Equal(fork.B, b) || fork.Index != 1 {
		t.Fatalf("got %v, want a fork at index 1 with both entries", err)
	}
}

func TestTwoSuccessorsAreAForkAndBothAreRefused(t *testing.T) {
	p, held, other := forked(t)
	view := p.log.now()
	wantFork(t, p.log.Append(other), held, other)
	wantFork(t, p.log.Fork(), held, other)
	_, err := p.addEntry(newDevice(t, "more"))
	wantFork(t, err, held, other)
	if again := p.log.now(); again.Pin() != view.Pin() {
		t.Fatal("the history changed")
	}
	_, err = Open(testNetwork, [][]byte{p.entries[0], held, other})
	wantFork(t, err, held, other)
}

func TestForkOfTheSameAdmissionIsSeen(t *testing.T) {
	p := newPerson(t)
	laptop := newDevice(t, "laptop")
	held, err := p.addEntry(laptop)
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.addEntry(laptop)
	if err != nil {
		t.Fatal(err)
	}
	p.take(held, nil)
	wantFork(t, p.log.Append(other), held, other)
}

func TestInvalidSuccessorProvesNothing(t *testing.T) {
	p, held, other := forked(t)
	broken := bytes.Clone(other)
	broken[len(broken)-40] ^= 1
	if _, ok := errors.AsType[*EntryError](p.log.Append(broken)); !ok || p.log.Fork() != nil {
		t.Fatal("a forged entry made a fork")
	}
	if _, ok := errors.AsType[*EntryError](p.log.CheckFork(held, broken)); !ok {
		t.Fatal("a forged entry passed for proof")
	}
}

func TestOtherSignaturesOnOneEntryAreNoFork(t *testing.T) {
	p := newPerson(t)
	c := p.content(KindRemove, p.phone.Keys().ID(), &removeBody{Device: p.phone.Keys().ID()})
	one, two := p.signed(c, p.phone.log), p.signed(c, p.phone.log)
	if bytes.Equal(one, two) {
		t.Fatal("signatures are not randomised, so this tests nothing")
	}
	if err := p.log.CheckFork(one, two); err != nil {
		t.Fatal(err)
	}
	p.take(one, nil)
	if err := p.log.Append(two); !errors.Is(err, ErrKnown) {
		t.Fatalf("got %v, want ErrKnown", err)
	}
}

func TestCheckForkDecidesWithoutTouchingTheLog(t *testing.T) {
	p, held, other := forked(t)
	wantFork(t, p.log.CheckFork(held, other), held, other)
	wantFork(t, p.log.CheckFork(other, held), other, held)
	if err := p.log.CheckFork(held, held); err != nil {
		t.Fatal(err)
	}
	wantRule(t, p.log.CheckFork(p.entries[0], held), RuleIndex)
	next, err := p.addEntry(newDevice(t, "more"))
	if err != nil {
		t.Fatal(err)
	}
	wantRule(t, p.log.CheckFork(held, next), RuleIndex)
	if p.log.Fork() != nil {
		t.Fatal("the log took note of a question")
	}
}

func TestRecoveryDecidesAFork(t *testing.T) {
	p, _, other := forked(t)
	if err := p.log.Append(other); err == nil {
		t.Fatal("no fork")
	}
	laptop := p.log.Devices()[1].ID
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: p.log.Length()}))
	if p.log.Fork() != nil {
		t.Fatal("still forked")
	}
	wantDevices(t, p.log.Devices(), p.phone.Keys().ID(), laptop)
	wantRule(t, p.log.Append(other), RuleSettled)
	p.add(newDevice(t, "more"))
}

func TestRecoveryBeatsADeviceInTheSamePlace(t *testing.T) {
	p := newPerson(t)
	thief, err := p.addEntry(newDevice(t, "thief"))
	if err != nil {
		t.Fatal(err)
	}
	p.take(p.log.Recover(p.recovery, p.now(), Recovery{Keep: 1}))
	wantRule(t, p.log.Append(thief), RuleSettled)
}

func TestTwoRecoveriesInOnePlaceAreAFork(t *testing.T) {
	p := newPerson(t)
	held, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.log.Recover(p.recovery, p.now(), Recovery{Keep: 0})
	if err != nil {
		t.Fatal(err)
	}
	p.take(held, nil)
	wantFork(t, p.log.Append(other), held, other)
}
