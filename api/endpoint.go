package api

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Endpoint is one call. Req and Resp are its body types.
type Endpoint[Req, Resp any] struct {
	Name string
	Open bool // needs no login
}

// Path is where the endpoint listens.
func (e Endpoint[Req, Resp]) Path() string { return "/v1/" + e.Name }

// Empty is a body that says nothing.
type Empty struct{}

var (
	encoding = func() cbor.EncMode {
		m, err := cbor.CoreDetEncOptions().EncMode()
		if err != nil {
			panic(err) // constant options
		}
		return m
	}()
	decoding = func() cbor.DecMode {
		m, err := cbor.DecOptions{
			DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
			MaxNestedLevels: 8, MaxArrayElements: 1 << 16, MaxMapPairs: 1 << 10,
			TagsMd: cbor.TagsForbidden,
		}.DecMode()
		if err != nil {
			panic(err) // constant options
		}
		return m
	}()
)

// Marshal encodes a body or frame.
func Marshal(v any) ([]byte, error) {
	if b, ok := marshalPlain(v); ok {
		return b, nil
	}
	return encoding.Marshal(v)
}

// Unmarshal decodes a body or frame, all of b. What it gives may alias nothing
// of b. Its error is an [Error] with code [Invalid].
func Unmarshal(b []byte, v any) error {
	if err := decoding.Unmarshal(b, v); err != nil {
		return Errorf(Invalid, "body is not what this endpoint takes: %v", err)
	}
	return nil
}

// Code tells programs what went wrong.
type Code string

const (
	Invalid         Code = "invalid"         // the request breaks a rule; sending it again will not help
	Unauthenticated Code = "unauthenticated" // no valid login
	Forbidden       Code = "forbidden"       // logged in, but may not do this
	NotFound        Code = "not_found"       // there is no such thing, or not for you
	Conflict        Code = "conflict"        // somebody was first
	Stale           Code = "stale"           // made for an earlier epoch, or while a proposal waits: sync, then make it anew
	TooLarge        Code = "too_large"       // over a limit on size or number
	RateLimited     Code = "rate_limited"    // too many; try again after RetryAfter
	Unavailable     Code = "unavailable"     // the server can't do this at the moment, such as when its disk is full
	Internal        Code = "internal"        // a bug of the server's; details are in its log
)

var status = map[Code]int{Invalid: 400, Unauthenticated: 401, Forbidden: 403, NotFound: 404, Conflict: 409,
	Stale: 412, TooLarge: 413, RateLimited: 429, Internal: 500, Unavailable: 503}

// Status is the HTTP status that goes with the code.
func (c Code) Status() int {
	if s, ok := status[c]; ok {
		return s
	}
	return 500
}

// Error is what a failed call answers: a code for programs, a message for people.
type Error struct {
	Code       Code   `cbor:"1,keyasint"`
	Message    string `cbor:"2,keyasint"`
	RetryAfter int64  `cbor:"3,keyasint,omitempty"` // milliseconds, with RateLimited and Unavailable
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}
