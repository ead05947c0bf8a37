// Package wire is how a client's calls and pushes travel to the server, whatever
// carries them: calls as requests of their own or over the device's stream, and
// the stream over a WebSocket, or by polling where none comes about. A platform brings a [Carrier], which knows how
// requests and sockets are made there; [New] makes a [client.Transport] of it.
package wire

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"

	"sconce/api"
	"sconce/client"
)

// Carrier is what a platform must bring. Its methods may be called from several
// goroutines. An error that is not the context's is the network's, in words for
// people; the caller adds whom it was about.
type Carrier interface {
	// Post makes one HTTP request, "POST path" with a body of CBOR and, unless
	// token is nil, "Authorization: Bearer" and the token in base64url. It follows
	// no redirect. An answer of any status is no error; where its body has more
	// than limit bytes, limit+1 of them are enough.
	Post(ctx context.Context, path string, token, body []byte, limit int) (*Answer, error)

	// Dial opens the WebSocket at path. What answers with HTTP instead is a
	// *[RefusedError], where the platform tells.
	Dial(ctx context.Context, path string) (Conn, error)
}

// Answer is what came back for a request.
type Answer struct {
	Status int
	Text   string // of the status, as in "404 Not Found"
	Body   []byte
}

// Conn is an open WebSocket: whole binary messages, in order, none longer than
// [MaxFrame]. One goroutine reads, one writes, and any closes. A context that
// ends in the middle may end the connection.
type Conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, message []byte) error
	// Ping finds out whether the other end is still there, or is
	// [errors.ErrUnsupported] where the platform doesn't let.
	Ping(ctx context.Context) error
	Close()
}

// MaxFrame is the longest message that a Conn must let through: a body, and what
// a frame adds to it.
const MaxFrame = api.MaxBody + frameRoom

// RefusedError is an answer in HTTP to what should have become a WebSocket.
type RefusedError struct{ Answer *Answer }

func (e *RefusedError) Error() string { return fmt.Sprintf("it answers %q", e.Answer.Text) }

// GoodbyeError is how the server closed a stream, in its words.
type GoodbyeError struct{ Reason string }

func (e *GoodbyeError) Error() string { return "it closed the stream: " + e.Reason }

// UnreachableError means that the network or the server failed, not the call: it
// may have been carried out or not, and can be made again later.
type UnreachableError struct {
	Host string
	Err  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the server at %s can't be reached: %s", e.Host, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Unreachable reports true. Callers that must not depend on this package find
// out by it.
func (e *UnreachableError) Unreachable() bool { return true }

// Transport is a [client.Transport] over a [Carrier]. A call travels over the
// stream while one is open and logged in with the call's token, otherwise as a
// request of its own. Nothing is tried twice: what may be repeated, the client
// knows better.
//
// An error that is neither the server's nor the context's is an
// *[UnreachableError], or says that what answers is no server of ours.
type Transport struct {
	host    string
	carrier Carrier

	mu   sync.Mutex
	live *socket // the newest stream that is logged in; nil: none
	rest rest    // of the socket, where it does not work
}

var _ client.Transport = (*Transport)(nil)

// New makes the transport to a host, which is only named in errors.
func New(host string, c Carrier) *Transport { return &Transport{host: host, carrier: c} }

// Call implements client.Transport. A body over the limit is refused here, with
// the error that the server would have given.
func (t *Transport) Call(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	if len(body) > api.MaxBody {
		return nil, api.Errorf(api.TooLarge, "%s has %d bytes to send; the limit is %d", name, len(body), api.MaxBody)
	}
	if s := t.stream(token); s != nil {
		return s.call(ctx, name, body)
	}
	return t.post(ctx, name, token, body, api.MaxBody)
}

// stream gives the stream that a call with this token may use.
func (t *Transport) stream(token []byte) *socket {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == nil || token == nil || subtle.ConstantTimeCompare(t.live.token, token) == 0 {
		return nil
	}
	return t.live
}

func (t *Transport) setLive(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live = s
}

// dropLive forgets s, unless another stream took its place.
func (t *Transport) dropLive(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == s {
		t.live = nil
	}
}

func (t *Transport) post(ctx context.Context, name string, token, body []byte, limit int) ([]byte, error) {
	endpoint := api.Endpoint[api.Empty, api.Empty]{Name: name}
	// A server that gives its answer byte by byte would hold up all that waits for
	// this call.
	ctx, cancel := context.WithTimeoutCause(ctx, postTimeout, &UnreachableError{Host: t.host, Err: errLate})
	defer cancel()
	answer, err := t.carrier.Post(ctx, endpoint.Path(), token, body, limit)
	if err != nil {
		return nil, t.broken(ctx, err)
	}
	if len(answer.Body) > limit {
		return nil, fmt.Errorf("the server at %s answers %s with more than the %d bytes that are allowed", t.host, name, limit)
	}
	if answer.Status == 200 {
		return answer.Body, nil
	}
	return nil, t.refusal(answer)
}

// refusal reads the error in an answer. What is not from a server of ours is
// from a proxy before it, or there is no such server.
func (t *Transport) refusal(a *Answer) error {
	refused := new(api.Error)
	if err := api.Unmarshal(a.Body, refused); err == nil && refused.Code != "" {
		return refused
	}
	switch {
	case a.Status >= 500, a.Status == 429, a.Status == 408:
		return &UnreachableError{Host: t.host, Err: &RefusedError{a}}
	case a.Status == 413:
		return api.Errorf(api.TooLarge, "a proxy before the server at %s does not let a message of this size pass", t.host)
	}
	return fmt.Errorf("what answers at %s is not a Sconce server (it says %q)", t.host, a.Text)
}

// broken tells the caller's own end from the network's.
func (t *Transport) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &UnreachableError{Host: t.host, Err: err}
}

// errLate is the error of what the server does not answer.
var errLate = lateError{}

type lateError struct{}

func (lateError) Error() string        { return "it did not answer in time" }
func (lateError) Is(target error) bool { return errors.Is(context.DeadlineExceeded, target) }
