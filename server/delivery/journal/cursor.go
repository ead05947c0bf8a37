package journal

import (
	"context"
	"errors"
	"fmt"

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

// cleared is what a flush writes of one log.
type cleared struct {
	log   *Log
	taken []ack
	spent []api.DeviceID // windows of devices that left and have it all
	floor uint64         // delete entries up to here; 0 if there are none to delete
}

type ack struct {
	device api.DeviceID
	seq    uint64
}

// flush writes acknowledgements and deletes what every device has. It reports
// whether there is more to do at once.
func (j *Journal) flush(ctx context.Context) (more bool) {
	if j.resting > 0 {
		j.resting--
		return false
	}
	logs := j.takeDirty()
	if len(logs) == 0 {
		return false
	}
	var work []cleared
	rows := 0
	for i, l := range logs {
		if rows >= maxFlush {
			j.putBack(logs[i:])
			more = true
			break
		}
		c := l.clear()
		rows += 1 + len(c.taken) + len(c.spent)
		work = append(work, c)
	}
	if err := j.storeCleared(ctx, work); err != nil {
		if _, ok := errors.AsType[*api.Error](j.trouble(err)); !ok {
			j.log.Error("writing acknowledgements", "err", err)
		}
		for _, c := range work {
			j.putBack([]*Log{c.log})
		}
		j.resting = restAfterFailure
		return false
	}
	for _, c := range work {
		c.apply()
		j.weigh(c.log)
		j.release(c.log)
	}
	return more
}

func (j *Journal) takeDirty() []*Log {
	j.mu.Lock()
	defer j.mu.Unlock()
	logs := j.dirty
	j.dirty = nil
	return logs
}

// putBack keeps logs for the next flush, with their use counted.
func (j *Journal) putBack(logs []*Log) {
	for _, l := range logs {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dirty = append(j.dirty, logs...)
}

// clear works out what there is to write of a log. What devices acknowledge
// from now on is for the next flush.
func (l *Log) clear() cleared {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = false
	c := cleared{log: l}
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
}

func (j *Journal) storeCleared(ctx context.Context, work []cleared) error {
	tx, err := j.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	taken, passed := tx.StmtContext(ctx, j.stmts.taken), tx.StmtContext(ctx, j.stmts.passed)
	queries := db.New(tx)
	for _, c := range work {
		id := c.log.id[:]
		for _, a := range c.taken {
			if _, err := taken.ExecContext(ctx, id, a.device[:], int64(a.seq)); err != nil {
				return fmt.Errorf("moving cursor: %w", err)
			}
		}
		for _, device := range c.spent {
			if err := queries.DropSpentWindow(ctx, db.DropSpentWindowParams{Log: id, Device: device[:]}); err != nil {
				return fmt.Errorf("dropping window: %w", err)
			}
		}
		if c.floor > 0 {
			if _, err := passed.ExecContext(ctx, id, int64(c.floor)); err != nil {
				return fmt.Errorf("deleting entries: %w", err)
			}
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
