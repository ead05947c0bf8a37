package room

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"sconce/identity"
	"sconce/mls"
)

// MaxParticipants bounds a room.
const MaxParticipants = 10_000

// Participant is one person in a room, and how much of their device log the
// room has seen.
type Participant struct {
	User identity.UserID
	Role Role
	Pin  identity.Pin
}

// Participants is the state of [ComponentParticipants]: everyone in the room,
// in order of user id. A participant may have no device in the group, after
// losing the last one; they stay, and come back by external commit.
type Participants struct {
	Kind Kind
	List []Participant
}

const (
	participantsVersion = 1
	participantSize     = 32 + 1 + 4 + 32
)

// Bytes is the one encoding: version, kind, then 69 octets a participant: user
// id, role, length and head of the pin.
func (p Participants) Bytes() []byte {
	b := make([]byte, 0, 2+len(p.List)*participantSize)
	b = append(b, participantsVersion, byte(p.Kind))
	for _, q := range p.List {
		b = appendParticipant(b, q)
	}
	return b
}

func appendParticipant(b []byte, q Participant) []byte {
	b = append(b, q.User[:]...)
	b = append(b, byte(q.Role))
	b = binary.BigEndian.AppendUint32(b, uint32(q.Pin.Length))
	return append(b, q.Pin.Head[:]...)
}

func readParticipant(b []byte) (Participant, error) {
	q := Participant{User: identity.UserID(b[:32]), Role: Role(b[32])}
	q.Pin.Length = int(binary.BigEndian.Uint32(b[33:]))
	q.Pin.Head = identity.Hash(b[37:69])
	if q.Role != Member && q.Role != Admin {
		return q, fmt.Errorf("unknown role %d", q.Role)
	}
	if q.Pin.Length < 1 || q.Pin.Length > identity.MaxEntries {
		return q, fmt.Errorf("log length %d", q.Pin.Length)
	}
	return q, nil
}

// ParseParticipants reads what [Participants.Bytes] wrote, strictly.
func ParseParticipants(b []byte) (Participants, error) {
	if len(b) < 2 || b[0] != participantsVersion || (len(b)-2)%participantSize != 0 {
		return Participants{}, errors.New("participants: not in the form of version 1")
	}
	p := Participants{Kind: Kind(b[1])}
	if p.Kind < Group || p.Kind > Self {
		return Participants{}, fmt.Errorf("participants: unknown kind %d of room", b[1])
	}
	n := (len(b) - 2) / participantSize
	if n > MaxParticipants {
		return Participants{}, fmt.Errorf("participants: %d, more than %d", n, MaxParticipants)
	}
	p.List = make([]Participant, n)
	for i := range n {
		q, err := readParticipant(b[2+i*participantSize:])
		if err != nil {
			return Participants{}, fmt.Errorf("participants: %w", err)
		}
		if i > 0 && bytes.Compare(p.List[i-1].User[:], q.User[:]) >= 0 {
			return Participants{}, errors.New("participants: not in ascending order")
		}
		p.List[i] = q
	}
	return p, nil
}

// ParticipantsOf reads the participants of a group context.
func ParticipantsOf(ctx *mls.GroupContext) (Participants, error) {
	d, err := ctx.AppData()
	if err != nil {
		return Participants{}, err
	}
	return ParseParticipants(d[ComponentParticipants])
}

// StateHash reads the hash of the room's encrypted state from a group context.
func StateHash(ctx *mls.GroupContext) ([32]byte, error) {
	d, err := ctx.AppData()
	if err != nil {
		return [32]byte{}, err
	}
	if len(d[ComponentState]) != 32 {
		return [32]byte{}, errors.New("group context holds no room state hash")
	}
	return [32]byte(d[ComponentState]), nil
}

// Find gives the participant with this user id.
func (p Participants) Find(u identity.UserID) (Participant, bool) {
	i, ok := p.search(u)
	if !ok {
		return Participant{}, false
	}
	return p.List[i], true
}

func (p Participants) search(u identity.UserID) (int, bool) {
	return slices.BinarySearchFunc(p.List, u, func(q Participant, u identity.UserID) int {
		return bytes.Compare(q.User[:], u[:])
	})
}

// May reports whether a person may do what admins may. Where nobody is an
// admin, as when the last one left, everybody is.
func (p Participants) May(u identity.UserID) bool {
	q, ok := p.Find(u)
	if !ok || q.Role == Admin {
		return ok
	}
	return !slices.ContainsFunc(p.List, func(q Participant) bool { return q.Role == Admin })
}

// Change is an update of [ComponentParticipants]: people to set and people to
// take out.
type Change struct {
	Set    []Participant
	Remove []identity.UserID
}

// Bytes encodes the change as an AppDataUpdate carries it: version, then for
// each person 1 and a participant, or 2 and a user id.
func (c Change) Bytes() []byte {
	b := []byte{participantsVersion}
	for _, q := range c.Set {
		b = appendParticipant(append(b, 1), q)
	}
	for _, u := range c.Remove {
		b = append(append(b, 2), u[:]...)
	}
	return b
}

// Proposal gives the change as a proposal.
func (c Change) Proposal() mls.Proposal {
	return &mls.AppDataUpdate{Component: ComponentParticipants, Update: c.Bytes()}
}

// StateProposal gives the proposal that names the room's next encrypted state.
func StateProposal(hash [32]byte) mls.Proposal {
	return &mls.AppDataUpdate{Component: ComponentState, Update: hash[:]}
}

// ParseChange reads what [Change.Bytes] wrote. Nobody may stand in it twice.
func ParseChange(b []byte) (Change, error) {
	if len(b) < 1 || b[0] != participantsVersion {
		return Change{}, errors.New("change of participants: not in the form of version 1")
	}
	var c Change
	seen := map[identity.UserID]bool{}
	for b = b[1:]; len(b) > 0; {
		var u identity.UserID
		switch {
		case b[0] == 1 && len(b) >= 1+participantSize:
			q, err := readParticipant(b[1:])
			if err != nil {
				return Change{}, fmt.Errorf("change of participants: %w", err)
			}
			c.Set, u, b = append(c.Set, q), q.User, b[1+participantSize:]
		case b[0] == 2 && len(b) >= 33:
			u = identity.UserID(b[1:33])
			c.Remove, b = append(c.Remove, u), b[33:]
		default:
			return Change{}, errors.New("change of participants: not in the form of version 1")
		}
		if seen[u] {
			return Change{}, errors.New("change of participants: names somebody twice")
		}
		seen[u] = true
	}
	return c, nil
}

// Apply gives the participants after the change. Taking out somebody who is
// not there is an error.
func (p Participants) Apply(c Change) (Participants, error) {
	next := make(map[identity.UserID]Participant, len(p.List)+len(c.Set))
	for _, q := range p.List {
		next[q.User] = q
	}
	for _, u := range c.Remove {
		if _, ok := next[u]; !ok {
			return Participants{}, errors.New("change of participants: takes out somebody who is not in the room")
		}
		delete(next, u)
	}
	for _, q := range c.Set {
		next[q.User] = q
	}
	if len(next) > MaxParticipants {
		return Participants{}, fmt.Errorf("change of participants: %d, more than %d", len(next), MaxParticipants)
	}
	return NewParticipants(p.Kind, next), nil
}

// NewParticipants sorts people into [Participants].
func NewParticipants(k Kind, people map[identity.UserID]Participant) Participants {
	p := Participants{Kind: k, List: make([]Participant, 0, len(people))}
	for _, q := range people {
		p.List = append(p.List, q)
	}
	slices.SortFunc(p.List, func(a, b Participant) int { return bytes.Compare(a.User[:], b.User[:]) })
	return p
}
