package testnet

import (
	"fmt"
	"testing"

	"sconce/client"
)

// A simulation that finds nothing proves something only if it would have found
// what it looks for.
func TestPlantedFaultsAreFound(t *testing.T) {
	from := begin(t)
	for _, c := range []struct {
		name  string
		seeds uint64
		plant func(w *World)
	}{
		{"the server forgets append ids", 6, func(w *World) { w.Wire.plants.forgetIDs = true }},
		{"the server answers before it is durable", 6, func(w *World) { w.Wire.plants.loseCommitted = true }},
		{"a commit of a past epoch is put into order", 30, func(w *World) { w.Wire.plants.lateCommits = true }},
		{"a commit is merged before the verdict", 30, func(w *World) { w.Wire.plants.earlyMerge = true }},
		{"the cursor is saved apart", 12, func(w *World) {
			for _, d := range w.Devices {
				d.OnStore = func(s client.Store) client.Store { return splitStore{s} }
				d.Reopen()
				w.follow(d)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := uint64(1); seed <= c.seeds; seed++ {
				var wrong []string
				t.Run(fmt.Sprint(seed), func(t *testing.T) { wrong, _ = live(t, from, seed, c.plant) })
				if len(wrong) > 0 {
					t.Logf("found by seed %d: %s", seed, wrong[0])
					return
				}
			}
			t.Errorf("%d seeds did not find it", c.seeds)
		})
	}
}
