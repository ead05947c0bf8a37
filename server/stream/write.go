package stream

import (
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"sconce/api"
)

// queue is what waits to be written to one device.
type queue struct {
	mu      sync.Mutex // guards all fields
	items   []item
	size    int  // of items
	taken   int  // bytes of what is being written
	pledged int  // bytes of answers that are being made into messages
	writing bool // a goroutine is at it
	last    bool // nothing may follow: a Close frame is queued
	dead    bool // the connection is closed
	hints   map[api.LogID]uint64
}

// item is one WebSocket message.
type item struct {
	opcode ws.OpCode
	body   []byte
	slot   bool // frees a call's slot when it is gone
	pledge int  // what was kept for it
	last   bool // the connection ends with it
}

// Push queues entries of a log, or if too much waits already, a hint that the
// log goes on. A log that has a hint waiting gets no entries before it, so the
// device sees no gap that it is not told of.
func (c *conn) Push(log api.LogID, last uint64, frame []byte) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	_, hinted := c.out.hints[log]
	if !hinted && (len(c.out.items) == 0 || c.out.size+len(frame) <= maxQueued) {
		c.addLocked(item{opcode: ws.OpBinary, body: frame})
		return
	}
	if c.out.last || c.out.dead {
		return
	}
	if c.out.hints == nil {
		c.out.hints = make(map[api.LogID]uint64)
	}
	if !hinted && len(c.out.hints) >= maxHints {
		// It cannot be told all it misses, so it must begin anew.
		c.out.items, c.out.hints = c.dropLocked(), nil
		c.addLocked(closing(statusTryAgainLater, "too slow"))
		return
	}
	c.out.hints[log] = max(c.out.hints[log], last)
}

// statusTryAgainLater is one of the codes registered since RFC 6455.
const statusTryAgainLater = 1013

// pledge keeps a place for an answer of n bytes, if not too much waits already.
// The place is the answer's until it is queued.
func (c *conn) pledge(n int) bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	waiting := c.out.size + c.out.taken + c.out.pledged
	if n > smallAnswer && waiting > 0 && waiting+n > maxAnswers {
		return false
	}
	c.out.pledged += n
	return true
}

func (c *conn) enqueue(i item) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.addLocked(i)
}

// control queues a control frame. A client that makes us answer faster than it
// reads goes without.
func (c *conn) control(op ws.OpCode, payload []byte) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if len(c.out.items) < 2*maxInFlight {
		c.addLocked(item{opcode: op, body: append([]byte(nil), payload...)})
	}
}

func closing(status ws.StatusCode, reason string) item {
	return item{opcode: ws.OpClose, body: ws.NewCloseFrameBody(status, reason), last: true}
}

// hangUp says goodbye after all that is queued, and closes.
func (c *conn) hangUp(status ws.StatusCode, reason string) {
	c.enqueue(closing(status, reason))
}

func (c *conn) addLocked(i item) {
	c.out.pledged -= i.pledge
	if c.out.last || c.out.dead {
		c.free(i)
		return
	}
	c.out.items = append(c.out.items, i)
	c.out.size += len(i.body)
	c.out.last = i.last
	if !c.out.writing {
		c.out.writing = true
		c.service.write(c)
	}
}

func (c *conn) free(i item) {
	if i.slot {
		<-c.slots
	}
}

func (c *conn) dropLocked() []item {
	for _, i := range c.out.items {
		c.free(i)
	}
	c.out.size = 0
	return nil
}

// write takes whatever waits and writes it at once, until nothing does.
func (c *conn) write() {
	for {
		batch, ok := c.nextBatch()
		if !ok {
			return
		}
		err := c.writeBatch(batch)
		for _, i := range batch {
			c.free(i)
		}
		if err == nil && !batch[len(batch)-1].last {
			continue
		}
		if err == nil {
			c.linger()
		}
		c.end()
		return
	}
}

// lingerTimeout is how long the other side has to take our last words.
const lingerTimeout = time.Second

// linger waits for the other side to close, so that it reads why we do: closing
// while bytes of its are unread makes TCP throw away what we sent.
func (c *conn) linger() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	timeout := time.AfterFunc(lingerTimeout, func() { c.net.Close() })
	defer timeout.Stop()
	var b [512]byte // small: at the end of the server all streams are here
	for {
		if _, err := c.net.Read(b[:]); err != nil {
			return
		}
	}
}

// nextBatch takes the queue, or else the hints.
func (c *conn) nextBatch() ([]item, bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if len(c.out.items) == 0 {
		for log, last := range c.out.hints {
			c.out.items = append(c.out.items, item{opcode: ws.OpBinary, body: hint(log, last)})
		}
		c.out.hints = nil
	}
	if c.out.dead || len(c.out.items) == 0 {
		c.out.writing, c.out.taken = false, 0
		return nil, false
	}
	batch := c.out.items
	c.out.items, c.out.size, c.out.taken = nil, 0, c.out.size
	return batch, true
}

func hint(log api.LogID, last uint64) []byte {
	frame, err := api.Marshal(api.Frame{Push: &api.Push{Log: log, Last: last}})
	if err != nil {
		panic("stream: encoding a hint: " + err.Error()) // plain fields
	}
	return frame
}

// joinBelow is up to which size messages are copied together for TLS, which
// would make a record, and a system call, of each write.
const joinBelow = 16 << 10

func (c *conn) writeBatch(batch []item) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	headers := make([]byte, 0, 10*len(batch)) // never grows: parts of it are in use
	buffers := make(net.Buffers, 0, 2*len(batch))
	for _, i := range batch {
		at := len(headers)
		headers = appendHeader(headers, i.opcode, len(i.body))
		buffers = append(buffers, headers[at:])
		if len(i.body) > 0 {
			buffers = append(buffers, i.body)
		}
	}
	if !isTCP(c.net) {
		buffers = join(buffers)
	}
	_, err := buffers.WriteTo(c.net)
	return err
}

// join puts neighbouring small buffers together.
func join(buffers net.Buffers) net.Buffers {
	var out net.Buffers
	var small []byte
	for _, b := range buffers {
		if len(small)+len(b) > joinBelow && len(small) > 0 {
			out, small = append(out, small), nil
		}
		if len(b) > joinBelow {
			out = append(out, b)
			continue
		}
		small = append(small, b...)
	}
	if len(small) > 0 {
		out = append(out, small)
	}
	return out
}

// appendHeader writes the header of a whole, unmasked message (RFC 6455,
// Section 5.2).
func appendHeader(b []byte, op ws.OpCode, n int) []byte {
	b = append(b, 0x80|byte(op))
	switch {
	case n < 126:
		return append(b, byte(n))
	case n < 1<<16:
		return append(b, 126, byte(n>>8), byte(n))
	}
	return append(b, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// end closes the connection and drops what waits. It may be called often, and
// makes the reading goroutine return.
func (c *conn) end() {
	c.out.mu.Lock()
	first := !c.out.dead
	c.out.dead = true
	c.out.items, c.out.hints = c.dropLocked(), nil
	c.out.mu.Unlock()
	if first {
		c.stop()
		c.net.Close()
		close(c.gone)
	}
}

// leaving reports whether last words are queued or written.
func (c *conn) leaving() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.last
}
