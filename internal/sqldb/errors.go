package sqldb

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// IsConflict reports whether a statement met a row that is there already, where
// a key or an index wants one only.
func IsConflict(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505" // unique_violation
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// IsFull reports whether the database's disk is full.
func IsFull(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "53100" // disk_full
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_FULL
	}
	return errors.Is(err, syscall.ENOSPC)
}

// IsUnavailable reports whether the database cannot do its work at the moment,
// whatever it was asked: a full, read-only or broken disk, a server that does
// not answer, or a lock that did not come. The same call may succeed later.
func IsUnavailable(err error) bool {
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresUnavailable(e.Code)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return slices.Contains(sqliteUnavailable, e.Code()&0xff) // the low byte is the primary code
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || IsFull(err)
}

var sqliteUnavailable = []int{
	sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
	sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
}

// postgresUnavailable judges by the class of an SQLSTATE (PostgreSQL manual,
// Appendix A), and by the whole of it where the class says too much.
func postgresUnavailable(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "08", "53", "58": // connection, resources, the system below
		return true
	}
	return slices.Contains([]string{
		"25006",          // read_only_sql_transaction: a standby
		"40001", "40P01", // serialization_failure, deadlock_detected
		"55P03",                   // lock_not_available
		"57P01", "57P02", "57P03", // shutdown, crash, still starting
	}, code)
}
