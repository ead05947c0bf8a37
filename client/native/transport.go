package native

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"sconce/client"
	"sconce/client/wire"
)

// Transport is a [client.Transport] over HTTP and WebSocket. Begin with [Dial].
// Of how it works and which errors it gives, see [wire.Transport].
type Transport struct {
	*wire.Transport
	carrier *carrier
}

var _ client.Transport = (*Transport)(nil)

// UnreachableError means that the network or the server failed, not the call.
type UnreachableError = wire.UnreachableError

// Close drops the connections that wait for another call. Streams end with
// their context.
func (t *Transport) Close() { t.carrier.transport.CloseIdleConnections() }

// carrier is a [wire.Carrier] over net/http.
type carrier struct {
	server    string // "https://host"
	transport *http.Transport
	http      *http.Client
}

var _ wire.Carrier = (*carrier)(nil)

// Post implements wire.Carrier.
func (c *carrier) Post(ctx context.Context, path string, token, body []byte, limit int) (*wire.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/cbor")
	req.Header.Set("User-Agent", "sconce") // and no version: it would tell devices apart
	if token != nil {
		req.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString(token))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, plain(err)
	}
	return &wire.Answer{Status: resp.StatusCode, Text: resp.Status, Body: answer}, nil
}

// Dial implements wire.Carrier.
func (c *carrier) Dial(ctx context.Context, path string) (wire.Conn, error) {
	conn, resp, err := websocket.Dial(ctx, c.server+path, &websocket.DialOptions{
		HTTPClient: c.http,
		HTTPHeader: map[string][]string{"User-Agent": {"sconce"}},
	})
	if err == nil {
		conn.SetReadLimit(wire.MaxFrame)
		return (*socket)(conn), nil
	}
	if resp != nil && resp.StatusCode != 0 && ctx.Err() == nil {
		answer, _ := io.ReadAll(resp.Body) // at most 1 KiB, and in memory already
		return nil, &wire.RefusedError{Answer: &wire.Answer{Status: resp.StatusCode, Text: resp.Status, Body: answer}}
	}
	return nil, plain(err)
}

// socket is a [wire.Conn].
type socket websocket.Conn

func (s *socket) conn() *websocket.Conn { return (*websocket.Conn)(s) }

// Read implements wire.Conn.
func (s *socket) Read(ctx context.Context) ([]byte, error) {
	kind, b, err := s.conn().Read(ctx)
	if err != nil {
		return nil, closeReason(err)
	}
	if kind != websocket.MessageBinary {
		return nil, errors.New("it sends text where frames are binary")
	}
	return b, nil
}

// Write implements wire.Conn.
func (s *socket) Write(ctx context.Context, message []byte) error {
	if err := s.conn().Write(ctx, websocket.MessageBinary, message); err != nil {
		return plain(err)
	}
	return nil
}

// Ping implements wire.Conn.
func (s *socket) Ping(ctx context.Context) error {
	if err := s.conn().Ping(ctx); err != nil {
		return plain(err)
	}
	return nil
}

// Close implements wire.Conn.
func (s *socket) Close() { _ = s.conn().CloseNow() }

// closeReason puts the server's own words first.
func closeReason(err error) error {
	if bye, ok := errors.AsType[websocket.CloseError](err); ok && bye.Reason != "" {
		return &wire.GoodbyeError{Reason: bye.Reason}
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the connection broke")
	}
	return plain(err)
}
