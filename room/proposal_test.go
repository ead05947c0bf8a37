package room

import (
	"crypto/rand"
	"testing"

	"sconce/mls"
)

func TestRoomsKnowNoOtherProposals(t *testing.T) {
	p := newParty(t)
	psk := mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("psk"), Nonce: make([]byte, 48)}
	_, _ = rand.Read(psk.Nonce) // never fails
	ctx := p.public.Context()
	for name, q := range map[string]mls.Proposal{
		"reinit":                   &mls.ReInit{GroupID: ctx.GroupID, Version: ctx.Version, CipherSuite: Suite, Extensions: ctx.Extensions},
		"group context extensions": &mls.GroupContextExtensions{Extensions: ctx.Extensions},
	} {
		t.Run(name, func(t *testing.T) { p.refuse("proposals", p.alice.phone, inline(q)) })
	}
	t.Run("pre-shared key", func(t *testing.T) {
		view := *p.commit(p.alice.phone, inline()).View()
		view.Proposals = []mls.ProposalView{{Proposal: &mls.PreSharedKey{ID: psk}, Sender: view.Committer}}
		p.wantRule("the rules", "proposals", p.server.Rules.Commit(&view))
	})
}

func TestMembersProposeNothingButToLeave(t *testing.T) {
	p := newParty(t)
	ctx := p.public.Context()
	psk := mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("psk"), Nonce: make([]byte, 48)}
	for name, q := range map[string]mls.Proposal{
		"add":                      p.brings(p.newPerson().phone),
		"update":                   &mls.Update{},
		"remove":                   p.remove(p.carol.phone),
		"pre-shared key":           &mls.PreSharedKey{ID: psk},
		"reinit":                   &mls.ReInit{GroupID: ctx.GroupID, Version: ctx.Version, CipherSuite: Suite, Extensions: ctx.Extensions},
		"group context extensions": &mls.GroupContextExtensions{Extensions: ctx.Extensions},
		"app data":                 StateProposal([32]byte{1}),
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := p.groups[p.alice.phone].Propose(q, nil)
			p.ok(err)
			p.refused("proposals", p.alice.phone, raw)
		})
	}
}

// What Proposal keeps out, Commit refuses as well: a store of pending proposals
// may be older than the rule.
func TestCommitOfProposalsByReferenceIsRefused(t *testing.T) {
	p := newParty(t)
	for _, q := range []mls.Proposal{p.brings(p.newPerson().phone), StateProposal([32]byte{1}), &mls.ExternalInit{}, &mls.Update{}} {
		view := *p.commit(p.alice.phone, inline()).View()
		view.Proposals = []mls.ProposalView{{Proposal: q, Sender: view.Committer, ByReference: true}}
		p.wantRule("the rules", "proposals", p.server.Rules.Commit(&view))
	}
}

func TestServerProposesRemovals(t *testing.T) {
	p := newParty(t)
	p.propose(nil, p.external(p.remove(p.laptop), p.secret, 0))
	p.accept(p.carol.phone, p.commit(p.carol.phone, inline()))
	if len(p.devices) != 3 {
		t.Errorf("%d devices are in the room, want 3", len(p.devices))
	}
}

func TestServerProposesNothingElse(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	for name, q := range map[string]mls.Proposal{
		"add":                      p.brings(dave.phone),
		"state":                    StateProposal([32]byte{1}),
		"participants":             set(p.bob.at(Admin, 0)),
		"group context extensions": &mls.GroupContextExtensions{Extensions: p.public.Context().Extensions},
	} {
		t.Run(name, func(t *testing.T) { p.refused("proposals", nil, p.external(q, p.secret, 0)) })
	}
}

func TestRemovalByAnUnlistedSenderIsRefused(t *testing.T) {
	p := newParty(t)
	for name, raw := range map[string][]byte{
		"another key":   p.external(p.remove(p.laptop), p.strangerSecret, 0),
		"another index": p.external(p.remove(p.laptop), p.secret, 1),
	} {
		t.Run(name, func(t *testing.T) {
			p.hear(nil, raw, func(who string, _ mls.Event, err error) {
				if err == nil {
					t.Errorf("%s takes it", who)
				}
			})
		})
	}
}

func TestNobodyAsksToBeLetIn(t *testing.T) {
	p := newParty(t)
	dave := p.newPerson()
	s, ctx := dave.phone.signer(), p.public.Context()
	raw, err := mls.NewJoinProposal(p.offer(s).kp, mls.ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: Suite}, s.Private)
	p.ok(err)
	p.refused("proposals", nil, raw)
}
