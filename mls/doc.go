// Package mls implements Messaging Layer Security, RFC 9420: group key
// agreement for groups from two to many thousands of members, with forward
// secrecy and post-compromise security, and with the post-quantum hybrid
// suites of draft-ietf-mls-pq-ciphersuites.
//
// It is bytes in, bytes out: no network, no disk, no clock. The caller passes
// the time where a rule needs it, carries messages, and stores the records
// that a change of state hands out.
//
// A member holds a [Group]; someone who follows a group without its secrets, a
// server or an auditor, holds a [PublicGroup]. Commits take two steps: a
// commit is staged, the delivery service gives its verdict, and only then is
// it merged.
//
// Byte slices handed to this package are kept, not copied: the caller must not
// write to them afterwards. Byte slices handed out must not be written to.
// No type of this package may be used by two goroutines at once, unless its
// documentation says so.
package mls
