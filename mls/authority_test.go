package mls

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// nameBook is an Authority that knows who may have which name: a name that
// begins with "evil" nobody, and no name follows another.
type nameBook struct{}

var errName = errors.New("the book says no")

func (nameBook) Validate(c Credential, key []byte, at time.Time) error {
	if bytes.HasPrefix(c.Identity, []byte("evil")) {
		return errName
	}
	return nil
}

func (nameBook) Succeeds(old, next Credential) error {
	if !bytes.Equal(old.Identity, next.Identity) {
		return errName
	}
	return nil
}

func TestAuthorityJudgesEachCredentialThatComesIn(t *testing.T) {
	suite := X25519AES128
	lax := newRoom(t, suite, 3, Config{})
	strict := func(c *client) { c.public.cfg.Authority = nameBook{} }
	for _, c := range lax.clients[1:] {
		strict(c)
	}
	lax.server.cfg.Authority = nameBook{}
	evilSender := Extensions{ExternalSendersExtension(ExternalSender{Credential: Credential{Type: CredentialBasic, Identity: []byte("evil")}})}
	wantRefusal(t, lax.server.cfg.checkSenders(nil, evilSender, now), "5.3.1", "credential of external sender 0")
	evil := newSigner(t, suite, "evil twin")
	kp, _, err := NewKeyPackage(suite, evil, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	// What the first member makes, the others refuse: each makes a valid message
	// that breaks this rule alone.
	commit := func(o CommitOptions) []byte {
		st, err := lax.clients[0].Commit(o, now)
		if err != nil {
			t.Fatal(err)
		}
		return st.Message()
	}
	other := newSigner(t, suite, "client one under another name")
	sender := ExternalSendersExtension(ExternalSender{SignatureKey: evil.Public, Credential: evil.Credential})
	for name, m := range map[string]struct {
		message []byte
		rule    string
	}{
		"an Add":             {commit(CommitOptions{Proposals: []Proposal{&Add{kp}}}), "credential is not accepted"},
		"a new credential":   {commit(CommitOptions{Signer: &evil}), "credential is not accepted"},
		"another name":       {commit(CommitOptions{Signer: &other}), "credential does not succeed"},
		"an external sender": {commit(CommitOptions{Proposals: []Proposal{&GroupContextExtensions{Extensions{sender}}}}), "credential of external sender 0"},
	} {
		t.Run(name, func(t *testing.T) { lax.refusedBy(t, m.message, "5.3.1", m.rule) })
	}
	t.Run("an Add by itself", func(t *testing.T) {
		m, err := lax.clients[0].Propose(&Add{kp}, nil)
		if err != nil {
			t.Fatal(err)
		}
		lax.refusedBy(t, m, "5.3.1", "credential is not accepted")
	})
	t.Run("an Update by itself", func(t *testing.T) {
		for name, rule := range map[string]string{"evil": "credential is not accepted", "another": "credential does not succeed"} {
			c := lax.clients[0]
			u, err := c.freshUpdate()
			if err != nil {
				t.Fatal(err)
			}
			u.Leaf.Credential.Identity = []byte(name)
			if err := u.Leaf.sign(c.public.s, c.signer.Private, c.public.ctx.GroupID, c.Own()); err != nil {
				t.Fatal(err)
			}
			m, err := c.Propose(u, nil)
			if err != nil {
				t.Fatal(err)
			}
			lax.refusedBy(t, m, "5.3.1", rule)
		}
	})
	t.Run("an external commit", func(t *testing.T) {
		gi, err := lax.clients[0].GroupInfo(true)
		if err != nil {
			t.Fatal(err)
		}
		st, err := JoinExternal(lax.cfg, gi, nil, evil, ExternalOptions{}, now)
		if err != nil {
			t.Fatal(err)
		}
		lax.refusedBy(t, st.Message(), "5.3.1", "credential is not accepted")
		leaf := LeafIndex(1)
		st, err = JoinExternal(lax.cfg, gi, nil, other, ExternalOptions{Resync: &leaf}, now)
		if err != nil {
			t.Fatal(err)
		}
		lax.refusedBy(t, st.Message(), "5.3.1", "credential does not succeed")
	})
	t.Run("a group that is joined", func(t *testing.T) {
		r := newRoom(t, suite, 1, Config{})
		c := &client{signer: evil, cfg: r.cfg, disk: store{}}
		r.enter(c, ExternalOptions{})
		gi, err := r.clients[0].GroupInfo(true)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewPublicGroup(Config{Authority: nameBook{}}, gi, nil, now)
		wantRefusal(t, err, "5.3.1", "credential is not accepted")
		if !errors.Is(err, errName) {
			t.Error("what the authority said is lost")
		}
	})
}

// refusedBy checks that all but the first refuse a message for this rule.
func (r *room) refusedBy(t *testing.T, message []byte, section, rule string) {
	t.Helper()
	_, err := r.server.Process(mustParse(t, message), now)
	wantRefusal(t, err, section, rule)
	for _, c := range r.clients[1:] {
		_, err := c.Process(mustParse(t, message), now)
		wantRefusal(t, err, section, rule)
	}
}

func TestKeyPackagesMayNotLiveLongerThanTheApplicationAllows(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	st, err := r.clients[0].Commit(CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.server.cfg.MaxLifetime = 90 * 24 * time.Hour
	r.clients[1].public.cfg.MaxLifetime = 90 * 24 * time.Hour
	r.refusedBy(t, st.Message(), "7.2", "lifetime of the key package is longer")
}

func TestKeyPackageExtensionsAreListed(t *testing.T) {
	suite := X25519AES128
	kp, _, err := NewKeyPackage(suite, newSigner(t, suite, "a"), KeyPackageOptions{Lifetime: always(), Extensions: Extensions{{Type: 0xF123}}})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, kp.Verify(now), "10", "which its leaf does not list")
}
