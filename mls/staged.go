package mls

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// StagedCommit is a checked commit that has not taken effect: one's own until
// the delivery service accepts it, another's until the caller merges it. It
// changes nothing by itself. One that is not merged is to be discarded, so that
// its secrets are erased.
type StagedCommit struct {
	hidden
	s      *suite
	public *PublicGroup // that staged it; for its Config alone
	from   uint64       // epoch it starts from
	before []byte       // group context it starts from
	tree   *tree
	view   *CommitView

	ctx             *GroupContext
	encoded         []byte
	interim         []byte
	confirmationTag []byte
	at              time.Time // when it was made or processed, if that is known

	member  *member // what a member goes on with; nil if staged by a PublicGroup, or removed by it
	merged  bool    // member's secrets are a group's now
	removed bool

	// Of one's own commit:
	message []byte
	sealed  []byte // AuthenticatedContent of an encrypted one, which its maker cannot decrypt
	welcome *welcome
	join    *joinState // of one that joins
}

// member is what only a member knows of an epoch.
type member struct {
	hidden
	own     LeafIndex
	signer  Secret // private signature key
	secrets *treeSecrets
	epoch   *epochSecrets
}

// erase leaves the signature key, which the next epoch has too.
func (m *member) erase() {
	m.secrets.erase()
	m.epoch.erase()
}

// stage gives the commit the place in the transcript that its content and
// signature earn it (RFC 9420, Section 8.2).
func (t *transition) stage(ac *authenticatedContent, at time.Time) *StagedCommit {
	p := t.from
	t.ctx.ConfirmedTranscriptHash = confirmedTranscriptHash(p.s, p.interim, ac)
	return &StagedCommit{
		s:       p.s,
		public:  p,
		from:    p.ctx.Epoch,
		before:  p.encoded,
		tree:    t.tree,
		view:    t.view,
		ctx:     &t.ctx,
		encoded: t.ctx.appendTo(nil),
		at:      at,
	}
}

func (s *StagedCommit) confirm(tag []byte) *StagedCommit {
	s.confirmationTag = tag
	s.interim = interimTranscriptHash(s.s, s.ctx.ConfirmedTranscriptHash, tag)
	return s
}

// View gives what the commit does, as the application judged it.
func (s *StagedCommit) View() *CommitView { return s.view }

// Own reports whether this client made the commit.
func (s *StagedCommit) Own() bool { return s.message != nil }

// RemovesUs reports whether the commit removes the member that staged it. Such
// a member has seen that the commit is signed and keeps every public rule; the
// confirmation tag it has no key to check.
func (s *StagedCommit) RemovesUs() bool { return s.removed }

// Tree gives the ratchet tree after the commit.
func (s *StagedCommit) Tree() []byte { return s.tree.appendTo(nil) }

// Message gives one's own commit for the wire, nil of another's.
func (s *StagedCommit) Message() []byte { return s.message }

// Welcome gives one Welcome for all whom one's own commit adds, nil if it adds
// nobody.
func (s *StagedCommit) Welcome() []byte {
	if s.welcome == nil {
		return nil
	}
	return marshal(&Message{Format: FormatWelcome, welcome: s.welcome})
}

// WelcomeFor gives the Welcome with the secrets of one joiner alone, named by
// its [KeyPackage.Ref]; nil if the commit does not add it.
func (s *StagedCommit) WelcomeFor(ref []byte) []byte {
	if s.welcome == nil {
		return nil
	}
	i := slices.IndexFunc(s.welcome.secrets, func(e encryptedGroupSecrets) bool { return bytes.Equal(e.newMember, ref) })
	if i < 0 {
		return nil
	}
	one := &welcome{suite: s.welcome.suite, secrets: s.welcome.secrets[i : i+1], encryptedGroupInfo: s.welcome.encryptedGroupInfo}
	return marshal(&Message{Format: FormatWelcome, welcome: one})
}

var errNotMember = errors.New("mls: the staged commit has no member's secrets")

// GroupInfo gives the GroupInfo of the epoch that the commit opens, signed by
// this member, for those who join by external commit. It has no tree: see
// [StagedCommit.Tree].
func (s *StagedCommit) GroupInfo() (*GroupInfo, error) {
	if s.member == nil {
		return nil, errNotMember
	}
	return s.member.groupInfo(s.public, s.ctx, s.confirmationTag, nil, true)
}

// groupInfo makes a signed GroupInfo (RFC 9420, Section 12.4.3).
func (m *member) groupInfo(p *PublicGroup, ctx *GroupContext, tag []byte, tree *tree, external bool) (*GroupInfo, error) {
	s := p.s
	gi := &GroupInfo{Context: *ctx, ConfirmationTag: tag, Signer: m.own}
	if external {
		if m.epoch.external == nil {
			return nil, ErrStale
		}
		private, public, err := m.epoch.externalKeyPair(s)
		if err != nil {
			return nil, err
		}
		private.erase()
		gi.Extensions = append(gi.Extensions, Extension{ExtensionExternalPub, appendVec(nil, public)})
	}
	if tree != nil {
		gi.Extensions = append(gi.Extensions, Extension{ExtensionRatchetTree, tree.appendTo(nil)})
	}
	if !p.cfg.NoGREASE {
		gi.Extensions = append(gi.Extensions, Extension{Type: ExtensionType(greaseValue())})
	}
	return gi, gi.sign(s, m.signer)
}

// ExternalPub gives the external public key that a GroupInfo offers
// (RFC 9420, Section 12.4.3.2).
func (g *GroupInfo) ExternalPub() ([]byte, error) {
	b, ok := g.Extensions.Find(ExtensionExternalPub)
	if !ok {
		return nil, invalid("12.4.3.2", "group info has no external_pub")
	}
	return parse(b, "external_pub", (*reader).vec)
}

// CheckGroupInfo checks the GroupInfo that a committer hands in with its
// commit: that it describes the epoch which the commit opens, that the
// committer's new leaf signed it, and that one can join by it. Whether its
// external key is the group's nobody outside can tell.
func (s *StagedCommit) CheckGroupInfo(gi *GroupInfo) error {
	committer := s.view.Committer.leaf()
	switch {
	case !bytes.Equal(gi.Context.appendTo(nil), s.encoded):
		return invalid("12.4.3", "group info is not of the epoch that the commit opens")
	case !bytes.Equal(gi.ConfirmationTag, s.confirmationTag):
		return invalid("12.4.3", "group info has another confirmation tag than the commit")
	case gi.Signer != committer:
		return invalid("12.4.3", "group info is not signed by the committer")
	}
	pub, err := gi.ExternalPub()
	if err != nil {
		return err
	}
	if err := s.s.checkPublicKey(pub); err != nil {
		return err
	}
	return gi.verify(s.s, s.tree.leaf(committer).SignatureKey)
}

// Discard erases the secrets that a commit which lost, or is not wanted, would
// have brought. The staged commit is of no use afterwards. Of one that was merged
// the secrets are the group's, and stay.
func (s *StagedCommit) Discard() {
	if s.member != nil && !s.merged {
		s.member.signer.erase() // a copy of the group's
		s.member.erase()
		s.member = nil
	}
}

const (
	stagedVersion = 2 // 1 had no application export secret
	stagedCommit  = 1
	stagedJoin    = 2
	stagedSealed  = 3 // a commit that was sent encrypted
)

// Bytes gives one's own staged commit as a record to be stored before the
// commit is sent, so that a crash in between loses nothing: see
// [Group.ParseStaged] and [ParseStagedJoin]. The record is a copy, the caller's
// to erase. Of another's commit it is nil: that can be processed again.
func (s *StagedCommit) Bytes() Secret {
	if s.message == nil || s.member == nil {
		return nil
	}
	b := append(make([]byte, 0, s.recordSize()), stagedVersion)
	switch {
	case s.join != nil:
		b = s.join.appendTo(append(b, stagedJoin))
	case s.sealed != nil:
		b = appendVec(append(b, stagedSealed), s.sealed)
	default:
		b = append(b, stagedCommit)
	}
	b = appendVec(b, s.before)
	b = appendVec(b, s.message)
	b = appendOptional(b, s.welcome != nil)
	if s.welcome != nil {
		b = s.welcome.appendTo(b)
	}
	return s.member.appendTo(b)
}

// recordSize is room enough for the record: see [member.sizeHint].
func (s *StagedCommit) recordSize() int {
	n := 32 + len(s.sealed) + len(s.before) + len(s.message) + s.member.sizeHint()
	if s.welcome != nil {
		n += s.welcome.sizeHint()
	}
	if s.join != nil {
		n += s.join.sizeHint()
	}
	return n
}

// stagedRecord is the part of a staged commit that cannot be worked out from
// the commit itself.
type stagedRecord struct {
	hidden
	sealed          *authenticatedContent // of a commit that was sent encrypted
	before, message []byte
	welcome         *welcome
	member          *member
}

func readStagedRecord(r *reader, s *suite, version uint8) stagedRecord {
	rec := stagedRecord{before: r.vec(), message: r.vec()}
	if r.optional() {
		rec.welcome = readWelcome(r)
	}
	rec.member = readMember(r, s, version)
	return rec
}

// readStagedKind reads the head of a record, and refuses kinds other than these.
func readStagedKind(r *reader, want ...byte) (version uint8, kind byte) {
	version = r.versions(stagedVersion)
	kind = r.u8()
	if r.err == nil && !slices.Contains(want, kind) {
		r.fail(errors.New("mls: record is not of this kind of staged commit"))
	}
	return version, kind
}

// ParseStaged reads what [StagedCommit.Bytes] gave for a commit of this group
// in its present epoch, or gives [ErrStale]. The commit keeps b, for the message
// is in it.
func (g *Group) ParseStaged(b []byte) (*StagedCommit, error) {
	rec, err := parse(b, "staged commit", func(r *reader) stagedRecord {
		version, kind := readStagedKind(r, stagedCommit, stagedSealed)
		var sealed *authenticatedContent
		if kind == stagedSealed {
			content, err := parse(r.vec(), "sealed commit", readAuthenticatedContent)
			if err != nil {
				r.fail(err)
				return stagedRecord{}
			}
			sealed = content
		}
		rec := readStagedRecord(r, g.public.s, version)
		rec.sealed = sealed
		return rec
	})
	if err != nil {
		return nil, err
	}
	if g.removed {
		return nil, ErrRemoved
	}
	return g.public.restage(rec)
}

// restage works out the public side of one's own commit again.
func (p *PublicGroup) restage(rec stagedRecord) (*StagedCommit, error) {
	if !bytes.Equal(rec.before, p.encoded) {
		return nil, ErrStale
	}
	ac := rec.sealed
	if ac == nil {
		m, err := ParseMessage(rec.message)
		if err != nil {
			return nil, err
		}
		if m.public == nil {
			return nil, ErrNotForGroup
		}
		if err := p.checkAddress(m); err != nil {
			return nil, err
		}
		ac = m.public.authenticated()
	}
	if ac.content.contentType != ContentCommit {
		return nil, ErrNotForGroup
	}
	if err := p.authenticate(ac); err != nil {
		return nil, err
	}
	t, err := p.receiveCommit(ac, noTime)
	if err != nil {
		return nil, err
	}
	s := t.stage(ac, noTime).confirm(ac.auth.confirmationTag)
	s.message, s.welcome, s.member = rec.message, rec.welcome, rec.member
	if rec.sealed != nil {
		s.sealed = marshal(ac)
	}
	return s, nil
}
