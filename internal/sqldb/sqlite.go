package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"sconce/internal/tape"
)

const (
	// checkpointEvery bounds how long a deleted message stays in the
	// write-ahead log after its row is gone.
	checkpointEvery = 15 * time.Second
	checkpointRetry = time.Second // after one that readers were in the way of

	// busyTimeout is how long a statement waits for another process, such as one
	// that makes an invite. A checkpoint waits less for readers, because all
	// writing stands still meanwhile. Both in milliseconds.
	busyTimeout           = 10_000
	checkpointBusyTimeout = 250

	readers = 4
)

// openSQLite gives one connection that writes and a few that read. SQLite lets
// one write at a time anyway; queueing in Go costs less than its busy loop.
func openSQLite(ctx context.Context, path string, o options) (*DB, error) {
	if path == "" {
		return nil, errors.New("sqlite: needs a path")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := touch(path); err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	synchronous := "FULL"
	if o.unsynced {
		synchronous = "OFF"
	}
	write, err := sql.Open("sqlite", sqliteDSN(path, "immediate",
		"journal_mode(WAL)", "synchronous("+synchronous+")", "secure_delete(ON)", "cache_size(-16384)",
		"wal_autocheckpoint(8000)")) // pages: 32 MiB; the checkpointer empties it besides
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	// The writer makes the file and its mode, so that readers find both.
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", sqliteDSN(path, "deferred", "query_only(ON)", "cache_size(-1024)"))
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	db := &DB{Write: write, Read: read, dialect: sqliteDialect, path: path, unsynced: o.unsynced}
	run, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.done.Go(func() { db.checkpointer(run) })
	return db, nil
}

// touch makes the file readable by its owner alone; SQLite gives its other
// files the same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil {
		return nil // a read-only disk, say: SQLite tells it better
	}
	return f.Close()
}

// sqliteDSN holds every PRAGMA, because they are per connection and the pool
// opens connections when it likes.
func sqliteDSN(path, lock string, pragmas ...string) string {
	q := url.Values{"_txlock": {lock}}
	pragmas = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout), "foreign_keys(ON)", "temp_store(MEMORY)"}, pragmas...)
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// checkpointer moves the write-ahead log into the database now and then, and
// empties it. SQLite does the first by itself and never the second.
func (db *DB) checkpointer(ctx context.Context) {
	next := time.NewTimer(checkpointEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		if db.Checkpoint(ctx) != nil { // what is wrong with the disk, writes tell
			next.Reset(checkpointRetry)
		} else {
			next.Reset(checkpointEvery)
		}
	}
}

// Checkpoint moves the write-ahead log into the database and empties it, so
// that what was deleted is gone from both. With PostgreSQL it does nothing.
func (db *DB) Checkpoint(ctx context.Context) error {
	if db.dialect != sqliteDialect {
		return nil
	}
	if wal, err := os.Stat(db.path + "-wal"); err == nil && wal.Size() == 0 {
		return nil
	}
	conn, err := db.Write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer conn.Close()
	wait := func(ms int) error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout=%d", ms))
		return err
	}
	if err := wait(checkpointBusyTimeout); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	var busy, pages, moved int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err := errors.Join(err, wait(busyTimeout)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if busy != 0 {
		// It may be one that nobody reads with any more, whose statement was not
		// ended: nothing but its end lets go. The others are opened anew.
		db.Read.SetMaxIdleConns(0)
		db.Read.SetMaxIdleConns(readers)
		return errors.New("checkpoint: a reader holds on to an old version")
	}
	return nil
}

// tapeSuffix is the end of the name of the tape: see [DB.Tape].
const tapeSuffix = "-tape"

// Files lists the database's files, with those of its tape, or nothing if it has
// none of its own.
func (db *DB) Files() []string {
	if db.path == "" {
		return nil
	}
	names := append([]string{db.path, db.path + "-wal", db.path + "-shm"}, tape.Names(db.path+tapeSuffix)...)
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(name)
		return err != nil
	})
}
