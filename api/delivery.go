package api

import (
	"crypto/sha256"
	"encoding/binary"
)

// EntryKind says what a log entry holds.
type EntryKind uint8

const (
	EntryApplication EntryKind = 1 // PrivateMessage
	EntryProposal    EntryKind = 2 // PublicMessage: SelfRemove, or a Remove of the server's
	EntryCommit      EntryKind = 3 // PublicMessage
	EntryWelcome     EntryKind = 4 // inboxes only: a [WelcomeEntry] in CBOR
	EntryGeneration  EntryKind = 5 // the room goes on with a new MLS group; Message is its first GroupInfo
)

// Keep is how long the server keeps an entry that not every device has taken.
type Keep uint8

const (
	KeepHour  Keep = 1
	KeepDay   Keep = 2
	KeepWeek  Keep = 3
	KeepMonth Keep = 4
)

// Duration gives the class's length in milliseconds.
func (k Keep) Duration() int64 {
	const hour = 3600_000
	switch k {
	case KeepHour:
		return hour
	case KeepDay:
		return 24 * hour
	case KeepWeek:
		return 7 * 24 * hour
	}
	return 30 * 24 * hour
}

// KeepFor gives the shortest class that holds ms milliseconds; 0 means no timer.
func KeepFor(ms int64) Keep {
	for _, k := range []Keep{KeepHour, KeepDay, KeepWeek} {
		if ms > 0 && ms <= k.Duration() {
			return k
		}
	}
	return KeepMonth
}

// Entry is one place in a log. All but Message and Gone is fixed when it is
// appended; Message goes when every device has it or its keep class is over,
// and Gone then says so, and Digest takes its place in the hash chain.
type Entry struct {
	Seq        uint64    `cbor:"1,keyasint"` // from 1, without gaps
	Kind       EntryKind `cbor:"2,keyasint,omitempty"`
	Generation uint32    `cbor:"3,keyasint,omitempty"`
	Epoch      uint64    `cbor:"4,keyasint,omitempty"` // in which it was sent
	Sender     DeviceID  `cbor:"5,keyasint,omitempty"` // zero: the server
	ID         AppendID  `cbor:"6,keyasint,omitempty"`
	Time       int64     `cbor:"7,keyasint,omitempty"`
	Keep       Keep      `cbor:"8,keyasint,omitempty"`
	Message    []byte    `cbor:"9,keyasint,omitempty"`
	Gone       bool      `cbor:"10,keyasint,omitempty"`
	Digest     Hash      `cbor:"11,keyasint,omitempty"` // only with Gone: all the above but Seq are then absent
}

// Sum is the entry's digest, which stands in the log's hash chain for it.
func (e *Entry) Sum() Hash {
	if e.Gone {
		return e.Digest
	}
	b := make([]byte, 0, 160)
	b = append(b, "sconce entry 1\x00"...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = append(b, byte(e.Kind), byte(e.Keep))
	b = binary.BigEndian.AppendUint32(b, e.Generation)
	b = binary.BigEndian.AppendUint64(b, e.Epoch)
	b = append(b, e.Sender[:]...)
	b = append(b, e.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
	m := sha256.Sum256(e.Message)
	return sha256.Sum256(append(b, m[:]...))
}

// Chain is the running hash of a log after an entry with this digest.
func Chain(before, digest Hash) Hash {
	var b [64]byte
	copy(b[:], before[:])
	copy(b[32:], digest[:])
	return sha256.Sum256(b[:])
}

// Append adds one entry to a room's log. Application messages are taken in the
// current epoch while no proposal waits; a commit wins only while its epoch is
// the room's; the others get Stale (RFC 9420, Sections 12.4 and 14). The entry
// is durable before the answer. The id is looked up before all other checks
// and remembered for 90 days.
var Append = Endpoint[AppendRequest, AppendResponse]{Name: "append"}

type AppendRequest struct {
	Room       LogID       `cbor:"1,keyasint"`
	ID         AppendID    `cbor:"2,keyasint"`
	Generation uint32      `cbor:"3,keyasint,omitempty"`
	Keep       Keep        `cbor:"4,keyasint"`
	Message    []byte      `cbor:"5,keyasint"` // MLSMessage; its header gives kind and epoch
	Commit     *CommitPart `cbor:"6,keyasint,omitempty"`
}

// CommitPart goes with a commit, and takes effect with it or not at all.
type CommitPart struct {
	GroupInfo []byte        `cbor:"1,keyasint"` // of the next epoch, with external_pub, without the tree
	Welcomes  []WelcomePart `cbor:"2,keyasint,omitempty"`
	// Tree makes this append open a generation of the room: Message is the
	// GroupInfo of a new group whose one member is the caller's device and whose
	// participants are the room's, Generation is one more than the room's,
	// GroupInfo and Welcomes are empty. The others come by external commit.
	Tree []byte `cbor:"3,keyasint,omitempty"`
}

type WelcomePart struct {
	Device  DeviceID `cbor:"1,keyasint"`
	Welcome []byte   `cbor:"2,keyasint"` // MLSMessage with this device's secrets
}

type AppendResponse struct {
	Seq  uint64 `cbor:"1,keyasint"`
	Time int64  `cbor:"2,keyasint"`
}

// WelcomeEntry is the message of an EntryWelcome in a device's inbox.
type WelcomeEntry struct {
	Room       LogID  `cbor:"1,keyasint"`
	Generation uint32 `cbor:"2,keyasint,omitempty"`
	Seq        uint64 `cbor:"3,keyasint"` // of the commit that added the device: its window starts after it
	Hash       Hash   `cbor:"4,keyasint"` // the log's running hash after that commit
	Welcome    []byte `cbor:"5,keyasint"`
	Tree       Hash   `cbor:"6,keyasint"` // SHA-256 of the ratchet tree, for [ReadTree]
	Kind       uint8  `cbor:"7,keyasint"` // room.Kind
}

// Read gives the entries of the caller's window after a place, in order.
var Read = Endpoint[ReadRequest, ReadResponse]{Name: "read"}

type ReadRequest struct {
	Log   LogID  `cbor:"1,keyasint"` // a room, or [Inbox] of the caller's device
	After uint64 `cbor:"2,keyasint,omitempty"`
	Limit int    `cbor:"3,keyasint,omitempty"` // entries; 500 if 0
}

type ReadResponse struct {
	Entries []Entry `cbor:"1,keyasint"`
	Last    uint64  `cbor:"2,keyasint"` // the end of the caller's window as it stands
}

// Ack says that the caller's device has stored all up to these places. It is
// cumulative, and may be lost: entries then come again.
var Ack = Endpoint[AckRequest, Empty]{Name: "ack"}

type AckRequest struct {
	Acks []Place `cbor:"1,keyasint"`
}

type Place struct {
	Log LogID  `cbor:"1,keyasint"`
	Seq uint64 `cbor:"2,keyasint"`
}

// Inbox is the log in which a device finds its Welcomes.
func Inbox(d DeviceID) LogID {
	h := sha256.Sum256(append([]byte("sconce inbox 1\x00"), d[:]...))
	return LogID(h[:16])
}

// CreateRoom makes a room whose MLS group has one member, the caller. A direct
// room is unique for its two people, a self room for its one: if there is one
// already, the answer names it and Created is false. A repeat gets the first
// answer.
var CreateRoom = Endpoint[CreateRoomRequest, CreateRoomResponse]{Name: "room/create"}

type CreateRoomRequest struct {
	Room      LogID   `cbor:"1,keyasint"` // random
	Kind      uint8   `cbor:"2,keyasint"` // room.Kind
	Peer      *UserID `cbor:"3,keyasint,omitempty"`
	GroupInfo []byte  `cbor:"4,keyasint"`
	Tree      []byte  `cbor:"5,keyasint"`
}

type CreateRoomResponse struct {
	Room    LogID `cbor:"1,keyasint"`
	Created bool  `cbor:"2,keyasint"`
}

// Rooms lists the rooms in which the caller's device has a window, and those
// in which the caller participates and the device is not in yet.
var Rooms = Endpoint[RoomsRequest, RoomsResponse]{Name: "rooms"}

type RoomsRequest struct {
	After LogID `cbor:"1,keyasint,omitempty"` // cursor: the last room of the page before
}

type RoomsResponse struct {
	Rooms []RoomStatus `cbor:"1,keyasint"`
	More  bool         `cbor:"2,keyasint,omitempty"`
}

type RoomStatus struct {
	Room       LogID  `cbor:"1,keyasint"`
	Kind       uint8  `cbor:"2,keyasint"`
	Generation uint32 `cbor:"3,keyasint,omitempty"`
	Epoch      uint64 `cbor:"4,keyasint"`
	Member     bool   `cbor:"5,keyasint"` // the device has a leaf
	From       uint64 `cbor:"6,keyasint"` // window: first place it may read
	Last       uint64 `cbor:"7,keyasint"` // and the last
	Cursor     uint64 `cbor:"8,keyasint"` // acknowledged
	Before     Hash   `cbor:"9,keyasint"` // the log's running hash just before From
}

// ReadGroupInfo gives a participant's device what an external commit needs. A
// large tree comes in parts: whoever has less than TreeSize bytes asks for the
// rest, and begins again where another GroupInfo comes with it.
var ReadGroupInfo = Endpoint[ReadGroupInfoRequest, ReadGroupInfoResponse]{Name: "room/groupinfo"}

type ReadGroupInfoRequest struct {
	Room LogID  `cbor:"1,keyasint"`
	From uint64 `cbor:"2,keyasint,omitempty"` // the first byte of the tree to give
}

type ReadGroupInfoResponse struct {
	Kind       uint8    `cbor:"1,keyasint"`
	Generation uint32   `cbor:"2,keyasint,omitempty"`
	GroupInfo  []byte   `cbor:"3,keyasint"`
	Tree       []byte   `cbor:"4,keyasint"`
	Pending    [][]byte `cbor:"5,keyasint,omitempty"` // proposals that a commit must take in
	Seq        uint64   `cbor:"6,keyasint"`           // the log's end
	Hash       Hash     `cbor:"7,keyasint"`           // and its running hash
	TreeSize   uint64   `cbor:"8,keyasint"`           // bytes of the whole tree
}

// ReadTree gives a ratchet tree by its SHA-256, to devices that a Welcome sent
// to it. A large one comes in parts, as with [ReadGroupInfo].
var ReadTree = Endpoint[ReadTreeRequest, ReadTreeResponse]{Name: "room/tree"}

type ReadTreeRequest struct {
	Tree Hash   `cbor:"1,keyasint"`
	From uint64 `cbor:"2,keyasint,omitempty"`
}

type ReadTreeResponse struct {
	Tree     []byte `cbor:"1,keyasint"`
	TreeSize uint64 `cbor:"2,keyasint"`
}
