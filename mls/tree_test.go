package mls

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// dummyTree is a tree without keys that mean anything, for properties of its shape.
type dummyTree struct {
	*tree
	made uint32
}

func (d *dummyTree) leafNode() *LeafNode {
	d.made++
	id := binary.BigEndian.AppendUint32(nil, d.made)
	return &LeafNode{EncryptionKey: id, SignatureKey: id, Source: LeafFromUpdate,
		Credential: Credential{Type: CredentialBasic, Identity: id}}
}

func (d *dummyTree) key() []byte { return d.leafNode().EncryptionKey }

// step is one random change; the same keys are given to each tree of to.
func (d *dummyTree) step(r *rapid.T, to ...*tree) {
	t := to[0]
	pick := func() LeafIndex {
		var members []LeafIndex
		for i := range t.leaves() {
			members = append(members, i)
		}
		return rapid.SampledFrom(members).Draw(r, "member")
	}
	var change func(*tree)
	switch op := rapid.IntRange(0, 5).Draw(r, "op"); {
	case op <= 1 || t.memberCount() == 0:
		l := d.leafNode()
		change = func(t *tree) { t.add(l) }
	case op <= 3 && t.memberCount() > 1:
		i := pick()
		change = func(t *tree) { t.remove(i) }
	case op == 4:
		i, l := pick(), d.leafNode()
		change = func(t *tree) { t.replaceLeaf(i, l) }
	default:
		i, l := pick(), d.leafNode()
		var keys [][]byte
		for range t.filteredDirectPath(i) {
			keys = append(keys, d.key())
		}
		change = func(t *tree) {
			t.setLeaf(i, l)
			t.setPath(suites[X25519AES128], i, t.filteredDirectPath(i), keys)
		}
	}
	for _, t := range to {
		change(t)
	}
}

func drawTree(r *rapid.T) *dummyTree {
	d := &dummyTree{}
	d.tree = newTree(d.leafNode())
	for range rapid.IntRange(0, 40).Draw(r, "steps") {
		d.step(r, d.tree)
	}
	return d
}

func TestForkAndMergeEqualDirectChange(t *testing.T) {
	s := suites[X25519AES128]
	rapid.Check(t, func(r *rapid.T) {
		d := drawTree(r)
		if rapid.Bool().Draw(r, "hashed") {
			d.hash(s)
		}
		before, beforeNodes := d.appendTo(nil), nodeMap(d.tree)
		direct := mustTree(t, before)
		lost, won := d.fork(), d.fork()
		for range rapid.IntRange(0, 20).Draw(r, "changes") {
			d.step(r, lost)
		}
		for range rapid.IntRange(0, 20).Draw(r, "changes") {
			d.step(r, won, direct)
		}
		wantSame(r, "base of a fork", d.appendTo(nil), before)
		wantSame(r, "fork", won.appendTo(nil), direct.appendTo(nil))
		wantChanged(r, won, beforeNodes)
		d.merge(won)
		wantSame(r, "merged tree", d.appendTo(nil), direct.appendTo(nil))
		wantSame(r, "merged tree's hash", d.hash(s), direct.hash(s))
		if d.memberCount() != direct.memberCount() || d.width() != direct.width() {
			r.Fatalf("got %d members of %d, want %d of %d", d.memberCount(), d.width(), direct.memberCount(), direct.width())
		}
		d.step(r, won)
		wantSame(r, "merged tree after its fork went on", d.appendTo(nil), direct.appendTo(nil))
	})
}

func nodeMap(t *tree) map[nodeIndex]string {
	out := map[nodeIndex]string{}
	for n, v := range t.nodes() {
		out[n] = string(v.marshal())
	}
	return out
}

// wantChanged checks that the changed nodes alone turn before into f, as records.
func wantChanged(r *rapid.T, f *tree, before map[nodeIndex]string) {
	for _, n := range f.changed() {
		if record := f.node(n).marshal(); record != nil {
			before[n] = string(record)
		} else {
			delete(before, n)
		}
	}
	if after := nodeMap(f); f.memberCount() > 0 {
		loaded, err := treeOfRecords(func(yield func(nodeIndex, node) bool) {
			for n, record := range before {
				v, err := parseNodeRecord([]byte(record))
				if err != nil {
					r.Fatal(err)
				}
				if !yield(n, v) {
					return
				}
			}
		})
		if err != nil {
			r.Fatal(err)
		}
		if len(before) != len(after) {
			r.Fatalf("got %d nodes from records, want %d", len(before), len(after))
		}
		wantSame(r, "tree of records", loaded.appendTo(nil), f.appendTo(nil))
		if loaded.width() != f.width() || loaded.freeLeaf() != f.fork().freeLeaf() {
			r.Fatalf("tree of records has width %d, want %d", loaded.width(), f.width())
		}
	}
}

func wantSame(r *rapid.T, what string, got, want []byte) {
	if !bytes.Equal(got, want) {
		r.Fatalf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func TestCachedHashEqualsComputedHash(t *testing.T) {
	s := suites[X25519AES128]
	rapid.Check(t, func(r *rapid.T) {
		d := drawTree(r)
		for range rapid.IntRange(1, 30).Draw(r, "changes") {
			if rapid.Bool().Draw(r, "fork") {
				f := d.fork()
				d.step(r, f)
				f.hash(s)
				if rapid.Bool().Draw(r, "merge") {
					d.merge(f)
				}
			} else {
				d.step(r, d.tree)
			}
			if rapid.Bool().Draw(r, "hash") {
				wantSame(r, "hash", d.hash(s), mustTree(t, d.appendTo(nil)).hash(s))
			}
		}
	})
}

func TestTreeRoundTrips(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := drawTree(r)
		b := d.appendTo(nil)
		read := mustTree(t, b)
		wantSame(r, "tree", read.appendTo(nil), b)
		if read.width() != d.width() || read.memberCount() != d.memberCount() || read.end != d.end {
			r.Fatalf("got %d of %d, want %d of %d", read.memberCount(), read.width(), d.memberCount(), d.width())
		}
		if got, want := read.freeLeaf(), d.freeLeaf(); got != want {
			r.Fatalf("leftmost blank leaf: got %d, want %d", got, want)
		}
	})
}

func TestAddTakesTheLeftmostBlankLeaf(t *testing.T) {
	d := &dummyTree{}
	d.tree = newTree(d.leafNode())
	for want := LeafIndex(1); want < 9; want++ {
		if got := d.add(d.leafNode()); got != want {
			t.Fatalf("got leaf %d, want %d", got, want)
		}
	}
	d.remove(5)
	d.remove(2)
	for _, want := range []LeafIndex{2, 5, 9} {
		if got := d.add(d.leafNode()); got != want {
			t.Errorf("got leaf %d, want %d", got, want)
		}
	}
	if d.width() != 16 || d.memberCount() != 10 {
		t.Errorf("got %d members of %d, want 10 of 16", d.memberCount(), d.width())
	}
}

func TestRemoveHalvesTheTree(t *testing.T) {
	d := &dummyTree{}
	d.tree = newTree(d.leafNode())
	for range 64 {
		d.add(d.leafNode())
	}
	for i := LeafIndex(63); i >= 3; i-- {
		d.remove(i)
	}
	if d.width() != 128 {
		t.Errorf("width with leaf 64: got %d, want 128", d.width())
	}
	d.remove(64)
	if d.width() != 4 || d.memberCount() != 3 || len(d.pages) != 1 {
		t.Errorf("got %d members of %d in %d pages, want 3 of 4 in 1", d.memberCount(), d.width(), len(d.pages))
	}
	d.remove(400) // outside: nothing to do
}

func TestUnmergedLeavesAscend(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 8)
	g.commit(t, 7, 0, 2, 5)
	g.commit(t, 0, 0)
	for _, want := range []LeafIndex{2, 5} {
		leaf, _, _ := newTestLeaf(t, g.s, "late")
		if got := g.add(leaf); got != want {
			t.Fatalf("got leaf %d, want %d", got, want)
		}
	}
	if got, want := g.node(g.root()).parent.unmergedLeaves, []LeafIndex{2, 5}; !slices.Equal(got, want) {
		t.Errorf("unmerged at the root: got %v, want %v", got, want)
	}
}

func TestParseTreeRefuses(t *testing.T) {
	d := &dummyTree{}
	leaf := node{leaf: d.leafNode()}.appendTo([]byte{1})
	parent := node{parent: &parentNode{encryptionKey: d.key()}}.appendTo([]byte{1})
	unsorted := node{parent: &parentNode{unmergedLeaves: []LeafIndex{2, 1}}}.appendTo([]byte{1})
	twice := node{parent: &parentNode{unmergedLeaves: []LeafIndex{1, 1}}}.appendTo([]byte{1})
	for name, nodes := range map[string][][]byte{
		"nothing":                   {},
		"a blank node at the end":   {leaf, parent, {0}},
		"only a blank node":         {{0}},
		"a parent in a leaf's":      {parent},
		"a leaf in a parent's":      {leaf, leaf},
		"a presence octet of 2":     {{2}},
		"a node of type 3":          {{1, 3}},
		"unmerged leaves unsorted":  {leaf, unsorted, leaf},
		"an unmerged leaf twice":    {leaf, twice, leaf},
		"half a leaf":               {leaf[:len(leaf)/2]},
		"more leaves than we allow": {bytes.Repeat([]byte{0}, 2*maxLeaves), leaf},
	} {
		if _, err := parseTree(appendVec(nil, bytes.Join(nodes, nil))); err == nil {
			t.Errorf("a tree with %s was read", name)
		}
	}
	if _, err := parseTree(append(appendVec(nil, leaf), 0)); err == nil {
		t.Error("a tree with trailing bytes was read")
	}
}

func FuzzParseTree(f *testing.F) {
	d := &dummyTree{}
	d.tree = newTree(d.leafNode())
	for range 5 {
		d.add(d.leafNode())
	}
	f.Add(d.appendTo(nil))
	d.setPath(suites[X25519AES128], 0, d.filteredDirectPath(0), [][]byte{d.key(), d.key(), d.key()})
	d.add(d.leafNode())
	d.remove(3)
	f.Add(d.appendTo(nil))
	f.Add(appendVec(nil, append(make([]byte, 4000), 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := parseTree(b)
		if err != nil {
			return
		}
		if !bytes.Equal(tree.appendTo(nil), b) {
			t.Error("tree does not marshal to what was parsed")
		}
		s := suites[X25519AES128]
		tree.verify(s, nil, tree.hash(s))
		for i := range LeafIndex(min(tree.width(), 32)) {
			f := tree.fork()
			f.filteredDirectPath(i)
			f.remove(i)
			f.add(d.leafNode())
			f.hash(s)
		}
	})
}

func FuzzTreeRecords(f *testing.F) {
	d := &dummyTree{}
	f.Add(node{leaf: d.leafNode()}.marshal())
	f.Add(node{parent: &parentNode{encryptionKey: d.key(), unmergedLeaves: []LeafIndex{3, 7}}}.marshal())
	k := newTreeSecrets(Secret("leaf"))
	k.private[3] = Secret("parent")
	f.Add(marshal(k))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := parseNodeRecord(b); err == nil && !bytes.Equal(v.marshal(), b) {
			t.Error("node does not marshal to what was parsed")
		}
		if k, err := parseTreeSecrets(b); err == nil {
			again, err := parseTreeSecrets(marshal(k))
			if err != nil || !bytes.Equal(marshal(again), marshal(k)) {
				t.Errorf("tree secrets do not round trip: %v", err)
			}
		}
	})
}
