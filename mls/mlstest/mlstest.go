// Package mlstest makes groups for the tests of other packages. Start with
// [Group].
package mlstest

import (
	"fmt"
	"testing"
	"time"

	"sconce/mls"
)

// Now is a time within the lifetime of every key package made here.
var Now = time.Unix(1_800_000_000, 0)

// Client is a device before it is in a group.
type Client struct {
	Signer     mls.Signer
	KeyPackage *mls.KeyPackage
	Secrets    *mls.KeyPackageSecrets
}

// NewClient makes a device whose basic credential is name.
func NewClient(t testing.TB, suite mls.CipherSuite, name string) *Client {
	t.Helper()
	private, public, err := suite.GenerateSignatureKey()
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Signer: mls.Signer{
		Credential: mls.Credential{Type: mls.CredentialBasic, Identity: []byte(name)},
		Public:     public,
		Private:    private,
	}}
	c.KeyPackage, c.Secrets, err = mls.NewKeyPackage(suite, c.Signer, mls.KeyPackageOptions{
		Lifetime: mls.Lifetime{NotAfter: 1<<64 - 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Group makes a group of n members named "0", "1" and so on, who are all in
// the same epoch. Leaf i is the i-th.
func Group(t testing.TB, suite mls.CipherSuite, n int) []*mls.Group {
	t.Helper()
	return GroupOf(t, mls.Config{}, []byte("group"), suite, nil, n)
}

// GroupOf is [Group] with a config that all members share, an id, and
// extensions of the group context.
func GroupOf(t testing.TB, cfg mls.Config, id []byte, suite mls.CipherSuite, ext mls.Extensions, n int) []*mls.Group {
	t.Helper()
	creator := NewClient(t, suite, "0")
	g, err := mls.Create(cfg, id, suite, creator.Signer, mls.DefaultCapabilities(), ext)
	if err != nil {
		t.Fatal(err)
	}
	groups := []*mls.Group{g}
	if n < 2 {
		return groups
	}
	var clients []*Client
	var adds []mls.Proposal
	for i := 1; i < n; i++ {
		c := NewClient(t, suite, fmt.Sprint(i))
		clients = append(clients, c)
		adds = append(adds, &mls.Add{KeyPackage: c.KeyPackage})
	}
	st, err := g.Commit(mls.CommitOptions{Proposals: adds}, Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Merge(st); err != nil {
		t.Fatal(err)
	}
	welcome, tree := Message(t, st.Welcome()), st.Tree()
	for _, c := range clients {
		joined, err := mls.Join(cfg, welcome, c.KeyPackage, c.Secrets, tree, Now)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, joined)
	}
	return groups
}

// Message parses b.
func Message(t testing.TB, b []byte) *mls.Message {
	t.Helper()
	m, err := mls.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Deliver has every group but those removed before process a commit and merge it. The
// committer passes its own staged commit.
func Deliver(t testing.TB, groups []*mls.Group, committer *mls.Group, st *mls.StagedCommit) {
	t.Helper()
	for _, g := range groups {
		if g.Removed() || g == committer {
			continue
		}
		e, err := g.Process(Message(t, st.Message()), Now)
		if err != nil {
			t.Fatalf("leaf %d: %v", g.Own(), err)
		}
		if err := g.Merge(e.(*mls.StagedCommit)); err != nil {
			t.Fatalf("leaf %d: %v", g.Own(), err)
		}
	}
	if err := committer.Merge(st); err != nil {
		t.Fatal(err)
	}
}
