package journal

import (
	"time"

	"sconce/api"
)

// SetFault makes fn decide what happens between the steps of a transaction. It
// is set before the journal runs.
func (j *Journal) SetFault(fn func(step string) error) { j.fault = fn }

// LetGo keeps the journal from writing to its tape, as kill -9 does, and lets
// another take its place.
func (j *Journal) LetGo() error {
	if j.tape == nil {
		return nil
	}
	return j.tape.Close()
}

// EncodeRecord makes a record of the tape. The entries of a log follow each other.
func EncodeRecord(logs map[api.LogID][]*api.Entry) []byte {
	var plans []*plan
	for id, entries := range logs {
		plans = append(plans, &plan{log: &Log{id: id}, from: entries[0].Seq - 1, entries: entries})
	}
	return encodeBatch(plans)
}

// DecodeRecord reads it.
var DecodeRecord = decodeBatch

// FlushEvery makes the journal flush more often. It is called before the journal
// runs.
func (j *Journal) FlushEvery(d time.Duration) { j.every = d }

// Learned reports whether the journal knows of most appends by itself that they
// are new.
func (j *Journal) Learned() bool { return j.known.complete.Load() }
