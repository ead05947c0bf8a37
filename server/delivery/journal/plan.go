package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"math"
	"slices"

	"sconce/api"
)

// op is a write on its way through the committer.
type op struct {
	write *Write
	log   *Log
	inbox []*Log // of Change.Deliver

	entry     api.Entry // what is appended
	key       [32]byte  // by which a repeat is known
	delivered []*api.Entry
	twins     []*op // the same append, met in the same batch

	place Place
	done  func(Place, error)
}

func (j *Journal) newOp(ctx context.Context, w *Write, done func(Place, error)) (*op, error) {
	l, err := j.acquire(ctx, w.Log)
	if err != nil {
		return nil, err
	}
	o := &op{write: w, log: l, done: done}
	if w.Entry != nil {
		o.entry = *w.Entry
		o.key = appendKey(w.Entry.Sender, w.Log, w.Entry.ID)
	}
	if w.Change == nil {
		return o, nil
	}
	for _, d := range w.Change.Deliver {
		inbox, err := j.acquire(ctx, api.Inbox(d.Device))
		if err != nil {
			o.release(j)
			return nil, err
		}
		o.inbox = append(o.inbox, inbox)
	}
	return o, nil
}

func (o *op) release(j *Journal) {
	j.release(o.log)
	for _, l := range o.inbox {
		j.release(l)
	}
}

// answer ends the operation and those that wait for the same.
func (o *op) answer(j *Journal, at Place, err error) {
	o.release(j)
	o.done(at, err)
	for _, twin := range o.twins {
		twin.answer(j, at, err)
	}
}

// remembered reports whether a repeat must get the first answer.
func (o *op) remembered() bool { return o.write.Entry != nil && o.write.Entry.ID != api.AppendID{} }

func (o *op) size() int {
	n := len(o.entry.Message)
	if c := o.write.Change; c != nil {
		n += len(c.Deliver) * 4096 // what a Welcome has
	}
	return n
}

// appendKey is by what an append is remembered.
func appendKey(device api.DeviceID, log api.LogID, id api.AppendID) [32]byte {
	b := make([]byte, 0, 96)
	b = append(b, "sconce append 1\x00"...)
	b = append(b, device[:]...)
	b = append(b, log[:]...)
	b = append(b, id[:]...)
	return sha256.Sum256(b)
}

// plan is what one batch makes of one log.
type plan struct {
	log     *Log
	from    uint64 // the log's place before
	last    uint64
	hash    api.Hash
	state   State
	expires int64 // when the first of the new messages is due
	create  bool  // the log is new
	sealed  bool  // a change is in it: the next operations judge what comes after it
	entries []*api.Entry
	digests []api.Hash

	opens []opened
	close []api.DeviceID // end with the plan
	drop  []api.DeviceID
}

// opened is a window that the plan opens.
type opened struct {
	device api.DeviceID
	window
}

const never = math.MaxInt64

// batch is what one transaction writes, or one record of the tape.
type batch struct {
	now   int64
	taped bool  // it is on the tape, and no Change is in it
	ops   []*op // all that are in it
	plans []*plan
	keys  map[[32]byte]*op
}

// plan makes a batch of operations. Those that cannot be are answered; those
// that must see the result of another come back.
func (j *Journal) plan(ops []*op) (b *batch, later []*op) {
	b = &batch{now: j.clock.Millis(), keys: make(map[[32]byte]*op, len(ops))}
	blocked := map[*Log]bool{}
	for _, o := range ops {
		if p := o.log.plan; p != nil && p.sealed || blocked[o.log] {
			// Order is kept: nothing overtakes what was put off.
			later, blocked[o.log] = append(later, o), true
			continue
		}
		if first := b.keys[o.key]; first != nil && o.remembered() {
			first.twins = append(first.twins, o)
			continue
		}
		if err := b.admit(o); err != nil {
			o.answer(j, Place{}, err)
			continue
		}
		b.ops = append(b.ops, o)
		if o.remembered() {
			b.keys[o.key] = o
		}
	}
	for _, p := range b.plans {
		p.log.plan = nil
	}
	return b, later
}

// of gives the plan of a log, making it.
func (b *batch) of(l *Log) *plan {
	if l.plan == nil {
		l.plan = &plan{log: l, from: l.last, last: l.last, hash: l.hash, state: l.state, expires: never, create: !l.exists}
		b.plans = append(b.plans, l.plan)
	}
	return l.plan
}

// admit checks an operation against what the batch makes of its log, and
// enters it.
func (b *batch) admit(o *op) error {
	if o.log.behind.Load() {
		return errBehind
	}
	for _, l := range o.inbox {
		if l.behind.Load() {
			return errBehind
		}
	}
	c := o.write.Change
	if c == nil {
		if err := o.log.checkApplication(&o.entry); err != nil {
			return err
		}
		b.append(b.of(o.log), &o.entry)
		o.place = b.placeOf(o)
		return nil
	}
	switch {
	case c.Create && o.log.exists:
		return ErrMoved
	case !c.Create && (!o.log.exists || o.log.state != c.From):
		return ErrMoved
	}
	b.change(o, c)
	return nil
}

func (b *batch) placeOf(o *op) Place {
	p := o.log.plan
	return Place{Seq: p.last, Time: o.entry.Time, Hash: p.hash}
}

// change enters an operation that has a Change.
func (b *batch) change(o *op, c *Change) {
	p := b.of(o.log)
	before := p.hash
	if o.write.Entry != nil {
		b.append(p, &o.entry)
	}
	o.place = b.placeOf(o)
	p.state, p.sealed = c.To, true
	p.close, p.drop = append(p.close, c.Close...), append(p.drop, c.Drop...)
	p.opens = slices.DeleteFunc(p.opens, func(w opened) bool { return slices.Contains(c.Drop, w.device) })
	for _, open := range c.Open {
		w := window{user: open.User, from: p.last + 1, taken: p.last, saved: p.last, before: p.hash}
		if open.At && o.write.Entry != nil {
			w.from, w.taken, w.saved, w.before = p.last, p.last-1, p.last-1, before
		}
		p.opens = append(p.opens, opened{open.Device, w})
	}
	o.delivered = o.delivered[:0]
	for i, d := range c.Deliver {
		inbox := b.of(o.inbox[i])
		if !inbox.reads(d.Device) {
			inbox.opens = append(inbox.opens, opened{d.Device, window{user: d.User, from: inbox.last + 1,
				taken: inbox.last, saved: inbox.last, before: inbox.hash}})
		}
		e := d.Entry
		e.Message = d.Message(o.place)
		b.append(inbox, &e)
		o.delivered = append(o.delivered, &e)
	}
}

// reads reports whether a device has a window after the plan. One that was
// removed has none in its own inbox, and needs it again if a recovery brings it
// back. Only the committer changes which windows there are.
func (p *plan) reads(device api.DeviceID) bool {
	if slices.ContainsFunc(p.opens, func(w opened) bool { return w.device == device }) {
		return true
	}
	return p.log.windows[device] != nil && !slices.Contains(p.drop, device)
}

// append gives an entry its place in a plan.
func (b *batch) append(p *plan, e *api.Entry) {
	if e.Time == 0 {
		e.Time = b.now
	}
	p.last++
	e.Seq = p.last
	digest := e.Sum()
	p.hash = api.Chain(p.hash, digest)
	p.expires = min(p.expires, e.Time+e.Keep.Duration())
	p.entries, p.digests = append(p.entries, e), append(p.digests, digest)
}

// checkApplication is RFC 9420, Section 12.4, as far as a server can keep it:
// an application message is of the present epoch, and none goes while a
// proposal waits. The log is that of its last commit: one in the same batch
// puts the message off.
func (l *Log) checkApplication(e *api.Entry) error {
	l.mu.Lock()
	w := l.windows[e.Sender]
	l.mu.Unlock()
	switch {
	case !l.exists:
		return api.Errorf(api.NotFound, "there is no such room")
	case w == nil || w.to > 0:
		return api.Errorf(api.Forbidden, "this device is not in the room: join it first")
	case e.Generation != l.state.Generation:
		return api.Errorf(api.Stale, "the room is in generation %d, not %d: sync first", l.state.Generation, e.Generation)
	case e.Epoch != l.state.Epoch:
		return api.Errorf(api.Stale, "the room is in epoch %d, not %d: sync first", l.state.Epoch, e.Epoch)
	case l.state.Pending > 0:
		return api.Errorf(api.Stale, "a proposal waits in the room: commit it first")
	}
	return nil
}

// Tx is the transaction of a [Change].
type Tx struct {
	*sql.Tx
	At        Place
	Delivered []uint64 // places in the inboxes, in the order of Change.Deliver
}
