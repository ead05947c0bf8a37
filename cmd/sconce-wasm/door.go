//go:build js && wasm

package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/browser"
	"sconce/identity"
)

// standIn is a door until bridge.Host is there: join, unlock, lock, state.
type standIn struct {
	host *browser.Host

	mu     sync.Mutex
	client *client.Client
	inner  *bridge.Bridge
	stop   context.CancelFunc
	subs   map[chan client.Event]bool
}

func door(h *browser.Host) bridge.Door {
	return &standIn{host: h, subs: map[chan client.Event]bool{}}
}

func (d *standIn) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *bridge.Error) {
	d.mu.Lock()
	inner := d.inner
	d.mu.Unlock()
	var p struct{ Invite, Name, DeviceName, Passphrase, Token string }
	switch method {
	case "state", "join", "unlock", "lock", "handover":
		_ = json.Unmarshal(params, &p)
	default:
		if inner == nil {
			return nil, bridge.Errorf("locked", "the store is locked")
		}
		return inner.Call(ctx, method, params)
	}
	var result any = struct{}{}
	var err error
	switch method {
	case "state":
		state := "new"
		if d.host.HasStore("device") {
			state = "locked"
		}
		if inner != nil {
			state = "open"
		}
		result = map[string]any{"state": state, "persistent": d.host.Persistent(), "kind": "browser"}
	case "join":
		var invite identity.Invite
		if invite, err = identity.ParseInvite(p.Invite); err != nil {
			break
		}
		err = d.open(ctx, client.CreateVault, p.Passphrase, func(cfg client.Config) (*client.Client, error) {
			c, key, err := client.Join(ctx, cfg, invite, p.Name, p.DeviceName)
			if err == nil {
				result = map[string]any{"me": c.Me(), "recovery": key.Reveal()}
			}
			return c, err
		})
		standInPass = p.Passphrase
	case "unlock":
		pass := p.Passphrase
		if p.Token != "" {
			pass = p.Token
		}
		standInPass = pass
		err = d.open(ctx, client.OpenVault, pass, func(cfg client.Config) (*client.Client, error) {
			c, err := client.Open(cfg)
			if err == nil {
				result = map[string]any{"me": c.Me()}
			}
			return c, err
		})
	case "handover":
		result = map[string]any{"token": standInPass}
	case "lock":
		d.mu.Lock()
		c, stop := d.client, d.stop
		d.client, d.inner = nil, nil
		d.mu.Unlock()
		if c != nil {
			stop()
			err = c.Close()
		}
	}
	if err != nil {
		code := bridge.Failed
		if errors.Is(err, client.ErrPassphrase) {
			code = "wrong_passphrase"
		}
		return nil, bridge.Errorf(code, "%v", err)
	}
	b, _ := json.Marshal(result)
	return b, nil
}

var standInPass string

type openVault = func(client.Store, client.Keyring, []byte, client.VaultOptions) (*client.Vault, error)

func (d *standIn) open(ctx context.Context, open openVault, pass string, begin func(client.Config) (*client.Client, error)) error {
	store, err := d.host.OpenStore(ctx, "device")
	if err != nil {
		return err
	}
	keyring, err := d.host.OpenKeyring(ctx, "device")
	if err != nil {
		return errors.Join(err, store.Close())
	}
	v, err := open(store, keyring, []byte(pass), client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}})
	if err != nil {
		return errors.Join(err, keyring.Close(), store.Close())
	}
	c, err := begin(client.Config{Vault: v, Transport: d.host.Dial()})
	if err != nil {
		return errors.Join(err, v.Close())
	}
	run, stop := context.WithCancel(context.Background())
	events, _ := c.Subscribe()
	go func() {
		for e := range events {
			d.mu.Lock()
			for s := range d.subs {
				select {
				case s <- e:
				default:
				}
			}
			d.mu.Unlock()
		}
	}()
	go func() { _ = c.Run(run) }()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.client, d.inner, d.stop = c, bridge.New(c), stop
	return nil
}

func (d *standIn) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := make(chan client.Event, 1024)
	d.subs[s] = true
	return s, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.subs[s] {
			delete(d.subs, s)
			close(s)
		}
	}, nil
}
