package content

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID names a message: MIMI's message id (draft, "Message ID"). The zero ID
// names none.
type ID [32]byte

// hashSHA256 opens every ID: SHA-256 in IANA's registry of named hashes.
const hashSHA256 = 1

// IsZero reports whether the ID names no message.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the ID in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Salt makes every message, and so its ID, unique.
type Salt [16]byte

// NewSalt draws a salt from the system's randomness.
func NewSalt() (s Salt) {
	rand.Read(s[:]) // documented never to fail
	return s
}

// Message is one message as MIMI lays it out. Whoever makes one keeps its Salt
// over every attempt to send, because receivers drop an [ID] they have seen.
type Message struct {
	Salt      Salt
	Replaces  ID     // the first version of the message this edits or deletes
	Topic     []byte // a thread that messages share; empty for none
	Expires   Expiration
	InReplyTo ID
	Extensions
	Body Part
}

// Expiration is MIMI's own timer. [Message.Timers] is how to read it together
// with ours, [Message.SetTimers] how to write both.
type Expiration struct {
	When    When
	Seconds uint32
}

// When says what the seconds of an [Expiration] count from.
type When byte

const (
	Never     When = iota
	AfterRead      // seconds since this reader first saw the message
	AtTime         // seconds since 1970
)

// Encode returns the message's one encoding. It refuses, with the error that
// Decode would give, what no receiver would accept.
func (m *Message) Encode() ([]byte, error) {
	raw, err := m.marshal()
	if err != nil {
		return nil, err
	}
	if _, err := parse(raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// Decode reads one message and keeps no reference to data. It refuses
// whatever is not the deterministic encoding of a message within our limits;
// the errors are [ErrMalformed] and [*LimitError].
func Decode(data []byte) (*Message, error) {
	m, err := parse(data)
	if err != nil {
		return nil, err
	}
	// The reader below is checked item by item. This is the proof that
	// nothing slipped through, on which the uniqueness of IDs rests.
	again, err := m.marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, malformed("not in deterministic form")
	}
	return m, nil
}

// ID returns the id that all members compute for the message. The sender's and
// the room's URI are those that MLS vouches for; a message that carries others
// gets [ErrImpostor].
func (m *Message) ID(sender, room string) (ID, error) {
	if m.SenderURI != "" && m.SenderURI != sender || m.RoomURI != "" && m.RoomURI != room {
		return ID{}, ErrImpostor
	}
	if err := limit("sender URI", "bytes", len(sender), maxURI); err != nil {
		return ID{}, err
	}
	if err := limit("room URI", "bytes", len(room), maxURI); err != nil {
		return ID{}, err
	}
	raw, err := m.Encode()
	if err != nil {
		return ID{}, err
	}
	input := make([]byte, 0, 4+len(sender)+len(room)+len(raw)+len(m.Salt))
	input = binary.BigEndian.AppendUint16(input, uint16(len(sender)))
	input = append(input, sender...)
	input = binary.BigEndian.AppendUint16(input, uint16(len(room)))
	input = append(input, room...)
	input = append(input, raw...)
	input = append(input, m.Salt[:]...) // again, against length extension
	sum := sha256.Sum256(input)

	id := ID{hashSHA256}
	copy(id[1:], sum[:])
	return id, nil
}

func (m *Message) marshal() ([]byte, error) {
	extensions, err := m.Extensions.items()
	if err != nil {
		return nil, err
	}
	body, err := m.Body.items(MaxDepth)
	if err != nil {
		return nil, err
	}
	return encMode.Marshal([]any{
		m.Salt, m.Replaces.item(), notNil(m.Topic), m.Expires.item(), m.InReplyTo.item(), extensions, body,
	})
}

func (id ID) item() any {
	if id.IsZero() {
		return nil
	}
	return id
}

func (e Expiration) item() any {
	if e.When == Never {
		return nil
	}
	return []any{e.When == AfterRead, e.Seconds}
}

// notNil keeps the library from writing an empty byte string as null.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func parse(data []byte) (*Message, error) {
	if err := limit("message", "bytes", len(data), MaxMessage); err != nil {
		return nil, err
	}
	if err := checkStrict(data, maxNesting); err != nil {
		return nil, err
	}
	m := new(Message)
	l := readList("message", data)
	l.fixed("salt", m.Salt[:])
	m.Replaces = l.id("replaces")
	m.Topic = l.bytes("topic", MaxTopic)
	m.Expires = readExpiration(l)
	m.InReplyTo = l.id("in reply to")
	extensions, body := l.raw("extensions"), l.raw("body")
	if err := l.end(); err != nil {
		return nil, err
	}
	var err error
	if m.Extensions, err = readExtensions(extensions); err != nil {
		return nil, err
	}
	budget := MaxParts
	if m.Body, err = readPart(body, MaxDepth, &budget); err != nil {
		return nil, err
	}
	return m, nil
}

// id reads an ID or null. Draft, "General handling": an unknown hash is a
// reason to discard.
func (l *list) id(name string) (id ID) {
	if l.null() {
		return ID{}
	}
	l.fixed(name, id[:])
	if l.err == nil && id[0] != hashSHA256 {
		l.err = malformed("%s names an unknown hash, %d", name, id[0])
	}
	return id
}

// readExpiration refuses a timer of more than a year (draft, "General
// handling"). A date is judged by [Message.CheckDate], which needs the time.
func readExpiration(l *list) Expiration {
	if l.null() {
		return Expiration{}
	}
	raw := l.raw("expires")
	if l.err != nil {
		return Expiration{}
	}
	inner := readList("expires", raw)
	e := Expiration{When: AtTime}
	most := uint64(1<<32 - 1)
	if inner.bool("relative") {
		e.When, most = AfterRead, MaxTimer
	}
	e.Seconds = uint32(inner.uint("time", most))
	l.err = inner.end()
	return e
}
