// Package stream is the WebSocket over which a device calls the server and is
// told what is new (see [api.StreamPath]), and the polls that take its place
// where none passes (see [api.Poll]).
//
// Most devices are silent most of the time, so a silent connection costs one
// parked goroutine and no buffer. Nothing a device does or fails to do holds up
// the rest of the server: what it is sent waits in a bounded queue of its own,
// and when that is full it gets hints in place of entries.
//
// Begin with [New]; the [Service] is an [http.Handler], and registers its one
// endpoint with [Service.Register].
package stream

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
)

const (
	authTimeout  = 10 * time.Second  // from connecting to a good Authenticate
	idleTimeout  = 150 * time.Second // without a word, not even a pong
	pingEvery    = 45 * time.Second
	recheckEvery = 10 * time.Minute // whether the login is still good
	frameTimeout = 60 * time.Second // for one frame, once begun
	writeTimeout = 20 * time.Second
	callTimeout  = 60 * time.Second

	maxStreams   = 100_000
	maxStrangers = 4096 // streams not logged in yet
	maxOfOrigin  = 256  // of these from one origin, an office that comes back at once perhaps: each takes a moment
	maxPerDevice = 4

	maxInFlight = 32      // calls of one stream at once
	maxQueued   = 1 << 20 // bytes that wait for one device before pushes become hints
	maxHints    = 4096    // logs that one device has hints for

	// maxAnswers is how many bytes of answers wait for one device: a full page
	// of entries for each of its calls. Who takes none and asks for more is told
	// to ask again. Small answers are always given: not to say that a message
	// was appended would make its sender append it again.
	maxAnswers  = maxInFlight * (api.MaxReadBytes + 1<<18)
	smallAnswer = 64 << 10

	maxFirst    = 4 << 10             // a message before login
	maxIncoming = api.MaxBody + 1<<10 // a message after: a body and its frame
)

// Authenticator is what the stream needs of the duty that knows devices.
type Authenticator interface {
	// Authenticate gives the device that a token was made for, or an [api.Error].
	Authenticate(ctx context.Context, token []byte) (duty.Caller, error)
}

// Delivery is what the stream needs of the duty that keeps the logs.
type Delivery interface {
	// Subscribe sends to s what is appended to the logs of the caller's device,
	// from now until cancel is called. No Push begins after cancel returned.
	Subscribe(c duty.Caller, s Sink) (cancel func())
}

// Sink takes what is pushed to one device. Push does not block. The frame is an
// encoded [api.Frame] that others read too: nobody may change it.
type Sink = interface {
	Push(log api.LogID, last uint64, frame []byte)
}

// Config is what the stream works with.
type Config struct {
	Registry *duty.Registry
	Auth     Authenticator
	Delivery Delivery
	Clock    duty.Clock
	Logger   *slog.Logger
}

// Service serves the streams of all devices. It is safe for concurrent use.
type Service struct {
	Config
	connects duty.OriginLimiter
	arriving duty.OriginCrowd // streams not logged in yet
	ctx      context.Context  // ends with Close
	stop     context.CancelFunc
	running  sync.WaitGroup // every goroutine of every stream
	crew     *crew
	press    press

	mu        sync.Mutex // guards what follows
	closed    bool
	streams   map[*conn]struct{}
	strangers int
	devices   map[api.DeviceID][]*conn // logged in, oldest first
	sessions  map[api.DeviceID]*session
	stirred   int // logins and pings since memory was last given back
	rushed    int // logins since the heap was last collected for their sake
}

// New gives a service without streams.
func New(c Config) *Service {
	ctx, stop := context.WithCancel(context.Background())
	s := &Service{
		Config: c, connects: duty.NewOriginLimiter(c.Clock, 3000, 10*time.Minute), arriving: duty.NewOriginCrowd(maxOfOrigin), ctx: ctx, stop: stop,
		streams: make(map[*conn]struct{}), devices: make(map[api.DeviceID][]*conn),
		sessions: make(map[api.DeviceID]*session),
		stirred:  tidyAfter, // starting takes memory, too
	}
	s.crew = newCrew(ctx, &s.running)
	s.running.Go(s.pinger)
	s.running.Go(s.rechecker)
	s.running.Go(s.tidier)
	return s
}

// Close ends all streams and waits for their goroutines.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	streams := make([]*conn, 0, len(s.streams))
	for c := range s.streams {
		streams = append(streams, c)
	}
	sessions := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, c := range streams {
		c.hangUp(ws.StatusGoingAway, "the server stops")
	}
	for _, p := range sessions {
		p.end()
	}
	s.stop()
	s.running.Wait()
}

// CloseDevice ends the streams of a removed device.
func (s *Service) CloseDevice(_ context.Context, _ identity.UserID, device identity.DeviceID) error {
	s.mu.Lock()
	streams := append([]*conn(nil), s.devices[api.DeviceID(device)]...)
	polls := s.sessions[api.DeviceID(device)]
	s.mu.Unlock()
	for _, c := range streams {
		c.revoke("the device was removed")
	}
	if polls != nil {
		polls.end()
	}
	return nil
}

// ServeHTTP makes a stream of a request and returns: the stream goes on without
// the goroutine and the buffers that net/http has for a connection.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		http.Error(w, "streams are not for pages of other sites", http.StatusForbidden)
		return
	}
	caller := duty.Caller{Remote: duty.Remote(r)}
	arrived, err := s.arriving.Enter(caller.Remote)
	if err != nil {
		tooMany(w)
		return
	}
	if s.connects.Take(caller) != nil || !s.room() {
		arrived()
		tooMany(w)
		return
	}
	nc, buffered, _, err := ws.HTTPUpgrader{Timeout: writeTimeout}.Upgrade(r, w)
	if err != nil {
		arrived()
		if nc != nil {
			nc.Close() // the upgrader has answered
		}
		return
	}
	early := make([]byte, buffered.Reader.Buffered())
	_, _ = buffered.Reader.Read(early) // cannot fail: it is all there
	c := newConn(s, nc, caller, early)
	c.arrived = arrived
	if !s.enter(c) {
		arrived()
		nc.Close()
	}
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	http.Error(w, "too many streams: try again soon", http.StatusTooManyRequests)
}

// sameOrigin keeps pages of other sites from using a visitor's browser as their
// client. Clients that are no browsers send no Origin.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// room reports whether another stream may be opened. Those that come at this
// very moment are counted in enter.
func (s *Service) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roomLocked()
}

func (s *Service) roomLocked() bool {
	return !s.closed && len(s.streams)+len(s.sessions) < maxStreams && s.strangers < maxStrangers
}

// enter starts a stream, if there is still room.
func (s *Service) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.roomLocked() {
		return false
	}
	s.streams[c] = struct{}{}
	s.strangers++
	s.running.Go(c.run)
	return true
}

// login counts a stream to its device, whose oldest streams end if it has too
// many: a device that lost its network has streams that nobody listens to. Those
// that were told so before may not be gone yet, and count no more.
func (s *Service) login(c *conn, caller duty.Caller) {
	s.mu.Lock()
	s.strangers--
	s.stirred++
	s.rush()
	c.caller, c.known = caller, true
	own := append(s.devices[caller.Device], c)
	s.devices[caller.Device] = own
	old := slices.Clone(own[:max(0, len(own)-maxPerDevice)])
	s.mu.Unlock()
	c.arrived()
	c.arrived = nil
	for _, o := range old {
		o.revoke("the device has newer streams")
	}
}

// rush has the heap collected now and then while many come. Each login leaves
// garbage of many times what its stream keeps: were it collected as late as usual,
// the streams would lie scattered among it, one to a page. s.mu is held.
func (s *Service) rush() {
	if s.rushed++; s.rushed < max(rushAfter, len(s.streams)/4) {
		return
	}
	s.rushed = 0
	s.crew.do(runtime.GC)
}

// leave forgets a stream.
func (s *Service) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, c)
	if !c.known {
		s.strangers--
		c.arrived()
		return
	}
	rest := s.devices[c.caller.Device][:0:0]
	for _, other := range s.devices[c.caller.Device] {
		if other != c {
			rest = append(rest, other)
		}
	}
	if s.devices[c.caller.Device] = rest; len(rest) == 0 {
		delete(s.devices, c.caller.Device)
	}
}

// pinger asks silent streams for a sign of life. Who gives none is ended by the
// idle timeout.
func (s *Service) pinger() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		var silent []*conn
		for c := range s.streams {
			if !c.heard.Swap(false) {
				silent = append(silent, c)
			}
		}
		s.stirred += len(silent)
		s.mu.Unlock()
		for _, c := range silent {
			c.control(ws.OpPing, nil)
		}
	}
}

// rechecker asks again whether logins are good.
func (s *Service) rechecker() {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		var known []*conn
		for c := range s.streams {
			if c.known {
				known = append(known, c)
			}
		}
		s.mu.Unlock()
		for _, c := range known {
			if s.ctx.Err() == nil {
				c.recheck()
			}
		}
	}
}

const (
	tidyEvery = 2 * time.Second
	tidyAfter = 100 // logins and pings
	rushAfter = 250 // logins
)

// tidier gives memory back once many have come, or were asked for a sign of life,
// and nothing of that kind goes on any more. What it took is garbage then, and most
// streams will be silent: without this the heap stays as large as the rush made it.
func (s *Service) tidier() {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for before := 0; ; {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		now := s.stirred
		tidy := now >= tidyAfter && now == before
		if tidy {
			s.stirred, now = 0, 0
		}
		before = now
		s.mu.Unlock()
		if tidy {
			debug.FreeOSMemory()
		}
	}
}

// isTCP reports whether one system call can write many buffers.
func isTCP(nc net.Conn) bool {
	_, ok := nc.(*net.TCPConn)
	return ok
}
