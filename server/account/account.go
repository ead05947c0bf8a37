// Package account knows the network and its people: the network's keys, who is
// invited, who joined, and what they are called. What a person's devices are is
// told by their device log, which another duty keeps.
//
// Begin with [New]; [Service.Register] then adds the endpoints. An operator lets
// people in with [Service.Invite].
package account

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/room"
	"sconce/server/account/db"
)

//go:embed schema/*.sql
var schema embed.FS

// Logs is what the account duty needs of the one that keeps device logs.
type Logs interface {
	// Begin stores the first entry of a new person's log within tx. It returns an
	// [api.Error] if the log's device is another person's already.
	Begin(ctx context.Context, tx *sql.Tx, log *identity.Log) error
	// Pins gives the present length and head of logs. Unknown people are left out.
	Pins(ctx context.Context, users []identity.UserID) (map[identity.UserID]identity.Pin, error)
}

// Service is the account duty. It is safe for concurrent use.
type Service struct {
	db      *sqldb.DB
	queries *db.Queries // for writing
	reads   *db.Queries
	logs    Logs
	clock   duty.Clock

	secrets     *identity.NetworkSecrets
	sender      []byte
	senderKey   []byte
	senderProof []byte

	joins   duty.OriginLimiter
	renames *duty.Limiter[api.UserID]
	lookups *duty.Limiter[api.DeviceID]
}

// New opens the duty on its tables. At the first start it makes the network's keys.
func New(ctx context.Context, sqlDB *sqldb.DB, clock duty.Clock, logs Logs) (*Service, error) {
	if err := sqlDB.Migrate(ctx, "account", schema); err != nil {
		return nil, err
	}
	s := &Service{
		db: sqlDB, queries: db.New(sqlDB.Write), reads: db.New(sqlDB.Read), logs: logs, clock: clock,
		joins:   duty.NewOriginLimiter(clock, 120, 10*time.Minute),
		renames: duty.NewLimiter[api.UserID](clock, 20, time.Hour),
		// A new device in 1,000 rooms of strangers needs 1,000; the whole directory of
		// 10,000 people takes 100.
		lookups: duty.NewLimiter[api.DeviceID](clock, 6000, 10*time.Minute),
	}
	if err := s.loadNetwork(ctx); err != nil {
		return nil, fmt.Errorf("loading the network's keys: %w", err)
	}
	return s, nil
}

// Register adds the duty's endpoints.
func (s *Service) Register(r *duty.Registry) {
	duty.Handle(r, api.Hello, s.Hello)
	duty.Handle(r, api.Join, s.Join)
	duty.Handle(r, api.People, s.People)
	duty.Handle(r, api.Rename, s.Rename)
}

// loadNetwork reads the network's keys, and makes them if there are none. Of two
// nodes that start at once, both go on with the keys of the first.
func (s *Service) loadNetwork(ctx context.Context) error {
	row, err := s.reads.Network(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		row, err = s.makeNetwork(ctx)
	}
	if err != nil {
		return err
	}
	if s.secrets, err = identity.ParseNetworkSecrets(row.Secrets); err != nil {
		return err
	}
	sender, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), row.Sender)
	if err != nil {
		return err
	}
	s.sender = row.Sender
	if s.senderKey, err = sender.PublicKey.Bytes(); err != nil {
		return err
	}
	s.senderProof, err = s.secrets.Sign(room.SenderLabel, s.senderKey)
	return err
}

func (s *Service) makeNetwork(ctx context.Context) (db.NetworkRow, error) {
	sender, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return db.NetworkRow{}, err
	}
	private, err := sender.Bytes()
	if err != nil {
		return db.NetworkRow{}, err
	}
	err = s.queries.MakeNetwork(ctx, db.MakeNetworkParams{
		Secrets: identity.NewNetworkSecrets().Marshal(), Sender: private, Made: s.clock.Millis(),
	})
	if err != nil {
		return db.NetworkRow{}, err
	}
	return db.New(s.db.Write).Network(ctx)
}

// Network is the network's id.
func (s *Service) Network() identity.NetworkID { return s.secrets.Key().ID() }

// Sender is the P-256 key pair with which the server proposes removals in rooms
// (RFC 9420, Section 12.1.8.1), as every MLS suite with that curve writes it:
// the scalar, and the uncompressed point.
func (s *Service) Sender() (private, public []byte) { return s.sender, s.senderKey }

// Key derives a secret for one purpose from the network's: the same on every
// node and after every start.
func (s *Service) Key(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, s.secrets.Marshal(), nil, "sconce server key: "+purpose, 32)
}

// Hello says whom one is talking to.
func (s *Service) Hello(context.Context, duty.Caller, *api.Empty) (*api.HelloResponse, error) {
	return &api.HelloResponse{
		Version: api.Version, Network: api.Hash(s.Network()), NetworkKey: s.secrets.Key().Marshal(),
		Time: s.clock.Millis(), Sender: s.senderKey, SenderProof: s.senderProof,
	}, nil
}
