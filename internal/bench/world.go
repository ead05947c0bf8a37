//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"sconce/client/native"
	"sconce/internal/sqldb"
	"sconce/server/account"
)

// world is a data folder with people and rooms in it, and the server that runs
// on it, which rows start anew as they need it.
type world struct {
	launch  launch
	scratch string // a folder for what else is needed
	binary  int64  // bytes of the server's program
	server  *process
	network network
	people  []*device
	pairs   []*talk // of two people each
	crowd   *talk   // of one who speaks and many who listen
}

// size is how much of everything there is.
type size struct {
	pairs    int // rooms of two
	flight   int // letters of one sender that wait for their answers
	crowd    int // who listen in the one large room
	idle     int // streams that do nothing
	messages int // in all pairs together
	news     int // in the crowd
	off      int // stored for who is off, in all pairs together
	seconds  int // of the open loop

	// silence is how long idle streams have been so when they are measured: what
	// connecting took is past, and the first round of pings has not come.
	silence time.Duration
}

// restart stops the server and starts it anew, as changed.
func (w *world) restart(ctx context.Context, change func(*launch)) error {
	if err := w.halt(); err != nil {
		return err
	}
	l := w.launch
	if change != nil {
		change(&l)
	}
	p, err := serve(ctx, l)
	if err != nil {
		return err
	}
	w.server = p
	return nil
}

func (w *world) halt() error {
	if w.server == nil {
		return nil
	}
	p := w.server
	w.server = nil
	return p.stop()
}

// file names a file of the server's.
func (w *world) file(name string) string { return filepath.Join(w.launch.data, name) }

// transport makes calls by HTTP, as one does who has no stream.
func (w *world) transport() (*native.Transport, error) {
	return native.Dial("http://"+w.server.address, native.DialOptions{})
}

// settle fills the world: people who are logged in, pairs, and the crowd.
func (w *world) settle(ctx context.Context, s size) error {
	t, err := w.transport()
	if err != nil {
		return err
	}
	defer t.Close()
	if w.network, err = meet(ctx, t); err != nil {
		return err
	}
	n := max(2*s.pairs, s.crowd+1, s.idle)
	invites, err := w.invite(ctx, n)
	if err != nil {
		return err
	}
	if err := w.join(ctx, t, invites); err != nil {
		return err
	}
	for i := range s.pairs {
		k, err := open(ctx, t, w.network, w.people[2*i], w.people[2*i+1:2*i+2])
		if err != nil {
			return fmt.Errorf("opening a room of two: %w", err)
		}
		w.pairs = append(w.pairs, k)
	}
	// Those of the pairs gave their one key package away.
	for _, d := range w.people[:min(len(w.people), s.crowd+1)] {
		if err := d.publish(ctx, t); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
	}
	if s.crowd > 0 {
		if w.crowd, err = open(ctx, t, w.network, w.people[0], w.people[1:s.crowd+1]); err != nil {
			return fmt.Errorf("opening a room of %d: %w", s.crowd+1, err)
		}
	}
	return nil
}

// invite writes invites into the database beside the server, as its own command
// does.
func (w *world) invite(ctx context.Context, n int) (tokens [][]byte, err error) {
	db, err := sqldb.Open(ctx, "sqlite:"+w.file("sconce.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close() // its checkpoint is the server's to make, and may fail beside it
	accounts, err := account.New(ctx, db, time.Now, nil)
	if err != nil {
		return nil, err
	}
	for range n {
		token, err := accounts.Invite(ctx, "")
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, []byte(token.Reveal()))
	}
	return tokens, nil
}

// join makes people of invites, a few at a time.
func (w *world) join(ctx context.Context, t *native.Transport, invites [][]byte) error {
	w.people = make([]*device, len(invites))
	errs := make([]error, len(invites))
	slots := make(chan struct{}, 4)
	var running sync.WaitGroup
	for i, token := range invites {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			w.people[i], errs[i] = join(ctx, t, w.network, token, fmt.Sprintf("person %d", i))
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

func closeAll(streams []*stream) {
	for _, s := range streams {
		s.close()
	}
}
