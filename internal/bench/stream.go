//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"sconce/api"
)

// stream is one device's WebSocket, as frugal as can be: the driver has one core
// to be a few hundred clients on. It does what a client does: it takes pushes
// in order, reads by cursor what it was not pushed, and acknowledges all it has
// with one call at a time.
type stream struct {
	conn  net.Conn
	inbox *ledger
	log   api.LogID
	end   uint64 // of the log, when all of the run is in it

	answered func(l *posted, at api.AppendResponse, err *api.Error)
	received func(p *posted, now time.Time)

	// The reading goroutine's own.
	call    uint64
	next    uint64 // the first place it does not have
	pushed  uint64 // the last place that was pushed to it
	known   uint64 // how far the log goes
	asked   uint64 // place in the acknowledgement under way; 0: there is none
	reading uint64 // number of the Read under way; 0: there is none
	acking  uint64 // number of the Ack under way

	has   atomic.Uint64 // next - 1, for others
	acked atomic.Uint64 // acknowledged and answered
	twice atomic.Int64  // entries that were pushed again
	reads atomic.Int64  // times that a push was missed

	mu  sync.Mutex // guards out
	out []byte     // frames that wait for flush

	done chan struct{} // closed when the reader has ended; nil: it never began
	err  error         // why; to be read after done
}

// dial opens a stream and logs it in. cert is nil without TLS.
func dial(ctx context.Context, address string, cert *tls.Config, token []byte) (net.Conn, error) {
	scheme := "ws"
	if cert != nil {
		scheme = "wss"
	}
	dialer := ws.Dialer{TLSConfig: cert, Timeout: 30 * time.Second}
	conn, early, _, err := dialer.Dial(ctx, scheme+"://"+address+api.StreamPath)
	if err != nil {
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	if early != nil {
		return nil, errors.Join(errors.New("the server spoke first"), conn.Close())
	}
	body, err := api.Marshal(&api.AuthenticateRequest{Token: token})
	if err != nil {
		return nil, err
	}
	frame, err := callFrame(1, api.Authenticate.Name, body)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(frame); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	answer, err := ws.ReadFrame(conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("logging a stream in: %w", err), conn.Close())
	}
	var f api.Frame
	if err := api.Unmarshal(answer.Payload, &f); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if f.Error != nil {
		return nil, errors.Join(f.Error, conn.Close())
	}
	return conn, nil
}

// listen makes a stream of a connection that is logged in. It has what lies up
// to has, and is done at end.
func listen(conn net.Conn, in *ledger, log api.LogID, has, end uint64) *stream {
	s := &stream{conn: conn, inbox: in, log: log, end: end, call: 1, next: has + 1, pushed: has, known: has}
	s.has.Store(has)
	s.acked.Store(has)
	return s
}

// start begins to read. Callbacks run in the reader.
func (s *stream) start() {
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.err = s.run()
	}()
}

// close ends the stream and waits for its reader.
func (s *stream) close() {
	s.conn.Close()
	if s.done != nil {
		<-s.done
	}
}

// maxBuffer is up to where a stream's buffer grows with what comes at once;
// beyond, it grows with a message that is larger.
const maxBuffer = 64 << 10

func (s *stream) run() error {
	buffer := make([]byte, 4<<10)
	have := 0
	for {
		n, err := s.conn.Read(buffer[have:])
		if err != nil {
			return err
		}
		have += n
		rest := buffer[:have]
		for {
			op, payload, after, ok := cut(rest)
			if !ok {
				break
			}
			rest = after
			if err := s.take(op, payload); err != nil {
				return err
			}
		}
		full := have == len(buffer)
		have = copy(buffer, rest)
		if full && (have == len(buffer) || len(buffer) < maxBuffer) {
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
		if err := s.proceed(); err != nil {
			return err
		}
	}
}

// cut takes the first frame off b, if it is all there.
func cut(b []byte) (op ws.OpCode, payload, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, b, false
	}
	n, head := int(b[1]&0x7f), 2
	switch {
	case n == 126 && len(b) >= 4:
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case n == 127 && len(b) >= 10:
		n, head = int(binary.BigEndian.Uint64(b[2:])), 10
	case n >= 126:
		return 0, nil, b, false
	}
	if n < 0 || len(b)-head < n {
		return 0, nil, b, false
	}
	return ws.OpCode(b[0] & 0x0f), b[head : head+n], b[head+n:], true
}

// take takes one message.
func (s *stream) take(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpPing:
		s.queue(maskFrame(ws.OpPong, payload))
		return nil
	case ws.OpClose:
		return fmt.Errorf("the server closed the stream: %q", payload)
	case ws.OpBinary:
	default:
		return nil
	}
	if len(payload) > 2 && payload[0] == 0xa1 && payload[1] == 5 { // nothing but a push
		return s.push(payload)
	}
	return s.answer(payload)
}

func (s *stream) push(frame []byte) error {
	p, err := s.inbox.open(frame)
	if err != nil || p.log != s.log {
		return err // an inbox's: nobody in a run looks at Welcomes
	}
	s.known = max(s.known, p.last)
	now := time.Now()
	for i, e := range p.entries {
		seq := p.first + uint64(i)
		if seq <= s.pushed {
			s.twice.Add(1)
			continue
		}
		s.pushed = seq
		if seq == s.next {
			s.got(e, now)
		}
	}
	return nil
}

// got takes the next entry.
func (s *stream) got(p *posted, now time.Time) {
	s.next++
	if p != nil && s.received != nil {
		s.received(p, now)
	}
}

func (s *stream) answer(payload []byte) error {
	var f api.Frame
	if err := api.Unmarshal(payload, &f); err != nil {
		return err
	}
	switch f.Call {
	case s.acking:
		if f.Error != nil {
			return fmt.Errorf("acknowledging: %w", f.Error)
		}
		s.acked.Store(s.asked)
		s.acking = 0
		return nil
	case s.reading:
		s.reading = 0
		return s.read(&f)
	}
	if f.Call < firstLetter {
		return fmt.Errorf("an answer to call %d, which nobody made", f.Call)
	}
	var at api.AppendResponse
	if f.Error == nil {
		if err := api.Unmarshal(f.Body, &at); err != nil {
			return err
		}
	}
	s.answered(s.inbox.sent(s.log, int(f.Call-firstLetter)), at, f.Error)
	return nil
}

func (s *stream) read(f *api.Frame) error {
	if f.Error != nil {
		return fmt.Errorf("reading: %w", f.Error)
	}
	var resp api.ReadResponse
	if err := api.Unmarshal(f.Body, &resp); err != nil {
		return err
	}
	s.known = max(s.known, resp.Last)
	now := time.Now()
	for i := range resp.Entries {
		if e := &resp.Entries[i]; e.Seq == s.next {
			s.got(s.inbox.check(e), now)
		}
	}
	if len(resp.Entries) == 0 && s.known >= s.next {
		return fmt.Errorf("the log goes on to %d and gives nothing after %d", s.known, s.next-1)
	}
	return nil
}

// proceed makes the calls that are due after all that came was taken.
func (s *stream) proceed() error {
	s.has.Store(s.next - 1)
	if s.known >= s.next && s.reading == 0 {
		s.reads.Add(1)
		s.call++
		s.reading = s.call
		if err := s.ask(s.call, api.Read.Name, &api.ReadRequest{Log: s.log, After: s.next - 1}); err != nil {
			return err
		}
	}
	if s.next-1 > s.acked.Load() && s.acking == 0 {
		s.call++
		s.acking, s.asked = s.call, s.next-1
		req := &api.AckRequest{Acks: []api.Place{{Log: s.log, Seq: s.asked}}}
		if err := s.ask(s.call, api.Ack.Name, req); err != nil {
			return err
		}
	}
	return s.flush()
}

func (s *stream) ask(id uint64, name string, req any) error {
	body, err := api.Marshal(req)
	if err != nil {
		return err
	}
	frame, err := callFrame(id, name, body)
	if err != nil {
		return err
	}
	s.queue(frame)
	return nil
}

// queue puts a frame to what flush writes.
func (s *stream) queue(frame []byte) {
	s.mu.Lock()
	s.out = append(s.out, frame...)
	s.mu.Unlock()
}

func (s *stream) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	return err
}

// mask is every frame's: it hides nothing from anyone here.
var mask = [4]byte{0x5c, 0x0c, 0xe5, 0x1f}

// maskFrame makes a client's WebSocket frame.
func maskFrame(op ws.OpCode, payload []byte) []byte {
	f := ws.MaskFrameWith(ws.NewFrame(op, true, payload), mask)
	return ws.MustCompileFrame(f)
}

// callFrame makes the frame of a call.
func callFrame(id uint64, name string, body []byte) ([]byte, error) {
	b, err := api.Marshal(api.Frame{Call: id, Name: name, Body: body})
	if err != nil {
		return nil, err
	}
	return maskFrame(ws.OpBinary, b), nil
}
