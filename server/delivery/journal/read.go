package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sconce/api"
	"sconce/server/delivery/journal/db"
)

// Read gives the entries of a device's window after a place, in order: at most
// limit, and no more than [api.MaxReadBytes] of messages unless the first alone
// has more. last is the window's end as it stands. What the device has
// acknowledged is no longer there. ok is false if it has no window.
func (j *Journal) Read(ctx context.Context, device api.DeviceID, log api.LogID, after uint64, limit int) (entries []api.Entry, last uint64, ok bool, err error) {
	l, err := j.acquire(ctx, log)
	if err != nil {
		return nil, 0, false, err
	}
	defer j.release(l)
	l.mu.Lock()
	w := l.windows[device]
	if w == nil {
		l.mu.Unlock()
		return nil, 0, false, nil
	}
	after, last = max(after, w.from-1), w.end(l.last)
	// What moves from the tape into the tables after this look is in both. What
	// every device has is gone, though it waits for a flush to be erased.
	filed, onTape := l.filed, l.taped
	if w.taken > after {
		after = max(after, min(l.low(), last))
	}
	l.mu.Unlock()
	if after >= last || limit < 1 {
		return nil, last, true, nil
	}
	page := page{left: limit, entries: make([]api.Entry, 0, min(uint64(limit), last-after))}
	if after < filed {
		if err := j.readTables(ctx, &page, log, after, min(last, filed)); err != nil {
			return nil, 0, true, j.trouble(fmt.Errorf("reading entries: %w", err))
		}
	}
	for _, t := range onTape {
		if t.entry.Seq > after && t.entry.Seq <= last && !page.add(t.entry) {
			break
		}
	}
	return page.entries, last, true, nil
}

// page is what one Read gives.
type page struct {
	entries []api.Entry
	left    int // how many more there may be
	size    int // of their messages
}

// add adds an entry, or says that the page is full.
func (p *page) add(e *api.Entry) bool {
	p.size += len(e.Message)
	if p.left < 1 || len(p.entries) > 0 && p.size > api.MaxReadBytes {
		p.left = 0
		return false
	}
	p.left--
	p.entries = append(p.entries, *e)
	return true
}

// readTables adds entries from the tables. The rows are fetched one by one, so
// that a log of large messages costs the memory of those that are returned.
func (j *Journal) readTables(ctx context.Context, p *page, log api.LogID, after, last uint64) error {
	rows, err := j.stmts.read.QueryContext(ctx, log[:], int64(after), int64(last), p.left)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return err
		}
		if !p.add(&e) {
			return nil
		}
	}
	return rows.Err()
}

// window gives a copy of a device's window, nil if it has none, and its end.
func (j *Journal) window(ctx context.Context, device api.DeviceID, log api.LogID) (*window, uint64, error) {
	l, err := j.acquire(ctx, log)
	if err != nil {
		return nil, 0, err
	}
	defer j.release(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[device]
	if w == nil {
		return nil, 0, nil
	}
	c := *w
	return &c, c.end(l.last), nil
}

func scanEntry(rows *sql.Rows) (api.Entry, error) {
	var (
		seq, kind, generation, epoch, keep int64
		sender, id, digest                 []byte
		e                                  api.Entry
	)
	if err := rows.Scan(&seq, &kind, &generation, &epoch, &sender, &id, &e.Time, &keep, &e.Message, &digest); err != nil {
		return e, err
	}
	e.Seq = uint64(seq)
	if kind == 0 {
		e.Gone = true
		return e, copyExact(e.Digest[:], digest)
	}
	e.Kind, e.Keep = api.EntryKind(kind), api.Keep(keep)
	e.Generation, e.Epoch = uint32(generation), uint64(epoch)
	return e, errors.Join(copyExact(e.Sender[:], sender), copyExact(e.ID[:], id))
}

// copyExact keeps a damaged database from becoming a panic.
func copyExact(to, from []byte) error {
	if len(from) != len(to) {
		return fmt.Errorf("column has %d octets, not %d", len(from), len(to))
	}
	copy(to, from)
	return nil
}

// Window is what a device may read of a log.
type Window struct {
	Log    api.LogID
	Open   bool
	From   uint64
	Last   uint64
	Taken  uint64
	Before api.Hash // running hash just before From
}

// Windows gives a device's windows in the logs, those it has.
func (j *Journal) Windows(ctx context.Context, device api.DeviceID, logs []api.LogID) (map[api.LogID]Window, error) {
	all := make(map[api.LogID]Window, len(logs))
	for _, id := range logs {
		w, last, err := j.window(ctx, device, id)
		if err != nil {
			return nil, err
		}
		if w != nil {
			all[id] = Window{Log: id, Open: w.to == 0, From: w.from, Last: last, Taken: w.taken, Before: w.before}
		}
	}
	return all, nil
}

// LogsOf gives a page of the logs in which a device has a window.
func (j *Journal) LogsOf(ctx context.Context, device api.DeviceID, after api.LogID, limit int) ([]api.LogID, error) {
	rows, err := j.read.DeviceWindows(ctx, db.DeviceWindowsParams{Device: device[:], Log: after[:], Limit: int32(limit)})
	if err != nil {
		return nil, j.trouble(fmt.Errorf("listing windows: %w", err))
	}
	ids := make([]api.LogID, len(rows))
	for i, r := range rows {
		ids[i] = api.LogID(r)
	}
	return ids, nil
}
