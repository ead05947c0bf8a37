package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/content"
	"sconce/mls"
	"sconce/room"
)

// maxQueued bounds a room's outbox.
const maxQueued = 10_000

func (c *Client) loadOutboxes() error {
	return c.scan([]byte{prefixOutbox}, func(k, v []byte) error {
		r, ok := c.rooms[room.ID(k[:16])]
		if !ok {
			return nil
		}
		o := &outboxEntry{number: binary.BigEndian.Uint64(k[16:])}
		r.outbox = append(r.outbox, o)
		if err := decodeRecord(v, &o.outboxRecord); err != nil {
			return err
		}
		o.setEnd()
		return nil
	})
}

// setEnd works out whether screens show a message that waits, and when it runs
// out: the earlier of its timers, counted from when the person sent it.
func (o *outboxEntry) setEnd() {
	m, err := content.Decode(o.Message)
	if err != nil {
		return
	}
	kind := m.View().Kind
	o.report = kind == content.KindReport
	o.shows = kind == content.KindText || kind == content.KindReply
	t := m.Timers()
	if s := shorter(t.Expire, t.Burn); s != 0 {
		o.ends = o.Time + int64(s)*1000
	}
}

// remembered is how long the server remembers append ids, in milliseconds.
const remembered = 90 * 24 * 3600_000

// expireOutbox takes away what ran out before it was known to be sent. Of a
// message that may be in the log, what knows it there is kept: its id and its
// ciphertext, whose key is gone.
func (c *Client) expireOutbox(b *batch) {
	now := c.now()
	for _, r := range c.rooms {
		for _, o := range slices.Clone(r.outbox) {
			if o.Message == nil && now > o.Time+remembered {
				c.dropOutbox(b, r, o)
				continue
			}
			if !c.tooLate(o) {
				continue
			}
			b.timely = true
			c.concealQueued(b, r, o)
			if o.Sealed == nil || o.Failed != "" {
				c.dropOutbox(b, r, o)
				continue
			}
			o.Message, o.Failed = nil, "it ran out before it was sent"
			c.saveOutbox(b, r, o)
		}
	}
}

// tooLate reports whether a message ran out before it was sent.
func (c *Client) tooLate(o *outboxEntry) bool {
	return o.ends != 0 && o.ends <= c.now() && o.Message != nil
}

// concealQueued tells screens that a message that waits is gone.
func (c *Client) concealQueued(b *batch, r *roomState, o *outboxEntry) {
	if v, shown := c.queuedView(b, r, o); shown {
		b.event(Event{Gone: &GoneEvent{Room: v.Room, ID: v.ID}})
		c.roomEvent(b, r)
	}
}

// enqueue puts a message into a room's outbox. Its append id and salt stay
// whatever happens to it.
func (c *Client) enqueue(b *batch, r *roomState, m *content.Message) (*outboxEntry, error) {
	if len(r.outbox) >= maxQueued {
		return nil, fmt.Errorf("%d messages wait to be sent to this room already", len(r.outbox))
	}
	raw, err := m.Encode()
	if err != nil {
		return nil, err
	}
	o := &outboxEntry{outboxRecord: outboxRecord{Message: raw, Time: c.now()}}
	o.setEnd()
	b.timely = b.timely || o.ends != 0
	_, _ = rand.Read(o.ID[:]) // never fails
	if n := len(r.outbox); n > 0 {
		o.number = r.outbox[n-1].number + 1
	}
	r.outbox = append(r.outbox, o)
	c.saveOutbox(b, r, o)
	return o, nil
}

func (c *Client) saveOutbox(b *batch, r *roomState, o *outboxEntry) {
	b.reached = true
	b.putErasable(r.keyOf(prefixOutbox, u64(o.number)), encodeRecord(&o.outboxRecord))
}

func (c *Client) dropOutbox(b *batch, r *roomState, o *outboxEntry) {
	b.reached = true
	b.delete(r.keyOf(prefixOutbox, u64(o.number)))
	r.outbox = slices.DeleteFunc(r.outbox, func(x *outboxEntry) bool { return x == o })
}

// missOutbox notes that what waits may stand in a part of the log that this device
// does not see: it may have sent it before its store was put back to an old copy,
// or have missed the answer. Asked to take it again, the server would tell.
func (c *Client) missOutbox(b *batch, r *roomState) {
	for _, o := range r.outbox {
		if o.Failed == "" && !o.Missed {
			o.Missed = true
			c.saveOutbox(b, r, o)
		}
	}
}

// failOutbox gives up everything that waits.
func (c *Client) failOutbox(b *batch, r *roomState, why string) {
	for _, o := range slices.Clone(r.outbox) {
		if o.Failed == "" {
			c.giveUp(b, r, o, why)
		}
	}
}

// failOne gives up a message of which the server said what became of it.
func (c *Client) failOne(b *batch, r *roomState, o *outboxEntry, why string) {
	o.Missed = false
	c.giveUp(b, r, o, why)
}

func (c *Client) giveUp(b *batch, r *roomState, o *outboxEntry, why string) {
	o.Failed = why
	v, shown := c.queuedView(b, r, o)
	if !shown {
		c.dropOutbox(b, r, o)
		return
	}
	c.saveOutbox(b, r, o)
	b.event(Event{Message: &v})
}

// Send puts a message on its way. When it returns the message is saved, and
// goes out by itself, once, whatever happens.
func (c *Client) Send(id string, d Draft) (MessageView, error) {
	if d.Text == "" {
		return MessageView{}, errors.New("there is nothing to send")
	}
	if len(d.Nonce) > maxNonce {
		return MessageView{}, fmt.Errorf("a nonce has at most %d bytes", maxNonce)
	}
	if d.Expire < 0 || d.Burn < 0 || d.Expire > content.MaxTimer || d.Burn > content.MaxTimer {
		return MessageView{}, fmt.Errorf("a timer is from 1 second to %d days", content.MaxTimer/86400)
	}
	m := content.Text(d.Text)
	if d.ReplyTo != "" {
		target, err := parseMessageID(d.ReplyTo)
		if err != nil {
			return MessageView{}, err
		}
		m = content.Reply(target, d.Text)
	}
	if err := c.lock(); err != nil {
		return MessageView{}, err
	}
	defer c.mu.Unlock()
	b := c.batch()
	if r, err := c.findRoom(id); err == nil && d.Nonce != "" {
		if v, err := c.sentFor(b, r, d.Nonce); v != nil || err != nil {
			return deref(v), err
		}
	}
	r, err := c.writable(id)
	if err != nil {
		return MessageView{}, err
	}
	if err := c.checkMentions(r, d.Text); err != nil {
		return MessageView{}, err
	}
	s := r.state()
	m.SetTimers(content.Timers{Expire: shorter(uint32(d.Expire), s.Expire), Burn: shorter(uint32(d.Burn), s.Burn)})
	if d.Nonce != "" {
		mid, err := m.ID(c.userURI(c.device.User), c.roomURI(r.id))
		if err != nil {
			return MessageView{}, err
		}
		c.rememberNonce(b, r, d.Nonce, mid)
	}
	return c.post(b, r, m)
}

func deref(v *MessageView) MessageView {
	if v == nil {
		return MessageView{}
	}
	return *v
}

// shorter gives the shorter of two timers, where 0 is none.
func shorter(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// writable finds a room that takes messages from this device.
func (c *Client) writable(id string) (*roomState, error) {
	r, err := c.findRoom(id)
	switch {
	case err != nil:
		return nil, err
	case r.Left:
		return nil, errors.New("this device is no longer in this room")
	}
	if name := c.distrusted(r); name != "" {
		return nil, fmt.Errorf("the identity of %s changed in a way that can't be true: compare safety numbers (\"verify\") before you write here", name)
	}
	return r, nil
}

// distrusted names somebody in the room whose identity changed in a way that
// can't be true.
func (c *Client) distrusted(r *roomState) string {
	for _, q := range r.participants().List {
		if c.trust(q.User) == Changed {
			return c.nameOf(q.User)
		}
	}
	return ""
}

func (c *Client) post(b *batch, r *roomState, m *content.Message) (MessageView, error) {
	o, err := c.enqueue(b, r, m)
	if err != nil {
		return MessageView{}, err
	}
	v, shown := c.queuedView(b, r, o)
	if shown {
		b.event(Event{Message: &v})
		c.roomEvent(b, r)
	}
	if err := b.apply(); err != nil {
		return MessageView{}, err
	}
	c.kick()
	return v, nil
}

// Retry sends a message of one's own again that the room did not take, or that
// waits.
func (c *Client) Retry(id, message string) error {
	return c.withQueued(id, message, func(b *batch, r *roomState, o *outboxEntry) error {
		if o.Failed == "" {
			return nil // it is being tried
		}
		if _, err := c.writable(id); err != nil {
			return err
		}
		o.Failed, o.sent = "", false
		c.saveOutbox(b, r, o)
		if v, shown := c.queuedView(b, r, o); shown {
			b.event(Event{Message: &v})
		}
		return nil
	})
}

// Discard drops a message of one's own that was not sent. One that may have left
// this device already can't be taken back so.
func (c *Client) Discard(id, message string) error {
	return c.withQueued(id, message, func(b *batch, r *roomState, o *outboxEntry) error {
		if o.Failed == "" && o.Sealed != nil {
			return errors.New("this message may be on its way already: delete it once it is sent")
		}
		b.event(Event{Gone: &GoneEvent{Room: hex.EncodeToString(r.id[:]), ID: message}})
		if o.Sealed == nil {
			c.dropOutbox(b, r, o)
			return nil
		}
		o.Message, o.Failed = nil, "it was discarded" // if the log has it after all, this device must know it
		c.saveOutbox(b, r, o)
		return nil
	})
}

func (c *Client) withQueued(id, message string, fn func(*batch, *roomState, *outboxEntry) error) error {
	target, err := parseMessageID(message)
	if err != nil {
		return err
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
	o, _ := c.findQueued(b, r, target)
	if o == nil {
		return errors.New("no such message waits here")
	}
	if err := fn(b, r, o); err != nil {
		return err
	}
	c.roomEvent(b, r)
	c.kick()
	return b.apply()
}

// React puts an emoji under a message.
func (c *Client) React(id, message, emoji string) error {
	return c.postAbout(id, message, func(t content.ID) *content.Message { return content.Reaction(t, emoji) })
}

// Unreact takes a reaction of one's own back.
func (c *Client) Unreact(id, message, reaction string) error {
	x, err := parseMessageID(reaction)
	if err != nil {
		return err
	}
	return c.postAbout(id, message, func(t content.ID) *content.Message { return content.Unreact(t, x) })
}

// Edit gives a message of one's own a new text. The timers of the message stay.
func (c *Client) Edit(id, message, text string) error {
	if text == "" {
		return errors.New("there is nothing to say; delete the message instead")
	}
	return c.postOwn(id, message, func(r *roomState, it *itemRecord) error {
		if it.All {
			return nil
		}
		return c.checkMentions(r, text)
	}, func(t content.ID) *content.Message { return content.Edit(t, text) })
}

// Delete takes a message of one's own back on every device.
func (c *Client) Delete(id, message string) error {
	return c.postOwn(id, message, nil, content.Delete)
}

func (c *Client) postOwn(id, message string, check func(*roomState, *itemRecord) error, make func(content.ID) *content.Message) error {
	return c.postChecked(id, message, func(r *roomState, it *itemRecord) error {
		switch {
		case it.User != c.device.User:
			return errors.New("only the author of a message can change it")
		case check != nil:
			return check(r, it)
		}
		return nil
	}, make)
}

func (c *Client) postAbout(id, message string, make func(content.ID) *content.Message) error {
	return c.postChecked(id, message, func(*roomState, *itemRecord) error { return nil }, make)
}

// postChecked posts something about a message that stands here. What it says
// lives no longer than the message it is about.
func (c *Client) postChecked(id, message string, check func(*roomState, *itemRecord) error, make func(content.ID) *content.Message) error {
	target, err := parseMessageID(message)
	if err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r, err := c.writable(id)
	if err != nil {
		return err
	}
	b := c.batch()
	seq, ok, err := c.seen(b, r, target)
	if err != nil {
		return err
	}
	var it *itemRecord
	if ok {
		if it, err = c.readItem(b, r, seq); err != nil {
			return err
		}
	}
	if it == nil || it.Kind == kindNotice || it.Kind == kindGap {
		return errors.New("there is no such message here")
	}
	if err := check(r, it); err != nil {
		return err
	}
	m := make(target)
	if it.Expires != 0 {
		m.SetTimers(content.Timers{Expire: uint32(max(1, (it.Expires-c.now())/1000))})
	}
	_, err = c.post(c.batch(), r, m)
	return err
}

// resendState tells the newly added the room's name and settings, which the
// server can't.
func (c *Client) resendState(b *batch, r *roomState) error {
	if !r.stateTold() || len(r.outbox) >= maxQueued {
		return nil
	}
	s := r.state()
	m, err := content.Room(&s)
	if err != nil {
		return err
	}
	_, err = c.enqueue(b, r, m)
	return err
}

// answer tells a newcomer the room's state, or in the self-group what the person
// chose, when this device's moment has come and nobody else did.
func (c *Client) answer(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if r.Answer == 0 || r.Answer > c.now() {
		return nil
	}
	r.Answer = 0
	b := c.batch()
	tell := c.resendState
	if r.Kind == room.Self {
		tell = c.tellAll
	}
	if err := tell(b, r); err != nil {
		return err
	}
	c.saveRoom(b, r)
	return b.apply()
}

// flushBatch is how many messages are encrypted and saved in one go.
const flushBatch = 64

// flush sends what waits in a room's outbox, in order. It stops, without an
// error, when the room has to move on first. The caller has the turn.
func (c *Client) flush(ctx context.Context, r *roomState) error {
	for {
		requests, err := c.encryptQueued(r)
		if err != nil || len(requests) == 0 {
			return err
		}
		for _, q := range requests {
			resp, err := authed(ctx, c, api.Append, q.req)
			if err != nil {
				if err := c.refused(r, q.entry, err); err != nil {
					if c.onlyReports(r) && (apiCode(err) == api.Unavailable || apiCode(err) == api.RateLimited) {
						return nil // reading goes on where the server takes nothing
					}
					return err
				}
				break // of the rest, what may still go is encrypted again
			}
			if err := c.accepted(r, q.entry, resp); err != nil {
				return err
			}
		}
	}
}

// onlyReports reports whether nothing waits in a room's outbox that a person
// would miss.
func (c *Client) onlyReports(r *roomState) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(r.outbox, func(o *outboxEntry) bool { return !o.report })
}

// accepted notes that the server took a message: the log will bring it. Where
// this device has passed its place already, as after a store was put back and
// the device joined again, nothing more will come, and it goes there now.
func (c *Client) accepted(r *roomState, o *outboxEntry, at *api.AppendResponse) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	o.sent = true
	if at.Seq > r.Cursor || !slices.Contains(r.outbox, o) {
		return nil
	}
	b := c.batch()
	if it, err := c.readItem(b, r, at.Seq); err != nil {
		return err
	} else if passed := it == nil && r.status != nil && at.Seq < r.status.From; !passed && (it == nil || it.Kind != kindGap) {
		// The log had something else there, or nothing to miss: only the server
		// says that it took the message.
		c.failOne(b, r, o, "the server says that it took this, but the log does not show it")
		return b.apply()
	}
	if err := c.sentMessage(b, r, &api.Entry{Seq: at.Seq, Time: at.Time, Message: o.Sealed}, o); err != nil {
		return err
	}
	return b.apply()
}

type queued struct {
	entry *outboxEntry
	req   *api.AppendRequest
}

// encryptQueued encrypts the next messages and saves the ratchet before any of
// them can leave: a key is used once, also over a crash.
func (c *Client) encryptQueued(r *roomState) ([]queued, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	if !r.caughtUp || r.Stuck != "" || r.Left || !r.Made || c.distrusted(r) != "" {
		return nil, nil
	}
	g, err := c.openGroup(r)
	if g == nil || err != nil || len(g.Pending()) > 0 { // what is pending is committed first
		return nil, err
	}
	b := c.batch()
	var out []queued
	for _, o := range r.outbox {
		if o.sent || o.Failed != "" {
			continue
		}
		if o.Sealed == nil || o.Generation != r.Generation || o.Epoch != g.Context().Epoch {
			if err := c.seal(b, r, g, o); err != nil {
				return nil, err
			}
		}
		out = append(out, queued{o, &api.AppendRequest{Room: r.id, ID: o.ID, Generation: r.Generation, Keep: keepOf(o.Message), Message: o.Sealed}})
		if len(out) == flushBatch {
			break
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	c.saveGroup(b, r)
	return out, b.apply()
}

// seal encrypts a message for the present epoch.
func (c *Client) seal(b *batch, r *roomState, g *mls.Group, o *outboxEntry) (err error) {
	f := content.Frame{Place: content.Place{Seq: r.Cursor, Hash: r.Hash}, Message: o.Message}
	if o.Sealed, err = g.Encrypt(nil, f.Bytes()); err != nil {
		return fmt.Errorf("encrypting: %w", err)
	}
	o.Generation, o.Epoch = r.Generation, g.Context().Epoch
	c.saveOutbox(b, r, o)
	return nil
}

// keepOf gives the keep class for a message: the server learns how long in
// four steps, never the timer itself.
func keepOf(raw []byte) api.Keep {
	m, err := content.Decode(raw)
	if err != nil {
		return api.KeepMonth
	}
	t := m.Timers()
	return api.KeepFor(int64(t.Expire) * 1000)
}

// refused decides what becomes of a message that the server did not take.
func (c *Client) refused(r *roomState, o *outboxEntry, err error) error {
	switch apiCode(err) {
	case api.Stale:
		return errStale
	case api.Invalid, api.TooLarge, api.Conflict:
		if lockErr := c.lock(); lockErr != nil {
			return lockErr
		}
		defer c.mu.Unlock()
		b := c.batch()
		c.failOne(b, r, o, err.Error())
		return b.apply()
	case api.Forbidden, api.NotFound:
		return fmt.Errorf("%w: %w", errRoom, err) // the log will tell that this device is out
	}
	return fmt.Errorf("sending: %w", err)
}

// errStale says that a room moved on: read its log, then try again.
var errStale = errors.New("the room moved on")
