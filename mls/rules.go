package mls

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Config is what an application adds to the protocol. The zero Config is the
// RFC alone.
type Config struct {
	// Authority validates credentials. Nil validates none here: the
	// application's Rules see every leaf too.
	Authority Authority

	// Rules is the application's policy. Nil allows whatever the RFC allows,
	// and knows no component of the app data dictionary.
	Rules Rules

	// PSK looks up a pre-shared key, which stays the application's: it is not
	// kept. Resumption PSKs of a group's own last epochs are found without it.
	PSK func(PreSharedKeyID) (Secret, bool)

	// Successor judges a group joined by a Welcome that claims to re-initialise
	// or to branch from another: whether the old group committed such a ReInit,
	// whether the members are the old group's (RFC 9420, Section 12.4.3.1).
	// Nil refuses all such Welcomes.
	Successor func(old PreSharedKeyID, g *Group) error

	// Padding gives the length to pad an encrypted message's content of n
	// octets to. Nil pads nothing.
	Padding func(n int) int

	// EncryptHandshakes has this member send its proposals and commits as
	// private messages, in a group whose delivery service need not see who is
	// in it: nobody can follow such a group from outside, and a joiner needs a
	// GroupInfo of the present epoch from a member. What others send is read
	// either way.
	EncryptHandshakes bool

	// PastEpochs is how many epochs that are over a member keeps the message
	// keys of, for application messages that arrive after a commit they were
	// sent before. 0 keeps none: a device that replays an ordered log meets no
	// such messages, and what is erased cannot be stolen.
	PastEpochs int

	// PastEpochAge is how long after its end an epoch is kept at most, by the
	// times that Process, Commit and [Group.ForgetPast] are given: a caller's
	// timer calls the last of them, for a device to which nothing comes. 0 means
	// that only PastEpochs bounds it.
	PastEpochAge time.Duration

	// MaxAhead is how many messages of its sender in an epoch, not seen yet, one
	// message may come before (RFC 9420, Section 15.3). It bounds the work that a
	// message makes, and what is farther ahead cannot be read. 0 means 1,000; a
	// negative number means none, and more than 10,000 means that.
	MaxAhead int

	// MaxSkipped is how many keys of such messages are kept for each sender until
	// they come or the epoch ends: the oldest are erased first. It bounds what a
	// group takes in memory and in the store, where they stand in one record.
	// What was stored under a higher bound is brought down to this one by [Load].
	// 0 means 1,000; a negative number means none, and more than 10,000 means
	// that.
	MaxSkipped int

	// Components are those that the application understands. The leaves that
	// [Create] and [JoinExternal] make list them (draft-ietf-mls-extensions,
	// app_components).
	Components []ComponentID

	// NoGREASE leaves out of leaves and GroupInfos the meaningless values that
	// keep other implementations tolerant (RFC 9420, Section 13.5).
	NoGREASE bool

	// MaxMembers bounds the group. 0 means 16,384.
	MaxMembers int

	// MaxLifetime is the longest lifetime, from end to end, of a KeyPackage that
	// may be added (RFC 9420, Section 7.2). 0 allows any, for Rules to judge.
	MaxLifetime time.Duration

	// StrictPending refuses a commit that leaves out a valid pending proposal
	// which it could have included, and any commit by a member whose removal
	// is pending. The RFC asks this only of committers, for want of a shared
	// order; where a delivery service orders proposals, all members agree on
	// what is pending.
	StrictPending bool
}

const defaultMaxMembers = 16_384

func (c *Config) maxMembers() int {
	if c.MaxMembers > 0 {
		return c.MaxMembers
	}
	return defaultMaxMembers
}

// Rules is the one seam for application policy. It runs on what we send and on
// what we receive, after the protocol's own rules. Implementations are pure
// functions of their arguments, so that every member and the server reach the
// same verdict. Nothing they are given may be written to, or kept.
type Rules interface {
	// AppData gives a component's state after updates, in commit order. A nil
	// state means that the component has none yet. An error makes the commit
	// invalid (draft-ietf-mls-extensions, AppDataUpdate).
	AppData(c ComponentID, state []byte, updates [][]byte) ([]byte, error)

	// Commit judges a commit that keeps the protocol's rules, before it is
	// staged.
	Commit(c *CommitView) error

	// Proposal judges a proposal that was sent by itself. What it refuses is
	// not pending, and a commit cannot refer to it.
	Proposal(p *ProposalView) error
}

// EphemeralRules are [Rules] with components that understand [AppEphemeral].
// Without them it is refused.
type EphemeralRules interface {
	Rules

	// AppEphemeral judges what a component is told. An error makes the proposal
	// invalid: so must it be for a component that is not known. What all members
	// are told stands in [CommitView.Proposals], in order.
	AppEphemeral(c ComponentID, data []byte) error
}

// ProposalView is a proposal whose sender is authenticated.
type ProposalView struct {
	Proposal          Proposal
	Sender            Sender
	Leaf              *LeafNode // the sender's leaf: a member's, or that of a client asking to be added
	ByReference       bool      // sent by itself, not inside the commit
	Ref               []byte    // ByReference only
	AuthenticatedData []byte    // ByReference only
	Context           *GroupContext

	format WireFormat // ByReference only
}

// CommitView is a commit as policy sees it: who changed what.
type CommitView struct {
	// Committer's index is its leaf, for an external commit too.
	Committer     Sender
	CommitterLeaf *LeafNode // before the commit; for an external commit the leaf that joins

	// After, while [Rules] judge, is the provisional group context: it has the
	// old transcript hash. Of a staged commit it is the new epoch's.
	Before, After     *GroupContext
	AuthenticatedData []byte

	Proposals []ProposalView // in commit order
	Added     []MemberChange // by Add, or the one who joins by external commit
	Removed   []MemberChange
	Updated   []MemberChange // by Update, or the committer's own leaf by the commit's path

	External bool    // the committer joins by this commit
	Resync   bool    // External, and replaces the committer's former leaf
	ReInit   *ReInit // the group ends in favour of this one

	// Members iterates over the members after the commit. It stays usable
	// until the group next merges.
	Members func() iter.Seq2[LeafIndex, *LeafNode]
}

// MemberChange is one leaf that a commit changes.
type MemberChange struct {
	Leaf        LeafIndex
	Old, New    *LeafNode // Old is nil for an added member, New for a removed one
	By          Sender    // who proposed it; one who joins by its new leaf
	ByReference bool
	SelfRemoved bool
}

// Event is what came of a processed message: an [ApplicationMessage], a
// [ProposalReceived] or a [StagedCommit].
type Event interface{ event() }

// ApplicationMessage is a decrypted message whose sender is authenticated. Data
// is in memory of its own, the caller's to erase; AuthenticatedData is the
// message's.
type ApplicationMessage struct {
	Sender            LeafIndex  // in the message's epoch
	Credential        Credential // the sender's in that epoch
	Epoch             uint64
	Generation        uint32 // place in the sender's ratchet
	Data              []byte
	AuthenticatedData []byte
}

// ProposalReceived is a valid proposal, pending from now until the epoch ends.
type ProposalReceived struct{ View ProposalView }

func (*ApplicationMessage) event() {}
func (*ProposalReceived) event()   {}
func (*StagedCommit) event()       {}

var (
	// ErrOwnMessage says that a message came back to the member who sent it.
	// One's own commit is merged from its [StagedCommit].
	ErrOwnMessage = errors.New("mls: the message is this member's own")

	// ErrPendingProposals says that a commit must come before application data
	// (RFC 9420, Section 12.4).
	ErrPendingProposals = errors.New("mls: proposals are pending and must be committed first")

	// ErrRemoved says that this member is no longer in the group.
	ErrRemoved = errors.New("mls: this member was removed from the group")

	// ErrClosed says that the group was re-initialised and takes no more
	// messages (RFC 9420, Section 11.2).
	ErrClosed = errors.New("mls: the group was closed by a ReInit")

	// ErrStale says that a staged commit does not start from the group's
	// present state.
	ErrStale = errors.New("mls: the staged commit does not belong to the group's epoch")

	// ErrCannotDecrypt says that a message is not encrypted to this member, or
	// was tampered with, or its key was used before. A commit that fails so
	// may be well-formed for others.
	ErrCannotDecrypt = errDecrypt

	// ErrNotForGroup says that a message belongs to another group or is of a
	// kind that no group processes.
	ErrNotForGroup = errors.New("mls: the message is not for this group")

	// ErrMembersOnly says that a private message met a [PublicGroup].
	ErrMembersOnly = errors.New("mls: only a member can read a private message")
)

// EpochError says that a message belongs to another epoch than the group is in.
type EpochError struct{ Have, Got uint64 }

func (e *EpochError) Error() string {
	return fmt.Sprintf("mls: the message is for epoch %d, the group is in %d", e.Got, e.Have)
}

// UnknownPSKError says that a commit or a Welcome needs a pre-shared key that
// this client does not have.
type UnknownPSKError struct{ ID PreSharedKeyID }

func (e *UnknownPSKError) Error() string { return "mls: a pre-shared key is not known here" }
