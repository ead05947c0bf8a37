package mls

import (
	"testing"
)

// fresh gives key packages of these clients for a suite they may not have had
// before.
func fresh(t *testing.T, suite CipherSuite, clients ...*client) (kps []*KeyPackage, secrets []*KeyPackageSecrets) {
	t.Helper()
	for _, c := range clients {
		signer := c.signer
		if suite != c.Context().CipherSuite {
			signer = newSigner(t, suite, string(signer.Credential.Identity))
		}
		kp, s, err := NewKeyPackage(suite, signer, KeyPackageOptions{Lifetime: always()})
		if err != nil {
			t.Fatal(err)
		}
		kps, secrets = append(kps, kp), append(secrets, s)
	}
	return kps, secrets
}

func TestReInitMayChangeTheSuite(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	ext := Extensions{RequiredCapabilities{Proposals: []ProposalType{ProposalSelfRemove}}.Extension()}
	r.commit(r.clients[1], CommitOptions{Proposals: []Proposal{
		&ReInit{GroupID: []byte("next"), Version: 1, CipherSuite: P256AES128, Extensions: ext}}})
	a, others := r.clients[2], r.clients[:2]
	kps, secrets := fresh(t, P256AES128, others...)
	next, st, err := a.ReInitialise(r.cfg, newSigner(t, P256AES128, "client 3"), kps, SuccessionOptions{InlineTree: true}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Merge(st); err != nil {
		t.Fatal(err)
	}
	for i, c := range others {
		g, err := Join(c.Succeeding(r.cfg), mustParse(t, st.Welcome()), kps[i], secrets[i], nil, now)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "epoch authenticator", g.EpochAuthenticator(), next.EpochAuthenticator())
		if _, err := Join(r.cfg, mustParse(t, st.Welcome()), kps[i], secrets[i], nil, now); err == nil {
			t.Error("one who does not know the old group joins")
		}
	}
}

func TestBranchTakesSomeMembersAlong(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{})
	a, some := r.clients[1], r.clients[2:3]
	kps, secrets := fresh(t, r.suite, some...)
	sub, st, err := a.Branch(r.cfg, []byte("sub"), nil, a.signer, kps, SuccessionOptions{ForcePath: true}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Merge(st); err != nil {
		t.Fatal(err)
	}
	g, err := Join(some[0].Succeeding(r.cfg), mustParse(t, st.Welcome()), kps[0], secrets[0], st.Tree(), now)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "epoch authenticator", g.EpochAuthenticator(), sub.EpochAuthenticator())
	r.agree() // the group goes on
}

// TestFalseSuccessorsAreRefused breaks one rule of RFC 9420, Sections 11.2 and
// 11.3, each time: by whom makes the new group, and by whom joins it.
func TestFalseSuccessorsAreRefused(t *testing.T) {
	stranger := func(t *testing.T) *KeyPackage {
		kp, _, err := NewKeyPackage(X25519AES128, newSigner(t, X25519AES128, "stranger"), KeyPackageOptions{Lifetime: always()})
		if err != nil {
			t.Fatal(err)
		}
		return kp
	}
	reinit := &ReInit{GroupID: []byte("next"), Version: 1, CipherSuite: X25519AES128}
	start := func(t *testing.T, closed bool) *room {
		r := newRoom(t, X25519AES128, 3, Config{})
		if closed {
			r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{reinit}})
		}
		return r
	}
	t.Run("branch with a stranger", func(t *testing.T) {
		r := start(t, false)
		kps, _ := fresh(t, r.suite, r.clients[1])
		_, _, err := r.clients[0].Branch(r.cfg, []byte("sub"), nil, r.clients[0].signer, append(kps, stranger(t)), SuccessionOptions{}, now)
		wantRefusal(t, err, "11.3", "no member of the old one")
	})
	t.Run("reinit without a member", func(t *testing.T) {
		r := start(t, true)
		kps, _ := fresh(t, r.suite, r.clients[1])
		_, _, err := r.clients[0].ReInitialise(r.cfg, r.clients[0].signer, kps, SuccessionOptions{}, now)
		wantRefusal(t, err, "12.4.1", "2 members")
	})
	link := func(r *room, usage ResumptionPSKUsage) PreSharedKeyID {
		ctx := r.clients[0].Context()
		return PreSharedKeyID{Type: PSKResumption, Usage: usage, GroupID: ctx.GroupID, Epoch: ctx.Epoch}
	}
	tests := []struct {
		name          string
		closed        bool
		usage         ResumptionPSKUsage
		twist         func(id *PreSharedKeyID, ctx *GroupContext)
		section, rule string
	}{
		{"of another group", true, ResumptionReInit, func(id *PreSharedKeyID, _ *GroupContext) { id.GroupID = []byte("x") }, "11.2", "continues another"},
		{"of a group that was not closed", false, ResumptionReInit, func(*PreSharedKeyID, *GroupContext) {}, "11.2", "not closed"},
		{"of an epoch before the reinit", true, ResumptionReInit, func(id *PreSharedKeyID, _ *GroupContext) { id.Epoch-- }, "11.2", "not of that after"},
		{"with another suite", true, ResumptionReInit, func(_ *PreSharedKeyID, ctx *GroupContext) { ctx.CipherSuite = P256AES128 }, "11.2", "cipher suite"},
		{"with another id", true, ResumptionReInit, func(_ *PreSharedKeyID, ctx *GroupContext) { ctx.GroupID = []byte("x") }, "11.2", "another id"},
		{"with other extensions", true, ResumptionReInit, func(_ *PreSharedKeyID, ctx *GroupContext) {
			ctx.Extensions = Extensions{RequiredCapabilities{}.Extension()}
		}, "11.2", "other extensions"},
		{"branch with another suite", false, ResumptionBranch, func(_ *PreSharedKeyID, ctx *GroupContext) { ctx.CipherSuite = P256AES128 }, "11.3", "cipher suite"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, test.closed)
			g := r.clients[0]
			ctx := &GroupContext{Version: 1, CipherSuite: reinit.CipherSuite, GroupID: reinit.GroupID, Epoch: 1}
			id := link(r, test.usage)
			if err := g.checkSuccession(id, ctx, g.public.tree); test.closed && err != nil {
				t.Fatalf("before it is twisted: %v", err)
			}
			test.twist(&id, ctx)
			wantRefusal(t, g.checkSuccession(id, ctx, g.public.tree), test.section, test.rule)
		})
	}
}
