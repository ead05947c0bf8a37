package mls

import (
	"bytes"
	"slices"
	"testing"
)

// Whose memory is whose: the tests erase or overwrite what is the caller's by
// the documentation, right after the call, and the group must not notice.

func TestSecretsThatAreHandedInMayBeErasedAtOnce(t *testing.T) {
	psk := Secret("something all have been told")
	cfg := Config{Rules: lastWins{}, PSK: func(PreSharedKeyID) (Secret, bool) { return slices.Clone(psk), true }}
	suite := DefaultSuite
	erasing := func(name string) (Signer, func()) {
		s := newSigner(t, suite, name)
		return s, func() { clear(s.Private) }
	}
	mixIn := &PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("psk"), Nonce: make([]byte, mustSuite(t, suite).nh)}}

	signer, erase := erasing("creator")
	outside, eraseOutside := erasing("server")
	g, err := Create(cfg, []byte("g"), suite, signer, Capabilities{}, Extensions{ExternalSendersExtension(ExternalSender{outside.Public, outside.Credential})})
	if err != nil {
		t.Fatal(err)
	}
	erase()
	clients := []*client{{Group: g, cfg: cfg}}
	commit := func(by *client, o CommitOptions) *StagedCommit {
		t.Helper()
		st, err := by.Commit(o, now)
		if err != nil {
			t.Fatal(err)
		}
		spread(t, clients, st.Message())
		if err := by.Merge(st); err != nil {
			t.Fatal(err)
		}
		sameEpoch(t, slices.DeleteFunc(slices.Clone(clients), func(c *client) bool { return c.Removed() }))
		return st
	}

	invited, _ := erasing("invited")
	kp, secrets, err := NewKeyPackage(suite, invited, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	st := commit(clients[0], CommitOptions{Proposals: []Proposal{&Add{kp}, mixIn}})
	joined, err := Join(cfg, mustParse(t, st.Welcome()), kp, secrets, st.Tree(), now)
	if err != nil {
		t.Fatal(err)
	}
	clear(secrets.Init)
	clear(secrets.Encryption)
	clear(secrets.Signature)
	clients = append(clients, &client{Group: joined, cfg: cfg})
	commit(clients[1], CommitOptions{Proposals: []Proposal{mixIn}})

	signer, erase = erasing("by itself")
	entering, err := JoinExternal(cfg, mustGroupInfo(t, g), g.Tree(), signer, ExternalOptions{Proposals: []Proposal{mixIn}}, now)
	if err != nil {
		t.Fatal(err)
	}
	erase()
	spread(t, clients, entering.Message())
	third, err := entering.Group()
	if err != nil {
		t.Fatal(err)
	}
	clients = append(clients, &client{Group: third, cfg: cfg})
	sameEpoch(t, clients)

	signer, erase = erasing("renewed")
	renewed, err := third.Commit(CommitOptions{Signer: &signer}, now)
	if err != nil {
		t.Fatal(err)
	}
	erase()
	record := renewed.Bytes()
	kept := bytes.Clone(record)
	clear(record)
	spread(t, clients, renewed.Message())
	if renewed, err = third.ParseStaged(kept); err != nil {
		t.Fatal(err)
	}
	if err := third.Merge(renewed); err != nil {
		t.Fatal(err)
	}

	m, err := NewExternalProposal(&Remove{Removed: 1}, ExternalGroup{GroupID: []byte("g"), Epoch: g.Context().Epoch, CipherSuite: suite}, 0, outside.Private)
	if err != nil {
		t.Fatal(err)
	}
	eraseOutside()
	spread(t, clients, m)
	commit(clients[2], CommitOptions{})
	if !joined.Removed() {
		t.Error("the external proposal was not taken")
	}
}

func TestWhatIsHandedOutAsACopyIsTheCallers(t *testing.T) {
	r := newRoom(t, DefaultSuite, 3, Config{PastEpochs: 1})
	a, b := r.clients[0], r.clients[1]
	overwrite := func(parts ...[]byte) {
		for _, p := range parts {
			for i := range p {
				p[i] ^= 0xFF
			}
		}
	}
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	for range 2 {
		beside, text := []byte("beside"), []byte("text")
		sent := must(a.Encrypt(beside, text))
		overwrite(beside, text)
		wire := bytes.Clone(sent)
		overwrite(sent)
		m := mustParse(t, wire)
		e, err := b.Process(m, now)
		if err != nil {
			t.Fatal(err)
		}
		got := e.(*ApplicationMessage)
		if string(got.Data) != "text" || string(got.AuthenticatedData) != "beside" {
			t.Errorf("read %q beside %q", got.Data, got.AuthenticatedData)
		}
		overwrite(got.Data)
		wantBytes(t, "message", m.Bytes(), wire)

		overwrite(a.EpochAuthenticator())
		overwrite(must(a.Export("label", nil, 32)))
		wantBytes(t, "authenticator", a.EpochAuthenticator(), b.EpochAuthenticator())
		wantBytes(t, "export", must(a.Export("label", nil, 32)), must(b.Export("label", nil, 32)))
		exported, want := must(a.SafeExport(testComponent)), must(b.SafeExport(testComponent))
		wantBytes(t, "safe export", exported, want)
		overwrite(exported, want)

		key := a.Member(b.Own()).EncryptionKey
		sealed := must(r.suite.SafeEncrypt(key, testComponent, "label", nil, []byte("text")))
		overwrite(must(b.SafeDecrypt(key, testComponent, "label", nil, sealed)))

		// Everything, once as it is, once after its records were overwritten.
		for _, c := range r.clients {
			c.public.unsaved.everything(c.public)
			c.unsavedMember = true
			for _, record := range c.Drain() {
				overwrite(record.Key, record.Value)
			}
		}
		for _, record := range r.server.Drain() {
			overwrite(record.Key, record.Value)
		}
		r.agree()
		r.propose(b.Propose(&Update{}, nil))
		for _, c := range r.clients {
			for _, record := range c.Drain() {
				overwrite(record.Key, record.Value)
			}
		}
		r.commit(a, CommitOptions{})
		r.agree()
	}
}

func TestLoadKeepsNoSecretRecord(t *testing.T) {
	r := newRoom(t, DefaultSuite, 3, Config{PastEpochs: 1})
	r.agree() // so that ratchets are running
	late, err := r.clients[2].Encrypt(nil, []byte("late"))
	if err != nil {
		t.Fatal(err)
	}
	r.commit(r.clients[2], CommitOptions{})
	c := r.clients[1]
	c.public.cfg.EncryptHandshakes, c.cfg.EncryptHandshakes = true, true
	proposal, err := c.Propose(&Update{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := map[byte]bool{}
	var values [][]byte
	records := c.Drain()
	g, err := Load(c.cfg, func(yield func(k, v []byte) bool) {
		for _, rec := range records {
			if rec.Value == nil {
				continue
			}
			if rec.Secret {
				secret[rec.Key[0]] = true
				values = append(values, rec.Value)
			}
			if !yield(rec.Key, rec.Value) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		clear(v)
	}
	if len(secret) < 5 {
		t.Errorf("only records of the kinds %v were erased", secret)
	}
	c.Group = g
	if e, err := g.Process(mustParse(t, late), now); err != nil || string(e.(*ApplicationMessage).Data) != "late" {
		t.Errorf("a message of the past epoch: %v", err)
	}
	spread(t, r.clients, proposal) // its own, which it cannot decrypt
	st, err := r.clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	spread(t, r.clients, st.Message()) // with the key of its own Update
	if err := r.clients[0].Merge(st); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, r.clients)
}
