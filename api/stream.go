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
}
