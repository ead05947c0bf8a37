package delivery_test

import (
	"crypto/rand"
	"crypto/sha256"
	"math"
	"runtime"
	"slices"
	"testing"

	"sconce/api"
	"sconce/room"
)

func TestTreeOfAWelcomeComesInParts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		want := ada.group.Tree()
		hash := sha256.Sum256(want)
		w.TreePart = len(want)/3 + 1
		var tree []byte
		for range 3 {
			resp, err := w.ReadTree(t.Context(), bob.caller(), &api.ReadTreeRequest{Tree: hash, From: uint64(len(tree))})
			must(t, err)
			if len(resp.Tree) > w.TreePart || resp.TreeSize != uint64(len(want)) {
				t.Errorf("a part of %d bytes of %d; want at most %d of %d", len(resp.Tree), resp.TreeSize, w.TreePart, len(want))
			}
			tree = append(tree, resp.Tree...)
		}
		if !slices.Equal(tree, want) {
			t.Error("the parts are not the tree")
		}
		for _, from := range []uint64{uint64(len(want)), 1 << 31, 1 << 63, math.MaxUint64} {
			resp, err := w.ReadTree(t.Context(), bob.caller(), &api.ReadTreeRequest{Tree: hash, From: from})
			if err != nil || len(resp.Tree) != 0 || resp.TreeSize != uint64(len(want)) {
				t.Errorf("from %d, beyond the end: %v, %v", from, resp, err)
			}
		}
		_, err := w.ReadTree(t.Context(), ada.caller(), &api.ReadTreeRequest{Tree: hash})
		wantCode(t, err, api.NotFound)
	})
}

// Every device may make many calls at once, and each for a part of a tree of tens
// of megabytes: none may cost the whole of it.
func TestPartOfALargeTreeCostsThePart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.person(t), w.person(t)
		ada.create(room.Group, nil)
		ada.letIn(bob)
		large := make([]byte, 60<<20)
		_, _ = rand.Read(large)
		hash := sha256.Sum256(ada.group.Tree())
		_, err := w.db.Write.ExecContext(t.Context(), "UPDATE tree SET tree = $2 WHERE hash = $1", hash[:], large)
		must(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		resp, err := w.ReadTree(t.Context(), bob.caller(), &api.ReadTreeRequest{Tree: hash, From: 8 << 20})
		runtime.ReadMemStats(&after)
		must(t, err)
		if !slices.Equal(resp.Tree, large[8<<20:8<<20+api.MaxTreePart]) || resp.TreeSize != uint64(len(large)) {
			t.Errorf("%d bytes of %d, and not the part asked for", len(resp.Tree), resp.TreeSize)
		}
		// PostgreSQL's driver copies what it reads some times over.
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 5*api.MaxTreePart {
			t.Errorf("a part of %d MiB took %d MiB, of a tree of %d MiB", api.MaxTreePart>>20, cost>>20, len(large)>>20)
		}
	})
}

func TestTreesAreNotReadWithoutEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada := w.person(t)
		var err error
		for range 601 {
			_, err = w.ReadTree(t.Context(), ada.caller(), &api.ReadTreeRequest{})
		}
		wantCode(t, err, api.RateLimited)
	})
}
