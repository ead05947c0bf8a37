package main

import (
	"context"
	"errors"

	"sconce/client"
)

const syncUsage = `sync [--wait]
Fetch what came and send what waits

--wait stays connected until it is interrupted; other commands on this store are
then quicker, and ask for no passphrase.`

func syncStore(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	wait := fs.Bool("wait", false, "")
	if _, err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	if a.offline {
		return badUsage("sync needs the server; leave out --offline")
	}
	if *wait {
		return a.host(ctx, waitForever)
	}
	return a.withDoorOffline(ctx, func(ctx context.Context, s *session) error {
		return s.catchUp(ctx)
	})
}

// waitForever tells when the connection comes and goes.
func waitForever(ctx context.Context, s *session) error {
	if s.owner == nil {
		return errors.New("another process keeps this store in step already")
	}
	for {
		events, cancel, err := s.door.Subscribe(ctx)
		if err != nil {
			return err
		}
		err = s.tell(ctx, events)
		cancel()
		if !errors.Is(err, errBehind) {
			return err
		}
	}
}

func (s *session) tell(ctx context.Context, events <-chan client.Event) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, ok := <-events:
			switch {
			case !ok:
				return errBehind
			case e.Problem != "":
				s.note("%s", e.Problem)
			case e.Online != nil && *e.Online:
				s.note("online")
			case e.Online != nil:
				s.note("offline")
			}
		}
	}
}
