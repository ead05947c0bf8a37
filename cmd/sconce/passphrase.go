package main

import (
	"context"
	"errors"
	"fmt"

	"sconce/client"
	"sconce/client/native"
)

const passphraseUsage = `passphrase [--new-file FILE]
Change the passphrase of the store`

func passphrase(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	newFile := fs.String("new-file", "", "")
	if _, err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	dir, err := a.dir()
	if err != nil {
		return err
	}
	current, err := a.passphrase(ctx)
	if err != nil {
		return err
	}
	v, err := native.OpenDir(dir, current, client.VaultOptions{})
	if held, ok := errors.AsType[*native.LockedError](err); ok {
		return fmt.Errorf("%w; end that one first", inUse(dir, held))
	}
	if err != nil {
		return storeError(err)
	}
	chosen := &app{in: a.in, out: a.out, err: a.err, env: a.env, passphraseFile: *newFile}
	next, err := chosen.newPassphrase(ctx)
	if err == nil {
		err = native.ChangePassphrase(v, current, next, client.PassphraseCost{})
	}
	return errors.Join(err, v.Close())
}
