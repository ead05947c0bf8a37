// Package clienttest holds what is needed to test a client's storage: suites
// that every [client.Store] and [client.Keyring] must pass, and a [Disk] in
// memory that can lose power at any write, be copied, and remember every byte
// that was ever written to it.
//
// To test an implementation, call [Store] and [Keyring]. To test what stands on
// top of them, begin with [NewDisk].
package clienttest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"sconce/client"
)

// ErrPower is what every call returns once a Disk has lost power.
var ErrPower = errors.New("disk lost power")

// Failure is what becomes of the write during which a Disk loses power.
type Failure int

const (
	// NotWritten loses the write.
	NotWritten Failure = iota
	// AnswerLost makes the write, but the caller gets an error.
	AnswerLost
	// TornEven makes a keyring write only in its even 512-byte sectors. A Store's
	// Apply is all or nothing, so it is lost.
	TornEven
	// TornOdd is TornEven for the odd sectors.
	TornOdd
)

// Failures lists every Failure, for tests that try them all.
var Failures = []Failure{NotWritten, AnswerLost, TornEven, TornOdd}

func (f Failure) String() string {
	return [...]string{"not written", "answer lost", "torn, even sectors", "torn, odd sectors"}[f]
}

// Disk is the storage of one device: a Store and a Keyring that share one power
// supply. Its methods may be called at any time from any goroutine.
type Disk struct {
	mu       sync.Mutex
	rows     []row // ascending by key; keys and values are never changed in place
	ring     []byte
	boot     int // raised by Restart; handles of an earlier boot are dead
	off      bool
	failing  bool
	left     int // writes until the failure, when failing
	failure  Failure
	writes   int
	recorder *Recorder
}

type row struct {
	key   string
	value []byte
}

// NewDisk returns an empty disk.
func NewDisk() *Disk { return &Disk{} }

// Store opens the disk's Store. Opening twice gives two handles on one content.
func (d *Disk) Store() *MemStore {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &MemStore{handle: handle{disk: d, boot: d.boot}}
}

// Keyring opens the disk's Keyring.
func (d *Disk) Keyring() *MemKeyring {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &MemKeyring{handle: handle{disk: d, boot: d.boot}}
}

// FailAfter lets n more writes succeed, of Store and Keyring together. Power
// goes during the one after; every call from then on returns [ErrPower] until
// Restart.
func (d *Disk) FailAfter(n int, how Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing, d.left, d.failure = true, n, how
}

// Restart brings the power back and forgets a planned failure. What was opened
// before stays dead.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off, d.failing = false, false
	d.boot++
}

// Off tells whether the planned failure has happened.
func (d *Disk) Off() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

// Writes returns how many writes were begun, of Store and Keyring together.
func (d *Disk) Writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

// Clone returns a copy of what is on the disk at this moment, powered on and
// without the recorder: what a thief, or a backup, takes away.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{rows: slices.Clone(d.rows), ring: bytes.Clone(d.ring)}
}

// SetStore replaces the content of the Store by that of another disk, as
// restoring a backup does; the keyring stays.
func (d *Disk) SetStore(from *Disk) {
	rows := from.Clone().rows
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows = rows
}

// KeyringBytes returns a copy of the keyring's content.
func (d *Disk) KeyringBytes() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.ring)
}

// SetKeyringBytes replaces the keyring's content.
func (d *Disk) SetKeyringBytes(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ring = bytes.Clone(b)
}

// Rows returns a copy of all that the Store holds, sealed, in order of keys.
func (d *Disk) Rows() []client.Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	ops := make([]client.Op, len(d.rows))
	for i, r := range d.rows {
		ops[i] = client.Op{Key: []byte(r.key), Value: bytes.Clone(r.value)}
	}
	return ops
}

// SetRow puts bytes where a Store would, bypassing whatever seals them; nil
// deletes.
func (d *Disk) SetRow(key, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apply([]client.Op{{Key: key, Value: value}})
}

// Record makes the disk remember every version of every value that is written to
// the Store from now on, as a log, a snapshot or the spare blocks of a flash disk
// might. What is there already counts as written. The keyring is not recorded:
// it is overwritten in place.
func (d *Disk) Record() *Recorder {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recorder = &Recorder{}
	for _, r := range d.rows {
		d.recorder.add([]byte(r.key), r.value)
	}
	return d.recorder
}

// write begins a write of any kind. It returns how the write fails, or ok.
func (d *Disk) write() (how Failure, ok bool) {
	d.writes++
	if !d.failing {
		return 0, true
	}
	if d.left > 0 {
		d.left--
		return 0, true
	}
	d.off = true
	return d.failure, false
}

func (d *Disk) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(d.rows, key, func(r row, key []byte) int {
		return bytes.Compare([]byte(r.key), key)
	})
}

func (d *Disk) apply(ops []client.Op) {
	for _, op := range ops {
		i, found := d.find(op.Key)
		switch {
		case op.Value == nil && found:
			d.rows = slices.Delete(d.rows, i, i+1)
		case op.Value == nil:
		case found:
			d.rows[i].value = clone(op.Value)
		default:
			d.rows = slices.Insert(d.rows, i, row{string(op.Key), clone(op.Value)})
		}
		if d.recorder != nil && op.Value != nil {
			d.recorder.add(op.Key, op.Value)
		}
	}
}

const sector = 512

// overwrite changes the keyring, in the sectors for which keep is true.
func (d *Disk) overwrite(slots []client.SlotWrite, keep func(sector int) bool) {
	for _, w := range slots {
		at := w.Index * client.SlotSize
		for i, b := range w.Slot {
			if !keep((at + i) / sector) {
				continue
			}
			if grow := at + i + 1 - len(d.ring); grow > 0 {
				d.ring = append(d.ring, make([]byte, grow)...)
			}
			d.ring[at+i] = b
		}
	}
}

// handle is what an open Store and an open Keyring have in common.
type handle struct {
	disk   *Disk
	boot   int
	closed bool
}

// ready is called with disk.mu held.
func (h *handle) ready() error {
	switch {
	case h.closed:
		return fmt.Errorf("memory disk: %w", fs.ErrClosed)
	case h.disk.off || h.boot != h.disk.boot:
		return ErrPower
	}
	return nil
}

// Close closes the handle; the content stays on the disk.
func (h *handle) Close() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.closed = true
	return nil
}

// MemStore is a [client.Store] on a [Disk].
type MemStore struct {
	handle
	scanning bool
}

var _ client.Store = (*MemStore)(nil)

// Get implements client.Store.
func (s *MemStore) Get(key []byte) ([]byte, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.ready(); err != nil {
		return nil, err
	}
	i, found := s.disk.find(key)
	if !found {
		return nil, nil
	}
	return clone(s.disk.rows[i].value), nil
}

// Scan implements client.Store.
func (s *MemStore) Scan(start, end []byte, fn func(key, value []byte) error) error {
	rows, err := s.begin(start, end)
	if err != nil {
		return err
	}
	defer func() {
		s.disk.mu.Lock()
		defer s.disk.mu.Unlock()
		s.scanning = false
	}()
	for _, r := range rows {
		key, value := []byte(r.key), clone(r.value)
		err := fn(key, value)
		clear(key) // they were valid only until fn returned
		clear(value)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *MemStore) begin(start, end []byte) ([]row, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.ready(); err != nil {
		return nil, err
	}
	from, _ := s.disk.find(start)
	to := len(s.disk.rows)
	if end != nil {
		to, _ = s.disk.find(end)
	}
	s.scanning = true
	return slices.Clone(s.disk.rows[from:max(from, to)]), nil
}

// Apply implements client.Store.
func (s *MemStore) Apply(ops []client.Op) error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	how, ok := s.disk.write()
	if ok || how == AnswerLost {
		s.disk.apply(ops)
	}
	if !ok {
		return ErrPower
	}
	return nil
}

func (s *MemStore) ready() error {
	if s.scanning {
		return client.ErrScanning
	}
	return s.handle.ready()
}

// MemKeyring is a [client.Keyring] on a [Disk].
type MemKeyring struct{ handle }

var _ client.Keyring = (*MemKeyring)(nil)

// Read implements client.Keyring.
func (k *MemKeyring) Read() ([]byte, error) {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	if err := k.ready(); err != nil {
		return nil, err
	}
	return bytes.Clone(k.disk.ring), nil
}

// Overwrite implements client.Keyring.
func (k *MemKeyring) Overwrite(slots []client.SlotWrite) error {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	if err := k.ready(); err != nil {
		return err
	}
	for _, w := range slots {
		if w.Index < 0 || w.Index >= client.MaxSlots {
			return fmt.Errorf("keyring slot %d: want 0 to %d", w.Index, client.MaxSlots-1)
		}
	}
	how, ok := k.disk.write()
	k.disk.overwrite(slots, func(sector int) bool {
		return ok || how == AnswerLost || how == TornEven && sector%2 == 0 || how == TornOdd && sector%2 == 1
	})
	if !ok {
		return ErrPower
	}
	return nil
}

// clone copies b and does not make nil of an empty value.
func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
