package mls

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestKeyIndexFollowsTheTree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	g := newTreeGroup(t, suites[X25519AES128], 5)
	g.index()
	first := g.keys
	for range 30 {
		members := g.memberIndices()
		rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		removes := members[1:][:rnd.IntN(min(4, len(members)))]
		g.commit(t, members[0], rnd.IntN(5), removes...)
		if g.keys != first {
			t.Fatal("the index was made anew")
		}
		encryption, signature := 0, 0
		for n, v := range g.nodes() {
			encryption++
			if !slices.Contains(g.keys.holders(g.keys.encryption, v.encryptionKey()), n) {
				t.Errorf("node %d is not in the index", n)
			}
			if v.leaf == nil {
				continue
			}
			signature++
			if !slices.Contains(g.keys.holders(g.keys.signature, v.leaf.SignatureKey), n) {
				t.Errorf("leaf %d is not in the index", n.leaf())
			}
		}
		if len(g.keys.encryption) != encryption || len(g.keys.signature) != signature {
			t.Errorf("the index has %d and %d keys, the tree %d and %d", len(g.keys.encryption), len(g.keys.signature), encryption, signature)
		}
	}
}

func TestKeyIndexFindsNodesWhoseHashIsTaken(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 4)
	k := indexOf(g.pages, 8)
	for n, v := range g.nodes() { // as if each had come second
		k.add(n, v)
	}
	for n, v := range g.nodes() {
		if got := k.holders(k.encryption, v.encryptionKey()); !slices.Contains(got[1:], n) {
			t.Errorf("node %d is not among %v", n, got)
		}
		k.remove(n, v)
	}
	if len(k.encryption) != 0 || len(k.signature) != 0 || len(k.crowded) != 0 {
		t.Error("something is left")
	}
}

func TestForkOfAnOlderTreeDoesNotUseTheIndexOfALaterOne(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 4)
	old := g.fork()
	key, _, _ := newTestLeaf(t, g.s, "a leaf that comes")
	next := g.fork()
	next.add(key)
	g.merge(next)
	found := false
	err := old.unchanged(key.EncryptionKey, nil, func(nodeIndex, node) error { found = true; return nil })
	if err != nil || found {
		t.Errorf("a leaf is found in a tree that never had it, error %v", err)
	}
	if old.keys == g.keys {
		t.Error("the older tree uses the later one's index")
	}
	again := *key
	f := g.fork()
	f.add(&again)
	wantInvalid(t, f.checkNewLeaves(), "7.3")
}
