package client

import "time"

// A device's clock may be wrong by a day, and what counts time by two clocks at
// once would then burn what was just written, or keep it too long. So a client
// counts by its own clock, learns how far that is from the server's, and brings
// the server's stamps over to it.

const (
	// wrongClock is how far a device's clock may be from the server's before its
	// person is told, in milliseconds.
	wrongClock = int64(5 * time.Minute / time.Millisecond)
	// mostCorrected bounds what a server that lies about the time gains where the
	// lifetimes of others' keys are judged by its clock, in milliseconds.
	mostCorrected = int64(7 * 24 * time.Hour / time.Millisecond)
	// lastTime is later than any time that a server can mean, in milliseconds.
	lastTime = int64(1) << 48
)

// now is the time in Unix milliseconds. It never goes back, also not over a
// restart, and never stands still while the client is open: whoever sets the
// clock back gains no time on what must expire. The caller holds c.mu.
func (c *Client) now() int64 {
	t := c.clock()
	if passed := t.Sub(c.looked); !c.looked.IsZero() && passed > 0 {
		c.latest += passed.Milliseconds()
		t = t.Add(-passed % time.Millisecond) // what is not counted yet, is the next time
	}
	c.looked = t
	c.latest = max(c.latest, t.UnixMilli())
	return c.latest
}

// learnTime compares this device's clock with what the server said to a question
// asked at a time of now's. The caller holds c.mu.
func (c *Client) learnTime(asked, said int64) {
	if said <= 0 || said > lastTime {
		return // a server that does not tell
	}
	now := c.now()
	switch { // the answer took time too
	case said < asked:
		c.ahead = asked - said
	case said > now:
		c.ahead = now - said
	default:
		c.ahead = 0
	}
	c.wrong = 0
	if away := c.clock().UnixMilli() - said; max(away, -away) > wrongClock+(now-asked) {
		c.wrong = away
	}
	b := c.batch()
	c.tellConnection(b)
	c.events.send(b.events)
}

// serverTime is the time by the server's clock, as far as this device knows it.
// Lifetimes of keys and what devices tell each other of times are by it.
func (c *Client) serverTime() int64 {
	return c.now() - min(max(c.ahead, -mostCorrected), mostCorrected)
}

// here brings a time of the server's over to this device's clock. It is never in
// the future: a server's stamp gives nobody more time.
func (c *Client) here(stamp int64) int64 {
	return max(1, min(min(max(stamp, 0), lastTime)+c.ahead, c.now()))
}
