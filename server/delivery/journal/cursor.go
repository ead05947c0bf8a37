package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"sconce/api"
	"sconce/server/delivery/journal/db"
)

// maxFlush is how many windows one transaction of acknowledgements writes, so
// that appends do not wait long for it.
const maxFlush = 2048

// restAfterFailure is how many ticks a failed flush waits to try again.
const restAfterFailure = 10

// Ack notes that a device has stored all of a log up to a place. It is noted in
// memory and written soon; see [api.Ack] for why it may be lost. A log or a
// window that is not there is no error: the device may just have left.
func (j *Journal) Ack(ctx context.Context, device api.DeviceID, log api.LogID, seq uint64) error {
	l, err := j.acquire(ctx, log)
	if err != nil {
		return err
	}
	defer j.release(l)
	l.mu.Lock()
	w := l.windows[device]
	news := false
	if w != nil {
		seq = min(seq, w.end(l.last))
		news = seq > w.taken
		w.taken = max(w.taken, seq)
	}
	l.mu.Unlock()
	if news {
		j.touch(l)
	}
	return nil
}

// touch enters a log among those that the next flush looks at. It stays in
// memory until then.
func (j *Journal) touch(l *Log) {
	l.mu.Lock()
	known := l.dirty
	l.dirty = true
	l.mu.Unlock()
	if known {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l.uses++
	if l.idle != nil {
		j.idle.Remove(l.idle)
		l.idle = nil
	}
	j.dirty = append(j.dirty, l)
}

// flush moves what is on the tape into the tables, writes acknowledgements, and
// deletes what every device has, in one transaction; then it erases the tape. It
// runs beside the committer, who gives it work and takes note of its end.
type flush struct {
	work  []cleared
	keys  map[[32]byte]Place // of the appends
	whole bool               // it takes all of the tape, and nobody appends meanwhile
	done  chan struct{}      // closed when what follows is set

	stored bool // all is in the tables
	err    error
}

// ended is closed when a flush has ended; without one it never is.
func (f *flush) ended() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.done
}

// cleared is what a flush writes of one log.
type cleared struct {
	log   *Log
	taken []ack
	spent []api.DeviceID // windows of devices that left and have it all
	floor uint64         // entries up to here go; 0 if there are none to go

	deleted uint64 // entries up to here went before

	from  uint64 // where the tables have the log
	last  uint64 // where it gets to
	hash  api.Hash
	taped []taped // what is between
}

type ack struct {
	device api.DeviceID
	seq    uint64
}

// beginFlush begins a flush if there is something to do. It reports whether
// there is more to do at once.
func (j *Journal) beginFlush(ctx context.Context) (more bool) {
	if j.resting > 0 {
		j.resting--
		return false
	}
	f := &flush{done: make(chan struct{})}
	cut, err := j.cut(f)
	if err != nil {
		j.fail(err) // cannot be: the flush before has erased what stood before its cut
		return false
	}
	f.work, more = j.takeWork()
	if len(f.work) == 0 && !cut {
		return false
	}
	j.flushing = f
	if j.tape == nil {
		j.run(ctx, f)
		j.endFlush()
		return more && j.stuck == nil
	}
	go j.run(ctx, f)
	return more
}

// cut gives a flush all that is on the tape, if anything is.
func (j *Journal) cut(f *flush) (some bool, err error) {
	if j.tape == nil {
		return false, nil
	}
	f.whole = j.stuck != nil || j.tape.Left()
	switch {
	case f.whole:
	case j.tape.Size() == 0:
		return false, nil
	default:
		if err := j.tape.Cut(); err != nil {
			return false, err
		}
	}
	j.recentMu.Lock()
	defer j.recentMu.Unlock()
	f.keys = j.recent
	j.recent, j.leaving = map[[32]byte]Place{}, f.keys
	return true, nil
}

// takeWork takes the logs that were touched. Where the committer waits for it,
// it takes some of them.
func (j *Journal) takeWork() (work []cleared, more bool) {
	logs := j.takeDirty()
	rows := 0
	for i, l := range logs {
		if rows >= maxFlush && j.tape == nil {
			j.putBack(logs[i:])
			return work, true
		}
		c := l.clear()
		rows += 1 + len(c.taken) + len(c.spent)
		work = append(work, c)
	}
	return work, false
}

// run does what a flush has to do.
func (j *Journal) run(ctx context.Context, f *flush) {
	defer close(f.done)
	if f.err = j.storeFlush(ctx, f); f.err != nil {
		return
	}
	f.stored = true
	if j.tape == nil {
		return
	}
	if f.err = j.tape.Erase(); f.err == nil && f.whole {
		f.err = errors.Join(j.tape.Cut(), j.tape.Erase())
	}
}

// awaitFlush waits for the flush that is under way, if one is.
func (j *Journal) awaitFlush() {
	if j.flushing != nil {
		<-j.flushing.done
		j.endFlush()
	}
}

// endFlush takes note of what a flush did.
func (j *Journal) endFlush() {
	f := j.flushing
	j.flushing = nil
	if !f.stored {
		for _, c := range f.work {
			j.putBack([]*Log{c.log})
		}
		j.recentMu.Lock()
		maps.Copy(j.recent, f.keys)
		j.leaving = nil
		j.recentMu.Unlock()
		j.fail(f.err)
		return
	}
	for _, c := range f.work {
		c.apply()
		j.weigh(c.log)
		j.release(c.log)
	}
	j.recentMu.Lock()
	j.leaving = nil
	j.recentMu.Unlock()
	if f.err != nil {
		j.fail(f.err)
		return
	}
	j.stuck = nil
}

// fail makes the next flush wait a little. Until it succeeds, nothing goes onto
// the tape.
func (j *Journal) fail(err error) {
	if _, ok := errors.AsType[*api.Error](j.trouble(err)); !ok {
		j.log.Error("writing what was acknowledged", "err", err)
	}
	j.stuck, j.resting = err, restAfterFailure
}

// flushNow makes a flush, and waits for it.
func (j *Journal) flushNow(ctx context.Context) error {
	j.awaitFlush()
	j.resting = 0
	for more := true; more; {
		more = j.beginFlush(ctx)
		j.awaitFlush()
	}
	return j.stuck
}

// clearTape waits until all that is on the tape is in the tables.
func (j *Journal) clearTape(ctx context.Context) error {
	j.awaitFlush()
	if j.stuck != nil || j.tape.Size() > 0 || j.tape.Left() {
		return j.flushNow(ctx)
	}
	return nil
}

func (j *Journal) takeDirty() []*Log {
	j.mu.Lock()
	defer j.mu.Unlock()
	logs := j.dirty
	j.dirty = nil
	return logs
}

// putBack keeps logs for the next flush, with their use counted. One that was
// touched again meanwhile is there already.
func (j *Journal) putBack(logs []*Log) {
	for _, l := range logs {
		l.mu.Lock()
		known := l.dirty
		l.dirty = true
		l.mu.Unlock()
		if known {
			j.release(l)
			continue
		}
		j.mu.Lock()
		j.dirty = append(j.dirty, l)
		j.mu.Unlock()
	}
}

// clear works out what there is to write of a log. What devices acknowledge
// from now on is for the next flush.
func (l *Log) clear() cleared {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = false
	c := cleared{log: l, deleted: l.floor, from: l.filed, last: l.last, hash: l.hash, taped: l.taped}
	for device, w := range l.windows {
		switch {
		case w.spent():
			c.spent = append(c.spent, device)
		case w.taken > w.saved:
			c.taken = append(c.taken, ack{device, w.taken})
		}
	}
	if low := l.low(); low > l.floor {
		c.floor = low
	}
	return c
}

// apply tells memory what the flush has written.
func (c *cleared) apply() {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range c.taken {
		if w := l.windows[a.device]; w != nil {
			w.saved = max(w.saved, a.seq)
		}
	}
	for _, device := range c.spent {
		if w := l.windows[device]; w != nil && w.spent() {
			delete(l.windows, device)
		}
	}
	l.floor = max(l.floor, c.floor)
	if len(c.taped) == 0 {
		return
	}
	if l.filed, l.taped = c.last, l.taped[len(c.taped):]; len(l.taped) == 0 {
		l.taped = nil // and with it what it was cut from
	}
}

func (j *Journal) storeFlush(ctx context.Context, f *flush) error {
	tx, err := j.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	s := &storing{ctx: ctx, j: j, tx: tx, queries: db.New(tx)}
	if err := s.file(f); err != nil {
		return err
	}
	for _, c := range f.work {
		if err := s.cleared(&c); err != nil {
			return err
		}
	}
	if err := j.at("flush"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// cleared writes what devices have, and deletes what all of them have.
func (s *storing) cleared(c *cleared) error {
	id := c.log.id[:]
	taken := s.tx.StmtContext(s.ctx, s.j.stmts.taken)
	for _, a := range c.taken {
		if _, err := taken.ExecContext(s.ctx, id, a.device[:], int64(a.seq)); err != nil {
			return fmt.Errorf("moving cursor: %w", err)
		}
	}
	for _, device := range c.spent {
		if err := s.queries.DropSpentWindow(s.ctx, db.DropSpentWindowParams{Log: id, Device: device[:]}); err != nil {
			return fmt.Errorf("dropping window: %w", err)
		}
	}
	if c.passes() {
		if _, err := s.tx.StmtContext(s.ctx, s.j.stmts.passed).ExecContext(s.ctx, id, int64(c.floor)); err != nil {
			return fmt.Errorf("deleting entries: %w", err)
		}
	}
	return nil
}

// passes reports whether there may be entries in the tables that are to go. What
// goes while it is on the tape never gets there.
func (c *cleared) passes() bool { return c.floor > 0 && c.deleted < c.from }
