package device_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/server/device"
)

var network = identity.NewNetworkSecrets().Key().ID()

type world struct {
	*device.Service
	db  *sqldb.DB
	now time.Time
}

type names struct{}

func (names) Name(context.Context, identity.UserID) (string, bool, error) { return "Ada", true, nil }

func each(t *testing.T, test func(t *testing.T, w *world)) {
	sqldbtest.EachReopen(t, func(t *testing.T, open func(...sqldb.Option) *sqldb.DB) { test(t, start(t, open())) })
}

func start(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{db: db, now: time.UnixMilli(1_800_000_000_000)}
	s, err := device.New(t.Context(), device.Config{DB: db, Clock: func() time.Time { return w.now }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Bind(network, bytes.Repeat([]byte{7}, 32), names{})
	w.Service = s
	return w
}

// person is someone as their own client knows them.
type person struct {
	log      *identity.Log
	recovery *identity.RecoveryKey
	first    *identity.DeviceSecrets
}

func (w *world) person(t *testing.T) *person {
	t.Helper()
	p := &person{recovery: identity.NewRecoveryKey(), first: newDevice(t)}
	genesis, err := identity.NewGenesis(network, w.now, p.recovery, p.first)
	must(t, err)
	p.log, err = identity.Open(network, [][]byte{genesis})
	must(t, err)
	must(t, w.begin(t, p.log))
	return p
}

func (w *world) begin(t *testing.T, log *identity.Log) error {
	t.Helper()
	return w.db.Tx(t.Context(), func(tx *sql.Tx) error { return w.Begin(t.Context(), tx, log) })
}

func newDevice(t *testing.T) *identity.DeviceSecrets {
	t.Helper()
	leaf := make([]byte, 65)
	_, _ = rand.Read(leaf)
	d, err := identity.NewDeviceSecrets("phone", map[uint16]identity.LeafPair{0xFA04: {Public: leaf, Secret: []byte{1}}})
	must(t, err)
	return d
}

// add makes and publishes the entry that admits a device, and follows it.
func (w *world) add(t *testing.T, p *person, d *identity.DeviceSecrets) {
	t.Helper()
	w.publish(t, p, p.addEntry(t, w.now, d))
}

func (p *person) addEntry(t *testing.T, now time.Time, d *identity.DeviceSecrets) []byte {
	t.Helper()
	admission, err := d.Join(network, p.log.User())
	must(t, err)
	entry, err := p.log.AddDevice(p.first, now, admission)
	must(t, err)
	return entry
}

func (w *world) publish(t *testing.T, p *person, entry []byte) {
	t.Helper()
	resp, err := w.append(t, p, entry)
	must(t, err)
	must(t, p.log.Append(entry))
	if int(resp.LogLength) != p.log.Length() || resp.LogHead != api.Hash(p.log.Head()) {
		t.Fatalf("the server's log is at %d, the person's at %d", resp.LogLength, p.log.Length())
	}
}

func (w *world) append(t *testing.T, p *person, entry []byte) (*api.AppendLogResponse, error) {
	t.Helper()
	return w.AppendLog(t.Context(), local, &api.AppendLogRequest{User: api.UserID(p.log.User()), Entry: entry})
}

var local = duty.Caller{Remote: netip.MustParseAddr("127.0.0.1")}

func (w *world) login(t *testing.T, user identity.UserID, d *identity.DeviceSecrets) ([]byte, error) {
	t.Helper()
	req := api.LoginRequest{User: api.UserID(user), Device: api.DeviceID(d.Keys().ID())}
	challenge, err := w.Challenge(t.Context(), local, &api.ChallengeRequest{User: req.User, Device: req.Device})
	must(t, err)
	req.Challenge = challenge.Challenge
	req.Signature, err = identity.SignLogin(d, network, challenge.Challenge)
	must(t, err)
	resp, err := w.Login(t.Context(), local, &req)
	if err != nil {
		return nil, err
	}
	return resp.Token, nil
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

func TestLogGoesOnAfterARestart(t *testing.T) {
	sqldbtest.EachReopen(t, func(t *testing.T, open func(...sqldb.Option) *sqldb.DB) {
		db := open()
		w := start(t, db)
		p := w.person(t)
		w.add(t, p, newDevice(t))
		must(t, db.Close())
		w = start(t, open())
		w.add(t, p, newDevice(t))
		log, err := w.Log(t.Context(), p.log.User())
		must(t, err)
		if log.Pin() != p.log.Pin() {
			t.Errorf("the server's log is at %v, want %v", log.Pin(), p.log.Pin())
		}
	})
}

func TestOfConcurrentEntriesExactlyOneWins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		const racers = 8
		var entries [racers][]byte
		for i := range entries {
			entries[i] = p.addEntry(t, w.now, newDevice(t))
		}
		var errs [racers]error
		var race sync.WaitGroup
		for i := range racers {
			race.Go(func() { _, errs[i] = w.append(t, p, entries[i]) })
		}
		race.Wait()
		won := 0
		for i, err := range errs {
			if err != nil {
				wantCode(t, err, api.Conflict)
				continue
			}
			won++
			must(t, p.log.Append(entries[i]))
		}
		if won != 1 {
			t.Fatalf("%d entries won, want 1", won)
		}
		w.add(t, p, newDevice(t))
	})
}

func TestRepeatedEntryGetsTheFirstAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		entry := p.addEntry(t, w.now, newDevice(t))
		first, err := w.append(t, p, entry)
		must(t, err)
		must(t, p.log.Append(entry))
		w.add(t, p, newDevice(t))
		again, err := w.append(t, p, entry)
		must(t, err)
		if *again != *first {
			t.Errorf("got %v, want %v", again, first)
		}
	})
}

func TestEntriesThatAreNotNextAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		fork := p.addEntry(t, w.now, newDevice(t))
		w.add(t, p, newDevice(t))
		_, err := w.append(t, p, fork)
		wantCode(t, err, api.Conflict)

		ahead := &person{recovery: p.recovery, first: p.first}
		ahead.log, err = identity.Open(network, [][]byte{p.log.Entry(0).Marshal(), p.log.Entry(1).Marshal()})
		must(t, err)
		must(t, ahead.log.Append(ahead.addEntry(t, w.now, newDevice(t))))
		_, err = w.append(t, p, ahead.addEntry(t, w.now, newDevice(t)))
		wantCode(t, err, api.Conflict)

		stranger := w.person(t)
		_, err = w.append(t, p, stranger.addEntry(t, w.now, newDevice(t)))
		if err == nil {
			t.Error("a log took the entry of another")
		}
		broken := p.addEntry(t, w.now, newDevice(t))
		broken[len(broken)-1] ^= 1
		_, err = w.append(t, p, broken)
		wantCode(t, err, api.Invalid)
		_, err = w.append(t, p, make([]byte, identity.MaxEntrySize+1))
		wantCode(t, err, api.TooLarge)
		unknown := &person{log: stranger.log}
		_, err = w.AppendLog(t.Context(), local, &api.AppendLogRequest{User: api.UserID{1}, Entry: unknown.log.Entry(0).Marshal()})
		wantCode(t, err, api.NotFound)
	})
}

func TestDeviceIsOnePersons(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		shared := newDevice(t)
		w.add(t, ada, shared)
		_, err := w.append(t, bob, bob.addEntry(t, w.now, shared))
		wantCode(t, err, api.Conflict)

		recovery := identity.NewRecoveryKey()
		genesis, err := identity.NewGenesis(network, w.now, recovery, shared)
		must(t, err)
		log, err := identity.Open(network, [][]byte{genesis})
		must(t, err)
		wantCode(t, w.begin(t, log), api.Conflict)
	})
}

func TestLogsAreReadInTheOrderAskedForAndCut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		w.add(t, ada, newDevice(t))
		resp, err := w.Logs(t.Context(), local, &api.LogsRequest{Logs: []api.LogQuery{
			{User: api.UserID(bob.log.User())}, {User: api.UserID{9}}, {User: api.UserID(ada.log.User()), From: 1}, {User: api.UserID(ada.log.User()), From: 7},
		}})
		must(t, err)
		got := []int{len(resp.Logs[0].Entries), len(resp.Logs[1].Entries), len(resp.Logs[2].Entries), len(resp.Logs[3].Entries)}
		if want := []int{1, 0, 1, 0}; !equal(got, want) {
			t.Errorf("got %v entries, want %v", got, want)
		}
		if resp.Logs[1].Length != 0 || resp.Logs[2].Length != 2 {
			t.Errorf("lengths are %d and %d, want 0 and 2", resp.Logs[1].Length, resp.Logs[2].Length)
		}
		_, err = w.Logs(t.Context(), local, &api.LogsRequest{Logs: make([]api.LogQuery, api.MaxBatch+1)})
		wantCode(t, err, api.TooLarge)

		many := make([]api.LogQuery, api.MaxBatch)
		for i := range many {
			many[i].User = api.UserID(ada.log.User())
		}
		resp, err = w.Logs(t.Context(), local, &api.LogsRequest{Logs: many})
		must(t, err)
		b, err := api.Marshal(resp)
		must(t, err)
		if len(b) > api.MaxBody {
			t.Errorf("the answer has %d bytes", len(b))
		}
	})
}

func equal(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestLoginGivesATokenForTheDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		token, err := w.login(t, p.log.User(), p.first)
		must(t, err)
		for range 2 { // the second is from the cache
			c, err := w.Authenticate(t.Context(), token)
			must(t, err)
			if c.User != api.UserID(p.log.User()) || c.Device != api.DeviceID(p.first.Keys().ID()) {
				t.Errorf("the token is for %x", c.Device)
			}
		}
		w.now = w.now.Add(24*time.Hour + time.Millisecond)
		_, err = w.Authenticate(t.Context(), token)
		wantCode(t, err, api.Unauthenticated)
		must(t, w.Sweep(t.Context()))
		_, err = w.Authenticate(t.Context(), []byte("short"))
		wantCode(t, err, api.Unauthenticated)
	})
}

func TestChallengeIsForOneDeviceOnceAndAMinute(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, other := w.person(t), w.person(t)
		req := api.LoginRequest{User: api.UserID(p.log.User()), Device: api.DeviceID(p.first.Keys().ID())}
		fresh := func(user api.UserID, device api.DeviceID) {
			t.Helper()
			resp, err := w.Challenge(t.Context(), local, &api.ChallengeRequest{User: user, Device: device})
			must(t, err)
			req.Challenge = resp.Challenge
			req.Signature, err = identity.SignLogin(p.first, network, req.Challenge)
			must(t, err)
		}
		try := func() error { _, err := w.Login(t.Context(), local, &req); return err }

		fresh(req.User, req.Device)
		must(t, try())
		wantCode(t, try(), api.Unauthenticated) // used

		fresh(api.UserID(other.log.User()), api.DeviceID(other.first.Keys().ID()))
		wantCode(t, try(), api.Unauthenticated) // another's

		fresh(req.User, req.Device)
		w.now = w.now.Add(time.Minute + time.Millisecond)
		wantCode(t, try(), api.Unauthenticated) // late

		fresh(req.User, req.Device)
		req.Signature[8] ^= 1
		wantCode(t, try(), api.Unauthenticated) // not signed

		fresh(req.User, req.Device)
		req.Challenge[0] ^= 1
		wantCode(t, try(), api.Unauthenticated) // not ours
		req.Challenge = nil
		wantCode(t, try(), api.Unauthenticated)
	})
}

func TestRemovedDeviceLosesItsLoginAndOthersAreTold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		second := newDevice(t)
		w.add(t, p, second)
		token, err := w.login(t, p.log.User(), second)
		must(t, err)
		_, err = w.Authenticate(t.Context(), token) // into the cache
		must(t, err)

		told := make(chan identity.DeviceID, 10)
		fail := true
		w.OnRemoved(func(_ context.Context, _ identity.UserID, d identity.DeviceID) error {
			told <- d
			if fail {
				fail = false
				return errors.New("not now")
			}
			return nil
		})
		entry, err := p.log.RemoveDevice(p.first, w.now, second.Keys().ID())
		must(t, err)
		w.publish(t, p, entry)

		_, err = w.Authenticate(t.Context(), token)
		wantCode(t, err, api.Unauthenticated)
		_, err = w.login(t, p.log.User(), second)
		wantCode(t, err, api.Forbidden)

		// A first failure is tried again by whoever runs next, as after a crash.
		for range 2 {
			ctx, stop := context.WithCancel(t.Context())
			var run sync.WaitGroup
			run.Go(func() { w.Run(ctx) })
			if got := <-told; got != second.Keys().ID() {
				t.Errorf("told of %v", got)
			}
			stop()
			run.Wait()
		}
	})
}

func TestRecoveryBringsBackADeviceWithoutARemoval(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		thief := newDevice(t)
		w.add(t, p, thief)
		keep := p.log.Length()
		entry, err := p.log.RemoveDevice(thief, w.now, p.first.Keys().ID())
		must(t, err)
		w.publish(t, p, entry)
		_, err = w.login(t, p.log.User(), p.first)
		wantCode(t, err, api.Forbidden)

		entry, err = p.log.Recover(p.recovery, w.now, identity.Recovery{Keep: keep, Remove: []identity.DeviceID{thief.Keys().ID()}})
		must(t, err)
		w.publish(t, p, entry)
		_, err = w.login(t, p.log.User(), p.first)
		must(t, err)

		var told []identity.DeviceID
		done := make(chan struct{})
		w.OnRemoved(func(_ context.Context, _ identity.UserID, d identity.DeviceID) error {
			told = append(told, d)
			close(done)
			return nil
		})
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { w.Run(ctx) })
		<-done
		stop()
		run.Wait()
		if len(told) != 1 || told[0] != thief.Keys().ID() {
			t.Errorf("told of %v, want the thief's device alone", told)
		}
	})
}

func TestThiefCannotFillALogAgainstItsRecoveryKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		w.LimitLogs(len(p.log.Entry(0).Marshal()) + 1)
		_, err := w.append(t, p, p.addEntry(t, w.now, newDevice(t)))
		wantCode(t, err, api.TooLarge)
		entry, err := p.log.Recover(p.recovery, w.now, identity.Recovery{Keep: 1, Remove: []identity.DeviceID{p.first.Keys().ID()}})
		must(t, err)
		w.publish(t, p, entry)
	})
}

func TestDeviceKeepsAFewTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		first, err := w.login(t, p.log.User(), p.first)
		must(t, err)
		for range 8 {
			w.now = w.now.Add(time.Second)
			_, err := w.login(t, p.log.User(), p.first)
			must(t, err)
		}
		_, err = w.Authenticate(t.Context(), first)
		wantCode(t, err, api.Unauthenticated)
	})
}

func TestRecoveryKeyFindsItsLog(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		w.person(t)
		find := func(key api.Hash) (*api.RecoveryLogResponse, error) {
			return w.RecoveryLog(t.Context(), local, &api.RecoveryLogRequest{Key: key})
		}
		old := api.Hash(p.recovery.ID())
		resp, err := find(old)
		must(t, err)
		if resp.User != api.UserID(p.log.User()) || len(resp.Entries) != 1 || resp.Name != "Ada" {
			t.Errorf("got %v", resp)
		}
		fresh := identity.NewRecoveryKey()
		entry, err := p.log.SetRecovery(p.first, w.now, p.recovery, fresh)
		must(t, err)
		w.publish(t, p, entry)
		_, err = find(old)
		wantCode(t, err, api.NotFound)
		_, err = find(api.Hash(fresh.ID()))
		must(t, err)
	})
}

func TestLinkIsALetterBoxForTenMinutes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.person(t)
		d := newDevice(t)
		user := api.UserID(p.log.User())
		offer := func(d *identity.DeviceSecrets) *api.OfferLinkRequest {
			admission, err := d.Join(network, p.log.User())
			must(t, err)
			return &api.OfferLinkRequest{Rendezvous: [8]byte{1}, User: user, Admission: admission.Marshal()}
		}
		read := func() (*api.ReadLinkResponse, error) {
			return w.ReadLink(t.Context(), local, &api.ReadLinkRequest{Rendezvous: [8]byte{1}})
		}
		_, err := read()
		wantCode(t, err, api.NotFound)
		for range 2 { // the second is a repeat
			_, err = w.OfferLink(t.Context(), local, offer(d))
			must(t, err)
		}
		_, err = w.OfferLink(t.Context(), local, offer(newDevice(t)))
		wantCode(t, err, api.Conflict)
		resp, err := read()
		must(t, err)
		admission, err := identity.ParseAdmission(resp.Admission)
		must(t, err)
		if admission.Keys.ID() != d.Keys().ID() || resp.User != user || len(resp.Entries) != 0 {
			t.Errorf("got the offer of %v, %d entries", admission.Keys.ID(), len(resp.Entries))
		}
		w.add(t, p, d)
		resp, err = read()
		must(t, err)
		if len(resp.Entries) != 2 || resp.Name != "Ada" {
			t.Errorf("after the device was admitted: got %d entries of %q", len(resp.Entries), resp.Name)
		}
		w.now = w.now.Add(10 * time.Minute)
		_, err = read()
		wantCode(t, err, api.NotFound)
		_, err = w.OfferLink(t.Context(), local, &api.OfferLinkRequest{Admission: make([]byte, 16<<10+1)})
		wantCode(t, err, api.TooLarge)
		_, err = w.OfferLink(t.Context(), local, &api.OfferLinkRequest{Admission: []byte("no keys")})
		wantCode(t, err, api.Invalid)
		forged := offer(d)
		forged.User[0] ^= 1
		_, err = w.OfferLink(t.Context(), local, forged)
		wantCode(t, err, api.Invalid)
	})
}

func TestLinksOfOneCannotKeepOthersOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		d := newDevice(t)
		offer := func(user identity.UserID, n int) error {
			admission, err := d.Join(network, user)
			must(t, err)
			_, err = w.OfferLink(t.Context(), local,
				&api.OfferLinkRequest{Rendezvous: [8]byte{byte(n), byte(n >> 8)}, User: api.UserID(user), Admission: admission.Marshal()})
			return err
		}
		wantCode(t, offer(identity.UserID{1}, 1000), api.NotFound)
		for i := range 32 {
			must(t, offer(ada.log.User(), i))
		}
		must(t, offer(ada.log.User(), 31)) // a repeat
		wantCode(t, offer(ada.log.User(), 32), api.Unavailable)
		must(t, offer(bob.log.User(), 33))
	})
}

func TestInboxesOfAdmittedDevicesAreKnown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, d := w.person(t), newDevice(t)
		known := func(d *identity.DeviceSecrets) bool {
			ok, err := w.IsInbox(t.Context(), api.Inbox(api.DeviceID(d.Keys().ID())))
			must(t, err)
			return ok
		}
		if !known(p.first) || known(d) {
			t.Error("an inbox is one before its device is admitted, or not after")
		}
		w.add(t, p, d)
		_, err := w.db.Write.ExecContext(t.Context(), "UPDATE device SET inbox = NULL") // as an earlier version left it
		must(t, err)
		again := start(t, w.db)
		w.Service = again.Service
		if !known(p.first) || !known(d) {
			t.Error("an inbox from before inboxes were noted is not known")
		}
	})
}

func TestStrangersAreLimited(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	stranger := duty.Caller{Remote: netip.MustParseAddr("192.0.2.1")}
	calls := map[string]func() error{
		"append":    func() error { _, err := w.AppendLog(t.Context(), stranger, &api.AppendLogRequest{}); return err },
		"challenge": func() error { _, err := w.Challenge(t.Context(), stranger, &api.ChallengeRequest{}); return err },
		"read link": func() error { _, err := w.ReadLink(t.Context(), stranger, &api.ReadLinkRequest{}); return err },
	}
	for name, call := range calls {
		limited := false
		for range 3001 {
			e, ok := errors.AsType[*api.Error](call())
			limited = limited || ok && e.Code == api.RateLimited
		}
		if !limited {
			t.Errorf("%s is not limited", name)
		}
	}
}

func TestLookupsAreLimited(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	many := &api.LogsRequest{Logs: make([]api.LogQuery, api.MaxBatch+1)} // refused for itself, without a look
	logs := func(device byte) error {
		_, err := w.Logs(t.Context(), duty.Caller{User: api.UserID{1}, Device: api.DeviceID{device}}, many)
		return err
	}
	for range 6000 {
		if e := logs(1).(*api.Error); e.Code != api.TooLarge {
			t.Fatalf("within the limit: %v", e)
		}
	}
	wantCode(t, logs(1), api.RateLimited)
	wantCode(t, logs(2), api.TooLarge)
}
