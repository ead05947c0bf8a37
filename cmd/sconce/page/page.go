// Package page serves the browser's page on this computer alone, with a door in
// this program behind it instead of a core in the page. Begin with [New], serve
// its handler on a listener of the loopback, and open [Server.Link] in a browser.
//
// Everybody's programs reach the loopback, and so do all web pages that the
// browser shows. So a page gets at the door only with a session, which only a
// link gives, once; the link is made here and handed to the browser alone. And
// every request must name this very address as its host, and this page as its
// origin, or it is refused: a name that resolves to the loopback opens nothing.
//
// The session is not a cookie, because browsers send cookies to every port of an
// address. It lies in the tab's session storage, which belongs to an origin with
// its port, and goes to the door as a WebSocket subprotocol:
//
//	new WebSocket(`ws://${location.host}/door`, ["sconce", "sconce." + sessionStorage.getItem("sconce-session")])
//
// When this program ends, anybody on the computer can listen at its address, and
// the tab will ask there. So the session comes with a second secret, the proof,
// which is the first thing that the door says; a page tells nothing to a door that
// does not. An empty message from the page says that somebody touched it, and
// [Server.LockWhenAlone] locks when nobody does.
package page

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"io"
	"net/http"
	"sync"
	"time"

	"sconce/client/bridge"
)

// Server is the page, its door and who may pass it.
type Server struct {
	host string // address and port, as every request must name it
	door bridge.Door
	mux  *http.ServeMux
	here presence

	mu      sync.Mutex      // guards what follows
	link    string          // the token that the next session is given for; "" none
	session string          // whoever has it may use the door; "" nobody
	proof   string          // what the door shows to whoever has the session
	lasts   context.Context // until the session ends
	end     context.CancelFunc
	began   chan struct{}
}

// New makes a server for one address, such as 127.0.0.1:4711. The site is what
// the page is made of; the door stays the caller's.
func New(address string, site http.Handler, door bridge.Door) *Server {
	s := &Server{host: address, door: door, mux: http.NewServeMux(), began: make(chan struct{}, 1)}
	s.lasts, s.end = context.WithCancel(context.Background())
	s.mux.HandleFunc("GET /enter/{fresh}/{$}", s.serveEnter)
	s.mux.HandleFunc("GET /enter/{fresh}/enter.js", s.serveScript)
	s.mux.HandleFunc("POST /session", s.serveSession)
	s.mux.HandleFunc("GET /door", s.serveDoor)
	s.mux.Handle("GET /", site)
	return s
}

// Link gives an address that opens the page once. Any link given before opens
// nothing from now on. What follows the # is a secret, which browsers do not send
// to servers: the page exchanges it. The path is one that nobody has had, so that
// no browser shows what it kept of another page at this address.
func (s *Server) Link() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = secret()
	return "http://" + s.host + "/enter/" + secret() + "/#" + s.link
}

// Began receives whenever a link was used.
func (s *Server) Began() <-chan struct{} { return s.began }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != s.host {
		refuse(w, http.StatusMisdirectedRequest, "this address is not served here")
		return
	}
	// Browsers say where a request comes from. Only opening the page may come from
	// elsewhere: a file made the browser do it.
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" && from != "none" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		refuse(w, http.StatusForbidden, "another page may not ask for this")
		return
	}
	// The page of this program has no service worker, so whoever asks for the script
	// of one is another page's, to see whether there is a newer one. There is.
	if r.Header.Get("Service-Worker") != "" {
		serveOwn(w, "text/javascript; charset=utf-8", goneScript)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// fromPage reports whether a request that does something was made by the page
// itself. Browsers always name the origin of these.
func (s *Server) fromPage(r *http.Request) bool {
	return r.Header.Get("Origin") == "http://"+s.host
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, why, status)
}

//go:embed enter.html
var enterPage []byte

//go:embed enter.js
var enterScript []byte

//go:embed gone.js
var goneScript []byte

// serveEnter gives a page that does nothing but exchange the link for a session.
func (s *Server) serveEnter(w http.ResponseWriter, _ *http.Request) {
	serveOwn(w, "text/html; charset=utf-8", enterPage)
}

func (s *Server) serveScript(w http.ResponseWriter, _ *http.Request) {
	serveOwn(w, "text/javascript; charset=utf-8", enterScript)
}

func serveOwn(w http.ResponseWriter, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // nobody is left to tell
}

// serveSession gives a session for the newest link, which is used up by it. The
// session before ends: there is one at a time.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request) {
	if !s.fromPage(r) {
		refuse(w, http.StatusForbidden, "another page may not ask for this")
		return
	}
	token, err := io.ReadAll(io.LimitReader(r.Body, 2*secretLength))
	if err != nil {
		return // it went away
	}
	session, proof, ok := s.begin(string(token))
	if !ok {
		refuse(w, http.StatusForbidden, "this link was used already, or is an old one")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Clear-Site-Data", `"cache"`) // what is opened next is not another page's of before
	_, _ = io.WriteString(w, session+"."+proof)
	select {
	case s.began <- struct{}{}:
	default: // the one before was not looked at yet
	}
}

func (s *Server) begin(token string) (session, proof string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !same(token, s.link) {
		return "", "", false
	}
	s.link, s.session, s.proof = "", secret(), secret()
	s.here.touch(time.Now()) // a link is opened by somebody
	s.end()
	s.lasts, s.end = context.WithCancel(context.Background())
	return s.session, s.proof, true
}

// secretLength is 32 random bytes as text.
const secretLength = 43

func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// same compares a secret; none is the same as nothing.
func same(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}
