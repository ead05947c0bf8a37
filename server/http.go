package server

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"sconce/api"
	"sconce/internal/duty"
)

const (
	callTimeout  = 60 * time.Second
	readyTimeout = 2 * time.Second

	// maxStrangerBody bounds what somebody without a login can make us read. The
	// largest such request carries one log entry.
	maxStrangerBody = 128 << 10

	maxHeader = 16 << 10

	// Calls over HTTP at once, of one device and of strangers from one origin,
	// which may be a whole office. The stream has its own bound.
	maxOfDevice    = 32
	maxOfStrangers = 256

	// Connections of one origin, an office with all its browsers perhaps, that are
	// not streams, which have bounds of their own. Each waits for up to two minutes
	// for a request that may never come, and a process has so many files and no more.
	maxConnections = 4096
)

// Handler answers everything the server answers. It may be served by something
// else than [Server.Run], such as a test.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+api.StreamPath, s.stream)
	mux.HandleFunc("POST /v1/{name...}", s.serveCall)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", s.serveReady)
	if s.config.Page != nil {
		mux.Handle("GET /", s.config.Page)
	}
	// Calls of pages of other sites are refused; a browser says where it is.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		guarded.ServeHTTP(w, r)
	})
}

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       callTimeout,
		WriteTimeout:      2 * callTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ConnState:         newConnections(maxConnections).changed,
		// What net/http logs by itself is broken handshakes, with addresses.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// connections counts those of each origin.
type connections struct {
	crowd duty.OriginCrowd
	leave sync.Map // from a net.Conn to what uncounts it
}

func newConnections(most int) *connections {
	return &connections{crowd: duty.NewOriginCrowd(most)}
}

// changed is for [http.Server.ConnState]. It closes a connection that is one too
// many.
func (c *connections) changed(conn net.Conn, now http.ConnState) {
	switch now {
	case http.StateNew:
		from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err != nil {
			return
		}
		leave, err := c.crowd.Enter(from.Addr())
		if err != nil {
			_ = conn.Close() // nothing was said yet
			return
		}
		c.leave.Store(conn, leave)
	case http.StateHijacked, http.StateClosed:
		if leave, ok := c.leave.LoadAndDelete(conn); ok {
			leave.(func())()
		}
	}
}

// serveCall is POST /v1/NAME: a body in, a body out.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	body, err := s.call(ctx, w, r)
	if err != nil {
		answerError(w, err)
		return
	}
	answer(w, http.StatusOK, body)
}

func (s *Server) call(ctx context.Context, w http.ResponseWriter, r *http.Request) ([]byte, *api.Error) {
	caller, refused := s.caller(ctx, r)
	if refused != nil {
		return nil, refused
	}
	leave, err := s.enter(caller)
	if err != nil {
		return nil, s.registry.Explain(ctx, "call", err)
	}
	defer leave()
	limit := int64(maxStrangerBody)
	if caller.Known() {
		limit = api.MaxBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, api.Errorf(api.TooLarge, "the request has more than %d bytes", limit)
	}
	if err != nil {
		return nil, api.Errorf(api.Invalid, "the request broke off")
	}
	return s.registry.Call(ctx, caller, r.PathValue("name"), body)
}

// enter counts a call while it is read and answered, so that neither a device
// nor an address can make the server hold any number of bodies at once.
func (s *Server) enter(c duty.Caller) (leave func(), err error) {
	if c.Known() {
		return s.devicesAtOnce.Enter(c.Device)
	}
	return s.strangersAtOnce.Enter(c.Remote)
}

// caller finds out who calls. A wrong token is an error on open endpoints too:
// its sender takes itself for logged in.
func (s *Server) caller(ctx context.Context, r *http.Request) (duty.Caller, *api.Error) {
	remote := duty.Remote(r)
	header := r.Header.Get("Authorization")
	if header == "" {
		return duty.Caller{Remote: remote}, nil
	}
	text, ok := strings.CutPrefix(header, "Bearer ")
	token, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		return duty.Caller{}, api.Errorf(api.Unauthenticated, "the Authorization header is not a token of login")
	}
	caller, err := s.devices.Authenticate(ctx, token)
	if err != nil {
		return duty.Caller{}, s.registry.Explain(ctx, "bearer token", err)
	}
	caller.Remote = remote
	return caller, nil
}

// serveReady reports whether calls can be answered, for whoever balances load.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.db.Read.PingContext(ctx); err != nil {
		say(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	say(w, http.StatusOK, "ready")
}

func answerError(w http.ResponseWriter, e *api.Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt((e.RetryAfter+999)/1000, 10))
	}
	body, err := api.Marshal(e)
	if err != nil {
		say(w, http.StatusInternalServerError, "internal error")
		return
	}
	answer(w, e.Code.Status(), body)
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // nobody is left to tell
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // nobody is left to tell
}
