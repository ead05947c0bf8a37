package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
)

const (
	patience  = 10 * time.Second // with another process
	lockRetry = 100 * time.Millisecond
)

// session is one command at work on a store, by a door that is the same whether
// this process holds the store or another does.
type session struct {
	*app
	door    bridge.Door
	offline bool   // the server was found to be away, or is not asked
	owner   *owner // nil: another process holds the store
}

// owner is what a process has that holds a store.
type owner struct {
	client    *client.Client
	transport closer // nil when offline
	full      bool   // nothing can be kept, so the server is not asked for anything
	dir       string
}

type closer interface{ Close() }

func (o *owner) close() error {
	err := o.client.Close()
	if o.transport != nil {
		o.transport.Close()
	}
	return err
}

// dir gives the folder of the store.
func (a *app) dir() (string, error) {
	if a.store != "" {
		return filepath.Abs(a.store)
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for a store; give one with --store DIR (%w)", err)
	}
	return filepath.Join(config, "sconce"), nil
}

// withDoor runs a command that comes and goes: it starts in step with the
// server, as far as that can be reached.
func (a *app) withDoor(ctx context.Context, work func(context.Context, *session) error) (err error) {
	s, end, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if s.owner != nil {
		if err := s.sync(ctx); err != nil {
			s.note("sconce: %v", err)
		}
	}
	return work(ctx, s)
}

// withDoorOffline runs a command for which what this device knows is enough.
func (a *app) withDoorOffline(ctx context.Context, work func(context.Context, *session) error) (err error) {
	s, end, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	return work(ctx, s)
}

// open gets at the store: through the process that holds it, or by holding it.
func (a *app) open(ctx context.Context) (*session, func() error, error) {
	dir, err := a.dir()
	if err != nil {
		return nil, nil, err
	}
	if s, end := a.reach(dir); s != nil {
		return s, end, nil
	}
	if there, err := native.HasVault(dir); err != nil {
		return nil, nil, err
	} else if !there {
		return nil, nil, fmt.Errorf("there is no store in %s: begin with join, link or recover, or name another with --store", dir)
	}
	pass, err := a.passphrase(ctx)
	if err != nil {
		return nil, nil, err
	}
	for give := time.Now().Add(patience); ; {
		v, err := native.OpenDir(dir, pass, client.VaultOptions{})
		if err == nil {
			s, end, err := a.own(v, dir, false)
			if !errors.Is(err, client.ErrFull) {
				return s, end, err
			}
			if v, err = native.OpenDir(dir, pass, client.VaultOptions{}); err != nil {
				return nil, nil, storeError(err)
			}
			a.note("there is no space left where this store is: this shows what is there, and keeps nothing")
			return a.own(v, dir, true)
		}
		held, ok := errors.AsType[*native.LockedError](err)
		if !ok {
			return nil, nil, storeError(err)
		}
		// The other process is about to end, or to open its socket.
		if s, end := a.reach(dir); s != nil {
			return s, end, nil
		}
		if time.Now().After(give) {
			return nil, nil, inUse(dir, held)
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

func inUse(dir string, held *native.LockedError) error {
	if held.PID == 0 {
		return fmt.Errorf("the store %s is in use by another process", dir)
	}
	return fmt.Errorf("the store %s is in use by process %d", dir, held.PID)
}

// storeError says in one line what a person can do about it.
func storeError(err error) error {
	switch {
	case errors.Is(err, client.ErrPassphrase):
		return client.ErrPassphrase
	case errors.Is(err, client.ErrRolledBack):
		return errors.New("this store was restored from a copy, or a part of it is lost, so its keys can't be used again; link this device anew in an empty store")
	}
	return err
}

// own makes the client of an open vault, which may be full.
func (a *app) own(v *client.Vault, dir string, full bool) (*session, func() error, error) {
	cfg, t, err := a.config(v, native.Place{})
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	cfg.Full = full
	c, err := client.Open(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	o := &owner{client: c, transport: t, full: full, dir: dir}
	door := bridge.NewHolder(&native.Platform{Dir: dir, Version: programVersion()}, c)
	return &session{app: a, door: door, owner: o, offline: full}, o.close, nil
}

// config makes the transport to the place that the vault names, or on a new
// device to the one given, which is then kept.
func (a *app) config(v *client.Vault, given native.Place) (client.Config, closer, error) {
	place, kept, err := placeOf(v, given)
	if err != nil {
		return client.Config{}, nil, err
	}
	if a.caFile != "" {
		ca, err := os.ReadFile(a.caFile)
		if err != nil {
			return client.Config{}, nil, fmt.Errorf("reading the CA file: %w", err)
		}
		kept = kept && bytes.Equal(ca, place.CA)
		place.CA = ca
	}
	t, err := native.Dial(place.Server, native.DialOptions{CA: place.CA})
	if err != nil {
		return client.Config{}, nil, err
	}
	if !kept {
		if err := native.SavePlace(v, place); err != nil {
			return client.Config{}, nil, err
		}
	}
	if a.offline {
		return client.Config{Vault: v, Transport: away{}}, t, nil
	}
	return client.Config{Vault: v, Transport: t}, t, nil
}

// placeOf gives the place of a vault's device, and whether the vault has it
// already. Where an attempt to join came to nothing, such as at a mistyped
// address, the next one may name another.
func placeOf(v *client.Vault, given native.Place) (place native.Place, kept bool, err error) {
	known, err := native.LoadPlace(v)
	switch {
	case errors.Is(err, native.ErrNoPlace) && given.Server != "":
		return given, false, nil
	case err != nil:
		return native.Place{}, false, err
	case given.Server == "" || given.Server == known.Server:
		return known, true, nil
	}
	begun, err := client.Begun(v)
	if err == nil && begun {
		err = fmt.Errorf("this store belongs to a device on %s; give another with --store", known.Server)
	}
	return given, false, err
}

// reach connects with the process that holds the store, if there is one that
// listens.
func (a *app) reach(dir string) (*session, func() error) {
	r := holderOf(dir)
	if r == nil {
		return nil, nil
	}
	return &session{app: a, door: r}, r.Close
}

// holderOf connects with the process that holds a store, or gives nil.
func holderOf(dir string) *bridge.Remote {
	conn, err := net.DialTimeout("unix", filepath.Join(dir, socketFile), time.Second)
	if err != nil {
		return nil
	}
	return bridge.NewRemote(conn)
}

// sync gets in step with the server. When it is away, that is noted and no
// error.
func (s *session) sync(ctx context.Context) error {
	if s.app.offline {
		s.offline = true
	}
	if s.offline {
		return nil
	}
	err := s.catchUp(ctx)
	if isOffline(err) {
		s.offline = true
		return nil
	}
	return err
}

// catchUp syncs. Here a server that is away is noticed by the transport, and one
// that has much to give is given the time; a process that holds the store goes
// on by itself, so this one need not wait for long.
func (s *session) catchUp(ctx context.Context) error {
	if s.owner == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	_, err := bridge.Sync.Call(ctx, s.door, bridge.None{})
	return err
}

// settle sends what a command queued, or says that it waits.
func (s *session) settle(ctx context.Context) error {
	if err := s.sync(ctx); err != nil {
		return err
	}
	if s.offline {
		s.note("offline: queued, goes out at the next connection")
	}
	return nil
}

// noteOffline tells that what is shown may not be the latest.
func (s *session) noteOffline() {
	if s.offline {
		s.note("offline: this is what the device has")
	}
}

func isOffline(err error) bool {
	refused, ok := errors.AsType[*bridge.Error](err)
	return ok && refused.Code == bridge.Offline
}
