package mls

import "errors"

// parentNode is ParentNode (RFC 9420, Section 7.1). It never changes once it
// is in a tree that has been forked.
type parentNode struct {
	encryptionKey  []byte
	parentHash     []byte
	unmergedLeaves []LeafIndex // ascending

	// owner is the tree that may still append to unmergedLeaves in place.
	owner *owner
}

func readParentNode(r *reader) *parentNode {
	p := &parentNode{encryptionKey: r.vec(), parentHash: r.vec()}
	p.unmergedLeaves = list(r, func(r *reader) LeafIndex { return LeafIndex(r.u32()) })
	for i := 1; i < len(p.unmergedLeaves); i++ {
		if p.unmergedLeaves[i-1] >= p.unmergedLeaves[i] {
			r.fail(invalid("7.1", "unmerged leaves are not in increasing order"))
			break
		}
	}
	return p
}

func (p *parentNode) appendTo(b []byte) []byte {
	return appendParentNode(b, p.encryptionKey, p.parentHash, p.unmergedLeaves)
}

func appendParentNode(b, encryptionKey, parentHash []byte, unmerged []LeafIndex) []byte {
	b = appendVec(b, encryptionKey)
	b = appendVec(b, parentHash)
	b = appendLength(b, 4*len(unmerged))
	for _, l := range unmerged {
		b = appendU32(b, uint32(l))
	}
	return b
}

// node is one node's content: a leaf, a parent, or blank when both are nil.
type node struct {
	leaf   *LeafNode
	parent *parentNode
}

func (n node) blank() bool { return n.leaf == nil && n.parent == nil }

const (
	nodeTypeLeaf   = 1
	nodeTypeParent = 2
)

// appendTo writes a Node (RFC 9420, Section 12.4.3.3). n is not blank.
func (n node) appendTo(b []byte) []byte {
	if n.leaf != nil {
		return n.leaf.appendTo(append(b, nodeTypeLeaf))
	}
	return n.parent.appendTo(append(b, nodeTypeParent))
}

func readNode(r *reader) node {
	switch r.u8() {
	case nodeTypeLeaf:
		return node{leaf: readLeafNode(r)}
	case nodeTypeParent:
		return node{parent: readParentNode(r)}
	}
	r.fail(invalid("7.8", "unknown node type"))
	return node{}
}

const nodeRecordVersion = 1

// marshal gives a record to keep the node by, nil for a blank one.
func (n node) marshal() []byte {
	if n.blank() {
		return nil
	}
	return n.appendTo([]byte{nodeRecordVersion})
}

// parseNodeRecord reads what marshal gave.
func parseNodeRecord(b []byte) (node, error) {
	return parse(b, "tree node record", func(r *reader) node {
		if v := r.u8(); r.err == nil && v != nodeRecordVersion {
			r.fail(errors.New("mls: unknown version of a tree node record"))
		}
		return readNode(r)
	})
}

func (n node) encryptionKey() []byte {
	switch {
	case n.leaf != nil:
		return n.leaf.EncryptionKey
	case n.parent != nil:
		return n.parent.encryptionKey
	}
	return nil
}
