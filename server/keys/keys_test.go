package keys_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/mls"
	"sconce/room"
	"sconce/server/keys"
)

var network = identity.NewNetworkSecrets().Key().ID()

type world struct {
	*keys.Service
	logs map[identity.UserID]*identity.Log
	now  time.Time
}

func (w *world) Log(_ context.Context, user identity.UserID) (*identity.Log, error) {
	return w.logs[user], nil
}

func start(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{logs: map[identity.UserID]*identity.Log{}, now: time.Unix(1_800_000_000, 0)}
	s, err := keys.New(t.Context(), keys.Config{DB: db, Clock: func() time.Time { return w.now }, Logger: slog.New(slog.DiscardHandler), Logs: w})
	must(t, err)
	w.Service = s
	return w
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, start(t, db)) })
}

// person has one device at first.
type person struct {
	w       *world
	log     *identity.Log
	devices []*identity.DeviceSecrets
}

func (w *world) person(t *testing.T) *person {
	t.Helper()
	d := newDevice(t)
	genesis, err := identity.NewGenesis(network, w.now, identity.NewRecoveryKey(), d)
	must(t, err)
	log, err := identity.Open(network, [][]byte{genesis})
	must(t, err)
	w.logs[log.User()] = log
	return &person{w, log, []*identity.DeviceSecrets{d}}
}

func newDevice(t *testing.T) *identity.DeviceSecrets {
	t.Helper()
	private, public, err := room.Suite.GenerateSignatureKey()
	must(t, err)
	d, err := identity.NewDeviceSecrets("phone", map[uint16]identity.LeafPair{uint16(room.Suite): {Public: public, Secret: private}})
	must(t, err)
	return d
}

func (p *person) add(t *testing.T) {
	t.Helper()
	d := newDevice(t)
	a, err := d.Join(network, p.log.User())
	must(t, err)
	entry, err := p.log.AddDevice(p.devices[0], p.w.now, a)
	must(t, err)
	must(t, p.log.Append(entry))
	p.devices = append(p.devices, d)
}

func (p *person) caller(i int) duty.Caller {
	return duty.Caller{User: api.UserID(p.log.User()), Device: api.DeviceID(p.devices[i].Keys().ID())}
}

type change func(*mls.Signer, *mls.KeyPackageOptions)

func lastResort(_ *mls.Signer, o *mls.KeyPackageOptions) { o.LastResort = true }

func (p *person) keyPackage(t *testing.T, i int, changes ...change) []byte {
	t.Helper()
	device, _ := p.log.Device(p.devices[i].Keys().ID())
	leaf, _ := p.devices[i].Leaf(uint16(room.Suite))
	signer := mls.Signer{Credential: room.Credential(p.log.Credential(device)), Public: leaf.Public, Private: leaf.Secret}
	now := uint64(p.w.now.Unix())
	options := mls.KeyPackageOptions{Lifetime: mls.Lifetime{NotBefore: now - 3600, NotAfter: now + uint64(room.KeyPackageLifetime.Seconds())}}
	for _, change := range changes {
		change(&signer, &options)
	}
	kp, _, err := mls.NewKeyPackage(room.Suite, signer, options)
	must(t, err)
	return kp.Bytes()
}

func (p *person) publish(t *testing.T, i, n int, last bool) *api.KeyPackageStatus {
	t.Helper()
	req := &api.PublishKeyPackagesRequest{}
	for range n {
		req.KeyPackages = append(req.KeyPackages, p.keyPackage(t, i))
	}
	if last {
		req.LastResort = p.keyPackage(t, i, lastResort)
	}
	status, err := p.w.Publish(t.Context(), p.caller(i), req)
	must(t, err)
	return status
}

func (p *person) claim(t *testing.T, from *person, devices ...api.DeviceID) ([]api.ClaimedKeyPackage, error) {
	t.Helper()
	resp, err := p.w.Claim(t.Context(), p.caller(0), &api.ClaimKeyPackagesRequest{Users: []api.UserID{api.UserID(from.log.User())}, Devices: devices})
	if err != nil {
		return nil, err
	}
	return resp.KeyPackages, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want api.Code) {
	t.Helper()
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != want {
		t.Errorf("got %v, want code %s", err, want)
	}
}

func TestClaimTakesOneOfEveryActiveDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		bob.add(t)
		bob.publish(t, 0, 2, false)
		bob.publish(t, 1, 2, false)
		got, err := ada.claim(t, bob)
		must(t, err)
		if len(got) != 2 || got[0].Device == got[1].Device || got[0].User != api.UserID(bob.log.User()) {
			t.Fatalf("got %d packages, want one for each of two devices", len(got))
		}
		for i := range 2 {
			status, err := w.Check(t.Context(), bob.caller(i), &api.Empty{})
			must(t, err)
			if status.Left != 1 || !status.LastResortUsed {
				t.Errorf("device %d has status %+v, want one left and no last resort", i, status)
			}
		}
		only, err := ada.claim(t, bob, bob.caller(1).Device)
		must(t, err)
		if len(only) != 1 || only[0].Device != bob.caller(1).Device {
			t.Errorf("got %d packages, want that of the one device asked for", len(only))
		}
		own, err := bob.w.Claim(t.Context(), bob.caller(1), &api.ClaimKeyPackagesRequest{Users: []api.UserID{bob.caller(0).User}})
		must(t, err)
		if len(own.KeyPackages) != 1 || own.KeyPackages[0].Device != bob.caller(0).Device {
			t.Errorf("of one's own devices, got %d packages, want that of the other device", len(own.KeyPackages))
		}
	})
}

func TestClaimThatFailsForOneDeviceTakesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		bob.add(t)
		bob.publish(t, 0, 1, false)
		_, err := ada.claim(t, bob)
		wantCode(t, err, api.NotFound)
		status, err := w.Check(t.Context(), bob.caller(0), &api.Empty{})
		must(t, err)
		if status.Left != 1 {
			t.Errorf("%d packages left, want 1", status.Left)
		}
	})
}

func TestLastResortStandsInAndIsMarkedUsed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		if status := bob.publish(t, 0, 1, true); status.Left != 1 || status.LastResortUsed {
			t.Fatalf("after publishing: %+v", status)
		}
		var got [3]string
		for i := range got {
			claimed, err := ada.claim(t, bob)
			must(t, err)
			got[i] = string(claimed[0].KeyPackage)
		}
		if got[0] == got[1] || got[1] != got[2] {
			t.Error("want the single-use package first, then the last resort again and again")
		}
		status, err := w.Check(t.Context(), bob.caller(0), &api.Empty{})
		must(t, err)
		if status.Left != 0 || !status.LastResortUsed {
			t.Errorf("got %+v", status)
		}
		if status := bob.publish(t, 0, 0, true); status.LastResortUsed {
			t.Error("a new last resort counts as used")
		}
		claimed, err := ada.claim(t, bob)
		must(t, err)
		if string(claimed[0].KeyPackage) == got[2] {
			t.Error("the old last resort is still handed out")
		}
	})
}

func TestConcurrentClaimersNeverGetTheSamePackage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bob := w.person(t)
		const claimers, claims = 4, 5
		bob.publish(t, 0, claimers*claims, false)
		var people [claimers]*person
		for i := range people {
			people[i] = w.person(t)
		}
		var mu sync.Mutex
		seen := map[string]bool{}
		var race sync.WaitGroup
		for _, ada := range people {
			race.Go(func() {
				for range claims {
					got, err := ada.claim(t, bob)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[string(got[0].KeyPackage)] {
						t.Error("a package was claimed twice")
					}
					seen[string(got[0].KeyPackage)] = true
					mu.Unlock()
				}
			})
		}
		race.Wait()
	})
}

func TestClaimedPackageCannotBePublishedAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		req := &api.PublishKeyPackagesRequest{KeyPackages: [][]byte{bob.keyPackage(t, 0), bob.keyPackage(t, 0)}}
		for range 2 { // the second is a repeat
			status, err := w.Publish(t.Context(), bob.caller(0), req)
			must(t, err)
			if status.Left != 2 {
				t.Fatalf("%d packages, want 2", status.Left)
			}
		}
		_, err := ada.claim(t, bob)
		must(t, err)
		status, err := w.Publish(t.Context(), bob.caller(0), req)
		must(t, err)
		if status.Left != 1 {
			t.Errorf("%d packages after publishing a claimed one again, want 1", status.Left)
		}
	})
}

func TestPackagesThatWouldNotWorkAreRefused(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada, bob := w.person(t), w.person(t)
	ada.add(t)
	day := uint64(24 * 3600)
	for name, message := range map[string][]byte{
		"garbage":        []byte("garbage"),
		"empty":          {},
		"too large":      make([]byte, 64<<10),
		"other person's": bob.keyPackage(t, 0),
		"other device's": ada.keyPackage(t, 1),
		"expired":        ada.keyPackage(t, 0, func(_ *mls.Signer, o *mls.KeyPackageOptions) { o.Lifetime.NotAfter = o.Lifetime.NotBefore + 60 }),
		"lives too long": ada.keyPackage(t, 0, func(_ *mls.Signer, o *mls.KeyPackageOptions) { o.Lifetime.NotAfter += 30 * day }),
		"other credential type": ada.keyPackage(t, 0, func(s *mls.Signer, _ *mls.KeyPackageOptions) {
			s.Credential = mls.Credential{Type: mls.CredentialBasic, Identity: []byte("ada")}
		}),
		"key not in the log": ada.keyPackage(t, 0, func(s *mls.Signer, _ *mls.KeyPackageOptions) {
			s.Private, s.Public, _ = room.Suite.GenerateSignatureKey()
		}),
		"client that cannot leave": ada.keyPackage(t, 0, func(_ *mls.Signer, o *mls.KeyPackageOptions) {
			o.Capabilities = mls.DefaultCapabilities()
			o.Capabilities.Proposals = []mls.ProposalType{mls.ProposalAppDataUpdate}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Publish(t.Context(), ada.caller(0), &api.PublishKeyPackagesRequest{KeyPackages: [][]byte{message}})
			wantCode(t, err, api.Invalid)
		})
	}
	broken := ada.keyPackage(t, 0, lastResort)
	broken[len(broken)-1] ^= 1
	_, err := w.Publish(t.Context(), ada.caller(0), &api.PublishKeyPackagesRequest{LastResort: broken})
	wantCode(t, err, api.Invalid)
	_, err = w.Publish(t.Context(), ada.caller(0), &api.PublishKeyPackagesRequest{LastResort: ada.keyPackage(t, 0)})
	wantCode(t, err, api.Invalid)
	_, err = w.Publish(t.Context(), ada.caller(0), &api.PublishKeyPackagesRequest{KeyPackages: [][]byte{ada.keyPackage(t, 0, lastResort)}})
	wantCode(t, err, api.Invalid)
	_, err = w.Publish(t.Context(), duty.Caller{User: ada.caller(0).User, Device: api.DeviceID{1}}, &api.PublishKeyPackagesRequest{})
	wantCode(t, err, api.Forbidden)
}

func TestStockIsBounded(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada := w.person(t)
	ada.publish(t, 0, 60, false)
	req := &api.PublishKeyPackagesRequest{}
	for range 41 {
		req.KeyPackages = append(req.KeyPackages, ada.keyPackage(t, 0))
	}
	_, err := w.Publish(t.Context(), ada.caller(0), req)
	wantCode(t, err, api.TooLarge)
	status, err := w.Check(t.Context(), ada.caller(0), &api.Empty{})
	must(t, err)
	if status.Left != 60 {
		t.Errorf("%d packages after a refused publish, want 60", status.Left)
	}
	_, err = w.Publish(t.Context(), ada.caller(0), &api.PublishKeyPackagesRequest{KeyPackages: make([][]byte, 101)})
	wantCode(t, err, api.TooLarge)
}

func TestRotatedExpiredAndRemovedPackagesAreNotHandedOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		bob.publish(t, 0, 1, true)
		fresh := newDevice(t)
		entry, err := bob.log.Rotate(bob.devices[0], w.now, fresh)
		must(t, err)
		must(t, bob.log.Append(entry))
		_, err = ada.claim(t, bob)
		wantCode(t, err, api.NotFound)

		cyd := w.person(t)
		cyd.publish(t, 0, 1, true)
		w.now = w.now.Add(room.KeyPackageLifetime + time.Second)
		_, err = ada.claim(t, cyd)
		wantCode(t, err, api.NotFound)
		must(t, w.Sweep(t.Context()))

		cyd.publish(t, 0, 1, true)
		must(t, w.DropDevice(t.Context(), cyd.log.User(), cyd.devices[0].Keys().ID()))
		_, err = ada.claim(t, cyd)
		wantCode(t, err, api.NotFound)
	})
}

func TestClaimsAreLimitedForClaimerAndTarget(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada, bob := w.person(t), w.person(t)
	bob.publish(t, 0, 0, true)
	var err error
	for range 61 {
		_, err = ada.claim(t, bob)
	}
	wantCode(t, err, api.RateLimited)
	for range 20 { // others together are limited too
		other := w.person(t)
		for range 60 {
			if _, err = other.claim(t, bob); err != nil {
				break
			}
		}
	}
	wantCode(t, err, api.RateLimited)
	_, err = w.Claim(t.Context(), ada.caller(0), &api.ClaimKeyPackagesRequest{Users: make([]api.UserID, api.MaxBatch+1)})
	wantCode(t, err, api.TooLarge)
	_, err = w.Claim(t.Context(), ada.caller(0), &api.ClaimKeyPackagesRequest{})
	wantCode(t, err, api.Invalid)
	_, err = w.Claim(t.Context(), ada.caller(0), &api.ClaimKeyPackagesRequest{Users: []api.UserID{{1}}})
	wantCode(t, err, api.NotFound)
}
