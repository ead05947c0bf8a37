package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/account"
	"sconce/server/delivery"
	"sconce/server/device"
	"sconce/server/keys"
)

// Server is the duties of a server, wired as package server wires them, without
// sockets: calls come through [Server.Call].
type Server struct {
	dir      string
	db       *sqldb.DB
	registry *duty.Registry
	accounts *account.Service
	devices  *device.Service
	delivery *delivery.Service

	stop    context.CancelFunc
	running sync.WaitGroup
}

// StartServer opens the database in dir, which is made if it is not there, or
// else that on a PostgreSQL, and starts the duties. Durability of the disk itself
// is not what the simulation is about, so nothing waits for it.
func StartServer(dir string, on *Postgres, clock duty.Clock, log *slog.Logger) (*Server, error) {
	ctx := context.Background()
	db, err := openDatabase(ctx, dir, on)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, db: db, registry: duty.NewRegistry(log)}
	keyPackages, err := s.wire(ctx, clock, log)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	run, stop := context.WithCancel(ctx)
	s.stop = stop
	for _, fn := range []func(context.Context){s.devices.Run, keyPackages.Run, s.delivery.Run} {
		s.running.Go(func() { fn(run) })
	}
	return s, nil
}

func openDatabase(ctx context.Context, dir string, on *Postgres) (*sqldb.DB, error) {
	if on != nil {
		return on.open(ctx)
	}
	return sqldb.Open(ctx, "sqlite:"+filepath.Join(dir, "sconce.db"), sqldb.WithoutSync())
}

func (s *Server) wire(ctx context.Context, clock duty.Clock, log *slog.Logger) (_ *keys.Service, err error) {
	if s.devices, err = device.New(ctx, device.Config{DB: s.db, Clock: clock, Logger: log}); err != nil {
		return nil, err
	}
	if s.accounts, err = account.New(ctx, s.db, clock, s.devices); err != nil {
		return nil, err
	}
	challenge, err := s.accounts.Key("login challenge")
	if err != nil {
		return nil, err
	}
	s.devices.Bind(s.accounts.Network(), challenge, s.accounts)
	keyPackages, err := keys.New(ctx, keys.Config{DB: s.db, Clock: clock, Logger: log, Logs: s.devices})
	if err != nil {
		return nil, err
	}
	private, public := s.accounts.Sender()
	s.delivery, err = delivery.New(ctx, delivery.Config{
		DB: s.db, Clock: clock, Logger: log, Logs: s.devices, Sender: public, SenderKey: private,
		TreePart: 20_000, // so that larger rooms are read in parts, as only very large ones would be
	})
	if err != nil {
		return nil, err
	}
	s.devices.OnRemoved(keyPackages.DropDevice)
	s.devices.OnRemoved(s.delivery.Evict)
	s.accounts.Register(s.registry)
	s.devices.Register(s.registry)
	keyPackages.Register(s.registry)
	s.delivery.Register(s.registry)
	return keyPackages, nil
}

// Call carries out one call, as HTTP and the stream do.
func (s *Server) Call(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	var caller duty.Caller
	if token != nil {
		var err error
		if caller, err = s.devices.Authenticate(ctx, token); err != nil {
			return nil, err
		}
	}
	answer, refused := s.registry.Call(ctx, caller, name, body)
	if refused != nil {
		return nil, refused
	}
	return answer, nil
}

// Invite makes an invite.
func (s *Server) Invite(ctx context.Context, name string) (identity.Invite, error) {
	token, err := s.accounts.Invite(ctx, name)
	return identity.Invite{Server: address, Network: s.accounts.Network(), Token: token}, err
}

// address is what clients believe to call.
const address = "https://testnet.example"

// Sweep takes away what is due by the clock.
func (s *Server) Sweep(ctx context.Context) error {
	return errors.Join(s.devices.Sweep(ctx), s.delivery.Sweep(ctx))
}

// Close stops the duties in order.
func (s *Server) Close() error {
	s.stop()
	s.running.Wait()
	return s.db.Close()
}

// cut takes the database away from the server before it ends, as a process that
// is killed loses its connections.
func (s *Server) cut() error {
	if err := s.db.Close(); err != nil {
		return err
	}
	return s.Close()
}

// Snapshot copies the database as it is on disk at this moment, which is what a
// process that is killed leaves behind. Nothing may be calling. A PostgreSQL is
// not copied: it lives on.
func (s *Server) Snapshot(to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	// What is moved from one file into another meanwhile is then in both.
	for _, file := range slices.Backward(s.db.Files()) {
		if strings.HasSuffix(file, "-shm") {
			continue // it is made from the others
		}
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), b, 0o600)
		}
		if err != nil {
			return fmt.Errorf("copying database: %w", err)
		}
	}
	return nil
}

// Log gives every entry that a device may read of a room, for tests that play
// somebody who recorded the wire.
func (s *Server) Log(ctx context.Context, d *Device, id api.LogID) ([]api.Entry, error) {
	caller := duty.Caller{User: api.UserID(d.user), Device: api.DeviceID(d.id)}
	resp, err := s.delivery.Read(ctx, caller, &api.ReadRequest{Log: id})
	if err != nil {
		return nil, err
	}
	return resp.Entries, nil
}

// Clock is the time that the test advances. All of a network share it.
type Clock struct {
	mu    sync.Mutex
	now   time.Time // guarded by mu
	going time.Time // guarded by mu: since when it goes by itself; zero: it does not
}

// NewClock begins at a moment that means nothing.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.going.IsZero() {
		return c.now
	}
	return c.now.Add(time.Since(c.going))
}

// Go lets the clock go by itself, as the bubble's time does.
func (c *Clock) Go() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.going = time.Now()
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
