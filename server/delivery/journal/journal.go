// Package journal keeps logs: entries in order, who may read which part of
// them, and how far each device has got. A room's log and a device's inbox are
// the same thing here; what the entries mean is for the caller to know.
//
// [Open] a journal and [Journal.Run] it. [Journal.Write] appends: it returns
// when the entry is durable. One goroutine, the committer, takes whatever
// waits, writes it in one transaction, answers, and pushes from memory to the
// devices that are listening ([Journal.Subscribe]). [Journal.Read] is the truth
// for everybody else. An entry's message goes when every device in the window
// has it, or when its time is over ([Journal.Expire]).
//
// The state of every log in use is kept in memory. It is changed by the
// committer alone, after its transaction, and the database checks it with every
// write: a log whose place is not what memory believes takes nothing, and is
// read anew.
//
// Beside SQLite, which has one user, what every message takes is shorter. The
// committer writes a batch of messages to a tape ([sconce/internal/tape]), answers
// and pushes, and moves many batches into the tables at once, in the background:
// see flush. What every device has acknowledged by then never gets there. Until
// then memory has it: see Log.taped.
package journal

import (
	"container/list"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sconce/api"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/internal/tape"
	"sconce/server/delivery/journal/db"
)

//go:embed schema
var schema embed.FS

const (
	maxBatch      = 1024     // operations in one transaction
	maxBatchBytes = 16 << 20 // of messages in one transaction
	maxWaiting    = 4096     // operations; more wait in their callers

	// How often acknowledgements are written: it bounds how long an acknowledged
	// message stays, and how much that devices acknowledged a crash can forget,
	// which costs only that entries stay until the next acknowledgement. With a
	// tape it is seldom, since all that devices have by then needs no place in
	// the tables.
	flushEvery      = 100 * time.Millisecond
	flushTapedEvery = time.Second

	// A tape of flushAt bytes is moved into the tables before its time. One of
	// maxTaped takes no more until that is done.
	flushAt  = 16 << 20
	maxTaped = 48 << 20

	// maxCached is how many windows the logs in memory may have in all, a log
	// being counted as two. Each takes some 200 bytes.
	maxCached = 1 << 19
)

// ErrMoved says that a log is not where the write supposed it to be: somebody
// was first. Look at the log anew, and judge again.
var ErrMoved = errors.New("the log has moved on")

// Journal is all logs of a server. It is safe for concurrent use.
type Journal struct {
	db    *sqldb.DB
	read  *db.Queries
	clock duty.Clock
	log   *slog.Logger
	stmts *statements
	every time.Duration // between flushes
	tape  *tape.Tape    // the committer's; nil: each batch goes into the tables

	ops     chan *op
	flushes chan chan error // asks for a flush
	stopped chan struct{}   // closed when Run has ended

	mu     sync.Mutex
	logs   map[api.LogID]*Log
	idle   *list.List // of *Log that nobody uses, most recently used first
	weight int        // of all logs in the map: see maxCached
	dirty  []*Log     // with acknowledgements to be written

	// Where the appends on the tape stand, by their keys: those behind the cut,
	// and those before it, which go into the tables.
	recentMu        sync.Mutex
	recent, leaving map[[32]byte]Place // guarded by recentMu
	known           known

	sinks    sinks
	flushing *flush      // under way; the committer's alone
	stuck    error       // why the last flush failed; the committer's alone
	resting  int         // ticks until it is tried again; the committer's alone
	degraded atomic.Bool // the last transaction found the database unavailable
	swept    []byte      // how far the sweep of remembered appends has come; Expire's alone

	begin, end func() // see OnBatch

	fault func(step string) error // tests: what happens between the steps of a transaction
}

// Open prepares the journal's tables. Nothing is written until it runs.
func Open(ctx context.Context, database *sqldb.DB, clock duty.Clock, log *slog.Logger) (*Journal, error) {
	if err := database.Migrate(ctx, "journal", schema); err != nil {
		return nil, err
	}
	stmts, err := prepare(ctx, database)
	if err != nil {
		return nil, fmt.Errorf("preparing journal: %w", err)
	}
	j := &Journal{
		every: flushEvery,
		db:    database, read: db.New(database.Read), clock: clock, log: log, stmts: stmts,
		ops: make(chan *op, maxWaiting), flushes: make(chan chan error), stopped: make(chan struct{}),
		logs: map[api.LogID]*Log{}, idle: list.New(), recent: map[[32]byte]Place{}, known: known{bits: make([]uint64, knownBits/64)},
		begin: func() {}, end: func() {},
	}
	if j.tape, err = database.Tape(); err != nil {
		return nil, err
	}
	if j.tape != nil {
		j.every = flushTapedEvery
		if err := j.tape.Replay(func(record []byte) error { return j.replay(ctx, record) }); err != nil {
			return nil, fmt.Errorf("replaying what was not in the database yet: %w", err)
		}
	}
	return j, nil
}

// State is what a room's next entry must fit: its generation, the epoch of its
// group, and how many proposals wait for a commit. An inbox has zeros.
type State struct {
	Generation uint32
	Epoch      uint64
	Pending    int
}

// Place is where an entry came to stand, and the log's running hash after it.
type Place struct {
	Seq  uint64
	Time int64
	Hash api.Hash
}

// Write is one change of a log: an entry, or a change of who reads it, or both.
type Write struct {
	Log api.LogID

	// Entry is appended. The journal gives it Seq, and Time if that is 0. With
	// an ID it is remembered, and a repeat gets the first answer.
	Entry *api.Entry

	// Change goes with the entry, in the same transaction. Without a Change the
	// entry is an application's: its sender needs an open window, it must be
	// for the log's epoch, and no proposal may wait.
	Change *Change
}

// Change is what an entry that is no application's does.
type Change struct {
	Create bool  // the log must not exist yet
	From   State // the log must be here, or the write fails with [ErrMoved]
	To     State

	Open  []Opening
	Close []api.DeviceID // end with the entry
	Drop  []api.DeviceID // end at once, and nothing of them is left to read

	Deliver []Delivery

	// Save writes what else belongs to the change. It is called in the
	// transaction, perhaps more than once, and must use tx alone.
	Save func(ctx context.Context, tx *Tx) error
}

// Opening lets a device read from an entry on. A window that the device has
// had before is forgotten.
type Opening struct {
	Device api.DeviceID
	User   api.UserID
	At     bool // from the entry itself, not after it
}

// Delivery puts an entry into a device's inbox, which is made if need be.
type Delivery struct {
	Device api.DeviceID
	User   api.UserID
	Entry  api.Entry
	// Message makes the entry's message, given the place of the entry in the
	// room's log that it tells of. It may be called more than once.
	Message func(Place) []byte
}

// Write makes a change, and returns when it is durable. Its errors are
// [ErrMoved], an [api.Error], or what Save returned.
func (j *Journal) Write(ctx context.Context, w *Write) (Place, error) {
	for range 4 {
		at, err := j.try(ctx, w)
		if !errors.Is(err, errBehind) {
			return at, err
		}
	}
	return Place{}, unavailable("the room is very busy: try again")
}

// Begin is Write for who does not wait. done is called once, often by the
// committer, which nothing may hold up.
func (j *Journal) Begin(ctx context.Context, w *Write, done func(Place, error)) {
	j.submit(ctx, w, func(at Place, err error) {
		if errors.Is(err, errBehind) {
			go func() { done(j.Write(context.WithoutCancel(ctx), w)) }()
			return
		}
		done(at, err)
	})
}

func (j *Journal) try(ctx context.Context, w *Write) (Place, error) {
	type result struct {
		at  Place
		err error
	}
	done := make(chan result, 1)
	j.submit(ctx, w, func(at Place, err error) { done <- result{at, err} })
	select {
	case r := <-done:
		return r.at, r.err
	case <-ctx.Done():
		return Place{}, ctx.Err() // it may yet be written; a repeat will tell
	}
}

// submit gives a write to the committer, who calls done.
func (j *Journal) submit(ctx context.Context, w *Write, done func(Place, error)) {
	o, err := j.newOp(ctx, w, done)
	if err != nil {
		done(Place{}, err)
		return
	}
	select {
	case j.ops <- o:
	case <-ctx.Done():
		o.answer(j, Place{}, ctx.Err())
		return
	case <-j.stopped:
		o.answer(j, Place{}, errStopped())
		return
	}
	select {
	case <-j.stopped: // perhaps before it saw the operation
		j.turnAway()
	default:
	}
}

// turnAway answers what came too late.
func (j *Journal) turnAway() {
	for {
		select {
		case o := <-j.ops:
			o.answer(j, Place{}, errStopped())
		default:
			return
		}
	}
}

// OnBatch has begin called before a batch is answered and pushed, and end after.
// It is called before the journal runs.
func (j *Journal) OnBatch(begin, end func()) { j.begin, j.end = begin, end }

// Run is the committer. It returns when ctx ends and what waited is answered.
func (j *Journal) Run(ctx context.Context) {
	defer func() {
		close(j.stopped)
		j.turnAway()
	}()
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	var learning sync.WaitGroup
	defer learning.Wait()
	if j.tape != nil { // elsewhere others remember appends as well
		learning.Go(func() { j.known.learn(ctx, j.read) })
	}
	work := context.WithoutCancel(ctx) // a transaction is ended, not broken off
	var waiting []*op
	due := true // what an earlier process left on the tape
	for ctx.Err() == nil {
		if len(waiting) == 0 && !(due && j.flushing == nil) {
			select {
			case <-ctx.Done():
			case <-tick.C:
				due = true
			case <-j.flushing.ended():
				j.endFlush()
			case done := <-j.flushes:
				done <- j.flushNow(work)
			case o := <-j.ops:
				waiting = append(waiting, o)
			}
		}
		if waiting = j.collect(waiting); len(waiting) > 0 {
			waiting = j.commit(work, waiting)
		}
		select {
		case <-tick.C:
			due = true
		case <-j.flushing.ended():
			j.endFlush()
		case done := <-j.flushes:
			done <- j.flushNow(work)
		default:
		}
		if j.flushing == nil && (due || j.tape != nil && j.tape.Size() >= flushAt) {
			due = j.beginFlush(work)
		}
	}
	j.finish(work, waiting)
}

// collect adds what waits to the operations that the last round put off.
func (j *Journal) collect(ops []*op) []*op {
	size := 0
	for _, o := range ops {
		size += o.size()
	}
	for len(ops) < maxBatch && size < maxBatchBytes {
		select {
		case o := <-j.ops:
			ops = append(ops, o)
			size += o.size()
		default:
			return ops
		}
	}
	return ops
}

// finish ends the work: what is in the queue is still done.
func (j *Journal) finish(ctx context.Context, ops []*op) {
	for {
		if ops = j.collect(ops); len(ops) == 0 {
			break
		}
		ops = j.commit(ctx, ops)
	}
	_ = j.flushNow(ctx) // what is wrong was logged
	if j.tape == nil {
		return
	}
	if err := j.tape.Close(); err != nil { // what is on it, it has
		j.log.WarnContext(ctx, "closing the tape", "err", err)
	}
}

func unavailable(message string) error {
	e := api.Errorf(api.Unavailable, "%s", message)
	e.RetryAfter = 5000
	return e
}

func errStopped() error { return unavailable("the server is stopping: try again") }
