package content

import (
	"bytes"

	"github.com/fxamacker/cbor/v2"
)

// Note is something that one of my devices tells the others: a [ReadMark], a
// [BurnStart], a [Verified], a [Preference], a [Choice], or an [UnknownNote] from
// a newer program. Notes may
// arrive in any order and more than once; each says how to merge it.
//
// Notes count only when they come from the self-group. Anyone can send the same
// bytes in a room.
type Note interface {
	kind() uint64
	items() []any
}

// ReadMark says that I have read a room up to an entry. The highest Seq wins.
type ReadMark struct {
	Room [16]byte
	Seq  uint64
}

// BurnStart says when I first saw a message that burns after reading. The
// earliest At wins.
type BurnStart struct {
	Room    [16]byte
	Message ID
	At      uint64 // milliseconds since 1970
}

// Verified says that I compared safety numbers with a user while Head was the
// head of their device log. Of two about one user the later At wins; at the
// same At, the withdrawn one.
type Verified struct {
	User      [32]byte
	Head      [32]byte
	At        uint64 // milliseconds since 1970
	Withdrawn bool
}

// Preference says how I want a room listed, and of what in it to be told. The
// later At wins; of two at the same At, the one whose encoding is greater.
type Preference struct {
	Room   [16]byte
	At     uint64 // milliseconds since 1970
	Pinned bool
	Notify Notify
}

// Notify says of what in a room I want to be told.
type Notify uint8

const (
	NotifyAll Notify = iota
	NotifyMentions
	NotifyNone
)

// Choice says what my devices tell other people. It merges as [Preference] does.
type Choice struct {
	At       uint64 // milliseconds since 1970
	Receipts bool
	Typing   bool
}

// UnknownNote is a note of a kind that this program does not know. It keeps its
// bytes.
type UnknownNote struct {
	Kind uint64
	Raw  cbor.RawMessage // the whole note
}

// A kind's fields never change. A note that needs others is a new kind.
const (
	kindReadMark   = 1
	kindBurnStart  = 2
	kindVerified   = 3
	kindPreference = 4
	kindChoice     = 5
)

// selfVersion is the first byte of encoded notes.
const selfVersion = 1

// maxNoteDepth leaves notes of later kinds some room: the array of notes, the
// note, and two levels inside.
const maxNoteDepth = 4

func (ReadMark) kind() uint64      { return kindReadMark }
func (BurnStart) kind() uint64     { return kindBurnStart }
func (Verified) kind() uint64      { return kindVerified }
func (Preference) kind() uint64    { return kindPreference }
func (Choice) kind() uint64        { return kindChoice }
func (n UnknownNote) kind() uint64 { return n.Kind }

func (n ReadMark) items() []any  { return []any{n.kind(), n.Room, n.Seq} }
func (n BurnStart) items() []any { return []any{n.kind(), n.Room, n.Message, n.At} }
func (n Verified) items() []any  { return []any{n.kind(), n.User, n.Head, n.At, n.Withdrawn} }
func (n Preference) items() []any {
	return []any{n.kind(), n.Room, n.At, n.Pinned, uint64(n.Notify)}
}
func (n Choice) items() []any    { return []any{n.kind(), n.At, n.Receipts, n.Typing} }
func (UnknownNote) items() []any { return nil }

// EncodeNotes returns the one encoding of the notes, and refuses what
// DecodeNotes would refuse.
func EncodeNotes(notes []Note) ([]byte, error) {
	raw, err := marshalNotes(notes)
	if err != nil {
		return nil, err
	}
	if _, err := parseNotes(raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// DecodeNotes reads notes. A kind it does not know becomes an [UnknownNote]; a
// later format of the whole gives [ErrVersion].
func DecodeNotes(data []byte) ([]Note, error) {
	notes, err := parseNotes(data)
	if err != nil {
		return nil, err
	}
	again, err := marshalNotes(notes)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, malformed("notes not in deterministic form")
	}
	return notes, nil
}

func marshalNotes(notes []Note) ([]byte, error) {
	if err := limit("message", "notes", len(notes), MaxNotes); err != nil {
		return nil, err
	}
	all := make([]any, len(notes))
	for i, note := range notes {
		switch n := note.(type) {
		case nil:
			return nil, malformed("note %d is nil", i)
		case UnknownNote:
			all[i] = n.Raw
		default:
			all[i] = n.items()
		}
	}
	return marshalVersioned(selfVersion, all)
}

func parseNotes(data []byte) ([]Note, error) {
	body, err := checkVersioned("notes", selfVersion, data, maxNoteDepth)
	if err != nil {
		return nil, err
	}
	l := readList("notes", body)
	if l.err != nil {
		return nil, l.err
	}
	notes := make([]Note, len(l.rest))
	for i, raw := range l.rest {
		if notes[i], err = readNote(raw); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

func readNote(raw cbor.RawMessage) (Note, error) {
	l := readList("note", raw)
	var note Note
	switch kind := l.uint("kind", 1<<64-1); kind {
	case kindReadMark:
		var n ReadMark
		l.fixed("room", n.Room[:])
		n.Seq = l.uint("sequence number", 1<<64-1)
		note = n
	case kindBurnStart:
		var n BurnStart
		l.fixed("room", n.Room[:])
		n.Message = l.id("message")
		n.At = l.uint("time", maxMillis)
		if l.err == nil && n.Message.IsZero() {
			l.err = malformed("burn start names no message")
		}
		note = n
	case kindVerified:
		var n Verified
		l.fixed("user", n.User[:])
		l.fixed("head", n.Head[:])
		n.At = l.uint("time", maxMillis)
		n.Withdrawn = l.bool("withdrawn")
		note = n
	case kindPreference:
		var n Preference
		l.fixed("room", n.Room[:])
		n.At = l.uint("time", maxMillis)
		n.Pinned = l.bool("pinned")
		n.Notify = Notify(l.uint("notify", uint64(NotifyNone)))
		note = n
	case kindChoice:
		var n Choice
		n.At = l.uint("time", maxMillis)
		n.Receipts = l.bool("receipts")
		n.Typing = l.bool("typing")
		note = n
	default:
		return UnknownNote{Kind: kind, Raw: raw}, l.err
	}
	return note, l.end()
}

// maxMillis keeps times within what time.UnixMilli takes.
const maxMillis = 1<<63 - 1
