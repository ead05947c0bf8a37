package client

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"sconce/content"
	"sconce/identity"
	"sconce/room"
)

// Devices tell the others in a small room how far they have come in its log, and
// how far their person has read it, as messages that no timeline shows. A report
// is cumulative, so one stands for any number of messages, and a lost one for
// nothing. It tells nothing of a message that is gone: who sees the report only
// matches it with the messages that are still there.

const (
	maxReporting = 32   // people in a room where devices report
	reportEvery  = 2000 // milliseconds between two reports of a device in a room
	reportStep   = 1500 // how much longer each further device of a person waits, in milliseconds
	maxReTold    = 64   // messages that one report shows anew
)

// receiptRecord is what somebody has said of a room.
type receiptRecord struct {
	User      identity.UserID `cbor:"1,keyasint"`
	Delivered uint64          `cbor:"2,keyasint,omitempty"`
	Read      uint64          `cbor:"3,keyasint,omitempty"`
	Since     uint64          `cbor:"4,keyasint,omitempty"` // they came in here: what stands before was not for them
}

// reporting reports whether devices tell each other such things in a room.
func (c *Client) reporting(r *roomState) bool {
	n := len(r.participants().List)
	return !c.settings.NoReceipts && r.Kind != room.Self && n > 1 && n <= maxReporting
}

// owed is the report that this device would make now.
func (r *roomState) owed() content.Report {
	n := content.Report{Delivered: max(r.Told.Delivered, r.Heard)}
	n.Read = max(r.Told.Read, min(r.Read, n.Delivered))
	return n
}

// heard notes a message of somebody else's that came.
func (c *Client) heard(r *roomState, seq uint64, it *itemRecord) {
	if it.shown() && it.User != c.device.User {
		r.stopsTyping(it.User)
		r.Heard = max(r.Heard, seq)
		c.planReport(r)
	}
}

// planReport plans to tell the others, if there is something to tell. The devices
// of a person take turns, so that mostly one of them does.
func (c *Client) planReport(r *roomState) {
	if r.reportDue != 0 || !r.Member || r.owed() == r.Told || !c.reporting(r) {
		return
	}
	r.reportDue = max(c.now()+c.rank(r)*reportStep, r.reportedAt+reportEvery)
}

// rank is how many devices of this person come before this one in a room.
func (c *Client) rank(r *roomState) (rank int64) {
	g, err := c.openGroup(r)
	if err != nil || g == nil {
		return 0
	}
	own := c.deviceID()
	for _, leaf := range g.Members() {
		if cred, err := room.CredentialOf(leaf); err == nil && cred.User == c.device.User && bytes.Compare(cred.Device[:], own[:]) < 0 {
			rank++
		}
	}
	return rank
}

// report puts the report that is due into a room's outbox, in the place of one
// that still waits there.
func (c *Client) report(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if r.reportDue == 0 || r.reportDue > c.now() {
		return nil
	}
	r.reportDue = 0
	n := r.owed()
	if n == r.Told || !c.reporting(r) || !r.Member || r.Stuck != "" || len(r.outbox) >= maxQueued {
		return nil
	}
	b := c.batch()
	if n.Delivered > r.Told.Delivered { // nothing is said of what is gone meanwhile
		if _, it, err := c.readAt(b, r, n.Delivered); err != nil {
			return err
		} else if it == nil {
			r.Heard = r.Told.Delivered
			if n = r.owed(); n == r.Told {
				return nil
			}
		}
	}
	for _, o := range slices.Clone(r.outbox) {
		if o.report && o.Sealed == nil {
			c.dropOutbox(b, r, o)
		}
	}
	m, err := content.Reports(n)
	if err != nil {
		return err
	}
	if _, err := c.enqueue(b, r, m); err != nil {
		return err
	}
	r.Told, r.reportedAt = n, c.now()
	c.saveRoom(b, r)
	return b.apply()
}

// readAt reads the item at a place, if it has not run out.
func (c *Client) readAt(b *batch, r *roomState, seq uint64) (uint64, *itemRecord, error) {
	it, err := c.readItem(b, r, seq)
	if it == nil || err != nil || c.ranOut(it) {
		return 0, nil, err
	}
	return seq, it, nil
}

// reports reports whether this device is to make a report in a room, and can. In
// a room that has to move on first, the sync that moves it does.
func (c *Client) reports(r *roomState) bool {
	return r.reportDue != 0 && r.caughtUp && r.Member && r.Stuck == "" && r.staged == nil && r.Checked
}

// sendReports sends the reports that are due, and nothing else.
func (c *Client) sendReports(ctx context.Context) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	return c.eachRoom(func(r *roomState) error {
		if err := c.lock(); err != nil {
			return err
		}
		due := c.reports(r) && r.reportDue <= c.now()
		c.mu.Unlock()
		if !due {
			return nil
		}
		if err := c.report(r); err != nil {
			return err
		}
		err := c.flush(ctx, r)
		if errors.Is(err, errStale) {
			c.kick()
			return nil
		}
		return c.only(err)
	})
}

// takeReport takes in what another device said of a room's log.
func (c *Client) takeReport(b *batch, r *roomState, a arrival, n content.Report) error {
	if n.Delivered >= a.seq {
		return nil // nobody has what is not there yet
	}
	if a.user == c.device.User {
		r.Told.Delivered, r.Told.Read = max(r.Told.Delivered, n.Delivered), max(r.Told.Read, n.Read)
		return nil // saved with the room, after the entry
	}
	if !c.reporting(r) {
		return nil
	}
	if _, ok := r.participants().Find(a.user); !ok {
		return nil
	}
	receipts, err := c.receipts(r)
	if err != nil {
		return err
	}
	old := receipts[a.user]
	now := old
	now.User, now.Delivered, now.Read = a.user, max(old.Delivered, n.Delivered), max(old.Read, n.Read)
	if now == old {
		return nil
	}
	receipts[a.user] = now
	c.saveReceipts(b, r)
	from, to := old.Delivered, now.Delivered
	if now.Read > old.Read {
		from = min(from, old.Read)
		if now.Delivered == old.Delivered {
			to = now.Read
		}
	}
	for seq := max(from, to-min(to, maxReTold)) + 1; seq <= to; seq++ {
		it, err := c.readItem(b, r, seq)
		if err != nil {
			return err
		}
		if it != nil && it.User == c.device.User && it.shown() {
			v := c.itemView(b, r, seq, it)
			b.event(Event{Message: &v})
		}
	}
	return nil
}

// receipts gives what the people of a room have said, by person.
func (c *Client) receipts(r *roomState) (map[identity.UserID]receiptRecord, error) {
	if r.receipts != nil {
		return r.receipts, nil
	}
	raw, err := c.vault.Get(r.keyOf(prefixReceipts))
	if err != nil {
		return nil, err
	}
	var list []receiptRecord
	if raw != nil {
		if err := decodeRecord(raw, &list); err != nil {
			return nil, err
		}
	}
	r.receipts = make(map[identity.UserID]receiptRecord, len(list))
	for _, n := range list {
		r.receipts[n.User] = n
	}
	return r.receipts, nil
}

// saveReceipts saves what the people that are in a room have said.
func (c *Client) saveReceipts(b *batch, r *roomState) {
	var list []receiptRecord
	for _, q := range r.participants().List { // in order
		if n, ok := r.receipts[q.User]; ok {
			list = append(list, n)
		}
	}
	clear(r.receipts)
	for _, n := range list {
		r.receipts[n.User] = n
	}
	b.put(r.keyOf(prefixReceipts), encodeRecord(list))
}

// cameIn notes at which place somebody came into a room: what they say from then
// on is not about what stands before.
func (c *Client) cameIn(b *batch, r *roomState, u identity.UserID, seq uint64) error {
	if r.Kind == room.Self || len(r.participants().List) > maxReporting {
		return nil
	}
	receipts, err := c.receipts(r)
	if err != nil {
		return err
	}
	receipts[u] = receiptRecord{User: u, Since: seq}
	c.saveReceipts(b, r)
	return nil
}

// showReceipts fills in what became of a message of this person's.
func (c *Client) showReceipts(r *roomState, seq uint64, v *MessageView) {
	if !v.Mine || seq == 0 || v.Kind == kindNotice || !c.reporting(r) {
		return
	}
	receipts, err := c.receipts(r)
	if err != nil {
		return // the vault fails for whoever asks it next, too
	}
	w := &ReceiptsView{Delivered: []string{}, Read: []string{}}
	for _, q := range r.participants().List {
		n, ok := receipts[q.User]
		if !ok || seq <= n.Since || q.User == c.device.User {
			continue
		}
		if n.Delivered >= seq {
			w.Delivered = append(w.Delivered, q.User.String())
		}
		if n.Read >= seq {
			w.Read = append(w.Read, q.User.String())
		}
	}
	v.Receipts = w
	switch {
	case len(w.Read) > 0:
		v.State = Read
	case len(w.Delivered) > 0:
		v.State = Delivered
	}
}
