package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/server/device/db"
)

const (
	linkLifetime = 10 * time.Minute
	maxLinkBytes = 16 << 10
	maxLinks     = 10_000 // at once, from everyone
	maxLinksOf   = 32     // at once, for one person
)

// OfferLink puts a new device's admission where a device of its person finds it.
// Whoever approves compares its keys with the linking code, so this is a
// letter box and vouches for nothing.
func (s *Service) OfferLink(ctx context.Context, c duty.Caller, req *api.OfferLinkRequest) (*api.Empty, error) {
	if err := s.open.Take(c); err != nil {
		return nil, err
	}
	if n := len(req.Admission); n > maxLinkBytes {
		return nil, api.Errorf(api.TooLarge, "the offer has %d bytes; the limit is %d", n, maxLinkBytes)
	}
	admission, err := identity.ParseAdmission(req.Admission)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	if err := admission.Verify(s.network, req.User); err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	now := s.Clock.Millis()
	if err := s.roomForLink(ctx, req, now); err != nil {
		return nil, err
	}
	id := admission.Keys.ID()
	n, err := s.queries.OfferLink(ctx, db.OfferLinkParams{
		Rendezvous: req.Rendezvous[:], DeviceID: id[:], UserID: req.User[:], Admission: req.Admission,
		Expires: now + linkLifetime.Milliseconds(), Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("storing offer: %w", err)
	}
	if n == 0 {
		return nil, api.Errorf(api.Conflict, "another device is offered under this code: make a new code")
	}
	return &api.Empty{}, nil
}

// roomForLink keeps strangers from taking all places. Keys for an offer cost
// nothing, but the person must be one of ours, whose id a stranger does not know;
// and whoever knows one id can get only that person into trouble.
func (s *Service) roomForLink(ctx context.Context, req *api.OfferLinkRequest, now int64) error {
	_, err := s.reads.LogLength(ctx, req.User[:])
	if errors.Is(err, sql.ErrNoRows) {
		return api.Errorf(api.NotFound, "there is no such person")
	}
	if err != nil {
		return fmt.Errorf("looking up person: %w", err)
	}
	if err := s.queries.DropExpiredLinks(ctx, now); err != nil {
		return fmt.Errorf("dropping old offers: %w", err)
	}
	own, err := s.reads.LinksOf(ctx, db.LinksOfParams{UserID: req.User[:], Rendezvous: req.Rendezvous[:]})
	if err != nil {
		return fmt.Errorf("counting offers: %w", err)
	}
	all, err := s.reads.Links(ctx)
	if err != nil {
		return fmt.Errorf("counting offers: %w", err)
	}
	if own >= maxLinksOf || all >= maxLinks {
		return api.Errorf(api.Unavailable, "too many devices are being linked at the moment: try again in ten minutes")
	}
	return nil
}

// ReadLink shows an offer, and the person's log once it admits the device.
func (s *Service) ReadLink(ctx context.Context, c duty.Caller, req *api.ReadLinkRequest) (*api.ReadLinkResponse, error) {
	if err := s.look.Take(c); err != nil {
		return nil, err
	}
	link, err := s.reads.Link(ctx, db.LinkParams{Rendezvous: req.Rendezvous[:], Expires: s.Clock.Millis()})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Errorf(api.NotFound, "no device is offered under this code: it was mistyped, or ten minutes have passed")
	}
	if err != nil {
		return nil, fmt.Errorf("reading offer: %w", err)
	}
	resp := &api.ReadLinkResponse{User: api.UserID(link.UserID), Admission: link.Admission}
	log, err := s.Log(ctx, resp.User)
	if err != nil || log == nil || !log.Active(identity.DeviceID(link.DeviceID)) {
		return resp, err
	}
	if resp.Entries, err = s.whole(ctx, resp.User); err != nil {
		return nil, err
	}
	resp.Name, _, err = s.names.Name(ctx, resp.User)
	return resp, err
}
