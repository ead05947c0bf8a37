// Package content is what people say once it is decrypted: the MIMI content
// format (draft-ietf-mimi-content-08) in deterministic CBOR, with a few private
// extension keys of our own.
//
// To send, start with [Text], [Reply], [Reaction], [Edit] or [Delete], set the
// timers, and call [Message.Encode]. To receive, call [Decode] and draw what
// [Message.View] returns. Both directions keep the same rules, so what Encode
// accepts every receiver can decode, and what Decode accepts encodes back to
// the same bytes; a message therefore has one encoding and one [ID].
//
// The package trusts nothing in a message to say who sent it or where: sender
// and room come from MLS and are passed in. Whether a sender may edit or delete
// another message is the caller's check too, because only the caller knows who
// wrote the other one.
package content
