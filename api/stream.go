package api

import "github.com/fxamacker/cbor/v2"

// StreamPath is the WebSocket of a device: binary messages, each one [Frame].
// The first frame of a client is a call to [Authenticate]. The stream is a hint
// with data: what it pushes is also in the logs, the cursor is the truth, and a
// slow consumer loses pushes, never entries.
const StreamPath = "/v1/stream"

// Authenticate logs a stream in with a token of [Login].
var Authenticate = Endpoint[AuthenticateRequest, Empty]{Name: "authenticate", Open: true}

type AuthenticateRequest struct {
	Token []byte `cbor:"1,keyasint"`
}

// Frame is one message of the stream: a call (Call and Name set), the answer
// to one (Call set), or a push (Push set).
type Frame struct {
	Call  uint64          `cbor:"1,keyasint,omitempty"` // chosen by the client, from 1
	Name  string          `cbor:"2,keyasint,omitempty"` // of the endpoint
	Body  cbor.RawMessage `cbor:"3,keyasint,omitempty"` // request or response
	Error *Error          `cbor:"4,keyasint,omitempty"`
	Push  *Push           `cbor:"5,keyasint,omitempty"`
}

// Push brings entries as they are appended. Without entries it says only that
// the log goes on to Last: read it.
type Push struct {
	Log     LogID   `cbor:"1,keyasint"`
	Entries []Entry `cbor:"2,keyasint,omitempty"`
	Last    uint64  `cbor:"3,keyasint"`
	// Signal is what a device passed on by [Signal], From that device. There are
	// no entries then.
	Signal []byte   `cbor:"4,keyasint,omitempty"`
	From   DeviceID `cbor:"5,keyasint,omitzero"`
}

// Signal passes a few bytes on to the devices that are connected in a room at
// this moment. They are stored nowhere, and nobody learns whether they arrived.
// In rooms of more than [MaxSignaled] devices they are refused.
var Signal = Endpoint[SignalRequest, Empty]{Name: "signal"}

type SignalRequest struct {
	Room    LogID  `cbor:"1,keyasint"`
	Message []byte `cbor:"2,keyasint"` // at most [MaxSignal] bytes, encrypted by the group's members
}

const (
	MaxSignal   = 512 // bytes of a signal
	MaxSignaled = 256 // devices that one goes to
)

// Poll is the stream where no WebSocket passes: a device asks for what is pushed,
// and the answer comes when there is something, or after [PollWait]. Its calls
// go as requests of their own. A device has one session at a time; a new one
// ends the one before.
//
// The first request has no session, and its answer, which comes at once, names
// the new one: pushes are kept from then on. Each later request says which
// answer came last, so that an answer which was lost on the way is given again
// and none is given twice. The answer to a session that has ended is
// [NotFound]: begin anew and read by cursor.
var Poll = Endpoint[PollRequest, PollResponse]{Name: "poll"}

// PollWait is how long the server lets a device wait for an answer, in
// milliseconds. Proxies cut what is silent for longer.
const PollWait = 25_000

type PollRequest struct {
	Session []byte `cbor:"1,keyasint,omitempty"`
	Seen    uint64 `cbor:"2,keyasint,omitempty"` // Answer of the last response that came
}

type PollResponse struct {
	Session []byte   `cbor:"1,keyasint"`
	Answer  uint64   `cbor:"2,keyasint"`           // counts the answers of the session
	Frames  [][]byte `cbor:"3,keyasint,omitempty"` // encoded Frames, each a push, in order
}
