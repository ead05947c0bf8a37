package bridge

import (
	"context"
	"errors"
	"fmt"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
)

// Code tells programs why a call failed. Besides these, a code is one of package
// api, when it was the server that refused.
type Code string

const (
	UnknownMethod Code = "unknown_method"   // there is no such call
	Params        Code = "params"           // what the call got is not what it takes
	TooLong       Code = "too_long"         // a line is over the limit
	Offline       Code = "offline"          // the server can't be reached; what was queued goes out later
	Canceled      Code = "canceled"         // the caller or the client ended before the call did
	Removed       Code = "removed"          // this device is no longer one of its person's
	Locked        Code = "locked"           // there is no client yet, or no more: join, link, recover or unlock
	WrongKey      Code = "wrong_passphrase" // the passphrase or passkey does not open what is stored here
	WrongLinkCode Code = "wrong_link_code"  // what was given is no linking code: it was mistyped, or a part of it is missing
	WrongRecovery Code = "wrong_recovery"   // what was given is no recovery key: it was mistyped, or a part of it is missing
	Unfinished    Code = "unfinished"       // joining, linking or recovering was begun here: do the same again
	Exists        Code = "exists"           // there is a device here already
	Busy          Code = "busy"             // another program uses what is stored here
	Full          Code = "full"             // there is no more space here: nothing was done, and all goes on by itself when there is
	Failed        Code = "failed"           // anything else; the message says what
)

// Error is why a call failed: a code for programs, a message for people.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// errorOf gives an error of the client its code. A transport's error that has a
// method Unreachable which reports true is of the network; what the client was
// about then matters to nobody.
func errorOf(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if refused, ok := errors.AsType[*api.Error](err); ok {
		return &Error{Code: Code(refused.Code), Message: err.Error()}
	}
	if network, ok := errors.AsType[interface {
		error
		Unreachable() bool
	}](err); ok && network.Unreachable() {
		return &Error{Code: Offline, Message: network.Error()}
	}
	switch {
	case errors.Is(err, client.ErrFull):
		return Errorf(Full, "there is no more space for what is to be kept here: free some, and it goes on by itself")
	case errors.Is(err, client.ErrPassphrase):
		return &Error{Code: WrongKey, Message: client.ErrPassphrase.Error()}
	case errors.Is(err, identity.ErrLinkCode):
		return &Error{Code: WrongLinkCode, Message: err.Error()}
	case errors.Is(err, identity.ErrRecoveryKey):
		return &Error{Code: WrongRecovery, Message: err.Error()}
	case errors.Is(err, client.ErrUnfinished), errors.Is(err, client.ErrNoDevice):
		return Errorf(Unfinished, "joining was begun here and not finished: do the same again")
	case errors.Is(err, client.ErrTaken), errors.Is(err, client.ErrVaultExists):
		return Errorf(Exists, "there is a device here already")
	case errors.Is(err, client.ErrBusy):
		return &Error{Code: Busy, Message: err.Error()}
	case errors.Is(err, client.ErrRolledBack):
		return Errorf(Failed, "what is stored here was restored from a copy, or a part of it is lost, so its keys can't be used again: forget it, and link this device anew")
	case errors.Is(err, client.ErrRemoved):
		return &Error{Code: Removed, Message: client.ErrRemoved.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return Errorf(Offline, "the server did not answer in time")
	case errors.Is(err, context.Canceled):
		return Errorf(Canceled, "it was interrupted")
	}
	return &Error{Code: Failed, Message: err.Error()}
}
