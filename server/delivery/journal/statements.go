package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"

	"sconce/api"
	"sconce/internal/sqldb"
	"sconce/server/delivery/journal/db"
)

// statements are what every message takes, prepared once.
type statements struct {
	remember, entries *inserter
	move, change      *sql.Stmt
	taken, passed     *sql.Stmt
	read              *sql.Stmt
	lookup            [7]*sql.Stmt // for 1, 2, 4 … 64 keys
}

func prepare(ctx context.Context, database *sqldb.DB) (*statements, error) {
	var errs []error
	stmt := func(on *sql.DB, text string) *sql.Stmt {
		s, err := on.PrepareContext(ctx, text)
		errs = append(errs, err)
		return s
	}
	rows := func(into string, columns int, then string) *inserter {
		ins := &inserter{columns: columns}
		for i := range ins.stmts {
			ins.stmts[i] = stmt(database.Write, into+database.Values(1<<i, columns)+then)
		}
		return ins
	}
	s := &statements{
		remember: rows("INSERT INTO appended (key, seq, time) VALUES ", 3, " ON CONFLICT (key) DO NOTHING"),
		entries: rows("INSERT INTO entry (log, seq, kind, generation, epoch, sender, append_id, time, keep, expires, message, digest) VALUES ",
			12, ""),
		// The place alone decides: a log's state changes only with an entry.
		move: stmt(database.Write, `UPDATE log SET last = $3, hash = $4, expires = CASE WHEN expires > $5 THEN $5 ELSE expires END
			WHERE id = $1 AND last = $2`),
		change: stmt(database.Write, "UPDATE log SET generation = $2, epoch = $3, pending = $4 WHERE id = $1"),
		taken:  stmt(database.Write, "UPDATE log_window SET taken = $3 WHERE log = $1 AND device = $2 AND taken < $3"),
		passed: stmt(database.Write, "DELETE FROM entry WHERE log = $1 AND seq <= $2"),
		read: stmt(database.Read, `SELECT seq, kind, generation, epoch, sender, append_id, time, keep, message, digest
			FROM entry WHERE log = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`),
	}
	for i := range s.lookup {
		s.lookup[i] = stmt(database.Read, "SELECT key, seq, time FROM appended WHERE key IN "+database.Values(1, 1<<i))
	}
	return s, errors.Join(errs...)
}

// inserter inserts rows, some with one statement.
type inserter struct {
	columns int
	stmts   [7]*sql.Stmt // for 1, 2, 4 … 64 rows
}

// insert inserts the rows whose values args holds one after the other, and
// gives how many were new.
func (i *inserter) insert(ctx context.Context, tx *sql.Tx, args []any) (int, error) {
	inserted := 0
	for len(args) > 0 {
		size := min(bits.Len(uint(len(args)/i.columns))-1, len(i.stmts)-1)
		n := i.columns << size
		result, err := tx.StmtContext(ctx, i.stmts[size]).ExecContext(ctx, args[:n]...)
		if err != nil {
			return inserted, err
		}
		affected, err := result.RowsAffected()
		if err != nil {
			return inserted, err
		}
		inserted += int(affected)
		args = args[n:]
	}
	return inserted, nil
}

// storing is a batch on its way into the database.
type storing struct {
	ctx     context.Context
	j       *Journal
	tx      *sql.Tx
	queries *db.Queries
}

// remember enters the appends, and finds out whether one is a repeat.
func (s *storing) remember(b *batch) error {
	args := make([]any, 0, 3*len(b.ops))
	rows := 0
	for _, o := range b.ops {
		if o.remembered() {
			s.j.known.add(&o.key)
			args = append(args, o.key[:], int64(o.place.Seq), o.place.Time)
			rows++
		}
	}
	n, err := s.j.stmts.remember.insert(s.ctx, s.tx, args)
	if err != nil {
		return fmt.Errorf("remembering appends: %w", err)
	}
	if n < rows {
		return errRepeat
	}
	return nil
}

// move moves every log on, if it is where memory supposes it.
func (s *storing) move(b *batch) error {
	for _, p := range b.plans {
		if p.create {
			if err := s.create(p); err != nil {
				return err
			}
		}
		if err := s.moveOne(p); err != nil {
			return err
		}
		if p.state == p.log.state {
			continue
		}
		_, err := s.tx.StmtContext(s.ctx, s.j.stmts.change).ExecContext(s.ctx, p.log.id[:],
			int64(p.state.Generation), int64(p.state.Epoch), int64(p.state.Pending))
		if err != nil {
			return fmt.Errorf("changing log: %w", err)
		}
	}
	return nil
}

func (s *storing) moveOne(p *plan) error {
	result, err := s.tx.StmtContext(s.ctx, s.j.stmts.move).ExecContext(s.ctx,
		p.log.id[:], int64(p.from), int64(p.last), p.hash[:], p.expires)
	if err != nil {
		return fmt.Errorf("moving log: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errBehind, err)
	}
	return nil
}

func (s *storing) create(p *plan) error {
	var zero api.Hash
	n, err := s.queries.InsertLog(s.ctx, db.InsertLogParams{ID: p.log.id[:], Hash: zero[:], Expires: never})
	if err != nil {
		return fmt.Errorf("making log: %w", err)
	}
	if n == 0 {
		return errBehind
	}
	return nil
}

func (s *storing) entries(b *batch) error {
	rows := 0
	for _, p := range b.plans {
		rows += len(p.entries)
	}
	args := make([]any, 0, 12*rows)
	for _, p := range b.plans {
		for i, e := range p.entries {
			args = appendRow(args, p.log.id[:], e, p.digests[i][:])
		}
	}
	if _, err := s.j.stmts.entries.insert(s.ctx, s.tx, args); err != nil {
		return fmt.Errorf("inserting entries: %w", err)
	}
	return nil
}

// appendRow adds the values of an entry's row.
func appendRow(args []any, log []byte, e *api.Entry, digest []byte) []any {
	return append(args, log, int64(e.Seq), int64(e.Kind), int64(e.Generation), int64(e.Epoch), e.Sender[:], e.ID[:],
		e.Time, int64(e.Keep), e.Time+e.Keep.Duration(), e.Message, digest)
}

// windows writes who reads what. What ends comes before what opens: a device
// that joins anew does both.
func (s *storing) windows(b *batch) error {
	for _, p := range b.plans {
		id := p.log.id[:]
		for _, device := range p.close {
			err := s.queries.CloseWindow(s.ctx, db.CloseWindowParams{Log: id, Device: device[:], ToSeq: int64(p.last), Closed: b.now})
			if err != nil {
				return fmt.Errorf("closing window: %w", err)
			}
		}
		for _, device := range p.drop {
			if err := s.queries.DropWindow(s.ctx, db.DropWindowParams{Log: id, Device: device[:]}); err != nil {
				return fmt.Errorf("dropping window: %w", err)
			}
		}
		for _, o := range p.opens {
			err := s.queries.OpenWindow(s.ctx, db.OpenWindowParams{Log: id, Device: o.device[:], Person: o.user[:],
				FromSeq: int64(o.from), Taken: int64(o.taken), Before: o.before[:]})
			if err != nil {
				return fmt.Errorf("opening window: %w", err)
			}
		}
	}
	return nil
}

// save lets those who asked write what belongs to their change.
func (s *storing) save(b *batch) error {
	for _, o := range b.ops {
		if o.write.Change == nil || o.write.Change.Save == nil {
			continue
		}
		tx := &Tx{Tx: s.tx, At: o.place, Delivered: make([]uint64, len(o.delivered))}
		for i, e := range o.delivered {
			tx.Delivered[i] = e.Seq
		}
		if err := o.write.Change.Save(s.ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// answered looks up an append among those that are remembered.
func (j *Journal) answered(ctx context.Context, key [32]byte) (Place, bool, error) {
	if at, ok := j.lately(key); ok { // first: from here it goes into the table
		return at, true, nil
	}
	row, err := j.read.Appended(ctx, key[:])
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Place{}, false, nil
	case err != nil:
		return Place{}, false, j.trouble(fmt.Errorf("looking up append: %w", err))
	}
	return Place{Seq: uint64(row.Seq), Time: row.Time}, true, nil
}

// answers looks up many.
func (j *Journal) answers(ctx context.Context, ops []*op) (map[[32]byte]Place, error) {
	var places map[[32]byte]Place
	var args []any
	for _, o := range ops {
		if at, ok := j.lately(o.key); ok {
			places = noted(places, o.key, at)
		} else if o.remembered() && j.known.maybe(&o.key) {
			args = append(args, o.key[:])
		}
	}
	for len(args) > 0 {
		n := min(len(args), 1<<(len(j.stmts.lookup)-1))
		size := bits.Len(uint(n - 1))
		some := append(make([]any, 0, 1<<size), args[:n]...)
		for len(some) < 1<<size { // what is left over asks for the same again
			some = append(some, args[0])
		}
		rows, err := j.stmts.lookup[size].QueryContext(ctx, some...)
		if err == nil {
			places, err = scanAnswers(rows, places)
		}
		if err != nil {
			return nil, fmt.Errorf("looking up appends: %w", err)
		}
		args = args[n:]
	}
	return places, nil
}

func noted(places map[[32]byte]Place, key [32]byte, at Place) map[[32]byte]Place {
	if places == nil {
		places = map[[32]byte]Place{}
	}
	places[key] = at
	return places
}

func scanAnswers(rows *sql.Rows, places map[[32]byte]Place) (map[[32]byte]Place, error) {
	defer rows.Close()
	for rows.Next() {
		var key []byte
		var seq, time int64
		if err := rows.Scan(&key, &seq, &time); err != nil {
			return places, err
		}
		var k [32]byte
		if err := copyExact(k[:], key); err != nil {
			return places, err
		}
		places = noted(places, k, Place{Seq: uint64(seq), Time: time})
	}
	return places, rows.Err()
}
