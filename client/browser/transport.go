//go:build js && wasm

package browser

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"sync"
	"syscall/js"
	"time"

	"sconce/client/wire"
)

// Dial makes the transport to the server that the page came from; the browser
// lets the page reach no other. It sends nothing yet.
func (h *Host) Dial() *wire.Transport {
	origin := h.Origin()
	_, host, _ := strings.Cut(origin, "://")
	return wire.New(host, carrier{origin})
}

// carrier is a [wire.Carrier] over the browser's fetch and WebSocket.
type carrier struct{ origin string }

var _ wire.Carrier = carrier{}

// errBroke is all that a browser tells of a network that failed.
var errBroke = errors.New("the network doesn't let through, or the server is down")

// Post implements wire.Carrier.
func (c carrier) Post(ctx context.Context, path string, token, body []byte, limit int) (*wire.Answer, error) {
	abort := js.Global().Get("AbortController").New()
	// Whatever happens, nothing goes on behind the caller's back; what has ended
	// already does not mind.
	defer abort.Call("abort")
	headers := map[string]any{"Content-Type": "application/cbor"}
	if token != nil {
		headers["Authorization"] = "Bearer " + base64.RawURLEncoding.EncodeToString(token)
	}
	resp, err := c.wait(ctx, func() js.Value {
		return js.Global().Call("fetch", c.origin+path, map[string]any{
			"method": "POST", "headers": headers, "body": toJS(body), "signal": abort.Get("signal"),
			"mode": "same-origin", "credentials": "omit", "cache": "no-store", "referrerPolicy": "no-referrer",
			"redirect": "error", // whoever redirects a call would get its token: nobody may
		})
	})
	if err != nil {
		return nil, err
	}
	answer := &wire.Answer{Status: resp.Get("status").Int()}
	answer.Text = strings.TrimSpace(strconv.Itoa(answer.Status) + " " + resp.Get("statusText").String())
	answer.Body, err = c.readBody(ctx, resp.Get("body"), limit)
	return answer, err
}

// readBody reads until the limit is passed and no further.
func (c carrier) readBody(ctx context.Context, stream js.Value, limit int) ([]byte, error) {
	if stream.IsNull() {
		return nil, nil
	}
	reader := stream.Call("getReader")
	var body []byte
	for len(body) <= limit {
		part, err := c.wait(ctx, func() js.Value { return reader.Call("read") })
		if err != nil {
			return nil, err
		}
		if part.Get("done").Bool() {
			return body, nil
		}
		chunk := part.Get("value")
		have := len(body)
		body = append(body, make([]byte, chunk.Length())...)
		js.CopyBytesToGo(body[have:], chunk)
	}
	return body, nil
}

// wait waits for a promise of the network's.
func (carrier) wait(ctx context.Context, call func() js.Value) (js.Value, error) {
	promise, err := try(call)
	if err == nil {
		promise, err = await(ctx, promise)
	}
	if err != nil && ctx.Err() == nil {
		err = errBroke // what the browser says is for its developers
	}
	return promise, err
}

// Dial implements wire.Carrier.
func (c carrier) Dial(ctx context.Context, path string) (wire.Conn, error) {
	ws, err := try(func() js.Value {
		return js.Global().Get("WebSocket").New("ws" + strings.TrimPrefix(c.origin, "http") + path)
	})
	if err != nil {
		return nil, err
	}
	s := newSocket(ws)
	select {
	case <-s.opened:
		return s, nil
	case <-s.ended:
		s.Close()
		return nil, s.err
	case <-ctx.Done():
		s.Close()
		return nil, context.Cause(ctx)
	}
}

// socket is a [wire.Conn]. The browser's events fill inbox; there is no way to
// hold them up, so a server that sends faster than frames are taken is hung up
// on.
type socket struct {
	ws     js.Value
	funcs  []js.Func
	opened chan struct{}
	ended  chan struct{} // closed after err is set
	wake   chan struct{} // holds one token while inbox may hold something

	mu     sync.Mutex
	inbox  [][]byte
	size   int // of inbox
	err    error
	closed bool
}

// maxInbox bounds what waits for Read: frames are taken at once, so only a
// server that means harm fills it.
const maxInbox = 4 * wire.MaxFrame

func newSocket(ws js.Value) *socket {
	s := &socket{ws: ws, opened: make(chan struct{}), ended: make(chan struct{}), wake: make(chan struct{}, 1)}
	ws.Set("binaryType", "arraybuffer")
	s.on("onopen", func(js.Value) { close(s.opened) })
	s.on("onmessage", func(e js.Value) { s.take(e.Get("data")) })
	s.on("onclose", func(e js.Value) {
		if reason := e.Get("reason").String(); reason != "" {
			s.end(&wire.GoodbyeError{Reason: reason})
		}
		s.end(errBroke)
	})
	return s
}

func (s *socket) on(event string, fn func(js.Value)) {
	f := js.FuncOf(func(_ js.Value, args []js.Value) any { fn(args[0]); return nil })
	s.funcs = append(s.funcs, f)
	s.ws.Set(event, f)
}

func (s *socket) take(data js.Value) {
	if data.Type() == js.TypeString {
		s.end(errors.New("it sends text where frames are binary"))
		return
	}
	b := toGo(uint8Array.New(data))
	s.mu.Lock()
	s.inbox, s.size = append(s.inbox, b), s.size+len(b)
	tooMuch := len(b) > wire.MaxFrame || s.size > maxInbox
	s.mu.Unlock()
	if tooMuch {
		s.end(errors.New("it sends more than a device can take"))
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end keeps the first reason.
func (s *socket) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.ended)
	}
}

// Read implements wire.Conn. What came before the end is read before it.
func (s *socket) Read(ctx context.Context) ([]byte, error) {
	for {
		if b := s.pop(); b != nil {
			return b, nil
		}
		select {
		case <-s.wake:
			continue
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-s.ended:
		}
		if b := s.pop(); b != nil {
			return b, nil
		}
		return nil, s.err
	}
}

func (s *socket) pop() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) == 0 {
		return nil
	}
	b := s.inbox[0]
	s.inbox[0] = nil
	s.inbox, s.size = s.inbox[1:], s.size-len(b)
	return b
}

// Write implements wire.Conn. The browser queues what it is given, so it tells
// of no failure: the end of the socket does.
func (s *socket) Write(ctx context.Context, message []byte) error {
	if err := s.drained(ctx); err != nil {
		return err
	}
	_, err := try(func() js.Value { s.ws.Call("send", toJS(message)); return js.Undefined() })
	if err != nil {
		return err
	}
	return s.drained(ctx)
}

// maxOutgoing is how many bytes the browser may keep for the network before the
// next frame waits.
const maxOutgoing = 1 << 20

// drained waits until the browser has little left to send.
func (s *socket) drained(ctx context.Context) error {
	for s.ws.Get("bufferedAmount").Int() > maxOutgoing {
		select {
		case <-time.After(20 * time.Millisecond): // there is no event for it
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return s.err
		}
	}
	return nil
}

// Ping implements wire.Conn: a page can't.
func (*socket) Ping(context.Context) error { return errors.ErrUnsupported }

// Close implements wire.Conn.
func (s *socket) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	for _, event := range []string{"onopen", "onmessage", "onclose"} {
		s.ws.Set(event, js.Null())
	}
	_, _ = try(func() js.Value { s.ws.Call("close"); return js.Undefined() }) // it may be closed already
	s.end(errors.New("the stream was closed"))
	for _, f := range s.funcs {
		f.Release()
	}
}
