package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
	"sconce/cmd/sconce/plain"
)

// enter makes a device in a new store, or goes on where making one was
// interrupted.
func (a *app) enter(ctx context.Context, place native.Place, begin func(client.Config) (*client.Client, error)) error {
	if a.offline {
		return badUsage("a new device needs the server; leave out --offline")
	}
	dir, err := a.dir()
	if err != nil {
		return err
	}
	v, err := a.newVault(ctx, dir)
	if err != nil {
		return err
	}
	cfg, t, err := a.config(v, place)
	if err != nil {
		return errors.Join(err, v.Close())
	}
	c, err := begin(cfg)
	if err != nil {
		t.Close()
		return errors.Join(err, v.Close())
	}
	o := &owner{client: c, transport: t, dir: dir}
	s := &session{app: a, door: bridge.New(c), owner: o}
	// What others need to reach this device goes to the server now; where that
	// fails, the next command does it.
	if err := s.sync(ctx); err != nil {
		s.note("sconce: %v", err)
	}
	return o.close()
}

// newVault makes the store, or opens one that is there.
func (a *app) newVault(ctx context.Context, dir string) (*client.Vault, error) {
	there, err := native.HasVault(dir)
	if err != nil {
		return nil, err
	}
	begin, ask := native.CreateDir, a.newPassphrase
	if there {
		begin, ask = native.OpenDir, a.passphrase
	}
	pass, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	v, err := begin(dir, pass, client.VaultOptions{})
	if held, ok := errors.AsType[*native.LockedError](err); ok {
		return nil, inUse(dir, held)
	}
	if err != nil {
		return nil, storeError(err)
	}
	return v, nil
}

// machine names this device where its person does not. It is no more precise
// because the name of a computer can be the name of its owner, and the server
// reads it.
func machine() string {
	switch runtime.GOOS {
	case "darwin":
		return "Mac"
	case "windows":
		return "Windows computer"
	case "linux":
		return "Linux computer"
	}
	return fmt.Sprintf("%s computer", runtime.GOOS)
}

// showMe says who this is, after a device was made.
func (a *app) showMe(me client.Me) {
	fmt.Fprintf(a.out, "You are %s, on device %q, at %s.\n", plain.Name(me.Name), plain.Line(me.DeviceName), me.Server)
}
