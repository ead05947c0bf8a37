package mls

import (
	"bytes"
	"crypto/sha256"
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

// sentProposals are this member's own encrypted proposals of an epoch. Their
// message keys are gone, so that they could not be read when they come back.
type sentProposals []sentProposal

type sentProposal struct {
	digest  [sha256.Size]byte // of the PrivateMessage
	encoded []byte            // AuthenticatedContent
}

func (s *sentProposals) add(m *privateMessage, ac *authenticatedContent) {
	if len(*s) == maxPending {
		*s = (*s)[1:] // more could not be pending anyway
	}
	*s = append(*s, sentProposal{sha256.Sum256(marshal(m)), marshal(ac)})
}

// find gives the content of a message that this member sent, nil of others.
func (s sentProposals) find(m *privateMessage) *authenticatedContent {
	if len(s) == 0 {
		return nil
	}
	digest := sha256.Sum256(marshal(m))
	for _, p := range s {
		if p.digest != digest {
			continue
		}
		ac, err := parse(p.encoded, "sent proposal", readAuthenticatedContent)
		if err != nil || ac.content.contentType != ContentProposal {
			return nil // a damaged record
		}
		return ac
	}
	return nil
}

func (p sentProposal) appendTo(b []byte) []byte {
	return appendVec(append(b, p.digest[:]...), p.encoded)
}

func readSentProposal(r *reader) sentProposal {
	var p sentProposal
	copy(p.digest[:], r.fixed(len(p.digest)))
	p.encoded = bytes.Clone(r.vec())
	return p
}
