package account_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/room"
	"sconce/server/account"
)

type world struct {
	*account.Service
	logs *logs
	now  time.Time
}

// logs stands in for the device duty.
type logs struct {
	mu    sync.Mutex
	begun map[identity.UserID]identity.Pin
	fail  error
}

func (l *logs) Begin(_ context.Context, _ *sql.Tx, log *identity.Log) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.begun[log.User()] = log.Pin()
	return nil
}

func (l *logs) Pins(_ context.Context, users []identity.UserID) (map[identity.UserID]identity.Pin, error) {
	return l.begun, nil
}

func start(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{logs: &logs{begun: map[identity.UserID]identity.Pin{}}, now: time.UnixMilli(1_800_000_000_000)}
	s, err := account.New(t.Context(), db, func() time.Time { return w.now }, w.logs)
	must(t, err)
	w.Service = s
	return w
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, start(t, db)) })
}

var local = duty.Caller{Remote: netip.MustParseAddr("127.0.0.1")}

func (w *world) genesis(t *testing.T) []byte {
	t.Helper()
	d, err := identity.NewDeviceSecrets("phone", nil)
	must(t, err)
	entry, err := identity.NewGenesis(w.Network(), w.now, identity.NewRecoveryKey(), d)
	must(t, err)
	return entry
}

func (w *world) invite(t *testing.T, name string) []byte {
	t.Helper()
	token, err := w.Invite(t.Context(), name)
	must(t, err)
	return []byte(token.Reveal())
}

func (w *world) join(t *testing.T, invite []byte, name string, genesis []byte) (*api.JoinResponse, error) {
	t.Helper()
	return w.Join(t.Context(), local, &api.JoinRequest{Invite: invite, Name: name, Genesis: genesis})
}

func (w *world) joined(t *testing.T, name string) api.UserID {
	t.Helper()
	resp, err := w.join(t, w.invite(t, ""), name, w.genesis(t))
	must(t, err)
	return resp.User
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

func TestNetworkIsMadeOnceAndStays(t *testing.T) {
	sqldbtest.EachReopen(t, func(t *testing.T, open func(...sqldb.Option) *sqldb.DB) {
		db := open()
		w := start(t, db)
		first, err := w.Hello(t.Context(), local, &api.Empty{})
		must(t, err)
		key, err := w.Key("test")
		must(t, err)
		must(t, db.Close())
		w = start(t, open())
		again, err := w.Hello(t.Context(), local, &api.Empty{})
		must(t, err)
		keyAgain, err := w.Key("test")
		must(t, err)
		if again.Network != first.Network || string(again.Sender) != string(first.Sender) || string(key) != string(keyAgain) {
			t.Error("the network has other keys after a restart")
		}
		other, err := w.Key("another purpose")
		must(t, err)
		if string(other) == string(key) {
			t.Error("two purposes have one key")
		}
	})
}

func TestHelloProvesNetworkAndSender(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	hello, err := w.Hello(t.Context(), local, &api.Empty{})
	must(t, err)
	key, err := identity.ParseNetworkKey(hello.NetworkKey)
	must(t, err)
	if key.ID() != identity.NetworkID(hello.Network) {
		t.Error("the network's id is not its key's")
	}
	must(t, key.Verify(room.SenderLabel, hello.Sender, hello.SenderProof))
}

func TestInviteAdmitsOnePerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite, genesis := w.invite(t, "Ada"), w.genesis(t)
		first, err := w.join(t, invite, "", genesis)
		must(t, err)
		if first.Name != "Ada" {
			t.Errorf("joined as %q, want the invite's name", first.Name)
		}
		again, err := w.join(t, invite, "", genesis)
		must(t, err)
		if *again != *first {
			t.Errorf("a repeat got %v, want %v", again, first)
		}
		_, err = w.join(t, invite, "Eve", w.genesis(t))
		wantCode(t, err, api.Forbidden)
		_, err = w.join(t, []byte(identity.NewToken().Reveal()), "Eve", w.genesis(t))
		wantCode(t, err, api.Forbidden)
		_, err = w.join(t, w.invite(t, ""), "Eve", []byte("no entry"))
		wantCode(t, err, api.Invalid)
		_, err = w.join(t, w.invite(t, ""), "", w.genesis(t))
		wantCode(t, err, api.Invalid)
	})
}

func TestInviteExpires(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite := w.invite(t, "")
		w.now = w.now.Add(account.InviteLifetime)
		_, err := w.join(t, invite, "Ada", w.genesis(t))
		wantCode(t, err, api.Forbidden)
	})
}

func TestOfConcurrentJoinsWithOneInviteOneWins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite := w.invite(t, "")
		var race sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			genesis := w.genesis(t)
			race.Go(func() { _, errs[i] = w.join(t, invite, fmt.Sprint("Ada ", i), genesis) })
		}
		race.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			}
		}
		if won != 1 || len(w.logs.begun) != 1 {
			t.Errorf("%d joined with one invite, with %d logs: %v", won, len(w.logs.begun), errs)
		}
	})
}

func TestFailedJoinLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite, genesis := w.invite(t, ""), w.genesis(t)
		w.logs.fail = errors.New("broken")
		if _, err := w.join(t, invite, "Ada", genesis); err == nil {
			t.Fatal("joined without a log")
		}
		w.logs.fail = nil
		_, err := w.join(t, invite, "Ada", genesis)
		must(t, err)
	})
}

func TestNamesAreUniqueInAnyCase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.joined(t, "Ada  Lovelace"), w.joined(t, "Bob")
		_, err := w.join(t, w.invite(t, ""), " ada LOVELACE ", w.genesis(t))
		wantCode(t, err, api.Conflict)
		_, err = w.Rename(t.Context(), duty.Caller{User: bob}, &api.RenameRequest{Name: "ADA Lovelace"})
		wantCode(t, err, api.Conflict)
		_, err = w.Invite(t.Context(), "ada lovelace")
		wantCode(t, err, api.Conflict)
		_, err = w.Rename(t.Context(), duty.Caller{User: ada}, &api.RenameRequest{Name: "ADA Lovelace"})
		must(t, err)
		name, ok, err := w.Name(t.Context(), identity.UserID(ada))
		if name != "ADA Lovelace" || !ok || err != nil {
			t.Errorf("is called %q, %v, %v", name, ok, err)
		}
		_, err = w.Rename(t.Context(), duty.Caller{User: api.UserID{1}}, &api.RenameRequest{Name: "Nobody"})
		wantCode(t, err, api.NotFound)
	})
}

func TestNamesThatCouldDeceiveAreRefused(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	for name, want := range map[string]api.Code{
		"": api.Invalid, " \t": api.Invalid, "a\x00b": api.Invalid, "a\u202eb": api.Invalid, "a\u200bb": api.Invalid, "\xff": api.Invalid,
		strings.Repeat("x", api.MaxName+1): api.TooLarge,
	} {
		_, err := w.Rename(t.Context(), duty.Caller{}, &api.RenameRequest{Name: name})
		wantCode(t, err, want)
	}
}

func TestDirectoryIsPagedInOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.now = w.now.Add(time.Second)
		want := []string{"Ada", "ada 2", "BOB", "Zoë", "ÅSE"}
		users := map[string]api.UserID{}
		for _, i := range []int{3, 0, 4, 2, 1} {
			users[want[i]] = w.joined(t, want[i])
		}
		var got []string
		req := &api.PeopleRequest{Limit: 2}
		for {
			resp, err := w.People(t.Context(), local, req)
			must(t, err)
			for _, p := range resp.People {
				got = append(got, p.Name)
				if p.LogLength != 1 || p.LogHead == (api.Hash{}) {
					t.Errorf("%s has a log of length %d", p.Name, p.LogLength)
				}
			}
			if req.After = resp.Next; req.After == "" {
				break
			}
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("got %q, want %q", got, want)
		}
		for query, n := range map[string]int{"ad": 2, "AD": 2, "ë": 1, "åse": 1, "%": 0, "_": 0, `\`: 0, "'": 0, "a 2": 1} {
			resp, err := w.People(t.Context(), local, &api.PeopleRequest{Query: query})
			must(t, err)
			if len(resp.People) != n {
				t.Errorf("query %q found %d people, want %d", query, len(resp.People), n)
			}
		}
		resp, err := w.People(t.Context(), local, &api.PeopleRequest{Users: []api.UserID{users["BOB"], {1}, users["Ada"]}})
		must(t, err)
		if len(resp.People) != 2 || resp.People[0].Name != "Ada" {
			t.Errorf("got %v, want the two there are", resp.People)
		}
	})
}

func TestDirectoryRefusesAbuse(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, req := range []*api.PeopleRequest{
			{Limit: -1}, {Limit: api.MaxBatch + 1}, {After: "not hex"}, {Query: "a\x00"}, {Query: "\xff"},
			{Query: strings.Repeat("x", 1000)}, {Users: make([]api.UserID, api.MaxBatch+1)},
		} {
			_, err := w.People(t.Context(), local, req)
			if _, ok := errors.AsType[*api.Error](err); !ok {
				t.Errorf("%+v: got %v, want an error for the caller", req, err)
			}
		}
	})
}

func TestStrangersAreLimited(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	stranger := duty.Caller{Remote: netip.MustParseAddr("192.0.2.1")}
	var err error
	for range 121 {
		_, err = w.Join(t.Context(), stranger, &api.JoinRequest{})
	}
	wantCode(t, err, api.RateLimited)
}

func TestLookupsAreLimited(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	people := func(device byte) error {
		_, err := w.People(t.Context(), duty.Caller{User: api.UserID{1}, Device: api.DeviceID{device}}, &api.PeopleRequest{Limit: -1})
		return err
	}
	for range 6000 {
		if e := people(1).(*api.Error); e.Code != api.Invalid {
			t.Fatalf("within the limit: %v", e)
		}
	}
	wantCode(t, people(1), api.RateLimited)
	wantCode(t, people(2), api.Invalid)
	w.now = w.now.Add(time.Second)
	wantCode(t, people(1), api.Invalid)
}

func TestAnyAcceptedNameCanBeFound(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	user := w.joined(t, "first")
	rapid.Check(t, func(rt *rapid.T) {
		w.now = w.now.Add(time.Hour) // renaming is limited
		name := rapid.String().Draw(rt, "name")
		if _, err := w.Rename(t.Context(), duty.Caller{User: user}, &api.RenameRequest{Name: name}); err != nil {
			if _, ok := errors.AsType[*api.Error](err); !ok {
				rt.Fatal(err)
			}
			return
		}
		shown, _, err := w.Name(t.Context(), identity.UserID(user))
		if err != nil {
			rt.Fatal(err)
		}
		resp, err := w.People(t.Context(), local, &api.PeopleRequest{Query: shown})
		if err != nil || len(resp.People) != 1 {
			rt.Fatalf("%q is not found by its name: %v, %v", shown, resp, err)
		}
	})
}
