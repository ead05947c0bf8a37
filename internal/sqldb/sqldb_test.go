package sqldb_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
)

var schema = fstest.MapFS{"schema/0001_item.sql": {Data: []byte(`-- +goose Up
CREATE TABLE item (id BIGINT PRIMARY KEY, body BYTEA NOT NULL);
-- +goose Down
DROP TABLE item;
`)}}

func migrated(t *testing.T, db *sqldb.DB) *sqldb.DB {
	t.Helper()
	if err := db.Migrate(t.Context(), "example", schema); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestMigrationsRunOnceAndDutiesAreApart(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrated(t, migrated(t, db))
		other := fstest.MapFS{"schema/0001_other.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id BIGINT);\n")}}
		if err := db.Migrate(t.Context(), "other", other); err != nil {
			t.Errorf("a second duty with a first migration: %v", err)
		}
		if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO other (id) VALUES ($1)", 1); err != nil {
			t.Errorf("the second duty has no table: %v", err)
		}
	})
}

func TestMigrationsAtOnceTakeTurns(t *testing.T) {
	sqldbtest.EachReopen(t, func(t *testing.T, open func(...sqldb.Option) *sqldb.DB) {
		var nodes sync.WaitGroup
		for range 3 {
			db := open()
			nodes.Go(func() {
				var fsys fs.FS = schema
				if err := db.Migrate(t.Context(), "example", fsys); err != nil && db.Path() == "" {
					t.Error(err) // SQLite has one process by design, so only PostgreSQL must manage
				}
			})
		}
		nodes.Wait()
	})
}

func TestTransactionIsAllOrNothing(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrated(t, db)
		broken := errors.New("broken")
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO item (id, body) VALUES ($1, $2)", 1, []byte("x")); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want the error of the function", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("a failed transaction left %d rows", n)
		}
	})
}

func TestSecondRowWithAKeyIsAConflict(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrated(t, db)
		if err := insert(t, db, 1, 1); err != nil {
			t.Fatal(err)
		}
		err := insert(t, db, 1, 1)
		if !sqldb.IsConflict(err) || sqldb.IsUnavailable(err) {
			t.Errorf("got %v, want a conflict", err)
		}
		if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO item (id, body) VALUES (2, NULL)"); err == nil || sqldb.IsConflict(err) {
			t.Errorf("NULL where there may be none: got %v, want an error that is no conflict", err)
		}
	})
}

func TestClaimersSkipWhatOthersClaim(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrated(t, db)
		const rows = 40
		for i := range rows {
			if err := insert(t, db, i, 1); err != nil {
				t.Fatal(err)
			}
		}
		claimed := make(chan int, 2*rows)
		var claimers sync.WaitGroup
		for range 8 {
			claimers.Go(func() {
				for range rows / 8 {
					var id int
					err := db.Write.QueryRowContext(t.Context(),
						"DELETE FROM item WHERE id = (SELECT id FROM item ORDER BY id LIMIT 1"+db.SkipLocked()+") RETURNING id").Scan(&id)
					if err != nil {
						t.Error(err)
						return
					}
					claimed <- id
				}
			})
		}
		claimers.Wait()
		close(claimed)
		seen := map[int]bool{}
		for id := range claimed {
			if seen[id] {
				t.Errorf("row %d was claimed twice", id)
			}
			seen[id] = true
		}
		if len(seen) != rows {
			t.Errorf("%d of %d rows were claimed", len(seen), rows)
		}
	})
}

func TestWhatWasWrittenIsThereAfterReopening(t *testing.T) {
	sqldbtest.EachReopen(t, func(t *testing.T, open func(...sqldb.Option) *sqldb.DB) {
		db := migrated(t, open())
		if err := insert(t, db, 7, 10); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if n := count(t, open()); n != 1 {
			t.Errorf("%d rows after reopening, want 1", n)
		}
	})
}

func TestDeletedBytesAreGoneFromEveryFile(t *testing.T) {
	db := migrated(t, sqldbtest.SQLite(t))
	canary := []byte(strings.Repeat("canary", 2000)) // long enough for overflow pages
	if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO item (id, body) VALUES ($1, $2)", 1, canary); err != nil {
		t.Fatal(err)
	}
	if !found(t, db, "canarycanary") {
		t.Fatal("the control found nothing: the test looks in the wrong place")
	}
	if _, err := db.Write.ExecContext(t.Context(), "DELETE FROM item"); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found(t, db, "canarycanary") {
		t.Error("deleted bytes are still on disk after a checkpoint")
	}
}

func TestCheckpointDoesNotWaitLongForAReader(t *testing.T) {
	db := migrated(t, sqldbtest.SQLite(t))
	for i := range 3 {
		if err := insert(t, db, i, 10); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := db.Read.QueryContext(t.Context(), "SELECT id FROM item") // a reader in the middle
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := insert(t, db, 10, 10); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := db.Checkpoint(t.Context()); err == nil {
		t.Error("a checkpoint emptied the log under a reader")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("writing stood still for %v", took)
	}
	if err := insert(t, db, 11, 10); err != nil {
		t.Errorf("writing after it: %v", err)
	}
	rows.Close()
	if err := db.Checkpoint(t.Context()); err != nil {
		t.Errorf("with the reader gone: %v", err)
	}
}

func TestFullDiskIsUnavailableAndHealsByItself(t *testing.T) {
	db := migrated(t, sqldbtest.SQLite(t))
	limit := func(pages int) {
		if _, err := db.Write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count=%d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(10)
	err := insert(t, db, 1, 1<<20)
	if !sqldb.IsFull(err) || !sqldb.IsUnavailable(err) {
		t.Fatalf("got %v, want a full disk", err)
	}
	err = db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO item (id, body) VALUES ($1, $2)", 2, make([]byte, 1<<20))
		return err
	})
	if !sqldb.IsFull(err) {
		t.Fatalf("in a transaction: got %v, want a full disk", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
	limit(1 << 20)
	if err := insert(t, db, 3, 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestReaderCannotWrite(t *testing.T) {
	db := migrated(t, sqldbtest.SQLite(t))
	if _, err := db.Read.ExecContext(t.Context(), "DELETE FROM item"); err == nil {
		t.Error("the reading side took a DELETE")
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	db := migrated(t, sqldbtest.SQLite(t))
	if len(db.Files()) < 2 {
		t.Fatalf("got files %v, want the database and its log", db.Files())
	}
	for _, path := range db.Files() {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", path, info.Mode().Perm())
		}
	}
}

func TestPathMayHoldAnyCharacter(t *testing.T) {
	path := t.TempDir() + "/a b?c%41#d&e.db"
	db, err := sqldb.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	migrated(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the database is not at %s: %v", path, err)
	}
}

func TestUnknownAddressesAreRefused(t *testing.T) {
	for _, dsn := range []string{"", "mysql", "sqlite:", "/var/lib/sconce.db", "sqlite:/no/such/folder/x.db"} {
		if db, err := sqldb.Open(t.Context(), dsn); err == nil {
			db.Close()
			t.Errorf("opened %q", dsn)
		}
	}
}

func TestUnreachablePostgresIsUnavailable(t *testing.T) {
	_, err := sqldb.Open(t.Context(), "host="+t.TempDir()+" dbname=x user=x")
	if !sqldb.IsUnavailable(err) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func insert(t *testing.T, db *sqldb.DB, id, size int) error {
	t.Helper()
	_, err := db.Write.ExecContext(t.Context(), "INSERT INTO item (id, body) VALUES ($1, $2)", id, make([]byte, size))
	return err
}

func count(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM item").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func found(t *testing.T, db *sqldb.DB, canary string) bool {
	t.Helper()
	for _, path := range db.Files() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(canary)) {
			return true
		}
	}
	return false
}

// A statement that somebody forgot to end, on a connection that is back in the
// pool, would keep deleted rows in the write-ahead log for ever.
func TestForgottenReaderDoesNotHoldUpTheCheckpoint(t *testing.T) {
	db := sqldbtest.SQLite(t)
	for _, text := range []string{"CREATE TABLE t (v BYTEA)", "INSERT INTO t VALUES (X'01')"} {
		if _, err := db.Write.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := db.Read.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := conn.ExecContext(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil { // back into the pool
		t.Fatal(err)
	}
	if _, err := db.Write.ExecContext(t.Context(), "DELETE FROM t"); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(t.Context()); err == nil {
		t.Fatal("nothing was in its way: the test shows nothing")
	}
	if err := db.Checkpoint(t.Context()); err != nil {
		t.Errorf("the next checkpoint: %v", err)
	}
}
