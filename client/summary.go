package client

import (
	"encoding/binary"
	"errors"
	"slices"
)

// What a list of rooms shows is kept in the room's record and changes with the
// timeline, in the same batch, so that no timeline is read for it. The record
// holds numbers and places and no text: a preview is read from the message
// itself, and goes with it.

// shown reports whether an item is a message that a preview can show.
func (it *itemRecord) shown() bool {
	return !it.Deleted && (it.Kind == "text" || it.Kind == "reply" || it.Kind == "unsupported")
}

// awaitsReading reports whether an item is one that this person has yet to see,
// if its place is after the read mark.
func (c *Client) awaitsReading(it *itemRecord) bool {
	return it.User != c.device.User && it.Kind != kindNotice && it.Kind != kindGap && !it.Deleted
}

// count adds an item to what is unread, or takes it away.
func (c *Client) count(r *roomState, seq uint64, it *itemRecord, by int) {
	if it == nil || seq <= r.Read || !c.awaitsReading(it) {
		return
	}
	r.Unread = max(0, r.Unread+by)
	if c.mentionsMe(r, it) {
		r.Mentions = max(0, r.Mentions+by)
	}
}

// recount follows a change of an item; nil is none.
func (c *Client) recount(b *batch, r *roomState, seq uint64, before, after *itemRecord) {
	c.count(r, seq, before, -1)
	c.count(r, seq, after, 1)
	if after != nil && seq > r.Read && c.awaitsReading(after) && (r.FirstUnread <= r.Read || seq < r.FirstUnread) {
		r.FirstUnread = seq
	}
	if before != nil && seq == r.FirstUnread {
		r.firstGone = true
	}
	if after != nil && after.shown() {
		r.Newest = max(r.Newest, seq)
	}
	c.changed(b, r)
}

// readTo moves the read mark. What was unread before it is counted out already.
func (c *Client) readTo(b *batch, r *roomState, to uint64) {
	r.Read, r.FirstUnread, r.firstGone = to, to+1, true
	if to >= r.Cursor {
		r.Unread, r.Mentions = 0, 0
	}
	c.changed(b, r)
}

var errFound = errors.New("found")

// firstUnread gives the place of the first unread message, 0 if there is none.
func (c *Client) firstUnread(r *roomState) (uint64, error) {
	if r.Unread == 0 || !r.firstGone {
		if r.Unread == 0 {
			return 0, nil
		}
		return r.FirstUnread, nil
	}
	prefix := r.keyOf(prefixItem)
	at := uint64(0)
	err := c.vault.Scan(r.keyOf(prefixItem, u64(max(r.FirstUnread, r.Read+1))), after(prefix), func(k, v []byte) error {
		var it itemRecord
		if err := decodeRecord(v, &it); err != nil {
			return err
		}
		if !c.awaitsReading(&it) {
			return nil
		}
		at = binary.BigEndian.Uint64(k[len(prefix):])
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return 0, err
	}
	r.FirstUnread, r.firstGone = at, false
	return at, nil
}

const (
	backStride = 64
	backMost   = 16 * backStride // places that one look back for a preview covers
)

// newest gives the newest message that is still here, nil if there is none near
// the end of what is left.
func (c *Client) newest(r *roomState) (uint64, *itemRecord, error) {
	if r.Newest == 0 {
		return 0, nil, nil
	}
	there := func(it *itemRecord) bool {
		return it != nil && it.shown() && !c.ranOut(it)
	}
	it, err := c.readItem(c.batch(), r, r.Newest)
	if err != nil || there(it) {
		return r.Newest, it, err
	}
	for range backMost / backStride {
		high := r.Newest - 1
		low := high - min(high, backStride) + 1
		var at uint64
		var found *itemRecord
		err := c.eachItem(r, low, high, func(seq uint64, it *itemRecord) error {
			if there(it) {
				at, found = seq, it
			}
			return nil
		})
		if err != nil {
			return 0, nil, err
		}
		if found != nil {
			r.Newest = at
			return at, found, nil
		}
		if r.Newest = low; low <= 1 {
			r.Newest = 0
			break
		}
	}
	return 0, nil, nil
}

// summarize fills in what a list of rooms shows of the timeline.
func (c *Client) summarize(r *roomState, v *RoomView) error {
	v.Unread, v.Mentions, v.Activity = r.Unread, r.Mentions, int(r.Activity)
	first, err := c.firstUnread(r)
	if err != nil {
		return err
	}
	v.FirstUnread = int(first)
	seq, it, err := c.newest(r)
	if err != nil {
		return err
	}
	if it != nil {
		m := c.itemView(nil, r, seq, it)
		v.LastMessage = &m
	}
	b := c.batch()
	for _, o := range slices.Backward(r.outbox) {
		if m, shown := c.waitingView(b, r, o); shown {
			if v.Queued == 0 && (v.LastMessage == nil || m.Time >= v.LastMessage.Time) {
				v.LastMessage = &m
			}
			if o.Failed == "" {
				v.Queued++
			}
		}
	}
	if m := v.LastMessage; m != nil {
		m.Text = cut(m.Text)
		m.Quote, m.Reactions, m.Receipts = nil, nil, nil
		v.Activity = max(v.Activity, m.Time)
	}
	return nil
}

// countAnew makes the summary of a room whose record is of before there was one.
func (c *Client) countAnew(r *roomState) error {
	r.Unread, r.Mentions, r.FirstUnread, r.Newest = 0, 0, r.Read+1, 0
	r.firstGone, r.Counted = true, true
	prefix := r.keyOf(prefixItem)
	return c.vault.Scan(prefix, after(prefix), func(k, v []byte) error {
		it := new(itemRecord)
		if err := decodeRecord(v, it); err != nil {
			return err
		}
		seq := binary.BigEndian.Uint64(k[len(prefix):])
		c.count(r, seq, it, 1)
		if it.shown() {
			r.Newest, r.Activity = seq, max(r.Activity, it.Time)
		}
		return nil
	})
}

// quoteLength is how many characters a preview or a quote shows.
const quoteLength = 280

// cut shortens a text for a preview or a quote.
func cut(s string) string {
	n := 0
	for i := range s {
		if n++; n > quoteLength {
			return s[:i]
		}
	}
	return s
}
