package sqldb

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings a duty's tables up to date with the goose files in the folder
// schema of files. Each duty has its own numbering, from 0001, kept in a table
// of its own, so that duties grow independently. Several processes may migrate
// one PostgreSQL at once: they take turns.
func (db *DB) Migrate(ctx context.Context, duty string, files fs.FS) error {
	schema, err := fs.Sub(files, "schema")
	if err != nil {
		return fmt.Errorf("migrating %s: %w", duty, err)
	}
	options := []goose.ProviderOption{goose.WithTableName(duty + "_version"), goose.WithDisableGlobalRegistry(true)}
	gooseDialect := goose.DialectSQLite3
	if db.dialect == postgresDialect {
		gooseDialect = goose.DialectPostgres
		turn, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return fmt.Errorf("migrating %s: %w", duty, err)
		}
		options = append(options, goose.WithSessionLocker(turn))
	}
	migrations, err := goose.NewProvider(gooseDialect, db.Write, schema, options...)
	if err != nil {
		return fmt.Errorf("migrating %s: %w", duty, err)
	}
	if _, err := migrations.Up(ctx); err != nil {
		return fmt.Errorf("migrating %s: %w", duty, err)
	}
	return nil
}
