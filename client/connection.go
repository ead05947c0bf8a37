package client

import "sconce/room"

// Connection tells how this device stands to its server.
func (c *Client) Connection() (ConnectionView, error) {
	if err := c.lock(); err != nil {
		return ConnectionView{}, err
	}
	defer c.mu.Unlock()
	return c.connectionView(), nil
}

func (c *Client) connectionView() ConnectionView {
	v := ConnectionView{State: c.reach}
	if v.State == "" {
		v.State = ReachOffline
	}
	v.Ahead = int(c.wrong / 1000)
	for _, r := range c.rooms {
		for _, o := range r.outbox {
			if o.Failed == "" && o.shows {
				v.Queued++
			}
		}
		if r.Member && r.Kind != room.Self && r.last > r.Cursor {
			v.Behind += int(r.last - r.Cursor)
		}
	}
	return v
}

// tellConnection tells screens how this device stands to its server, if that
// changed.
func (c *Client) tellConnection(b *batch) {
	if v := c.connectionView(); v != c.connection {
		c.connection = v
		b.event(Event{Connection: &v})
	}
}

// WaitForSpace tells screens that nothing goes on before there is space again.
// Run takes that back.
func (c *Client) WaitForSpace() { c.setReach(ReachFull) }

// setReach notes how the stream is.
func (c *Client) setReach(now Reach) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reach = now
	b := c.batch()
	c.tellConnection(b)
	c.events.send(b.events)
}
