package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/room"
)

func timeOf(ms int64) time.Time { return time.UnixMilli(ms) }

// Sync brings this device in step with the server once: what came is processed,
// what waits is sent, what a member owes the group is done. It returns when
// there is nothing left to do.
func (c *Client) Sync(ctx context.Context) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	return c.sync(ctx)
}

// maxRounds bounds one Sync: each round that changes something is followed by
// another, and what is left then comes with the next Sync.
const maxRounds = 20

// sync does the rounds. The caller has the turn.
func (c *Client) sync(ctx context.Context) error {
	if err := c.expireNow(); err != nil {
		return err
	}
	if err := c.refillKeys(ctx); err != nil {
		return err
	}
	for range maxRounds {
		again, err := c.round(ctx)
		if err != nil || !again {
			return err
		}
	}
	return nil
}

// round goes through everything once, and says whether another is worth it.
func (c *Client) round(ctx context.Context) (again bool, err error) {
	if err := c.listRooms(ctx); err != nil {
		return false, err
	}
	if err := c.dropUnmade(); err != nil {
		return false, err
	}
	if err := c.eachRoom(func(r *roomState) error { return c.only(c.readRoom(ctx, r)) }); err != nil {
		return false, err
	}
	moved, err := c.readInbox(ctx)
	if err != nil {
		return false, err
	}
	again = again || moved
	err = c.eachRoom(func(r *roomState) error {
		moved, err := c.tend(ctx, r)
		again = again || moved && err == nil
		if apiCode(err) == api.RateLimited {
			c.log.Info("a room waits for a limit of the server's", "err", err)
			return nil // others may go on
		}
		return c.only(err)
	})
	if err != nil {
		return false, err
	}
	if err := c.selfRoom(ctx); err != nil {
		return false, err
	}
	return again, nil
}

// dropUnmade forgets rooms whose making broke off before the server had them.
// Rooms are made within one turn, so one that is unmade here was left behind.
// If the server gets it yet, this device comes into it as into any other.
func (c *Client) dropUnmade() error {
	return c.eachRoom(func(r *roomState) error {
		if !r.Made {
			c.forget(r)
		}
		return nil
	})
}

// only lets an error pass that stops everything. One room that can't go on must
// not hold up the others.
func (c *Client) only(err error) error {
	if err == nil || unreachable(err) {
		return err
	}
	c.log.Warn("a room can't go on for now", "err", err)
	return nil
}

// unreachable reports an error of the way to the server or of this device's
// login, with which nothing else will go through either. Every other error is
// about one room or one Welcome, and must not hold up the rest: whoever can
// write to this device could stop it otherwise.
func unreachable(err error) bool {
	if _, ok := errors.AsType[*networkError](err); ok {
		return true
	}
	switch apiCode(err) {
	case api.Unauthenticated, api.Unavailable, api.RateLimited:
		return true
	}
	return errors.Is(err, ErrRemoved) || errors.Is(err, ErrReopen) || errors.Is(err, errClosed)
}

// errRoom marks errors that concern one room.
var errRoom = errors.New("room")

// eachRoom calls fn for every room, in a fixed order, without c.mu.
func (c *Client) eachRoom(fn func(*roomState) error) error {
	if err := c.lock(); err != nil {
		return err
	}
	all := c.sortedRooms()
	c.mu.Unlock()
	for _, r := range all {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// sortedRooms lists the rooms by id, after the self-group: a new device that is in
// that first misses nothing that is said there of the others.
func (c *Client) sortedRooms() []*roomState {
	all := slices.Collect(maps.Values(c.rooms))
	slices.SortFunc(all, func(a, b *roomState) int {
		switch {
		case a.Kind == b.Kind || a.Kind != room.Self && b.Kind != room.Self:
			return bytes.Compare(a.id[:], b.id[:])
		case a.Kind == room.Self:
			return -1
		}
		return 1
	})
	return all
}

func (c *Client) expireNow() error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	return c.sweep(c.batch())
}

// maxRooms is in how many rooms a device can be: a server that lists more of them
// would fill its disk.
const maxRooms = 1 << 14

// listRooms learns in which rooms this device is, or should be.
func (c *Client) listRooms(ctx context.Context) error {
	req := &api.RoomsRequest{}
	listed := map[room.ID]bool{}
	for {
		resp, err := authed(ctx, c, api.Rooms, req)
		if err != nil {
			return fmt.Errorf("listing rooms: %w", err)
		}
		for _, s := range resp.Rooms {
			if bytes.Compare(s.Room[:], req.After[:]) <= 0 || len(listed) >= maxRooms {
				return errors.New("the server lists rooms out of order, or more of them than a device can be in")
			}
			listed[room.ID(s.Room)], req.After = true, s.Room
		}
		if err := c.takeStatus(resp.Rooms); err != nil {
			return err
		}
		if !resp.More || len(resp.Rooms) == 0 {
			break
		}
	}
	return c.eachRoom(func(r *roomState) error {
		if listed[r.id] {
			return nil
		}
		return c.unlisted(r)
	})
}

// unlisted meets a room in which the server has nothing for this device.
func (c *Client) unlisted(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	r.status = nil
	in := r.Made && r.Member
	c.mu.Unlock()
	if !in {
		return nil
	}
	return c.hidden(r)
}

// hidden meets a room that the server denies to this device, which believes to
// be in. Who is taken out reads the commit that does it, so either the server
// lies, or the log has lost that commit for this device: it was away for longer
// than the server keeps things, or its store is an old copy. Which of these it is
// only people can find out. Until then the room keeps its keys and what waits to
// be sent, and goes on by itself as soon as the server admits to it.
func (c *Client) hidden(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if r.Hidden {
		return nil
	}
	r.Hidden = true
	b := c.batch()
	if r.Kind == room.Self { // no screen shows it
		b.event(Event{Problem: "The server does not list the group in which your own devices tell each other what was read and verified."})
	}
	c.alarm(b, r, alarmHidden)
	return b.apply()
}

const (
	alarmHidden = "The server says that you are not in this room, and this device has not seen anybody take you out. Ask somebody who is in it: " +
		"if you were taken out, dismiss this alarm to leave the room; if you were not, the server hides the room from you."
	alarmWasHidden = "For a while the server said that you were not in this room, and this device has not seen anybody take you out. Ask somebody who is in it: " +
		"if nobody took you out and let you in again, the server hid the room from you."

	alarmBehind = "The server has less of this room than this device: it was set back to an old copy of its data, or it hides what was said. " +
		"What is written here may reach nobody. Ask its operator; if the data is lost, open a new room."
	alarmWasBehind = "For a while the server had less of this room than this device: it was set back to an old copy of its data, or it hid what was said. " +
		"What was written here meanwhile may have reached nobody. Ask its operator."
)

// shown notes that a room which was hidden is there again.
func (r *roomState) shown() {
	r.Hidden = false
	r.isPast(alarmHidden, alarmWasHidden)
}

// isPast has an alarm say that its reason is over. It stays: a person should know.
func (r *roomState) isPast(alarm, was string) {
	if r.Alarm == alarm {
		r.Alarm = was
	}
}

func (c *Client) takeStatus(list []api.RoomStatus) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	b := c.batch()
	for i := range list {
		s := &list[i]
		id := room.ID(s.Room)
		r, ok := c.rooms[id]
		if !ok {
			r = &roomState{id: id, roomRecord: roomRecord{Kind: room.Kind(s.Kind), Made: true}}
			c.rooms[id] = r
			c.saveRoom(b, r)
		}
		if !r.Made {
			r.Made = true
			c.saveRoom(b, r)
		}
		r.status, r.last = s, s.Last
		switch {
		case !r.Member || r.Stuck != "":
		case s.Member && s.Last < r.Cursor:
			c.behind(b, r)
		case !s.Member && (r.Cursor >= s.Last || s.From > r.Cursor+1):
			// The log that it may read does not tell it how it was taken out. If
			// its person is in the room it comes in again.
			r.Stuck = "the server says that this device is not in the room's group"
			c.saveRoom(b, r)
			c.roomEvent(b, r)
		case s.Member && s.Cursor > r.Cursor && s.Cursor >= s.From:
			// What this device acknowledged it had stored: the store is an old copy.
			c.oldCopy(b, r)
		}
		hidden, behind := r.Hidden && r.Stuck != "", r.Behind && r.Member && s.Last < r.Cursor
		if hidden != r.Hidden || behind != r.Behind {
			if r.Behind = behind; !behind {
				r.isPast(alarmBehind, alarmWasBehind)
			}
			if !hidden {
				r.shown()
			}
			c.saveRoom(b, r)
			c.roomEvent(b, r)
		}
	}
	return b.apply()
}

// behind meets a log that ends before what this device has of it: the server was
// set back to an old copy of its data, or hides what was said. Nothing of a log
// changes, so what comes into it now stands where something else stood, and the
// group that the server has is not the one that its members are in.
func (c *Client) behind(b *batch, r *roomState) {
	if r.Behind {
		return
	}
	r.Behind = true
	if r.Kind == room.Self { // no screen shows it
		b.event(Event{Problem: "The server has lost a part of what your own devices told each other, or hides it."})
	}
	c.alarm(b, r, alarmBehind)
}

// readRoom reads a room's log to its end.
func (c *Client) readRoom(ctx context.Context, r *roomState) error {
	for {
		if err := c.lock(); err != nil {
			return err
		}
		s, cursor, last := r.status, r.Cursor, r.last
		known := r.Member || r.staged != nil || cursor > 0
		c.mu.Unlock()
		if s == nil || !r.Made {
			return nil
		}
		if !known {
			return nil // housekeeping brings this device in first
		}
		if cursor >= last {
			return c.readEnd(ctx, r)
		}
		resp, err := authed(ctx, c, api.Read, &api.ReadRequest{Log: r.id, After: cursor})
		if err != nil {
			return fmt.Errorf("reading a room: %w", err)
		}
		if len(resp.Entries) == 0 && resp.Last <= cursor {
			return c.readEnd(ctx, r)
		}
		if len(resp.Entries) == 0 {
			return c.withheld(r)
		}
		if err := c.takeEntries(ctx, r, resp.Entries, resp.Last); err != nil {
			if _, ok := errors.AsType[*gapError](err); !ok {
				return err
			}
			if s.Member && s.From <= cursor+1 {
				return c.withheld(r)
			}
			return nil // a Welcome or a rejoin closes the gap
		}
		if resp.Entries[len(resp.Entries)-1].Seq <= cursor {
			return fmt.Errorf("%w: the server gave again what this device has", errRoom)
		}
	}
}

// withheld notes that the server says there is more and does not give it. What
// it is may matter, so this device does not go on before it has joined anew.
func (c *Client) withheld(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if !r.Member || r.Stuck != "" {
		return nil
	}
	r.Stuck = "the server does not give a part of the log"
	b := c.batch()
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	return b.apply()
}

// readOn reads a room's log of which the server said that it goes on, though
// this device believes that it is at its end.
func (c *Client) readOn(ctx context.Context, r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	r.last = max(r.last, r.Cursor+1)
	c.mu.Unlock()
	return c.readRoom(ctx, r)
}

// readEnd notes that the log was read to its end, and acknowledges it.
func (c *Client) readEnd(ctx context.Context, r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	r.caughtUp = true
	seq := r.Cursor
	done := seq <= r.Acked
	c.mu.Unlock()
	if done {
		return nil
	}
	if _, err := authed(ctx, c, api.Ack, &api.AckRequest{Acks: []api.Place{{Log: r.id, Seq: seq}}}); err != nil {
		return fmt.Errorf("acknowledging: %w", err)
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r.Acked = seq
	b := c.batch()
	c.saveRoom(b, r)
	return b.apply()
}

// takeEntries processes entries, fetching the device logs that verdicts need.
func (c *Client) takeEntries(ctx context.Context, r *roomState, entries []api.Entry, last uint64) error {
	for range 10 {
		if err := c.lock(); err != nil {
			return err
		}
		if len(entries) > 0 && entries[0].Seq > r.Cursor+1 {
			c.jump(r, entries[0].Seq)
		}
		err := c.process(r, entries)
		r.last = max(r.last, last)
		c.mu.Unlock()
		missing, ok := errors.AsType[*room.MissingLogsError](err)
		if !ok {
			return err
		}
		if err := c.fetchNeeds(ctx, missing); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the server does not give the device logs that a change of this room needs", errRoom)
}

// jump moves to where this device's window begins, when it comes in by its own
// commit: what lies before is not for it.
func (c *Client) jump(r *roomState, first uint64) {
	s := r.status
	if s == nil || s.From != first || !s.Member {
		return
	}
	st, err := c.loadStaged(r)
	if err != nil || st == nil || !st.Join && st.Group == nil {
		return
	}
	passed := r.Cursor > 0
	r.Cursor, r.Hash, r.Acked = first-1, s.Before, first-1
	b := c.batch()
	c.missOutbox(b, r)
	if passed { // what lies between is shown as missing
		c.missed(b, r, first-1)
		c.saveRoom(b, r)
	}
	_ = b.apply() // a failure shows at once: the client stops
}

func (c *Client) fetchNeeds(ctx context.Context, missing *room.MissingLogsError) error {
	users := make([]identity.UserID, 0, len(missing.Needs))
	for _, n := range missing.Needs {
		users = append(users, n.User)
	}
	if err := c.fetchLogs(ctx, users); err != nil {
		return err
	}
	if err := c.learnNames(ctx, users); err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	for _, n := range missing.Needs {
		if l := c.knownLog(n.User); l == nil || l.Length() < n.Pin.Length {
			return fmt.Errorf("%w: the server does not give a device log that this room needs", errRoom)
		}
	}
	return nil
}

// tend does what a room needs of this device, and says whether something moved.
func (c *Client) tend(ctx context.Context, r *roomState) (moved bool, err error) {
	if err := c.lock(); err != nil {
		return false, err
	}
	s, staged := r.status, (*stagedRecord)(nil)
	if r.Made {
		staged, err = c.loadStaged(r)
	}
	if r.Left && r.Leaving && r.Leaver != (identity.DeviceID{}) && !c.isMine(r.Leaver) {
		// The device that was to leave for all is gone itself, and the person
		// still participates, or housekeeping learns that they do not.
		r.Left, r.Leaving, r.Leaver = false, false, identity.DeviceID{}
	}
	if r.Left && s != nil && s.Member && s.From > r.Cursor+1 {
		// Let in again since, by a Welcome that a later state of this store has read.
		r.Left, r.Leaving, r.Leaver = false, false, identity.DeviceID{}
	}
	left := r.Left && (r.Leaving || s == nil || s.Member)
	if s != nil && s.Member && s.From > r.Cursor+1 && r.Member && r.Stuck == "" && (staged == nil || !staged.Join) {
		// The device came in anew, which its store does not know of, and no
		// Welcome that it can open tells it.
		r.Stuck = "this device came in again and does not know of it"
	}
	out := !r.Member || r.Stuck != ""
	if staged != nil && out && !staged.Join && staged.Group == nil {
		// Made with keys that are not to be used any more. If it is in the log
		// all the same, the others have merged it, and this device joins them.
		b := c.batch()
		c.dropStaged(b, r)
		staged, err = nil, b.apply()
	}
	alarmed := r.Broken && r.Stuck != ""
	c.mu.Unlock()
	switch {
	case err != nil || s == nil || !r.Made || left:
		return false, err
	case staged != nil:
		return true, c.resend(ctx, r, staged)
	case alarmed:
		return false, nil // a broken rule is for a person to look at
	case out:
		err := c.joinExternal(ctx, r)
		if lockErr := c.lock(); lockErr != nil {
			return false, lockErr
		}
		defer c.mu.Unlock()
		return !r.Left, err
	}
	return c.tendGroup(ctx, r)
}

// tendGroup does what a member owes its group.
func (c *Client) tendGroup(ctx context.Context, r *roomState) (moved bool, err error) {
	if err := c.checkMembers(ctx, r); err != nil {
		return false, err
	}
	if moved, err := c.settle(ctx, r); moved || err != nil {
		return moved, err
	}
	if moved, err := c.goOn(ctx, r); moved || err != nil {
		return moved, err
	}
	if moved, err := c.gather(ctx, r); moved || err != nil {
		return moved, err
	}
	if err := c.bringWanted(ctx, r); err != nil {
		if apiCode(err) == api.RateLimited {
			err = fmt.Errorf("%w: %v", errRoom, err) // it is about the key packages of these people: nothing else need wait
		}
		return false, err
	}
	if err := errors.Join(c.answer(r), c.report(r)); err != nil {
		return false, err
	}
	switch err := c.flush(ctx, r); {
	case errors.Is(err, errStale):
		return true, nil
	case err != nil:
		return false, err
	}
	if err := c.lock(); err != nil {
		return false, err
	}
	defer c.mu.Unlock()
	return slices.ContainsFunc(r.outbox, func(o *outboxEntry) bool { return o.sent }), nil
}

// goOn goes on with leaving a room, if that was begun and interrupted.
func (c *Client) goOn(ctx context.Context, r *roomState) (moved bool, err error) {
	if err := c.lock(); err != nil {
		return false, err
	}
	g, err := c.openGroup(r)
	idle := err != nil || g == nil || !r.Leaving || c.ownLeaving(g)
	c.mu.Unlock()
	if idle {
		return false, err
	}
	return true, c.goOut(ctx, r)
}

// checkMembers checks the leaves of a group that this device joined, against
// their people's logs.
func (c *Client) checkMembers(ctx context.Context, r *roomState) error {
	for range 3 {
		if err := c.lock(); err != nil {
			return err
		}
		g, err := c.openGroup(r)
		if err != nil || g == nil || r.Checked {
			c.mu.Unlock()
			return err
		}
		err = room.CheckMembers(g.Context(), g.Members(), c.knownLog)
		missing, ok := errors.AsType[*room.MissingLogsError](err)
		if !ok {
			defer c.mu.Unlock()
			b := c.batch()
			r.Checked = err == nil
			c.noteSelf(b, r)
			if err != nil {
				r.Stuck, r.Broken = "a device in this room is not its person's", true
				c.alarm(b, r, "A device in this room is not its person's: %v. Do not write here.", err)
			}
			c.saveRoom(b, r)
			return b.apply()
		}
		users := usersOf(r.participants())
		c.mu.Unlock()
		if err := c.fetchNeeds(ctx, missing); err != nil {
			return err
		}
		if err := c.learnNames(ctx, users); err != nil {
			return err
		}
	}
	return nil
}

// readInbox takes Welcomes in.
func (c *Client) readInbox(ctx context.Context) (moved bool, err error) {
	inbox := api.Inbox(api.DeviceID(c.deviceID()))
	if err := c.lock(); err != nil {
		return false, err
	}
	done := c.inbox
	c.mu.Unlock()
	for before := done; ; {
		resp, err := authed(ctx, c, api.Read, &api.ReadRequest{Log: inbox, After: done})
		if err != nil {
			return moved, fmt.Errorf("reading the inbox: %w", err)
		}
		if len(resp.Entries) == 0 {
			if done == before {
				return moved, nil
			}
			break
		}
		for i := range resp.Entries {
			e := &resp.Entries[i]
			if e.Seq <= done {
				return moved, errors.New("the server gives again what was in the inbox")
			}
			if e.Kind == api.EntryWelcome && !e.Gone {
				if err := c.welcomed(ctx, e); err != nil {
					if unreachable(err) {
						return moved, err
					}
					c.log.Warn("a Welcome can't be used", "err", err)
				}
				moved = true
			}
			done = e.Seq
		}
	}
	if _, err := authed(ctx, c, api.Ack, &api.AckRequest{Acks: []api.Place{{Log: inbox, Seq: done}}}); err != nil {
		return moved, fmt.Errorf("acknowledging: %w", err)
	}
	if err := c.lock(); err != nil {
		return moved, err
	}
	defer c.mu.Unlock()
	c.inbox = done
	return moved, nil
}
