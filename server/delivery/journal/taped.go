package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sconce/api"
)

// commitTaped writes messages onto the tape, answers them and pushes.
func (j *Journal) commitTaped(ctx context.Context, ops []*op) {
	if err := j.makeRoom(ctx); err != nil {
		j.refuse(ops, err)
		return
	}
	ops, err := j.answerRepeats(ctx, ops)
	if err != nil {
		j.refuse(ops, err)
		return
	}
	b, _ := j.plan(ops) // nothing seals a log, so nothing is put off
	if len(b.ops) == 0 {
		return
	}
	b.taped = true
	err = j.at("tape")
	if err == nil {
		err = j.tape.Append(encodeBatch(b.plans))
	}
	if err != nil {
		// If it is on the tape all the same, the next Append takes it off.
		j.refuse(b.ops, fmt.Errorf("%w: %w", errInDoubt, err))
		return
	}
	j.recentMu.Lock()
	for key, o := range b.keys {
		j.recent[key] = Place{Seq: o.place.Seq, Time: o.place.Time}
	}
	j.recentMu.Unlock()
	j.apply(b)
}

// makeRoom waits until the tape takes more.
func (j *Journal) makeRoom(ctx context.Context) error {
	if j.stuck != nil {
		return j.stuck
	}
	if j.flushing != nil && j.flushing.whole {
		j.awaitFlush()
	}
	if j.stuck == nil && j.tape.Size() >= maxTaped {
		j.awaitFlush()
	}
	if j.stuck == nil && (j.tape.Left() || j.tape.Size() >= maxTaped) {
		return j.clearTape(ctx)
	}
	return j.stuck
}

// lately gives the answer to an append that is still on the tape.
func (j *Journal) lately(key [32]byte) (Place, bool) {
	j.recentMu.Lock()
	defer j.recentMu.Unlock()
	at, ok := j.recent[key]
	if !ok {
		at, ok = j.leaving[key]
	}
	return at, ok
}

// file moves what is on the tape into the tables. What every device has by now
// is remembered, and counted into the log's hash, but not stored.
func (s *storing) file(f *flush) error {
	if err := s.fileKeys(f.keys); err != nil {
		return err
	}
	var args []any
	for i := range f.work {
		c := &f.work[i]
		if len(c.taped) == 0 {
			continue
		}
		p := &plan{log: c.log, from: c.from, last: c.last, hash: c.hash, expires: never}
		for _, t := range c.taped {
			if t.entry.Seq <= c.floor {
				continue
			}
			p.expires = min(p.expires, t.entry.Time+t.entry.Keep.Duration())
			args = appendRow(args, c.log.id[:], t.entry, t.digest[:])
		}
		if err := s.moveOne(p); err != nil {
			return err
		}
	}
	if err := s.insert(s.j.stmts.entries, args); err != nil {
		return fmt.Errorf("inserting entries: %w", err)
	}
	return nil
}

// insert inserts rows bit by bit. A flush has time, and who waits for a message
// has none: where one core does all, the flush leaves it now and then.
func (s *storing) insert(ins *inserter, args []any) error {
	for some := range slices.Chunk(args, ins.columns<<(len(ins.stmts)-1)) {
		if _, err := ins.insert(s.ctx, s.tx, some); err != nil {
			return err
		}
		time.Sleep(breath)
	}
	return nil
}

// breath is as short as the kernel makes it: it is what comes between that counts.
const breath = 20 * time.Microsecond

// fileKeys remembers appends, in the order of their keys: so each page of the
// table is touched once.
func (s *storing) fileKeys(keys map[[32]byte]Place) error {
	sorted := slices.SortedFunc(maps.Keys(keys), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	args := make([]any, 0, 3*len(sorted))
	for i := range sorted {
		s.j.known.add(&sorted[i])
		at := keys[sorted[i]]
		args = append(args, sorted[i][:], int64(at.Seq), at.Time)
	}
	if err := s.insert(s.j.stmts.remember, args); err != nil {
		return fmt.Errorf("remembering appends: %w", err)
	}
	return nil
}

// A record of the tape is a batch: its version, and for each log its id, the
// place and the number of its new entries, and these. Numbers that are not of
// fixed size are varints.
const recordVersion = 1

func encodeBatch(plans []*plan) []byte {
	size := 1
	for _, p := range plans {
		size += 16 + 2*binary.MaxVarintLen64
		for _, e := range p.entries {
			size += 96 + len(e.Message)
		}
	}
	b := append(make([]byte, 0, size), recordVersion)
	for _, p := range plans {
		b = append(b, p.log.id[:]...)
		b = binary.AppendUvarint(b, p.from)
		b = binary.AppendUvarint(b, uint64(len(p.entries)))
		for _, e := range p.entries {
			b = append(b, byte(e.Kind), byte(e.Keep))
			b = binary.AppendUvarint(b, uint64(e.Generation))
			b = binary.AppendUvarint(b, e.Epoch)
			b = append(b, e.Sender[:]...)
			b = append(b, e.ID[:]...)
			b = binary.AppendUvarint(b, uint64(e.Time))
			b = binary.AppendUvarint(b, uint64(len(e.Message)))
			b = append(b, e.Message...)
		}
	}
	return b
}

var errRecord = errors.New("a record of the tape is damaged")

// record reads a record bit by bit. After an error it gives zeros.
type record struct {
	rest []byte
	err  error
}

func (r *record) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errRecord, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *record) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.err, r.rest = errRecord, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *record) entry(seq uint64) *api.Entry {
	e := &api.Entry{Seq: seq}
	if head := r.bytes(2); len(head) == 2 {
		e.Kind, e.Keep = api.EntryKind(head[0]), api.Keep(head[1])
	}
	e.Generation, e.Epoch = uint32(r.number()), r.number()
	copy(e.Sender[:], r.bytes(32))
	copy(e.ID[:], r.bytes(16))
	e.Time = int64(r.number())
	e.Message = bytes.Clone(r.bytes(r.number()))
	return e
}

// decodeBatch gives each entry of a record to fn.
func decodeBatch(b []byte, fn func(id api.LogID, e *api.Entry) error) error {
	if len(b) == 0 || b[0] != recordVersion {
		return fmt.Errorf("%w, or newer than this program", errRecord)
	}
	r := &record{rest: b[1:]}
	for len(r.rest) > 0 {
		var id api.LogID
		copy(id[:], r.bytes(16))
		from, n := r.number(), r.number()
		for i := uint64(0); i < n && r.err == nil; i++ {
			e := r.entry(from + 1 + i)
			if r.err != nil {
				break
			}
			if err := fn(id, e); err != nil {
				return err
			}
		}
	}
	return r.err
}

// replay takes what an earlier process left on the tape into memory, from where
// the first flush moves it into the tables. It may be there already: then the
// process died before the tape was erased.
func (j *Journal) replay(ctx context.Context, b []byte) error {
	return decodeBatch(b, func(id api.LogID, e *api.Entry) error {
		l, err := j.acquire(ctx, id)
		if err != nil {
			return err
		}
		defer j.release(l)
		switch {
		case !l.exists || e.Seq > l.last+1:
			return errors.New("the tape goes on from where the database has not been: the two belong to different times")
		case e.Seq <= l.last:
			return nil
		}
		digest := e.Sum()
		l.mu.Lock()
		l.last, l.hash = e.Seq, api.Chain(l.hash, digest)
		l.taped = append(l.taped, taped{e, digest})
		l.mu.Unlock()
		if e.ID != (api.AppendID{}) {
			j.recent[appendKey(e.Sender, id, e.ID)] = Place{Seq: e.Seq, Time: e.Time}
		}
		j.touch(l)
		return nil
	})
}
