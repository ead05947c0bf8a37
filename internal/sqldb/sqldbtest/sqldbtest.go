// Package sqldbtest runs a test on every database there is: always on SQLite,
// and on PostgreSQL when SCONCE_TEST_POSTGRES names one. Begin with [Each].
package sqldbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"sconce/internal/sqldb"
)

// PostgresVariable names the environment variable that holds the address of a
// PostgreSQL in which tests may make and drop schemas.
const PostgresVariable = "SCONCE_TEST_POSTGRES"

// Each runs test once for each kind of database, on an empty one.
func Each(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	EachReopen(t, func(t *testing.T, open func(...sqldb.Option) *sqldb.DB) { test(t, open()) })
}

// EachReopen is [Each] for tests of what survives: every call of open opens the
// same database anew. Closing twice does no harm, so a test may close what it
// opened, and need not.
func EachReopen(t *testing.T, test func(t *testing.T, open func(...sqldb.Option) *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		test(t, func(opts ...sqldb.Option) *sqldb.DB { return open(t, "sqlite:"+path, opts...) })
	})
	t.Run("postgres", func(t *testing.T) {
		dsn, schema := Postgres(t)
		test(t, func(opts ...sqldb.Option) *sqldb.DB {
			return open(t, dsn, append([]sqldb.Option{sqldb.WithSchema(schema)}, opts...)...)
		})
	})
}

// Postgres gives the address of a PostgreSQL and an empty schema in it, for
// [sqldb.WithSchema]. Without one it skips the test.
func Postgres(t *testing.T) (dsn, schema string) {
	t.Helper()
	dsn = os.Getenv(PostgresVariable)
	if dsn == "" {
		t.Skipf("not run on PostgreSQL: %s does not hold an address (scripts/test.sh starts one)", PostgresVariable)
	}
	return dsn, newSchema(t, dsn)
}

// SQLite opens an empty SQLite database, for tests of what only it has and for
// benchmarks.
func SQLite(t testing.TB, opts ...sqldb.Option) *sqldb.DB {
	t.Helper()
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), opts...)
}

func open(t testing.TB, dsn string, opts ...sqldb.Option) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newSchema(t *testing.T, dsn string) string {
	t.Helper()
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(t.Context(), fmt.Sprintf("CREATE SCHEMA %q", name)); err != nil {
		t.Fatalf("making a schema for the test: %v", err)
	}
	t.Cleanup(func() {
		defer admin.Close()
		if _, err := admin.ExecContext(context.Background(), fmt.Sprintf("DROP SCHEMA %q CASCADE", name)); err != nil {
			t.Errorf("dropping the test's schema: %v", err)
		}
	})
	return name
}
