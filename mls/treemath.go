package mls

import "math/bits"

// Array-based trees: RFC 9420, Appendix C. Leaf i is node 2i; the level of a
// node is the number of its trailing one bits. The index of a node does not
// change when the tree grows or shrinks at its right edge.

// nodeIndex counts the nodes of a tree in order, from the left.
type nodeIndex uint32

func (i LeafIndex) node() nodeIndex { return nodeIndex(i) << 1 }

func (n nodeIndex) isLeaf() bool { return n&1 == 0 }

// leaf gives the leaf index of a leaf's node.
func (n nodeIndex) leaf() LeafIndex { return LeafIndex(n >> 1) }

func (n nodeIndex) level() uint { return uint(bits.TrailingZeros32(^uint32(n))) }

// left and right give the children of a parent node.
func (n nodeIndex) left() nodeIndex  { return n ^ 1<<(n.level()-1) }
func (n nodeIndex) right() nodeIndex { return n ^ 3<<(n.level()-1) }

// parent gives the node above n. Where the tree ends is the caller's to know.
func (n nodeIndex) parent() nodeIndex {
	k := n.level()
	return (n | 1<<k) &^ (1 << (k + 1))
}

func (n nodeIndex) sibling() nodeIndex {
	if p := n.parent(); n < p {
		return p.right()
	} else {
		return p.left()
	}
}

// span gives the first leaf under n and the one after the last.
func (n nodeIndex) span() (from, to LeafIndex) {
	k := n.level()
	from = LeafIndex(n>>(k+1)) << k
	return from, from + 1<<k
}

// covers reports whether leaf i is n or a descendant of n.
func (n nodeIndex) covers(i LeafIndex) bool {
	from, to := n.span()
	return from <= i && i < to
}

// rootOf gives the root of a tree with a power of two of leaf slots.
func rootOf(width uint32) nodeIndex { return nodeIndex(width - 1) }

// commonAncestor gives the lowest node that covers two different leaves.
func commonAncestor(a, b LeafIndex) nodeIndex {
	k := bits.Len32(uint32(a ^ b))
	return nodeIndex(a>>k)<<(k+1) | (1<<k - 1)
}
