package mls

import (
	"bytes"
	"errors"
	"maps"
	"testing"
)

func TestMembersAgreeAfterAdds(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 1, Config{})
		r.add(r.clients[0], 1)
		r.add(r.clients[1], 10)
		r.add(r.clients[5], 1)
		if n := r.server.MemberCount(); n != 13 {
			t.Errorf("server counts %d members, want 13", n)
		}
	})
}

func TestEachMemberCanRenewItsKeys(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 7, Config{})
		for _, c := range r.clients {
			st := r.commit(c, CommitOptions{})
			if v := st.View(); len(v.Updated) != 1 || v.Updated[0].Leaf != c.Own() {
				t.Errorf("view has %d updated leaves", len(v.Updated))
			}
			r.agree()
		}
	})
}

func TestRemovedMemberIsOutAndItsLeafIsReused(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 6, Config{})
		gone := r.clients[2]
		leaf := gone.Own()
		r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: leaf}}})
		r.agree()
		if !gone.Removed() {
			t.Fatal("removed member does not know")
		}
		if _, err := gone.Encrypt(nil, []byte("x")); !errors.Is(err, ErrRemoved) {
			t.Errorf("removed member encrypts: %v", err)
		}
		if gone.EpochAuthenticator() != nil {
			t.Error("removed member keeps secrets")
		}
		r.add(r.clients[1], 1)
		if got := r.clients[len(r.clients)-1].Own(); got != leaf {
			t.Errorf("new member has leaf %d, want %d", got, leaf)
		}
	})
}

func TestUpdateByReferenceRenewsItsSender(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 5, Config{})
		for i := range r.clients {
			old := r.clients[i].Member(r.clients[i].Own()).EncryptionKey
			r.propose(r.clients[i].Propose(&Update{}, nil))
			r.commit(r.clients[(i+1)%5], CommitOptions{})
			if bytes.Equal(old, r.clients[i].Member(r.clients[i].Own()).EncryptionKey) {
				t.Error("update changed nothing")
			}
			r.agree()
		}
	})
}

func TestPSKsGoIntoTheEpoch(t *testing.T) {
	external := Secret("a secret that was agreed elsewhere")
	cfg := Config{PSK: func(id PreSharedKeyID) (Secret, bool) {
		return external, id.Type == PSKExternal && string(id.ID) == "psk"
	}}
	r := newRoom(t, X25519AES128, 3, cfg)
	s, _ := r.suite.suite()
	r.commit(r.clients[0], CommitOptions{})
	r.commit(r.clients[1], CommitOptions{})
	epoch := r.clients[0].Context().Epoch
	st := r.commit(r.clients[1], CommitOptions{Proposals: []Proposal{
		&PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("psk"), Nonce: s.randomSecret()}},
		&PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: ResumptionApplication, GroupID: []byte("room"), Epoch: epoch - 2, Nonce: s.randomSecret()}},
		&PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: ResumptionApplication, GroupID: []byte("room"), Epoch: epoch, Nonce: s.randomSecret()}},
	}})
	if len(st.View().Updated) != 0 {
		t.Error("PSKs alone need no path")
	}
	r.agree()
	_, err := r.clients[0].Commit(CommitOptions{Proposals: []Proposal{
		&PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("other"), Nonce: s.randomSecret()}}}}, now)
	if _, ok := errors.AsType[*UnknownPSKError](err); !ok {
		t.Errorf("unknown PSK: %v", err)
	}
}

func TestWelcomeCarriesPSKs(t *testing.T) {
	cfg := Config{PSK: func(id PreSharedKeyID) (Secret, bool) { return Secret("psk"), id.Type == PSKExternal }}
	r := newRoom(t, X25519AES128, 2, cfg)
	s, _ := r.suite.suite()
	c := r.newClient()
	st := r.commit(r.clients[0], CommitOptions{InlineTree: true, Proposals: []Proposal{&Add{KeyPackage: c.kp},
		&PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("psk"), Nonce: s.randomSecret()}}}})
	var err error
	if c.Group, err = Join(c.cfg, mustParse(t, st.Welcome()), c.kp, c.secrets, nil, now); err != nil {
		t.Fatal(err)
	}
	r.clients = append(r.clients, c)
	r.agree()
}

func TestGroupContextAndAppDataChange(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 4, Config{})
		update := func(s string) Proposal { return &AppDataUpdate{Component: testComponent, Update: []byte(s)} }
		st := r.commit(r.clients[1], CommitOptions{Proposals: []Proposal{update("one"), update("two")}})
		if len(st.View().Updated) != 0 {
			t.Error("app data needs no path")
		}
		r.agree()
		data, err := r.clients[2].Context().AppData()
		if err != nil || string(data[testComponent]) != "two" {
			t.Fatalf("app data %q, %v", data[testComponent], err)
		}
		// Other extensions change beside it (the dictionary stays as it was).
		dictionary, _ := r.clients[0].Context().Extensions.Find(ExtensionAppDataDictionary)
		r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{
			&GroupContextExtensions{Extensions{
				RequiredCapabilities{Proposals: []ProposalType{ProposalAppDataUpdate}}.Extension(),
				{ExtensionAppDataDictionary, dictionary},
			}}, update("three")}})
		r.agree()
		r.commit(r.clients[3], CommitOptions{Proposals: []Proposal{&AppDataUpdate{Component: testComponent, Removes: true}}})
		r.agree()
		if data, _ := r.clients[0].Context().AppData(); len(data) != 0 {
			t.Error("component is still there")
		}
	})
}

func TestSelfRemoveAndExternalRemoveAreCommittedByOthers(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 6, Config{StrictPending: true})
		leaver, expelled := r.clients[4], r.clients[1]
		r.propose(leaver.Propose(&SelfRemove{}, nil))
		r.propose(r.externalProposal(&Remove{Removed: expelled.Own()}))
		if _, err := r.clients[0].Encrypt(nil, []byte("x")); !errors.Is(err, ErrPendingProposals) {
			t.Errorf("application data before the removal: %v", err)
		}
		for _, c := range []*client{leaver, expelled} {
			if _, err := c.Commit(CommitOptions{}, now); err == nil {
				t.Error("a member whose removal is pending commits")
			}
		}
		st := r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: expelled.Own()}}})
		if n := len(st.View().Removed); n != 2 {
			t.Errorf("%d removed, want 2", n)
		}
		if len(r.clients) != 4 || !leaver.Removed() || !expelled.Removed() {
			t.Error("somebody is still there")
		}
		r.agree()
	})
}

// enter has c join by external commit.
func (r *room) enter(c *client, o ExternalOptions) *StagedCommit {
	r.t.Helper()
	gi, err := r.clients[0].GroupInfo(false)
	if err != nil {
		r.t.Fatal(err)
	}
	st, err := JoinExternal(c.cfg, gi, r.server.Tree(), c.signer, o, now)
	if err != nil {
		r.t.Fatalf("joining by external commit: %v", err)
	}
	again, err := ParseStagedJoin(c.cfg, st.Bytes())
	if err != nil {
		r.t.Fatalf("staged join after a crash: %v", err)
	}
	r.deliver(nil, again)
	if c.Group, err = again.Group(); err != nil {
		r.t.Fatal(err)
	}
	r.clients = append(r.clients, c)
	return again
}

func TestExternalJoinAndResync(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 5, Config{StrictPending: true})
		st := r.enter(r.newClient(), ExternalOptions{})
		if v := st.View(); !v.External || v.Resync || len(v.Added) != 1 || v.Added[0].Leaf != 5 || v.Committer.leaf() != 5 {
			t.Errorf("view of the join: %+v", v)
		}
		r.agree()
		// The device comes back with fresh keys under the same signature key.
		old := r.clients[2]
		leaf := old.Own()
		back := &client{signer: old.signer, cfg: r.cfg, disk: store{}}
		st = r.enter(back, ExternalOptions{Resync: &leaf})
		if v := st.View(); !v.Resync || back.Own() != leaf || !old.Removed() {
			t.Errorf("resync to leaf %d: %+v", back.Own(), v)
		}
		r.agree()
		// A joiner takes the epoch's SelfRemove along, and one who forgets it is refused.
		message, err := r.clients[1].Propose(&SelfRemove{}, nil)
		r.propose(message, err)
		gi, err := r.clients[0].GroupInfo(false)
		if err != nil {
			t.Fatal(err)
		}
		forgetful, err := JoinExternal(r.cfg, gi, r.server.Tree(), newSigner(t, suite, "x"), ExternalOptions{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.server.Process(mustParse(t, forgetful.Message()), now); err == nil {
			t.Error("external commit that leaves out a SelfRemove is accepted")
		}
		r.enter(r.newClient(), ExternalOptions{Pending: [][]byte{message}, Proposals: []Proposal{&AppDataUpdate{Component: testComponent, Update: []byte("hi")}}})
		r.agree()
	})
}

func TestLostRaceLeavesNoTrace(t *testing.T) {
	r := newRoom(t, MLKEM768P256AES256, 3, Config{})
	loser, err := r.clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.commit(r.clients[1], CommitOptions{})
	r.agree()
	if err := r.clients[0].Merge(loser); !errors.Is(err, ErrStale) {
		t.Errorf("merging a lost commit: %v", err)
	}
	loser.Discard()
	_, err = r.clients[2].Process(mustParse(t, loser.Message()), now)
	if e, ok := errors.AsType[*EpochError](err); !ok || e.Got+1 != e.Have {
		t.Errorf("processing a lost commit: %v", err)
	}
	r.agree()
}

func TestStagedCommitSurvivesACrash(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 4, Config{})
		by, c := r.clients[1], r.newClient()
		by.disk.save(by.Drain())
		rotated := newSigner(t, suite, "client 2, new key")
		st, err := by.Commit(CommitOptions{Proposals: []Proposal{&Add{KeyPackage: c.kp}}, Signer: &rotated}, now)
		if err != nil {
			t.Fatal(err)
		}
		record := st.Bytes()
		// The device starts again from what it stored.
		if by.Group, err = Load(by.cfg, by.disk.records()); err != nil {
			t.Fatal(err)
		}
		again, err := by.ParseStaged(record)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "message", again.Message(), st.Message())
		r.deliver(by, again)
		r.join(c, again)
		r.agree()
		if _, err := by.ParseStaged(record); !errors.Is(err, ErrStale) {
			t.Errorf("restoring a commit that was merged: %v", err)
		}
		r.commit(by, CommitOptions{})
		r.agree()
	})
}

func TestReInitClosesTheGroupAndANewOneFollows(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	a, b := r.clients[0], r.clients[1]
	r.commit(a, CommitOptions{Proposals: []Proposal{&ReInit{GroupID: []byte("next"), Version: 1, CipherSuite: r.suite}}})
	for _, c := range r.clients {
		if _, err := c.Encrypt(nil, []byte("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("closed group encrypts: %v", err)
		}
	}
	s, _ := r.suite.suite()
	id := PreSharedKeyID{Type: PSKResumption, Usage: ResumptionReInit, GroupID: []byte("room"), Epoch: a.Context().Epoch, Nonce: s.randomSecret()}
	resume := func(of *client) Config {
		return Config{
			PSK:       func(id PreSharedKeyID) (Secret, bool) { return of.ResumptionPSK(id.Epoch) },
			Successor: func(old PreSharedKeyID, g *Group) error { return nil },
		}
	}
	next, err := Create(resume(a), []byte("next"), r.suite, a.signer, Capabilities{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kp, secrets, err := NewKeyPackage(r.suite, b.signer, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	st, err := next.Commit(CommitOptions{Proposals: []Proposal{&Add{KeyPackage: kp}, &PreSharedKey{id}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Merge(st); err != nil {
		t.Fatal(err)
	}
	refuses := resume(b)
	refuses.Successor = nil
	if _, err := Join(refuses, mustParse(t, st.Welcome()), kp, secrets, st.Tree(), now); err == nil {
		t.Error("an unexpected successor is joined")
	}
	g, err := Join(resume(b), mustParse(t, st.Welcome()), kp, secrets, st.Tree(), now)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "epoch authenticator", g.EpochAuthenticator(), next.EpochAuthenticator())
	if _, err := next.Propose(&PreSharedKey{id}, nil); err == nil {
		t.Error("a reinit PSK is used in a running group")
	}
}

func TestDrainWritesOnlyWhatChanged(t *testing.T) {
	r := newRoom(t, X25519AES128, 33, Config{})
	for _, c := range r.clients {
		c.disk.save(c.Drain())
	}
	a, b := r.clients[0], r.clients[20]
	for i := range 3 {
		m, err := a.Encrypt(nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Process(mustParse(t, m), now); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{a, b} {
			if n := len(c.Drain()); i > 0 && n != 1 {
				t.Errorf("message %d writes %d records, want 1", i, n)
			}
		}
	}
	for range 3 {
		r.commit(a, CommitOptions{})
	}
	b.disk.save(b.Drain())
	r.commit(a, CommitOptions{})
	records := b.Drain()
	if n := len(records); n > 12 {
		t.Errorf("a commit writes %d records: %v", n, maps.Keys(b.disk))
	}
	b.disk.save(records)
	g, err := Load(b.cfg, b.disk.records())
	if err != nil {
		t.Fatal(err)
	}
	b.Group = g
	r.agree()
}
