package client

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"sconce/api"
	"sconce/room"
)

// Run keeps this device in step until ctx ends. It returns ctx's error, or the
// one that makes going on senseless, such as [ErrRemoved].
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	c.full = false
	c.mu.Unlock()
	running, stop := context.WithCancelCause(ctx)
	var timekeeper sync.WaitGroup
	timekeeper.Go(func() {
		if err := c.keepTime(running); err != nil {
			stop(err)
		}
	})
	defer timekeeper.Wait()
	defer stop(nil)
	err := c.stayConnected(running)
	if running.Err() != nil && ctx.Err() == nil {
		return context.Cause(running)
	}
	return err
}

// stayConnected follows the stream, and opens another when it ends.
func (c *Client) stayConnected(ctx context.Context) error {
	const slowest = 30 * time.Second
	wait := time.Duration(0)
	for {
		err := c.runOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrRemoved), errors.Is(err, errClosed), errors.Is(err, ErrReopen):
			return err
		}
		c.log.Info("the stream ended", "err", err)
		c.setReach(ReachOffline)
		wait = min(max(2*wait, 500*time.Millisecond), slowest)
		if c.wentOnline() {
			wait = 500 * time.Millisecond
		}
		if err := Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// Pause waits. When ctx ends first it gives that one's error at once.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// keepTime takes away what runs out, at its time, until ctx ends. It runs beside
// everything else, because a call to the server may hang for as long as the
// network likes.
func (c *Client) keepTime(ctx context.Context) error {
	for {
		d, err := c.untilExpiry()
		if err != nil {
			return err
		}
		t := time.NewTimer(d)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-c.failed:
			t.Stop()
			return c.Err()
		case <-c.timed: // perhaps something earlier
			t.Stop()
		case <-t.C:
			if err := c.expireNow(); err != nil {
				return err
			}
		}
	}
}

// longestWait is how long the timekeeper sleeps at most: the timers of a machine
// that was suspended have not run meanwhile.
const longestWait = time.Minute

// untilExpiry is how long nothing runs out.
func (c *Client) untilExpiry() (time.Duration, error) {
	if err := c.lock(); err != nil {
		return 0, err
	}
	defer c.mu.Unlock()
	next := c.nextExpiry()
	for _, r := range c.rooms {
		for _, o := range r.outbox {
			if o.ends != 0 && o.Message != nil {
				next = earlier(next, o.ends)
			}
		}
	}
	return c.until(next, longestWait), nil
}

// until is how long it is to a time, or otherwise if that is none or later.
func (c *Client) until(next int64, otherwise time.Duration) time.Duration {
	if next == 0 {
		return otherwise
	}
	return min(max(time.Duration(next-c.now())*time.Millisecond, 0), otherwise)
}

// tellTimer fires when this device is to tell others something by itself: a
// newcomer a room's state, or what came and was read.
func (c *Client) tellTimer() (<-chan time.Time, func()) {
	if c.lock() != nil {
		return nil, func() {}
	}
	defer c.mu.Unlock()
	var next int64
	for _, r := range c.rooms {
		if c.answers(r) {
			next = earlier(next, r.Answer)
		}
		if c.reports(r) {
			next = earlier(next, r.reportDue)
		}
	}
	if next == 0 {
		return nil, func() {}
	}
	t := time.NewTimer(c.until(next, time.Hour))
	return t.C, func() { t.Stop() }
}

// maxPushes is how many pushes wait: each may be as large as a frame, and what
// does not wait is read by cursor.
const maxPushes = 32

// runOnce opens the stream, syncs, and then follows what is pushed.
func (c *Client) runOnce(ctx context.Context) error {
	c.setReach(ReachConnecting)
	token, err := c.login(ctx, false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pushes := make(chan *api.Push, maxPushes)
	ready := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- c.transport.Stream(ctx, token, func() { close(ready) }, func(p *api.Push) {
			select {
			case pushes <- p:
			default: // behind: the next sync reads by cursor
				c.kick()
			}
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		c.mu.Lock()
		if apiCode(err) == api.Unauthenticated {
			c.token = nil
		}
		c.mu.Unlock()
		return cmp.Or(err, errors.New("the stream closed before it was ready"))
	}
	c.setOnline(true)
	c.setReach(ReachOnline)
	defer c.setOnline(false)
	err = c.follow(ctx, pushes, ended)
	cancel()
	return err
}

func (c *Client) follow(ctx context.Context, pushes <-chan *api.Push, ended <-chan error) error {
	if err := c.Sync(ctx); err != nil {
		return err
	}
	for {
		tell, stop := c.tellTimer()
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case err := <-ended:
			stop()
			return cmp.Or(err, errors.New("the stream closed"))
		case <-tell:
			if err := c.tellDue(ctx); err != nil {
				return err
			}
		case p := <-pushes:
			stop()
			if err := c.pushed(ctx, p, pushes); err != nil {
				return err
			}
		case <-c.wake:
			stop()
			if err := c.Sync(ctx); err != nil {
				return err
			}
		}
	}
}

// tellDue tells others what is due.
func (c *Client) tellDue(ctx context.Context) error {
	if err := c.sendReports(ctx); err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	answers := false
	for _, r := range c.rooms {
		answers = answers || c.answers(r) && r.Answer <= c.now()
	}
	c.mu.Unlock()
	if !answers {
		return nil
	}
	return c.answerDue(ctx)
}

// answerDue tells newcomers what they wait for.
func (c *Client) answerDue(ctx context.Context) error {
	if err := c.Sync(ctx); err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	for _, r := range c.rooms {
		if c.answers(r) && r.Answer <= c.now() {
			r.Answer = c.now() + answerAgain // the room could not go on
		}
	}
	return nil
}

// answerAgain is when to try again to tell a newcomer, in milliseconds.
const answerAgain = 30_000

// answers reports whether this device is to tell a newcomer a room's state, and
// can.
func (c *Client) answers(r *roomState) bool {
	return r.Answer != 0 && r.Member && r.Stuck == "" && r.staged == nil && r.status != nil
}

// pushed takes pushes as they come. Entries that follow on what is here are
// processed at once; anything else makes a sync.
func (c *Client) pushed(ctx context.Context, p *api.Push, more <-chan *api.Push) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	full := false
	for range 256 {
		quiet, err := c.takePush(ctx, p, full)
		if err != nil {
			return err
		}
		full = full || !quiet
		select {
		case p = <-more:
			continue
		default:
		}
		break
	}
	if full {
		return c.sync(ctx)
	}
	return nil
}

// takePush processes one push, and reports whether that was all there is to do.
// Where a sync is due all the same, it has what is said in the self-group: that may
// be about a room of which this device learns by the sync.
func (c *Client) takePush(ctx context.Context, p *api.Push, due bool) (quiet bool, err error) {
	if len(p.Signal) > 0 {
		c.takeSignal(p)
		return true, nil
	}
	if err := c.lock(); err != nil {
		return false, err
	}
	r, ok := c.rooms[room.ID(p.Log)]
	follows := ok && !(due && r.Kind == room.Self) && r.caughtUp && r.Member && r.Stuck == "" && len(p.Entries) > 0 && p.Entries[0].Seq <= r.Cursor+1
	c.mu.Unlock()
	if !follows {
		return false, nil
	}
	if err := c.takeEntries(ctx, r, p.Entries, p.Last); err != nil {
		return false, nil // a full sync finds out
	}
	if err := c.readEnd(ctx, r); err != nil {
		return false, err
	}
	if err := c.lock(); err != nil {
		return false, err
	}
	defer c.mu.Unlock()
	pending := r.group != nil && len(r.group.Pending()) > 0
	return !pending && r.Stuck == "" && r.Cursor >= p.Last && len(r.outbox) == 0 && r.Checked, nil
}

func (c *Client) setOnline(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.online = on
	c.wasOnline = c.wasOnline || on
	c.events.send([]Event{{Online: &on}})
}

// wentOnline reports whether the stream was up since it was asked last.
func (c *Client) wentOnline() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.wasOnline
	c.wasOnline = false
	return was
}

// Online reports whether the stream to the server is up.
func (c *Client) Online() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.online
}
