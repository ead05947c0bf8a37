package client

import (
	"context"
	"errors"

	"sconce/api"
)

// Transport carries calls to the server. Its implementations know nothing of
// what they carry.
type Transport interface {
	// Call makes one call with a CBOR body and gives the CBOR answer. An error
	// that is an [*api.Error] is the server's; after any other the call may have
	// been carried out or not. token is nil for open endpoints.
	Call(ctx context.Context, name string, token, body []byte) ([]byte, error)

	// Stream opens the device's stream, and hands over what is pushed, in order,
	// from one goroutine, until the stream breaks or ctx ends. It returns why.
	// ready is called once the stream is logged in.
	Stream(ctx context.Context, token []byte, ready func(), push func(*api.Push)) error
}

// networkError is a call that got no answer: it may have been carried out or not.
type networkError struct{ err error }

func (e *networkError) Error() string { return e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// call makes a typed call.
func call[Req, Resp any](ctx context.Context, t Transport, e api.Endpoint[Req, Resp], token []byte, req *Req) (*Resp, error) {
	resp := new(Resp)
	if err := carry(ctx, t, e.Name, token, req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// carry makes a call of what is req, and reads the answer into resp. It knows no
// types, of which there are two for each endpoint: a browser downloads it once.
func carry(ctx context.Context, t Transport, name string, token []byte, req, resp any) error {
	body, err := api.Marshal(req)
	if err != nil {
		return err
	}
	answer, err := t.Call(ctx, name, token, body)
	if _, ok := errors.AsType[*api.Error](err); err != nil && !ok {
		return &networkError{err}
	}
	if err != nil {
		return err
	}
	return api.Unmarshal(answer, resp)
}
