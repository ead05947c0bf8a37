package delivery

import (
	"container/list"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"sync"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/mls"
	"sconce/room"
	"sconce/server/delivery/db"
	"sconce/server/delivery/journal"
)

// maxFollowed is how many members the groups in memory may have in all. Each
// takes some 5 kB.
const maxFollowed = 1 << 14

// maxIdle is how many groups stay in memory however small they are.
const maxIdle = 2048

// follower follows one room's present MLS group. One goroutine at a time has
// it, so that a room has one commit under judgement at a time.
type follower struct {
	room   api.LogID
	turn   chan struct{} // holds one value while somebody has the follower
	logs   logSource
	group  *mls.PublicGroup // nil: read it anew
	kind   room.Kind
	pair   []byte // of a direct or self room
	evicts map[api.DeviceID]bool

	uses int           // guarded by followers.mu
	idle *list.Element // guarded by followers.mu; nil while in use
	cost int           // members; guarded by followers.mu
}

// followers is the groups in memory.
type followers struct {
	mu     sync.Mutex
	byRoom map[api.LogID]*follower
	idle   list.List // most recently used first
	weight int
}

func (a *followers) acquire(id api.LogID) *follower {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.byRoom[id]
	if f == nil {
		f = &follower{room: id, turn: make(chan struct{}, 1)}
		if a.byRoom == nil {
			a.byRoom = map[api.LogID]*follower{}
		}
		a.byRoom[id] = f
	}
	f.uses++
	if f.idle != nil {
		a.idle.Remove(f.idle)
		f.idle = nil
	}
	return f
}

// release gives a follower back. members is what it now takes.
func (a *followers) release(f *follower, members int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.weight += members - f.cost
	f.cost = members
	if f.uses--; f.uses > 0 {
		return
	}
	if f.group == nil { // rooms that are not there must not push out those that are
		delete(a.byRoom, f.room)
		return
	}
	f.idle = a.idle.PushFront(f)
	for (a.weight > maxFollowed || a.idle.Len() > maxIdle) && a.idle.Len() > 1 {
		g := a.idle.Remove(a.idle.Back()).(*follower)
		a.weight -= g.cost
		delete(a.byRoom, g.room)
	}
}

// logSource answers the room's rules. It remembers an error, for which the
// rules have no word.
type logSource struct {
	ctx  context.Context
	logs Logs
	err  error
}

func (l *logSource) log(u identity.UserID) *identity.Log {
	log, err := l.logs.Log(l.ctx, u)
	if err != nil {
		l.err = err
		return nil
	}
	return log
}

// with gives fn the room's follower and where its log stands. When fn returns
// [journal.ErrMoved], because another server was first, the follower is read
// anew and fn called again. A panic is an error: what is judged here comes from
// strangers, often on a goroutine where nobody else would catch it.
func (s *Service) with(ctx context.Context, id api.LogID, fn func(f *follower, at journal.Status) error) (err error) {
	f := s.rooms.acquire(id)
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		s.rooms.release(f, 0)
		return ctx.Err()
	}
	members := 0
	whole := false // fn returned, and left a group that can be relied on
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("judging what a room is sent: %w", duty.Caught(p))
		}
		f.logs = logSource{}
		if !whole {
			f.group = nil
		}
		if f.group != nil {
			members = f.group.MemberCount()
		}
		<-f.turn
		s.rooms.release(f, members)
	}()
	for range 3 {
		at, err := s.follow(ctx, f)
		if err == nil {
			err = fn(f, at)
		}
		if !errors.Is(err, journal.ErrMoved) {
			whole = true
			return err
		}
		f.group = nil
	}
	return api.Errorf(api.Stale, "the room has moved on: sync first")
}

// follow makes the follower be where the room's log is.
func (s *Service) follow(ctx context.Context, f *follower) (journal.Status, error) {
	f.logs = logSource{ctx: ctx, logs: s.Logs}
	at, err := s.journal.Status(ctx, f.room)
	if err != nil {
		return at, err
	}
	if !at.Exists {
		return at, errNoRoom()
	}
	if f.group != nil && f.fits(at.State) {
		return at, nil
	}
	if err := s.load(ctx, f); errors.Is(err, sql.ErrNoRows) {
		return at, errNoRoom() // an inbox
	} else if err != nil {
		return at, unavailable(fmt.Errorf("loading group: %w", err))
	}
	if !f.fits(at.State) {
		f.group = nil
		return at, journal.ErrMoved // it moved between the two looks
	}
	return at, nil
}

func (f *follower) fits(state journal.State) bool {
	ctx := f.group.Context()
	_, generation, err := room.ParseGroupID(ctx.GroupID)
	return err == nil && generation == state.Generation && ctx.Epoch == state.Epoch && len(f.group.Pending()) == state.Pending
}

// config is how a follower judges.
func (f *follower) config() mls.Config {
	return mls.Config{Rules: room.Rules{Logs: f.logs.log}, StrictPending: true}
}

// load reads the follower from the database. Whether what it read is of one
// moment, fits tells.
func (s *Service) load(ctx context.Context, f *follower) error {
	row, err := s.reads.Room(ctx, f.room[:])
	if err != nil {
		return err
	}
	records, err := s.reads.GroupRecords(ctx, f.room[:])
	if err != nil {
		return err
	}
	evictions, err := s.reads.Evictions(ctx, f.room[:])
	if err != nil {
		return err
	}
	group, err := mls.LoadPublicGroup(f.config(), pairs(records))
	if err != nil {
		return err
	}
	f.group, f.kind, f.pair, f.evicts = group, room.Kind(row.Kind), row.Pair, map[api.DeviceID]bool{}
	for _, device := range evictions {
		f.evicts[api.DeviceID(device)] = true
	}
	return nil
}

func pairs(records []db.GroupRecordsRow) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for _, r := range records {
			if !yield(r.Key, r.Value) {
				return
			}
		}
	}
}

// write makes a change for which the follower has already gone ahead. If it
// fails, the follower is read anew.
func (s *Service) write(ctx context.Context, f *follower, w *journal.Write) (journal.Place, error) {
	at, err := s.journal.Write(ctx, w)
	if err != nil {
		f.group = nil
	}
	return at, err
}

// saveRecords stores what changed in a group.
func saveRecords(ctx context.Context, q *db.Queries, id api.LogID, records []mls.Record) error {
	for _, r := range records {
		var err error
		if r.Value == nil {
			err = q.DeleteGroupRecord(ctx, db.DeleteGroupRecordParams{Room: id[:], Key: r.Key})
		} else {
			err = q.SetGroupRecord(ctx, db.SetGroupRecordParams{Room: id[:], Key: r.Key, Value: r.Value})
		}
		if err != nil {
			return fmt.Errorf("saving group: %w", err)
		}
	}
	return nil
}

// refusal turns a verdict of the protocol's or the room's rules into what the
// caller reads.
func (f *follower) refusal(err error) error {
	if f.logs.err != nil {
		return f.logs.err
	}
	if e, ok := errors.AsType[*mls.EpochError](err); ok {
		return api.Errorf(api.Stale, "the room is in epoch %d, not %d: sync first", e.Have, e.Got)
	}
	// RFC 9420, Section 12.4: what a commit must take in may have come while
	// it was made.
	if e, ok := errors.AsType[*mls.InvalidError](err); ok && e.Section == "12.4" && len(f.group.Pending()) > 0 {
		return api.Errorf(api.Stale, "a proposal waits in the room that this does not take in: sync first (%v)", err)
	}
	if e, ok := errors.AsType[*room.MissingLogsError](err); ok {
		return api.Errorf(api.Invalid, "it names entries of %d device logs that this server does not have", len(e.Needs))
	}
	return api.Errorf(api.Invalid, "%v", err)
}

func errNoRoom() error { return api.Errorf(api.NotFound, "there is no such room, or not for you") }

// unavailable is what a caller reads when the database fails.
func unavailable(err error) error {
	if !sqldb.IsUnavailable(err) {
		return err
	}
	e := api.Errorf(api.Unavailable, "the server cannot use its database at the moment: try again")
	e.RetryAfter = 5000
	return e
}
