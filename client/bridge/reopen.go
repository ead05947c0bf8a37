package bridge

import (
	"context"
	"errors"
	"time"

	"sconce/client"
)

// lookEvery is how often it is looked whether a store can be written again, and
// tryEvery how often it is tried where only that tells.
const (
	lookEvery = time.Second
	tryEvery  = 10 * time.Second
)

// run keeps a client in step until it is shut. When its store fails under it, as
// where there is no more space, another one takes its place: what is saved can be
// read meanwhile, and all goes on as soon as something can be written.
func (h *Host) run(ctx context.Context, r *running) {
	var err error
	if r.after != nil {
		err = h.awaitSpace(ctx, r)
	}
	if err == nil {
		err = r.client.Run(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, client.ErrRemoved):
		me := r.client.Me()
		h.events.send(client.Event{Me: &me, Problem: err.Error()})
	default:
		h.log.Warn("the store failed and is opened anew", "err", err)
		h.reopen(ctx, r, err)
	}
}

// awaitSpace waits, after a store failed, until it may be written again. Its error
// is the client's, which may be asked to save something meanwhile, and can't.
func (h *Host) awaitSpace(ctx context.Context, r *running) error {
	full := errors.Is(r.after, client.ErrFull)
	p, limited := h.platform.(Limited)
	for began := time.Now(); ; {
		if full {
			if err := r.client.Conceal(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.client.Failed():
			return r.client.Err()
		case <-time.After(lookEvery):
		}
		if !limited {
			if full && time.Since(began) < tryEvery {
				continue
			}
			return nil
		}
		if err := h.takeTurn(ctx); err != nil {
			return err
		}
		full := p.Full()
		h.endTurn()
		if !full {
			return nil
		}
	}
}

// reopen puts another client of the same store in the place of one that failed.
func (h *Host) reopen(ctx context.Context, r *running, cause error) {
	token, err := r.client.Handover()
	if err != nil {
		return // it was closed, or there is nothing to go on from
	}
	defer clear(token)
	h.mu.Lock()
	r.failed = errorOf(cause)
	h.mu.Unlock()
	for {
		if h.takeTurn(ctx) != nil {
			return
		}
		err := h.replace(ctx, r, client.HandoverKey(token), cause)
		h.endTurn()
		if err == nil {
			return
		}
		h.log.Warn("the store can't be opened yet", "err", err)
		if client.Pause(ctx, lookEvery) != nil {
			return
		}
	}
}

// replace opens the store anew, and runs its client in the place of r's. The
// caller has the turn.
func (h *Host) replace(ctx context.Context, r *running, key client.VaultKey, cause error) error {
	if ctx.Err() != nil {
		return nil // it was shut meanwhile
	}
	if err := r.client.Close(); err != nil {
		h.log.Info("closing a store that failed", "err", err)
	}
	v, err := h.platform.Open(key)
	if err != nil {
		return err
	}
	c, t, err := h.open(v, errors.Is(cause, client.ErrFull))
	if err != nil {
		return errors.Join(err, v.Close())
	}
	r.stop()
	r.close()
	h.start(c, func() { closeTransport(t) }, cause)
	h.events.cut() // what the two did between them, nobody was told
	return nil
}
