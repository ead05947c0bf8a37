package client

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"sconce/content"
)

// SetDraft keeps what the person began to write in a room, on this device alone,
// so that what was replaced can't be brought back. Empty text drops it.
func (c *Client) SetDraft(id, text, replyTo string) error {
	if len(text) > content.MaxText {
		return fmt.Errorf("the draft has %d bytes; the limit is %d", len(text), content.MaxText)
	}
	d := &draftRecord{Text: text}
	if replyTo != "" {
		var err error
		if d.ReplyTo, err = parseMessageID(replyTo); err != nil {
			return err
		}
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return err
	}
	b := c.batch()
	if r.draft = d; text == "" {
		r.draft = nil
		b.delete(r.keyOf(prefixDraft))
	} else {
		b.putErasable(r.keyOf(prefixDraft), encodeRecord(d))
	}
	c.roomEvent(b, r)
	return b.apply()
}

func (c *Client) loadDrafts() error {
	return c.scan([]byte{prefixDraft}, func(k, v []byte) error {
		r, ok := c.rooms[[16]byte(k)]
		if !ok {
			return nil
		}
		r.draft = new(draftRecord)
		return decodeRecord(v, r.draft)
	})
}

func (c *Client) showDraft(r *roomState, v *RoomView) {
	if r.draft == nil {
		return
	}
	v.Draft = r.draft.Text
	if !r.draft.ReplyTo.IsZero() {
		v.DraftReply = c.quote(nil, r, r.draft.ReplyTo)
	}
}

// A nonce lets a caller repeat a Send of which it does not know whether it was
// carried out. Which message it made is remembered for a day.
const (
	maxNonce      = 128
	nonceLifetime = 24 * 3600_000 // milliseconds
)

func (r *roomState) nonceKey(nonce string) []byte {
	sum := sha256.Sum256([]byte(nonce))
	return r.keyOf(prefixNonce, sum[:16])
}

// sentFor finds the message that was sent for a nonce.
func (c *Client) sentFor(b *batch, r *roomState, nonce string) (*MessageView, error) {
	raw, err := b.get(r.nonceKey(nonce))
	if err != nil || len(raw) != 8+len(content.ID{}) {
		return nil, err
	}
	id := content.ID(raw[8:])
	seq, it, err := c.findItem(b, r, id)
	if err != nil {
		return nil, err
	}
	if it != nil {
		v := c.itemView(b, r, seq, it)
		return &v, nil
	}
	if _, v := c.findQueued(b, r, id); v != nil {
		return v, nil
	}
	// It was sent, and is gone from here.
	v := c.itemView(b, r, 0, &itemRecord{ID: id, User: c.device.User, Time: int64(binary.BigEndian.Uint64(raw)), Kind: "text", Deleted: true})
	return &v, nil
}

func (c *Client) rememberNonce(b *batch, r *roomState, nonce string, id content.ID) {
	b.put(r.nonceKey(nonce), append(u64(uint64(c.now())), id[:]...))
}

// forgetNonces drops those that nobody will repeat any more.
func (c *Client) forgetNonces(b *batch) error {
	return c.scan([]byte{prefixNonce}, func(k, v []byte) error {
		if len(v) < 8 || int64(binary.BigEndian.Uint64(v))+nonceLifetime < c.now() {
			b.delete(key(prefixNonce, k))
		}
		return nil
	})
}
