package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgres gives one pool for reading and writing.
func openPostgres(ctx context.Context, dsn string, o options) (*DB, error) {
	conf, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading PostgreSQL address: %w", err) // pgx leaves the password out
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = 10 * time.Second
	}
	if o.schema != "" {
		conf.RuntimeParams["search_path"] = o.schema
	}
	if o.unsynced {
		conf.RuntimeParams["synchronous_commit"] = "off"
	}
	// A process that dies in a transaction must not hold its locks for hours.
	conf.RuntimeParams["idle_in_transaction_session_timeout"] = "60000"
	pool := stdlib.OpenDB(*conf)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	return &DB{Write: pool, Read: pool, dialect: postgresDialect, stop: func() {}}, nil
}
