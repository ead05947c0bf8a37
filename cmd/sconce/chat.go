package main

import (
	"context"
	"errors"
	"os"
	"time"

	"sconce/client/native"
	"sconce/cmd/sconce/screen"
)

const chatUsage = `chat [--lock TIME]
Chat on the whole screen; sconce alone does the same

F1 lists the keys. Other commands on this store work at the same time. With
--lock the store is closed, and the passphrase asked for, after so long without
a key: 5m, 1h.`

func chat(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	var lock timer
	fs.Var(&lock, "lock", "")
	if _, err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	if !isTerminal(a.in) || !isTerminal(a.out) {
		return errors.New("chat needs a terminal; for programs there is sconce rpc")
	}
	for {
		err := a.host(ctx, func(ctx context.Context, s *session) error {
			return screen.Run(ctx, s.door, screen.Options{In: a.in, Out: a.out, Env: os.Environ(), Lock: time.Duration(lock.seconds) * time.Second})
		})
		switch {
		case errors.Is(err, screen.ErrLost):
			a.note("the program that held this store has ended; going on by ourselves")
		case errors.Is(err, screen.ErrLocked) && a.passphraseFile == "":
			a.note("locked")
		case errors.Is(err, screen.ErrLocked):
			return nil // a passphrase that lies in a file would open it at once
		default:
			return err
		}
	}
}

// hasDevice reports whether there is a store to chat from. What else is wrong
// with it, opening it will tell.
func (a *app) hasDevice() bool {
	dir, err := a.dir()
	if err != nil {
		return false
	}
	there, err := native.HasVault(dir)
	return there || err != nil
}
