package mls

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func init() {
	vectorTests["secret-tree"] = func(t *testing.T) { eachVector(t, "secret-tree", checkSecretTree) }
}

type secretTreeVector struct {
	vectorSuite
	Encryption hexBytes `json:"encryption_secret"`
	SenderData struct {
		Secret                 hexBytes `json:"sender_data_secret"`
		Ciphertext, Key, Nonce hexBytes
	} `json:"sender_data"`
	Leaves [][]struct {
		Generation       uint32
		ApplicationKey   hexBytes `json:"application_key"`
		ApplicationNonce hexBytes `json:"application_nonce"`
		HandshakeKey     hexBytes `json:"handshake_key"`
		HandshakeNonce   hexBytes `json:"handshake_nonce"`
	}
}

func checkSecretTree(t *testing.T, s *suite, v secretTreeVector) {
	w := getWorkspace()
	w.deriveSenderData(s, Secret(v.SenderData.Secret), &privateMessage{ciphertext: v.SenderData.Ciphertext})
	wantBytes(t, "sender data key", w.key[:s.nk], v.SenderData.Key)
	wantBytes(t, "sender data nonce", w.nonce[:], v.SenderData.Nonce)
	tree := newSecretTree(s, Secret(bytes.Clone(v.Encryption)), uint32(len(v.Leaves)))
	for i, generations := range v.Leaves {
		for _, g := range generations {
			wantKey(t, tree, LeafIndex(i), applicationRatchet, g.Generation, g.ApplicationKey, g.ApplicationNonce)
			wantKey(t, tree, LeafIndex(i), handshakeRatchet, g.Generation, g.HandshakeKey, g.HandshakeNonce)
		}
	}
}

func wantKey(t *testing.T, tree *secretTree, leaf LeafIndex, kind ratchetKind, generation uint32, key, nonce []byte) {
	t.Helper()
	k, err := tree.at(leaf, kind, generation)
	if err != nil {
		t.Fatalf("leaf %d, ratchet %d, generation %d: %v", leaf, kind, generation, err)
	}
	what := fmt.Sprintf("leaf %d, ratchet %d, generation %d", leaf, kind, generation)
	wantBytes(t, what+": key", k.key, key)
	wantBytes(t, what+": nonce", k.nonce, nonce)
	k.consume()
}

var testSecret = Secret("an encryption secret for tests!!")

// testTree gives a suite 1 tree that always has the same keys.
func testTree(t testing.TB, leaves uint32) *secretTree {
	return newSecretTree(mustSuite(t, X25519AES128), bytes.Clone(testSecret), leaves)
}

// take consumes a key and gives a copy of it.
func take(tree *secretTree, id ratchetID, generation uint32) (Secret, error) {
	k, err := tree.at(id.leaf, id.kind, generation)
	if err != nil {
		return nil, err
	}
	defer k.consume()
	return bytes.Clone(k.key), nil
}

// spend consumes the next key to send under.
func spend(tree *secretTree, leaf LeafIndex, kind ratchetKind) error {
	k, err := tree.next(leaf, kind)
	if err == nil {
		k.consume()
	}
	return err
}

func TestSendingGivesEachGenerationOnce(t *testing.T) {
	sender, receiver := testTree(t, 4), testTree(t, 4)
	for want := range uint32(5) {
		sent, err := sender.next(2, applicationRatchet)
		if err != nil {
			t.Fatal(err)
		}
		if sent.generation != want {
			t.Errorf("got generation %d, want %d", sent.generation, want)
		}
		k, err := receiver.at(2, applicationRatchet, sent.generation)
		if err != nil {
			t.Fatal(err)
		}
		if !k.key.Equal(sent.key) || !bytes.Equal(k.nonce, sent.nonce) {
			t.Errorf("generation %d: sender and receiver differ", want)
		}
		sent.consume()
		k.consume()
	}
}

func TestKeyIsGoneOnceUsed(t *testing.T) {
	tree, id := testTree(t, 4), ratchetID{1, applicationRatchet}
	for _, g := range []uint32{3, 0, 2} {
		if _, err := take(tree, id, g); err != nil {
			t.Fatal(err)
		}
		if _, err := take(tree, id, g); !errors.Is(err, errGenerationUsed) {
			t.Errorf("generation %d twice: got %v", g, err)
		}
	}
}

func TestConsumingAKeyOverwritesWhatItDerivesFrom(t *testing.T) {
	tree, id := testTree(t, 4), ratchetID{1, applicationRatchet}
	root := tree.frontier[tree.root()]
	k, err := tree.at(id.leaf, id.kind, 2)
	if err != nil {
		t.Fatal(err)
	}
	consumed := map[string]Secret{"the root": root, "the first ratchet secret": k.opened.ratchets[id.kind].secret, "the key": k.key}
	k.consume()
	ahead := tree.ratchets[id]
	second := bytes.Clone(ahead.secret)
	skipped := ahead.skipped[0].key
	if _, err := take(tree, id, 3); err != nil {
		t.Fatal(err)
	}
	if ahead.secret.Equal(second) {
		t.Error("the second ratchet secret is still there")
	}
	if skipped.Equal(make(Secret, len(skipped))) {
		t.Error("a key that was only skipped is overwritten")
	}
	if _, err := take(tree, id, 0); err != nil {
		t.Fatal(err)
	}
	consumed["a skipped key"] = skipped
	for what, secret := range consumed {
		if !secret.Equal(make(Secret, len(secret))) {
			t.Errorf("%s is still there", what)
		}
	}
}

func TestDiscardingAKeyOverwritesWhatWasDerivedForIt(t *testing.T) {
	tree, id := testTree(t, 4), ratchetID{1, applicationRatchet}
	first, err := tree.at(id.leaf, id.kind, 2) // of a leaf that has not spoken
	if err != nil {
		t.Fatal(err)
	}
	derived := map[string]Secret{"the key": first.key, "the ratchet ahead": first.after.secret,
		"the first ratchet": first.opened.ratchets[id.kind].secret, "a sibling": first.opened.siblings[0].secret}
	skipped := first.own[1].key
	first.discard()
	derived["a key passed by"] = skipped
	if err := spend(tree, id.leaf, id.kind); err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(tree.ratchets[id].secret)
	next, err := tree.at(id.leaf, id.kind, 1)
	if err != nil {
		t.Fatal(err)
	}
	derived["the next key"], derived["the next secret"] = next.key, next.room.next[:]
	next.discard()
	next.discard() // does no harm
	for what, secret := range derived {
		if !secret.Equal(make(Secret, len(secret))) {
			t.Errorf("%s is still there", what)
		}
	}
	if !tree.ratchets[id].secret.Equal(before) {
		t.Error("the ratchet moved")
	}
}

func TestLookingAtAKeyChangesNothing(t *testing.T) {
	tree, id := testTree(t, 8), ratchetID{5, handshakeRatchet}
	tree.drain()
	first, err := tree.at(id.leaf, id.kind, 7)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.drain(); len(got) != 0 {
		t.Errorf("looking at a key changed %d records", len(got))
	}
	second, err := tree.at(id.leaf, id.kind, 7)
	if err != nil {
		t.Fatal(err)
	}
	if !first.key.Equal(second.key) {
		t.Error("the second look gave another key")
	}
	second.consume()
	first.consume() // finds that the key is gone
	if _, err := take(tree, id, 7); !errors.Is(err, errGenerationUsed) {
		t.Errorf("after both: got %v", err)
	}
	if _, err := take(tree, id, 6); err != nil {
		t.Errorf("a skipped key was lost: %v", err)
	}
}

func TestKeysMayBeConsumedInAnotherOrderThanTheyWereLookedAt(t *testing.T) {
	tree := testTree(t, 8)
	var looked []*messageKey
	ids := []ratchetID{{0, 0}, {1, 0}, {0, 1}, {0, 0}}
	for i, id := range ids {
		k, err := tree.at(id.leaf, id.kind, uint32(3-i))
		if err != nil {
			t.Fatal(err)
		}
		looked = append(looked, k)
	}
	for _, k := range slices.Backward(looked) {
		k.consume()
	}
	for i, id := range ids {
		if _, err := take(tree, id, uint32(3-i)); !errors.Is(err, errGenerationUsed) {
			t.Errorf("%v generation %d again: got %v", id, 3-i, err)
		}
	}
	for _, id := range []ratchetID{{0, 0}, {1, 0}, {0, 1}} {
		got, err := take(tree, id, 9)
		if err != nil || !got.Equal(keyOf(tree.suite, tree.width, id, 9)) {
			t.Errorf("%v goes on with a wrong key, error %v", id, err)
		}
	}
}

// The bounds of a zero Config.
const maxAhead, mostKeys = 1000, 1000

func TestMessageTooFarAheadIsRefused(t *testing.T) {
	tree, id := testTree(t, 2), ratchetID{0, applicationRatchet}
	for _, g := range []uint32{maxAhead + 1, math.MaxUint32 - 1, math.MaxUint32} {
		if _, err := tree.at(id.leaf, id.kind, g); !errors.Is(err, errGenerationFar) {
			t.Errorf("generation %d: got %v", g, err)
		}
	}
	if _, err := take(tree, id, maxAhead); err != nil {
		t.Errorf("the farthest step allowed: %v", err)
	}
}

func TestOldestSkippedKeysAreDroppedFirst(t *testing.T) {
	tree, id := testTree(t, 2), ratchetID{0, applicationRatchet}
	for _, g := range []uint32{maxAhead, 2*maxAhead + 1} {
		if _, err := take(tree, id, g); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tree.ratchets[id].skipped); n != mostKeys {
		t.Errorf("%d keys are kept, want %d", n, mostKeys)
	}
	if _, err := take(tree, id, maxAhead-1); !errors.Is(err, errGenerationUsed) {
		t.Errorf("a dropped key: got %v", err)
	}
	if _, err := take(tree, id, maxAhead+1); err != nil {
		t.Errorf("the oldest key kept: %v", err)
	}
}

// ratchetModel is what a ratchet may give, told without any secret.
type ratchetModel struct {
	next uint32
	kept []uint32 // ascending
}

func (m *ratchetModel) take(s skips, g uint32) error {
	switch i := slices.Index(m.kept, g); {
	case i >= 0:
		m.kept = slices.Delete(m.kept, i, i+1)
	case g < m.next:
		return errGenerationUsed
	case g-m.next > s.ahead:
		return errGenerationFar
	default:
		for ; m.next < g; m.next++ {
			m.kept = append(m.kept, m.next)
		}
		m.next++
		m.trim(s)
	}
	return nil
}

func (m *ratchetModel) trim(s skips) { m.kept = slices.Delete(m.kept, 0, max(len(m.kept)-s.kept, 0)) }

// TestSkippedKeysKeepToTheirBounds: whatever order messages come in, and
// wherever other bounds take over from a restart on, the keys that a tree gives,
// keeps and stores are those that the bounds allow, and every other is erased.
func TestSkippedKeysKeepToTheirBounds(t *testing.T) {
	s, id := mustSuite(t, X25519AES128), ratchetID{1, applicationRatchet}
	rapid.Check(t, func(t *rapid.T) {
		draw := func() skips {
			return skips{ahead: rapid.Uint32Range(0, 9).Draw(t, "ahead"), kept: rapid.IntRange(0, 9).Draw(t, "kept")}
		}
		bounds := draw()
		tree, store, model := newSecretTree(s, bytes.Clone(testSecret), 2), records{}, &ratchetModel{}
		tree.limit(bounds)
		for range rapid.IntRange(1, 20).Draw(t, "messages") {
			before := secretsIn(tree)
			generation := rapid.Uint32Range(0, 40).Draw(t, "generation")
			if k, err := tree.at(id.leaf, id.kind, generation); err == nil && rapid.Bool().Draw(t, "not authentic") {
				derived := secretsIn(k)
				k.discard()
				for first, f := range derived {
					if _, ok := before[first]; !ok && !f.erased() {
						t.Fatalf("%s of a message that was not authentic is left", f.path)
					}
				}
				for _, f := range before {
					if f.erased() {
						t.Fatalf("%s is erased by a message that was not authentic", f.path)
					}
				}
				continue
			} else if err == nil {
				k.discard()
			}
			got, err := take(tree, id, generation)
			if want := model.take(bounds, generation); !errors.Is(err, want) {
				t.Fatalf("generation %d: got %v, want %v", generation, err, want)
			} else if err == nil && !got.Equal(keyOf(s, 2, id, generation)) {
				t.Fatalf("generation %d: wrong key", generation)
			}
			store.apply(tree.drain())
			if rapid.Bool().Draw(t, "restart under other bounds") {
				if tree, err = parseSecretTree(s, 2, store.list()); err != nil {
					t.Fatal(err)
				}
				bounds = draw()
				before = secretsIn(tree)
				tree.limit(bounds)
				model.trim(bounds)
				store.apply(tree.drain())
			}
			after := secretsIn(tree)
			for first, f := range before {
				if _, ok := after[first]; !ok && !f.erased() {
					t.Fatalf("%s is dropped but not erased", f.path)
				}
			}
			wantKept(t, tree, store, id, model.kept)
		}
	})
}

func TestBoundsOnSkippingAreTheConfigs(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want skips
	}{
		{Config{}, skips{ahead: 1000, kept: 1000}},
		{Config{MaxAhead: 5, MaxSkipped: 3}, skips{ahead: 5, kept: 3}},
		{Config{MaxAhead: -1, MaxSkipped: -1}, skips{}},
		{Config{MaxAhead: 1 << 40, MaxSkipped: 1 << 40}, skips{ahead: 10_000, kept: 10_000}},
	} {
		if got := c.cfg.skips(); got != c.want {
			t.Errorf("%d and %d: got %v, want %v", c.cfg.MaxAhead, c.cfg.MaxSkipped, got, c.want)
		}
	}
}

// TestGroupKeepsToItsBoundsOnSkipping: in the epoch that it joins, in later
// ones, in those that are over, and when it is loaded with lower bounds.
func TestGroupKeepsToItsBoundsOnSkipping(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{MaxAhead: 4, MaxSkipped: 3, PastEpochs: 1})
	from, to := r.clients[0], r.clients[1]
	var past [][]byte
	for range 2 {
		var messages [][]byte
		for i := range 8 {
			m, err := from.Encrypt(nil, []byte{byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, m)
		}
		read := func(i int) error {
			_, err := to.Process(mustParse(t, messages[i]), now)
			return err
		}
		if err := read(5); !errors.Is(err, errGenerationFar) {
			t.Errorf("five ahead: %v", err)
		}
		if err := read(4); err != nil {
			t.Errorf("four ahead: %v", err)
		}
		if err := read(0); !errors.Is(err, errGenerationUsed) {
			t.Errorf("the fourth before: %v", err)
		}
		if err := read(1); err != nil {
			t.Errorf("the third before: %v", err)
		}
		past = messages
		r.commit(from, CommitOptions{})
	}
	to.disk.save(to.Drain())
	to.cfg.MaxSkipped = 1
	restart(t, to)
	to.disk.save(to.Drain())
	to.cfg.MaxSkipped = 3
	restart(t, to) // what was dropped does not come back
	for i, want := range map[int]error{2: errGenerationUsed, 3: nil} {
		if _, err := to.Process(mustParse(t, past[i]), now); !errors.Is(err, want) {
			t.Errorf("message %d of the epoch before: %v, want %v", i, err, want)
		}
	}
}

// wantKept compares what keys a ratchet keeps, in memory and in the store.
func wantKept(t *rapid.T, tree *secretTree, store records, id ratchetID, want []uint32) {
	stored, err := parseSecretTree(tree.suite, tree.width, store.list())
	if err != nil {
		t.Fatal(err)
	}
	for what, tree := range map[string]*secretTree{"memory": tree, "the store": stored} {
		var got []uint32
		if r := tree.ratchets[id]; r != nil {
			for _, g := range r.skipped {
				got = append(got, g.generation)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s keeps the keys of %v, want %v", what, got, want)
		}
	}
}

func TestRatchetEndsBeforeItsCounter(t *testing.T) {
	tree, id := testTree(t, 2), ratchetID{0, applicationRatchet}
	if _, err := take(tree, id, 0); err != nil {
		t.Fatal(err)
	}
	tree.ratchets[id].generation = math.MaxUint32 - 1
	if err := spend(tree, id.leaf, id.kind); err != nil {
		t.Errorf("the last generation: %v", err)
	}
	if err := spend(tree, id.leaf, id.kind); err == nil {
		t.Error("a key past the last generation")
	}
}

func TestSenderOutsideTheTreeIsRefused(t *testing.T) {
	tree := testTree(t, 4)
	for _, leaf := range []LeafIndex{4, 5, math.MaxUint32} {
		_, err := tree.at(leaf, applicationRatchet, 0)
		wantRefusal(t, err, "6.3.2", "is outside the tree")
	}
}

func TestMessageTouchesOneRecord(t *testing.T) {
	tree := testTree(t, 1024)
	if got := tree.drain(); len(got) != 1 {
		t.Errorf("a new tree has %d records, want its root", len(got))
	}
	if err := spend(tree, 700, applicationRatchet); err != nil {
		t.Fatal(err)
	}
	// The root goes, ten siblings and two ratchets come.
	if got := tree.drain(); len(got) != 13 {
		t.Errorf("the first message touches %d records, want 13", len(got))
	}
	for range 3 {
		if err := spend(tree, 700, applicationRatchet); err != nil {
			t.Fatal(err)
		}
		if got := tree.drain(); len(got) != 1 || len(got[0].value) > 48 {
			t.Errorf("a further message touches %d records", len(got))
		}
	}
}

func TestErasedTreeGivesNoKeysAndDeletesItsRecords(t *testing.T) {
	tree, store := testTree(t, 8), records{}
	store.apply(tree.drain())
	for _, g := range []uint32{5, 2} {
		if _, err := take(tree, ratchetID{3, applicationRatchet}, g); err != nil {
			t.Fatal(err)
		}
		store.apply(tree.drain())
	}
	if _, err := take(tree, ratchetID{6, handshakeRatchet}, 0); err != nil {
		t.Fatal(err)
	}
	late, err := tree.at(0, applicationRatchet, 0)
	if err != nil {
		t.Fatal(err)
	}
	store.apply(tree.deletion())
	if len(store) != 0 {
		t.Errorf("%d records are left", len(store))
	}
	late.consume()
	for leaf := range LeafIndex(8) {
		if _, err := tree.at(leaf, applicationRatchet, 1); err == nil {
			t.Errorf("leaf %d still has keys", leaf)
		}
	}
}

// records is a store as a member keeps it.
type records map[string][]byte

func (s records) apply(changes []record) {
	for _, r := range changes {
		if r.value == nil {
			delete(s, string(r.key))
		} else {
			s[string(r.key)] = bytes.Clone(r.value)
		}
	}
}

func (s records) list() (out []record) {
	for key, value := range s {
		out = append(out, record{key: []byte(key), value: value})
	}
	return out
}

func restored(t rapid.TB, tree *secretTree) *secretTree {
	store := records{}
	for i := range tree.frontier {
		tree.dirtyNodes[i] = struct{}{}
	}
	for id := range tree.ratchets {
		tree.dirtyRatchets[id] = struct{}{}
	}
	store.apply(tree.drain())
	got, err := parseSecretTree(tree.suite, tree.width, store.list())
	if err != nil {
		t.Fatalf("restoring: %v", err)
	}
	return got
}

// keyOf derives a message key as RFC 9420, Section 9, defines it, without any
// of the tree's bookkeeping.
func keyOf(s *suite, width uint32, id ratchetID, generation uint32) Secret {
	secret := bytes.Clone(testSecret)
	for half := width / 2; half > 0; half /= 2 {
		side := "left"
		if uint32(id.leaf)&half != 0 {
			side = "right"
		}
		secret = s.expandWithLabel(secret, "tree", []byte(side), s.nh)
	}
	label := map[ratchetKind]string{handshakeRatchet: "handshake", applicationRatchet: "application"}[id.kind]
	secret = s.expandWithLabel(secret, label, nil, s.nh)
	for g := range generation {
		secret = s.deriveTreeSecret(secret, "secret", g, s.nh)
	}
	return s.deriveTreeSecret(secret, "key", generation, s.nk)
}

// TestAnyOrderOfDeliveryDecryptsOnce also saves and restores the tree on the
// way, from the drained records alone.
func TestAnyOrderOfDeliveryDecryptsOnce(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	rapid.Check(t, func(t *rapid.T) {
		leaves := rapid.Uint32Range(1, 17).Draw(t, "leaves")
		tree, store := newSecretTree(s, bytes.Clone(testSecret), leaves), records{}
		width := tree.width
		used := map[ratchetID]map[uint32]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "messages") {
			id := ratchetID{LeafIndex(rapid.Uint32Range(0, leaves-1).Draw(t, "leaf")), ratchetKind(rapid.IntRange(0, 1).Draw(t, "kind"))}
			generation := rapid.Uint32Range(0, 12).Draw(t, "generation")
			if rapid.Bool().Draw(t, "looked at in vain before") {
				if _, err := tree.at(id.leaf, id.kind, generation+1); err != nil && !errors.Is(err, errGenerationUsed) {
					t.Fatal(err)
				}
			}
			got, err := take(tree, id, generation)
			if used[id][generation] {
				if !errors.Is(err, errGenerationUsed) {
					t.Fatalf("%v generation %d again: got %v", id, generation, err)
				}
			} else if want := keyOf(s, width, id, generation); err != nil || !got.Equal(want) {
				t.Fatalf("%v generation %d: wrong key, error %v", id, generation, err)
			}
			if used[id] == nil {
				used[id] = map[uint32]bool{}
			}
			used[id][generation] = true
			store.apply(tree.drain())
			if rapid.Bool().Draw(t, "restart") {
				if tree, err = parseSecretTree(s, leaves, store.list()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestStoredRecordsDoNotLeadBackToAUsedKey tries everything that a thief of the
// records could: each vector in them as a node, as a ratchet secret of either
// kind at any generation, and as a key.
func TestStoredRecordsDoNotLeadBackToAUsedKey(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	const width, generations = 4, 5
	found := map[string]map[string]bool{} // keys by the secret that they derive from
	rapid.Check(t, func(t *rapid.T) {
		tree, store := newSecretTree(s, bytes.Clone(testSecret), width), records{}
		store.apply(tree.drain())
		var used []Secret
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			id := ratchetID{LeafIndex(rapid.IntRange(0, width-1).Draw(t, "leaf")), ratchetKind(rapid.IntRange(0, 1).Draw(t, "kind"))}
			if key, err := take(tree, id, rapid.Uint32Range(0, generations-1).Draw(t, "generation")); err == nil {
				used = append(used, key)
			}
			store.apply(tree.drain())
		}
		for _, secret := range vectorsIn(store, s.nh) {
			if found[secret] == nil {
				found[secret] = map[string]bool{}
				reachable(s, Secret(secret), 2, generations, found[secret])
			}
			for _, key := range used {
				if found[secret][string(key)] {
					t.Fatal("a used key can be derived from the records")
				}
			}
		}
		kept := vectorsIn(store, s.nk)
		for _, key := range used {
			if slices.Contains(kept, string(key)) {
				t.Fatal("a used key is in the records")
			}
		}
	})
}

// vectorsIn finds whatever in the records looks like a vector of n octets.
func vectorsIn(store records, n int) (out []string) {
	for _, value := range store {
		for i := 1; i+n <= len(value); i++ {
			if int(value[i-1]) == n {
				out = append(out, string(value[i:i+n]))
			}
		}
	}
	return out
}

// reachable adds each key that derives from secret: as a ratchet secret that
// stands at any generation, and as a node of at most depth levels.
func reachable(s *suite, secret Secret, depth int, generations uint32, keys map[string]bool) {
	for from := range generations {
		ratchet := secret
		for g := from; g < generations; g++ {
			keys[string(s.deriveTreeSecret(ratchet, "key", g, s.nk))] = true
			ratchet = s.deriveTreeSecret(ratchet, "secret", g, s.nh)
		}
	}
	for _, label := range []string{"handshake", "application"} {
		ratchet := s.expandWithLabel(secret, label, nil, s.nh)
		for g := range generations {
			keys[string(s.deriveTreeSecret(ratchet, "key", g, s.nk))] = true
			ratchet = s.deriveTreeSecret(ratchet, "secret", g, s.nh)
		}
	}
	if depth == 0 {
		return
	}
	for _, side := range []string{"left", "right"} {
		reachable(s, s.expandWithLabel(secret, "tree", []byte(side), s.nh), depth-1, generations, keys)
	}
}

// TestUnusedSecretsDoLeadToTheirKeys is the control of the test above: what
// has not been used is found by the same search.
func TestUnusedSecretsDoLeadToTheirKeys(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	reach := map[string]bool{}
	reachable(s, testSecret, 2, 5, reach)
	for leaf := range LeafIndex(4) {
		for kind := range ratchetKinds {
			if !reach[string(keyOf(s, 4, ratchetID{leaf, kind}, 4))] {
				t.Errorf("leaf %d, ratchet %d: not found", leaf, kind)
			}
		}
	}
}

func FuzzSecretTreeRecord(f *testing.F) {
	s := mustSuite(f, X25519AES128)
	tree := testTree(f, 8)
	if _, err := take(tree, ratchetID{3, applicationRatchet}, 3); err != nil {
		f.Fatal(err)
	}
	for _, r := range tree.drain() {
		f.Add(r.key, r.value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		tree, err := parseSecretTree(s, 8, []record{{key: key, value: value}})
		if err != nil {
			return
		}
		for leaf := range LeafIndex(8) {
			if k, err := tree.at(leaf, applicationRatchet, 2); err == nil {
				k.consume()
			}
		}
		restored(t, tree)
	})
}

func TestBrokenSecretTreeRecordsAreRefused(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	tree, store := testTree(t, 8), records{}
	if _, err := take(tree, ratchetID{3, applicationRatchet}, 2); err != nil {
		t.Fatal(err)
	}
	store.apply(tree.drain())
	for key, value := range store {
		refused := func(what string, key, value []byte) {
			t.Helper()
			if _, err := parseSecretTree(s, 8, []record{{key: key, value: value}}); err == nil {
				t.Errorf("record %x with %s was restored", key, what)
			}
		}
		refused("another version", []byte(key), append([]byte{value[0] + 1}, value[1:]...))
		refused("octets left over", []byte(key), append(bytes.Clone(value), 0))
		refused("no value", []byte(key), nil)
		refused("a short key", []byte(key[:len(key)-1]), value)
		refused("an unknown key", append([]byte{'x'}, key[1:]...), value)
		outside := []byte(key)
		outside[1] = 1
		refused("a place outside the tree", outside, value)
	}
	backwards := &ratchet{generation: 5, secret: s.randomSecret(), skipped: []generationKey{
		{generation: 3, key: s.randomSecret()[:s.nk], nonce: s.randomSecret()[:s.nn]}, {generation: 2, key: s.randomSecret()[:s.nk], nonce: s.randomSecret()[:s.nn]}}}
	key := append(appendU32([]byte{ratchetRecord}, 0), byte(applicationRatchet))
	if _, err := parseSecretTree(s, 8, []record{{key: key, value: backwards.marshal()}}); err == nil {
		t.Error("a ratchet whose skipped keys are out of order was restored")
	}
}
