package mls

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// treeGroup is the tree part of a group with the secrets of all its members.
type treeGroup struct {
	*tree
	s       *suite
	groupID []byte
	signers map[LeafIndex]Secret
	secrets map[LeafIndex]*treeSecrets
}

// newTreeGroup makes a tree of n members, of whom the first has added all others.
func newTreeGroup(t testing.TB, s *suite, n int) *treeGroup {
	t.Helper()
	g := &treeGroup{s: s, groupID: []byte("a group"), signers: map[LeafIndex]Secret{}, secrets: map[LeafIndex]*treeSecrets{}}
	leaf, signer, private := newTestLeaf(t, s, "0")
	g.tree = newTree(leaf)
	g.signers[0], g.secrets[0] = signer, newTreeSecrets(private)
	if n > 1 {
		g.commit(t, 0, n-1)
	}
	return g
}

// newTestLeaf makes a signed leaf as a KeyPackage has it.
func newTestLeaf(t testing.TB, s *suite, name string) (leaf *LeafNode, signer, private Secret) {
	t.Helper()
	signer, signaturePublic, err := s.sig.generate()
	if err != nil {
		t.Fatal(err)
	}
	private, public, err := s.generateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	leaf = &LeafNode{EncryptionKey: public, SignatureKey: signaturePublic,
		Credential: Credential{Type: CredentialBasic, Identity: []byte(name)},
		Capabilities: Capabilities{Versions: []uint16{versionMLS10}, CipherSuites: []CipherSuite{s.id},
			Credentials: []CredentialType{CredentialBasic}},
		Source: LeafFromKeyPackage, Lifetime: Lifetime{NotAfter: 1 << 62}}
	if err := leaf.sign(s, signer, nil, 0); err != nil {
		t.Fatal(err)
	}
	return leaf, signer, private
}

// commit has sender remove and add members, and all members follow its path.
func (g *treeGroup) commit(t testing.TB, sender LeafIndex, adds int, removes ...LeafIndex) {
	t.Helper()
	before := g.appendTo(nil)
	mine, theirs := g.fork(), g.fork()
	added := map[LeafIndex]bool{}
	for _, i := range removes {
		mine.remove(i)
		theirs.remove(i)
		g.secrets[i].erase()
		delete(g.secrets, i)
		delete(g.signers, i)
	}
	for range adds {
		leaf, signer, private := newTestLeaf(t, g.s, fmt.Sprint(mine.memberCount()))
		i := mine.add(leaf)
		theirs.add(leaf)
		added[i], g.signers[i], g.secrets[i] = true, signer, newTreeSecrets(private)
	}
	made, err := mine.createPath(g.s, sender, mine.leaf(sender), g.signers[sender], g.groupID)
	if err != nil {
		t.Fatal(err)
	}
	ctx := mine.hash(g.s)
	path, err := made.encryptPath(g.s, ctx, added)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.checkPathCiphertexts(sender, path, added); err != nil {
		t.Fatal(err)
	}
	if err := theirs.applyPathKeys(g.s, sender, path); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(theirs.hash(g.s), ctx) {
		t.Fatal("committer and members disagree about the tree")
	}
	if !bytes.Equal(g.appendTo(nil), before) {
		t.Fatal("a fork changed its base")
	}
	g.merge(theirs)
	for i, k := range g.secrets {
		switch {
		case i == sender:
			g.secrets[i] = made.secrets
		case added[i]:
			if err := k.fromWelcome(g.s, g.tree, i, sender, slices.Clone(made.pathSecretFor(i))); err != nil {
				t.Fatal(err)
			}
		default:
			commitSecret, next, err := g.decryptPath(g.s, i, k, sender, path, ctx, added)
			if err != nil {
				t.Fatal(err)
			}
			if !commitSecret.Equal(made.commitSecret) {
				t.Fatalf("leaf %d has another commit secret", i)
			}
			k.erase()
			g.secrets[i] = next
		}
	}
}

// checkKeys checks that each member knows the private keys of its leaf and of
// the parents above it where it is not unmerged, and no others.
func (g *treeGroup) checkKeys(t testing.TB) {
	t.Helper()
	for i, l := range g.leaves() {
		k := g.secrets[i]
		g.wantKey(t, k.leaf, l.EncryptionKey)
		known := 0
		for n := range g.directPath(i) {
			p := g.node(n).parent
			if p == nil || slices.Contains(p.unmergedLeaves, i) {
				continue
			}
			known++
			g.wantKey(t, k.private[n], p.encryptionKey)
		}
		if known != len(k.private) {
			t.Errorf("leaf %d has %d private keys of parents, want %d", i, len(k.private), known)
		}
	}
}

func (g *treeGroup) wantKey(t testing.TB, private Secret, public []byte) {
	t.Helper()
	got, err := g.s.publicOf(private)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, public) {
		t.Errorf("private key has public key %x, want %x", got, public)
	}
}

func TestMembersFollowEveryCommit(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		rounds := 8
		if s.id == X25519AES128 || s.id == DefaultSuite {
			rounds = 30
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		g := newTreeGroup(t, s, 5)
		for range rounds {
			members := g.memberIndices()
			rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			removes := members[1:][:rnd.IntN(min(4, len(members)))]
			g.commit(t, members[0], rnd.IntN(5), removes...)
			g.checkKeys(t)
			joiner := mustTree(t, g.appendTo(nil))
			if err := joiner.verify(g.s, g.groupID, g.hash(g.s)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func (g *treeGroup) memberIndices() []LeafIndex {
	var out []LeafIndex
	for i := range g.leaves() {
		out = append(out, i)
	}
	return out
}

func TestTreeSecretsRoundTrip(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 5)
	for i, k := range g.secrets {
		read, err := parseTreeSecrets(marshal(k))
		if err != nil {
			t.Fatal(err)
		}
		g.secrets[i] = read
	}
	g.checkKeys(t)
	if _, err := parseTreeSecrets(Secret{9}); err == nil {
		t.Error("an unknown version was read")
	}
}

func TestTreeSecretsDoNotPrint(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 2)
	made, err := g.createPath(g.s, 0, g.leaf(0), g.signers[0], g.groupID)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{g.secrets[0], *g.secrets[0], made, *made} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%s of a %T: got %s", verb, v, got)
			}
		}
	}
}

func TestPathSecretOfAnotherKeyIsRefused(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 4)
	err := g.secrets[3].clone().fromWelcome(g.s, g.tree, 3, 0, g.s.randomSecret())
	wantRefusal(t, err, "7.5", "does not give the public key")
	err = g.secrets[3].clone().fromWelcome(g.s, g.tree, 3, 0, Secret("short"))
	wantRefusal(t, err, "7.4", "path secret has")
	err = g.secrets[3].clone().fromWelcome(g.s, g.tree, 3, 99, g.s.randomSecret())
	wantRefusal(t, err, "12.4.3.1", "which share no node")
}

func wantInvalid(t testing.TB, err error, section string) {
	t.Helper()
	if e, ok := errors.AsType[*InvalidError](err); !ok || e.Section != section {
		t.Errorf("got %v, want a broken rule of Section %s", err, section)
	}
}
