package mls

// Tree hashes and parent hashes (RFC 9420, Sections 7.8 and 7.9).

// hash gives the tree hash of the root. Only what changed since the last call
// is hashed again.
func (t *tree) hash(s *suite) []byte { return t.nodeHash(s, t.root()) }

// nodeHash gives the tree hash of the subtree under n. The caller must not
// write to it.
func (t *tree) nodeHash(s *suite, n nodeIndex) []byte {
	h := treeHasher{suite: s}
	return h.hash(t, n)
}

// treeHasher carries the buffer in which hash inputs are put together.
type treeHasher struct {
	*suite
	buf []byte
}

func (h *treeHasher) hash(t *tree, n nodeIndex) []byte {
	if p := t.page(n); p != nil {
		if d := p.slots[n%pageSize].hash; d != nil {
			return d
		}
	}
	var d []byte
	v := t.node(n)
	if n.isLeaf() {
		d = h.leaf(n.leaf(), v.leaf)
	} else {
		left, right := h.hash(t, n.left()), h.hash(t, n.right())
		var unmerged []LeafIndex
		if v.parent != nil {
			unmerged = v.parent.unmergedLeaves
		}
		d = h.parent(v.parent, unmerged, left, right)
	}
	t.edit(n).hash = d
	return d
}

// leaf hashes a TreeHashInput with a LeafNodeHashInput.
func (h *treeHasher) leaf(i LeafIndex, l *LeafNode) []byte {
	b := append(h.buf[:0], nodeTypeLeaf)
	b = appendU32(b, uint32(i))
	if b = appendOptional(b, l != nil); l != nil {
		b = l.appendTo(b)
	}
	h.buf = b
	return h.digest(b)
}

// parent hashes a TreeHashInput with a ParentNodeHashInput, in which p has
// these unmerged leaves.
func (h *treeHasher) parent(p *parentNode, unmerged []LeafIndex, left, right []byte) []byte {
	b := append(h.buf[:0], nodeTypeParent)
	if b = appendOptional(b, p != nil); p != nil {
		b = appendParentNode(b, p.encryptionKey, p.parentHash, unmerged)
	}
	b = appendVec(b, left)
	b = appendVec(b, right)
	h.buf = b
	return h.digest(b)
}

// parentHash is the parent hash of a node with this key and this parent_hash
// field, seen from the child whose sibling had this tree hash when the node
// was last set.
func (s *suite) parentHash(encryptionKey, parentHash, originalSibling []byte) []byte {
	b := make([]byte, 0, len(encryptionKey)+len(parentHash)+len(originalSibling)+6)
	b = appendVec(b, encryptionKey)
	b = appendVec(b, parentHash)
	b = appendVec(b, originalSibling)
	return s.digest(b)
}
