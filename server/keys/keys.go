// Package keys keeps the key packages by which devices are added to rooms while
// they are away (RFC 9420, Section 10). A package is handed out once; when a
// device's are gone, its package of last resort stands in until it publishes
// new ones.
//
// Begin with [New] and [Service.Register]; [Service.Run] drops what has expired.
package keys

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/keys/db"
)

//go:embed schema/*.sql
var schema embed.FS

// Logs is what the keys duty needs of the one that keeps device logs.
type Logs interface {
	// Log gives a person's whole log as it now is, which is not to be changed;
	// nil without an error for somebody unknown.
	Log(ctx context.Context, user identity.UserID) (*identity.Log, error)
}

// Config is what the duty works with.
type Config struct {
	DB     *sqldb.DB
	Clock  duty.Clock
	Logger *slog.Logger
	Logs   Logs
}

// Service is the keys duty. It is safe for concurrent use.
type Service struct {
	Config
	queries *db.Queries // for writing
	reads   *db.Queries

	published *duty.Limiter[api.DeviceID] // packages, by who publishes
	claimed   *duty.Limiter[api.UserID]   // packages, by who claims
	pairs     *duty.Limiter[pair]         // claims, by who claims from whom
	drained   *duty.Limiter[api.UserID]   // claims, by from whom
}

type pair struct{ claimer, target api.UserID }

// New opens the duty on its tables.
func New(ctx context.Context, c Config) (*Service, error) {
	if err := c.DB.Migrate(ctx, "keys", schema); err != nil {
		return nil, err
	}
	return &Service{
		Config: c, queries: db.New(c.DB.Write), reads: db.New(c.DB.Read),
		published: duty.NewLimiter[api.DeviceID](c.Clock, 400, time.Hour),
		claimed:   duty.NewLimiter[api.UserID](c.Clock, 2000, time.Hour),
		pairs:     duty.NewLimiter[pair](c.Clock, 60, time.Hour),
		drained:   duty.NewLimiter[api.UserID](c.Clock, 600, time.Hour),
	}, nil
}

// Register adds the duty's endpoints.
func (s *Service) Register(r *duty.Registry) {
	duty.Handle(r, api.PublishKeyPackages, s.Publish)
	duty.Handle(r, api.CheckKeyPackages, s.Check)
	duty.Handle(r, api.ClaimKeyPackages, s.Claim)
}

const sweepEvery = time.Hour

// Run drops what has expired, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.Logger.WarnContext(ctx, "dropping expired key packages: will try again", "err", err)
			}
		}
	}
}

// Sweep drops expired key packages, and forgets claimed ones that have expired.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.Clock.Millis()
	return errors.Join(s.queries.DropExpired(ctx, now), s.queries.DropExpiredClaimed(ctx, now))
}

// DropDevice drops what a removed device has published.
func (s *Service) DropDevice(ctx context.Context, _ identity.UserID, device identity.DeviceID) error {
	return s.queries.DropDevice(ctx, device[:])
}
