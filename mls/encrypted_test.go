package mls

import (
	"errors"
	"testing"
)

// sealedRoom is a room whose handshakes are encrypted, with a member who has an
// Update pending. Nobody follows it from outside.
func sealedRoom(t *testing.T, n int) []*client {
	t.Helper()
	r := newRoom(t, X25519AES128, n, Config{Rules: lastWins{}})
	for _, c := range r.clients {
		c.public.cfg.EncryptHandshakes = true
		c.cfg.EncryptHandshakes = true
	}
	return r.clients
}

// spread has everyone process a message, its sender too, and merge a commit.
func spread(t *testing.T, clients []*client, message []byte) {
	t.Helper()
	for _, c := range clients {
		e, err := c.Process(mustParse(t, message), now)
		if errors.Is(err, ErrOwnMessage) {
			continue
		}
		if err != nil {
			t.Fatalf("leaf %d: %v", c.Own(), err)
		}
		if st, ok := e.(*StagedCommit); ok {
			if err := c.Merge(st); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func sameEpoch(t *testing.T, clients []*client) {
	t.Helper()
	for _, c := range clients {
		wantBytes(t, "epoch authenticator", c.EpochAuthenticator(), clients[0].EpochAuthenticator())
	}
}

func TestHandshakesMayBeEncrypted(t *testing.T) {
	clients := sealedRoom(t, 4)
	a, b := clients[0], clients[1]
	proposal, err := b.Propose(&Update{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := mustParse(t, proposal); m.Format != FormatPrivateMessage {
		t.Fatalf("proposal has format %d", m.Format)
	}
	// The proposer starts again before its own proposal comes back.
	b.disk.save(b.Drain())
	if b.Group, err = Load(b.cfg, b.disk.records()); err != nil {
		t.Fatal(err)
	}
	spread(t, clients, proposal)
	for _, c := range clients {
		if len(c.Pending()) != 1 {
			t.Fatalf("leaf %d has %d pending", c.Own(), len(c.Pending()))
		}
	}
	st, err := a.Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if m := mustParse(t, st.Message()); m.Format != FormatPrivateMessage {
		t.Fatalf("commit has format %d", m.Format)
	}
	a.disk.save(a.Drain())
	record := st.Bytes()
	spread(t, clients, st.Message())
	// The committer starts again before it merges.
	if a.Group, err = Load(a.cfg, a.disk.records()); err != nil {
		t.Fatal(err)
	}
	again, err := a.ParseStaged(record)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "record", again.Bytes(), record)
	if err := a.Merge(again); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, clients)
	if b.Member(b.Own()).Source != LeafFromUpdate {
		t.Error("the update is not in the tree")
	}
}

func TestSelfRemoveStaysPublic(t *testing.T) {
	clients := sealedRoom(t, 3)
	leave, err := clients[2].Propose(&SelfRemove{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := mustParse(t, leave); m.Format != FormatPublicMessage || !m.IsSelfRemove() {
		t.Fatalf("self remove has format %d", m.Format)
	}
	spread(t, clients, leave)
	st, err := clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	spread(t, clients, st.Message())
	if err := clients[0].Merge(st); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, clients[:2])
	if !clients[2].Removed() {
		t.Error("the leaver is still there")
	}
}

func TestEncryptedCommitSpendsAKeyOfItsOwn(t *testing.T) {
	clients := sealedRoom(t, 2)
	a := clients[0]
	for range 2 { // the first loses its race
		st, err := a.Commit(CommitOptions{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Drain()) == 0 {
			t.Fatal("the spent message key is not stored")
		}
		e, err := clients[1].Process(mustParse(t, st.Message()), now)
		if err != nil {
			t.Fatal(err)
		}
		st.Discard()
		e.(*StagedCommit).Discard()
	}
}

// TestFollowerTakesNothingThatItCannotRead: whoever follows without secrets lets
// application data of the epoch through, and of private messages nothing else.
func TestFollowerTakesNothingThatItCannotRead(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	a := r.clients[0]
	a.public.cfg.EncryptHandshakes = true
	read := func(b []byte, err error) *Message {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return mustParse(t, b)
	}
	before := marshal(r.server.Context())
	for what, next := range map[string]func() *Message{
		"application data": func() *Message { return read(a.Encrypt(nil, []byte("text"))) },
		"a proposal":       func() *Message { return read(a.Propose(&Update{}, nil)) },
		"a commit": func() *Message {
			st, err := a.Commit(CommitOptions{}, now)
			if err != nil {
				t.Fatal(err)
			}
			return read(st.Message(), nil)
		},
	} {
		m := next()
		if e, err := r.server.Process(m, now); e != nil || !errors.Is(err, ErrMembersOnly) {
			t.Errorf("%s: processed to %v, error %v", what, e, err)
		}
		want := ErrNotForGroup
		if what == "application data" {
			want = nil
		}
		if err := r.server.CheckApplication(m); !errors.Is(err, want) {
			t.Errorf("%s as application data: got error %v, want %v", what, err, want)
		}
	}
	if len(r.server.Pending()) > 0 || len(r.server.unsaved.proposals) > 0 {
		t.Error("something is pending")
	}
	wantBytes(t, "context", marshal(r.server.Context()), before)
	public, err := r.clients[1].Propose(&Update{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.server.CheckApplication(mustParse(t, public)); !errors.Is(err, ErrNotForGroup) {
		t.Errorf("a public message as application data: %v", err)
	}
}

// TestFollowerLetsApplicationDataThroughWhereMembersWould: of this group and epoch,
// and while no proposal is pending (RFC 9420, Section 12.4).
func TestFollowerLetsApplicationDataThroughWhereMembersWould(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	text := func(from *client) *Message {
		t.Helper()
		b, err := from.Encrypt(nil, []byte("text"))
		if err != nil {
			t.Fatal(err)
		}
		return mustParse(t, b)
	}
	early := text(r.clients[0])
	if err := r.server.CheckApplication(early); err != nil {
		t.Fatal(err)
	}
	other := newRoom(t, X25519AES128, 2, Config{})
	other.server.ctx.GroupID = []byte("another")
	if err := other.server.CheckApplication(early); !errors.Is(err, ErrNotForGroup) {
		t.Errorf("of another group: %v", err)
	}
	r.propose(r.clients[1].Propose(&Update{}, nil))
	if err := r.server.CheckApplication(early); !errors.Is(err, ErrPendingProposals) {
		t.Errorf("while a proposal is pending: %v", err)
	}
	r.commit(r.clients[0], CommitOptions{})
	if late, ok := errors.AsType[*EpochError](r.server.CheckApplication(early)); !ok || late.Have != late.Got+1 {
		t.Errorf("of the epoch before: %v", late)
	}
	if err := r.server.CheckApplication(text(r.clients[0])); err != nil {
		t.Errorf("after the commit: %v", err)
	}
	r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&ReInit{GroupID: []byte("next"), Version: 1, CipherSuite: r.suite}}})
	ac := r.clients[0].frame(ContentApplication, FormatPrivateMessage, nil)
	closed := &Message{Format: FormatPrivateMessage, private: &privateMessage{groupID: ac.content.groupID, epoch: ac.content.epoch, contentType: ContentApplication}}
	if err := r.server.CheckApplication(closed); !errors.Is(err, ErrClosed) {
		t.Errorf("after the group was closed: %v", err)
	}
}

// TestMemberSpendsNoKeyOfAnother: every member knows the keys of every other, and
// can seal what it likes with them, but for the signature. What is not authentic
// leaves the key for what is.
func TestMemberSpendsNoKeyOfAnother(t *testing.T) {
	for name, kind := range map[string]ContentType{"application data": ContentApplication, "a proposal": ContentProposal, "a past epoch's": 0} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 1})
			to, from, forger := r.clients[0], r.clients[1], r.clients[2]
			from.public.cfg.EncryptHandshakes = true
			content := kind
			if kind == 0 {
				content = ContentApplication
			}
			// The forger's own view of the victim's next key.
			ac := forger.frame(content, FormatPrivateMessage, nil)
			ac.content.sender.Index = uint32(from.Own())
			ac.content.application, ac.content.proposal = []byte("forged"), &Remove{Removed: 0}
			if err := forger.sign(ac); err != nil {
				t.Fatal(err)
			}
			pm, err := forger.protect(ac)
			if err != nil {
				t.Fatal(err)
			}
			forged := marshal(&Message{Format: FormatPrivateMessage, private: pm})
			var honest []byte
			if content == ContentProposal {
				honest, err = from.Propose(&Update{}, nil)
			} else {
				honest, err = from.Encrypt(nil, []byte("honest"))
			}
			if err != nil {
				t.Fatal(err)
			}
			if kind == 0 {
				r.commit(to, CommitOptions{})
			}
			to.Drain()
			for range 2 {
				_, err = to.Process(mustParse(t, forged), now)
				wantInvalid(t, err, "6.1")
			}
			if records := to.Drain(); len(records) > 0 {
				t.Errorf("the forgery changed %v", records)
			}
			if _, err := to.Process(mustParse(t, honest), now); err != nil {
				t.Errorf("what the victim sent: %v", err)
			}
		})
	}
}
