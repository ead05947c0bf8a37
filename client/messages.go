package client

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"

	"sconce/content"
	"sconce/identity"
)

// maxPage is how many messages one call reads.
const maxPage = 1000

// Messages gives up to limit messages before a place in a room's log, oldest
// first; before 0 means the newest, with those that wait to be sent last.
func (c *Client) Messages(id string, before, limit int) ([]MessageView, error) {
	return c.page(id, func(b *batch, r *roomState) ([]MessageView, error) {
		to := r.Cursor
		if before > 0 {
			to = min(to, uint64(before)-1)
		}
		views, err := c.backFrom(b, r, to, limit)
		if before == 0 {
			views = append(views, c.queuedViews(b, r)...)
		}
		return views, err
	}, &limit)
}

// MessagesAfter gives up to limit messages after a place, oldest first. If that
// is all there is, those that wait to be sent come last.
func (c *Client) MessagesAfter(id string, after, limit int) ([]MessageView, error) {
	return c.page(id, func(b *batch, r *roomState) ([]MessageView, error) {
		return c.onFrom(b, r, uint64(max(after, 0))+1, limit)
	}, &limit)
}

// MessagesAround gives up to limit messages, half of them up to a place and half
// after it, oldest first.
func (c *Client) MessagesAround(id string, place, limit int) ([]MessageView, error) {
	return c.page(id, func(b *batch, r *roomState) ([]MessageView, error) {
		at := min(uint64(max(place, 0)), r.Cursor)
		views, err := c.backFrom(b, r, at, limit-limit/2)
		if err != nil {
			return nil, err
		}
		on, err := c.onFrom(b, r, at+1, limit-len(views))
		return append(views, on...), err
	}, &limit)
}

// Message gives one message that is here, or waits to be sent.
func (c *Client) Message(id, message string) (MessageView, error) {
	target, err := parseMessageID(message)
	if err != nil {
		return MessageView{}, err
	}
	var found MessageView
	one := 1
	_, err = c.page(id, func(b *batch, r *roomState) ([]MessageView, error) {
		seq, it, err := c.findItem(b, r, target)
		if it != nil {
			found = c.itemView(b, r, seq, it)
			return nil, nil
		}
		if _, v := c.findQueued(b, r, target); v != nil {
			found = *v
			return nil, nil
		}
		return nil, errors.Join(err, errNoMessage)
	}, &one)
	return found, err
}

var errNoMessage = errors.New("there is no such message here")

// EarlierView is what a message said before it was edited.
type EarlierView struct {
	Text string `json:"text"`
	Time int    `json:"time"` // when it was written
}

// History gives what a message said before, the newest first. It goes with the
// message.
func (c *Client) History(id, message string) ([]EarlierView, error) {
	target, err := parseMessageID(message)
	if err != nil {
		return nil, err
	}
	var texts []EarlierView
	one := 1
	_, err = c.page(id, func(b *batch, r *roomState) ([]MessageView, error) {
		_, it, err := c.findItem(b, r, target)
		if it == nil {
			return nil, errors.Join(err, errNoMessage)
		}
		for _, e := range slices.Backward(it.Earlier) {
			texts = append(texts, EarlierView{Text: e.Text, Time: int(e.Time)})
		}
		return nil, nil
	}, &one)
	return texts, err
}

// page takes away what ran out, and then reads.
func (c *Client) page(id string, read func(*batch, *roomState) ([]MessageView, error), limit *int) ([]MessageView, error) {
	if *limit <= 0 || *limit > maxPage {
		*limit = maxPage
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	b := c.batch()
	if err := c.sweep(b); err != nil {
		return nil, err
	}
	r, err := c.findRoom(id)
	if err != nil {
		return nil, err
	}
	return read(b, r)
}

// backFrom reads up to limit items from a place backwards.
func (c *Client) backFrom(b *batch, r *roomState, to uint64, limit int) ([]MessageView, error) {
	var views []MessageView
	// Places without an item are rare, so walking back in strides finds enough.
	for high := to; high > 0 && len(views) < limit; {
		low := uint64(1)
		if stride := uint64(limit) + 50; high > stride {
			low = high - stride + 1
		}
		var part []MessageView
		if err := c.eachItem(r, low, high, func(seq uint64, it *itemRecord) error {
			if !c.ranOut(it) {
				part = append(part, c.itemView(b, r, seq, it))
			}
			return nil
		}); err != nil {
			return nil, err
		}
		views = append(part, views...)
		if high = low - 1; len(part) == 0 {
			last, err := c.lastItem(r, high)
			if err != nil {
				return nil, err
			}
			high = last
		}
	}
	return views[max(0, len(views)-limit):], nil
}

// firstItem gives the first place from one to another that has an item; 0 if none.
func (c *Client) firstItem(r *roomState, from, to uint64) (at uint64, err error) {
	prefix := r.keyOf(prefixItem)
	err = c.vault.Scan(r.keyOf(prefixItem, u64(from)), after(r.keyOf(prefixItem, u64(to))), func(k, _ []byte) error {
		at = binary.BigEndian.Uint64(k[len(prefix):])
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return at, err
}

// lastItem gives the last place up to one that has an item; 0 if none. How far
// apart two are, the server decides, so it takes no steps of a size.
func (c *Client) lastItem(r *roomState, to uint64) (uint64, error) {
	low, err := c.firstItem(r, 1, to)
	if low == 0 || err != nil {
		return 0, err
	}
	for low < to {
		middle := low + (to-low+1)/2
		at, err := c.firstItem(r, middle, to)
		if err != nil {
			return 0, err
		}
		if at == 0 {
			to = middle - 1
		} else {
			low = at
		}
	}
	return low, nil
}

// onFrom reads up to limit items from a place on, and at the end of the log what
// waits to be sent.
func (c *Client) onFrom(b *batch, r *roomState, from uint64, limit int) ([]MessageView, error) {
	var views []MessageView
	for low := from; low <= r.Cursor && len(views) < limit; {
		first, err := c.firstItem(r, low, r.Cursor)
		if err != nil {
			return nil, err
		}
		if first == 0 {
			break
		}
		high := min(r.Cursor, first+uint64(limit)+50)
		low = first
		if err := c.eachItem(r, low, high, func(seq uint64, it *itemRecord) error {
			if len(views) < limit && !c.ranOut(it) {
				views = append(views, c.itemView(b, r, seq, it))
			}
			return nil
		}); err != nil {
			return nil, err
		}
		low = high + 1
	}
	if len(views) < limit {
		views = append(views, c.queuedViews(b, r)...)
	}
	return views, nil
}

func (c *Client) queuedViews(b *batch, r *roomState) (views []MessageView) {
	for _, o := range r.outbox {
		if v, ok := c.waitingView(b, r, o); ok {
			views = append(views, v)
		}
	}
	return views
}

// findItem finds a message in the timeline; nil if it is not there.
func (c *Client) findItem(b *batch, r *roomState, id content.ID) (uint64, *itemRecord, error) {
	seq, ok, err := c.seen(b, r, id)
	if err != nil || !ok {
		return 0, nil, err
	}
	it, err := c.readItem(b, r, seq)
	if it == nil || err != nil || it.ID != id || c.ranOut(it) {
		return 0, nil, err
	}
	return seq, it, nil
}

// findQueued finds a message that waits to be sent.
func (c *Client) findQueued(b *batch, r *roomState, id content.ID) (*outboxEntry, *MessageView) {
	for _, o := range r.outbox {
		if v, ok := c.waitingView(b, r, o); ok && v.ID == id.String() {
			return o, &v
		}
	}
	return nil, nil
}

// itemView shows an item. b is what is about to be written, or nil.
func (c *Client) itemView(b *batch, r *roomState, seq uint64, it *itemRecord) MessageView {
	v := MessageView{Room: hex.EncodeToString(r.id[:]), Seq: int(seq), Sender: it.User.String(),
		Name: c.nameOf(it.User), Mine: it.User == c.device.User, Time: int(it.Time), State: Received, Kind: it.Kind,
		Text: it.Text, Edited: it.Edited, Deleted: it.Deleted, Expires: int(it.Expires), Burn: int(it.Burn), Problem: it.Problem}
	if !it.ID.IsZero() {
		v.ID = it.ID.String()
	}
	if v.Mine {
		v.State = Sent
	}
	if !it.ReplyTo.IsZero() {
		v.ReplyTo = it.ReplyTo.String()
		if !it.Deleted {
			v.Quote = c.quote(b, r, it.ReplyTo)
		}
	}
	v.Notice = c.noticeView(it)
	c.showReceipts(r, seq, &v)
	c.showMentions(r, it, &v)
	for _, w := range it.Warnings {
		v.Warnings = append(v.Warnings, string(w))
	}
	for _, x := range it.Reactions {
		i := slices.IndexFunc(v.Reactions, func(y ReactionView) bool { return y.Emoji == x.Emoji })
		if i < 0 {
			v.Reactions = append(v.Reactions, ReactionView{Emoji: x.Emoji})
			i = len(v.Reactions) - 1
		}
		y := &v.Reactions[i]
		if who := x.User.String(); !slices.Contains(y.By, who) {
			y.By = append(y.By, who)
		}
		if x.User == c.device.User {
			y.Mine = x.ID.String()
		}
	}
	return v
}

// waitingView is queuedView of what has not run out meanwhile.
func (c *Client) waitingView(b *batch, r *roomState, o *outboxEntry) (MessageView, bool) {
	if c.tooLate(o) {
		return MessageView{}, false
	}
	return c.queuedView(b, r, o)
}

// queuedView shows a message that waits in the outbox, if it is one to show.
func (c *Client) queuedView(b *batch, r *roomState, o *outboxEntry) (MessageView, bool) {
	m, err := content.Decode(o.Message)
	if err != nil {
		return MessageView{}, false
	}
	id, err := m.ID(c.userURI(c.device.User), c.roomURI(r.id))
	if err != nil {
		return MessageView{}, false
	}
	shown := m.View()
	if shown.Kind != content.KindText && shown.Kind != content.KindReply {
		return MessageView{}, false
	}
	t := m.Timers()
	it := &itemRecord{ID: id, User: c.device.User, Time: o.Time, Kind: string(shown.Kind), Text: shown.Text, Burn: t.Burn, Problem: o.Failed}
	it.All = c.mentionsAll(r, it)
	if shown.Kind == content.KindReply {
		it.ReplyTo = shown.Target
	}
	v := c.itemView(b, r, 0, it)
	v.State = Queued
	switch {
	case o.Failed != "" && o.Missed:
		v.State = Unknown
	case o.Failed != "":
		v.State = Failed
	}
	return v, true
}

// quote shows the message that another one answers, as it is now: nothing of it
// is kept elsewhere, so it goes when the message goes.
func (c *Client) quote(b *batch, r *roomState, target content.ID) *QuoteView {
	if b == nil {
		b = c.batch()
	}
	q := &QuoteView{ID: target.String()}
	_, it, err := c.findItem(b, r, target)
	if err != nil || it == nil || it.Deleted {
		q.Gone = true
		return q
	}
	q.Sender, q.Name, q.Text = it.User.String(), c.nameOf(it.User), cut(it.Text)
	return q
}

// tellReplies shows the replies to a message anew, because it changed or went.
func (c *Client) tellReplies(b *batch, r *roomState, target content.ID) error {
	if target.IsZero() {
		return nil
	}
	prefix := r.keyOf(prefixReplies, target[:])
	var places []uint64
	err := c.vault.Scan(prefix, after(prefix), func(k, _ []byte) error {
		if len(k) == len(prefix)+8 {
			places = append(places, binary.BigEndian.Uint64(k[len(prefix):]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, seq := range places {
		it, err := c.readItem(b, r, seq)
		if err != nil {
			return err
		}
		if it != nil {
			v := c.itemView(b, r, seq, it)
			b.event(Event{Message: &v})
		}
	}
	return nil
}

func (c *Client) noticeView(it *itemRecord) *NoticeView {
	n := it.Notice
	if n == nil {
		return nil
	}
	v := &NoticeView{What: n.What, Expire: int(n.Expire), Burn: int(n.Burn), Name: n.Name}
	if it.User != (identity.UserID{}) {
		v.By, v.ByName = it.User.String(), c.nameOf(it.User)
	}
	for _, u := range n.Who {
		v.Who, v.Names = append(v.Who, u.String()), append(v.Names, c.nameOf(u))
	}
	return v
}

// What is kept of earlier texts.
const (
	maxEarlier      = 20
	maxEarlierBytes = 64 << 10
)

// keepEarlier keeps what a message says before it is edited.
func (it *itemRecord) keepEarlier() {
	at := it.EditedAt
	if at == 0 {
		at = it.Time
	}
	it.Earlier = append(it.Earlier, earlierRecord{Text: it.Text, Time: at})
	size := 0
	for i, e := range slices.Backward(it.Earlier) {
		if size += len(e.Text); size > maxEarlierBytes || len(it.Earlier)-i > maxEarlier {
			it.Earlier = slices.Clone(it.Earlier[i+1:])
			return
		}
	}
}
