package client

import (
	"fmt"
	"io"
	"log/slog"
)

// Put is one change to a [Vault]: it sets Key to Value, or deletes Key when
// Value is nil. Whether a replaced or deleted value is erased was decided when it
// was put: MLS secrets, plaintext with a timer and everything derived from them
// are Erasable, what nobody has to forget need not be.
type Put struct {
	Key      []byte
	Value    []byte
	Erasable bool
}

// A Put prints without its content.

func (Put) String() string             { return redacted }
func (Put) GoString() string           { return redacted }
func (Put) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }
func (Put) LogValue() slog.Value       { return slog.StringValue(redacted) }

// Apply makes all of the changes, or none; of several for one key the last
// counts. When it returns nil they are on stable storage and every erasable
// value that they replaced or deleted is beyond recovery. It costs one durable
// write of the Store and at most two of the Keyring, however long the batch.
//
// An error that is [ErrReopen] leaves open whether the changes were made;
// OpenVault finds out, and finishes the erasure. After any other error nothing
// was changed.
func (v *Vault) Apply(batch []Put) error {
	if err := v.ready(); err != nil {
		return err
	}
	if len(batch) == 0 {
		return nil
	}
	w, err := v.plan(batch)
	if err != nil {
		return err
	}
	if err := v.run(w); err != nil {
		return v.stop(err)
	}
	return nil
}

// writePlan is one Apply, worked out before anything is written.
type writePlan struct {
	fresh      []SlotWrite // slots that ops name
	ops        []Op
	spent      []int // slots that nothing names after ops
	generation uint64
}

// plan reads, checks and seals. Only its last lines change the ring, when
// nothing can fail any more.
func (v *Vault) plan(batch []Put) (*writePlan, error) {
	puts, err := lastOfEachKey(batch)
	if err != nil {
		return nil, err
	}
	spent, err := v.slotsOf(puts)
	if err != nil {
		return nil, err
	}
	erasable := 0
	for _, p := range puts {
		if p.Erasable && p.Value != nil {
			erasable++
		}
	}
	taken, err := v.ring.take(erasable)
	if err != nil {
		return nil, err
	}
	w := &writePlan{fresh: make([]SlotWrite, 0, erasable+1), spent: spent, generation: v.ring.generation}
	if err := v.sealAll(w, puts, taken); err != nil {
		return nil, err
	}
	if len(taken)+len(spent) == 0 {
		return w, nil
	}
	w.generation++
	for _, i := range taken {
		v.ring.mark(i, true)
	}
	for _, i := range spent {
		v.ring.mark(i, false)
	}
	for _, n := range pagesOf(taken, spent) {
		w.ops = append(w.ops, v.pageOp(n))
	}
	w.ops = append(w.ops, v.stateOp(w.generation))
	return w, nil
}

// lastOfEachKey checks a batch and leaves the changes that count.
func lastOfEachKey(batch []Put) ([]Put, error) {
	last := make(map[string]int, len(batch))
	for i, p := range batch {
		if err := checkKey(p.Key); err != nil {
			return nil, err
		}
		if len(p.Value) > MaxValue {
			return nil, fmt.Errorf("value of %d bytes: at most %d", len(p.Value), MaxValue)
		}
		last[string(p.Key)] = i
	}
	puts := make([]Put, 0, len(last))
	for i, p := range batch {
		if last[string(p.Key)] == i {
			puts = append(puts, p)
		}
	}
	return puts, nil
}

// slotsOf returns the slots of what these changes replace or delete. A record
// that does not tell is refused: its slot would stay for ever.
func (v *Vault) slotsOf(puts []Put) ([]int, error) {
	var slots []int
	for _, p := range puts {
		record, err := v.store.Get(p.Key)
		if err != nil {
			return nil, fmt.Errorf("reading what is replaced: %w", err)
		}
		if record == nil {
			continue
		}
		head, err := parseSealed(p.Key, record)
		if err != nil {
			return nil, err
		}
		if !head.erasable {
			continue
		}
		if _, err := v.ring.key(head.slot); err != nil {
			return nil, err
		}
		slots = append(slots, int(head.slot.index))
	}
	return slots, nil
}

// sealAll turns changes into what the Store is given, using the taken slots for
// erasable values.
func (v *Vault) sealAll(w *writePlan, puts []Put, taken []int) error {
	for _, p := range puts {
		switch {
		case p.Value == nil:
			w.ops = append(w.ops, Op{Key: p.Key})
		case !p.Erasable:
			w.ops = append(w.ops, Op{p.Key, v.sealKept(p.Key, p.Value)})
		default:
			name, write := v.ring.fresh(taken[len(w.fresh)])
			record, err := v.sealErasable(p.Key, p.Value, name, write.Slot[slotIDSize:])
			if err != nil {
				return err
			}
			w.fresh = append(w.fresh, write)
			w.ops = append(w.ops, Op{p.Key, record})
		}
	}
	return nil
}

// run writes in the one order in which a crash at any point loses nothing and
// leaves nothing: a slot is on disk before a record names it, and is wiped only
// when no record on disk names it. What a crash leaves over is found at open.
func (v *Vault) run(w *writePlan) error {
	if len(w.fresh) > 0 {
		writes := append(w.fresh, v.ring.makeHeader(w.generation))
		defer clear(writes)
		if err := v.ring.overwrite(writes); err != nil {
			return err
		}
	}
	if err := v.store.Apply(w.ops); err != nil {
		return fmt.Errorf("writing store: %w", err)
	}
	var after []SlotWrite
	if len(w.fresh) == 0 && len(w.spent) > 0 {
		after = append(after, v.ring.makeHeader(w.generation))
	}
	if !v.ring.keepErased {
		for _, i := range w.spent {
			after = append(after, SlotWrite{Index: i})
		}
	}
	if len(after) > 0 {
		if err := v.ring.overwrite(after); err != nil {
			return err
		}
	}
	v.ring.generation = w.generation
	v.ring.settle()
	return nil
}
