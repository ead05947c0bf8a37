package client

import (
	"bytes"
	"maps"
	"slices"

	"sconce/content"
	"sconce/identity"
	"sconce/room"
)

// The self-group is a room of one person's own devices, in which they tell each
// other what the person has read, what began to burn, whom they verified, and how
// they want rooms listed.

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

// planTelling plans to tell again what the person chose, after one of their devices
// came into the self-group or took another out. One that came in learns from the log
// only what is said from then on, and nobody knows what was chosen on it before; and
// one that is out may have had to tell. So two do: the one that made the commit, if it
// knows anything, and another, of which all know who it is: the one that had let it
// in, or the first where that one is not there.
func (c *Client) planTelling(r *roomState, committer identity.Credential) {
	in := devicesOf(r.group)
	other := committer.Device
	if log := c.knownLog(c.device.User); log != nil {
		for i := range log.Length() {
			if e := log.Entry(i); e.Hash() == committer.Entry {
				other = e.Signer()
			}
		}
	}
	if other == committer.Device || !in[other] {
		for _, leaf := range r.group.Members() {
			if cred, err := room.CredentialOf(leaf); err == nil && cred.Device != committer.Device {
				other = cred.Device
				break
			}
		}
	}
	if own := c.deviceID(); own == other || own == committer.Device && len(c.chosen()) > 0 {
		r.Answer = c.now()
	}
}

// tellAll tells the self-group all that this device knows of what its person
// chose. Who knows it already takes nothing of it. It is never nothing, so that
// the server does not learn whether there is something.
func (c *Client) tellAll(b *batch, r *roomState) error {
	notes := c.chosen()
	if len(notes) == 0 {
		notes = []content.Note{content.Choice{Receipts: true, Typing: true}}
	}
	if len(r.outbox)+len(notes)/content.MaxNotes >= maxQueued {
		r.Answer = c.now() + answerAgain
		return nil
	}
	return c.tellSelf(b, notes...)
}

// chosen is what this device knows of what its person chose, verified and read.
func (c *Client) chosen() (notes []content.Note) {
	if s := &c.settings; s.At != 0 {
		notes = append(notes, content.Choice{At: uint64(s.At), Receipts: !s.NoReceipts, Typing: !s.NoTyping})
	}
	for _, u := range slices.SortedFunc(maps.Keys(c.people), func(a, b identity.UserID) int { return bytes.Compare(a[:], b[:]) }) {
		if p := c.people[u]; p.At != 0 && !p.Changed { // what is doubtful, each device finds out by itself
			notes = append(notes, content.Verified{User: u, Head: p.Verified, At: uint64(p.At), Withdrawn: !p.verified()})
		}
	}
	for _, q := range c.sortedRooms() {
		if q.Kind == room.Self || q.Left {
			continue
		}
		if q.Prefered != 0 {
			notes = append(notes, content.Preference{Room: q.id, At: uint64(q.Prefered), Pinned: q.Pinned, Notify: q.Notify})
		}
		if q.Read != 0 {
			notes = append(notes, content.ReadMark{Room: q.id, Seq: q.Read})
		}
	}
	return notes
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
	var verified []identity.UserID
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
			if c.noteVerified(b, n) {
				verified = append(verified, n.User)
			}
		case content.Preference:
			c.takePreference(b, n)
		case content.Choice:
			c.takeChoice(b, n)
		}
	}
	c.tellTrust(b, verified...)
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
