package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sconce/client"
)

// Platform is a folder of this computer as a bridge.Host uses it: everything of
// one device is in it. The zero value of all but Dir is right.
type Platform struct {
	Dir            string
	CA             []byte // see [DialOptions]; kept with the server's address on a new device
	Version, Build string // of the program
	Options        client.VaultOptions
}

// About tells what does not change.
func (p *Platform) About() client.DoorView {
	return client.DoorView{Kind: "native", Persistent: true, Version: p.Version, Build: p.Build}
}

// Spellings gives the bytes that a passphrase may stand for: in Unicode NFC, and
// as it was typed.
func (p *Platform) Spellings(passphrase []byte) [][]byte { return spellings(passphrase) }

// Hint says how what is in the folder is opened.
func (p *Platform) Hint() (hint client.VaultHint, err error) {
	err = p.look(func(s *Store, _ *Keyring) error {
		hint, err = client.ReadVaultHint(s)
		return err
	})
	return hint, err
}

// look does something with the files of the folder while no vault owns them.
func (p *Platform) look(fn func(*Store, *Keyring) error) error {
	if err := requireVault(p.Dir); err != nil {
		return err
	}
	done := errors.New("done") // withDir then closes everything
	_, err := withDir(p.Dir, func(s *Store, k *Keyring) (*client.Vault, error) {
		if err := fn(s, k); err != nil {
			return nil, err
		}
		return nil, done
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// Create makes a vault in the folder, which does not exist or is empty.
func (p *Platform) Create(keys []client.VaultKey) (*client.Vault, error) {
	return createDir(p.Dir, func(s *Store, k *Keyring) (*client.Vault, error) {
		return client.CreateVaultWith(s, k, keys, p.Options)
	})
}

// Open opens the vault in the folder.
func (p *Platform) Open(key client.VaultKey) (*client.Vault, error) {
	if err := requireVault(p.Dir); err != nil {
		return nil, err
	}
	return withDir(p.Dir, func(s *Store, k *Keyring) (*client.Vault, error) {
		return client.OpenVaultWith(s, k, key, p.Options)
	})
}

// Wipe overwrites the keys, then takes the files away. The lock's file stays: see
// [Lock].
func (p *Platform) Wipe() error {
	if _, err := os.Stat(p.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := TakeLock(filepath.Join(p.Dir, lockFile))
	if err != nil {
		return err
	}
	err = wipeKeyring(filepath.Join(p.Dir, keyringFile))
	for _, name := range []string{storeFile, storeFile + "-wal", keyringFile} {
		if gone := os.Remove(filepath.Join(p.Dir, name)); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return errors.Join(err, syncDir(p.Dir), lock.Release())
}

// wipeKeyring overwrites all of the file where it lies.
func wipeKeyring(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		zeros := make([]byte, 64<<10)
		for at := int64(0); at < info.Size() && err == nil; at += int64(len(zeros)) {
			_, err = f.WriteAt(zeros[:min(int64(len(zeros)), info.Size()-at)], at)
		}
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

// Dial makes the transport to a server, and notes where it is; "" is the server
// noted before.
func (p *Platform) Dial(v *client.Vault, server string) (client.Transport, error) {
	known, err := LoadPlace(v)
	switch {
	case errors.Is(err, ErrNoPlace) && server != "":
		known = Place{Server: server, CA: p.CA}
		if err := SavePlace(v, known); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case server != "" && server != known.Server:
		return nil, fmt.Errorf("%w, on %s", client.ErrTaken, known.Server)
	}
	if p.CA != nil {
		known.CA = p.CA
	}
	return Dial(known.Server, DialOptions{CA: known.CA})
}
