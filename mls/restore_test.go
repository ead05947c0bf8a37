package mls

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

// wantRestored checks that a group that was stored and loaded is what it was: in
// every secret, and in everything public that is no cache.
func wantRestored(t *testing.T, got, want *Group) {
	t.Helper()
	wantSameSecrets(t, secretsIn(got), secretsIn(want))
	refs := func(g *Group) (out []string) {
		for _, v := range g.Pending() {
			out = append(out, string(v.Ref))
		}
		return out
	}
	type past struct {
		number  uint64
		ended   int64
		context []byte
		safeAAD bool
		senders map[LeafIndex]pastSender
	}
	over := func(g *Group) (out []past) {
		for _, p := range g.past {
			out = append(out, past{p.number, p.ended.Unix(), p.context, p.safeAAD, p.senders})
		}
		return out
	}
	for what, pair := range map[string][2]any{
		"removed":          {got.removed, want.removed},
		"context":          {marshal(got.Context()), marshal(want.Context())},
		"tree":             {got.Tree(), want.Tree()},
		"interim hash":     {got.public.interim, want.public.interim},
		"confirmation tag": {got.ConfirmationTag(), want.ConfirmationTag()},
		"framing":          {got.public.safeAAD, want.public.safeAAD},
		"pending":          {refs(got), refs(want)},
		"reinit":           {got.ReInit() != nil, want.ReInit() != nil},
		"sent proposals":   {slices.Clone(got.sent), slices.Clone(want.sent)},
		"past epochs":      {over(got), over(want)},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v", what, pair[0], pair[1])
		}
	}
	if !want.removed && got.own != want.own {
		t.Errorf("own leaf: got %d, want %d", got.own, want.own)
	}
	if want.ReInit() != nil {
		wantBytes(t, "reinit", got.ReInit().appendTo(nil), want.ReInit().appendTo(nil))
	}
	for ref, v := range want.public.pending.byRef {
		p := got.public.pending.byRef[ref]
		if p == nil || p.place != v.place || p.view.Sender != v.view.Sender || p.view.format != v.view.format {
			t.Errorf("a pending proposal of type %d came back as %+v", v.view.Proposal.Type(), p)
		}
	}
}

// wantSameSecrets compares secrets by where they are: under one path there may be
// several, in a list or a map.
func wantSameSecrets(t *testing.T, got, want map[*byte]foundSecret) {
	t.Helper()
	count := func(found map[*byte]foundSecret) map[[2]string]int {
		out := map[[2]string]int{}
		for _, f := range found {
			if f.erased() {
				continue // of a member that was removed
			}
			out[[2]string{f.path, string(f.secret)}]++
		}
		return out
	}
	g, w := count(got), count(want)
	for at, n := range w {
		if g[at] != n {
			t.Errorf("%s: %d times as it was, want %d", at[0], g[at], n)
		}
	}
	for at, n := range g {
		if w[at] == 0 {
			t.Errorf("%s: %d that were not there", at[0], n)
		}
	}
}

// wantOnePiece checks that a record was made in the memory that it began in.
func wantOnePiece(t *testing.T, what string, record []byte, size int) {
	t.Helper()
	if cap(record) != size || len(record) > size {
		t.Errorf("%s: a record of %d octets, in memory for %d, which began with %d", what, len(record), cap(record), size)
	}
}

func TestALoadedGroupIsWhatItWas(t *testing.T) {
	framed := AppData{ComponentSafeAAD: ComponentsList()}.Extension()
	for name, prepare := range map[string]func(r *room, c *client){
		"as it began": func(*room, *client) {},
		"while all is going on": func(r *room, c *client) {
			// Messages of the past epoch and of this one, some of which have come.
			a, b := r.clients[0], r.clients[2]
			hear := func(b []byte, err error) {
				r.t.Helper()
				if err != nil {
					r.t.Fatal(err)
				}
				if _, err := c.Process(mustParse(r.t, b), now); err != nil {
					r.t.Fatal(err)
				}
			}
			_, _ = a.Encrypt(nil, []byte("never comes"))
			hear(a.Encrypt(nil, []byte("comes")))
			r.commit(b, CommitOptions{})
			_, _ = b.Encrypt(nil, []byte("never comes"))
			hear(b.Encrypt(nil, []byte("comes")))
			if _, err := c.SafeExport(testComponent); err != nil {
				r.t.Fatal(err)
			}
			r.propose(a.Propose(&Update{}, nil))
			r.propose(c.Propose(&Update{}, nil))
			r.propose(r.externalProposal(&Remove{Removed: 3}))
			r.propose(b.Propose(&SelfRemove{}, nil))
			c.public.cfg.EncryptHandshakes = true
			for range 2 {
				if _, err := c.Propose(&Update{}, nil); err != nil {
					r.t.Fatal(err)
				}
			}
		},
		"when it was closed": func(r *room, _ *client) {
			r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&ReInit{GroupID: []byte("next"), Version: 1, CipherSuite: P256AES128, Extensions: Extensions{framed}}}})
		},
		"after its member was removed": func(r *room, c *client) {
			r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: c.Own()}}})
		},
		"where data is framed": func(r *room, _ *client) {
			ext := slices.DeleteFunc(slices.Clone(r.server.Context().Extensions), func(e Extension) bool { return e.Type == ExtensionRequiredCapabilities })
			r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&GroupContextExtensions{ext}}})
			r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&GroupContextExtensions{append(slices.Clone(ext), framed)}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, X25519AES128, 4, Config{PastEpochs: 2, PastEpochAge: time.Hour})
			c := r.clients[1]
			c.disk.save(c.Drain()) // what comes later is a difference to this
			prepare(r, c)
			c.disk.save(c.Drain())
			loaded, err := Load(c.cfg, c.disk.records())
			if err != nil {
				t.Fatal(err)
			}
			wantRestored(t, loaded, c.Group)
			if !c.Removed() {
				wantOnePiece(t, "member", c.Group.record(), c.recordSize())
			}
			if len(c.Drain()) > 0 || len(loaded.Drain()) > 0 {
				t.Error("something is left to be stored")
			}
			if c.ReInit() != nil {
				if _, err := loaded.Encrypt(nil, nil); !errors.Is(err, ErrClosed) {
					t.Errorf("the loaded group encrypts: %v", err)
				}
			}
			public, err := LoadPublicGroup(c.cfg, func(yield func(k, v []byte) bool) {
				s := store{}
				s.save(r.server.Drain())
				s.records()(yield)
			})
			if err != nil {
				t.Fatal(err)
			}
			wantRestored(t, &Group{public: public}, &Group{public: r.server})
		})
	}
}

func TestAParsedStagedCommitIsWhatItWas(t *testing.T) {
	for name, sealed := range map[string]bool{"public": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, X25519AES128, 4, Config{})
			c := r.clients[1]
			c.public.cfg.EncryptHandshakes = sealed
			signer := newSigner(t, r.suite, "renewed")
			st, err := c.Commit(CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}}, Signer: &signer}, now)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.ParseStaged(st.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			wantSameSecrets(t, secretsIn(got), secretsIn(st))
			wantBytes(t, "message", got.Message(), st.Message())
			wantBytes(t, "welcome", got.Welcome(), st.Welcome())
			wantBytes(t, "context", got.encoded, st.encoded)
			wantBytes(t, "tree", got.Tree(), st.Tree())
			wantBytes(t, "interim hash", got.interim, st.interim)
			wantBytes(t, "confirmation tag", got.confirmationTag, st.confirmationTag)
			wantBytes(t, "record", got.Bytes(), st.Bytes())
			wantOnePiece(t, "staged commit", st.Bytes(), st.recordSize())
			if got, want := said(got.View()), said(st.View()); got != want {
				t.Errorf("the view says\n%swant\n%s", got, want)
			}
		})
	}
}

func TestAStagedJoinIsStoredInOnePiece(t *testing.T) {
	r := newRoom(t, DefaultSuite, 3, Config{})
	leave, err := r.clients[2].Propose(&SelfRemove{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	gi := mustGroupInfo(t, r.clients[0].Group)
	st, err := JoinExternal(r.cfg, gi, r.server.Tree(), newSigner(t, r.suite, "joiner"), ExternalOptions{Pending: [][]byte{leave}}, now)
	if err != nil {
		t.Fatal(err)
	}
	wantOnePiece(t, "staged join", st.Bytes(), st.recordSize())
	gs := groupSecrets{joiner: make(Secret, 48), pathSecret: make(Secret, 48), psks: []PreSharedKeyID{
		{Type: PSKExternal, ID: make([]byte, 100), Nonce: make([]byte, 48)},
		{Type: PSKResumption, GroupID: make([]byte, 100), Nonce: make([]byte, 48)}}}
	wantOnePiece(t, "group secrets", marshal(gs), gs.sizeHint())
	secrets := r.clients[0].secrets
	if b := secrets.Bytes(); len(b) < len(secrets.Init)+len(secrets.Encryption)+len(secrets.Signature) || cap(b) > len(b)+16 {
		t.Errorf("key package secrets of %d octets are in memory for %d", len(b), cap(b))
	}
}
