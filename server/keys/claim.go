package keys

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/server/keys/db"
)

// target is a device of which a package is wanted.
type target struct {
	user   api.UserID
	device identity.Device
}

// Claim takes one package of every active device of each user, or none at all:
// who adds a person adds all their devices. The caller's own device is left out,
// for a device is never added by itself.
func (s *Service) Claim(ctx context.Context, c duty.Caller, req *api.ClaimKeyPackagesRequest) (*api.ClaimKeyPackagesResponse, error) {
	if len(req.Users) > api.MaxBatch || len(req.Devices) > api.MaxBatch {
		return nil, api.Errorf(api.TooLarge, "at most %d people and devices at once", api.MaxBatch)
	}
	if len(req.Users) == 0 {
		return nil, api.Errorf(api.Invalid, "no person named")
	}
	targets, err := s.targets(ctx, c, req)
	if err != nil {
		return nil, err
	}
	if err := s.limit(c, targets); err != nil {
		return nil, err
	}
	resp := &api.ClaimKeyPackagesResponse{KeyPackages: []api.ClaimedKeyPackage{}}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		for _, t := range targets {
			message, err := s.take(ctx, tx, t)
			if err != nil {
				return err
			}
			resp.KeyPackages = append(resp.KeyPackages, api.ClaimedKeyPackage{User: t.user, Device: api.DeviceID(t.device.ID), KeyPackage: message})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// targets lists the devices in the order of their ids, so that no two claims
// wait for each other in a circle.
func (s *Service) targets(ctx context.Context, c duty.Caller, req *api.ClaimKeyPackagesRequest) ([]target, error) {
	users := slices.Clone(req.Users)
	slices.SortFunc(users, func(a, b api.UserID) int { return bytes.Compare(a[:], b[:]) })
	var targets []target
	for _, user := range slices.Compact(users) {
		log, err := s.Logs.Log(ctx, user)
		if err != nil {
			return nil, err
		}
		if log == nil {
			return nil, api.Errorf(api.NotFound, "one of the people is not known here")
		}
		for _, d := range log.Devices() {
			wanted := len(req.Devices) == 0 || slices.Contains(req.Devices, api.DeviceID(d.ID))
			if wanted && api.DeviceID(d.ID) != c.Device {
				targets = append(targets, target{user, d})
			}
		}
	}
	if len(targets) > api.MaxBatch {
		return nil, api.Errorf(api.TooLarge, "the people have %d devices; the limit is %d at once", len(targets), api.MaxBatch)
	}
	slices.SortFunc(targets, func(a, b target) int { return bytes.Compare(a.device.ID[:], b.device.ID[:]) })
	return targets, nil
}

// limit keeps one person from using up another's packages, and so from forcing
// everyone else onto the one of last resort.
func (s *Service) limit(c duty.Caller, targets []target) error {
	if err := s.claimed.Take(c.User, len(targets)); err != nil {
		return err
	}
	seen := map[api.UserID]bool{c.User: true} // from oneself is nobody's loss
	for _, t := range targets {
		if seen[t.user] {
			continue
		}
		seen[t.user] = true
		if err := s.pairs.Take(pair{c.User, t.user}, 1); err != nil {
			return err
		}
		if err := s.drained.Take(t.user, 1); err != nil {
			return err
		}
	}
	return nil
}

// takeNext gives each package to one claimer. Those made with keys that the
// device has since rotated are passed over: no room would take them.
const takeNext = `
DELETE FROM key_package WHERE ref = (
    SELECT ref FROM key_package
    WHERE device_id = $1 AND NOT last_resort AND entry = $2 AND expires > $3
    ORDER BY expires, ref LIMIT 1`

func (s *Service) take(ctx context.Context, tx *sql.Tx, t target) ([]byte, error) {
	now := s.Clock.Millis()
	q := s.queries.WithTx(tx)
	var ref, message []byte
	var expires int64
	err := tx.QueryRowContext(ctx, takeNext+s.DB.SkipLocked()+") RETURNING ref, expires, message",
		t.device.ID[:], t.device.Entry[:], now).Scan(&ref, &expires, &message)
	if err == nil {
		if err := q.AddClaimed(ctx, db.AddClaimedParams{Ref: ref, Expires: expires}); err != nil {
			return nil, fmt.Errorf("noting claimed key package: %w", err)
		}
		return message, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("claiming key package: %w", err)
	}
	message, err = q.UseLastResort(ctx, db.UseLastResortParams{DeviceID: t.device.ID[:], Entry: t.device.Entry[:], Now: now})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Errorf(api.NotFound, "the device %q has no key package left: it must come online once first", t.device.Keys.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("claiming key package of last resort: %w", err)
	}
	return message, nil
}
