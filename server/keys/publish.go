package keys

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/mls"
	"sconce/room"
	"sconce/server/keys/db"
)

const (
	// maxStored is how many packages a device can have waiting.
	maxStored = 2 * api.KeyPackageGoal

	maxPackage = 32 << 10

	// clockSkew is how far a device's clock may be ahead of ours.
	clockSkew = 24 * time.Hour
)

// checked is a key package that other devices could use.
type checked struct {
	ref     [sha256.Size]byte
	expires int64
	message []byte
}

// Publish adds to the caller's stock, all or nothing. Packages that are there
// already, or were claimed, count for nothing: a repeat does no harm.
func (s *Service) Publish(ctx context.Context, c duty.Caller, req *api.PublishKeyPackagesRequest) (*api.KeyPackageStatus, error) {
	if n := len(req.KeyPackages); n > maxStored {
		return nil, api.Errorf(api.TooLarge, "%d key packages at once; the limit is %d", n, maxStored)
	}
	if err := s.published.Take(c.Device, len(req.KeyPackages)+1); err != nil {
		return nil, err
	}
	log, device, err := s.callersDevice(ctx, c)
	if err != nil {
		return nil, err
	}
	packages := make([]checked, len(req.KeyPackages))
	for i, message := range req.KeyPackages {
		if packages[i], err = s.check(log, device, message, false); err != nil {
			return nil, api.Errorf(api.Invalid, "key package %d: %v", i, err)
		}
	}
	var last *checked
	if len(req.LastResort) > 0 {
		p, err := s.check(log, device, req.LastResort, true)
		if err != nil {
			return nil, api.Errorf(api.Invalid, "key package of last resort: %v", err)
		}
		last = &p
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error { return s.store(ctx, s.queries.WithTx(tx), device, packages, last) })
	if err != nil {
		return nil, err
	}
	return s.status(ctx, device)
}

func (s *Service) callersDevice(ctx context.Context, c duty.Caller) (*identity.Log, identity.Device, error) {
	log, err := s.Logs.Log(ctx, c.User)
	if err != nil {
		return nil, identity.Device{}, err
	}
	if log == nil || !log.Active(c.Device) {
		return nil, identity.Device{}, api.Errorf(api.Forbidden, "the device is not active any more")
	}
	device, _ := log.Device(c.Device)
	return log, device, nil
}

// check holds a package against the rules a committer and every receiver will
// hold it against, so that a claimed package works. The mark of last resort says
// to all who see it in a commit whether it may have been handed out before.
func (s *Service) check(log *identity.Log, device identity.Device, message []byte, lastResort bool) (checked, error) {
	if len(message) > maxPackage {
		return checked{}, fmt.Errorf("it has %d bytes; the limit is %d", len(message), maxPackage)
	}
	kp, err := mls.ParseKeyPackage(message)
	if err != nil {
		return checked{}, err
	}
	if kp.CipherSuite != room.Suite {
		return checked{}, fmt.Errorf("it is for suite %v; rooms use %v", kp.CipherSuite, room.Suite)
	}
	now := s.Clock()
	if err := kp.Verify(now); err != nil {
		return checked{}, err
	}
	if kp.LastResort() != lastResort {
		return checked{}, fmt.Errorf("that it is of last resort should be %t, and its mark says %t", lastResort, !lastResort)
	}
	if latest := now.Add(room.KeyPackageLifetime + clockSkew); kp.Leaf.Lifetime.NotAfter > uint64(latest.Unix()) {
		return checked{}, fmt.Errorf("it lives longer than %d days", int(room.KeyPackageLifetime.Hours()/24))
	}
	if err := checkCapabilities(kp.Leaf.Capabilities); err != nil {
		return checked{}, err
	}
	credential, err := room.CredentialOf(kp.Leaf)
	if err != nil {
		return checked{}, err
	}
	if credential.Device != device.ID {
		return checked{}, fmt.Errorf("it is another device's")
	}
	view, err := log.View(log.Pin())
	if err != nil {
		return checked{}, err
	}
	if err := identity.AcceptLeaf(view, credential, uint16(kp.CipherSuite), kp.Leaf.SignatureKey); err != nil {
		return checked{}, err
	}
	return checked{
		ref: sha256.Sum256(message), expires: int64(kp.Leaf.Lifetime.NotAfter) * 1000, message: message,
	}, nil
}

// checkCapabilities asks for what every room requires (RFC 9420, Section 12.2).
func checkCapabilities(c mls.Capabilities) error {
	switch {
	case !slices.Contains(c.Extensions, mls.ExtensionAppDataDictionary):
		return fmt.Errorf("its client does not know the extension app_data_dictionary")
	case !slices.Contains(c.Proposals, mls.ProposalAppDataUpdate), !slices.Contains(c.Proposals, mls.ProposalSelfRemove):
		return fmt.Errorf("its client does not know the proposals app_data_update and self_remove")
	case !slices.Contains(c.Credentials, mls.CredentialDevice):
		return fmt.Errorf("its client does not know device credentials")
	}
	return nil
}

func (s *Service) store(ctx context.Context, q *db.Queries, device identity.Device, packages []checked, last *checked) error {
	now := s.Clock.Millis()
	for _, p := range packages {
		_, err := q.Add(ctx, db.AddParams{
			Ref: p.ref[:], DeviceID: device.ID[:], Entry: device.Entry[:], Expires: p.expires, Message: p.message,
		})
		if err != nil {
			return fmt.Errorf("storing key package: %w", err)
		}
	}
	n, err := q.Count(ctx, db.CountParams{DeviceID: device.ID[:], Entry: device.Entry[:], Now: now})
	if err != nil {
		return fmt.Errorf("counting key packages: %w", err)
	}
	if n > maxStored {
		return api.Errorf(api.TooLarge, "the device would have %d key packages waiting; the limit is %d", n, maxStored)
	}
	if last == nil {
		return nil
	}
	if err := q.DropOtherLastResort(ctx, db.DropOtherLastResortParams{DeviceID: device.ID[:], Ref: last.ref[:]}); err != nil {
		return fmt.Errorf("dropping old key package of last resort: %w", err)
	}
	_, err = q.AddLastResort(ctx, db.AddLastResortParams{
		Ref: last.ref[:], DeviceID: device.ID[:], Entry: device.Entry[:], Expires: last.expires, Message: last.message,
	})
	if err != nil {
		return fmt.Errorf("storing key package of last resort: %w", err)
	}
	return nil
}

// Check tells how many packages the caller has left.
func (s *Service) Check(ctx context.Context, c duty.Caller, _ *api.Empty) (*api.KeyPackageStatus, error) {
	_, device, err := s.callersDevice(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.status(ctx, device)
}

func (s *Service) status(ctx context.Context, device identity.Device) (*api.KeyPackageStatus, error) {
	now := s.Clock.Millis()
	left, err := s.reads.Count(ctx, db.CountParams{DeviceID: device.ID[:], Entry: device.Entry[:], Now: now})
	if err != nil {
		return nil, fmt.Errorf("counting key packages: %w", err)
	}
	fresh, err := s.reads.FreshLastResort(ctx, db.FreshLastResortParams{DeviceID: device.ID[:], Entry: device.Entry[:], Now: now})
	if err != nil {
		return nil, fmt.Errorf("looking for a key package of last resort: %w", err)
	}
	return &api.KeyPackageStatus{Left: int(left), LastResortUsed: fresh == 0, Time: now}, nil
}
