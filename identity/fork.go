package identity

import "fmt"

// ForkError is the proof that a log has two valid entries in one place: someone
// with an authorised key signed both, so that different people could be shown
// different histories. Which of the two is honest, nobody but the owner can say.
type ForkError struct {
	User  UserID
	Index int
	A, B  []byte // the entries, so that anyone else can be convinced
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("log of %s is forked: two valid entries at index %d", e.User, e.Index)
}

// Fork returns the proof of a fork that [Log.Append] met, or nil. While there is
// one, the caller must raise an alarm, must not pin the log any further, and
// should ask for the removal of the person's devices from rooms. Views of pins
// made before stay what they were: a verdict that was given is not taken back,
// or receivers who learn of the fork at different times would come apart.
//
// The owner ends a fork with the recovery key: a recover entry on one branch
// decides for that branch, and what conflicts with it earlier is refused from
// then on. Who holds the other branch opens the log anew. Without this, anyone
// who ever gets hold of a device, even of one long removed, could destroy the
// identity by signing a second entry for an old place.
func (l *Log) Fork() *ForkError { return l.fork }

// CheckFork decides whether two entries prove a fork of this log, without
// changing it: they do if both are valid in the same place of it and are not
// the same. It returns a [*ForkError] if so, nil if they are one entry, and an
// [*EntryError] if one of them proves nothing.
func (l *Log) CheckFork(a, b []byte) error {
	ea, err := l.witness(a)
	if err != nil {
		return err
	}
	eb, err := l.witness(b)
	if err != nil {
		return err
	}
	switch {
	case ea.Index() != eb.Index():
		return refuse(eb, RuleIndex, fmt.Sprintf("not in the place of the other entry, %d", ea.Index()))
	case ea.hash == eb.hash:
		return nil
	}
	return l.forked(ea, eb)
}

// witness parses an entry and checks that it is valid in its place.
func (l *Log) witness(data []byte) (*Entry, error) {
	e, err := parseEntry(data)
	if err != nil {
		return nil, &EntryError{Rule: RuleEncoding, Reason: err.Error()}
	}
	if e.Index() == 0 || e.Index() > l.Length() {
		return nil, refuse(e, RuleIndex, "not a place where this log could fork")
	}
	if _, err := l.follow(e); err != nil {
		return nil, err
	}
	return e, nil
}

// meet handles an entry for a place the log has filled.
func (l *Log) meet(e *Entry) error {
	held := l.entries[e.Index()]
	if held.hash == e.hash {
		return ErrKnown
	}
	if e.Index() == 0 {
		return refuse(e, RuleIndex, "another genesis is another person")
	}
	if _, err := l.follow(e); err != nil {
		return err
	}
	if l.overruled(e) {
		return refuse(e, RuleSettled, "a recovery has decided for another entry")
	}
	fork := l.forked(held, e)
	if l.fork == nil {
		l.fork = fork
	}
	return fork
}

// overruled reports whether a recovery in the log has decided against an entry
// that conflicts with it or with one before it. Of two recoveries in the same
// place neither decides: then the recovery key itself is in two hands.
func (l *Log) overruled(e *Entry) bool {
	if e.Index() == l.settled-1 {
		return e.Kind() != KindRecover
	}
	return e.Index() < l.settled
}

func (l *Log) forked(a, b *Entry) *ForkError {
	return &ForkError{User: l.user, Index: a.Index(), A: a.Marshal(), B: b.Marshal()}
}
