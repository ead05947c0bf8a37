package journal

import (
	"container/list"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"sconce/api"
	"sconce/server/delivery/journal/db"
)

// Log is one log in memory.
type Log struct {
	id     api.LogID
	ready  chan struct{} // closed when loaded; err is set before
	err    error
	exists bool        // written by the committer, under mu
	behind atomic.Bool // the database knows better: this copy takes nothing more

	uses int           // guarded by Journal.mu
	idle *list.Element // guarded by Journal.mu; nil while in use
	cost int           // what it counts in Journal.weight; guarded by Journal.mu

	plan *plan // of the batch in work; the committer's alone

	mu      sync.Mutex
	last    uint64
	hash    api.Hash
	state   State
	windows map[api.DeviceID]*window
	floor   uint64 // entries up to here are deleted
	dirty   bool   // in Journal.dirty

	filed uint64  // the tables have entries up to here
	taped []taped // and the tape has those after it
}

// taped is an entry that is on the tape and not yet in the tables. Nobody
// changes it.
type taped struct {
	entry  *api.Entry
	digest api.Hash
}

// window is the part of a log that a device may read. It is guarded by its
// log's mutex.
type window struct {
	user   api.UserID
	from   uint64
	to     uint64 // 0 while open
	taken  uint64 // acknowledged
	saved  uint64 // of taken, what the database knows
	before api.Hash
}

func (w *window) end(last uint64) uint64 {
	if w.to > 0 {
		return w.to
	}
	return last
}

// spent reports that the device has all it will ever get here.
func (w *window) spent() bool { return w.to > 0 && w.taken >= w.to }

// acquire gives the log in memory, loading it if need be. It stays there until
// it is released.
func (j *Journal) acquire(ctx context.Context, id api.LogID) (*Log, error) {
	j.mu.Lock()
	l, ok := j.logs[id]
	if !ok {
		l = &Log{id: id, ready: make(chan struct{}), windows: map[api.DeviceID]*window{}}
		j.logs[id] = l
	}
	l.uses++
	if l.idle != nil {
		j.idle.Remove(l.idle)
		l.idle = nil
	}
	j.mu.Unlock()
	if !ok {
		// Others may wait for this load, so it goes on when this caller leaves.
		l.err = j.load(context.WithoutCancel(ctx), l)
		j.weigh(l)
		if l.err != nil {
			j.forget(l)
		} else if l.low() > 0 {
			j.touch(l) // perhaps an earlier process had no time to delete what all have
		}
		close(l.ready)
	}
	<-l.ready
	if l.err != nil {
		err := l.err
		j.release(l)
		return nil, err
	}
	return l, nil
}

func (j *Journal) release(l *Log) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.uses--
	if l.uses > 0 || j.logs[l.id] != l {
		return
	}
	if !l.exists { // nobody can fill the memory with what is not there
		j.drop(l)
		return
	}
	l.idle = j.idle.PushFront(l)
	for j.weight > maxCached && j.idle.Len() > 0 {
		oldest := j.idle.Back().Value.(*Log)
		j.drop(oldest)
	}
}

// weigh counts what a log takes.
func (j *Journal) weigh(l *Log) {
	l.mu.Lock()
	cost := 2 + len(l.windows)
	l.mu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.logs[l.id] == l {
		j.weight += cost - l.cost
		l.cost = cost
	}
}

// forget makes the next user of the log load it anew.
func (j *Journal) forget(l *Log) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.behind.Store(true)
	j.drop(l)
}

// drop takes a log out of memory. j.mu is held.
func (j *Journal) drop(l *Log) {
	if j.logs[l.id] != l {
		return
	}
	delete(j.logs, l.id)
	j.weight -= l.cost
	if l.idle != nil {
		j.idle.Remove(l.idle)
		l.idle = nil
	}
}

// load reads a log. Its place comes first: whatever another server changes
// after that, moves it, and the first write finds out.
func (j *Journal) load(ctx context.Context, l *Log) error {
	row, err := j.read.Log(ctx, l.id[:])
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return j.trouble(fmt.Errorf("loading log: %w", err))
	}
	rows, err := j.read.LogWindows(ctx, l.id[:])
	if err != nil {
		return j.trouble(fmt.Errorf("loading log: %w", err))
	}
	l.exists = true
	l.last, l.hash = uint64(row.Last), api.Hash(row.Hash)
	l.filed = l.last
	l.state = State{Generation: uint32(row.Generation), Epoch: uint64(row.Epoch), Pending: int(row.Pending)}
	for _, r := range rows {
		l.windows[api.DeviceID(r.Device)] = windowOf(r)
	}
	return nil
}

func windowOf(r db.LogWindowsRow) *window {
	return &window{user: api.UserID(r.Person), from: uint64(r.FromSeq), to: uint64(r.ToSeq),
		taken: uint64(r.Taken), saved: uint64(r.Taken), before: api.Hash(r.Before)}
}

// low gives the place up to which every device has everything. l.mu is held,
// or nobody else has l.
func (l *Log) low() uint64 {
	low := l.last
	for _, w := range l.windows {
		if !w.spent() {
			low = min(low, w.taken)
		}
	}
	return low
}

// Status is a log as it stands.
type Status struct {
	Exists bool
	Last   uint64
	Hash   api.Hash
	State  State
}

// Status gives a log's place and state. What it says may be over at once; a
// [Change] names the state it was made for.
func (j *Journal) Status(ctx context.Context, id api.LogID) (Status, error) {
	l, err := j.acquire(ctx, id)
	if err != nil {
		return Status{}, err
	}
	defer j.release(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{Exists: l.exists, Last: l.last, Hash: l.hash, State: l.state}, nil
}
