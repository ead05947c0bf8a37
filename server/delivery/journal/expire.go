package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sconce/api"
	"sconce/server/delivery/journal/db"
)

const (
	// rememberFor is longer than any entry lives, so that a repeat is known
	// as long as it could do harm.
	rememberFor = 90 * 24 * time.Hour

	// closedFor is how long a device that left may read what it has not. By
	// then all of it is gone.
	closedFor = 30 * 24 * time.Hour

	// sweepPages is how much of the remembered appends one Expire looks at, in
	// thousands. A table of any size is gone through bit by bit, without an
	// index that every append would have to pay for.
	sweepPages = 20
)

// Expire takes away what is due: messages whose keep class is over, windows
// that were closed long ago, and the memory of appends. It is called now and
// then, never twice at once.
func (j *Journal) Expire(ctx context.Context) error {
	if err := j.settle(ctx); err != nil {
		return fmt.Errorf("expiring: %w", err)
	}
	now := j.clock()
	return errors.Join(
		j.expireEntries(ctx, now.UnixMilli()),
		j.expireWindows(ctx, now.Add(-closedFor).UnixMilli()),
		j.expireAppended(ctx, now.Add(-rememberFor).UnixMilli()))
}

// settle returns when all that was appended and acknowledged before is in the
// tables.
func (j *Journal) settle(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case j.flushes <- done:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	case <-j.stopped:
		return errStopped()
	}
}

func (j *Journal) expireEntries(ctx context.Context, now int64) error {
	for {
		due, err := j.read.DueLogs(ctx, now)
		if err != nil {
			return fmt.Errorf("looking for due entries: %w", err)
		}
		for _, id := range due {
			if err := j.db.Tx(ctx, func(tx *sql.Tx) error { return expireLog(ctx, db.New(tx), id, now) }); err != nil {
				return fmt.Errorf("expiring entries: %w", err)
			}
		}
		if len(due) == 0 {
			return nil
		}
	}
}

// expireLog wipes a log's due messages and works out when the next is due. The
// first statement holds the log: an append at the same moment comes before it,
// and is seen, or after all of it.
func expireLog(ctx context.Context, q *db.Queries, id []byte, now int64) error {
	if err := q.HoldExpiry(ctx, db.HoldExpiryParams{ID: id, Expires: never}); err != nil {
		return err
	}
	if err := q.ExpireEntries(ctx, db.ExpireEntriesParams{Log: id, Expires: now, Sender: []byte{}}); err != nil {
		return err
	}
	next, err := q.NextExpiry(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return q.HoldExpiry(ctx, db.HoldExpiryParams{ID: id, Expires: next})
}

// expireWindows looks at a page of closed windows. Memory must know as well, so
// the committer ends them: the device has all it will ever get.
func (j *Journal) expireWindows(ctx context.Context, before int64) error {
	rows, err := j.read.ClosedWindows(ctx, before)
	if err != nil {
		return fmt.Errorf("looking for closed windows: %w", err)
	}
	for _, r := range rows {
		if err := j.Ack(ctx, api.DeviceID(r.Device), api.LogID(r.Log), never); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) expireAppended(ctx context.Context, old int64) error {
	for range sweepPages {
		if j.swept == nil {
			j.swept = []byte{} // not null, which compares with nothing
		}
		page, err := j.read.AppendedPage(ctx, j.swept)
		if err != nil {
			return fmt.Errorf("looking for old appends: %w", err)
		}
		if len(page) == 0 {
			j.swept = nil // begin again at the next call
			return nil
		}
		until := page[len(page)-1].Key
		for _, row := range page {
			if row.Time > old {
				continue
			}
			if err := db.New(j.db.Write).ForgetAppended(ctx, db.ForgetAppendedParams{After: j.swept, Until: until, Old: old}); err != nil {
				return fmt.Errorf("forgetting appends: %w", err)
			}
			break
		}
		j.swept = until
	}
	return nil
}
