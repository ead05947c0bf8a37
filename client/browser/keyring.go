//go:build js && wasm

package browser

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"syscall/js"

	"sconce/client"
)

// Keyring is a [client.Keyring] in a file of its own, overwritten in place and
// flushed.
type Keyring struct {
	v      js.Value // keyring.ts
	closed bool
}

var _ client.Keyring = (*Keyring)(nil)

// OpenKeyring opens the keyring of that name, and makes it when there is none.
func (h *Host) OpenKeyring(ctx context.Context, name string) (*Keyring, error) {
	v, err := h.open(ctx, "openKeyring", name)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	return &Keyring{v: v}, nil
}

// Read implements client.Keyring.
func (k *Keyring) Read() ([]byte, error) {
	if err := k.ready(); err != nil {
		return nil, err
	}
	v, err := try(func() js.Value { return k.v.Call("read", client.MaxSlots*client.SlotSize) })
	if err != nil {
		return nil, fmt.Errorf("reading keyring: %w", err)
	}
	return toGo(v), nil
}

// Overwrite implements client.Keyring.
func (k *Keyring) Overwrite(slots []client.SlotWrite) error {
	if err := k.ready(); err != nil {
		return err
	}
	if len(slots) == 0 {
		return nil
	}
	writes := make([]byte, 0, len(slots)*(4+client.SlotSize))
	defer clear(writes[:cap(writes)])
	for i := range slots {
		s := &slots[i]
		if s.Index < 0 || s.Index >= client.MaxSlots {
			return fmt.Errorf("keyring slot %d: want 0 to %d", s.Index, client.MaxSlots-1)
		}
		writes = binary.LittleEndian.AppendUint32(writes, uint32(s.Index))
		writes = append(writes, s.Slot[:]...)
	}
	if _, err := try(func() js.Value { return k.v.Call("overwrite", toJS(writes), client.SlotSize) }); err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	return nil
}

// Close implements client.Keyring.
func (k *Keyring) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	if _, err := try(func() js.Value { return k.v.Call("close") }); err != nil {
		return fmt.Errorf("closing keyring: %w", err)
	}
	return nil
}

func (k *Keyring) ready() error {
	if k.closed {
		return fmt.Errorf("keyring: %w", fs.ErrClosed)
	}
	return nil
}
