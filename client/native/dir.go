package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sconce/client"
)

// The files of a store directory.
const (
	storeFile   = "store.db"
	keyringFile = "keyring"
	lockFile    = "lock"
)

// CreateDir makes a vault in dir, a folder that does not exist or is empty, and
// makes the folder readable for its owner alone. Text as passphrase is brought to
// Unicode NFC, so that it can be typed anywhere. Closing the vault releases the
// folder.
func CreateDir(dir string, passphrase []byte, opts client.VaultOptions) (*client.Vault, error) {
	return createDir(dir, func(s *Store, k *Keyring) (*client.Vault, error) {
		return client.CreateVault(s, k, spellings(passphrase)[0], opts)
	})
}

func createDir(dir string, create func(*Store, *Keyring) (*client.Vault, error)) (*client.Vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating store: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("creating store: %w", err)
	}
	ours := []string{storeFile, storeFile + "-wal", keyringFile, lockFile} // left by an interrupted CreateDir
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) {
			return nil, fmt.Errorf("creating store: folder %s is not empty", dir)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating store: %w", err)
	}
	if err := syncDir(filepath.Dir(filepath.Clean(dir))); err != nil {
		return nil, fmt.Errorf("creating store: %w", err)
	}
	return withDir(dir, create)
}

// OpenDir opens the vault that CreateDir made in dir. Besides the errors of
// [client.OpenVault] there is *[LockedError]. Closing the vault releases the
// folder.
func OpenDir(dir string, passphrase []byte, opts client.VaultOptions) (*client.Vault, error) {
	if err := requireVault(dir); err != nil {
		return nil, err
	}
	return withDir(dir, func(s *Store, k *Keyring) (v *client.Vault, err error) {
		err = anySpelling(passphrase, func(p []byte) error {
			v, err = client.OpenVault(s, k, p, opts)
			return err
		})
		return v, err
	})
}

// RecoverDir is to [client.RecoverVault] what OpenDir is to OpenVault.
func RecoverDir(dir string, passphrase []byte, opts client.VaultOptions) (v *client.Vault, lost [][]byte, err error) {
	if err := requireVault(dir); err != nil {
		return nil, nil, err
	}
	v, err = withDir(dir, func(s *Store, k *Keyring) (v *client.Vault, err error) {
		err = anySpelling(passphrase, func(p []byte) error {
			v, lost, err = client.RecoverVault(s, k, p, opts)
			return err
		})
		return v, err
	})
	return v, lost, err
}

func requireVault(dir string) error {
	_, err := os.Stat(filepath.Join(dir, storeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening %s: %w", dir, client.ErrNoVault)
	}
	return err
}

// withDir opens what is in dir and gives it to open, which makes the vault that
// owns it.
func withDir(dir string, open func(*Store, *Keyring) (*client.Vault, error)) (*client.Vault, error) {
	lock, err := TakeLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	store, err := OpenStore(filepath.Join(dir, storeFile))
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	store.lock = lock
	keyring, err := OpenKeyring(filepath.Join(dir, keyringFile))
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	v, err := open(store, keyring)
	if err != nil {
		return nil, errors.Join(err, keyring.Close(), store.Close())
	}
	return v, nil
}
