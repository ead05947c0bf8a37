package client

import "errors"

// Store is an ordered map from keys to values on the device's disk. A [Vault]
// stands between it and the rest of the client and seals every value, so an
// implementation never sees plaintext; it does see the keys, which are
// structured ids without content.
//
// The suite in clienttest holds every implementation to these promises.
//
// Concurrency: one goroutine calls a Store, one call at a time. Scan hands rows
// to fn while it still reads, so a call from inside fn returns [ErrScanning].
//
// Bytes: the caller owns what Get returns. A Store keeps none of the slices that
// it is given.
type Store interface {
	// Get returns the value of key, or nil and no error when there is none. A
	// value of no bytes is not nil.
	Get(key []byte) ([]byte, error)

	// Scan calls fn for every key from start (inclusive) to end (exclusive), in
	// ascending order of bytes; a nil start is before every key, a nil end is
	// after every key. It shows the Store as it was when Scan was called. The
	// slices are valid only until fn returns. An error of fn ends the scan and is
	// returned as it is.
	Scan(start, end []byte, fn func(key, value []byte) error) error

	// Apply makes all of the changes, in order, or none. When it returns nil they
	// are on stable storage: they survive the loss of power. After an error the
	// caller cannot know whether they were made.
	Apply(ops []Op) error

	// Close releases the Store; every later call but Close returns an error that
	// is [io/fs.ErrClosed].
	Close() error
}

// Op is one change to a [Store]: it sets Key to Value, or deletes Key when Value
// is nil. Deleting what is not there is no error.
type Op struct{ Key, Value []byte }

// Limits that every Store must allow for and a Vault enforces.
const (
	MaxKey   = 1 << 10  // bytes in a key
	MaxValue = 64 << 20 // bytes in a value before it is sealed
)

// ErrScanning is returned by a Store, and by a Vault, that is called from inside
// its own Scan.
var ErrScanning = errors.New("store called from inside its own scan")
