package mls

import (
	"fmt"
	"slices"
	"testing"
)

// benchTree is a tree of which only the last member follows the others.
type benchTree struct {
	*treeGroup
	own LeafIndex
}

// newBenchTree makes a tree in which all but the first are unmerged, and fills
// it by having each member commit once.
func newBenchTree(b *testing.B, s *suite, n int, filled bool) benchTree {
	g := benchTree{&treeGroup{s: s, groupID: []byte("a group"), signers: map[LeafIndex]Secret{}, secrets: map[LeafIndex]*treeSecrets{}}, LeafIndex(n - 1)}
	added := map[LeafIndex]bool{}
	for i := range LeafIndex(n) {
		leaf, signer, private := newTestLeaf(b, s, fmt.Sprint(i))
		if g.signers[i] = signer; i == 0 {
			g.tree = newTree(leaf)
		} else {
			g.add(leaf)
			added[i] = true
		}
		if i == g.own {
			g.secrets[i] = newTreeSecrets(private)
		}
	}
	made, _ := g.path(b, g.tree, 0, added)
	if err := g.secrets[g.own].fromWelcome(s, g.tree, g.own, 0, slices.Clone(made.pathSecretFor(g.own))); err != nil {
		b.Fatal(err)
	}
	if !filled {
		return g
	}
	// From the middle outwards: in order of leaves, half the group would still
	// be blank for the first half of the commits, each sealing to all of it.
	for stride := LeafIndex(g.width()); stride > 1; stride /= 2 {
		for i := stride / 2; i < g.own; i += stride {
			_, path := g.path(b, g.tree, i, nil)
			g.secrets[g.own] = g.decrypt(b, i, path)
		}
	}
	made, _ = g.path(b, g.tree, g.own, nil)
	g.secrets[g.own] = made.secrets
	return g
}

func (g benchTree) path(b *testing.B, t *tree, sender LeafIndex, exclude map[LeafIndex]bool) (*newPath, *updatePath) {
	made, err := t.createPath(g.s, sender, t.leaf(sender), g.signers[sender], g.groupID)
	if err != nil {
		b.Fatal(err)
	}
	path, err := made.encryptPath(g.s, t.hash(g.s), exclude)
	if err != nil {
		b.Fatal(err)
	}
	return made, path
}

func (g benchTree) decrypt(b *testing.B, sender LeafIndex, path *updatePath) *treeSecrets {
	_, next, err := g.decryptPath(g.s, g.own, g.secrets[g.own], sender, path, g.hash(g.s), nil)
	if err != nil {
		b.Fatal(err)
	}
	return next
}

// BenchmarkTree measures the tree's part of what a group does, by suite and
// number of members.
func BenchmarkTree(b *testing.B) {
	for _, id := range []CipherSuite{X25519AES128, DefaultSuite} {
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%#04x/%d", uint16(id), n), func(b *testing.B) {
				s := suites[id]
				benchmarkShape(b, newBenchTree(b, s, n, false), "unmerged")
				benchmarkShape(b, newBenchTree(b, s, n, true), "filled")
			})
		}
	}
}

func benchmarkShape(b *testing.B, g benchTree, shape string) {
	s := g.s
	hash, encoded := g.hash(s), g.appendTo(nil)
	if shape == "unmerged" {
		var leaves []*LeafNode
		for _, l := range g.leaves() {
			leaves = append(leaves, l)
		}
		b.Run("bulk-add", func(b *testing.B) {
			for b.Loop() {
				base := newTree(leaves[0])
				base.hash(s)
				t := base.fork()
				for _, l := range leaves[1:] {
					t.add(l)
				}
				if err := t.checkNewLeaves(); err != nil {
					b.Fatal(err)
				}
				t.hash(s)
				base.merge(t)
			}
		})
	}
	b.Run("join-"+shape, func(b *testing.B) {
		for b.Loop() {
			t, err := parseTree(encoded)
			if err != nil {
				b.Fatal(err)
			}
			if err := t.verify(s, g.groupID, hash); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("commit-"+shape, func(b *testing.B) {
		for b.Loop() {
			_, path := g.path(b, g.fork(), 0, nil)
			b.ReportMetric(float64(len(marshal(path))), "path-B")
		}
	})
	_, path := g.path(b, g.fork(), 0, nil)
	b.Run("apply-"+shape, func(b *testing.B) {
		for b.Loop() {
			t := g.fork()
			if err := t.checkPathCiphertexts(0, path, nil); err != nil {
				b.Fatal(err)
			}
			if err := t.applyPathKeys(s, 0, path); err != nil {
				b.Fatal(err)
			}
			t.hash(s)
		}
	})
	t := g.fork()
	made, path := g.path(b, t, 0, nil)
	theirs := benchTree{&treeGroup{tree: t, s: s, secrets: g.secrets}, g.own}
	b.Run("decrypt-"+shape, func(b *testing.B) {
		for b.Loop() {
			theirs.decrypt(b, 0, path)
		}
	})
	made.erase()
}
