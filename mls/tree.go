package mls

import (
	"errors"
	"iter"
	"math/bits"
	"slices"
)

// The ratchet tree (RFC 9420, Sections 4.1 and 7): the public state that all
// members of a group share.

// maxLeaves bounds the trees that are read, since a blank node costs a sender
// one octet and us some fifty.
const maxLeaves = 1 << 17

// tree is a ratchet tree. It is an array of nodes in pages: a fork shares all
// pages with its base and copies a page when it first writes to it, so that a
// fork costs what changes in it. Not safe for concurrent use, but for reading
// alone; [tree.hash] and [tree.fork] write.
type tree struct {
	pages []*page // node n is in pages[n/pageSize]; nil is a page of blank nodes
	owner *owner  // pages and parents with this owner may be written in place
	base  []*page // the base's pages when this is a fork

	keys    *keyIndex // of base, or of pages when this is no fork; nil until it is needed
	version uint64    // of keys, when this fork was made

	slots   uint32    // leaf slots, a power of two
	members int       // leaves that are not blank
	end     LeafIndex // one past the last leaf that is not blank
	free    LeafIndex // no leaf left of this is blank
}

const pageSize = 32

type page struct {
	owner *owner
	slots [pageSize]slot
}

// slot is a node with its cached tree hash. A nil hash is not known yet; then
// those of all nodes above are nil too.
type slot struct {
	node node
	hash []byte
}

// owner is an identity, by its address.
type owner struct{ _ byte }

func emptyTree() *tree { return &tree{owner: new(owner), slots: 1} }

func newTree(first *LeafNode) *tree {
	t := emptyTree()
	t.setLeaf(0, first)
	return t
}

// parseTree reads a ratchet_tree extension (RFC 9420, Section 12.4.3.3). The
// tree is not verified and keeps b.
func parseTree(b []byte) (*tree, error) {
	return parse(b, "ratchet tree", readTree)
}

func readTree(r *reader) *tree {
	t := emptyTree()
	var n nodeIndex
	var last node
	s := r.sub()
	for ; s.more(); n++ {
		if n >= 2*maxLeaves-1 {
			s.fail(invalid("12.4.3.3", "tree has more than %d leaves", maxLeaves))
			break
		}
		if last = (node{}); !s.optional() {
			continue
		}
		if last = readNode(&s); s.err == nil && (last.leaf != nil) != n.isLeaf() {
			s.fail(invalid("12.4.3.3", "node %d is of the wrong type", n))
		}
		if s.err == nil {
			t.place(n, last)
		}
	}
	switch {
	case s.err != nil:
		r.fail(s.err)
	case last.blank():
		r.fail(invalid("12.4.3.3", "tree is empty or ends with a blank node"))
	}
	return t
}

// treeOfRecords builds the tree of which these are the nodes that are not blank.
func treeOfRecords(nodes iter.Seq2[nodeIndex, node]) (*tree, error) {
	t := emptyTree()
	for n, v := range nodes {
		switch {
		case n >= 2*maxLeaves-1:
			return nil, errors.New("mls: stored tree node is out of range")
		case v.blank() || (v.leaf != nil) != n.isLeaf():
			return nil, errors.New("mls: stored tree node is of the wrong type")
		}
		t.place(n, v)
	}
	if t.members == 0 {
		return nil, errors.New("mls: stored tree has no members")
	}
	return t, nil
}

// place puts a read node at its index and widens the tree to hold it.
func (t *tree) place(n nodeIndex, v node) {
	// A tree of w leaf slots has the nodes 0 to 2w-2.
	t.growTo(1 << (bits.Len32(uint32(n)+1) - 1))
	if n.isLeaf() {
		t.setLeaf(n.leaf(), v.leaf)
		return
	}
	t.set(n, v)
}

// appendTo writes the tree as a ratchet_tree extension.
func (t *tree) appendTo(b []byte) []byte {
	last := 2*nodeIndex(t.slots) - 1
	for last > 0 && t.node(last-1).blank() {
		last--
	}
	return appendNested(b, func(b []byte) []byte {
		for n := range last {
			v := t.node(n)
			if b = appendOptional(b, !v.blank()); !v.blank() {
				b = v.appendTo(b)
			}
		}
		return b
	})
}

// width gives the number of leaf slots, a power of two.
func (t *tree) width() uint32 { return t.slots }

func (t *tree) memberCount() int { return t.members }

func (t *tree) root() nodeIndex { return rootOf(t.slots) }

// node gives a node's content, blank where the tree has none.
func (t *tree) node(n nodeIndex) node {
	if p := t.page(n); p != nil {
		return p.slots[n%pageSize].node
	}
	return node{}
}

func (t *tree) page(n nodeIndex) *page {
	if i := int(n / pageSize); i < len(t.pages) {
		return t.pages[i]
	}
	return nil
}

// leaf gives the leaf at i, nil if it is blank or outside the tree. It is the
// tree's: not to be written to.
func (t *tree) leaf(i LeafIndex) *LeafNode {
	if i >= t.end {
		return nil
	}
	return t.node(i.node()).leaf
}

// leaves gives the leaves that are not blank, from the left.
func (t *tree) leaves() iter.Seq2[LeafIndex, *LeafNode] {
	return func(yield func(LeafIndex, *LeafNode) bool) {
		for i := range t.end {
			if l := t.leaf(i); l != nil && !yield(i, l) {
				return
			}
		}
	}
}

// nodes gives the nodes that are not blank, from the left.
func (t *tree) nodes() iter.Seq2[nodeIndex, node] {
	return nodesOf(t.pages)
}

func nodesOf(pages []*page) iter.Seq2[nodeIndex, node] {
	return func(yield func(nodeIndex, node) bool) {
		for i, p := range pages {
			if p == nil {
				continue
			}
			for j := range p.slots {
				n := nodeIndex(i*pageSize + j)
				if v := p.slots[j].node; !v.blank() && !yield(n, v) {
					return
				}
			}
		}
	}
}

// encryptionKey gives a node's public key, nil if it is blank.
func (t *tree) encryptionKey(n nodeIndex) []byte { return t.node(n).encryptionKey() }

// fork gives a tree that is equal to t and changes by itself.
func (t *tree) fork() *tree {
	keys := t.index()
	f := t.share()
	f.keys, f.version = keys, keys.version
	return f
}

// share is fork without an index.
func (t *tree) share() *tree {
	f := *t
	f.keys = nil
	f.pages = slices.Clone(t.pages)
	f.base = slices.Clone(t.pages)
	// What is shared from now on may be written by neither.
	f.owner, t.owner = new(owner), new(owner)
	return &f
}

// merge makes t equal to its fork f. Both stay usable.
func (t *tree) merge(f *tree) {
	base, keys := t.base, t.followed(f)
	*t = *f.share()
	t.base, t.keys = base, keys
}

// changed gives the nodes of a fork that differ from its base's, in ascending
// order: those outside the narrower of the two trees count as blank there. Of
// a tree that is no fork it gives all that are not blank.
func (t *tree) changed() []nodeIndex {
	var out []nodeIndex
	for i := range max(len(t.pages), len(t.base)) {
		now, then := pageAt(t.pages, i), pageAt(t.base, i)
		if now == then {
			continue
		}
		for j := range pageSize {
			if now.slots[j].node != then.slots[j].node {
				out = append(out, nodeIndex(i*pageSize+j))
			}
		}
	}
	return out
}

var blankPage page // never written: no tree owns it

func pageAt(pages []*page, i int) *page {
	if i >= len(pages) || pages[i] == nil {
		return &blankPage
	}
	return pages[i]
}

// edit gives the slot of n for writing.
func (t *tree) edit(n nodeIndex) *slot {
	i := int(n / pageSize)
	for i >= len(t.pages) {
		t.pages = append(t.pages, nil)
	}
	p := t.pages[i]
	switch {
	case p == nil:
		p = &page{owner: t.owner}
		t.pages[i] = p
	case p.owner != t.owner:
		c := *p
		c.owner = t.owner
		p = &c
		t.pages[i] = p
	}
	return &p.slots[n%pageSize]
}

// set replaces a node's content and forgets the hashes it went into.
func (t *tree) set(n nodeIndex, v node) {
	if t.base == nil {
		t.keys = nil
	}
	t.edit(n).node = v
	for root := t.root(); ; n = n.parent() {
		if p := t.page(n); p == nil || p.slots[n%pageSize].hash == nil {
			return // so are those above
		}
		t.edit(n).hash = nil
		if n == root {
			return
		}
	}
}

// setLeaf puts l at i, nil to blank it. The nodes above stay as they are.
func (t *tree) setLeaf(i LeafIndex, l *LeafNode) {
	old := t.leaf(i)
	if old == nil && l == nil {
		return
	}
	t.set(i.node(), node{leaf: l})
	switch {
	case old == nil:
		t.members++
		t.end = max(t.end, i+1)
	case l == nil:
		t.members--
		t.free = min(t.free, i)
		for t.end > 0 && t.leaf(t.end-1) == nil {
			t.end--
		}
	}
}

// growTo doubles the tree until it has n leaf slots (RFC 9420, Section 7.7).
func (t *tree) growTo(n uint32) {
	for t.slots < n {
		t.slots *= 2 // the new nodes are blank: see cut
	}
}

// freeLeaf gives the leftmost blank leaf, and widens a full tree to have one.
func (t *tree) freeLeaf() LeafIndex {
	for t.free < t.end && t.leaf(t.free) != nil {
		t.free++
	}
	t.growTo(uint32(t.free) + 1)
	return t.free
}

// add puts l at the leftmost blank leaf, unmerged at every parent above
// (RFC 9420, Section 12.1.1).
func (t *tree) add(l *LeafNode) LeafIndex {
	i := t.freeLeaf()
	t.setLeaf(i, l)
	for n := range t.directPath(i) {
		if p := t.node(n).parent; p != nil {
			t.set(n, node{parent: t.withUnmerged(p, i)})
		}
	}
	return i
}

// withUnmerged gives p with leaf i among its unmerged leaves. A parent that
// only this tree has seen is changed in place, so that adding many is linear.
func (t *tree) withUnmerged(p *parentNode, i LeafIndex) *parentNode {
	if p.owner != t.owner {
		c := *p
		c.owner = t.owner
		c.unmergedLeaves = slices.Clone(p.unmergedLeaves)
		p = &c
	}
	if at, found := slices.BinarySearch(p.unmergedLeaves, i); !found {
		p.unmergedLeaves = slices.Insert(p.unmergedLeaves, at, i)
	}
	return p
}

// replaceLeaf puts l at i and blanks the nodes above it
// (RFC 9420, Section 12.1.2).
func (t *tree) replaceLeaf(i LeafIndex, l *LeafNode) {
	t.setLeaf(i, l)
	t.blankPath(i)
}

// remove blanks leaf i and the nodes above it, and halves the tree while its
// right half is empty (RFC 9420, Section 12.1.3).
func (t *tree) remove(i LeafIndex) {
	if i >= LeafIndex(t.slots) {
		return
	}
	t.setLeaf(i, nil)
	t.blankPath(i)
	for t.slots > 1 && uint32(t.end) <= t.slots/2 {
		t.slots /= 2
	}
	t.cut()
}

// cut drops every node that is outside the tree.
func (t *tree) cut() {
	n := 2*nodeIndex(t.slots) - 1
	t.pages = t.pages[:min(len(t.pages), int((n+pageSize-1)/pageSize))]
	for ; n%pageSize != 0; n++ {
		if p := t.page(n); p != nil && p.slots[n%pageSize].used() {
			*t.edit(n) = slot{}
		}
	}
}

func (s *slot) used() bool { return !s.node.blank() || s.hash != nil }

func (t *tree) blankPath(i LeafIndex) {
	for n := range t.directPath(i) {
		if !t.node(n).blank() {
			t.set(n, node{})
		}
	}
}

// directPath gives the nodes above leaf i, from the lowest to the root; none
// if i is outside the tree.
func (t *tree) directPath(i LeafIndex) iter.Seq[nodeIndex] {
	return func(yield func(nodeIndex) bool) {
		if uint32(i) >= t.slots {
			return
		}
		for n := i.node(); n != t.root(); {
			n = n.parent()
			if !yield(n) {
				return
			}
		}
	}
}

// pathStep is a node of a filtered direct path, with its child off the path.
type pathStep struct{ node, copath nodeIndex }

// filteredDirectPath gives the nodes above leaf i whose child off the path has
// a resolution (RFC 9420, Section 4.1.2).
func (t *tree) filteredDirectPath(i LeafIndex) []pathStep {
	var out []pathStep
	below := i.node()
	for n := range t.directPath(i) {
		if c := below.sibling(); t.resolves(c) {
			out = append(out, pathStep{n, c})
		}
		below = n
	}
	return out
}

// resolves reports whether the resolution of n has any nodes.
func (t *tree) resolves(n nodeIndex) bool {
	return !t.node(n).blank() || !n.isLeaf() && (t.resolves(n.left()) || t.resolves(n.right()))
}

// resolution gives the nodes whose keys reach all members under n
// (RFC 9420, Section 4.1.1).
func (t *tree) resolution(n nodeIndex) []nodeIndex { return t.appendResolution(nil, n) }

func (t *tree) appendResolution(out []nodeIndex, n nodeIndex) []nodeIndex {
	v := t.node(n)
	switch {
	case v.leaf != nil:
		return append(out, n)
	case v.parent != nil:
		out = append(out, n)
		for _, l := range v.parent.unmergedLeaves {
			out = append(out, l.node())
		}
		return out
	case n.isLeaf():
		return out
	}
	return t.appendResolution(t.appendResolution(out, n.left()), n.right())
}
