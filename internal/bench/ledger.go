//go:build linux

package main

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"sconce/api"
)

// ledger knows every letter of a run, and holds against it what streams are
// given: that it is what was sent, in one place of its log and no other.
type ledger struct {
	seed maphash.Seed

	mu      sync.Mutex // guards what follows
	byID    map[api.AppendID]*posted
	byTalk  map[api.LogID][]*posted
	opened  map[uint64]*opened // pushes by their hash: all receivers are given the same bytes
	foreign int                // entries that nobody sent, or that say something else
	gone    int                // entries whose message was gone before it was read
	twice   int                // letters that stand in two places of a log
}

// posted is a letter on its way.
type posted struct {
	letter *letter
	sent   atomic.Int64 // Unix nanoseconds
	seq    uint64       // guarded by the ledger's mu; 0: nobody has seen it
}

// opened is a decoded push.
type opened struct {
	log     api.LogID
	first   uint64
	last    uint64
	entries []*posted // nil where an entry is no letter
}

// maxOpened bounds the pushes that are remembered; the receivers of one take it
// soon after each other.
const maxOpened = 8192

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), byID: map[api.AppendID]*posted{}, byTalk: map[api.LogID][]*posted{}, opened: map[uint64]*opened{}}
}

// enter adds the letters of a talk.
func (l *ledger) enter(log api.LogID, letters []letter) []*posted {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*posted, len(letters))
	for i := range letters {
		all[i] = &posted{letter: &letters[i]}
		l.byID[letters[i].id] = all[i]
	}
	l.byTalk[log] = all
	return all
}

// sent gives letter i of a talk.
func (l *ledger) sent(log api.LogID, i int) *posted {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byTalk[log][i]
}

// open decodes a push, or knows it from another receiver.
func (l *ledger) open(frame []byte) (*opened, error) {
	key := maphash.Bytes(l.seed, frame)
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.opened[key]; o != nil {
		return o, nil
	}
	var f api.Frame
	if err := api.Unmarshal(frame, &f); err != nil {
		return nil, err
	}
	o := &opened{log: f.Push.Log, last: f.Push.Last}
	for i := range f.Push.Entries {
		e := &f.Push.Entries[i]
		if i == 0 {
			o.first = e.Seq
		}
		if e.Seq != o.first+uint64(i) {
			l.foreign++ // a push has its entries in order, without gaps
		}
		o.entries = append(o.entries, l.checkLocked(e))
	}
	if len(l.opened) >= maxOpened {
		clear(l.opened)
	}
	l.opened[key] = o
	return o, nil
}

// check finds the letter that an entry is.
func (l *ledger) check(e *api.Entry) *posted {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkLocked(e)
}

func (l *ledger) checkLocked(e *api.Entry) *posted {
	if e.Gone {
		l.gone++
	}
	if e.Kind != api.EntryApplication {
		return nil
	}
	p := l.byID[e.ID]
	if p == nil || !bytes.Equal(p.letter.message, e.Message) {
		l.foreign++
		return nil
	}
	if p.seq != 0 && p.seq != e.Seq {
		l.twice++
	}
	p.seq = e.Seq
	return p
}
