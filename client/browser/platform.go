//go:build js && wasm

package browser

import (
	"context"
	"errors"
	"fmt"

	"sconce/client"
	"sconce/client/bridge"
)

// Platform is the worker as a [bridge.Host] uses it: one device, in a store and
// a keyring of that name, and one server, which the page came from.
type Platform struct {
	Host    *Host
	Version string // of the program
}

var _ bridge.Platform = (*Platform)(nil)

// deviceName is what the store and the keyring of the page's device are called.
const deviceName = "device"

// About implements bridge.Platform.
func (p *Platform) About() client.DoorView {
	return client.DoorView{Kind: "browser", Persistent: p.Host.Persistent(), Version: p.Version, Build: p.Host.Build()}
}

// Hint implements bridge.Platform.
func (p *Platform) Hint() (hint client.VaultHint, err error) {
	if !p.Host.HasStore(deviceName) {
		return hint, client.ErrNoVault
	}
	s, err := p.Host.OpenStore(context.Background(), deviceName)
	if err != nil {
		return hint, err
	}
	hint, err = client.ReadVaultHint(s)
	return hint, errors.Join(err, s.Close())
}

// Create implements bridge.Platform.
func (p *Platform) Create(keys []client.VaultKey) (*client.Vault, error) {
	return p.with(func(s *Store, k *Keyring) (*client.Vault, error) {
		return client.CreateVaultWith(s, k, keys, p.options())
	})
}

// Open implements bridge.Platform.
func (p *Platform) Open(key client.VaultKey) (*client.Vault, error) {
	if !p.Host.HasStore(deviceName) {
		return nil, client.ErrNoVault
	}
	return p.with(func(s *Store, k *Keyring) (*client.Vault, error) {
		return client.OpenVaultWith(s, k, key, p.options())
	})
}

// with opens the files and gives them to open, which makes the vault that owns
// them.
func (p *Platform) with(open func(*Store, *Keyring) (*client.Vault, error)) (*client.Vault, error) {
	ctx := context.Background()
	var k *Keyring
	ring := make(chan error, 1)
	go func() { // both at once: each waits until a tab that has just gone lets go
		var err error
		k, err = p.Host.OpenKeyring(ctx, deviceName)
		ring <- err
	}()
	s, err := p.Host.OpenStore(ctx, deviceName)
	if ringErr := <-ring; err != nil || ringErr != nil {
		if ringErr == nil {
			ringErr = k.Close()
		}
		if err == nil {
			err = s.Close()
		}
		return nil, errors.Join(err, ringErr)
	}
	v, err := open(s, k)
	if err != nil {
		return nil, errors.Join(err, k.Close(), s.Close())
	}
	return v, nil
}

// options let a passphrase be worked on where its memory is given back.
func (p *Platform) options() client.VaultOptions {
	return client.VaultOptions{Derive: func(passphrase, salt []byte, c client.PassphraseCost) ([]byte, error) {
		return p.Host.DeriveElsewhere(context.Background(), passphrase, salt, c.Passes, c.MemoryKiB, c.Lanes)
	}}
}

// Full implements bridge.Limited.
func (p *Platform) Full() bool { return p.Host.Full() }

// Wipe implements bridge.Platform.
func (p *Platform) Wipe() error { return p.Host.Wipe(context.Background(), deviceName) }

// Dial implements bridge.Platform. There is nothing to note: the store belongs to
// the page's origin, and the browser lets the page reach no other.
func (p *Platform) Dial(_ *client.Vault, server string) (client.Transport, error) {
	if own := p.Host.Origin(); server != "" && server != own {
		return nil, fmt.Errorf("this page is of %s and speaks with no other server: open %s", own, server)
	}
	return p.Host.Dial(), nil
}
