// Package server is sconced: it puts the duties together and lets clients reach
// them. Each duty lives in a folder of its own and knows no other; what one
// needs of another is an interface that it declares, and this package passes in.
//
// Begin with [New], then [Server.Run]:
//
//	s, err := server.New(ctx, server.Config{Data: "./data"})
//	defer s.Close()
//	err = s.Run(ctx)
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/account"
	"sconce/server/delivery"
	"sconce/server/device"
	"sconce/server/keys"
	"sconce/server/stream"
)

// Server is one running node. It is safe for concurrent use.
type Server struct {
	config   Config
	named    string // the database, if one was named
	lock     *os.File
	db       *sqldb.DB
	listener net.Listener
	managed  *managed // the certificate, if the server gets its own; else nil
	registry *duty.Registry

	accounts *account.Service
	devices  *device.Service
	keys     *keys.Service
	delivery *delivery.Service
	stream   *stream.Service

	devicesAtOnce   *duty.Crowd[api.DeviceID]
	strangersAtOnce duty.OriginCrowd

	first     bool
	closeOnce sync.Once
	closeErr  error
}

// New opens the data folder and the database, makes the network at the first
// start, and binds the address; nothing is served before [Server.Run]. The
// caller must Close what New gives.
func New(ctx context.Context, c Config) (*Server, error) {
	named := c.Database
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Server{
		config: c, named: named, registry: duty.NewRegistry(c.Logger),
		devicesAtOnce: duty.NewCrowd[api.DeviceID](maxOfDevice), strangersAtOnce: duty.NewOriginCrowd(maxOfStrangers),
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open makes nothing that stays before it has the certificate and the address:
// a start that fails for lack of them is as if it had not been.
func (s *Server) open(ctx context.Context) (err error) {
	c := s.config
	secure, err := c.tlsConfig()
	if err != nil {
		return err
	}
	if s.lock, err = lockData(c.Data); err != nil {
		return err
	}
	if s.listener, err = listen(c.Listen); err != nil {
		return err
	}
	if c.ACME.Name != "" {
		if s.managed, err = newManaged(c.Data, c.ACME, s.listener.Addr(), c.Logger); err != nil {
			return err
		}
		secure = s.managed.tlsConfig()
	}
	if secure != nil {
		s.listener = tls.NewListener(s.listener, secure)
	}
	if s.db, err = sqldb.Open(ctx, c.Database, c.DatabaseOptions...); err != nil {
		return err
	}
	if err := s.wire(ctx); err != nil {
		return err
	}
	if s.first, err = s.accounts.Empty(ctx); err != nil {
		return err
	}
	return writeSettings(c.Data, settings{Database: s.named, URL: s.URL()})
}

// listen binds the address.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s already: stop it, or listen on another port", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on %s: a port below 1024 needs root, or the right to bind it (%w)", address, err)
	case err != nil:
		return nil, fmt.Errorf("listening: %w", err)
	}
	return l, nil
}

// wire makes the duties and introduces them to each other.
func (s *Server) wire(ctx context.Context) (err error) {
	c := s.config
	if s.devices, err = device.New(ctx, device.Config{DB: s.db, Clock: c.Clock, Logger: c.Logger}); err != nil {
		return err
	}
	if s.accounts, err = account.New(ctx, s.db, c.Clock, s.devices); err != nil {
		return err
	}
	challengeKey, err := s.accounts.Key("login challenge")
	if err != nil {
		return err
	}
	s.devices.Bind(s.accounts.Network(), challengeKey, s.accounts)
	if s.keys, err = keys.New(ctx, keys.Config{DB: s.db, Clock: c.Clock, Logger: c.Logger, Logs: s.devices}); err != nil {
		return err
	}
	private, public := s.accounts.Sender()
	s.delivery, err = delivery.New(ctx, delivery.Config{
		DB: s.db, Clock: c.Clock, Logger: c.Logger, Logs: s.devices, Sender: public, SenderKey: private,
	})
	if err != nil {
		return err
	}
	s.stream = stream.New(stream.Config{
		Registry: s.registry, Auth: s.devices, Delivery: s.delivery, Clock: c.Clock, Logger: c.Logger,
	})

	s.delivery.OnBatch(s.stream.Hold, s.stream.Release)

	// A removed device first goes silent, then loses what others could reach it
	// by, then its rooms.
	s.devices.OnRemoved(s.stream.CloseDevice)
	s.devices.OnRemoved(s.keys.DropDevice)
	s.devices.OnRemoved(s.delivery.Evict)

	s.accounts.Register(s.registry)
	s.devices.Register(s.registry)
	s.keys.Register(s.registry)
	s.delivery.Register(s.registry)
	s.stream.Register(s.registry)
	return nil
}

// FirstStart reports whether this server had nobody, and nobody invited, when it
// was opened.
func (s *Server) FirstStart() bool { return s.first }

// Network is the id of the server's network.
func (s *Server) Network() identity.NetworkID { return s.accounts.Network() }

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is how clients reach the server.
func (s *Server) URL() string { return s.config.publicURL(s.listener.Addr()) }

// Invite makes a single-use invite for a person, who will have the name unless
// they choose another.
func (s *Server) Invite(ctx context.Context, name string) (identity.Invite, error) {
	token, err := s.accounts.Invite(ctx, name)
	if err != nil {
		return identity.Invite{}, err
	}
	return identity.Invite{Server: s.URL(), Network: s.Network(), Token: token}, nil
}

// shutdownTimeout is how long calls have to end.
const shutdownTimeout = 10 * time.Second

// Run serves until ctx ends, then lets calls end and returns nil. It can be
// called once.
func (s *Server) Run(ctx context.Context) error {
	// What works in the background ends last, since calls wait for it.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.runDuties(run) })
	if s.managed != nil {
		background.Go(func() {
			if err := s.managed.run(run); err != nil {
				s.config.Logger.ErrorContext(ctx, "no certificate will come", "err", err)
			}
		})
	}
	defer background.Wait()
	defer stop()

	web := s.httpServer()
	served := make(chan error, 1)
	go func() { served <- web.Serve(s.listener) }()
	s.config.Logger.InfoContext(ctx, "serving")
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	s.config.Logger.InfoContext(ctx, "stopping")
	s.stream.Close()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := web.Shutdown(last); err != nil {
		web.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// runDuties does what the duties do by themselves, until ctx ends.
func (s *Server) runDuties(ctx context.Context) {
	var duties sync.WaitGroup
	duties.Go(func() { s.devices.Run(ctx) })
	duties.Go(func() { s.keys.Run(ctx) })
	duties.Go(func() { s.delivery.Run(ctx) })
	duties.Wait()
}

// Close gives everything back. Run must have returned.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.stream != nil {
		s.stream.Close()
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close()) // and with it the lock
	}
	return errors.Join(errs...)
}
