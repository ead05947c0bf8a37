package native

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sync"

	"sconce/api"
	"sconce/client"
)

// Transport is a [client.Transport] over HTTP and WebSocket. Begin with [Dial].
// A call travels over the stream while one is open and logged in with the call's
// token, otherwise as a POST of its own. Nothing is tried twice: what may be
// repeated, the client knows better.
//
// An error that is neither the server's nor the context's is an
// *[UnreachableError], or says that what answers is no server of ours.
type Transport struct {
	server  string
	host    string
	carrier *http.Transport
	http    *http.Client

	mu   sync.Mutex
	live *socket // the newest stream that is logged in; nil: none
}

var _ client.Transport = (*Transport)(nil)

// Close drops the connections that wait for another call. Streams end with
// their context.
func (t *Transport) Close() { t.carrier.CloseIdleConnections() }

// Call implements client.Transport. A body over the limit is refused here, with
// the error that the server would have given.
func (t *Transport) Call(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	if len(body) > api.MaxBody {
		return nil, api.Errorf(api.TooLarge, "%s has %d bytes to send; the limit is %d", name, len(body), api.MaxBody)
	}
	if s := t.stream(token); s != nil {
		return s.call(ctx, name, body)
	}
	return t.post(ctx, name, token, body)
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

func (t *Transport) post(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	endpoint := api.Endpoint[api.Empty, api.Empty]{Name: name}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.server+endpoint.Path(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", name, err)
	}
	req.Header.Set("Content-Type", "application/cbor")
	req.Header.Set("User-Agent", "sconce") // and no version: it would tell devices apart
	if token != nil {
		req.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString(token))
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, t.broken(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, api.MaxBody+1))
	if err != nil {
		return nil, t.broken(ctx, err)
	}
	if len(answer) > api.MaxBody {
		return nil, fmt.Errorf("the server at %s answers %s with more than the %d bytes that are allowed", t.host, name, api.MaxBody)
	}
	if resp.StatusCode == http.StatusOK {
		return answer, nil
	}
	return nil, t.refusal(resp, answer)
}

// refusal reads the error in an answer. What is not from a server of ours is
// from a proxy before it, or there is no such server.
func (t *Transport) refusal(resp *http.Response, answer []byte) error {
	refused := new(api.Error)
	if err := api.Unmarshal(answer, refused); err == nil && refused.Code != "" {
		return refused
	}
	switch {
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return &UnreachableError{Host: t.host, Err: fmt.Errorf("it answers %q", resp.Status)}
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		return api.Errorf(api.TooLarge, "a proxy before the server at %s does not let a message of this size pass", t.host)
	}
	return fmt.Errorf("what answers at %s is not a Sconce server (it says %q)", t.host, resp.Status)
}

// broken tells the caller's own end from the network's.
func (t *Transport) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &UnreachableError{Host: t.host, Err: err}
}
