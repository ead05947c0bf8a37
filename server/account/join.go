package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/account/db"
)

const (
	// InviteLifetime is how long an invite can be used.
	InviteLifetime = 14 * 24 * time.Hour

	// maxInvites is how many may be open at once: they are made by hand, or by a
	// script that has lost its way.
	maxInvites = 100_000
)

// Invite makes a single-use invite for a person. The name is what they will be
// called unless they choose another; it may be empty. An [api.Error] says what
// is wrong with the name.
func (s *Service) Invite(ctx context.Context, name string) (identity.Token, error) {
	if name != "" {
		clean, err := checkName(name)
		if err != nil {
			return identity.Token{}, err
		}
		if err := s.requireFree(ctx, clean); err != nil {
			return identity.Token{}, err
		}
		name = clean.shown
	}
	now := s.clock.Millis()
	if err := s.queries.DropInvites(ctx, now-InviteLifetime.Milliseconds()); err != nil {
		return identity.Token{}, fmt.Errorf("dropping old invites: %w", err)
	}
	if n, err := s.reads.Invites(ctx); err != nil || n >= maxInvites {
		return identity.Token{}, errors.Join(err, tooManyInvites(n))
	}
	token := identity.NewToken()
	err := s.queries.AddInvite(ctx, db.AddInviteParams{
		Token: hashToken([]byte(token.Reveal())), Name: name, Expires: now + InviteLifetime.Milliseconds(),
	})
	if err != nil {
		return identity.Token{}, fmt.Errorf("storing invite: %w", err)
	}
	return token, nil
}

func tooManyInvites(n int64) error {
	if n < maxInvites {
		return nil
	}
	return api.Errorf(api.TooLarge, "%d invites are open already: wait until some are used or expire", n)
}

// Empty reports whether nobody has joined and nobody is invited, as at a first start.
func (s *Service) Empty(ctx context.Context) (bool, error) {
	people, err := s.reads.HasPeople(ctx)
	if err != nil {
		return false, fmt.Errorf("counting people: %w", err)
	}
	invites, err := s.reads.Invites(ctx)
	if err != nil {
		return false, fmt.Errorf("counting invites: %w", err)
	}
	return people == 0 && invites == 0, nil
}

// hashToken is what the database holds of a token, in the spelling of
// [identity.Token.Reveal]. The token is random, so one hash is enough.
func hashToken(token []byte) []byte {
	h := sha256.Sum256(token)
	return h[:]
}

// Join makes a person of an invite and the first entry of a device log. Person,
// log and used invite are stored together or not at all, so whoever lost the
// answer asks again and gets it.
func (s *Service) Join(ctx context.Context, c duty.Caller, req *api.JoinRequest) (*api.JoinResponse, error) {
	if err := s.joins.Take(c); err != nil {
		return nil, err
	}
	log, err := s.openGenesis(req.Genesis)
	if err != nil {
		return nil, err
	}
	user := log.User()
	token := hashToken(req.Invite)
	invite, err := s.reads.Invite(ctx, token)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, api.Errorf(api.Forbidden, "this invite is not known here: ask for a new one")
	case err != nil:
		return nil, fmt.Errorf("reading invite: %w", err)
	case bytes.Equal(invite.UserID, user[:]):
		return s.joined(ctx, user)
	case invite.UserID != nil:
		return nil, api.Errorf(api.Forbidden, "this invite was used already: ask for a new one")
	case invite.Expires <= s.clock.Millis():
		return nil, api.Errorf(api.Forbidden, "this invite has expired: ask for a new one")
	}
	name, err := joinName(req.Name, invite.Name)
	if err != nil {
		return nil, err
	}
	if err := s.admit(ctx, token, name, log); err != nil {
		return nil, err
	}
	return s.joined(ctx, user)
}

func (s *Service) openGenesis(genesis []byte) (*identity.Log, error) {
	if len(genesis) > identity.MaxEntrySize {
		return nil, api.Errorf(api.TooLarge, "the genesis entry has %d bytes; the limit is %d", len(genesis), identity.MaxEntrySize)
	}
	log, err := identity.Open(s.Network(), [][]byte{genesis})
	if err != nil {
		return nil, api.Errorf(api.Invalid, "genesis: %v", err)
	}
	return log, nil
}

func joinName(asked, invited string) (personName, error) {
	if asked == "" {
		asked = invited
	}
	if asked == "" {
		return personName{}, api.Errorf(api.Invalid, "choose a name: the invite does not say one")
	}
	return checkName(asked)
}

// admit uses up the invite. That statement decides between two who use it at once.
func (s *Service) admit(ctx context.Context, token []byte, name personName, log *identity.Log) error {
	user := log.User()
	now := s.clock.Millis()
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		q := s.queries.WithTx(tx)
		added, err := q.AddPerson(ctx, db.AddPersonParams{
			UserID: user[:], Name: name.shown, Folded: name.folded, Sort: []byte(name.folded), Joined: now,
		})
		if err != nil || added == 0 {
			return err // already in: by another invite, which need not be used up
		}
		used, err := q.UseInvite(ctx, db.UseInviteParams{UserID: user[:], Token: token, Expires: now})
		if err != nil {
			return err
		}
		if used == 0 {
			return api.Errorf(api.Forbidden, "this invite was used already: ask for a new one")
		}
		return s.logs.Begin(ctx, tx, log)
	})
	if sqldb.IsConflict(err) {
		return nameTaken(name.shown)
	}
	return err
}

func (s *Service) joined(ctx context.Context, user identity.UserID) (*api.JoinResponse, error) {
	name, err := s.reads.Person(ctx, user[:])
	if err != nil {
		return nil, fmt.Errorf("reading person: %w", err)
	}
	return &api.JoinResponse{User: api.UserID(user), Name: name}, nil
}
