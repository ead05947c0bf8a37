package mls

import (
	"bytes"
	"testing"
)

// FuzzComponents reads what components put into extensions, beside messages and
// into proposals.
func FuzzComponents(f *testing.F) {
	f.Add(AppData{1: nil, testComponent: []byte("x")}.Extension().Data)
	f.Add(ComponentsList(1, 2, 0xFFFF))
	f.Add(AppAck{Received: []MessageRange{{1, 2, 3}, {1, 0, 1<<32 - 1}}}.Proposal().Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := ParseAppData(b); err == nil && !bytes.Equal(d.Extension().Data, b) {
			t.Error("app data does not read back")
		}
		if ids, err := ParseComponentsList(b); err == nil && !bytes.Equal(ComponentsList(ids...), b) {
			t.Error("components list does not read back")
		}
		if a, err := ParseAppAck(b); err == nil {
			if !bytes.Equal(a.Proposal().Data, b) {
				t.Error("app ack does not read back")
			}
			var r Receipts
			for _, m := range a.Received {
				r.add(m)
			}
			if missing := r.Missing(a); len(missing) != 0 {
				t.Errorf("what was received is missing: %v", missing)
			}
		}
	})
}
