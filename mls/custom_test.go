package mls

import (
	"errors"
	"strings"
	"testing"
)

func containsRule(text, rule string) bool { return strings.Contains(text, rule) }

const testProposal ProposalType = 0xF0F0

// customRoom has members who all know a proposal of their own.
func customRoom(t *testing.T, rules Rules, n int) []*Group {
	t.Helper()
	s := X25519AES128
	caps := DefaultCapabilities()
	caps.Proposals = append(caps.Proposals, testProposal)
	cfg := Config{Rules: rules}
	g, err := Create(cfg, []byte("g"), s, newSigner(t, s, "a"), caps, nil)
	if err != nil {
		t.Fatal(err)
	}
	groups := []*Group{g}
	for range n - 1 {
		kp, secrets, err := NewKeyPackage(s, newSigner(t, s, "b"), KeyPackageOptions{Lifetime: always(), Capabilities: caps})
		if err != nil {
			t.Fatal(err)
		}
		st, err := g.Commit(CommitOptions{Proposals: []Proposal{&Add{kp}}}, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range groups[1:] {
			e, err := other.Process(mustParse(t, st.Message()), now)
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Merge(e.(*StagedCommit)); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Merge(st); err != nil {
			t.Fatal(err)
		}
		joined, err := Join(cfg, mustParse(t, st.Welcome()), kp, secrets, st.Tree(), now)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, joined)
	}
	return groups
}

func TestCustomProposalsReachTheRules(t *testing.T) {
	groups := customRoom(t, lastWins{}, 2)
	m, err := groups[1].Propose(&CustomProposal{Kind: testProposal, Data: []byte("by reference")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if _, err := g.Process(mustParse(t, m), now); err != nil {
			t.Fatal(err)
		}
	}
	st, err := groups[0].Commit(CommitOptions{Proposals: []Proposal{&CustomProposal{Kind: testProposal, Data: []byte("inline")}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	e, err := groups[1].Process(mustParse(t, st.Message()), now)
	if err != nil {
		t.Fatal(err)
	}
	v := e.(*StagedCommit).View()
	var seen []string
	for _, p := range v.Proposals {
		seen = append(seen, string(p.Proposal.(*CustomProposal).Data))
	}
	if len(seen) != 2 || seen[0] != "inline" || seen[1] != "by reference" || len(v.Updated) != 1 {
		t.Errorf("the rules see %q and %d updated leaves", seen, len(v.Updated))
	}
}

func TestCustomProposalsAreForThoseWhoKnowThem(t *testing.T) {
	custom := &CustomProposal{Kind: testProposal}
	r := newRoom(t, X25519AES128, 3, Config{})
	if _, err := r.clients[0].Commit(CommitOptions{Proposals: []Proposal{custom}}, now); err == nil {
		t.Error("a proposal that no member lists is committed")
	} else {
		wantRefusal(t, err, "12.2", "does not support proposal type")
	}
	_, err := r.externalProposal(custom)
	wantRefusal(t, err, "12.1.8", "custom type")
	groups := customRoom(t, nil, 2)
	_, err = groups[0].Commit(CommitOptions{Proposals: []Proposal{custom}}, now)
	wantRefusal(t, err, "13.2", "not known here")
	groups = customRoom(t, lastWins{}, 2)
	_, err = groups[0].Commit(CommitOptions{Proposals: []Proposal{&CustomProposal{Kind: 0x1234}}}, now)
	wantRefusal(t, err, "13.2", "not known here")
}

func TestRulesMayRefuseACustomProposal(t *testing.T) {
	groups := customRoom(t, noCustom{}, 2)
	if _, err := groups[0].Commit(CommitOptions{Proposals: []Proposal{&CustomProposal{Kind: testProposal}}}, now); !errors.Is(err, errPolicy) {
		t.Errorf("got %v", err)
	}
}

type noCustom struct{ lastWins }

func (noCustom) Commit(v *CommitView) error {
	for _, p := range v.Proposals {
		if _, ok := p.Proposal.(*CustomProposal); ok {
			return errPolicy
		}
	}
	return nil
}
