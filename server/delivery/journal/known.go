package journal

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"sconce/server/delivery/journal/db"
)

// known tells of most appends that they are new, without SQL: it is a Bloom
// filter of the keys of all that are remembered. To the rest the table answers.
// With a million keys that is one in four hundred; with very many more it is
// nearly every one, as it would be without the filter.
//
// A key is the filter's before the table has it; those that the table had before
// come to it bit by bit after the start, and until then everything may be known.
type known struct {
	bits     []uint64 // used atomically
	complete atomic.Bool
}

const (
	knownBits   = 1 << 24
	knownHashes = 4
)

// places are bits of a key, which is a hash.
func (k *known) places(key *[32]byte) (at [knownHashes]uint32) {
	for i := range at {
		at[i] = binary.BigEndian.Uint32(key[4*i:]) % knownBits
	}
	return at
}

func (k *known) add(key *[32]byte) {
	for _, at := range k.places(key) {
		atomic.OrUint64(&k.bits[at/64], 1<<(at%64))
	}
}

// maybe is false of a key that was never added.
func (k *known) maybe(key *[32]byte) bool {
	if !k.complete.Load() {
		return true
	}
	for _, at := range k.places(key) {
		if atomic.LoadUint64(&k.bits[at/64])&(1<<(at%64)) == 0 {
			return false
		}
	}
	return true
}

// learnPause leaves the machine to others while a large table is read.
const learnPause = 2 * time.Millisecond

// learn adds what the table holds. If it cannot be read, the table goes on being
// asked.
func (k *known) learn(ctx context.Context, read *db.Queries) {
	for after := []byte{}; ; {
		page, err := read.AppendedPage(ctx, after)
		if err != nil {
			return
		}
		if len(page) == 0 {
			k.complete.Store(true)
			return
		}
		for _, row := range page {
			var key [32]byte
			if copyExact(key[:], row.Key) != nil {
				return
			}
			k.add(&key)
		}
		after = page[len(page)-1].Key
		select {
		case <-ctx.Done():
			return
		case <-time.After(learnPause):
		}
	}
}
