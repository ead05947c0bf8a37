package mls

import (
	"testing"
)

func TestExternalSendersMaySendOnlySomeProposals(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	for _, q := range []Proposal{&Update{Leaf: r.server.Member(0)}, &SelfRemove{}, &ExternalInit{}} {
		if _, err := r.externalProposal(q); err == nil {
			t.Errorf("%T is made", q)
		}
		ctx := r.server.Context()
		ac := &authenticatedContent{format: FormatPublicMessage, content: &framedContent{groupID: ctx.GroupID, epoch: ctx.Epoch,
			sender: Sender{Type: SenderExternal}, contentType: ContentProposal, proposal: q}}
		if err := ac.sign(r.server.s, r.external, nil); err != nil {
			t.Fatal(err)
		}
		r.refused(marshal(&Message{Format: FormatPublicMessage, public: protectPublic(r.server.s, ac, nil, nil)}), "12.1.8", "from an external sender")
	}
	r.propose(r.externalProposal(&AppDataUpdate{Component: testComponent, Update: []byte("by the server")}))
	r.commit(r.clients[2], CommitOptions{})
	r.agree()
}

func TestNewMemberMayAskToBeAdded(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	c := r.newClient()
	ctx := r.server.Context()
	r.propose(NewJoinProposal(c.kp, ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: ctx.CipherSuite}, c.signer.Private))
	st := r.commit(r.clients[1], CommitOptions{})
	r.join(c, st)
	r.agree()
}

// joining makes a valid external commit and lets twist change its content
// before it is signed again by the joiner.
func (r *room) joining(o ExternalOptions, twist func(c *framedContent, leafKey *Secret)) []byte {
	r.t.Helper()
	gi, err := r.clients[0].GroupInfo(true)
	if err != nil {
		r.t.Fatal(err)
	}
	signer := newSigner(r.t, r.suite, "joiner")
	st, err := JoinExternal(r.cfg, gi, nil, signer, o, now)
	if err != nil {
		r.t.Fatal(err)
	}
	ac := mustParse(r.t, st.Message()).public.authenticated()
	ac.content.encoded = nil
	key := signer.Private
	twist(ac.content, &key)
	if err := ac.sign(r.server.s, key, r.server.encoded); err != nil {
		r.t.Fatal(err)
	}
	return marshal(&Message{Format: FormatPublicMessage, public: protectPublic(r.server.s, ac, nil, nil)})
}

func TestInvalidExternalCommitsAreRefused(t *testing.T) {
	add := func(items ...proposalOrRef) func(*framedContent, *Secret) {
		return func(c *framedContent, _ *Secret) { c.commit.proposals = append(c.commit.proposals, items...) }
	}
	leaf := LeafIndex(2)
	tests := []struct {
		name          string
		o             ExternalOptions
		twist         func(r *room) func(*framedContent, *Secret)
		section, rule string
	}{
		{"no path", ExternalOptions{}, func(*room) func(*framedContent, *Secret) {
			return func(c *framedContent, _ *Secret) { c.commit.path = nil }
		}, "12.4.3.2", "path"},
		{"no external init", ExternalOptions{}, func(*room) func(*framedContent, *Secret) {
			return func(c *framedContent, _ *Secret) { c.commit.proposals = nil }
		}, "12.2", "without external init"},
		{"two external inits", ExternalOptions{}, func(*room) func(*framedContent, *Secret) { return add(inline(&ExternalInit{})...) }, "12.2", "external commit with more than one"},
		{"two removes", ExternalOptions{Resync: &leaf}, func(*room) func(*framedContent, *Secret) { return add(inline(&Remove{Removed: 1})...) }, "12.2", "external commit with more than one"},
		{"an add", ExternalOptions{}, func(r *room) func(*framedContent, *Secret) { return add(inline(&Add{r.newClient().kp})...) }, "12.2", "external commit with proposal type 1"},
		{"group context extensions", ExternalOptions{}, func(*room) func(*framedContent, *Secret) {
			return add(inline(&GroupContextExtensions{})...)
		}, "12.2", "external commit with proposal type 7"},
		{"reinit", ExternalOptions{}, func(*room) func(*framedContent, *Secret) { return add(inline(&ReInit{Version: 1})...) }, "12.2", "external commit with proposal type 5"},
		{"a remove by reference", ExternalOptions{}, func(r *room) func(*framedContent, *Secret) {
			r.propose(r.clients[0].Propose(&Remove{Removed: 1}, nil))
			return add(r.pendingRefs()...)
		}, "12.4.3.2", "by reference"},
		{"self remove inside", ExternalOptions{}, func(*room) func(*framedContent, *Secret) { return add(inline(&SelfRemove{})...) }, "12.4.3.2", "by reference"},
		{"resync that keeps the encryption key", ExternalOptions{Resync: &leaf}, func(r *room) func(*framedContent, *Secret) {
			return func(c *framedContent, key *Secret) {
				c.commit.path.leaf.EncryptionKey = r.server.Member(leaf).EncryptionKey
				if err := c.commit.path.leaf.sign(r.server.s, *key, r.server.ctx.GroupID, leaf); err != nil {
					r.t.Fatal(err)
				}
			}
		}, "12.2", "keeps the encryption key"},
		{"signed by another key than the leaf's", ExternalOptions{}, func(r *room) func(*framedContent, *Secret) {
			return func(_ *framedContent, key *Secret) { *key = r.clients[0].signer.Private }
		}, "6.1", "signature"},
		{"another's signature key", ExternalOptions{}, func(r *room) func(*framedContent, *Secret) {
			return func(c *framedContent, key *Secret) {
				*key = r.clients[1].signer.Private
				c.commit.path.leaf.SignatureKey = r.clients[1].signer.Public
				if err := c.commit.path.leaf.sign(r.server.s, *key, r.server.ctx.GroupID, 4); err != nil {
					r.t.Fatal(err)
				}
			}
		}, "7.3", "update path has the signature key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRoom(t, X25519AES128, 4, Config{})
			r.refused(r.joining(test.o, test.twist(r)), test.section, test.rule)
		})
	}
}
