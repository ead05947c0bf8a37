package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sconce/client"
)

// Keyring is a [client.Keyring] in a file of its own.
type Keyring struct {
	file   *os.File
	closed bool
}

var _ client.Keyring = (*Keyring)(nil)

// The file grows by this many bytes of zeros, a whole number of disk pages, so
// that later slots are overwritten in blocks that the file already has.
const growth = 16 << 10

// OpenKeyring opens the keyring at path, and makes it when there is none,
// readable for its owner alone.
func OpenKeyring(path string) (*Keyring, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	return &Keyring{file: f}, nil
}

// Read implements client.Keyring.
func (k *Keyring) Read() ([]byte, error) {
	if err := k.ready(); err != nil {
		return nil, err
	}
	size, err := k.size()
	if err != nil {
		return nil, err
	}
	if most := int64(client.MaxSlots*client.SlotSize + growth); size > most {
		return nil, fmt.Errorf("keyring has %d bytes, more than the %d that are possible", size, most)
	}
	// Read at once into memory of the right size: growing would leave copies of
	// the keys behind.
	b := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(k.file, 0, size), b); err != nil {
		return nil, fmt.Errorf("reading keyring: %w", err)
	}
	return b[:min(len(b), client.MaxSlots*client.SlotSize)], nil
}

// Overwrite implements client.Keyring.
func (k *Keyring) Overwrite(slots []client.SlotWrite) error {
	if err := k.ready(); err != nil {
		return err
	}
	if len(slots) == 0 {
		return nil
	}
	end := int64(0)
	for _, s := range slots {
		if s.Index < 0 || s.Index >= client.MaxSlots {
			return fmt.Errorf("keyring slot %d: want 0 to %d", s.Index, client.MaxSlots-1)
		}
		end = max(end, int64(s.Index+1)*client.SlotSize)
	}
	if err := k.grow(end); err != nil {
		return err
	}
	for _, s := range slots {
		if _, err := k.file.WriteAt(s.Slot[:], int64(s.Index)*client.SlotSize); err != nil {
			return fmt.Errorf("writing keyring: %w", err)
		}
	}
	if err := k.file.Sync(); err != nil {
		return fmt.Errorf("syncing keyring: %w", err)
	}
	return nil
}

// grow makes the file at least end bytes long.
func (k *Keyring) grow(end int64) error {
	size, err := k.size()
	if err != nil || size >= end {
		return err
	}
	target := (end + growth - 1) / growth * growth
	if _, err := k.file.WriteAt(make([]byte, target-size), size); err != nil {
		return fmt.Errorf("growing keyring: %w", err)
	}
	return nil
}

func (k *Keyring) size() (int64, error) {
	info, err := k.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading keyring: %w", err)
	}
	return info.Size(), nil
}

// Close implements client.Keyring.
func (k *Keyring) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	return k.file.Close()
}

func (k *Keyring) ready() error {
	if k.closed {
		return fmt.Errorf("keyring %s: %w", k.file.Name(), fs.ErrClosed)
	}
	return nil
}

// openFile opens a file for its owner alone. When it makes the file, the folder
// is synced, so that the file is still there after a loss of power.
func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Sync(), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
