package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sconce/identity"
	"sconce/internal/sqldb"
	"sconce/server/account"
)

// lockData makes the data folder, for the owner alone, and takes it for this
// process. The lock ends with the process, however it ends.
func lockData(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("making data folder: %w", err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		return nil, fmt.Errorf("closing data folder to others: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking data folder: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("another server runs in %s: stop it first, or give this one a folder of its own", data)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking data folder: %w", err)
	}
	return f, nil
}

// Invite makes an invite to the server that runs, or last ran, in a data folder.
// It writes to the database by itself: whether the server runs makes no
// difference.
func Invite(ctx context.Context, data, name string) (identity.Invite, error) {
	settings, err := readSettings(data)
	if err != nil {
		return identity.Invite{}, err
	}
	db, err := sqldb.Open(ctx, databaseOf(data, settings.Database))
	if err != nil {
		return identity.Invite{}, err
	}
	// A checkpoint is the server's to make, and may fail beside it.
	defer db.Close()
	accounts, err := account.New(ctx, db, time.Now, nil)
	if err != nil {
		return identity.Invite{}, err
	}
	token, err := accounts.Invite(ctx, name)
	if err != nil {
		return identity.Invite{}, err
	}
	return identity.Invite{Server: settings.URL, Network: accounts.Network(), Token: token}, nil
}
