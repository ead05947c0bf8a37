package clienttest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sconce/client"
)

// Recorder remembers every version of every value that was written to a Store.
// See [Disk.Record].
type Recorder struct {
	mu       sync.Mutex
	versions []client.Op
}

func (r *Recorder) add(key, value []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions = append(r.versions, client.Op{Key: bytes.Clone(key), Value: clone(value)})
}

// Versions returns what was written, oldest first. The bytes are sealed.
func (r *Recorder) Versions() []client.Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.versions)
}

// Attack plays someone who has the device's disk as it is now, every byte that
// its Store ever wrote, and the passphrase. They put each old version back in its
// place and open what opens. Attack returns all the plaintext that this gives,
// with duplicates; the disk is not changed.
//
// A test that finds nothing proves something only beside its control: the same
// with [client.VaultOptions].KeepErased, where Attack must find what was erased.
func Attack(disk *Disk, recorder *Recorder, passphrase []byte) ([]client.Put, error) {
	versions := make(map[string][][]byte)
	rounds := 1
	for _, v := range recorder.Versions() {
		if v.Key[0] == 0 {
			continue // the vault's own; the disk has the current ones
		}
		key := string(v.Key)
		versions[key] = append(versions[key], v.Value)
		rounds = max(rounds, len(versions[key]))
	}
	var found []client.Put
	for round := range rounds { // the nth version of every key at a time: opening is slow
		stolen := disk.Clone()
		for key, values := range versions {
			stolen.SetRow([]byte(key), values[min(round, len(values)-1)])
		}
		plain, err := readAll(stolen, passphrase)
		if err != nil {
			return nil, fmt.Errorf("attack with version %d of every record: %w", round, err)
		}
		found = append(found, plain...)
	}
	return found, nil
}

// readAll opens a disk by force. Keeping what is erased costs the attacker
// nothing, so they keep it.
func readAll(disk *Disk, passphrase []byte) (found []client.Put, err error) {
	vault, _, err := client.RecoverVault(disk.Store(), disk.Keyring(), passphrase, client.VaultOptions{KeepErased: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, vault.Close()) }()
	err = vault.Scan(nil, nil, func(key, value []byte) error {
		found = append(found, client.Put{Key: bytes.Clone(key), Value: value})
		return nil
	})
	return found, err
}
