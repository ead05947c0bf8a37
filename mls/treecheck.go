package mls

import (
	"bytes"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Checks on a tree: all of them when it is received by one who joins
// (RFC 9420, Section 12.4.3.1), some on every commit.

// verify checks all that RFC 9420 asks of a received tree but the credentials
// and what depends on the group context's extensions. Lifetimes are the
// committer's to check (RFC 9420, Section 7.3).
func (t *tree) verify(s *suite, groupID []byte, wantHash []byte) error {
	if !bytes.Equal(t.hash(s), wantHash) {
		return invalid("12.4.3.1", "tree hash is not that of the group")
	}
	if t.members == 0 {
		return invalid("12.4.3.1", "tree has no members")
	}
	if err := t.checkUnmerged(t.root(), nil); err != nil {
		return err
	}
	if err := t.checkParentHashes(s); err != nil {
		return err
	}
	if err := t.checkUnique(); err != nil {
		return err
	}
	if err := t.checkCredentialTypes(); err != nil {
		return err
	}
	return t.checkLeaves(s, groupID)
}

// checkLeaves checks each leaf by itself, on every core.
func (t *tree) checkLeaves(s *suite, groupID []byte) error {
	at := make([]LeafIndex, 0, t.members)
	for i := range t.leaves() {
		at = append(at, i)
	}
	return inParallel(len(at), func(i int) error { return t.leaf(at[i]).check(s, groupID, at[i]) })
}

// check checks a leaf of a tree by itself (RFC 9420, Section 7.3). That it
// lists the group's version and suite is asked of new leaves only, since
// published test vectors have members that do not.
func (l *LeafNode) check(s *suite, groupID []byte, i LeafIndex) error {
	if err := l.checkCapabilities(); err != nil {
		return err
	}
	if err := s.checkPublicKey(l.EncryptionKey); err != nil {
		return err
	}
	return l.verify(s, groupID, i)
}

// checkCapabilities checks that a leaf lists what it uses itself
// (RFC 9420, Section 7.2).
func (l *LeafNode) checkCapabilities() error {
	if !slices.Contains(l.Capabilities.Credentials, l.Credential.Type) {
		return invalid("7.2", "leaf does not list its own credential type %d", l.Credential.Type)
	}
	for _, e := range l.Extensions {
		if !e.Type.isDefault() && !slices.Contains(l.Capabilities.Extensions, e.Type) {
			return invalid("7.3", "leaf does not list its own extension %d", e.Type)
		}
	}
	return nil
}

// isDefault reports whether every client understands the extension, so that
// none lists it (RFC 9420, Section 7.2).
func (e ExtensionType) isDefault() bool {
	return e >= ExtensionApplicationID && e <= ExtensionExternalSenders
}

// checkCredentialTypes checks that each credential type in use is listed by
// every member (RFC 9420, Section 7.3).
func (t *tree) checkCredentialTypes() error {
	type support struct {
		leaves int
		last   LeafIndex // the leaf counted last: a list may name a type twice
	}
	listed := map[CredentialType]support{}
	for i, l := range t.leaves() {
		for _, c := range l.Capabilities.Credentials {
			if was := listed[c]; was.leaves == 0 || was.last != i {
				listed[c] = support{was.leaves + 1, i}
			}
		}
	}
	for i, l := range t.leaves() {
		if listed[l.Credential.Type].leaves != t.members {
			return invalid("7.3", "credential type %d of leaf %d is not supported by all members", l.Credential.Type, i)
		}
	}
	return nil
}

// checkUnique checks that no two members share a signature key and no two
// nodes an encryption key (RFC 9420, Sections 7.3 and 12.4.3.1).
func (t *tree) checkUnique() error {
	k := keyOwners{make(map[string]nodeIndex, 2*t.members), make(map[string]nodeIndex, t.members)}
	for n, v := range t.nodes() {
		if err := k.enter(n, v); err != nil {
			return err
		}
	}
	return nil
}

// keyOwners says which node has which key.
type keyOwners struct{ encryption, signature map[string]nodeIndex }

func (k keyOwners) enter(n nodeIndex, v node) error {
	if err := k.compare(n, v); err != nil {
		return err
	}
	k.encryption[string(v.encryptionKey())] = n
	if v.leaf != nil {
		k.signature[string(v.leaf.SignatureKey)] = n
	}
	return nil
}

// compare reports a key of node n that another node has.
func (k keyOwners) compare(n nodeIndex, v node) error {
	if m, ok := k.encryption[string(v.encryptionKey())]; ok && m != n {
		return invalid("7.3", "nodes %d and %d have the same encryption key", m, n)
	}
	if v.leaf == nil {
		return nil
	}
	if m, ok := k.signature[string(v.leaf.SignatureKey)]; ok && m != n {
		return invalid("7.3", "leaves %d and %d have the same signature key", m.leaf(), n.leaf())
	}
	return nil
}

// checkNewLeaves checks the leaves of a fork that its base does not have
// against all members: unique keys, and credential types that all support
// (RFC 9420, Section 7.3).
func (t *tree) checkNewLeaves() error {
	some := slices.ContainsFunc(t.changed(), func(n nodeIndex) bool { return n.isLeaf() && t.leaf(n.leaf()) != nil })
	if !some {
		return nil
	}
	if err := t.checkChanged(); err != nil {
		return err
	}
	return t.checkCredentialTypes()
}

// checkUnmerged checks the unmerged leaves of n and all below: each is a leaf
// that is not blank and under n, and is unmerged too at every parent between
// that is not blank (RFC 9420, Section 12.4.3.1). due has those that must be
// unmerged at n because they are above it.
func (t *tree) checkUnmerged(n nodeIndex, due []LeafIndex) error {
	v := t.node(n)
	if n.isLeaf() {
		if len(due) > 0 && v.leaf == nil {
			return invalid("12.4.3.1", "leaf %d is unmerged but blank", n.leaf())
		}
		return nil
	}
	if v.parent != nil {
		unmerged := v.parent.unmergedLeaves
		if len(unmerged) > 0 && !(n.covers(unmerged[0]) && n.covers(unmerged[len(unmerged)-1])) {
			return invalid("12.4.3.1", "node %d has unmerged leaves that are not under it", n)
		}
		if len(without(due, unmerged)) > 0 {
			return invalid("12.4.3.1", "node %d lacks an unmerged leaf of a node above it", n)
		}
		due = unmerged
	}
	left, right := splitLeaves(due, n)
	if err := t.checkUnmerged(n.left(), left); err != nil {
		return err
	}
	return t.checkUnmerged(n.right(), right)
}

// splitLeaves parts ascending leaves into those under the left and those under
// the right child of n.
func splitLeaves(leaves []LeafIndex, n nodeIndex) (left, right []LeafIndex) {
	from, _ := n.right().span()
	at, _ := slices.BinarySearch(leaves, from)
	return leaves[:at], leaves[at:]
}

// without gives the ascending leaves of a that are not in b.
func without(a, b []LeafIndex) []LeafIndex {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	var out []LeafIndex
	for _, l := range a {
		for len(b) > 0 && b[0] < l {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != l {
			out = append(out, l)
		}
	}
	return out
}

// checkParentHashes checks that every parent was set by exactly one member
// below it (RFC 9420, Section 7.9.2). The unmerged leaves have been checked.
func (t *tree) checkParentHashes(s *suite) error {
	c := parentCheck{tree: t, hasher: treeHasher{suite: s}, originals: map[nodeIndex]original{}}
	return c.check(t.root())
}

// parentCheck computes original sibling tree hashes. It goes from the leaves
// up and keeps the last one of each node: going up, the set of leaves to leave
// out of a node only shrinks, and rarely changes.
type parentCheck struct {
	tree      *tree
	hasher    treeHasher
	originals map[nodeIndex]original
}

// original is the tree hash that a node has without some unmerged leaves.
type original struct {
	without []LeafIndex
	hash    []byte
}

func (c *parentCheck) check(n nodeIndex) error {
	if n.isLeaf() {
		return nil
	}
	if err := c.check(n.left()); err != nil {
		return err
	}
	if err := c.check(n.right()); err != nil {
		return err
	}
	p := c.tree.node(n).parent
	if p == nil {
		return nil
	}
	left, right := splitLeaves(p.unmergedLeaves, n)
	set := 0
	if c.setFrom(p, n.left(), left, n.right(), right) {
		set++
	}
	if c.setFrom(p, n.right(), right, n.left(), left) {
		set++
	}
	if set != 1 {
		return invalid("7.9.2", "parent hash of node %d is not valid", n)
	}
	return nil
}

// setFrom reports whether p was last set together with a node D under its
// child: D is all of the child's resolution but p's unmerged leaves, and its
// parent hash is that of p.
func (c *parentCheck) setFrom(p *parentNode, child nodeIndex, unmerged []LeafIndex, sibling nodeIndex, siblingUnmerged []LeafIndex) bool {
	d, ok := c.onlyMerged(child, unmerged)
	if !ok {
		return false
	}
	var claimed []byte
	switch v := c.tree.node(d); {
	case v.parent != nil:
		claimed = v.parent.parentHash
	case v.leaf.Source == LeafFromCommit:
		claimed = v.leaf.ParentHash
	}
	if len(claimed) == 0 {
		return false
	}
	h := c.hasher.parentHash(p.encryptionKey, p.parentHash, c.original(sibling, siblingUnmerged))
	return bytes.Equal(claimed, h)
}

// onlyMerged gives the one node of n's resolution that is not in unmerged. ok
// is false if there is not exactly one, or if unmerged has other leaves.
func (c *parentCheck) onlyMerged(n nodeIndex, unmerged []LeafIndex) (d nodeIndex, ok bool) {
	// The leaves of a resolution ascend, as do those of unmerged.
	for _, r := range c.tree.resolution(n) {
		switch {
		case r.isLeaf() && len(unmerged) > 0 && r.leaf() == unmerged[0]:
			unmerged = unmerged[1:]
		case ok:
			return 0, false
		default:
			d, ok = r, true
		}
	}
	return d, ok && len(unmerged) == 0
}

// original gives the tree hash of n without these leaves under it: blanked,
// and unmerged nowhere (RFC 9420, Section 7.9).
func (c *parentCheck) original(n nodeIndex, gone []LeafIndex) []byte {
	if len(gone) == 0 {
		return c.hasher.hash(c.tree, n)
	}
	if o, ok := c.originals[n]; ok && slices.Equal(o.without, gone) {
		return o.hash
	}
	var h []byte
	if n.isLeaf() {
		h = c.hasher.leaf(n.leaf(), nil)
	} else {
		left, right := splitLeaves(gone, n)
		lh, rh := c.original(n.left(), left), c.original(n.right(), right)
		p := c.tree.node(n).parent
		var unmerged []LeafIndex
		if p != nil {
			unmerged = without(p.unmergedLeaves, gone)
		}
		h = c.hasher.parent(p, unmerged, lh, rh)
	}
	c.originals[n] = original{gone, h}
	return h
}

// inParallel runs work on 0 to n-1, on every core where it is much, and gives
// the error of the lowest number that has one: how many cores there are does
// not show.
func inParallel(n int, work func(i int) error) error {
	const much = 64
	cores := runtime.GOMAXPROCS(0)
	if n <= much || cores == 1 {
		for i := range n {
			if err := work(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		wg    sync.WaitGroup
		taken atomic.Int64
		mu    sync.Mutex
		first = n   // guarded by mu: the lowest number with an error
		found error // guarded by mu: its error
	)
	for range min(cores, n) {
		wg.Go(func() {
			for i := int(taken.Add(1) - 1); i < n; i = int(taken.Add(1) - 1) {
				err := work(i)
				if err == nil {
					continue
				}
				// Every lower number is taken already and will be finished;
				// no higher one matters any more.
				taken.Store(int64(n))
				mu.Lock()
				if i < first {
					first, found = i, err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return found
}
