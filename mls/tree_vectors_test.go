package mls

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

func init() {
	vectorTests["tree-math"] = testTreeMathVectors
	vectorTests["tree-operations"] = func(t *testing.T) { eachVector(t, "tree-operations", testTreeOperationVector) }
	vectorTests["tree-validation"] = func(t *testing.T) { eachVector(t, "tree-validation", testTreeValidationVector) }
	vectorTests["treekem"] = func(t *testing.T) { eachVector(t, "treekem", testTreeKEMVector) }
	vectorTests["mls-pq/membership-proofs"] = func(t *testing.T) {
		eachVector(t, "mls-pq/membership-proofs", testMembershipProofVector)
	}
	vectorTests["mls-pq/tree-operations"] = func(t *testing.T) {
		eachVector(t, "mls-pq/tree-operations", testPartialTreeOperationVector)
	}
}

type treeMathVector struct {
	Leaves  uint32       `json:"n_leaves"`
	Nodes   uint32       `json:"n_nodes"`
	Root    nodeIndex    `json:"root"`
	Left    []*nodeIndex `json:"left"`
	Right   []*nodeIndex `json:"right"`
	Parent  []*nodeIndex `json:"parent"`
	Sibling []*nodeIndex `json:"sibling"`
}

func testTreeMathVectors(t *testing.T) {
	for i, c := range vectorCases[treeMathVector](t, "tree-math") {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if got := rootOf(c.Leaves); got != c.Root {
				t.Errorf("root of %d leaves: got %d, want %d", c.Leaves, got, c.Root)
			}
			for n := range nodeIndex(c.Nodes) {
				if !n.isLeaf() {
					wantNode(t, "left", n, n.left(), c.Left[n])
					wantNode(t, "right", n, n.right(), c.Right[n])
				} else if c.Left[n] != nil || c.Right[n] != nil {
					t.Errorf("leaf %d has children", n)
				}
				if n != c.Root {
					wantNode(t, "parent", n, n.parent(), c.Parent[n])
					wantNode(t, "sibling", n, n.sibling(), c.Sibling[n])
				}
			}
		})
	}
}

func wantNode(t *testing.T, what string, n, got nodeIndex, want *nodeIndex) {
	t.Helper()
	if want == nil || got != *want {
		t.Errorf("%s of %d: got %d, want %v", what, n, got, want)
	}
}

func mustTree(t testing.TB, b []byte) *tree {
	t.Helper()
	tree, err := parseTree(b)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

type treeOperationVector struct {
	vectorSuite
	TreeBefore     hexBytes  `json:"tree_before"`
	TreeHashBefore hexBytes  `json:"tree_hash_before"`
	Proposal       hexBytes  `json:"proposal"`
	Sender         LeafIndex `json:"proposal_sender"`
	TreeAfter      hexBytes  `json:"tree_after"`
	TreeHashAfter  hexBytes  `json:"tree_hash_after"`
}

func testTreeOperationVector(t *testing.T, s *suite, c treeOperationVector) {
	tree := mustTree(t, c.TreeBefore)
	wantBytes(t, "tree hash before", tree.hash(s), c.TreeHashBefore)
	p, err := parse(c.Proposal, "proposal", readProposal)
	if err != nil {
		t.Fatal(err)
	}
	switch p := p.(type) {
	case *Add:
		tree.add(p.KeyPackage.Leaf)
	case *Update:
		tree.replaceLeaf(c.Sender, p.Leaf)
	case *Remove:
		tree.remove(p.Removed)
	default:
		t.Fatalf("proposal of type %d", p.Type())
	}
	wantBytes(t, "tree after", tree.appendTo(nil), c.TreeAfter)
	wantBytes(t, "tree hash after", tree.hash(s), c.TreeHashAfter)
}

type treeValidationVector struct {
	vectorSuite
	Tree        hexBytes      `json:"tree"`
	GroupID     hexBytes      `json:"group_id"`
	TreeHashes  []hexBytes    `json:"tree_hashes"`
	Resolutions [][]nodeIndex `json:"resolutions"`
}

func testTreeValidationVector(t *testing.T, s *suite, c treeValidationVector) {
	tree := mustTree(t, c.Tree)
	wantBytes(t, "tree", tree.appendTo(nil), c.Tree)
	for n, want := range c.TreeHashes {
		wantBytes(t, fmt.Sprintf("tree hash of node %d", n), tree.nodeHash(s, nodeIndex(n)), want)
	}
	for n, want := range c.Resolutions {
		if got := tree.resolution(nodeIndex(n)); !slices.Equal(got, want) {
			t.Errorf("resolution of node %d: got %v, want %v", n, got, want)
		}
	}
	if err := tree.verify(s, c.GroupID, tree.hash(s)); err != nil {
		t.Error(err)
	}
}

type treeKEMVector struct {
	vectorSuite
	GroupID                 hexBytes `json:"group_id"`
	Epoch                   uint64   `json:"epoch"`
	ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
	RatchetTree             hexBytes `json:"ratchet_tree"`
	LeavesPrivate           []struct {
		Index          LeafIndex `json:"index"`
		EncryptionPriv hexBytes  `json:"encryption_priv"`
		SignaturePriv  hexBytes  `json:"signature_priv"`
		PathSecrets    []struct {
			Node       nodeIndex `json:"node"`
			PathSecret hexBytes  `json:"path_secret"`
		} `json:"path_secrets"`
	} `json:"leaves_private"`
	UpdatePaths []struct {
		Sender        LeafIndex  `json:"sender"`
		UpdatePath    hexBytes   `json:"update_path"`
		PathSecrets   []hexBytes `json:"path_secrets"`
		CommitSecret  hexBytes   `json:"commit_secret"`
		TreeHashAfter hexBytes   `json:"tree_hash_after"`
	} `json:"update_paths"`
}

func (c treeKEMVector) context(s *suite, treeHash []byte) []byte {
	return marshal(&GroupContext{Version: versionMLS10, CipherSuite: s.id, GroupID: c.GroupID, Epoch: c.Epoch,
		TreeHash: treeHash, ConfirmedTranscriptHash: c.ConfirmedTranscriptHash})
}

// secrets gives each leaf's private keys, checked against the tree.
func (c treeKEMVector) secrets(t *testing.T, s *suite, tree *tree) map[LeafIndex]*treeSecrets {
	out := map[LeafIndex]*treeSecrets{}
	for _, l := range c.LeavesPrivate {
		k := newTreeSecrets(slices.Clone(Secret(l.EncryptionPriv)))
		public, err := s.publicOf(k.leaf)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, fmt.Sprintf("key of leaf %d", l.Index), public, tree.encryptionKey(l.Index.node()))
		for _, p := range l.PathSecrets {
			private, public, err := s.nodeKey(Secret(p.PathSecret))
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, fmt.Sprintf("key of node %d", p.Node), public, tree.encryptionKey(p.Node))
			k.private[p.Node] = private
		}
		out[l.Index] = k
	}
	return out
}

func testTreeKEMVector(t *testing.T, s *suite, c treeKEMVector) {
	base := mustTree(t, c.RatchetTree)
	if err := base.verify(s, c.GroupID, base.hash(s)); err != nil {
		t.Fatal(err)
	}
	secrets := c.secrets(t, s, base)
	for _, u := range c.UpdatePaths {
		path, err := parse(u.UpdatePath, "update path", readUpdatePath)
		if err != nil {
			t.Fatal(err)
		}
		tree := base.fork()
		if err := tree.checkPathCiphertexts(u.Sender, path, nil); err != nil {
			t.Fatal(err)
		}
		if err := tree.applyPathKeys(s, u.Sender, path); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "tree hash after", tree.hash(s), u.TreeHashAfter)
		if err := tree.verify(s, c.GroupID, u.TreeHashAfter); err != nil {
			t.Error(err)
		}
		ctx := c.context(s, u.TreeHashAfter)
		for own, k := range secrets {
			if own == u.Sender {
				continue
			}
			commitSecret, next, err := tree.decryptPath(s, own, k, u.Sender, path, ctx, nil)
			if err != nil {
				t.Fatalf("leaf %d: %v", own, err)
			}
			wantBytes(t, "commit secret", commitSecret, u.CommitSecret)
			private, _, err := s.nodeKey(Secret(u.PathSecrets[own]))
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "private key of the common ancestor", next.private[commonAncestor(own, u.Sender)], private)
		}
	}
	for _, l := range c.LeavesPrivate {
		c.testOwnPath(t, s, base.fork(), secrets, l.Index, Secret(l.SignaturePriv))
	}
}

// testOwnPath makes a path of our own that all others of the vector follow.
func (c treeKEMVector) testOwnPath(t *testing.T, s *suite, tree *tree, secrets map[LeafIndex]*treeSecrets, sender LeafIndex, signer Secret) {
	theirs := tree.fork()
	made, err := tree.createPath(s, sender, tree.leaf(sender), signer, c.GroupID)
	if err != nil {
		t.Fatal(err)
	}
	ctx := c.context(s, tree.hash(s))
	path, err := made.encryptPath(s, ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.applyPathKeys(s, sender, path); err != nil {
		t.Fatal(err)
	}
	if err := theirs.verify(s, c.GroupID, tree.hash(s)); err != nil {
		t.Fatal(err)
	}
	for own, k := range secrets {
		if own == sender {
			continue
		}
		commitSecret, _, err := theirs.decryptPath(s, own, k, sender, path, ctx, nil)
		if err != nil {
			t.Fatalf("leaf %d: %v", own, err)
		}
		wantBytes(t, "commit secret", commitSecret, made.commitSecret)
	}
}

// membershipProof is a leaf with what is needed to hash up to the root
// (draft-ietf-mls-partial).
type membershipProof struct {
	leaf   LeafIndex
	leaves uint32
	path   []node // the leaf, then the nodes above it
	copath [][]byte
}

func readMembershipProof(r *reader) membershipProof {
	return membershipProof{leaf: LeafIndex(r.u32()), leaves: r.u32(),
		path: list(r, func(r *reader) node {
			if !r.optional() {
				return node{}
			}
			return readNode(r)
		}),
		copath: list(r, (*reader).vec),
	}
}

func (p membershipProof) treeHash(s *suite) []byte {
	h := treeHasher{suite: s}
	n := p.leaf.node()
	d := h.leaf(p.leaf, p.path[0].leaf)
	for i, above := range p.path[1:] {
		var unmerged []LeafIndex
		if above.parent != nil {
			unmerged = above.parent.unmergedLeaves
		}
		if n < n.parent() {
			d = h.parent(above.parent, unmerged, d, p.copath[i])
		} else {
			d = h.parent(above.parent, unmerged, p.copath[i], d)
		}
		n = n.parent()
	}
	return d
}

func mustProof(t *testing.T, b []byte) membershipProof {
	t.Helper()
	p, err := parse(b, "membership proof", readMembershipProof)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type membershipProofVector struct {
	vectorSuite
	Proofs   []hexBytes `json:"proofs"`
	TreeHash hexBytes   `json:"tree_hash"`
}

func testMembershipProofVector(t *testing.T, s *suite, c membershipProofVector) {
	for _, b := range c.Proofs {
		wantBytes(t, "tree hash", mustProof(t, b).treeHash(s), c.TreeHash)
	}
}

type partialTreeOperationVector struct {
	vectorSuite
	CommitSecret  hexBytes `json:"commit_secret"`
	ReceiverProof hexBytes `json:"receiver_membership_proof_after"`
	PathState     []struct {
		EncryptionPriv hexBytes  `json:"encryption_priv"`
		Node           nodeIndex `json:"node"`
		PathSecret     hexBytes  `json:"path_secret"`
	} `json:"receiver_path_state"`
	ResolutionIndex int      `json:"resolution_index"`
	SenderProof     hexBytes `json:"sender_membership_proof_after"`
	TreeHashAfter   hexBytes `json:"tree_hash_after"`
	UpdatePath      hexBytes `json:"update_path"`
}

func testPartialTreeOperationVector(t *testing.T, s *suite, c partialTreeOperationVector) {
	sender, receiver := mustProof(t, c.SenderProof), mustProof(t, c.ReceiverProof)
	wantBytes(t, "tree hash by the sender", sender.treeHash(s), c.TreeHashAfter)
	wantBytes(t, "tree hash by the receiver", receiver.treeHash(s), c.TreeHashAfter)
	path, err := parse(c.UpdatePath, "update path", readUpdatePath)
	if err != nil {
		t.Fatal(err)
	}
	// The steps are the nodes above the sender that are not blank.
	step, secret := -1, Secret(nil)
	n := sender.leaf.node()
	for _, above := range sender.path[1:] {
		n = n.parent()
		if above.blank() {
			continue
		}
		step++
		wantBytes(t, fmt.Sprintf("key of node %d", n), path.nodes[step].encryptionKey, above.encryptionKey())
		if n == commonAncestor(sender.leaf, receiver.leaf) {
			secret = c.open(t, s, path.nodes[step].secrets[c.ResolutionIndex])
		}
		if secret == nil {
			continue
		}
		_, public, err := s.nodeKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, fmt.Sprintf("derived key of node %d", n), public, above.encryptionKey())
		secret = s.nextPathSecret(secret)
	}
	wantBytes(t, "commit secret", secret, c.CommitSecret)
}

// open tries the receiver's keys, one of which must fit.
func (c partialTreeOperationVector) open(t *testing.T, s *suite, ct hpkeCiphertext) Secret {
	t.Helper()
	for _, p := range c.PathState {
		if secret, err := s.decryptWithLabel(Secret(p.EncryptionPriv), "UpdatePathNode", c.TreeHashAfter, ct); err == nil {
			return secret
		}
	}
	t.Fatal("no key opens the receiver's ciphertext")
	return nil
}

func TestParentHashOfOneMemberIsEmpty(t *testing.T) {
	s := suites[X25519AES128]
	g := newTreeGroup(t, s, 1)
	made, err := g.tree.createPath(s, 0, g.tree.leaf(0), g.signers[0], g.groupID)
	if err != nil {
		t.Fatal(err)
	}
	if len(made.leaf.ParentHash) != 0 || len(made.commitSecret) != s.nh {
		t.Errorf("parent hash %x, commit secret of %d octets", made.leaf.ParentHash, len(made.commitSecret))
	}
	if !bytes.Equal(g.tree.leaf(0).EncryptionKey, made.leaf.EncryptionKey) {
		t.Error("the new leaf is not in the tree")
	}
}
