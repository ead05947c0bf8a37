package mls

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What a version has stored the next ones open: testdata/state holds one file
// for each version of the records, with a member's group and what it must be
// able to do with it. They are never changed; -write-state makes one for the
// present version, to be committed when a version of a record goes up:
//
//	go test -run TestWriteState -write-state 3 ./mls
//	go test -run TestWriteState -write-state 3-0xFA04 -state-suite 0xFA04 -state-config sealed ./mls

var (
	writeState  = flag.String("write-state", "", "write the present version's stored state under this name")
	stateSuite  = flag.Uint("state-suite", uint(X25519AES128), "the suite of the state to write")
	stateConfig = flag.String("state-config", "past", "what its device has on")
)

// storedState is everything a device and a server had on their disks, and
// messages that come to the device afterwards, in order.
type storedState struct {
	Config        string // what the device's Config had on: "", "past" for past epochs, or "sealed" for encrypted handshakes too
	Member        map[string]string
	Follower      map[string]string
	Staged        string   // a commit of the member's own, not merged yet
	StagedJoin    string   // another client's external commit
	Secrets       string   // of a key package
	Messages      []string // application data, by others, in the stored epoch
	Past          []string // the same, of the epoch before
	Commit        string   // by another, of what is pending
	Sent          string   // the member's own encrypted proposal, on its way
	Resumption    string   // PSK of the epoch before
	Authenticator string   // of the epoch after it
	Epoch         uint64
	Pending       int
}

func hexRecords(records []Record) map[string]string {
	s := store{}
	s.save(records)
	out := map[string]string{}
	for k, v := range s {
		out[hex.EncodeToString([]byte(k))] = hex.EncodeToString(v)
	}
	return out
}

func (s *storedState) config() Config {
	cfg := Config{Rules: lastWins{}, StrictPending: true}
	return s.keepingPast(cfg)
}

func makeState(t *testing.T, suite CipherSuite, config string) *storedState {
	st := &storedState{Config: config}
	r := newRoom(t, suite, 4, st.config())
	a, b, c := r.clients[0], r.clients[1], r.clients[2]
	check := func(b []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	st.Past = append(st.Past, check(c.Encrypt(nil, []byte("before"))))
	r.commit(b, CommitOptions{})
	join, err := JoinExternal(r.cfg, mustGroupInfo(t, a.Group), nil, newSigner(t, r.suite, "joiner"), ExternalOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	st.StagedJoin = hex.EncodeToString(join.Bytes())
	st.Secrets = hex.EncodeToString(r.newClient().secrets.Bytes())
	for i := range 3 {
		st.Messages = append(st.Messages, check(c.Encrypt([]byte("aad"), fmt.Appendf(nil, "message %d", i))))
	}
	// The second came first; the others are still to come.
	second, _ := hex.DecodeString(st.Messages[1])
	if _, err := a.Process(mustParse(t, second), now); err != nil {
		t.Fatal(err)
	}
	st.Messages = slices.Delete(st.Messages, 1, 2)
	r.propose(a.Propose(&Update{}, nil))
	r.propose(c.Propose(&SelfRemove{}, nil))
	if config == "sealed" {
		a.public.cfg.EncryptHandshakes = true
		st.Sent = check(a.Propose(&Update{}, nil))
	}
	psk, _ := a.ResumptionPSK(a.Context().Epoch - 1)
	st.Resumption = hex.EncodeToString(psk)
	staged, err := a.Commit(CommitOptions{ForcePath: true, Proposals: []Proposal{&Add{r.newClient().kp}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	st.Staged = hex.EncodeToString(staged.Bytes())
	st.Epoch, st.Pending = a.Context().Epoch, len(a.Pending())
	st.Member, st.Follower = hexRecords(a.Drain()), hexRecords(r.server.Drain())
	other, err := b.Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	st.Commit = hex.EncodeToString(other.Message())
	if err := b.Merge(other); err != nil {
		t.Fatal(err)
	}
	st.Authenticator = hex.EncodeToString(b.EpochAuthenticator())
	return st
}

func TestWriteState(t *testing.T) {
	if *writeState == "" {
		return // nothing was asked for
	}
	b, err := json.MarshalIndent(makeState(t, CipherSuite(*stateSuite), *stateConfig), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", "state", *writeState+".json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keepingPast is what only later versions have.
func (s *storedState) keepingPast(cfg Config) Config {
	if s.Config == "past" || s.Config == "sealed" {
		cfg.PastEpochs = 2
	}
	return cfg
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func storeOf(t testing.TB, records map[string]string) store {
	t.Helper()
	s := store{}
	for k, v := range records {
		s[string(fromHex(t, k))] = fromHex(t, v)
	}
	return s
}

// storedStates reads all there are, by name.
func storedStates(t *testing.T) map[string]*storedState {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "state", "*.json"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d stored states: %v", len(files), err)
	}
	out := map[string]*storedState{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		st := &storedState{}
		if err := json.Unmarshal(b, st); err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(file)] = st
	}
	return out
}

func TestStateOfEveryVersionOpens(t *testing.T) {
	for name, st := range storedStates(t) {
		t.Run(name, st.check)
	}
}

// TestEachVersionOfARecordIsAmongTheStoredStates: who lets a version go up stores
// a state of it, for those who come later.
func TestEachVersionOfARecordIsAmongTheStoredStates(t *testing.T) {
	versions := map[string]byte{"g": recordVersion, "n": nodeRecordVersion, "p": recordVersion, "m": memberVersion, "s": secretTreeVersion,
		"x": exporterVersion, "o": pastVersion, "q": secretTreeVersion, "staged": stagedVersion, "staged join": stagedVersion, "secrets": keyPackageSecretsVersion}
	type stored struct {
		kind    string
		version byte
	}
	have := map[stored]bool{}
	for _, st := range storedStates(t) {
		for key, value := range st.Member {
			have[stored{string(fromHex(t, key)[:1]), fromHex(t, value)[0]}] = true
		}
		for kind, value := range map[string]string{"staged": st.Staged, "staged join": st.StagedJoin, "secrets": st.Secrets} {
			have[stored{kind, fromHex(t, value)[0]}] = true
		}
	}
	for kind, latest := range versions {
		for version := range latest {
			if !have[stored{kind, version + 1}] {
				t.Errorf("no stored state has a record %q of version %d", kind, version+1)
			}
		}
	}
}

func (s *storedState) check(t *testing.T) {
	disk := storeOf(t, s.Member)
	g, err := Load(s.config(), disk.records())
	if err != nil {
		t.Fatal(err)
	}
	if g.Context().Epoch != s.Epoch || len(g.Pending()) != s.Pending {
		t.Fatalf("epoch %d with %d pending, want %d with %d", g.Context().Epoch, len(g.Pending()), s.Epoch, s.Pending)
	}
	for _, m := range slices.Concat(s.Messages, s.Past) {
		if _, err := g.Process(mustParse(t, fromHex(t, m)), now); err != nil {
			t.Errorf("a message that was to come: %v", err)
		}
	}
	if _, err := g.ParseStaged(fromHex(t, s.Staged)); err != nil {
		t.Errorf("staged commit: %v", err)
	}
	s.checkOwn(t)
	if _, err := ParseStagedJoin(s.config(), fromHex(t, s.StagedJoin)); err != nil {
		t.Errorf("staged join: %v", err)
	}
	if _, err := ParseKeyPackageSecrets(fromHex(t, s.Secrets)); err != nil {
		t.Errorf("key package secrets: %v", err)
	}
	follower, err := LoadPublicGroup(s.config(), storeOf(t, s.Follower).records())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []interface {
		Process(*Message, time.Time) (Event, error)
		Merge(*StagedCommit) error
	}{g, follower} {
		e, err := p.Process(mustParse(t, fromHex(t, s.Commit)), now)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Merge(e.(*StagedCommit)); err != nil {
			t.Fatal(err)
		}
	}
	wantBytes(t, "epoch authenticator", g.EpochAuthenticator(), fromHex(t, s.Authenticator))
	disk.save(g.Drain())
	if _, err := Load(s.config(), disk.records()); err != nil {
		t.Errorf("what was stored anew: %v", err)
	}
	if _, err := g.SafeExport(testComponent); err != nil {
		t.Errorf("the next epoch has no exporter: %v", err)
	}
}

// checkOwn has another group of the same records meet what the member itself has
// made: its proposal, and its commit.
func (s *storedState) checkOwn(t *testing.T) {
	t.Helper()
	g, err := Load(s.config(), storeOf(t, s.Member).records())
	if err != nil {
		t.Fatal(err)
	}
	if psk, _ := g.ResumptionPSK(s.Epoch - 1); s.Resumption != "" {
		wantBytes(t, "resumption PSK", psk, fromHex(t, s.Resumption))
	}
	st, err := g.ParseStaged(fromHex(t, s.Staged))
	if err != nil {
		t.Fatal(err)
	}
	if s.Sent != "" {
		if _, err := g.Process(mustParse(t, fromHex(t, s.Sent)), now); err != nil {
			t.Errorf("own proposal that was sent encrypted: %v", err)
		}
		if len(g.Pending()) != s.Pending+1 {
			t.Errorf("%d proposals are pending", len(g.Pending()))
		}
	}
	if err := g.Merge(st); err != nil {
		t.Fatalf("merging the staged commit: %v", err)
	}
	if _, err := g.Encrypt(nil, []byte("on it goes")); err != nil {
		t.Errorf("after the own commit: %v", err)
	}
}
