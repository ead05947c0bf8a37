package mls

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// filledTree is a tree of eight in which members 2 and 6 have been replaced.
// The new 2 is unmerged at node 3; the new 6 is merged, and so is 2 at the root.
func filledTree(t *testing.T) *treeGroup {
	t.Helper()
	g := newTreeGroup(t, suites[X25519AES128], 8)
	for _, i := range []LeafIndex{4, 2, 6, 0} {
		g.commit(t, i, 0)
	}
	g.commit(t, 5, 0, 2, 6)
	g.commit(t, 0, 0)
	g.commit(t, 5, 0)
	for range 2 {
		leaf, signer, private := newTestLeaf(t, g.s, "late")
		i := g.add(leaf)
		g.signers[i], g.secrets[i] = signer, newTreeSecrets(private)
	}
	g.commit(t, 4, 0)
	if got := g.node(3).parent.unmergedLeaves; !slices.Equal(got, []LeafIndex{2}) {
		t.Fatalf("unmerged at node 3: got %v, want 2", got)
	}
	if err := g.verify(g.s, g.groupID, g.hash(g.s)); err != nil {
		t.Fatal(err)
	}
	return g
}

// resign makes leaf i's signature right again after a change.
func (g *treeGroup) resign(t *testing.T, i LeafIndex, change func(*LeafNode)) {
	t.Helper()
	l, err := g.leaf(i).clone()
	if err != nil {
		t.Fatal(err)
	}
	change(l)
	if err := l.sign(g.s, g.signers[i], g.groupID, i); err != nil {
		t.Fatal(err)
	}
	g.setLeaf(i, l)
}

// alter changes a copy of the parent at n.
func (g *treeGroup) alter(n nodeIndex, change func(*parentNode)) {
	p := *g.node(n).parent
	p.unmergedLeaves = slices.Clone(p.unmergedLeaves)
	change(&p)
	g.set(n, node{parent: &p})
}

func TestVerifyRefuses(t *testing.T) {
	for _, c := range []struct {
		name, section, rule string
		spoil               func(t *testing.T, g *treeGroup)
	}{
		{"a leaf's signature that does not verify", "7.3", "leaf node signature", func(t *testing.T, g *treeGroup) {
			l, _ := g.leaf(1).clone()
			l.Signature[0] ^= 1
			g.setLeaf(1, l)
			g.blankPath(1)
		}},
		{"a leaf signed for another place", "7.3", "leaf node signature", func(t *testing.T, g *treeGroup) {
			l, _ := g.leaf(1).clone()
			l.Source = LeafFromUpdate
			if err := l.sign(g.s, g.signers[1], g.groupID, 3); err != nil {
				t.Fatal(err)
			}
			g.replaceLeaf(1, l)
		}},
		{"a signature key twice", "7.3", "have the same signature key", func(t *testing.T, g *treeGroup) {
			g.signers[1] = g.signers[0]
			g.resign(t, 1, func(l *LeafNode) { l.SignatureKey = g.leaf(0).SignatureKey })
			g.blankPath(1)
		}},
		{"an encryption key at two leaves", "7.3", "have the same encryption key", func(t *testing.T, g *treeGroup) {
			g.resign(t, 1, func(l *LeafNode) { l.EncryptionKey = g.leaf(0).EncryptionKey })
			g.blankPath(1)
		}},
		{"an encryption key at a leaf and a parent", "7.3", "have the same encryption key", func(t *testing.T, g *treeGroup) {
			g.replaceLeaf(2, g.leaf(2))
			g.resign(t, 2, func(l *LeafNode) {
				l.Source, l.EncryptionKey = LeafFromUpdate, g.encryptionKey(LeafIndex(4).node().parent())
			})
		}},
		{"a credential type that a member does not support", "7.3", "is not supported by all members", func(t *testing.T, g *treeGroup) {
			g.resign(t, 1, func(l *LeafNode) {
				l.Credential.Type = 77
				l.Capabilities.Credentials = []CredentialType{77, 77, 77, 77, 77, 77, 77, 77, CredentialBasic}
			})
			g.blankPath(1)
		}},
		{"leaves that do not list the credential type in use", "7.3", "is not supported by all members", func(t *testing.T, g *treeGroup) {
			for i := range g.leaves() {
				g.resign(t, i, func(l *LeafNode) { l.Capabilities.Credentials = []CredentialType{CredentialX509} })
			}
			g.blankAll()
		}},
		{"a leaf that does not list its own extension", "7.3", "its own extension", func(t *testing.T, g *treeGroup) {
			g.resign(t, 1, func(l *LeafNode) { l.Extensions = Extensions{{Type: 0xF123}} })
			g.blankPath(1)
		}},
		{"an unmerged leaf that is blank", "12.4.3.1", "is unmerged but blank", func(t *testing.T, g *treeGroup) {
			g.setLeaf(2, nil)
		}},
		{"an unmerged leaf that is not under the node", "12.4.3.1", "that are not under it", func(t *testing.T, g *treeGroup) {
			g.alter(1, func(p *parentNode) { p.unmergedLeaves = []LeafIndex{4} })
		}},
		{"an unmerged leaf far outside the tree", "12.4.3.1", "that are not under it", func(t *testing.T, g *treeGroup) {
			g.alter(1, func(p *parentNode) { p.unmergedLeaves = []LeafIndex{1 << 31} })
		}},
		{"an unmerged leaf that is merged below", "12.4.3.1", "lacks an unmerged leaf", func(t *testing.T, g *treeGroup) {
			g.alter(g.root(), func(p *parentNode) { p.unmergedLeaves = []LeafIndex{1} })
		}},
		{"a parent whose key was swapped", "7.9.2", "parent hash of node", func(t *testing.T, g *treeGroup) {
			_, public, err := g.s.generateKeyPair()
			if err != nil {
				t.Fatal(err)
			}
			g.alter(g.root(), func(p *parentNode) { p.encryptionKey = public })
		}},
		{"a parent set by no one below it", "7.9.2", "parent hash of node", func(t *testing.T, g *treeGroup) {
			_, public, err := g.s.generateKeyPair()
			if err != nil {
				t.Fatal(err)
			}
			n := LeafIndex(2).node().parent()
			g.blankPath(2)
			g.set(n, node{parent: &parentNode{encryptionKey: public}})
		}},
		{"a parent hash that is not the node's above", "7.9.2", "parent hash of node", func(t *testing.T, g *treeGroup) {
			g.alter(LeafIndex(4).node().parent(), func(p *parentNode) { p.parentHash = bytes.Repeat([]byte{7}, 32) })
		}},
		{"a merged leaf that a parent calls unmerged", "7.9.2", "parent hash of node", func(t *testing.T, g *treeGroup) {
			g.alter(LeafIndex(4).node().parent(), func(p *parentNode) { p.unmergedLeaves = []LeafIndex{5} })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := filledTree(t)
			c.spoil(t, g)
			joiner := mustTree(t, g.appendTo(nil))
			wantRefusal(t, joiner.verify(g.s, g.groupID, g.hash(g.s)), c.section, c.rule)
		})
	}
}

func (g *treeGroup) blankAll() {
	for i := range g.leaves() {
		g.blankPath(i)
	}
}

func TestVerifyRefusesAnotherTreeHash(t *testing.T) {
	g := filledTree(t)
	wantRefusal(t, g.verify(g.s, g.groupID, g.s.zero()), "12.4.3.1", "tree hash is not that")
}

func TestVerifyRefusesLeavesOfAnotherGroup(t *testing.T) {
	g := filledTree(t)
	wantRefusal(t, g.verify(g.s, []byte("another group"), g.hash(g.s)), "7.3", "leaf node signature")
}

// receivedPath has leaf 0 commit without others following.
func (g *treeGroup) receivedPath(t *testing.T) *updatePath {
	t.Helper()
	f := g.fork()
	made, err := f.createPath(g.s, 0, f.leaf(0), g.signers[0], g.groupID)
	if err != nil {
		t.Fatal(err)
	}
	path, err := made.encryptPath(g.s, f.hash(g.s), nil)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestApplyPathRefuses(t *testing.T) {
	for _, c := range []struct {
		name, section, rule string
		spoil               func(g *treeGroup, p *updatePath)
	}{
		{"a path that is too short", "7.5", "update path has 2 nodes", func(_ *treeGroup, p *updatePath) { p.nodes = p.nodes[1:] }},
		{"a path that is too long", "7.5", "update path has 4 nodes", func(_ *treeGroup, p *updatePath) { p.nodes = append(p.nodes, p.nodes[0]) }},
		{"a leaf of another source", "7.3", "leaf node of an update path", func(_ *treeGroup, p *updatePath) { p.leaf.Source = LeafFromUpdate }},
		{"another parent hash", "7.9.2", "parent hash of the update", func(_ *treeGroup, p *updatePath) { p.leaf.ParentHash[0] ^= 1 }},
		{"no parent hash", "7.9.2", "parent hash of the update", func(_ *treeGroup, p *updatePath) { p.leaf.ParentHash = nil }},
		{"a swapped key", "7.9.2", "parent hash of the update", func(g *treeGroup, p *updatePath) {
			_, p.nodes[1].encryptionKey, _ = g.s.generateKeyPair()
		}},
		{"a key that is none", "7.3", "encryption key is not a key", func(_ *treeGroup, p *updatePath) { p.nodes[0].encryptionKey = []byte("short") }},
		{"one key twice", "7.3", "an encryption key twice", func(_ *treeGroup, p *updatePath) { p.nodes[0].encryptionKey = p.nodes[1].encryptionKey }},
		{"the leaf's old key", "12.4.2", "has the encryption key of node", func(g *treeGroup, p *updatePath) { p.leaf.EncryptionKey = g.leaf(0).EncryptionKey }},
		{"an old key of the path", "12.4.2", "has the encryption key of node", func(g *treeGroup, p *updatePath) {
			p.nodes[2].encryptionKey = g.encryptionKey(g.root())
		}},
		{"another member's key", "12.4.2", "has the encryption key of node", func(g *treeGroup, p *updatePath) {
			p.nodes[0].encryptionKey = g.leaf(5).EncryptionKey
		}},
		{"another member's signature key", "7.3", "update path has the signature key", func(g *treeGroup, p *updatePath) {
			p.leaf.SignatureKey = g.leaf(5).SignatureKey
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := filledTree(t)
			path := g.receivedPath(t)
			c.spoil(g, path)
			before := g.appendTo(nil)
			wantRefusal(t, g.fork().applyPathKeys(g.s, 0, path), c.section, c.rule)
			if !bytes.Equal(g.appendTo(nil), before) {
				t.Error("a refused path changed the base")
			}
		})
	}
}

func TestPathCiphertextsAreCounted(t *testing.T) {
	g := filledTree(t)
	path := g.receivedPath(t)
	if err := g.checkPathCiphertexts(0, path, nil); err != nil {
		t.Error(err)
	}
	wantInvalid(t, g.checkPathCiphertexts(0, path, map[LeafIndex]bool{1: true}), "7.6")
	path.nodes[2].secrets = append(path.nodes[2].secrets, hpkeCiphertext{})
	wantInvalid(t, g.checkPathCiphertexts(0, path, nil), "7.6")
	path.nodes = path.nodes[1:]
	wantInvalid(t, g.checkPathCiphertexts(0, path, nil), "7.5")
}

func TestDecryptPathRefuses(t *testing.T) {
	g := filledTree(t)
	mine, theirs := g.fork(), g.fork()
	made, err := mine.createPath(g.s, 0, mine.leaf(0), g.signers[0], g.groupID)
	if err != nil {
		t.Fatal(err)
	}
	made.pathSecrets[len(made.pathSecrets)-1] = g.s.randomSecret() // not what the path's keys came from
	ctx := mine.hash(g.s)
	path, err := made.encryptPath(g.s, ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.applyPathKeys(g.s, 0, path); err != nil {
		t.Fatal(err)
	}
	keys := marshal(g.secrets[7])
	_, _, err = theirs.decryptPath(g.s, 7, g.secrets[7], 0, path, ctx, nil)
	wantRefusal(t, err, "7.5", "does not give the public key")
	if !bytes.Equal(keys, marshal(g.secrets[7])) {
		t.Error("a refused path changed the member's keys")
	}
	if _, _, err = theirs.decryptPath(g.s, 1, g.secrets[1], 0, path, ctx, nil); err != nil {
		t.Errorf("a member whom the false secret does not concern: %v", err)
	}
	if _, _, err = theirs.decryptPath(g.s, 1, g.secrets[1], 0, path, []byte("another context"), nil); !errors.Is(err, errDecrypt) {
		t.Errorf("under another context: got %v, want %v", err, errDecrypt)
	}
	if _, _, err = theirs.decryptPath(g.s, 1, newTreeSecrets(nil), 0, path, ctx, nil); err == nil {
		t.Error("decrypted without a key")
	}
}

func TestExternalCommitterTakesAFreeLeaf(t *testing.T) {
	for _, full := range []bool{true, false} {
		g := newTreeGroup(t, suites[X25519AES128], 4)
		if !full {
			g.commit(t, 0, 0, 1)
		}
		mine, theirs := g.fork(), g.fork()
		leaf, signer, _ := newTestLeaf(t, g.s, "external")
		at := mine.freeLeaf()
		made, err := mine.createPath(g.s, at, leaf, signer, g.groupID)
		if err != nil {
			t.Fatal(err)
		}
		path, err := made.encryptPath(g.s, mine.hash(g.s), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := theirs.freeLeaf(); got != at {
			t.Fatalf("got leaf %d, want %d", got, at)
		}
		if err := theirs.checkPathCiphertexts(at, path, nil); err != nil {
			t.Fatal(err)
		}
		if err := theirs.applyPathKeys(g.s, at, path); err != nil {
			t.Fatal(err)
		}
		if err := theirs.verify(g.s, g.groupID, mine.hash(g.s)); err != nil {
			t.Fatal(err)
		}
		for i, k := range g.secrets {
			commitSecret, _, err := theirs.decryptPath(g.s, i, k, at, path, mine.hash(g.s), nil)
			if err != nil || !commitSecret.Equal(made.commitSecret) {
				t.Errorf("leaf %d: %v", i, err)
			}
		}
	}
}

func TestNewLeavesAreComparedWithAll(t *testing.T) {
	for _, c := range []struct {
		name  string
		leaf  func(g *treeGroup, l *LeafNode)
		wants bool
	}{
		{"a leaf with keys of its own", func(*treeGroup, *LeafNode) {}, true},
		{"a signature key of a member", func(g *treeGroup, l *LeafNode) { l.SignatureKey = g.leaf(3).SignatureKey }, false},
		{"an encryption key of a member", func(g *treeGroup, l *LeafNode) { l.EncryptionKey = g.leaf(3).EncryptionKey }, false},
		{"an encryption key of a parent", func(g *treeGroup, l *LeafNode) { l.EncryptionKey = g.encryptionKey(1) }, false},
		{"a credential type of its own", func(_ *treeGroup, l *LeafNode) { l.Credential.Type = 9 }, false},
		{"a signature key of a removed member", func(g *treeGroup, l *LeafNode) { l.SignatureKey = g.leaf(7).SignatureKey }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := filledTree(t)
			leaf, _, _ := newTestLeaf(t, g.s, "new")
			c.leaf(g, leaf)
			f := g.fork()
			f.remove(7)
			f.add(leaf)
			if err := f.checkNewLeaves(); (err == nil) != c.wants {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("two new leaves alike", func(t *testing.T) {
		g := filledTree(t)
		f := g.fork()
		leaf, _, _ := newTestLeaf(t, g.s, "new")
		f.add(leaf)
		f.add(leaf)
		wantInvalid(t, f.checkNewLeaves(), "7.3")
	})
}

func TestParallelWorkGivesTheFirstError(t *testing.T) {
	for range 100 {
		err := inParallel(1000, func(i int) error {
			if i%7 == 6 {
				return invalid("0", "%d", i)
			}
			return nil
		})
		if e, ok := errors.AsType[*InvalidError](err); !ok || e.Rule != "6" {
			t.Fatalf("got %v, want the error of 6", err)
		}
	}
}
