package client

import (
	"slices"

	"sconce/content"
	"sconce/identity"
	"sconce/room"
)

// The self-group is a room of one person's own devices, in which they tell each
// other what the person has read, what began to burn, whom they verified.

// tellSelf puts notes into the self-group's outbox, if there is one yet and
// another device to read them. Without one they would tell nobody but the server
// something: that their person does something at this moment.
func (c *Client) tellSelf(b *batch, notes ...content.Note) error {
	r, ok := c.rooms[c.device.Self]
	if !ok || len(notes) == 0 || c.onlyDevice() {
		return nil
	}
	for part := range slices.Chunk(notes, content.MaxNotes) {
		m, err := content.Self(part...)
		if err != nil {
			return err
		}
		if _, err := c.enqueue(b, r, m); err != nil {
			return err
		}
	}
	return nil
}

// onlyDevice reports whether this person has no device but this one.
func (c *Client) onlyDevice() bool {
	log := c.knownLog(c.device.User)
	return log != nil && !slices.ContainsFunc(log.Devices(), func(d identity.Device) bool { return d.ID != c.deviceID() })
}

// takeNotes acts on notes of another device of this person.
func (c *Client) takeNotes(b *batch, a arrival, notes []content.Note) error {
	if a.user != c.device.User || a.mine {
		return nil
	}
	for _, n := range notes {
		switch n := n.(type) {
		case content.ReadMark:
			if r, ok := c.rooms[room.ID(n.Room)]; ok && n.Seq > r.Read && r.Kind != room.Self {
				if err := c.readElsewhere(b, r, n.Seq); err != nil {
					return err
				}
			}
		case content.BurnStart:
			if err := c.takeBurnStart(b, n); err != nil {
				return err
			}
		case content.Verified:
			c.noteVerified(b, n)
		case content.Preference:
			c.takePreference(b, n)
		case content.Choice:
			c.takeChoice(b, n)
		}
	}
	return nil
}

// readElsewhere takes over a read mark. What burns after reading begins to, if
// the note that says when is lost.
func (c *Client) readElsewhere(b *batch, r *roomState, to uint64) error {
	from := r.Read + 1
	defer c.readTo(b, r, to)
	return c.eachItem(r, from, min(to, r.Cursor), func(seq uint64, it *itemRecord) error {
		c.count(r, seq, it, -1)
		if it.Burn != 0 && it.User != c.device.User {
			c.startBurn(b, r, seq, it, c.now())
		}
		return nil
	})
}

// takeBurnStart starts a burn here that was started elsewhere. If the message
// is not here yet, the note is kept until it comes.
func (c *Client) takeBurnStart(b *batch, n content.BurnStart) error {
	r, ok := c.rooms[room.ID(n.Room)]
	if !ok {
		return nil
	}
	seq, ok, err := c.seen(b, r, n.Message)
	if err != nil {
		return err
	}
	if !ok {
		b.put(r.keyOf(prefixBurn, n.Message[:]), u64(n.At))
		return nil
	}
	it, err := c.readItem(b, r, seq)
	if it == nil || err != nil || it.Burn == 0 {
		return err
	}
	c.startBurn(b, r, seq, it, c.here(int64(n.At)))
	return nil
}
