package mls

import (
	"bytes"
	"errors"
	"maps"
	"slices"
)

// TreeKEM (RFC 9420, Sections 7.4 to 7.6): the committer draws new secrets for
// the nodes above its leaf and seals each to the members who may know it.

// treeSecrets is what one member may know of the tree's private keys: that of
// its leaf, and those of the nodes above it whose last path secret reached it.
type treeSecrets struct {
	hidden
	leaf    Secret
	private map[nodeIndex]Secret
}

func newTreeSecrets(leaf Secret) *treeSecrets {
	return &treeSecrets{leaf: leaf, private: map[nodeIndex]Secret{}}
}

// clone copies every byte, so that the original can be erased.
func (k *treeSecrets) clone() *treeSecrets {
	c := newTreeSecrets(slices.Clone(k.leaf))
	for n, key := range k.private {
		c.private[n] = slices.Clone(key)
	}
	return c
}

// erase overwrites the keys.
func (k *treeSecrets) erase() {
	k.leaf.erase()
	for _, key := range k.private {
		key.erase()
	}
	clear(k.private)
}

// drop erases the key of node n, if there is one.
func (k *treeSecrets) drop(n nodeIndex) {
	k.private[n].erase()
	delete(k.private, n)
}

const treeSecretsVersion = 1

// sizeHint is room enough: the keys of a suite have one length.
func (k *treeSecrets) sizeHint() int { return 16 + (1+len(k.private))*(8+len(k.leaf)) }

// appendTo appends a record to keep the keys by.
func (k *treeSecrets) appendTo(b []byte) []byte {
	b = appendVec(append(b, treeSecretsVersion), k.leaf)
	return appendNested(b, func(b []byte) []byte {
		for _, n := range slices.Sorted(maps.Keys(k.private)) {
			b = appendVec(appendU32(b, uint32(n)), k.private[n])
		}
		return b
	})
}

// parseTreeSecrets reads what appendTo appended, and keeps nothing of b.
func parseTreeSecrets(b Secret) (*treeSecrets, error) {
	return parse(b, "tree secrets", func(r *reader) *treeSecrets {
		if v := r.u8(); r.err == nil && v != treeSecretsVersion {
			r.fail(errors.New("mls: unknown version of tree secrets"))
		}
		k := newTreeSecrets(slices.Clone(r.vec()))
		s := r.sub()
		for s.more() {
			n := nodeIndex(s.u32())
			k.private[n] = slices.Clone(s.vec())
		}
		if s.err != nil {
			r.fail(s.err)
		}
		return k
	})
}

// nodeKey derives the key pair of the node that has this path secret
// (RFC 9420, Section 7.4).
func (s *suite) nodeKey(pathSecret Secret) (private Secret, public []byte, err error) {
	nodeSecret := s.deriveSecret(pathSecret, "node")
	defer nodeSecret.erase()
	return s.deriveKeyPair(nodeSecret)
}

// nextPathSecret derives the path secret of the next node up; above the last
// one it is the commit secret.
func (s *suite) nextPathSecret(pathSecret Secret) Secret { return s.deriveSecret(pathSecret, "path") }

// setPath blanks the nodes above sender, gives those of its filtered direct
// path these keys, and returns the parent hash for the sender's leaf
// (RFC 9420, Section 7.5). Copath hashes are of the tree as it is now, because
// the path has no unmerged leaves any more (RFC 9420, Section 7.9).
func (t *tree) setPath(s *suite, sender LeafIndex, steps []pathStep, keys [][]byte) []byte {
	t.blankPath(sender)
	parentHash := []byte{}
	for i, step := range slices.Backward(steps) {
		p := &parentNode{encryptionKey: keys[i], parentHash: parentHash}
		t.set(step.node, node{parent: p})
		parentHash = s.parentHash(p.encryptionKey, p.parentHash, t.nodeHash(s, step.copath))
	}
	return parentHash
}

// applyPathKeys merges the public half of a received UpdatePath into the tree,
// to which the commit's proposals have been applied (RFC 9420, Sections 7.5 and
// 12.4.2). For an external commit sender is [tree.freeLeaf]. The leaf's
// signature and what it claims are [LeafNode.check]'s. After an error the tree
// is not to be used.
func (t *tree) applyPathKeys(s *suite, sender LeafIndex, p *updatePath) error {
	steps := t.filteredDirectPath(sender)
	if len(p.nodes) != len(steps) {
		return invalid("7.5", "update path has %d nodes where the filtered direct path has %d", len(p.nodes), len(steps))
	}
	if p.leaf.Source != LeafFromCommit {
		return invalid("7.3", "leaf node of an update path has source %d", p.leaf.Source)
	}
	if err := t.checkPathKeys(s, sender, p); err != nil {
		return err
	}
	keys := make([][]byte, len(p.nodes))
	for i, n := range p.nodes {
		// The tree outlives the message, which is mostly ciphertext.
		keys[i] = slices.Clone(n.encryptionKey)
	}
	parentHash := t.setPath(s, sender, steps, keys)
	if !bytes.Equal(parentHash, p.leaf.ParentHash) {
		return invalid("7.9.2", "parent hash of the update path's leaf is not that of its path")
	}
	leaf, err := p.leaf.clone()
	if err != nil {
		return err
	}
	t.setLeaf(sender, leaf)
	return nil
}

// clone gives a leaf that shares no memory with l.
func (l *LeafNode) clone() (*LeafNode, error) {
	return parse(marshal(l), "leaf node", readLeafNode)
}

// checkPathCiphertexts checks that an UpdatePath holds one ciphertext for each
// node that is to learn a path secret (RFC 9420, Section 7.6). exclude has the
// leaves that the same commit adds.
func (t *tree) checkPathCiphertexts(sender LeafIndex, p *updatePath, exclude map[LeafIndex]bool) error {
	steps := t.filteredDirectPath(sender)
	if len(p.nodes) != len(steps) {
		return invalid("7.5", "update path has %d nodes where the filtered direct path has %d", len(p.nodes), len(steps))
	}
	for i, step := range steps {
		if got, want := len(p.nodes[i].secrets), len(t.recipients(step.copath, exclude)); got != want {
			return invalid("7.6", "update path has %d ciphertexts for node %d, to which %d are due", got, step.node, want)
		}
	}
	return nil
}

// recipients gives the nodes to which the path secret of the node above copath
// is sealed: its resolution without the leaves that the same commit adds, who
// learn it from the Welcome (RFC 9420, Section 7.5).
func (t *tree) recipients(copath nodeIndex, exclude map[LeafIndex]bool) []nodeIndex {
	return slices.DeleteFunc(t.resolution(copath), func(n nodeIndex) bool {
		return n.isLeaf() && exclude[n.leaf()]
	})
}

// newPath is the private half of an UpdatePath that its committer is making.
type newPath struct {
	hidden
	leaf         *LeafNode // signed
	commitSecret Secret
	secrets      *treeSecrets // the committer's for the next epoch

	tree        *tree
	steps       []pathStep
	keys        [][]byte // by step
	pathSecrets []Secret // by step
}

// createPath draws new secrets for the nodes above sender and sets their keys
// in the tree, to which the commit's proposals have been applied. template
// gives the new leaf all but what a commit decides; signer is the private key
// of its SignatureKey. For an external commit sender is [tree.freeLeaf].
func (t *tree) createPath(s *suite, sender LeafIndex, template *LeafNode, signer Secret, groupID []byte) (*newPath, error) {
	p := &newPath{tree: t, steps: t.filteredDirectPath(sender)}
	if err := p.draw(s); err != nil {
		return nil, err
	}
	private, public, err := s.generateKeyPair()
	if err != nil {
		return nil, err
	}
	p.secrets.leaf = private
	p.leaf = &LeafNode{
		EncryptionKey: public,
		SignatureKey:  template.SignatureKey,
		Credential:    template.Credential,
		Capabilities:  template.Capabilities,
		Source:        LeafFromCommit,
		ParentHash:    t.setPath(s, sender, p.steps, p.keys),
		Extensions:    template.Extensions,
	}
	if err := p.leaf.sign(s, signer, groupID, sender); err != nil {
		return nil, err
	}
	t.setLeaf(sender, p.leaf)
	return p, nil
}

// draw makes the path secrets and what follows from them
// (RFC 9420, Section 7.4).
func (p *newPath) draw(s *suite) error {
	p.secrets = newTreeSecrets(nil)
	pathSecret := s.randomSecret()
	for _, step := range p.steps {
		private, public, err := s.nodeKey(pathSecret)
		if err != nil {
			return err
		}
		p.secrets.private[step.node] = private
		p.keys = append(p.keys, public)
		p.pathSecrets = append(p.pathSecrets, pathSecret)
		pathSecret = s.nextPathSecret(pathSecret)
	}
	p.commitSecret = pathSecret
	return nil
}

// pathSeal is one path secret on its way to one node.
type pathSeal struct {
	hidden
	key    []byte
	secret Secret
	out    *hpkeCiphertext
}

// encryptPath seals the path secrets under the provisional group context ctx.
// exclude has the leaves that the same commit adds.
func (p *newPath) encryptPath(s *suite, ctx []byte, exclude map[LeafIndex]bool) (*updatePath, error) {
	var seals []pathSeal
	out := &updatePath{leaf: p.leaf, nodes: make([]updatePathNode, len(p.steps))}
	for i, step := range p.steps {
		to := p.tree.recipients(step.copath, exclude)
		out.nodes[i] = updatePathNode{encryptionKey: p.keys[i], secrets: make([]hpkeCiphertext, len(to))}
		for j, n := range to {
			seals = append(seals, pathSeal{key: p.tree.encryptionKey(n), secret: p.pathSecrets[i], out: &out.nodes[i].secrets[j]})
		}
	}
	to := s.sealer(encryptContext("UpdatePathNode", ctx))
	err := inParallel(len(seals), func(i int) (err error) {
		*seals[i].out, err = to.seal(seals[i].key, seals[i].secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pathSecretFor gives the path secret that a leaf added in the same commit
// learns from its Welcome: that of the lowest node above both
// (RFC 9420, Section 12.4.3.1). It is the path's, until erase.
func (p *newPath) pathSecretFor(added LeafIndex) Secret {
	if i := stepOver(p.steps, added); i >= 0 {
		return p.pathSecrets[i]
	}
	return nil
}

// erase overwrites the path secrets. The commit secret and the keys of the
// next epoch stay.
func (p *newPath) erase() {
	for _, secret := range p.pathSecrets {
		secret.erase()
	}
}

// stepOver gives the step of a filtered direct path off which leaf i branches,
// or -1 if there is none.
func stepOver(steps []pathStep, i LeafIndex) int {
	return slices.IndexFunc(steps, func(step pathStep) bool { return step.copath.covers(i) })
}

// decryptPath opens the one ciphertext of an UpdatePath that is for us and
// follows it to the root (RFC 9420, Sections 7.5 and 12.4.2). The tree already
// has the path's public keys. secrets stays as it is; next shares no memory
// with it.
func (t *tree) decryptPath(s *suite, own LeafIndex, secrets *treeSecrets, sender LeafIndex, p *updatePath, ctx []byte, exclude map[LeafIndex]bool) (commitSecret Secret, next *treeSecrets, err error) {
	steps := t.filteredDirectPath(sender)
	at := stepOver(steps, own)
	if at < 0 || len(p.nodes) != len(steps) {
		return nil, nil, invalid("7.5", "update path does not reach leaf %d", own)
	}
	to := t.recipients(steps[at].copath, exclude)
	if len(p.nodes[at].secrets) != len(to) {
		return nil, nil, invalid("7.6", "update path has %d ciphertexts for node %d, to which %d are due",
			len(p.nodes[at].secrets), steps[at].node, len(to))
	}
	i, key := secrets.recipient(own, to)
	if key == nil {
		return nil, nil, errors.New("mls: no private key for this update path")
	}
	pathSecret, err := s.decryptWithLabel(key, "UpdatePathNode", ctx, p.nodes[at].secrets[i])
	if err != nil {
		return nil, nil, err
	}
	next = secrets.clone()
	commitSecret, err = next.follow(s, t, steps[at:], pathSecret)
	if err != nil {
		next.erase()
		return nil, nil, err
	}
	next.prune(t)
	return commitSecret, next, nil
}

// recipient gives the place among recipients of a node to which we, at leaf
// own, have the private key, and that key.
func (k *treeSecrets) recipient(own LeafIndex, recipients []nodeIndex) (int, Secret) {
	for i, n := range recipients {
		if n == own.node() {
			return i, k.leaf
		}
		if key, ok := k.private[n]; ok && n.covers(own) {
			return i, key
		}
	}
	return -1, nil
}

// follow takes over a path secret and those that follow from it, up to the
// root: sets the private keys of the steps, each of which must fit the node's
// public key (RFC 9420, Section 7.5), and gives the commit secret. The path
// secret is erased.
func (k *treeSecrets) follow(s *suite, t *tree, steps []pathStep, pathSecret Secret) (commitSecret Secret, err error) {
	if len(pathSecret) != s.nh {
		pathSecret.erase()
		return nil, invalid("7.4", "path secret has %d octets, not %d", len(pathSecret), s.nh)
	}
	for _, step := range steps {
		private, public, err := s.nodeKey(pathSecret)
		if err != nil {
			pathSecret.erase()
			return nil, err
		}
		if !bytes.Equal(public, t.encryptionKey(step.node)) {
			pathSecret.erase()
			private.erase()
			return nil, invalid("7.5", "path secret does not give the public key of node %d", step.node)
		}
		k.drop(step.node)
		k.private[step.node] = private
		above := s.nextPathSecret(pathSecret)
		pathSecret.erase()
		pathSecret = above
	}
	return pathSecret, nil
}

// prune erases the keys of nodes that are blank or gone.
func (k *treeSecrets) prune(t *tree) {
	for n := range k.private {
		if t.node(n).blank() {
			k.drop(n)
		}
	}
}

// fromWelcome takes over the path secret that a Welcome gave to the new leaf
// own (RFC 9420, Section 12.4.3.1), and erases it.
func (k *treeSecrets) fromWelcome(s *suite, t *tree, own, committer LeafIndex, pathSecret Secret) error {
	steps := t.filteredDirectPath(committer)
	at := stepOver(steps, own)
	if at < 0 {
		return invalid("12.4.3.1", "path secret for leaf %d from leaf %d, which share no node", own, committer)
	}
	// The commit secret is already in the joiner secret.
	commitSecret, err := k.follow(s, t, steps[at:], pathSecret)
	commitSecret.erase()
	return err
}
