// Package api is the contract between client and server: every endpoint, its
// request and its response, and the stream's frames. It has no behaviour but
// encoding.
//
// A request is POST /v1/NAME with a CBOR body and, where the endpoint asks for
// it, the header "Authorization: Bearer TOKEN" (see [Login]). Ids travel in
// bodies, never in URLs, since URLs end up in access logs. The answer is CBOR:
// the response with status 200, or an [Error] with the status of its code.
// The same calls travel over the stream ([StreamPath]) as [Frame]s; there the
// device is logged in once.
//
// All bytes and arrays are binary; times are Unix milliseconds of the server's
// clock. Unknown fields are ignored, so that a field can be added; a field is
// never reused.
package api

// Version counts incompatible changes of the contract.
//
//	1  the first
const Version = 1

// Limits that both sides keep.
const (
	MaxBody        = 8 << 20  // a request or response body
	MaxMessage     = 4 << 20  // one MLS message in a log
	MaxBatch       = 500      // items in any list of a request
	MaxReadBytes   = 1 << 20  // of messages in one Read, but for a first message that is larger
	MaxTree        = 64 << 20 // a ratchet tree, which is read in parts
	MaxTreePart    = 4 << 20  // of it in one answer
	MaxName        = 128      // bytes of a person's name
	KeyPackageGoal = 50       // key packages a device keeps on the server
	KeyPackageLow  = 20       // refill below this
)

type (
	// UserID, DeviceID and Hash are identity's; plain arrays here, because a
	// contract depends on nothing.
	UserID   = [32]byte
	DeviceID = [32]byte
	Hash     = [32]byte
	// LogID names a room's log or a device's inbox.
	LogID = [16]byte
	// AppendID is chosen at random by the sender, and survives re-encryption:
	// a repeated append gets the first answer.
	AppendID = [16]byte
)
