// Package mls implements Messaging Layer Security, RFC 9420: group key
// agreement for groups from two to many thousands of members, with forward
// secrecy and post-compromise security, and with the post-quantum hybrid
// suites of draft-ietf-mls-pq-ciphersuites.
//
// It is bytes in, bytes out: no network, no disk, no clock. The caller passes
// the time where a rule needs it, carries messages, and stores the records
// that a change of state hands out.
//
// # Where to begin
//
// A client has a [Signer]: a [Credential] that says who it is, and the key pair
// that the credential speaks for. To be added to groups it publishes a
// [KeyPackage], made by [NewKeyPackage], and keeps its secrets.
//
// A member holds a [Group]. It comes from [Create] for who starts a group, from
// [Join] for who was added and got a Welcome, and from [JoinExternal] for who
// adds itself with a [GroupInfo] of the group. [Group.Encrypt] makes a message,
// [Group.Process] opens one. Someone who follows a group without its secrets, a
// server or an auditor, holds a [PublicGroup] and asks it before a message is
// let through.
//
// # How a group changes
//
// Members change a group by proposals, and a commit puts them into effect and
// opens a new epoch with new keys. A [Proposal] may go inside the commit
// ([CommitOptions].Proposals), or be sent before it by [Group.Propose]; then it
// is pending for everyone who has processed it, and the next commit takes it
// along.
//
// A commit takes two steps, for only one commit can follow an epoch. It is
// staged by [Group.Commit]: nothing has changed yet. The delivery service gives
// its verdict. If it accepted the commit, [Group.Merge] goes on to the new
// epoch; if another was faster, drop the staged one ([StagedCommit.Discard]),
// process what won, and commit anew. Commits of others are staged by Process
// and merged in the same way, after the application has looked at what they do
// ([StagedCommit.View]: who was added or removed, by whom, with which
// credential).
//
// # What to store, and when
//
// After any call that changes a Group, and before anything that the call gave
// leaves the device, store what [Group.Drain] gives, in one step. It is only
// what changed: one record for a message. Records marked Secret must be erased
// for good when they are deleted or overwritten; that is what forward secrecy
// rests on. Where past epochs are kept for a time, a timer calls
// [Group.ForgetPast]. [Load] makes the group again from all records. A staged
// commit of one's own is stored too ([StagedCommit.Bytes]) before it is sent, so
// that a device that dies in between can merge it when it meets it
// ([Group.ParseStaged]).
//
// Records begin with a version, and later versions of this package read those
// of earlier ones.
//
// # What the application adds
//
// [Config] holds it. [Rules] judge every proposal and commit after the
// protocol's own rules, on what is sent and on what is received. An [Authority]
// validates credentials as they come in. PSK looks up pre-shared keys, Padding
// hides lengths. Members who configure different rules will disagree about the
// same commit: rules are pure functions of what they are given.
//
// Parts of an application that do not know of each other are its components
// (draft-ietf-mls-extensions). Each has a secret of the epoch by
// [Group.SafeExport], state that all members agree on by [AppDataUpdate], and the
// use of MLS's own keys by [Group.SafeSign] and [CipherSuite.SafeEncrypt]: none
// can take for its own what is meant for another.
//
// # Errors
//
// An [InvalidError] names the section of the RFC, or of the draft, that an
// input breaks. It is the sender's fault, and every member will refuse the same
// bytes; docs/conformance.md of the repository lists each with the test that
// breaks it. [EpochError] says that a message is early or late, [ErrStale] that
// a staged commit has lost its race. [ErrCannotDecrypt] may concern this member
// alone: one who makes a commit can spoil it for some. On any error nothing has
// changed. Nothing panics on what others sent, and memory and time are bounded
// by the size of the input and by Config.MaxMembers.
//
// # Bytes and goroutines
//
// Byte slices handed to this package are kept, not copied: the caller must not
// write to them afterwards. Byte slices handed out must not be written to.
//
// A [Secret] prints as [secret] and is erased when its epoch or generation
// ends, as far as Go allows. Secrets that a group is given it copies: private
// keys, PSKs, the values of secret records. The caller may erase its own, by
// clear, once the call has returned. What is handed out as a secret, the values
// of records among it, is the caller's to erase once it was used or stored, but
// where its documentation says otherwise.
//
// No type of this package may be used by two goroutines at once, unless its
// documentation says so. Different groups share nothing that is written to. A
// call may use several cores while it lasts, and leaves no goroutine behind.
package mls

//go:generate go run sconce/internal/gen/conformance
