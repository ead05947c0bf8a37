package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/internal/sqldb"
	"sconce/server/delivery/journal/db"
)

var (
	// errRepeat says that something in the batch was appended before.
	errRepeat = errors.New("appended before")

	// errBehind says that what memory held of a log is not what the database
	// has. It is read anew, and the write judged again.
	errBehind = errors.New("memory is behind the database")

	// errInDoubt says that the database did not tell whether it committed.
	errInDoubt = errors.New("committing")
)

// commit writes operations, answers them and pushes. It gives back those that
// must wait for the result.
func (j *Journal) commit(ctx context.Context, ops []*op) (later []*op) {
	if j.tape == nil {
		return j.commitDirect(ctx, ops)
	}
	if !slices.ContainsFunc(ops, func(o *op) bool { return o.write.Change != nil }) {
		j.commitTaped(ctx, ops)
		return nil
	}
	// A change goes into the tables, with what else it saves, and what it stands
	// on must be there.
	if err := j.clearTape(ctx); err != nil {
		j.refuse(ops, err)
		return nil
	}
	return j.commitDirect(ctx, ops)
}

// refuse answers operations of which nothing was written.
func (j *Journal) refuse(ops []*op, err error) {
	for _, o := range ops {
		o.answer(j, Place{}, j.trouble(err))
	}
}

// commitDirect writes operations in one transaction.
func (j *Journal) commitDirect(ctx context.Context, ops []*op) (later []*op) {
	b, later := j.plan(ops)
	if len(b.ops) == 0 {
		return later
	}
	err := j.store(ctx, b)
	if err == nil {
		j.apply(b)
		return later
	}
	if len(b.ops) > 1 && errors.Is(err, errRepeat) {
		// Repeats must not cost the others the batch, or somebody who repeats
		// without end makes everyone wait for a transaction each.
		if rest, err := j.answerRepeats(ctx, b.ops); err == nil && len(rest) < len(b.ops) {
			return append(j.commitDirect(ctx, rest), later...)
		}
	}
	if len(b.ops) > 1 && !sqldb.IsUnavailable(err) && !errors.Is(err, errInDoubt) {
		// Nothing is written. One of them is at fault and the others are not.
		for _, o := range b.ops {
			j.commitOne(ctx, o)
		}
		return later
	}
	for _, o := range b.ops {
		j.conclude(ctx, o, err)
	}
	return later
}

// answerRepeats answers those of a batch that were appended before, and gives
// the others; on an error, all.
func (j *Journal) answerRepeats(ctx context.Context, ops []*op) (rest []*op, err error) {
	places, err := j.answers(ctx, ops)
	if err != nil || len(places) == 0 {
		return ops, err
	}
	for _, o := range ops {
		if at, ok := places[o.key]; ok && o.remembered() {
			o.answer(j, at, nil)
		} else {
			rest = append(rest, o)
		}
	}
	return rest, nil
}

// commitOne is commit for an operation by itself.
func (j *Journal) commitOne(ctx context.Context, o *op) {
	b, _ := j.plan([]*op{o})
	if len(b.ops) == 0 {
		return
	}
	if err := j.store(ctx, b); err != nil {
		j.conclude(ctx, o, err)
		return
	}
	j.apply(b)
}

// conclude answers an operation that was not written, as far as we know. Where
// the database and memory may have come apart, its logs are read anew.
func (j *Journal) conclude(ctx context.Context, o *op, err error) {
	if errors.Is(err, errRepeat) {
		at, ok, lookup := j.answered(ctx, o.key)
		if lookup == nil && !ok {
			lookup = unavailable("the server could not tell whether this was appended before: try again")
		}
		o.answer(j, at, lookup)
		return
	}
	if errors.Is(err, errBehind) || errors.Is(err, errInDoubt) || sqldb.IsUnavailable(err) {
		j.forget(o.log)
		for _, l := range o.inbox {
			j.forget(l)
		}
	}
	o.answer(j, Place{}, j.trouble(err))
}

// trouble turns an error of the database into what people read, if it is the
// database's state that is at fault.
func (j *Journal) trouble(err error) error {
	switch {
	case sqldb.IsFull(err):
		j.degrade(err)
		return unavailable("the server's disk is full; it takes nothing until its operator makes room")
	case sqldb.IsUnavailable(err), errors.Is(err, errInDoubt):
		j.degrade(err)
		return unavailable("the server cannot write to its database at the moment: try again")
	}
	return err
}

// degrade logs once that the database fails, not for every call.
func (j *Journal) degrade(err error) {
	if !j.degraded.Swap(true) {
		j.log.Warn("database is unavailable", "err", err)
	}
}

// apply makes memory what the database is, then answers and pushes.
func (j *Journal) apply(b *batch) {
	if j.degraded.Swap(false) {
		j.log.Info("database is available again")
	}
	for _, p := range b.plans {
		j.applyPlan(p, b.taped)
	}
	j.begin()
	defer j.end()
	for _, o := range b.ops {
		o.answer(j, o.place, nil)
	}
	for _, p := range b.plans {
		if len(p.entries) > 0 {
			j.push(p)
		}
	}
}

func (j *Journal) applyPlan(p *plan, tape bool) {
	l := p.log
	l.mu.Lock()
	if tape {
		for i, e := range p.entries {
			l.taped = append(l.taped, taped{e, p.digests[i]})
		}
	} else {
		l.filed = p.last
	}
	l.last, l.hash, l.state, l.exists = p.last, p.hash, p.state, true
	for _, device := range p.close {
		if w := l.windows[device]; w != nil && w.to == 0 {
			w.to = p.last
		}
	}
	for _, device := range p.drop {
		delete(l.windows, device)
	}
	for _, o := range p.opens {
		w := o.window
		l.windows[o.device] = &w
	}
	l.mu.Unlock()
	if len(p.close)+len(p.drop)+len(p.opens) > 0 {
		j.weigh(l)
		j.touch(l) // what nobody reads any more can go
	}
	if tape || len(p.entries) > 0 && len(l.windows) == 0 { // only the committer changes it
		j.touch(l)
	}
}

// store writes a batch in one transaction. When it returns nil all of it is
// durable; on an error other than errInDoubt nothing of it is.
func (j *Journal) store(ctx context.Context, b *batch) error {
	tx, err := j.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	s := &storing{ctx: ctx, j: j, tx: tx, queries: db.New(tx)}
	for _, step := range []struct {
		name string
		run  func(*batch) error
	}{
		{"remember", s.remember}, {"move", s.move}, {"append", s.entries}, {"windows", s.windows}, {"save", s.save},
	} {
		if err := step.run(b); err != nil {
			return err
		}
		if err := j.at(step.name); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", errInDoubt, err)
	}
	if err := j.at("committed"); err != nil {
		return fmt.Errorf("%w: %w", errInDoubt, err)
	}
	return nil
}

// at is where tests break things.
func (j *Journal) at(step string) error {
	if j.fault == nil {
		return nil
	}
	return j.fault(step)
}

// Answer gives the first answer to an append that is remembered.
func (j *Journal) Answer(ctx context.Context, device api.DeviceID, log api.LogID, id api.AppendID) (Place, bool, error) {
	return j.answered(ctx, appendKey(device, log, id))
}
