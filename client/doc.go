// Package client is a whole end-to-end encrypted client without a screen:
// methods go in, events come out. A new device begins with [Join], [Link] or
// [Recover], one that was there before with [Open]; then [Client.Run] keeps it
// in step with the server until its context ends, or [Client.Sync] does so once.
//
// What a platform gives is a [Store] and a [Keyring], which a [Vault] seals, and
// a [Transport]. All state is in the vault: whatever the client learns or
// decides is written in one batch before anything that depends on it leaves the
// device or is shown, so a crash at any point neither loses nor doubles a
// message, and uses no key twice.
//
// All methods may be called from several goroutines. None holds up another
// while the network is slow: state is guarded by one mutex that is never held
// over a call out, and the network has one turn of its own.
package client
