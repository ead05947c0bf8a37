package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// desk is what a stream needs while it reads, and gives back while it waits.
type desk struct {
	reader *bufio.Reader
	header [ws.MaxHeaderSize]byte
	buffer []byte
}

const (
	readBuffer = 4 << 10
	maxKept    = 64 << 10 // a larger payload gets a buffer of its own
)

var desks = sync.Pool{New: func() any { return &desk{reader: bufio.NewReaderSize(nil, readBuffer)} }}

// source is the connection, with the bytes before it that were read already.
type source struct {
	conn  net.Conn
	early []byte // came with the handshake
	first [1]byte
	held  bool // first holds a byte
}

func (s *source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.held {
		s.held = false
		p[0] = s.first[0]
		return 1, nil
	}
	if len(s.early) > 0 {
		n := copy(p, s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	return s.conn.Read(p)
}

// wait returns when there is something to read. It reads one byte: that parks
// the goroutine like any read, but holds no buffer, and unlike asking the socket
// it works above TLS, which may hold bytes that the socket has no more.
func (s *source) wait() error {
	if s.held || len(s.early) > 0 {
		return nil
	}
	if _, err := io.ReadFull(s.conn, s.first[:]); err != nil {
		return err
	}
	s.held = true
	return nil
}

// quiet is after how long without a word a stream counts as silent.
const quiet = 5 * time.Second

// serve reads messages and hands each to take, until one of them fails. A
// message is take's only until it returns. errLoggedIn from take ends serve
// without an error.
func (c *conn) serve(take func(message []byte) error) error {
	for {
		began := time.Now()
		if err := c.setDeadline(began, idleTimeout); err != nil {
			return err
		}
		if err := c.source.wait(); err != nil {
			return err
		}
		c.heard.Store(true)
		read := c.readAll
		if time.Since(began) > quiet {
			read = c.readAside
		}
		err := read(take)
		if errors.Is(err, errLoggedIn) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readAside is readAll on a goroutine that has the stack for it. That of a silent
// stream is as small as can be, and each answer to a ping would make it grow.
func (c *conn) readAside(take func([]byte) error) error {
	done := make(chan error, 1)
	c.service.crew.do(func() { done <- c.readAll(take) })
	return <-done
}

// setDeadline gives the next read this long, but no longer than logging in may take.
func (c *conn) setDeadline(now time.Time, d time.Duration) error {
	deadline := now.Add(d)
	if !c.known && deadline.After(c.deadline) {
		deadline = c.deadline
	}
	return c.net.SetReadDeadline(deadline)
}

// readAll reads frames as long as there are bytes at hand.
func (c *conn) readAll(take func([]byte) error) error {
	d := desks.Get().(*desk)
	d.reader.Reset(&c.source)
	defer func() {
		d.reader.Reset(nil)
		desks.Put(d)
	}()
	for {
		err := c.readFrame(d, take)
		if errors.Is(err, errLoggedIn) {
			c.keep(d.reader)
		}
		if err != nil {
			return err
		}
		if d.reader.Buffered() == 0 && !c.source.held && len(c.source.early) == 0 {
			return nil
		}
	}
}

// keep saves what the client sent right behind its login.
func (c *conn) keep(r *bufio.Reader) {
	rest, _ := r.Peek(r.Buffered()) // all there
	c.source.early = append(append([]byte(nil), rest...), c.source.early...)
}

func (c *conn) readFrame(d *desk, take func([]byte) error) error {
	h, err := ws.ReadHeaderBuffer(d.reader, d.header[:])
	if err != nil {
		if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
			return breach(ws.StatusProtocolError, "a frame has an impossible length")
		}
		return err
	}
	if err := c.checkHeader(h); err != nil {
		return err
	}
	payload, err := c.readPayload(d, h)
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		c.control(ws.OpPong, payload)
		return nil
	case ws.OpPong:
		return nil
	case ws.OpClose:
		return errClosed
	}
	return c.data(h, payload, take)
}

// checkHeader refuses frames that no client sends, and those that are too long.
func (c *conn) checkHeader(h ws.Header) error {
	state := ws.StateServerSide
	if c.opcode != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return breach(ws.StatusProtocolError, err.Error())
	}
	if h.OpCode == ws.OpText {
		return breach(ws.StatusUnsupportedData, "messages are binary")
	}
	limit := int64(maxIncoming)
	if !c.known {
		limit = maxFirst
	}
	if h.OpCode.IsData() && h.Length > limit-int64(len(c.message)) {
		return breach(ws.StatusMessageTooBig, fmt.Sprintf("a message has more than %d bytes", limit))
	}
	return nil
}

// readPayload reads and unmasks. Its result is the desk's, or its own if large:
// then it grows with what arrives, not with what was announced.
func (c *conn) readPayload(d *desk, h ws.Header) ([]byte, error) {
	n := int(h.Length)
	if n > d.reader.Buffered() {
		if err := c.setDeadline(time.Now(), frameTimeout); err != nil {
			return nil, err
		}
	}
	var payload []byte
	if n <= maxKept {
		if cap(d.buffer) < n {
			d.buffer = make([]byte, max(n, 1<<10))
		}
		payload = d.buffer[:n]
		if _, err := io.ReadFull(d.reader, payload); err != nil {
			return nil, err
		}
	} else {
		for len(payload) < n {
			have := len(payload)
			payload = append(payload, make([]byte, min(n-have, max(have, maxKept)))...)
			if _, err := io.ReadFull(d.reader, payload[have:]); err != nil {
				return nil, err
			}
		}
	}
	ws.Cipher(payload, h.Mask, 0)
	return payload, nil
}

// data puts the fragments of a message together.
func (c *conn) data(h ws.Header, payload []byte, take func([]byte) error) error {
	if h.Fin && c.opcode == 0 {
		return take(payload)
	}
	if c.opcode == 0 {
		c.opcode = h.OpCode
	}
	c.message = append(c.message, payload...)
	if !h.Fin {
		return nil
	}
	message := c.message
	c.message, c.opcode = nil, 0
	return take(message)
}
