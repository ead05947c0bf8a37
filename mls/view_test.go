package mls

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// said writes down what a view says of the members: who was changed, from what to
// what, by whom, and how.
func said(v *CommitView) string {
	by := map[SenderType]string{SenderMember: "member", SenderExternal: "sender", SenderNewMemberProposal: "asker", SenderNewMemberCommit: "joiner"}
	name := func(l *LeafNode) string {
		if l == nil {
			return "nobody"
		}
		return string(l.Credential.Identity)
	}
	var out strings.Builder
	list := func(what string, changes []MemberChange) {
		for _, c := range changes {
			fmt.Fprintf(&out, "%s %d: %s to %s, by %s %d", what, c.Leaf, name(c.Old), name(c.New), by[c.By.Type], c.By.Index)
			if c.ByReference {
				out.WriteString(", by reference")
			}
			if c.SelfRemoved {
				out.WriteString(", itself")
			}
			out.WriteByte('\n')
		}
	}
	list("added", v.Added)
	list("removed", v.Removed)
	list("updated", v.Updated)
	fmt.Fprintf(&out, "by %s %d, %s; external %t, resync %t\nthen", by[v.Committer.Type], v.Committer.Index, name(v.CommitterLeaf), v.External, v.Resync)
	for i, l := range v.Members() {
		fmt.Fprintf(&out, " %d %s", i, name(l))
	}
	return out.String() + "\n"
}

// checkViews holds what everyone says of a commit against what is true, and
// merges it. A follower says the same as the members, without any secret.
func (r *room) checkViews(st *StagedCommit, by *client, want string) {
	r.t.Helper()
	want = strings.TrimLeft(want, "\n")
	staged := map[string]*StagedCommit{"who made it": st}
	for _, c := range r.clients {
		if c == by {
			continue
		}
		e, err := c.Process(mustParse(r.t, st.Message()), now)
		if err != nil {
			r.t.Fatal(err)
		}
		staged[fmt.Sprintf("leaf %d", c.Own())] = e.(*StagedCommit)
	}
	e, err := r.server.Process(mustParse(r.t, st.Message()), now)
	if err != nil {
		r.t.Fatal(err)
	}
	staged["the follower"] = e.(*StagedCommit)
	for who, s := range staged {
		if got := said(s.View()); got != want {
			r.t.Errorf("%s says\n%swant\n%s", who, got, want)
		}
		for _, c := range slices.Concat(s.View().Added, s.View().Updated) {
			if c.New != s.tree.leaf(c.Leaf) {
				r.t.Errorf("%s gives another leaf than stands in the tree", who)
			}
		}
	}
	r.deliver(by, st)
}

func TestViewsSayWhoChangedWhom(t *testing.T) {
	r := newRoom(t, X25519AES128, 5, Config{}) // "client 1" at leaf 0, and so on
	a := r.clients[0]
	x, y, z := r.newClient(), r.newClient(), r.newClient()
	ctx := r.server.Context()
	r.propose(r.clients[1].Propose(&Add{x.kp}, nil))
	r.propose(NewJoinProposal(y.kp, ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: r.suite}, y.signer.Private))
	r.propose(r.externalProposal(&Remove{Removed: 4}))
	r.propose(r.clients[2].Propose(&SelfRemove{}, nil))
	r.propose(r.clients[3].Propose(&Update{}, nil))
	st, err := a.Commit(CommitOptions{Proposals: []Proposal{&Add{z.kp}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.checkViews(st, a, `
added 2: nobody to client 8, by member 0
added 4: nobody to client 6, by member 1, by reference
added 5: nobody to client 7, by asker 0, by reference
removed 4: client 5 to nobody, by sender 0, by reference
removed 2: client 3 to nobody, by member 2, by reference, itself
updated 3: client 4 to client 4, by member 3, by reference
updated 0: client 1 to client 1, by member 0
by member 0, client 1; external false, resync false
then 0 client 1 1 client 2 2 client 8 3 client 4 4 client 6 5 client 7
`)

	// One who enters by itself, and one who comes back.
	for _, back := range []bool{false, true} {
		c, o := r.newClient(), ExternalOptions{}
		want := `
added 6: nobody to client 9, by joiner 6
by joiner 6, client 9; external true, resync false
then 0 client 1 1 client 2 2 client 8 3 client 4 4 client 6 5 client 7 6 client 9
`
		if back {
			leaf := LeafIndex(1)
			o.Resync = &leaf
			want = `
added 1: nobody to client 10, by joiner 1
removed 1: client 2 to nobody, by joiner 1
by joiner 1, client 10; external true, resync true
then 0 client 1 1 client 10 2 client 8 3 client 4 4 client 6 5 client 7 6 client 9
`
		}
		gi, err := a.GroupInfo(false)
		if err != nil {
			t.Fatal(err)
		}
		st, err := JoinExternal(c.cfg, gi, r.server.Tree(), c.signer, o, now)
		if err != nil {
			t.Fatal(err)
		}
		r.checkViews(st, nil, want)
	}
}

// TestViewsCarryTheProofOfADevice: the credential and the key with which a device
// shows that it is one come to the follower as they stand in the KeyPackage.
func TestViewsCarryTheProofOfADevice(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	signer := newSigner(t, r.suite, "user, device, and the entry that admitted it")
	signer.Credential.Type = CredentialDevice
	kp, _, err := NewKeyPackage(r.suite, signer, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	st, err := r.clients[0].Commit(CommitOptions{Proposals: []Proposal{&Add{kp}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.server.Process(mustParse(t, st.Message()), now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := e.(*StagedCommit).View().Added[0].New
	if !leaf.Credential.equal(signer.Credential) || !bytes.Equal(leaf.SignatureKey, signer.Public) || !bytes.Equal(marshal(leaf), marshal(kp.Leaf)) {
		t.Errorf("the follower sees %+v", leaf)
	}
}
