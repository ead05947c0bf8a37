package mls

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"
)

// now is any time within the lifetimes of the tests' key packages.
var now = time.Unix(1_800_000_000, 0)

// store keeps records as an application does, by value.
type store map[string][]byte

func (s store) save(records []Record) {
	for _, r := range records {
		if r.Value == nil {
			delete(s, string(r.Key))
		} else {
			s[string(r.Key)] = bytes.Clone(r.Value)
		}
	}
}

func (s store) records() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for k, v := range s {
			if !yield([]byte(k), bytes.Clone(v)) {
				return
			}
		}
	}
}

// lastWins is a component whose state is its last update; an update "bad" is
// refused.
type lastWins struct{}

const testComponent ComponentID = 0x8001

var errPolicy = errors.New("policy says no")

func (lastWins) AppData(c ComponentID, _ []byte, updates [][]byte) ([]byte, error) {
	last := updates[len(updates)-1]
	if c != testComponent || string(last) == "bad" {
		return nil, errPolicy
	}
	return last, nil
}
func (lastWins) Commit(*CommitView) error     { return nil }
func (lastWins) Proposal(*ProposalView) error { return nil }

// client is a device with its key packages and its own view of one room.
type client struct {
	*Group
	signer  Signer
	kp      *KeyPackage
	secrets *KeyPackageSecrets
	cfg     Config
	disk    store
}

// room is a group of clients, and a server that follows it.
type room struct {
	t                        testing.TB
	suite                    CipherSuite
	cfg                      Config
	clients                  []*client
	server                   *PublicGroup
	external, externalPublic []byte // an external sender's keys
	made                     int
}

func newSigner(t testing.TB, suite CipherSuite, name string) Signer {
	t.Helper()
	private, public, err := suite.GenerateSignatureKey()
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Credential: Credential{Type: CredentialBasic, Identity: []byte(name)}, Public: public, Private: private}
}

func always() Lifetime { return Lifetime{NotAfter: 1<<64 - 1} }

func (r *room) newClient() *client {
	r.t.Helper()
	r.made++
	c := &client{signer: newSigner(r.t, r.suite, fmt.Sprintf("client %d", r.made)), cfg: r.cfg, disk: store{}}
	var err error
	c.kp, c.secrets, err = NewKeyPackage(r.suite, c.signer, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// newRoom makes a group of n in two epochs: created, and all added at once.
func newRoom(t testing.TB, suite CipherSuite, n int, cfg Config) *room {
	t.Helper()
	if cfg.Rules == nil {
		cfg.Rules = lastWins{}
	}
	r := &room{t: t, suite: suite, cfg: cfg}
	outside := newSigner(t, suite, "server")
	r.external, r.externalPublic = outside.Private, outside.Public
	first := r.newClient()
	required := RequiredCapabilities{
		Extensions: []ExtensionType{ExtensionAppDataDictionary},
		Proposals:  []ProposalType{ProposalAppDataUpdate, ProposalSelfRemove},
	}
	g, err := Create(cfg, []byte("room"), suite, first.signer, Capabilities{}, Extensions{
		required.Extension(),
		ExternalSendersExtension(ExternalSender{SignatureKey: outside.Public, Credential: outside.Credential}),
	})
	if err != nil {
		t.Fatal(err)
	}
	first.Group = g
	r.clients = []*client{first}
	gi, err := g.GroupInfo(false)
	if err != nil {
		t.Fatal(err)
	}
	if r.server, err = NewPublicGroup(cfg, gi, g.Tree(), now); err != nil {
		t.Fatal(err)
	}
	if n > 1 {
		r.add(first, n-1)
	}
	return r
}

// add has by add n new clients.
func (r *room) add(by *client, n int) {
	r.t.Helper()
	var fresh []*client
	var proposals []Proposal
	for range n {
		c := r.newClient()
		fresh = append(fresh, c)
		proposals = append(proposals, &Add{KeyPackage: c.kp})
	}
	st := r.commit(by, CommitOptions{Proposals: proposals})
	for _, c := range fresh {
		r.join(c, st)
	}
	r.agree()
}

func (r *room) join(c *client, st *StagedCommit) {
	r.t.Helper()
	ref, err := c.kp.Ref()
	if err != nil {
		r.t.Fatal(err)
	}
	c.Group, err = Join(c.cfg, mustParse(r.t, st.WelcomeFor(ref)), c.kp, c.secrets, st.Tree(), now)
	if err != nil {
		r.t.Fatalf("joining: %v", err)
	}
	r.clients = append(r.clients, c)
}

// commit has by commit and everyone merge it.
func (r *room) commit(by *client, o CommitOptions) *StagedCommit {
	r.t.Helper()
	st, err := by.Commit(o, now)
	if err != nil {
		r.t.Fatalf("committing: %v", err)
	}
	r.deliver(by, st)
	return st
}

// deliver gives an accepted commit to the server, to its maker, and to everyone.
func (r *room) deliver(by *client, st *StagedCommit) {
	r.t.Helper()
	r.serve(st)
	for _, c := range r.clients {
		if c != by {
			r.receive(c, st.Message())
		}
	}
	if by != nil {
		if err := by.Merge(st); err != nil {
			r.t.Fatalf("merging own commit: %v", err)
		}
	}
	r.clients = slices.DeleteFunc(r.clients, func(c *client) bool { return c.Removed() })
}

func (r *room) serve(st *StagedCommit) {
	r.t.Helper()
	e, err := r.server.Process(mustParse(r.t, st.Message()), now)
	if err != nil {
		r.t.Fatalf("server: %v", err)
	}
	seen := e.(*StagedCommit)
	gi, err := st.GroupInfo()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := seen.CheckGroupInfo(gi); err != nil {
		r.t.Fatalf("server: group info: %v", err)
	}
	if err := r.server.Merge(seen); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) receive(c *client, commit []byte) {
	r.t.Helper()
	e, err := c.Process(mustParse(r.t, commit), now)
	if err != nil {
		r.t.Fatalf("leaf %d: %v", c.Own(), err)
	}
	if err := c.Merge(e.(*StagedCommit)); err != nil {
		r.t.Fatalf("leaf %d: %v", c.Own(), err)
	}
}

// propose gives a proposal to the server and to all clients.
func (r *room) propose(message []byte, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("proposing: %v", err)
	}
	if _, err := r.server.Process(mustParse(r.t, message), now); err != nil {
		r.t.Fatalf("server: %v", err)
	}
	for _, c := range r.clients {
		if _, err := c.Process(mustParse(r.t, message), now); err != nil {
			r.t.Fatalf("leaf %d: %v", c.Own(), err)
		}
	}
}

func (r *room) externalProposal(q Proposal) ([]byte, error) {
	ctx := r.server.Context()
	return NewExternalProposal(q, ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: ctx.CipherSuite}, 0, r.external)
}

// agree checks that all share the epoch, that the server sees the same public
// state, and that each reads what the first and the last write.
func (r *room) agree() {
	r.t.Helper()
	want := r.clients[0]
	for _, c := range r.clients {
		wantBytes(r.t, "epoch authenticator", c.EpochAuthenticator(), want.EpochAuthenticator())
		wantBytes(r.t, "tree", c.Tree(), want.Tree())
		a, err := c.Export("test", []byte("context"), 40)
		if err != nil {
			r.t.Fatal(err)
		}
		b, err := want.Export("test", []byte("context"), 40)
		if err != nil {
			r.t.Fatal(err)
		}
		if !a.Equal(b) {
			r.t.Fatal("exported secrets differ")
		}
	}
	wantBytes(r.t, "server's context", marshal(r.server.Context()), marshal(want.Context()))
	wantBytes(r.t, "server's tree", r.server.Tree(), want.Tree())
	if want.ReInit() != nil || len(want.Pending()) > 0 {
		return
	}
	for _, from := range []*client{r.clients[0], r.clients[len(r.clients)-1]} {
		b, err := from.Encrypt([]byte("aad"), []byte("hello"))
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.server.CheckApplication(mustParse(r.t, b)); err != nil {
			r.t.Fatal(err)
		}
		for _, to := range r.clients {
			e, err := to.Process(mustParse(r.t, b), now)
			if to == from {
				if !errors.Is(err, ErrOwnMessage) {
					r.t.Fatalf("own message: %v", err)
				}
				continue
			}
			if err != nil {
				r.t.Fatalf("leaf %d reads: %v", to.Own(), err)
			}
			if m := e.(*ApplicationMessage); string(m.Data) != "hello" || m.Sender != from.Own() {
				r.t.Fatalf("read %q from %d", m.Data, m.Sender)
			}
		}
	}
}
