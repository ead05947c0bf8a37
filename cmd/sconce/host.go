package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sconce/client"
	"sconce/client/bridge"
)

// socketFile is beside the store, in a folder that is its owner's alone.
const socketFile = "socket"

// host runs a command that stays: it keeps the store in step with the server
// for as long as it works, and lets other commands in. When another process
// does all that already, the command only works.
//
// An interrupt is how such a command ends, and no error.
func (a *app) host(interrupt context.Context, work func(context.Context, *session) error) (err error) {
	s, end, err := a.open(interrupt)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(interrupt)
	var running sync.WaitGroup
	defer func() {
		stop(nil)
		running.Wait()
		err = errors.Join(err, end())
	}()
	if s.owner != nil {
		s.keep(ctx, stop, &running)
	}
	err = work(ctx, s)
	switch {
	case interrupt.Err() != nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx) // such as that the device was removed
	}
	return err
}

// keep lets other commands in, and keeps the store in step.
func (s *session) keep(ctx context.Context, stop context.CancelCauseFunc, running *sync.WaitGroup) {
	listener, err := listen(ctx, s.owner.dir)
	if err != nil {
		s.note("other commands can't use this store while this one runs: %v", err)
	} else {
		running.Go(func() { accept(ctx, listener, s.door) })
	}
	if s.app.offline {
		return
	}
	if s.owner.full {
		running.Go(func() { stop(conceal(ctx, s.owner.client)) })
		return
	}
	running.Go(func() {
		if err := s.owner.client.Run(ctx); err != nil {
			stop(err) // nothing, if ctx ended first
		}
	})
}

// conceal lets screens know of what runs out, until the client is asked to keep
// something.
func conceal(ctx context.Context, c *client.Client) error {
	for {
		if err := c.Conceal(); err != nil {
			return err
		}
		if err := client.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// listen opens the socket. A file that is there already is left over: whoever
// comes here holds the store's lock.
func listen(ctx context.Context, dir string) (net.Listener, error) {
	path := filepath.Join(dir, socketFile)
	const longest = 103 // of a socket's path, on every system
	if len(path) > longest {
		return nil, fmt.Errorf("its path has more than %d characters", longest)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	// The folder lets nobody else in; this says it once more.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// accept serves the commands that come, until ctx ends.
func accept(ctx context.Context, l net.Listener, d bridge.Door) {
	var serving sync.WaitGroup
	defer serving.Wait()
	end := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer end()
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed, or the system has nothing left to give
		}
		serving.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer conn.Close()
			_ = bridge.Serve(ctx, conn, conn, d) // an error is the other command's to tell
		})
	}
}
