// Package delivery carries messages: it puts what members send into the order
// that all see, keeps it until every device has it, and brings Welcomes to
// those who are added. It follows the MLS group of every room with the public
// half of the protocol, and lets nothing into the order that members would
// refuse.
//
// Begin with [New], [Service.Register] and [Service.Run]. The ordered logs
// themselves are in package journal, which knows nothing of MLS. Rooms are in
// this duty and not in one of their own, because a commit, its Welcomes, the
// windows that it opens and closes and the group's next state are one
// transaction or nothing.
package delivery

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/mls"
	"sconce/server/delivery/db"
	"sconce/server/delivery/journal"
)

//go:embed schema
var schema embed.FS

// Logs is what delivery needs to know of people's devices.
type Logs interface {
	// Log gives a person's device log as it now is, nil for somebody unknown.
	// What it gave is never changed again: it may be read at any time, from
	// several goroutines.
	Log(ctx context.Context, user identity.UserID) (*identity.Log, error)
	// IsInbox reports whether the id is that of the inbox of a device that any
	// log ever admitted.
	IsInbox(ctx context.Context, id api.LogID) (bool, error)
}

// Config is what the duty works with.
type Config struct {
	DB     *sqldb.DB
	Clock  duty.Clock
	Logger *slog.Logger
	Logs   Logs

	// Sender and SenderKey are the public and private P-256 key with which the
	// server proposes removals.
	Sender    []byte
	SenderKey mls.Secret

	// AppendsPerMinute is how much one device may append. 0 means 6,000: more
	// than anybody types, and than a bot should say.
	AppendsPerMinute int

	// TreePart is how many bytes of a ratchet tree go into one answer. 0 means
	// [api.MaxTreePart]; less is for tests.
	TreePart int
}

// Service is the delivery duty. It is safe for concurrent use.
type Service struct {
	Config
	journal *journal.Journal
	reads   *db.Queries
	rooms   followers

	appends     *duty.Limiter[api.DeviceID]
	lookups     *duty.Limiter[api.DeviceID]
	handshakes  *duty.Limiter[api.DeviceID]
	creations   *duty.Limiter[api.DeviceID]
	infos       *duty.Limiter[api.DeviceID]
	generations *duty.Limiter[opener]
	volume      *duty.Limiter[api.DeviceID] // in KiB
	signals     *duty.Limiter[api.DeviceID]
}

// opener is a person who opens generations of a room. Each has an allowance of
// their own, so that nobody uses up the others'.
type opener struct {
	room   api.LogID
	person api.UserID
}

// maxVolume is how many KiB a device may have stored in an hour: 2 GiB, more than
// people write, and too little to fill a disk before somebody looks.
const maxVolume = 2 << 20

// lookupsPerMinute is how often a device may read logs and list its rooms: twice
// what one needs that appends as fast as it may, each message by itself. A new one
// in 1,000 rooms needs 3,000.
const lookupsPerMinute = 60_000

// store counts what is to be stored for a device.
func (s *Service) store(c duty.Caller, bytes int) error {
	return s.volume.Take(c.Device, (bytes+1023)/1024)
}

// New opens the duty on its tables.
func New(ctx context.Context, c Config) (*Service, error) {
	j, err := journal.Open(ctx, c.DB, c.Clock, c.Logger)
	if err != nil {
		return nil, err
	}
	if err := c.DB.Migrate(ctx, "delivery", schema); err != nil {
		return nil, err
	}
	if c.AppendsPerMinute <= 0 {
		c.AppendsPerMinute = 6000
	}
	if c.TreePart <= 0 {
		c.TreePart = api.MaxTreePart
	}
	return &Service{
		Config: c, journal: j, reads: db.New(c.DB.Read),
		appends:     duty.NewLimiter[api.DeviceID](c.Clock, c.AppendsPerMinute, time.Minute),
		lookups:     duty.NewLimiter[api.DeviceID](c.Clock, lookupsPerMinute, time.Minute),
		handshakes:  duty.NewLimiter[api.DeviceID](c.Clock, 120, time.Minute),
		creations:   duty.NewLimiter[api.DeviceID](c.Clock, 100, time.Hour),
		infos:       duty.NewLimiter[api.DeviceID](c.Clock, 600, 10*time.Minute),
		generations: duty.NewLimiter[opener](c.Clock, 4, time.Hour),
		volume:      duty.NewLimiter[api.DeviceID](c.Clock, maxVolume, time.Hour),
		signals:     duty.NewLimiter[api.DeviceID](c.Clock, 30, time.Minute),
	}, nil
}

// Register adds the duty's endpoints.
func (s *Service) Register(r *duty.Registry) {
	duty.Handle(r, api.Append, s.Append)
	duty.Handle(r, api.Read, s.Read)
	duty.Handle(r, api.Ack, s.Ack)
	duty.HandleSoon(r, api.Append, s.BeginAppend)
	duty.HandleSoon(r, api.Ack, func(ctx context.Context, c duty.Caller, req *api.AckRequest, done func(*api.Empty, error)) {
		done(s.Ack(ctx, c, req))
	})
	duty.Handle(r, api.CreateRoom, s.CreateRoom)
	duty.Handle(r, api.Rooms, s.Rooms)
	duty.Handle(r, api.ReadGroupInfo, s.ReadGroupInfo)
	duty.Handle(r, api.ReadTree, s.ReadTree)
	duty.Handle(r, api.Signal, s.Signal)
}

const sweepEvery = time.Minute

// Run does the duty's work until ctx ends: nothing is written without it. What
// was accepted before is finished when it returns.
func (s *Service) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.journal.Run(ctx) })
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "taking away what is due: will try again", "err", err)
		}
	}
}

// Sweep takes away what is due, and proposes again what waits for a commit. It
// is for Run, and for tests; never call it twice at once.
func (s *Service) Sweep(ctx context.Context) error {
	err := s.journal.Expire(ctx)
	write := db.New(s.DB.Write)
	return errors.Join(err, write.ForgetTreeReaders(ctx), write.ForgetTrees(ctx), s.sweepEvictions(ctx))
}

// Sink takes what is pushed to a device: see [journal.Sink].
type Sink = journal.Sink

// Subscribe pushes what is appended to the caller's logs from now on to sink,
// until cancel is called. The sink must not wait.
func (s *Service) Subscribe(c duty.Caller, sink Sink) (cancel func()) {
	return s.journal.Subscribe(c.Device, sink)
}

// OnBatch has begin called before many answers and pushes are given, and end
// after, by the one goroutine that gives them. It is called before Run.
func (s *Service) OnBatch(begin, end func()) { s.journal.OnBatch(begin, end) }

// Read gives the entries of the caller's window after a place.
func (s *Service) Read(ctx context.Context, c duty.Caller, req *api.ReadRequest) (*api.ReadResponse, error) {
	if err := s.lookups.Take(c.Device, 1); err != nil {
		return nil, err
	}
	limit := req.Limit
	switch {
	case limit < 0:
		return nil, api.Errorf(api.Invalid, "limit is %d", limit)
	case limit == 0 || limit > api.MaxBatch:
		limit = api.MaxBatch
	}
	entries, last, ok, err := s.journal.Read(ctx, c.Device, req.Log, req.After, limit)
	if err != nil {
		return nil, err
	}
	if !ok && req.Log != api.Inbox(c.Device) { // an inbox is there before anything is in it
		return nil, api.Errorf(api.NotFound, "there is no such room, or this device was never in it")
	}
	return &api.ReadResponse{Entries: entries, Last: last}, nil
}

// Ack notes what the caller's device has stored.
func (s *Service) Ack(ctx context.Context, c duty.Caller, req *api.AckRequest) (*api.Empty, error) {
	if n := len(req.Acks); n > api.MaxBatch {
		return nil, api.Errorf(api.TooLarge, "%d places at once; the limit is %d", n, api.MaxBatch)
	}
	for _, p := range req.Acks {
		if err := s.journal.Ack(ctx, c.Device, p.Log, p.Seq); err != nil {
			return nil, err
		}
	}
	return &api.Empty{}, nil
}
