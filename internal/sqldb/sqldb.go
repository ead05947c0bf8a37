// Package sqldb opens the server's database: SQLite by default, PostgreSQL when
// one machine is outgrown. The same SQL text runs on both; what differs between
// them is kept here and nowhere else.
//
// Begin with [Open]. Each duty then brings its own tables with [DB.Migrate],
// reads through DB.Read, and writes through [DB.Tx] or DB.Write:
//
//	db, err := sqldb.Open(ctx, "sqlite:./data/sconce.db")
//	err = db.Migrate(ctx, "account", schema)
//	err = db.Tx(ctx, func(tx *sql.Tx) error { … })
//
// The text all duties write: $1, BYTEA, BIGINT milliseconds given by Go,
// ON CONFLICT, RETURNING. A race is decided within one statement, because the
// two databases isolate transactions differently: in SQLite writers stand in
// line, in PostgreSQL they run at once and read what was committed.
package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"sconce/internal/tape"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	// Write takes statements that change something. With SQLite it is a single
	// connection: a transaction on it must not wait for another use of it.
	Write *sql.DB
	// Read takes statements that do not. With SQLite it refuses others.
	Read *sql.DB

	dialect  dialect
	path     string // SQLite's file; empty with PostgreSQL
	unsynced bool
	tape     *tape.Tape // nil until it is asked for
	stop     context.CancelFunc
	done     sync.WaitGroup // the checkpointer
}

type dialect int

const (
	sqliteDialect dialect = iota
	postgresDialect
)

// Option changes how [Open] opens.
type Option func(*options)

type options struct {
	unsynced bool
	schema   string
}

// WithoutSync answers before a write has reached the disk. It exists as the
// control of durability tests, which must fail with it.
func WithoutSync() Option { return func(o *options) { o.unsynced = true } }

// WithSchema keeps all tables in this PostgreSQL schema, which must exist. It
// means nothing to SQLite.
func WithSchema(name string) Option { return func(o *options) { o.schema = name } }

// Open opens the database that dsn names: "sqlite:PATH", which is made if it is
// not there, or PostgreSQL's "postgres://…" or "host=… dbname=…".
func Open(ctx context.Context, dsn string, opts ...Option) (*DB, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return openSQLite(ctx, path, o)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") || strings.Contains(dsn, "=") {
		return openPostgres(ctx, dsn, o)
	}
	return nil, fmt.Errorf("database must be sqlite:PATH or a PostgreSQL address such as postgres://…")
}

// Close ends all connections. With SQLite it moves the write-ahead log into the
// database first, so that nothing deleted stays behind in it.
func (db *DB) Close() error {
	db.stop()
	db.done.Wait()
	read := db.Read.Close()
	if db.Write == db.Read {
		return read
	}
	var recorded error
	if db.tape != nil {
		recorded = db.tape.Close()
	}
	checkpoint := db.Checkpoint(context.Background())
	for _, err := range []error{read, db.Write.Close(), checkpoint, recorded} {
		if err != nil {
			return fmt.Errorf("closing database: %w", err)
		}
	}
	return nil
}

// Tx runs fn in a transaction that can write, and commits if fn returns nil.
// When Tx returns nil, what fn wrote is durable. fn must use tx alone: with
// SQLite, db.Write within fn waits for itself for ever.
func (db *DB) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// SkipLocked goes after a SELECT by which one of many claims rows. PostgreSQL
// then passes over rows that another transaction is claiming; in SQLite there is
// no other, and no words for it.
func (db *DB) SkipLocked() string {
	if db.dialect == postgresDialect {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// Tape opens the tape beside SQLite's file, on which its one user keeps what is
// to go into the database; Close closes it. With PostgreSQL it gives nil: there
// others write to the same tables, and must be able to go on when this process is
// no more.
func (db *DB) Tape() (*tape.Tape, error) {
	if db.dialect != sqliteDialect {
		return nil, nil
	}
	t, err := tape.Open(db.path+tapeSuffix, !db.unsynced)
	if err != nil {
		return nil, err
	}
	db.tape = t
	return t, nil
}

// Path is the database's file, or empty if it is not one.
func (db *DB) Path() string { return db.path }

// Placeholders gives "$1,$2,…" for n values, n at least 1, for an IN list.
func Placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String()
}

// Values gives what stands behind VALUES for so many rows. Its parameters are
// numbered only for PostgreSQL: to bind one that has a name, the SQLite driver
// looks through the names of all.
func (db *DB) Values(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if db.dialect == sqliteDialect {
			b.WriteString("?")
		} else {
			fmt.Fprintf(&b, "$%d", i+1)
		}
	}
	b.WriteString(")")
	return b.String()
}
