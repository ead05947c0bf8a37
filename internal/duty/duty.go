// Package duty is what the server's duties share: who is calling, how a call
// reaches its handler, what time it is, and how often somebody may call. A duty
// registers its endpoints with [Handle]; HTTP and the stream both dispatch
// through the one [Registry].
package duty

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"sconce/api"
	"sconce/internal/sqldb"
)

// Caller is who makes a call. On open endpoints User and Device are zero.
type Caller struct {
	User   api.UserID
	Device api.DeviceID
	Remote netip.Addr // for limits; never logged or stored
}

// Known reports whether the caller is logged in.
func (c Caller) Known() bool { return c.Device != api.DeviceID{} }

// Clock gives the server's time. Tests set it.
type Clock func() time.Time

// Millis is the clock's time in Unix milliseconds.
func (c Clock) Millis() int64 { return c().UnixMilli() }

// Registry holds every endpoint of the server. It is filled before the server
// starts, and read by many goroutines after.
type Registry struct {
	calls map[string]call
	log   *slog.Logger
}

type call struct {
	open  bool
	run   func(ctx context.Context, c Caller, body []byte) (any, error)
	begin func(ctx context.Context, c Caller, body []byte, done func(any, error)) // nil: there is only run
}

// NewRegistry gives an empty registry. Bugs that handlers meet go to log.
func NewRegistry(log *slog.Logger) *Registry {
	return &Registry{calls: map[string]call{}, log: log}
}

// Handle makes fn answer e. An error of fn that is not an [api.Error] is the
// server's bug: it is logged, and the caller reads "internal error".
func Handle[Req, Resp any](r *Registry, e api.Endpoint[Req, Resp], fn func(context.Context, Caller, *Req) (*Resp, error)) {
	if _, ok := r.calls[e.Name]; ok {
		panic("duty: endpoint registered twice: " + e.Name) // a wiring mistake, met at every start
	}
	r.calls[e.Name] = call{open: e.Open, run: func(ctx context.Context, c Caller, body []byte) (any, error) {
		req, err := decode[Req](body)
		if err != nil {
			return nil, err
		}
		return fn(ctx, c, req)
	}}
}

// HandleSoon is for endpoints that are called very often, beside [Handle]: begin
// starts the call and returns at once, or nearly so, and the answer goes to done,
// once, from wherever it comes to be known. done does not wait. So nobody waits for
// an answer but who asked.
func HandleSoon[Req, Resp any](r *Registry, e api.Endpoint[Req, Resp], begin func(context.Context, Caller, *Req, func(*Resp, error))) {
	h := r.calls[e.Name]
	h.begin = func(ctx context.Context, c Caller, body []byte, done func(any, error)) {
		req, err := decode[Req](body)
		if err != nil {
			done(nil, err)
			return
		}
		begin(ctx, c, req, func(resp *Resp, err error) { done(resp, err) })
	}
	r.calls[e.Name] = h
}

func decode[Req any](body []byte) (*Req, error) {
	req := new(Req)
	if len(body) == 0 { // no body says as little as an empty one
		return req, nil
	}
	return req, api.Unmarshal(body, req)
}

// Names lists the endpoints, in order.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.calls)) }

// Call runs the endpoint called name and gives the encoded response. Its error
// is always an [api.Error].
func (r *Registry) Call(ctx context.Context, c Caller, name string, body []byte) ([]byte, *api.Error) {
	h, refused := r.admit(c, name, body)
	if refused != nil {
		return nil, refused
	}
	resp, err := run(ctx, h, c, body)
	return r.conclude(ctx, name, resp, err)
}

// Begin is Call for endpoints of [HandleSoon]: done gets what Call would return.
// It is false, and nothing is done, for others.
func (r *Registry) Begin(ctx context.Context, c Caller, name string, body []byte, done func([]byte, *api.Error)) bool {
	if r.calls[name].begin == nil {
		return false
	}
	h, refused := r.admit(c, name, body)
	if refused != nil {
		done(nil, refused)
		return true
	}
	var answered atomic.Bool
	conclude := func(resp any, err error) {
		if !answered.Swap(true) {
			done(r.conclude(ctx, name, resp, err))
		}
	}
	defer func() {
		if p := recover(); p != nil {
			conclude(nil, Caught(p))
		}
	}()
	h.begin(ctx, c, body, conclude)
	return true
}

func (r *Registry) admit(c Caller, name string, body []byte) (call, *api.Error) {
	h, ok := r.calls[name]
	switch {
	case !ok:
		return h, api.Errorf(api.NotFound, "no endpoint %.40q", name)
	case len(body) > api.MaxBody:
		return h, api.Errorf(api.TooLarge, "the request has %d bytes; the limit is %d", len(body), api.MaxBody)
	case !h.open && !c.Known():
		return h, api.Errorf(api.Unauthenticated, "log in first")
	}
	return h, nil
}

func (r *Registry) conclude(ctx context.Context, name string, resp any, err error) ([]byte, *api.Error) {
	if err != nil {
		return nil, r.Explain(ctx, name, err)
	}
	b, err := api.Marshal(resp)
	if err != nil {
		return nil, r.Explain(ctx, name, fmt.Errorf("encoding response: %w", err))
	}
	return b, nil
}

// run keeps a bug in one handler from ending the calls of everyone else.
func run(ctx context.Context, h call, c Caller, body []byte) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Caught(p)
		}
	}()
	return h.run(ctx, c, body)
}

// Explain turns an error into what a caller may know of it, and logs the rest.
// name is the endpoint, or what else failed.
func (r *Registry) Explain(ctx context.Context, name string, err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		return api.Errorf(api.Unavailable, "the call was given up")
	}
	if sqldb.IsUnavailable(err) {
		r.log.WarnContext(ctx, "database unavailable", "endpoint", name, "err", err)
		return unavailable(err)
	}
	r.log.ErrorContext(ctx, "call failed", "endpoint", name, "err", err)
	return api.Errorf(api.Internal, "internal error")
}

func unavailable(err error) *api.Error {
	e := api.Errorf(api.Unavailable, "the server cannot reach its storage at the moment: try again soon")
	if sqldb.IsFull(err) {
		e.Message = "the server's disk is full: it can read but not store until its operator makes room"
	}
	e.RetryAfter = retryUnavailable.Milliseconds()
	return e
}

// retryUnavailable is when to ask again after the storage failed.
const retryUnavailable = 5 * time.Second
