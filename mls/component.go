package mls

import (
	"cmp"
	"fmt"
	"slices"
)

// What draft-ietf-mls-extensions builds on components: lists of them, data
// beside a message, key packages of last resort, and acknowledgements.

const (
	ComponentAppComponents ComponentID = 1
	ComponentSafeAAD       ComponentID = 2
	ComponentLastResort    ComponentID = 4
	ComponentAppAck        ComponentID = 5
)

// ComponentsList gives the data of app_components or safe_aad: in a leaf what
// its client supports, in a group context what the group requires.
func ComponentsList(ids ...ComponentID) []byte { return appendIDs(nil, ids) }

// ParseComponentsList reads what [ComponentsList] gives. Values that are not
// known, GREASE among them, are the caller's to ignore.
func ParseComponentsList(b []byte) ([]ComponentID, error) {
	return parse(b, "components list", listIDs[ComponentID])
}

// withComponents puts app_components into a leaf's dictionary, as every client
// must that understands one (draft-ietf-mls-extensions, Attaching Application
// Data to MLS Messages): what this package knows, what the application adds,
// and a value that means nothing. A list that is there already stays.
func (e Extensions) withComponents(own []ComponentID, grease bool) (Extensions, error) {
	d := AppData{}
	if b, ok := e.Find(ExtensionAppDataDictionary); ok {
		var err error
		if d, err = ParseAppData(b); err != nil {
			return nil, err
		}
	}
	if _, has := d[ComponentAppComponents]; has {
		return e, nil
	}
	ids := append([]ComponentID{ComponentAppComponents, ComponentSafeAAD, ComponentLastResort, ComponentAppAck}, own...)
	if grease {
		ids = appendGREASE(ids)
	}
	slices.Sort(ids)
	d[ComponentAppComponents] = ComponentsList(slices.Compact(ids)...)
	return e.With(ExtensionAppDataDictionary, d.Extension().Data), nil
}

// Components gives what components a leaf's client understands. Values that are
// not known, GREASE among them, are the caller's to ignore.
func (l *LeafNode) Components() []ComponentID {
	b, ok := l.Extensions.Find(ExtensionAppDataDictionary)
	if !ok {
		return nil
	}
	d, err := ParseAppData(b)
	if err != nil {
		return nil
	}
	ids, err := ParseComponentsList(d[ComponentAppComponents])
	if err != nil {
		return nil
	}
	return ids
}

// SafeAAD is authenticated data in which each component has its own
// (draft-ietf-mls-extensions, Safe AAD). A group whose dictionary has
// [ComponentSafeAAD] frames all authenticated data so, and messages that do not
// are refused.
type SafeAAD map[ComponentID][]byte

// Bytes gives the authenticated data of a message.
func (a SafeAAD) Bytes() []byte { return AppData(a).Extension().Data }

// ParseSafeAAD reads the authenticated data of a message.
func ParseSafeAAD(b []byte) (SafeAAD, error) {
	d, err := ParseAppData(b)
	return SafeAAD(d), err
}

// framesAAD reports whether the epoch frames authenticated data by component.
func (c *GroupContext) framesAAD() bool {
	d, err := c.AppData()
	if err != nil {
		return false // its form was checked when the epoch began
	}
	_, ok := d[ComponentSafeAAD]
	return ok
}

// checkSafeAAD holds authenticated data to the epoch's framing, if it has one.
func checkSafeAAD(framed bool, data []byte) error {
	if !framed {
		return nil
	}
	if _, err := ParseSafeAAD(data); err != nil {
		return invalid("draft-ietf-mls-extensions SafeAAD", "authenticated data is not framed by component: %v", err)
	}
	return nil
}

// LastResort reports whether the KeyPackage may be used more than once
// (draft-ietf-mls-extensions, Last-Resort KeyPackages).
func (k *KeyPackage) LastResort() bool {
	b, ok := k.Extensions.Find(ExtensionAppDataDictionary)
	if !ok {
		return false
	}
	d, err := ParseAppData(b)
	if err != nil {
		return false
	}
	_, ok = d[ComponentLastResort]
	return ok
}

// withLastResort marks the extensions of a KeyPackage.
func withLastResort(e Extensions) (Extensions, error) {
	d := AppData{}
	if b, ok := e.Find(ExtensionAppDataDictionary); ok {
		var err error
		if d, err = ParseAppData(b); err != nil {
			return nil, err
		}
	}
	d[ComponentLastResort] = nil
	return e.With(ExtensionAppDataDictionary, d.Extension().Data), nil
}

// AppAck says which application messages of the epoch its sender has received
// (draft-ietf-mls-extensions, AppAck). It travels as [AppEphemeral] of
// [ComponentAppAck], so that suppressing it stops the group.
type AppAck struct{ Received []MessageRange }

// MessageRange is messages of one sender without a gap, ends included.
type MessageRange struct {
	Sender      LeafIndex
	First, Last uint32 // generations
}

func (m MessageRange) appendTo(b []byte) []byte {
	b = appendU32(b, uint32(m.Sender))
	b = appendU32(b, m.First)
	return appendU32(b, m.Last)
}

// Proposal gives the acknowledgement as it goes into a commit.
func (a AppAck) Proposal() *AppEphemeral {
	return &AppEphemeral{Component: ComponentAppAck, Data: appendList(nil, a.Received)}
}

// ParseAppAck reads the data of [ComponentAppAck].
func ParseAppAck(b []byte) (AppAck, error) {
	return parse(b, "app ack", func(r *reader) AppAck {
		return AppAck{Received: list(r, func(r *reader) MessageRange {
			m := MessageRange{Sender: LeafIndex(r.u32()), First: r.u32(), Last: r.u32()}
			if m.First > m.Last {
				r.fail(invalid("draft-ietf-mls-extensions AppAck", "range of messages from %d to %d", m.First, m.Last))
			}
			return m
		})}
	})
}

// Receipts notes what application messages of an epoch came, for an [AppAck]
// and to find out what another's shows to be missing. The zero value is ready.
type Receipts struct{ ranges []MessageRange } // by sender and generation, no two of them touch

// Add notes a message, in whatever order they come.
func (r *Receipts) Add(sender LeafIndex, generation uint32) {
	r.add(MessageRange{sender, generation, generation})
}

func (r *Receipts) add(m MessageRange) {
	i, _ := slices.BinarySearchFunc(r.ranges, m, func(a, b MessageRange) int {
		return cmp.Or(cmp.Compare(a.Sender, b.Sender), cmp.Compare(a.First, b.First))
	})
	if i > 0 && r.ranges[i-1].touches(m) {
		i--
	}
	j := i
	for ; j < len(r.ranges) && r.ranges[j].touches(m); j++ {
		m.First, m.Last = min(m.First, r.ranges[j].First), max(m.Last, r.ranges[j].Last)
	}
	r.ranges = slices.Replace(r.ranges, i, j, m)
}

// touches reports whether the two make one range together.
func (m MessageRange) touches(o MessageRange) bool {
	return m.Sender == o.Sender && uint64(m.First) <= uint64(o.Last)+1 && uint64(o.First) <= uint64(m.Last)+1
}

// AppAck gives what was noted.
func (r *Receipts) AppAck() AppAck { return AppAck{Received: slices.Clone(r.ranges)} }

// Missing gives what another member has received and is not noted here. Note
// one's own messages too: then what others lack shows as well, the other way
// round.
func (r *Receipts) Missing(a AppAck) []MessageRange {
	var theirs Receipts
	for _, m := range a.Received {
		theirs.add(m)
	}
	var out []MessageRange
	for _, m := range theirs.ranges {
		next := uint64(m.First)
		for _, have := range r.ranges {
			if have.Sender != m.Sender || have.Last < m.First || have.First > m.Last {
				continue
			}
			if uint64(have.First) > next {
				out = append(out, MessageRange{m.Sender, uint32(next), have.First - 1})
			}
			next = uint64(have.Last) + 1
		}
		if next <= uint64(m.Last) {
			out = append(out, MessageRange{m.Sender, uint32(next), m.Last})
		}
	}
	return out
}

// String shows a range as a reader would note it down.
func (m MessageRange) String() string {
	return fmt.Sprintf("%d:%d-%d", m.Sender, m.First, m.Last)
}
