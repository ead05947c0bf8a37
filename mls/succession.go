package mls

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"time"
)

// How a group goes on as another: re-initialised with other parameters
// (RFC 9420, Section 11.2), or branched into a subgroup (Section 11.3). A
// resumption PSK of the old group ties the new one to it.

// SuccessionOptions is what a new group says beyond its members.
type SuccessionOptions struct {
	Capabilities Capabilities // the creator's; the zero value means [DefaultCapabilities]
	ForcePath    bool         // give the creator's leaf new keys at once
	InlineTree   bool         // put the ratchet tree into the Welcome
}

// ReInitialise makes the group that a merged [ReInit] asked for. members are
// fresh KeyPackages of all other members, for the new suite. The group comes
// with the commit that adds them, its first: send its Welcome and merge it.
func (g *Group) ReInitialise(cfg Config, signer Signer, members []*KeyPackage, o SuccessionOptions, now time.Time) (*Group, *StagedCommit, error) {
	r := g.public.reinit
	switch {
	case g.removed:
		return nil, nil, ErrRemoved
	case r == nil:
		return nil, nil, errors.New("mls: the group was not closed by a ReInit")
	}
	return g.succeed(cfg, r.GroupID, r.CipherSuite, r.Extensions, ResumptionReInit, signer, members, o, now)
}

// Branch makes a subgroup of some of the members, who are named by fresh
// KeyPackages. The group comes with the commit that adds them, its first: send
// its Welcome and merge it. The group branched from goes on beside it.
func (g *Group) Branch(cfg Config, groupID []byte, ext Extensions, signer Signer, members []*KeyPackage, o SuccessionOptions, now time.Time) (*Group, *StagedCommit, error) {
	if err := g.usable(); err != nil {
		return nil, nil, err
	}
	return g.succeed(cfg, groupID, g.public.s.id, ext, ResumptionBranch, signer, members, o, now)
}

func (g *Group) succeed(cfg Config, groupID []byte, suite CipherSuite, ext Extensions, usage ResumptionPSKUsage,
	signer Signer, members []*KeyPackage, o SuccessionOptions, now time.Time) (*Group, *StagedCommit, error) {
	next, err := Create(g.Succeeding(cfg), groupID, suite, signer, o.Capabilities, ext)
	if err != nil {
		return nil, nil, err
	}
	nonce := make([]byte, next.public.s.nh)
	rand.Read(nonce) // never fails since Go 1.24
	id := PreSharedKeyID{Type: PSKResumption, Usage: usage, GroupID: g.public.ctx.GroupID, Epoch: g.public.ctx.Epoch, Nonce: nonce}
	proposals := make([]Proposal, 0, len(members)+1)
	for _, kp := range members {
		proposals = append(proposals, &Add{KeyPackage: kp})
	}
	proposals = append(proposals, &PreSharedKey{ID: id})
	st, err := next.Commit(CommitOptions{Proposals: proposals, ForcePath: o.ForcePath, InlineTree: o.InlineTree}, now)
	if err != nil {
		return nil, nil, err
	}
	// The joiners will ask the same of the group as it stands after this commit.
	return next, st, g.checkSuccession(id, st.ctx, st.tree)
}

// Succeeding gives cfg with what a group needs that continues this one: this
// group's resumption PSKs, and its judgement of who may follow it. It is for
// [Join] with a Welcome to such a group.
func (g *Group) Succeeding(cfg Config) Config {
	others := cfg.PSK
	cfg.PSK = func(id PreSharedKeyID) (Secret, bool) {
		if id.Type == PSKResumption && bytes.Equal(id.GroupID, g.public.ctx.GroupID) {
			if psk, ok := g.ResumptionPSK(id.Epoch); ok {
				return psk, true
			}
		}
		if others == nil {
			return nil, false
		}
		return others(id)
	}
	cfg.Successor = g.CheckSuccessor
	return cfg
}

// CheckSuccessor judges a group whose Welcome claims that it continues this
// one: it is the ReInit's, with the same members, or a subgroup of this group's
// members (RFC 9420, Sections 11.2 and 11.3). A leaf stands for a member if
// their credentials are equal; an application for which they need not be gives
// a [Config.Successor] of its own.
func (g *Group) CheckSuccessor(old PreSharedKeyID, next *Group) error {
	return g.checkSuccession(old, next.public.ctx, next.public.tree)
}

func (g *Group) checkSuccession(old PreSharedKeyID, ctx *GroupContext, t *tree) error {
	if !bytes.Equal(old.GroupID, g.public.ctx.GroupID) {
		return invalid("11.2", "the group continues another than this")
	}
	if old.Usage == ResumptionReInit {
		if err := g.checkReInitialised(old, ctx); err != nil {
			return err
		}
	} else if ctx.Version != g.public.ctx.Version || ctx.CipherSuite != g.public.ctx.CipherSuite {
		return invalid("11.3", "the subgroup has another version or cipher suite")
	}
	members := map[string]int{}
	for _, l := range g.public.tree.leaves() {
		members[string(l.Credential.appendTo(nil))]++
	}
	for i, l := range t.leaves() {
		key := string(l.Credential.appendTo(nil))
		if members[key] == 0 {
			return invalid("11.3", "leaf %d of the new group is no member of the old one", i)
		}
		members[key]--
	}
	if old.Usage == ResumptionReInit && t.memberCount() != g.MemberCount() {
		return invalid("12.4.1", "the new group has %d members, the old one %d", t.memberCount(), g.MemberCount())
	}
	return nil
}

// checkReInitialised is RFC 9420, Section 11.2.
func (g *Group) checkReInitialised(old PreSharedKeyID, ctx *GroupContext) error {
	r := g.public.reinit
	switch {
	case r == nil:
		return invalid("11.2", "the old group was not closed by a reinit")
	case old.Epoch != g.public.ctx.Epoch:
		return invalid("11.2", "the PSK is of epoch %d, not of that after the reinit", old.Epoch)
	case ctx.Version != r.Version || ctx.CipherSuite != r.CipherSuite:
		return invalid("11.2", "the new group has another version or cipher suite than the reinit asks for")
	case !bytes.Equal(ctx.GroupID, r.GroupID):
		return invalid("11.2", "the new group has another id than the reinit asks for")
	case !slices.Equal(ctx.Extensions.appendTo(nil), r.Extensions.appendTo(nil)):
		return invalid("11.2", "the new group has other extensions than the reinit asks for")
	}
	return nil
}
