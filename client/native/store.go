// Package native gives a client its place on a computer's disk: a [Store] in one
// SQLite file, a [Keyring] in another, and a [Lock] that keeps a second process
// out. Begin with [OpenDir], or with [CreateDir] on a new device.
package native

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"sconce/client"
)

// Store is a [client.Store] in an SQLite file. It is one table in write-ahead
// mode with synchronous=FULL, so that a commit is on disk when it returns; with
// secure_delete, so that freed pages are zeroed; and the log is cut to nothing
// whenever it has grown and at Close, so that old versions do not stay in it.
// That is tidiness: erasure is the keyring's work.
type Store struct {
	path     string
	db       *sql.DB
	conn     *sql.Conn // the only one: the statements are prepared on it
	stmts    statements
	lock     *Lock // released by Close, when OpenDir took it
	scanning bool
	closed   bool
}

type statements struct{ get, put, del, begin, commit, rollback *sql.Stmt }

var _ client.Store = (*Store)(nil)

const schema = `CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID`

// The log is cut when it is longer than this.
const maxLog = 4 << 20

// A row that is longer is neither written nor read: it is a sealed value, its key
// and room to spare.
const maxRow = client.MaxValue + 1<<20

// locking_mode=EXCLUSIVE before journal_mode=WAL: SQLite then needs no file of
// shared memory, for which a full disk has no space, and a process that came
// around the Lock is refused.
var pragmas = []string{
	"locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)",
	"secure_delete(1)", "wal_autocheckpoint(0)", "temp_store(MEMORY)", "trusted_schema(0)",
}

// OpenStore opens the store at path, and makes it when there is none, readable
// for its owner alone.
func OpenStore(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// SQLite would create the file for all to read; its log takes over the mode.
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	s := &Store{path: path, db: db}
	if err := s.prepare(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", path, err), db.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) (err error) {
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if _, err := sqlite.Limit(s.conn, sqlite3.SQLITE_LIMIT_LENGTH, maxRow); err != nil {
		return err
	}
	for _, p := range pragmas { // here, because the driver brings those of a name into an order of its own
		if _, err := s.conn.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return err
		}
	}
	if _, err := s.conn.ExecContext(ctx, schema); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.stmts.get, `SELECT v FROM kv WHERE k = $1`},
		{&s.stmts.put, `INSERT INTO kv (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v`},
		{&s.stmts.del, `DELETE FROM kv WHERE k = $1`},
		{&s.stmts.begin, `BEGIN IMMEDIATE`},
		{&s.stmts.commit, `COMMIT`},
		{&s.stmts.rollback, `ROLLBACK`},
	} {
		if *p.stmt, err = s.conn.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

// Get implements client.Store.
func (s *Store) Get(key []byte) ([]byte, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	var value []byte
	err := s.stmts.get.QueryRow(blob(key)).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading store: %w", err)
	}
	return blob(value), nil
}

// Scan implements client.Store.
func (s *Store) Scan(start, end []byte, fn func(key, value []byte) error) error {
	if err := s.ready(); err != nil {
		return err
	}
	s.scanning = true
	defer func() { s.scanning = false }()
	query, args := `SELECT k, v FROM kv WHERE k >= $1 ORDER BY k`, []any{blob(start)}
	if end != nil {
		query, args = `SELECT k, v FROM kv WHERE k >= $1 AND k < $2 ORDER BY k`, append(args, blob(end))
	}
	rows, err := s.conn.QueryContext(context.Background(), query, args...)
	if err != nil {
		return fmt.Errorf("scanning store: %w", err)
	}
	defer rows.Close() // what it could report, rows.Err has
	for rows.Next() {
		var key, value sql.RawBytes
		if err := rows.Scan(&key, &value); err != nil {
			return fmt.Errorf("scanning store: %w", err)
		}
		if err := fn(blob(key), blob(value)); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("scanning store: %w", err)
	}
	return nil
}

// Apply implements client.Store.
func (s *Store) Apply(ops []client.Op) error {
	if err := s.ready(); err != nil {
		return err
	}
	if len(ops) == 0 {
		return nil
	}
	if _, err := s.stmts.begin.Exec(); err != nil {
		return fmt.Errorf("writing store: %w", err)
	}
	if err := s.write(ops); err != nil {
		_, undo := s.stmts.rollback.Exec()
		if isFull(err) { // SQLite has undone it itself
			return fmt.Errorf("writing store: %w: %w", client.ErrFull, err)
		}
		return errors.Join(fmt.Errorf("writing store: %w", err), undo)
	}
	// From here on it is done, so what goes wrong with the log is not told: the
	// next Apply tries again.
	if info, err := os.Stat(s.path + "-wal"); err == nil && info.Size() > maxLog {
		_ = s.checkpoint()
	}
	return nil
}

func (s *Store) write(ops []client.Op) (err error) {
	for _, op := range ops {
		if op.Value == nil {
			_, err = s.stmts.del.Exec(blob(op.Key))
		} else {
			_, err = s.stmts.put.Exec(blob(op.Key), blob(op.Value))
		}
		if err != nil {
			return err
		}
	}
	_, err = s.stmts.commit.Exec()
	return err
}

// isFull reports whether the disk has no space left.
func isFull(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_FULL // the low byte is the primary code
}

// checkpoint moves the log into the file and cuts it to nothing.
func (s *Store) checkpoint() error {
	_, err := s.conn.ExecContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// Close implements client.Store. It cuts the log first.
func (s *Store) Close() error {
	if s.scanning {
		return client.ErrScanning
	}
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.checkpoint()
	if isFull(err) { // all is kept, and the log is cut when there is space
		err = nil
	}
	for _, stmt := range []*sql.Stmt{s.stmts.get, s.stmts.put, s.stmts.del, s.stmts.begin, s.stmts.commit, s.stmts.rollback} {
		err = errors.Join(err, stmt.Close())
	}
	err = errors.Join(err, s.conn.Close(), s.db.Close())
	if s.lock != nil {
		err = errors.Join(err, s.lock.Release())
	}
	if err != nil {
		return fmt.Errorf("closing store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) ready() error {
	switch {
	case s.closed:
		return fmt.Errorf("store %s: %w", s.path, fs.ErrClosed)
	case s.scanning:
		return client.ErrScanning
	}
	return nil
}

// blob makes nil an empty value: SQLite has NULL for one and not for the other.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
