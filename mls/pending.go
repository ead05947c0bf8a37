package mls

import (
	"bytes"
	"errors"
	"iter"
)

// pendingSet holds the valid proposals of an epoch in the order they came, by
// reference (RFC 9420, Section 12.1).
type pendingSet struct {
	order   []*pendingProposal
	byRef   map[string]*pendingProposal
	leaving map[LeafIndex]*pendingProposal // by SelfRemove
}

type pendingProposal struct {
	view    ProposalView
	encoded []byte // AuthenticatedContent, for the record
	place   int    // in the order
}

// maxPending bounds what one epoch's proposals can cost a member.
const maxPending = 1024

var errTooManyPending = errors.New("mls: too many proposals are pending")

func (s *pendingSet) len() int { return len(s.order) }

func (s *pendingSet) find(ref []byte) (*ProposalView, bool) {
	p, ok := s.byRef[string(ref)]
	if !ok {
		return nil, false
	}
	return &p.view, true
}

func (s *pendingSet) add(p *pendingProposal) error {
	if s.byRef[string(p.view.Ref)] != nil {
		return nil
	}
	if len(s.order) >= maxPending {
		return errTooManyPending
	}
	if s.byRef == nil {
		s.byRef = map[string]*pendingProposal{}
		s.leaving = map[LeafIndex]*pendingProposal{}
	}
	if p.view.Proposal.Type() == ProposalSelfRemove {
		s.leaving[p.view.Sender.leaf()] = p
	}
	p.place = len(s.order)
	s.byRef[string(p.view.Ref)] = p
	s.order = append(s.order, p)
	return nil
}

// checkOnlySelfRemove: a member leaves once an epoch
// (draft-ietf-mls-extensions, SelfRemove).
func (s *pendingSet) checkOnlySelfRemove(v *ProposalView) error {
	if v.Proposal.Type() != ProposalSelfRemove {
		return nil
	}
	if p := s.leaving[v.Sender.leaf()]; p != nil && !bytes.Equal(p.view.Ref, v.Ref) {
		return invalid("draft-ietf-mls-extensions SelfRemove", "second self remove of leaf %d in an epoch", v.Sender.Index)
	}
	return nil
}

func (s *pendingSet) all() iter.Seq[*ProposalView] {
	return func(yield func(*ProposalView) bool) {
		for _, p := range s.order {
			if !yield(&p.view) {
				return
			}
		}
	}
}
