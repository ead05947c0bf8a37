package mls

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// Which node has which key. No two nodes may share an encryption key and no two
// leaves a signature key (RFC 9420, Sections 7.3 and 12.4.2). A commit brings a
// few new keys; what they are held against is found by an index, so that a
// commit's price does not grow with the group.

// keyIndex finds the node that has a key, among the pages of one tree. It goes
// along with the tree from epoch to epoch, and its forks share it.
type keyIndex struct {
	version    uint64 // counts changes: a fork of an older tree must not use it
	seed       maphash.Seed
	encryption map[uint64]nodeIndex
	signature  map[uint64]nodeIndex
	crowded    []nodeIndex // nodes of which a hash was taken; next to never any
}

func indexOf(pages []*page, size int) *keyIndex {
	k := &keyIndex{seed: maphash.MakeSeed(), encryption: make(map[uint64]nodeIndex, size), signature: make(map[uint64]nodeIndex, size/2)}
	for n, v := range nodesOf(pages) {
		k.add(n, v)
	}
	return k
}

func (k *keyIndex) add(n nodeIndex, v node) {
	taken := k.put(k.encryption, v.encryptionKey(), n)
	if v.leaf != nil && k.put(k.signature, v.leaf.SignatureKey, n) {
		taken = true
	}
	if taken {
		k.crowded = append(k.crowded, n)
	}
}

func (k *keyIndex) put(in map[uint64]nodeIndex, key []byte, n nodeIndex) (taken bool) {
	h := maphash.Bytes(k.seed, key)
	if _, taken = in[h]; !taken {
		in[h] = n
	}
	return taken
}

func (k *keyIndex) remove(n nodeIndex, v node) {
	k.take(k.encryption, v.encryptionKey(), n)
	if v.leaf != nil {
		k.take(k.signature, v.leaf.SignatureKey, n)
	}
	k.crowded = slices.DeleteFunc(k.crowded, func(m nodeIndex) bool { return m == n })
}

func (k *keyIndex) take(from map[uint64]nodeIndex, key []byte, n nodeIndex) {
	if h := maphash.Bytes(k.seed, key); from[h] == n {
		delete(from, h)
	}
}

// holders gives the nodes that may have a key in one of the maps.
func (k *keyIndex) holders(in map[uint64]nodeIndex, key []byte) []nodeIndex {
	if n, ok := in[maphash.Bytes(k.seed, key)]; ok {
		return append([]nodeIndex{n}, k.crowded...)
	}
	return k.crowded
}

// index gives the index of t as it is now, which t keeps if it is no fork.
func (t *tree) index() *keyIndex {
	if t.base != nil {
		return indexOf(t.pages, 2*t.members)
	}
	if t.keys == nil {
		t.keys = indexOf(t.pages, 2*t.members)
	}
	return t.keys
}

// followed gives the index of t, which is no fork, after it has become f.
func (t *tree) followed(f *tree) *keyIndex {
	k := t.keys
	if t.base != nil || k == nil || f.keys != k || f.version != k.version {
		return nil // to be made again when it is needed
	}
	k.version++
	changed := f.changed()
	for _, n := range changed {
		if v := pageAt(f.base, int(n/pageSize)).slots[n%pageSize].node; !v.blank() {
			k.remove(n, v)
		}
	}
	for _, n := range changed {
		if v := f.node(n); !v.blank() {
			k.add(n, v)
		}
	}
	return k
}

// unchanged calls found with each node of a fork that is as in its base and
// may have one of the keys of a node, until it gives an error.
func (t *tree) unchanged(encryptionKey, signatureKey []byte, found func(nodeIndex, node) error) error {
	if t.base == nil {
		return nil // all its nodes are changed
	}
	if t.keys == nil || t.version != t.keys.version {
		t.keys = indexOf(t.base, 2*t.members)
		t.version = t.keys.version
	}
	holders := t.keys.holders(t.keys.encryption, encryptionKey)
	if signatureKey != nil {
		holders = slices.Concat(holders, t.keys.holders(t.keys.signature, signatureKey))
	}
	for _, n := range holders {
		v := t.node(n)
		if v.blank() || v != pageAt(t.base, int(n/pageSize)).slots[n%pageSize].node {
			continue
		}
		if err := found(n, v); err != nil {
			return err
		}
	}
	return nil
}

// checkChanged checks the keys of a fork's nodes that its base does not have:
// against each other, and against the rest, which is known to be free of
// clashes.
func (t *tree) checkChanged() error {
	changed := t.changed()
	k := keyOwners{make(map[string]nodeIndex, len(changed)), make(map[string]nodeIndex, len(changed))}
	for _, n := range changed {
		v := t.node(n)
		if v.blank() {
			continue
		}
		if err := k.enter(n, v); err != nil {
			return err
		}
		one := keyOwners{map[string]nodeIndex{string(v.encryptionKey()): n}, nil}
		var signature []byte
		if v.leaf != nil {
			signature = v.leaf.SignatureKey
			one.signature = map[string]nodeIndex{string(signature): n}
		}
		if err := t.unchanged(v.encryptionKey(), signature, one.compare); err != nil {
			return err
		}
	}
	return nil
}

// checkPathKeys checks the keys of an UpdatePath before it is merged: that
// they can be sealed to, that none of them is in the tree yet, nor twice in
// the path (RFC 9420, Section 12.4.2), and that the signature key is no one
// else's (RFC 9420, Section 7.3).
func (t *tree) checkPathKeys(s *suite, sender LeafIndex, p *updatePath) error {
	fresh := make(map[string]struct{}, len(p.nodes)+1)
	fresh[string(p.leaf.EncryptionKey)] = struct{}{}
	for _, n := range p.nodes {
		if err := s.checkPublicKey(n.encryptionKey); err != nil {
			return err
		}
		fresh[string(n.encryptionKey)] = struct{}{}
	}
	if len(fresh) != len(p.nodes)+1 {
		return invalid("7.3", "update path has an encryption key twice")
	}
	compare := func(n nodeIndex, v node) error {
		if _, ok := fresh[string(v.encryptionKey())]; ok {
			return invalid("12.4.2", "update path has the encryption key of node %d", n)
		}
		if v.leaf != nil && n != sender.node() && bytes.Equal(v.leaf.SignatureKey, p.leaf.SignatureKey) {
			return invalid("7.3", "update path has the signature key of leaf %d", n.leaf())
		}
		return nil
	}
	for _, n := range t.changed() {
		if v := t.node(n); !v.blank() {
			if err := compare(n, v); err != nil {
				return err
			}
		}
	}
	for _, n := range p.nodes {
		if err := t.unchanged(n.encryptionKey, nil, compare); err != nil {
			return err
		}
	}
	return t.unchanged(p.leaf.EncryptionKey, p.leaf.SignatureKey, compare)
}
