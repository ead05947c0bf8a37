package client

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/room"
)

// Kinds of timeline items beside content's.
const (
	kindNotice     = "notice"     // somebody came, went, changed something
	kindGap        = "gap"        // messages that this device will never have
	kindUnreadable = "unreadable" // a message that does not decrypt or decode
)

// hexBytes scans hex of exactly its length.
type hexBytes [16]byte

// Scan implements fmt.Scanner.
func (h *hexBytes) Scan(s fmt.ScanState, _ rune) error {
	tok, err := s.Token(false, nil)
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(string(tok))
	if err != nil || len(raw) != len(h) {
		return errors.New("not 16 bytes in hex")
	}
	copy(h[:], raw)
	return nil
}

func parseMessageID(s string) (id content.ID, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%.80q is not a message id", s)
	}
	return content.ID(raw), nil
}

// readItem reads the timeline item at a place, nil if there is none.
func (c *Client) readItem(b *batch, r *roomState, seq uint64) (*itemRecord, error) {
	k := r.keyOf(prefixItem, u64(seq))
	raw, err := b.get(k)
	if err != nil || raw == nil {
		return nil, err
	}
	it := new(itemRecord)
	return it, decodeRecord(raw, it)
}

// get reads through the batch: what it is about to write counts.
func (b *batch) get(k []byte) ([]byte, error) {
	for i := len(b.puts) - 1; i >= 0; i-- {
		if slices.Equal(b.puts[i].Key, k) {
			return b.puts[i].Value, nil
		}
	}
	return b.c.vault.Get(k)
}

func (c *Client) writeItem(b *batch, r *roomState, seq uint64, it *itemRecord) {
	k := r.keyOf(prefixItem, u64(seq))
	if !it.erasable() {
		b.put(k, encodeRecord(it))
		return
	}
	b.timely = true
	b.putErasable(k, encodeRecord(it))
	if it.Expires != 0 {
		b.put(key(prefixExpiry, u64(uint64(it.Expires)), r.id[:], u64(seq)), []byte{})
	}
}

// addItem puts a new item into the timeline, unless it has run out already:
// what is expired on arrival is never stored.
func (c *Client) addItem(b *batch, r *roomState, seq uint64, it *itemRecord) {
	it.Time = c.believed(it.Time)
	if !it.ID.IsZero() {
		b.put(r.keyOf(prefixIndex, it.ID[:]), u64(seq))
	}
	if it.shown() {
		r.Activity = max(r.Activity, it.Time)
		c.changed(b, r)
	}
	if c.ranOut(it) {
		b.timely = true
		return
	}
	c.writeItem(b, r, seq, it)
	c.recount(b, r, seq, nil, it)
	c.heard(r, seq, it)
	if !it.ReplyTo.IsZero() {
		b.put(r.keyOf(prefixReplies, it.ReplyTo[:], u64(seq)), []byte{})
	}
	v := c.itemView(b, r, seq, it)
	b.event(Event{Message: &v})
}

// seen reports whether a message id stands in the room's timeline, or stood.
func (c *Client) seen(b *batch, r *roomState, id content.ID) (seq uint64, ok bool, err error) {
	raw, err := b.get(r.keyOf(prefixIndex, id[:]))
	if err != nil || len(raw) != 8 {
		return 0, false, err
	}
	return binary.BigEndian.Uint64(raw), true, nil
}

// arrival is a message as it came out of the log.
type arrival struct {
	seq  uint64
	time int64 // the server's stamp
	user identity.UserID
	mine bool // sent by this very device
}

// deliver takes a decoded message into the timeline, or lets it act on what is
// there.
func (c *Client) deliver(b *batch, r *roomState, a arrival, m *content.Message) error {
	id, err := m.ID(c.userURI(a.user), c.roomURI(r.id))
	if err != nil {
		return c.unreadable(b, r, a, "a message that claims to be somebody else's")
	}
	if _, dup, err := c.seen(b, r, id); dup || err != nil {
		return err
	}
	v := m.View()
	if r.Kind == room.Self {
		if v.Kind == content.KindSelf {
			return c.takeNotes(b, a, v.Self)
		}
		return nil
	}
	switch v.Kind {
	case content.KindRoomState:
		return c.takeRoomState(b, r, a, v.Room)
	case content.KindReaction, content.KindUnreact, content.KindEdit, content.KindDelete:
		return c.act(b, r, a, id, v)
	case content.KindReport:
		return c.takeReport(b, r, a, *v.Report)
	case content.KindSelf:
		return nil // void outside the self-group
	}
	it := &itemRecord{ID: id, User: a.user, Time: a.time, Kind: string(v.Kind), Text: v.Text, Warnings: v.Warnings}
	it.All = c.mentionsAll(r, it)
	if v.Kind == content.KindReply {
		it.ReplyTo = v.Target
	}
	if v.Unsupported != "" {
		it.Problem = v.Unsupported
	}
	c.setTimers(it, m.Timers(), a)
	if err := c.burnBegan(b, r, it); err != nil {
		return err
	}
	if it.Burn != 0 && it.User != c.device.User && a.seq <= r.Read { // read on another device before it came here
		it.Expires = earlier(it.Expires, c.now()+int64(it.Burn)*1000)
	}
	c.addItem(b, r, a.seq, it)
	return nil
}

// burnBegan looks whether another device of this person has shown the message
// before it came here.
func (c *Client) burnBegan(b *batch, r *roomState, it *itemRecord) error {
	k := r.keyOf(prefixBurn, it.ID[:])
	raw, err := b.get(k)
	if err != nil || len(raw) != 8 {
		return err
	}
	b.delete(k)
	if it.Burn != 0 {
		at := c.here(int64(binary.BigEndian.Uint64(raw)))
		it.Expires = earlier(it.Expires, at+int64(it.Burn)*1000)
	}
	return nil
}

// setTimers starts what counts from arrival. A sender's own copy burns from
// sending; everyone else's from the first view.
func (c *Client) setTimers(it *itemRecord, t content.Timers, a arrival) {
	if t.Expire != 0 {
		it.Expires = max(1, c.here(a.time)+int64(t.Expire)*1000)
	}
	if t.At != 0 {
		it.Expires = earlier(it.Expires, int64(t.At)*1000)
	}
	it.Burn = t.Burn
	if t.Burn != 0 && a.user == c.device.User {
		it.Expires = earlier(it.Expires, c.here(a.time)+int64(t.Burn)*1000)
	}
}

func earlier(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// act lets a reaction, an edit or a deletion act on its target. One that comes
// from somebody else than who may, or whose target is not here, does nothing.
func (c *Client) act(b *batch, r *roomState, a arrival, id content.ID, v content.View) error {
	seq, ok, err := c.seen(b, r, v.Target)
	if err != nil {
		return err
	}
	b.put(r.keyOf(prefixIndex, id[:]), u64(seq))
	if !ok {
		return nil
	}
	it, err := c.readItem(b, r, seq)
	if it == nil || err != nil {
		return err
	}
	before := *it
	switch v.Kind {
	case content.KindReaction:
		for _, e := range v.Emoji {
			if it.takesReaction(a.user) {
				it.Reactions = append(it.Reactions, reactionRecord{ID: id, User: a.user, Emoji: e})
			}
		}
	case content.KindUnreact:
		it.Reactions = slices.DeleteFunc(it.Reactions, func(x reactionRecord) bool { return x.ID == v.Target && x.User == a.user })
	case content.KindEdit:
		if it.User != a.user || it.ID != v.Target || it.Deleted {
			return nil
		}
		it.keepEarlier()
		it.Text, it.Edited, it.EditedAt, it.Warnings = v.Text, true, a.time, v.Warnings
		it.All = c.mentionsAll(r, it)
	case content.KindDelete:
		if it.User != a.user || it.ID != v.Target {
			return nil
		}
		it.Text, it.Deleted, it.Reactions, it.Warnings, it.Earlier, it.All = "", true, nil, nil, nil, false
	}
	c.writeItem(b, r, seq, it)
	view := c.itemView(b, r, seq, it)
	b.event(Event{Message: &view})
	if it.Text == before.Text && it.Deleted == before.Deleted {
		return nil
	}
	c.recount(b, r, seq, &before, it)
	return c.tellReplies(b, r, it.ID)
}

// What one message collects, from all and from one person.
const (
	maxReactions    = 1000
	maxOwnReactions = 20
)

func (it *itemRecord) takesReaction(u identity.UserID) bool {
	own := 0
	for _, x := range it.Reactions {
		if x.User == u {
			own++
		}
	}
	return own < maxOwnReactions && len(it.Reactions) < maxReactions
}

func (c *Client) unreadable(b *batch, r *roomState, a arrival, why string) error {
	c.addItem(b, r, a.seq, &itemRecord{User: a.user, Time: a.time, Kind: kindUnreadable, Problem: why})
	return nil
}

func (c *Client) notice(b *batch, r *roomState, seq uint64, time int64, by identity.UserID, n noticeRecord, format string, args ...any) {
	if r.Kind != room.Self {
		c.addItem(b, r, seq, &itemRecord{User: by, Time: time, Kind: kindNotice, Notice: &n, Text: fmt.Sprintf(format, args...)})
	}
}

// takeRoomState believes settings whose hash the group has agreed on.
func (c *Client) takeRoomState(b *batch, r *roomState, a arrival, s *content.RoomState) error {
	if r.group == nil || s == nil {
		return nil
	}
	want, err := room.StateHash(r.group.Context())
	if err != nil {
		return err
	}
	got, err := s.Hash()
	if err != nil || got != want {
		return nil
	}
	raw, err := s.Encode()
	if err != nil {
		return err
	}
	if slices.Equal(raw, r.State) && r.Answer == 0 {
		return nil
	}
	c.tellSettings(b, r, a.seq, a.time, a.user, *s)
	r.State, r.Answer = raw, 0
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	return nil
}

// View tells that the person has seen a room up to a place. It starts the
// clocks of what burns after reading, on all of the person's devices.
func (c *Client) View(id string, upTo int) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return err
	}
	to := min(uint64(max(upTo, 0)), r.Cursor)
	if to <= r.Read {
		return nil
	}
	b := c.batch()
	notes := []content.Note{content.ReadMark{Room: r.id, Seq: to}}
	now := c.now()
	err = c.eachItem(r, r.Read+1, to, func(seq uint64, it *itemRecord) error {
		c.count(r, seq, it, -1)
		if it.Burn != 0 && it.User != c.device.User && c.startBurn(b, r, seq, it, now) {
			notes = append(notes, content.BurnStart{Room: r.id, Message: it.ID, At: uint64(c.serverTime())})
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.readTo(b, r, to)
	c.planReport(r)
	if err := c.tellSelf(b, notes...); err != nil {
		return err
	}
	if r.reportDue != 0 || !c.onlyDevice() { // else nobody is told, the server least of all
		c.kick()
	}
	return b.apply()
}

// startBurn starts a message's clock at a time, unless it runs out earlier.
func (c *Client) startBurn(b *batch, r *roomState, seq uint64, it *itemRecord, at int64) bool {
	expires := earlier(it.Expires, min(at, c.now())+int64(it.Burn)*1000)
	if expires == it.Expires {
		return false
	}
	it.Expires = expires
	c.writeItem(b, r, seq, it)
	v := c.itemView(b, r, seq, it)
	b.event(Event{Message: &v})
	return true
}

// eachItem calls fn with the items from one place to another, inclusive.
func (c *Client) eachItem(r *roomState, from, to uint64, fn func(seq uint64, it *itemRecord) error) error {
	prefix := r.keyOf(prefixItem)
	type found struct {
		seq uint64
		raw []byte
	}
	var all []found
	err := c.vault.Scan(r.keyOf(prefixItem, u64(from)), after(r.keyOf(prefixItem, u64(to))), func(k, v []byte) error {
		all = append(all, found{binary.BigEndian.Uint64(k[len(prefix):]), slices.Clone(v)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range all {
		it := new(itemRecord)
		if err := decodeRecord(f.raw, it); err != nil {
			return err
		}
		if err := fn(f.seq, it); err != nil {
			return err
		}
	}
	return nil
}

// ranOut reports whether an item is shown no more, whether or not it is removed yet.
func (c *Client) ranOut(it *itemRecord) bool { return it.Expires != 0 && it.Expires <= c.now() }

// sweep removes what ran out, if anything can be written.
func (c *Client) sweep(b *batch) error {
	if c.full {
		return nil
	}
	c.expire(b)
	return b.apply()
}

// Conceal tells screens of what ran out and can't be removed, each thing once:
// see [Config.Full].
func (c *Client) Conceal() error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	now := c.now()
	if now <= c.concealed {
		return nil
	}
	all, err := c.due(c.concealed+1, now)
	if err != nil {
		return err
	}
	b := c.batch()
	for _, d := range all {
		r, ok := c.rooms[d.room]
		if !ok {
			continue
		}
		it, err := c.readItem(b, r, d.seq)
		if err != nil {
			return err
		}
		if it != nil && c.ranOut(it) {
			if err := c.conceal(b, r, it); err != nil {
				return err
			}
			c.roomEvent(b, r)
		}
	}
	for _, r := range c.rooms {
		for _, o := range r.outbox {
			if c.tooLate(o) && o.ends > c.concealed {
				c.concealQueued(b, r, o)
			}
		}
	}
	c.concealed = now
	return b.apply()
}

// dueItem is where an item stands that runs out, and the key that says when.
type dueItem struct {
	room room.ID
	seq  uint64
	key  []byte
}

// due lists what runs out from one time to another, both included.
func (c *Client) due(from, to int64) (all []dueItem, err error) {
	err = c.vault.Scan(key(prefixExpiry, u64(uint64(from))), after(key(prefixExpiry, u64(uint64(to)))), func(k, _ []byte) error {
		all = append(all, dueItem{room.ID(k[9:25]), binary.BigEndian.Uint64(k[25:]), slices.Clone(k)})
		return nil
	})
	return all, err
}

// expire removes everything that has run out. What it removes can't be brought
// back once the batch is applied.
func (c *Client) expire(b *batch) {
	c.expireOutbox(b)
	all, err := c.due(0, c.now())
	if err != nil {
		_ = c.fail(fmt.Errorf("expiring: %w", err))
		return
	}
	for _, d := range all {
		b.delete(d.key)
		b.timely = true
		r, ok := c.rooms[d.room]
		if !ok {
			continue
		}
		it, err := c.readItem(b, r, d.seq)
		if err != nil {
			_ = c.fail(fmt.Errorf("expiring: %w", err))
			return
		}
		if it != nil && c.ranOut(it) {
			c.dropItem(b, r, d.seq, it)
		}
	}
}

// dropItem takes an item away with everything that shows a part of it.
func (c *Client) dropItem(b *batch, r *roomState, seq uint64, it *itemRecord) {
	b.delete(r.keyOf(prefixItem, u64(seq)))
	if !it.ReplyTo.IsZero() {
		b.delete(r.keyOf(prefixReplies, it.ReplyTo[:], u64(seq)))
	}
	c.recount(b, r, seq, it, nil)
	if err := c.conceal(b, r, it); err != nil {
		_ = c.fail(fmt.Errorf("expiring: %w", err))
	}
}

// conceal tells screens that an item is gone, with all that shows a part of it.
func (c *Client) conceal(b *batch, r *roomState, it *itemRecord) error {
	b.event(Event{Gone: &GoneEvent{Room: hex.EncodeToString(r.id[:]), ID: it.ID.String()}})
	return c.tellReplies(b, r, it.ID)
}

// nextExpiry gives when the next thing runs out, 0 if nothing does.
func (c *Client) nextExpiry() (next int64) {
	stop := errors.New("found")
	_ = c.vault.Scan([]byte{prefixExpiry}, after([]byte{prefixExpiry}), func(k, _ []byte) error {
		next = int64(binary.BigEndian.Uint64(k[1:9]))
		return stop
	})
	return next
}

// chainAt gives the running hash of the room's log at a place, if it is kept.
func (c *Client) chainAt(b *batch, r *roomState, seq uint64) (h api.Hash, ok bool, err error) {
	raw, err := b.get(r.keyOf(prefixHash, u64(seq)))
	if err != nil || len(raw) != len(h) {
		return h, false, err
	}
	return api.Hash(raw), true, nil
}
