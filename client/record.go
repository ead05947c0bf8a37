package client

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/room"
)

// Records of the vault. A key is one letter, then ids and numbers in fixed
// widths, big-endian, so that ranges scan in order; a value is a version byte
// and CBOR, or raw bytes where the comment says so. Keys hold no content.
//
//	d                            device: who and where this is
//	l user                       device log of a person
//	p user                       what is known of a person
//	k ref                        private half of a key package (erasable)
//	r room                       room
//	g room record                MLS group, as mls hands it out (secrets erasable)
//	s room                       own commit in flight (erasable)
//	h room seq                   running hash of the room's log (raw)
//	t room seq                   timeline item (erasable when it has a timer)
//	i room message               where a message id stands: seq (raw)
//	q room message seq           a reply to the message, at that place (raw, empty)
//	o room number                outbox entry (erasable)
//	w room                       what was begun to be written (erasable)
//	c room nonce                 which message was sent for a nonce, and when (raw)
//	e                            the person's settings
//	v device                     when one's own device was last heard of, to the hour (raw)
//	y room                       what others have said that they received and read
//	b room message               when a message that is not here yet began to burn elsewhere (raw)
//	x time room seq              what expires when (raw, empty)
//	n                            the latest time this device has known (raw)
const (
	prefixDevice   = 'd'
	prefixLog      = 'l'
	prefixPerson   = 'p'
	prefixKey      = 'k'
	prefixRoom     = 'r'
	prefixGroup    = 'g'
	prefixStaged   = 's'
	prefixHash     = 'h'
	prefixItem     = 't'
	prefixIndex    = 'i'
	prefixReplies  = 'q'
	prefixOutbox   = 'o'
	prefixDraft    = 'w'
	prefixNonce    = 'c'
	prefixChoices  = 'e'
	prefixReceipts = 'y'
	prefixSeen     = 'v'
	prefixBurn     = 'b'
	prefixExpiry   = 'x'
	prefixTime     = 'n'
	recordVersion  = 1
)

var recordEncoding = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // constant options
	}
	return m
}()

func encodeRecord(v any) []byte {
	b, err := recordEncoding.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("client: encoding %T: %v", v, err)) // our own plain structs always encode
	}
	return append([]byte{recordVersion}, b...)
}

func decodeRecord(b []byte, v any) error {
	if len(b) == 0 || b[0] != recordVersion {
		return errors.New("record was written by a later version of this program")
	}
	return cbor.Unmarshal(b[1:], v)
}

// key builds a record's key.
func key(prefix byte, parts ...[]byte) []byte {
	b := []byte{prefix}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// after gives the first key behind all that begin with k.
func after(k []byte) []byte {
	end := append([]byte(nil), k...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// deviceRecord is who and where this device is.
type deviceRecord struct {
	Server     string             `cbor:"1,keyasint"`
	Network    identity.NetworkID `cbor:"2,keyasint"`
	NetworkKey []byte             `cbor:"3,keyasint"`
	Sender     []byte             `cbor:"4,keyasint"` // the server's key as external sender
	User       identity.UserID    `cbor:"5,keyasint"`
	Name       string             `cbor:"6,keyasint"`
	Secrets    []byte             `cbor:"7,keyasint"` // identity.DeviceSecrets
	Entry      identity.Hash      `cbor:"8,keyasint"` // the log entry that admitted this device
	Self       room.ID            `cbor:"9,keyasint"` // the self-group; zero: not made or found yet

	// Until the server has taken this device in:
	Pending *pendingJoin `cbor:"11,keyasint,omitempty"`
}

// pendingJoin is what an interrupted join needs to go on. For a link or a
// recovery it is empty: the device's keys are all there is.
type pendingJoin struct {
	Invite   []byte `cbor:"1,keyasint"` // the server's token
	Genesis  []byte `cbor:"2,keyasint"`
	Recovery string `cbor:"3,keyasint"`
}

// personRecord is what is known of a person beside their log.
type personRecord struct {
	Name     string        `cbor:"1,keyasint"`
	Verified identity.Hash `cbor:"2,keyasint,omitempty"` // head of the log when safety numbers were compared
	At       int64         `cbor:"3,keyasint,omitempty"` // when that was, or was taken back, or made doubtful
	Changed  bool          `cbor:"4,keyasint,omitempty"` // the server showed a log that contradicts ours
}

func (p *personRecord) verified() bool { return p.Verified != identity.Hash{} }

// keyRecord is the private half of a key package.
type keyRecord struct {
	KeyPackage []byte `cbor:"1,keyasint"`
	Secrets    []byte `cbor:"2,keyasint"`
	LastResort bool   `cbor:"3,keyasint,omitempty"`
	Expires    int64  `cbor:"4,keyasint"`
}

// roomRecord is a room as this device stands in it.
type roomRecord struct {
	Kind       room.Kind `cbor:"1,keyasint"`
	Generation uint32    `cbor:"2,keyasint"`
	Cursor     uint64    `cbor:"3,keyasint"` // processed up to here
	Hash       api.Hash  `cbor:"4,keyasint"` // the log's running hash there
	Acked      uint64    `cbor:"5,keyasint"`
	State      []byte    `cbor:"6,keyasint,omitempty"` // content.RoomState whose hash the group context has or had
	Read       uint64    `cbor:"7,keyasint,omitempty"` // the person has seen up to here
	Member     bool      `cbor:"8,keyasint,omitempty"` // this device has a leaf
	Left       bool      `cbor:"9,keyasint,omitempty"` // it was taken out, or left
	Leaving    bool      `cbor:"10,keyasint,omitempty"`
	Stuck      string    `cbor:"11,keyasint,omitempty"` // why it must rejoin; empty: it need not
	Alarm      string    `cbor:"12,keyasint,omitempty"`
	Checked    bool      `cbor:"13,keyasint,omitempty"` // every leaf was checked against its person's log
	Answer     int64     `cbor:"14,keyasint,omitempty"` // when to tell a newcomer what the room can't; 0: no need
	Made       bool      `cbor:"15,keyasint,omitempty"` // the server has it

	// Wanted is whom the room's maker is still to bring in.
	Wanted []identity.UserID `cbor:"17,keyasint,omitempty"`

	Epoch  uint64            `cbor:"18,keyasint,omitempty"` // of the group, the last that this device was in
	Stamp  int64             `cbor:"19,keyasint,omitempty"` // the latest of the server's stamps in the log
	Leaver identity.DeviceID `cbor:"21,keyasint,omitempty"` // with Leaving: the other device that leaves for all of them
	Broken bool              `cbor:"20,keyasint,omitempty"` // a rule was broken: a person must look before it rejoins
	Gather bool              `cbor:"31,keyasint,omitempty"` // this device came back and is still to bring in its person's others
	Hidden bool              `cbor:"30,keyasint,omitempty"` // the server denies that this device is in, and nothing in the log says so
	Behind bool              `cbor:"32,keyasint,omitempty"` // the server's log ends before what this device has of it

	// What a list of rooms shows, kept in step with the timeline so that it need
	// not be read: see summary.go.
	Counted     bool   `cbor:"40,keyasint,omitempty"`
	Unread      int    `cbor:"41,keyasint,omitempty"`
	Mentions    int    `cbor:"42,keyasint,omitempty"`
	FirstUnread uint64 `cbor:"43,keyasint,omitempty"` // or where to look for it from
	Newest      uint64 `cbor:"44,keyasint,omitempty"` // the newest message, or where to look back from
	Activity    int64  `cbor:"45,keyasint,omitempty"`

	Pinned   bool           `cbor:"46,keyasint,omitempty"`
	Notify   content.Notify `cbor:"47,keyasint,omitempty"`
	Prefered int64          `cbor:"48,keyasint,omitempty"` // when these two were chosen, on any device

	Heard uint64         `cbor:"49,keyasint,omitempty"` // the last message of somebody else's that came
	Told  content.Report `cbor:"50,keyasint,omitempty"` // what this person's devices have said of the log

	// Participants at the last processed epoch, in room.Participants' encoding:
	// what a rejoin must not fall behind.
	Participants []byte `cbor:"16,keyasint,omitempty"`
}

// stagedRecord is an own commit between the moment it is made and the moment
// it is met in the log, or found stale.
type stagedRecord struct {
	Request []byte `cbor:"1,keyasint"` // api.AppendRequest
	Commit  []byte `cbor:"2,keyasint"` // mls.StagedCommit
	Join    bool   `cbor:"3,keyasint,omitempty"`
	State   []byte `cbor:"4,keyasint,omitempty"` // content.RoomState that it brings

	// Instead of Commit, when it opens a generation: the group as mls hands it out.
	Generation uint32        `cbor:"5,keyasint,omitempty"`
	Group      []groupRecord `cbor:"6,keyasint,omitempty"`
}

type groupRecord struct {
	Key    []byte `cbor:"1,keyasint"`
	Value  []byte `cbor:"2,keyasint"`
	Secret bool   `cbor:"3,keyasint,omitempty"`
}

// outboxRecord is a message that waits to stand in its room's log.
type outboxRecord struct {
	ID      api.AppendID `cbor:"1,keyasint"`
	Message []byte       `cbor:"2,keyasint"` // content.Message, whose salt never changes
	Time    int64        `cbor:"3,keyasint"`
	Failed  string       `cbor:"4,keyasint,omitempty"`

	// What may have been sent already: the message encrypted for an epoch. In
	// the same epoch just these bytes go out again, so a refusal costs no key.
	Sealed     []byte `cbor:"5,keyasint,omitempty"`
	Generation uint32 `cbor:"6,keyasint,omitempty"`
	Epoch      uint64 `cbor:"7,keyasint,omitempty"`

	// This device missed a part of the log in which the message may stand, and
	// the server has not been asked since: Failed is then [Unknown] to screens.
	Missed bool `cbor:"8,keyasint,omitempty"`
}

// draftRecord is what the person began to write.
type draftRecord struct {
	Text    string     `cbor:"1,keyasint"`
	ReplyTo content.ID `cbor:"2,keyasint,omitempty"`
}

// settingsRecord is what the person chose. What a zero value means is the default.
type settingsRecord struct {
	At         int64 `cbor:"1,keyasint,omitempty"` // of the first two, on any device
	NoReceipts bool  `cbor:"2,keyasint,omitempty"`
	NoTyping   bool  `cbor:"3,keyasint,omitempty"`
	Previews   bool  `cbor:"4,keyasint,omitempty"`
	IdleLock   int   `cbor:"5,keyasint,omitempty"`
}

// itemRecord is one line of a timeline.
type itemRecord struct {
	ID        content.ID        `cbor:"1,keyasint"`
	User      identity.UserID   `cbor:"2,keyasint"`
	Time      int64             `cbor:"3,keyasint"`
	Kind      string            `cbor:"4,keyasint"`
	Text      string            `cbor:"5,keyasint,omitempty"`
	ReplyTo   content.ID        `cbor:"6,keyasint,omitempty"`
	Edited    bool              `cbor:"7,keyasint,omitempty"`
	Deleted   bool              `cbor:"8,keyasint,omitempty"`
	Reactions []reactionRecord  `cbor:"9,keyasint,omitempty"`
	Warnings  []content.Warning `cbor:"10,keyasint,omitempty"`
	Expires   int64             `cbor:"11,keyasint,omitempty"` // Unix milliseconds; 0: not counting
	Burn      uint32            `cbor:"12,keyasint,omitempty"` // seconds after the first view
	Problem   string            `cbor:"13,keyasint,omitempty"`
	Notice    *noticeRecord     `cbor:"14,keyasint,omitempty"`
	EditedAt  int64             `cbor:"15,keyasint,omitempty"`
	Earlier   []earlierRecord   `cbor:"16,keyasint,omitempty"` // texts before edits, oldest first: they go with the item

	// The text names everyone in the room, and its author was an admin there where
	// the log has it.
	All bool `cbor:"17,keyasint,omitempty"`
}

// noticeRecord is what a notice says, but for its text and who did it.
type noticeRecord struct {
	What   Happening         `cbor:"1,keyasint"`
	Who    []identity.UserID `cbor:"2,keyasint,omitempty"`
	Expire uint32            `cbor:"3,keyasint,omitempty"`
	Burn   uint32            `cbor:"4,keyasint,omitempty"`
	Name   string            `cbor:"5,keyasint,omitempty"`
}

type earlierRecord struct {
	Text string `cbor:"1,keyasint"`
	Time int64  `cbor:"2,keyasint"`
}

func (it *itemRecord) erasable() bool { return it.Expires != 0 || it.Burn != 0 }

type reactionRecord struct {
	ID    content.ID      `cbor:"1,keyasint"`
	User  identity.UserID `cbor:"2,keyasint"`
	Emoji string          `cbor:"3,keyasint"`
}
