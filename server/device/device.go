// Package device keeps the device logs of all people, and knows who is calling.
//
// A log's entries prove themselves, so the server can neither add a device nor
// hide one unseen; what this duty decides is which entry came first. From the
// logs follow logins: a device that is active proves that it holds its login
// key and gets a token, which ends when a log removes the device.
//
// Begin with [New] and [Service.Register]; [Service.Run] does what is left for
// later. Other duties learn from [Service.OnRemoved] which devices to let go of.
package device

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/device/db"
)

//go:embed schema/*.sql
var schema embed.FS

// Names is what the device duty needs of the directory.
type Names interface {
	// Name gives what a person is called, and whether there is such a person.
	Name(ctx context.Context, user identity.UserID) (string, bool, error)
}

// RemovedFunc lets go of a device that its person's log removed. It is called
// again, also after a restart, until it returns nil; it may be called twice.
type RemovedFunc func(ctx context.Context, user identity.UserID, device identity.DeviceID) error

// Config is what the duty works with.
type Config struct {
	DB     *sqldb.DB
	Clock  duty.Clock
	Logger *slog.Logger
}

// Service is the device duty. It is safe for concurrent use after [Service.Bind]
// and the calls of [Service.OnRemoved].
type Service struct {
	Config
	queries *db.Queries // for writing
	reads   *db.Queries

	network      identity.NetworkID
	challengeKey []byte
	names        Names

	grown  int // how large devices can make a log, in bytes
	logs   logCache
	tokens tokenCache
	used   usedChallenges

	removed []RemovedFunc
	wake    chan struct{} // a removal waits

	open duty.OriginLimiter // calls that cost signatures
	look duty.OriginLimiter // calls that cost a look

	lookups *duty.Limiter[api.DeviceID]
}

// New opens the duty on its tables. Before it is used, [Service.Bind] must tell
// it the rest.
func New(ctx context.Context, c Config) (*Service, error) {
	if err := c.DB.Migrate(ctx, "device", schema); err != nil {
		return nil, err
	}
	s := &Service{
		Config: c, queries: db.New(c.DB.Write), reads: db.New(c.DB.Read), wake: make(chan struct{}, 1), grown: maxGrown,
		// A whole office may share an address, and log in on the same morning.
		open: duty.NewOriginLimiter(c.Clock, 600, 10*time.Minute),
		look: duty.NewOriginLimiter(c.Clock, 3000, 10*time.Minute),
		// A new device in 1,000 rooms reads the logs of each one's people; those of
		// 10,000 people take 100 calls.
		lookups: duty.NewLimiter[api.DeviceID](c.Clock, 6000, 10*time.Minute),
	}
	if err := s.fillInboxes(ctx); err != nil {
		return nil, fmt.Errorf("noting inboxes: %w", err)
	}
	return s, nil
}

// fillInboxes notes the inboxes of devices that were admitted before they were
// noted with the device.
func (s *Service) fillInboxes(ctx context.Context) error {
	for {
		devices, err := s.queries.DevicesWithoutInbox(ctx)
		if err != nil || len(devices) == 0 {
			return err
		}
		for _, d := range devices {
			inbox := api.Inbox(api.DeviceID(d))
			if err := s.queries.SetInbox(ctx, db.SetInboxParams{DeviceID: d, Inbox: inbox[:]}); err != nil {
				return err
			}
		}
	}
}

// IsInbox reports whether a log's id is that of the inbox of a device that any
// log ever admitted. Device ids are no secret, so the ids of inboxes are none.
func (s *Service) IsInbox(ctx context.Context, id api.LogID) (bool, error) {
	n, err := s.reads.Inboxes(ctx, id[:])
	if err != nil {
		return false, fmt.Errorf("looking up inbox: %w", err)
	}
	return n > 0, nil
}

// Bind completes the duty with what needs the duty itself first: the network,
// the key that challenges are made with, which all nodes share, and names.
func (s *Service) Bind(network identity.NetworkID, challengeKey []byte, names Names) {
	s.network, s.challengeKey, s.names = network, challengeKey, names
}

// Register adds the duty's endpoints.
func (s *Service) Register(r *duty.Registry) {
	duty.Handle(r, api.AppendLog, s.AppendLog)
	duty.Handle(r, api.Logs, s.Logs)
	duty.Handle(r, api.RecoveryLog, s.RecoveryLog)
	duty.Handle(r, api.Challenge, s.Challenge)
	duty.Handle(r, api.Login, s.Login)
	duty.Handle(r, api.OfferLink, s.OfferLink)
	duty.Handle(r, api.ReadLink, s.ReadLink)
}

// OnRemoved adds a function to call for each removed device, in the order added.
func (s *Service) OnRemoved(fn RemovedFunc) { s.removed = append(s.removed, fn) }

const (
	retryRemovals = 10 * time.Second
	sweepEvery    = 10 * time.Minute
)

// Run tells other duties of removed devices and drops what has expired, until
// ctx ends.
func (s *Service) Run(ctx context.Context) {
	retry, sweep := time.NewTicker(retryRemovals), time.NewTicker(sweepEvery)
	defer retry.Stop()
	defer sweep.Stop()
	for {
		s.report(ctx, "removing devices", s.settleRemovals(ctx))
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-retry.C:
		case <-sweep.C:
			s.report(ctx, "dropping expired logins and links", s.Sweep(ctx))
		}
	}
}

func (s *Service) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, what+": will try again", "err", err)
	}
}

// settleRemovals tells the other duties of every device that waits for it. What
// waits is in the database, so that a crash forgets no removal. One device that
// they fail to let go of does not hold up the others.
func (s *Service) settleRemovals(ctx context.Context) error {
	after := []byte{}
	var failed error // the last: of many devices there may be many
	for {
		rows, err := s.reads.Removals(ctx, after)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return failed
		}
		for _, row := range rows {
			if err := s.settle(ctx, identity.UserID(row.UserID), identity.DeviceID(row.DeviceID)); err != nil {
				failed = err
			}
		}
		after = rows[len(rows)-1].DeviceID
	}
}

func (s *Service) settle(ctx context.Context, user identity.UserID, device identity.DeviceID) error {
	for _, fn := range s.removed {
		if err := fn(ctx, user, device); err != nil {
			return err
		}
	}
	return s.queries.DropRemoval(ctx, device[:])
}

// Sweep drops expired tokens and links.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.Clock.Millis()
	return errors.Join(s.queries.DropExpiredTokens(ctx, now), s.queries.DropExpiredLinks(ctx, now))
}

// Pins gives the present length and head of logs. Unknown people are left out.
func (s *Service) Pins(ctx context.Context, users []identity.UserID) (map[identity.UserID]identity.Pin, error) {
	pins := make(map[identity.UserID]identity.Pin, len(users))
	if len(users) == 0 {
		return pins, nil
	}
	args := make([]any, len(users))
	for i := range users {
		args[i] = users[i][:]
	}
	rows, err := s.DB.Read.QueryContext(ctx,
		"SELECT user_id, length, head FROM device_log WHERE user_id IN ("+sqldb.Placeholders(len(users))+")", args...)
	if err != nil {
		return nil, fmt.Errorf("reading lengths of logs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var user, head []byte
		var length int
		if err := rows.Scan(&user, &length, &head); err != nil {
			return nil, fmt.Errorf("reading lengths of logs: %w", err)
		}
		pins[identity.UserID(user)] = identity.Pin{Length: length, Head: identity.Hash(head)}
	}
	return pins, rows.Err()
}

// Log gives a person's whole log as it now is. The caller must not append to
// it: it is shared. For somebody unknown it is nil, without an error.
func (s *Service) Log(ctx context.Context, user identity.UserID) (*identity.Log, error) {
	row, err := s.reads.LogLength(ctx, user[:])
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading length of log: %w", err)
	}
	// The row is asked every time, because another node may have gone on.
	if log := s.logs.at(user, int(row.Length)); log != nil {
		return log, nil
	}
	entries, err := s.reads.Entries(ctx, db.EntriesParams{UserID: user[:], First: 0, Beyond: row.Length})
	if err != nil {
		return nil, fmt.Errorf("reading log: %w", err)
	}
	log, err := identity.Open(s.network, entries)
	if err != nil {
		return nil, fmt.Errorf("opening a stored log: %w", err)
	}
	s.logs.put(user, log, entries)
	return log, nil
}

// logCache keeps opened logs, since opening one verifies every signature in it.
// A log in it never changes: a longer one takes its place.
type logCache struct {
	mu   sync.Mutex
	logs map[identity.UserID]cachedLog
	size int
}

type cachedLog struct {
	log  *identity.Log
	size int
}

// maxCachedLogs bounds the cache by the bytes of its entries; in memory a log
// takes about three times as much.
const maxCachedLogs = 16 << 20

func (c *logCache) at(user identity.UserID, length int) *identity.Log {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.logs[user]; ok && e.log.Length() == length {
		return e.log
	}
	return nil
}

// put makes room by dropping whatever the map gives first: with thousands of
// logs in the cache, knowing which was used last gains little.
func (c *logCache) put(user identity.UserID, log *identity.Log, entries [][]byte) {
	size := 0
	for _, e := range entries {
		size += len(e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logs == nil {
		c.logs = make(map[identity.UserID]cachedLog)
	}
	c.size += size - c.logs[user].size
	c.logs[user] = cachedLog{log, size}
	for other, e := range c.logs {
		if c.size <= maxCachedLogs {
			return
		}
		delete(c.logs, other)
		c.size -= e.size
	}
}
