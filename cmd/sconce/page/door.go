package page

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"sconce/client/bridge"
)

// The subprotocols that the page offers: the first names what is spoken, the
// second carries the session.
const (
	protocol      = "sconce"
	sessionPrefix = "sconce."
)

// serveDoor carries the lines of docs/bridge.md, one JSON object a message, for
// whoever has the session. Before the first goes the proof.
func (s *Server) serveDoor(w http.ResponseWriter, r *http.Request) {
	if !s.fromPage(r) {
		refuse(w, http.StatusForbidden, "another page may not ask for this")
		return
	}
	ctx, proof, leave, ok := s.admit(r.Context(), offered(r))
	if !ok {
		refuse(w, http.StatusUnauthorized, "there is no such session: open the page anew with sconce app")
		return
	}
	defer leave()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}, OriginPatterns: []string{s.host}})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(bridge.MaxParams)
	if conn.Write(ctx, websocket.MessageText, []byte(proof)) != nil {
		return // it went away
	}
	s.here.come()
	defer func() { s.here.leave(time.Now()) }()
	l := &lines{ctx: ctx, conn: conn, touched: func() { s.here.touch(time.Now()) }}
	if err := bridge.Serve(ctx, l, l, s.door); err == nil {
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
}

// offered gives the session that a request names, or "".
func offered(r *http.Request) string {
	for _, header := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(header, ",") {
			if session, ok := strings.CutPrefix(strings.TrimSpace(p), sessionPrefix); ok {
				return session
			}
		}
	}
	return ""
}

// admit lets a connection in for as long as its session lasts, and gives the proof
// to show there.
func (s *Server) admit(ctx context.Context, session string) (within context.Context, proof string, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !same(session, s.session) {
		return nil, "", nil, false
	}
	within, cancel := context.WithCancel(s.lasts) // which has ended when the next one is given
	forget := context.AfterFunc(ctx, cancel)
	return within, s.proof, func() { forget(); cancel() }, true
}

// Close ends the session.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link, s.session, s.proof = "", "", ""
	s.end()
}

// lines makes the messages of a WebSocket a stream of lines, and lines messages.
type lines struct {
	ctx     context.Context
	conn    *websocket.Conn
	touched func()       // is called for each empty message
	rest    bytes.Buffer // of the message that is being read
}

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	for l.rest.Len() == 0 {
		_, message, err := l.conn.Read(l.ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure || websocket.CloseStatus(err) == websocket.StatusGoingAway {
			return 0, io.EOF
		}
		if err = cmp.Or(err, l.ctx.Err()); err != nil { // what came just after its session is not heard
			return 0, err
		}
		if len(message) == 0 {
			l.touched()
			continue
		}
		l.rest.Write(bytes.ReplaceAll(message, []byte("\n"), []byte(" "))) // JSON has none that matters
		l.rest.WriteByte('\n')
	}
	return l.rest.Read(p)
}

// Write implements io.Writer; bridge.Serve writes whole lines.
func (l *lines) Write(p []byte) (int, error) {
	if err := l.conn.Write(l.ctx, websocket.MessageText, bytes.TrimSuffix(p, []byte("\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
