//go:build js && wasm

package browser

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"syscall/js"

	"sconce/client"
)

// Store is a [client.Store] in SQLite in the same worker: one table, a
// write-ahead log that every commit flushes, secure_delete, and the log cut to
// nothing when it has grown and at Close, as in the native one.
type Store struct {
	v        js.Value // store.ts
	scanning bool
	closed   bool
}

var _ client.Store = (*Store)(nil)

// OpenStore opens the store of that name, and makes it when there is none.
func (h *Host) OpenStore(ctx context.Context, name string) (*Store, error) {
	v, err := h.open(ctx, "openStore", name)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	return &Store{v: v}, nil
}

func (h *Host) open(ctx context.Context, method, name string) (js.Value, error) {
	promise, err := try(func() js.Value { return h.v.Call(method, name) })
	if err != nil {
		return promise, err
	}
	return await(ctx, promise)
}

// Get implements client.Store.
func (s *Store) Get(key []byte) ([]byte, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	v, err := try(func() js.Value { return s.v.Call("get", toJS(key)) })
	if err != nil {
		return nil, fmt.Errorf("reading store: %w", err)
	}
	if v.IsNull() {
		return nil, nil
	}
	return toGo(v), nil
}

// Scan implements client.Store. Rows cross from JavaScript many at a time.
func (s *Store) Scan(start, end []byte, fn func(key, value []byte) error) (err error) {
	if err := s.ready(); err != nil {
		return err
	}
	s.scanning = true
	defer func() { s.scanning = false }()
	to := js.Null()
	if end != nil {
		to = toJS(end)
	}
	rows, err := try(func() js.Value { return s.v.Call("scan", toJS(start), to) })
	if err != nil {
		return fmt.Errorf("scanning store: %w", err)
	}
	defer func() {
		if _, closing := try(func() js.Value { return rows.Call("close") }); err == nil && closing != nil {
			err = fmt.Errorf("scanning store: %w", closing)
		}
	}()
	for {
		page, err := try(func() js.Value { return rows.Call("next") })
		if err != nil {
			return fmt.Errorf("scanning store: %w", err)
		}
		if page.IsNull() {
			return nil
		}
		if err := eachRow(toGo(page), fn); err != nil {
			return err
		}
	}
}

// eachRow takes a page apart: for each row the lengths of key and value, in four
// bytes each, and then these.
func eachRow(page []byte, fn func(key, value []byte) error) error {
	for len(page) > 0 {
		if len(page) < 8 {
			return errors.New("scanning store: a row without its lengths")
		}
		k, v := uint64(binary.LittleEndian.Uint32(page)), uint64(binary.LittleEndian.Uint32(page[4:]))
		page = page[8:]
		if k+v > uint64(len(page)) {
			return errors.New("scanning store: a row that is cut off")
		}
		if err := fn(page[:k:k], page[k:k+v:k+v]); err != nil {
			return err
		}
		page = page[k+v:]
	}
	return nil
}

// deleted is the length of the value of what is to be deleted.
const deleted = 1<<32 - 1

// Apply implements client.Store.
func (s *Store) Apply(ops []client.Op) error {
	if err := s.ready(); err != nil {
		return err
	}
	if len(ops) == 0 {
		return nil
	}
	batch, err := pack(ops)
	if err != nil {
		return fmt.Errorf("writing store: %w", err)
	}
	if _, err := try(func() js.Value { return s.v.Call("apply", toJS(batch)) }); err != nil {
		return fmt.Errorf("writing store: %w", err)
	}
	return nil
}

// pack lays operations out as eachRow reads rows.
func pack(ops []client.Op) ([]byte, error) {
	size := 0
	for _, op := range ops {
		if len(op.Value) > client.MaxValue+1<<20 {
			return nil, fmt.Errorf("a value of %d bytes is too long", len(op.Value))
		}
		size += 8 + len(op.Key) + len(op.Value)
	}
	batch := make([]byte, 0, size)
	for _, op := range ops {
		length := uint32(len(op.Value))
		if op.Value == nil {
			length = deleted
		}
		batch = binary.LittleEndian.AppendUint32(batch, uint32(len(op.Key)))
		batch = binary.LittleEndian.AppendUint32(batch, length)
		batch = append(append(batch, op.Key...), op.Value...)
	}
	return batch, nil
}

// Close implements client.Store.
func (s *Store) Close() error {
	if s.scanning {
		return client.ErrScanning
	}
	if s.closed {
		return nil
	}
	s.closed = true
	if _, err := try(func() js.Value { return s.v.Call("close") }); err != nil {
		return fmt.Errorf("closing store: %w", err)
	}
	return nil
}

func (s *Store) ready() error {
	switch {
	case s.closed:
		return fmt.Errorf("store: %w", fs.ErrClosed)
	case s.scanning:
		return client.ErrScanning
	}
	return nil
}
