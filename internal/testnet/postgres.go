package testnet

import (
	"context"
	"errors"
	"fmt"

	"sconce/internal/sqldb"
)

// Postgres is where a network's server keeps what it has, if that is not a file:
// a schema of a PostgreSQL, empty at first. Other than a file it outlives a
// server that is killed.
type Postgres struct{ DSN, Schema string }

func (p *Postgres) open(ctx context.Context) (*sqldb.DB, error) {
	return sqldb.Open(ctx, p.DSN, sqldb.WithoutSync(), sqldb.WithSchema(p.Schema))
}

// Copy gives a snapshot of a network on PostgreSQL a schema of its own, which is
// made, so that what resumes there leaves the original as it is. Call drop when
// that has ended.
func (s *Snapshot) Copy(ctx context.Context, schema string) (_ *Snapshot, drop func() error, err error) {
	db, err := s.postgres.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	drop = func() error {
		_, err := db.Write.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("DROP SCHEMA IF EXISTS %q CASCADE", schema))
		return errors.Join(err, db.Close())
	}
	if err := copySchema(ctx, db, s.postgres.Schema, schema); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("copying the tables: %w", err), drop())
	}
	copied := &Snapshot{dir: s.dir, postgres: &Postgres{s.postgres.DSN, schema}, devices: s.devices}
	copied.clock.now = s.clock.Now()
	return copied, drop, nil
}

func copySchema(ctx context.Context, db *sqldb.DB, from, to string) error {
	tables, err := tablesOf(ctx, db, from)
	if err != nil {
		return err
	}
	statements := []string{fmt.Sprintf("CREATE SCHEMA %q", to)}
	for _, name := range tables {
		statements = append(statements,
			fmt.Sprintf("CREATE TABLE %q.%q (LIKE %q.%q INCLUDING ALL)", to, name, from, name),
			fmt.Sprintf("INSERT INTO %q.%q SELECT * FROM %q.%q", to, name, from, name))
	}
	for _, s := range statements {
		if _, err := db.Write.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func tablesOf(ctx context.Context, db *sqldb.DB, schema string) (names []string, err error) {
	rows, err := db.Read.QueryContext(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename", schema)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
