package mls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How a member opens messages, and goes from epoch to epoch.

// Process opens and checks a message to the group: application data, a
// proposal, which is pending when Process returns, or a commit, which changes
// nothing until [Group.Merge]. On error nothing has changed, but that past epochs
// may be gone whose time was over: see [Group.ForgetPast]. now is as for
// [PublicGroup.Process].
//
// Errors to decide on: an [EpochError] for what comes early or late,
// [ErrNotForGroup], [ErrOwnMessage], [ErrCannotDecrypt], [UnknownPSKError],
// [ErrRemoved] and [ErrClosed]; [InvalidError] and what the application's own
// [Rules] and [Authority] said for what nobody should take.
func (g *Group) Process(m *Message, now time.Time) (Event, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	g.forgetPast(now)
	if p := g.pastOf(m); p != nil {
		return g.processPast(p, m.private)
	}
	if err := g.public.checkAddress(m); err != nil {
		return nil, err
	}
	if m.private != nil {
		return g.processPrivate(m.private, now)
	}
	c := m.public.content
	if c.contentType == ContentCommit && c.sender.Type == SenderMember && c.sender.leaf() == g.own {
		return nil, ErrOwnMessage
	}
	if err := m.public.checkMembershipTag(g.public.s, g.epoch.membership, g.public.encoded); err != nil {
		return nil, err
	}
	ac := m.public.authenticated()
	if err := g.public.authenticate(ac); err != nil {
		return nil, err
	}
	return g.processHandshake(ac, now)
}

func (g *Group) processPrivate(m *privateMessage, now time.Time) (Event, error) {
	sd, err := m.senderData(g.public.s, g.epoch.senderData)
	if err != nil {
		return nil, err
	}
	if sd.leaf == g.own {
		if ac := g.sent.find(m); ac != nil {
			return g.processHandshake(ac, now)
		}
		return nil, ErrOwnMessage
	}
	if g.public.tree.leaf(sd.leaf) == nil {
		return nil, invalid("6.3.2", "message from leaf %d, which is blank", sd.leaf)
	}
	plaintext, k, err := m.decrypt(g.public.s, g.messages, sd)
	if err != nil {
		return nil, err
	}
	defer k.discard() // which does nothing to a key that was consumed
	if m.contentType == ContentApplication {
		return event(g.processApplication(m, sd, plaintext, k))
	}
	ac, err := m.parseContent(plaintext, sd.leaf)
	if err != nil {
		return nil, err
	}
	if err := g.public.authenticate(ac); err != nil {
		return nil, err
	}
	e, err := g.processHandshake(ac, now)
	if err != nil {
		return nil, err
	}
	if _, ok := e.(*ProposalReceived); ok {
		k.consume() // a commit's key goes with its epoch
	}
	return e, nil
}

// processApplication is apart because what it makes on the way can stay on the
// stack: most of what a group processes is application data.
func (g *Group) processApplication(m *privateMessage, sd senderData, plaintext []byte, k *messageKey) (*ApplicationMessage, error) {
	var c framedContent
	auth, err := m.readContent(&c, plaintext, sd.leaf)
	if err != nil {
		return nil, err
	}
	if err := g.public.authenticateContent(&c, FormatPrivateMessage, auth.signature); err != nil {
		return nil, err
	}
	k.consume()
	return &ApplicationMessage{
		Sender:            sd.leaf,
		Credential:        g.public.tree.leaf(sd.leaf).Credential,
		Epoch:             m.epoch,
		Generation:        sd.generation,
		Data:              c.application,
		AuthenticatedData: m.authenticatedData,
	}, nil
}

func (g *Group) processHandshake(ac *authenticatedContent, now time.Time) (Event, error) {
	if ac.content.contentType == ContentProposal {
		return event(g.public.receiveProposal(ac, now))
	}
	t, err := g.public.receiveCommit(ac, now)
	if err != nil {
		return nil, err
	}
	return event(g.follow(t, ac, now))
}

// event makes sure that an error comes with no event, not with one that is a
// nil pointer inside.
func event[E Event](e E, err error) (Event, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}

// follow opens a received commit's secrets and checks that the committer has
// the same epoch (RFC 9420, Section 12.4.2).
func (g *Group) follow(t *transition, ac *authenticatedContent, now time.Time) (*StagedCommit, error) {
	for _, r := range t.view.Removed {
		if r.Leaf == g.own {
			st := t.stage(ac, now).confirm(ac.auth.confirmationTag)
			st.removed = true
			return st, nil
		}
	}
	s := g.public.s
	commitSecret, secrets, err := g.openPath(t, ac.content.commit.path)
	if err != nil {
		return nil, unopened(err)
	}
	defer commitSecret.erase()
	init, err := g.initSecret(t)
	if err != nil {
		secrets.erase()
		return nil, unopened(err)
	}
	defer init.erase()
	psk, err := g.pskSecret(t.psks)
	if err != nil {
		secrets.erase()
		return nil, err
	}
	defer psk.erase()
	st := t.stage(ac, now)
	joiner, epoch := s.nextEpoch(init, commitSecret, psk, st.encoded)
	joiner.erase()
	if err := epoch.checkConfirmationTag(s, st.ctx.ConfirmedTranscriptHash, ac.auth.confirmationTag); err != nil {
		epoch.erase()
		secrets.erase()
		return nil, unopened(err)
	}
	st.member = &member{own: g.own, signer: slices.Clone(g.signer), secrets: secrets, epoch: epoch}
	return st.confirm(ac.auth.confirmationTag), nil
}

// unopened marks what is wrong with the secret part of a commit whose public
// part keeps every rule. Only members can see that, and perhaps only some: it
// is [ErrCannotDecrypt] whatever the reason.
func unopened(err error) error {
	if errors.Is(err, ErrCannotDecrypt) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCannotDecrypt, err)
}

// openPath gives the commit secret and the tree's private keys after a commit.
// The transition's context is the provisional one.
func (g *Group) openPath(t *transition, path *updatePath) (Secret, *treeSecrets, error) {
	secrets := g.secrets
	if path == nil {
		return g.public.s.zero(), secrets.clone(), nil
	}
	if own := t.tree.leaf(g.own).EncryptionKey; !bytes.Equal(own, g.public.tree.encryptionKey(g.own.node())) {
		private, ok := g.updates[string(own)]
		if !ok {
			return nil, nil, fmt.Errorf("mls: own leaf was updated with a key that is not known here: %w", ErrCannotDecrypt)
		}
		secrets = &treeSecrets{leaf: private, private: secrets.private}
	}
	return t.tree.decryptPath(g.public.s, g.own, secrets, t.committer.leaf(), path, t.ctx.appendTo(nil), t.exclude)
}

// initSecret gives the present epoch's, or for an external commit what its
// joiner sent to the external key (RFC 9420, Section 8.3), for the caller to
// erase.
func (g *Group) initSecret(t *transition) (Secret, error) {
	for _, v := range t.list.items {
		q, ok := v.Proposal.(*ExternalInit)
		if !ok {
			continue
		}
		private, _, err := g.epoch.externalKeyPair(g.public.s)
		if err != nil {
			return nil, err
		}
		defer private.erase()
		return g.public.s.externalInitReceiver(private, q.KEMOutput)
	}
	return slices.Clone(g.epoch.init), nil
}

// Merge goes on to the epoch that a staged commit opens, and erases everything
// of the old one but its resumption PSK, and what [Config.PastEpochs] keeps. A
// commit that removes this member ends the group for it: [Group.Removed].
func (g *Group) Merge(s *StagedCommit) error {
	if g.removed {
		return ErrRemoved
	}
	if err := g.public.checkStaged(s); err != nil {
		return err
	}
	if s.removed {
		g.end()
		return nil
	}
	if s.member == nil || s.member.own != g.own {
		return errNotMember
	}
	g.resumption = append(g.resumption, resumption{epoch: g.public.ctx.Epoch, psk: slices.Clone(g.epoch.resumption)})
	for len(g.resumption) > keptResumptions {
		g.resumption[0].psk.erase()
		g.resumption = slices.Delete(g.resumption, 0, 1)
	}
	g.keepPast(s.at)
	g.eraseEpoch()
	g.public.advance(s)
	g.member, s.merged = *s.member, true
	g.startMessages()
	g.unsavedMember = true
	return nil
}

// eraseEpoch erases what belongs to one epoch alone.
func (g *Group) eraseEpoch() {
	if g.messages != nil { // it was not kept
		g.deleted = append(g.deleted, g.messages.deletion()...)
	}
	g.member.erase()
	g.signer.erase()
	g.signing = nil
	for _, private := range g.updates {
		private.erase()
	}
	g.updates = nil
	g.sent = nil
}

// end erases all secrets.
func (g *Group) end() {
	g.eraseEpoch()
	g.exporter.erase()
	for _, p := range g.past {
		g.pastRecords = append(g.pastRecords, p.forget()...)
	}
	g.past = nil
	for _, r := range g.resumption {
		r.psk.erase()
	}
	g.resumption = nil
	g.public.unsaved.dropPending(g.public)
	g.public.pending = pendingSet{}
	g.removed = true
	g.unsavedMember = true
}
