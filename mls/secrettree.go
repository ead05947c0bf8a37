package mls

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// The secret tree (RFC 9420, Section 9) gives each message its own key. It is
// lazy: it holds the frontier of node secrets from which the keys of leaves
// that have not spoken derive, and two ratchets for each leaf that has. What a
// used key derives from is erased (RFC 9420, Section 9.2).

// ratchetKind says which of a leaf's two ratchets is meant.
type ratchetKind uint8

const (
	handshakeRatchet ratchetKind = iota
	applicationRatchet
	ratchetKinds
)

func ratchetFor(t ContentType) ratchetKind {
	if t == ContentApplication {
		return applicationRatchet
	}
	return handshakeRatchet
}

// skips bounds what messages out of order may ask for
// (RFC 9420, Section 15.3).
type skips struct {
	ahead uint32 // generations that one message may skip: the work it makes
	kept  int    // keys of messages not seen yet that a ratchet keeps; the oldest go first
}

// defaultSkips is what a zero [Config] means, mostSkips what none exceeds: the
// work of a message then takes tens of milliseconds, a ratchet's record a
// megabyte.
var (
	defaultSkips = skips{ahead: 1000, kept: 1000}
	mostSkips    = skips{ahead: 10_000, kept: 10_000}
)

func (c *Config) skips() skips {
	bound := func(n, otherwise, most int) int {
		if n == 0 {
			return otherwise
		}
		return min(max(n, 0), most)
	}
	return skips{
		ahead: uint32(bound(c.MaxAhead, int(defaultSkips.ahead), int(mostSkips.ahead))),
		kept:  bound(c.MaxSkipped, defaultSkips.kept, mostSkips.kept),
	}
}

var (
	errGenerationUsed = errors.New("mls: the message key was used, or is older than those kept")
	errGenerationFar  = errors.New("mls: the message key is too far ahead")
)

type ratchetID struct {
	leaf LeafIndex
	kind ratchetKind
}

// secretTree is an epoch's secret tree. It changes only where a key is
// consumed, and then erases what nothing leads back to.
type secretTree struct {
	hidden
	suite    *suite
	width    uint32 // leaf slots, a power of two
	skips    skips
	frontier map[nodeIndex]Secret
	ratchets map[ratchetID]*ratchet

	moves         uint64      // counts changes, so that a key knows whether it is still what it was
	spare         *messageKey // erased, for the next message; nil while it is in use
	dirtyNodes    map[nodeIndex]struct{}
	dirtyRatchets map[ratchetID]struct{}
}

// ratchet stands before a generation: secret gives that one and all later.
type ratchet struct {
	hidden
	generation uint32
	secret     Secret
	skipped    []generationKey // ascending
}

// generationKey is the key of one message.
type generationKey struct {
	hidden
	generation uint32
	key        Secret
	nonce      []byte
}

func (g generationKey) erase() {
	g.key.erase()
	clear(g.nonce)
}

// newSecretTree starts an epoch's tree over leaves leaf slots. It takes over
// encryptionSecret, and erases it when the first leaf speaks: the caller must
// drop it.
func newSecretTree(s *suite, encryptionSecret Secret, leaves uint32) *secretTree {
	t := emptySecretTree(s, leaves)
	t.setNode(t.root(), encryptionSecret)
	return t
}

func emptySecretTree(s *suite, leaves uint32) *secretTree {
	return &secretTree{
		suite:         s,
		width:         1 << bits.Len32(max(leaves, 1)-1),
		skips:         defaultSkips,
		frontier:      map[nodeIndex]Secret{},
		ratchets:      map[ratchetID]*ratchet{},
		dirtyNodes:    map[nodeIndex]struct{}{},
		dirtyRatchets: map[ratchetID]struct{}{},
	}
}

// limit sets other bounds, and drops the keys that ratchets keep beyond them:
// those of a stored tree were kept under the bounds of then.
func (t *secretTree) limit(s skips) {
	t.skips = s
	for id, r := range t.ratchets {
		n := len(r.skipped) - s.kept
		if n <= 0 {
			continue
		}
		for _, g := range r.skipped[:n] {
			g.erase()
		}
		t.setRatchet(id, &ratchet{generation: r.generation, secret: r.secret, skipped: r.skipped[n:]})
	}
}

func (t *secretTree) root() nodeIndex { return nodeIndex(t.width - 1) }

// next gives the next key to send under. The caller consumes it: whatever
// becomes of the message, no other may get it.
func (t *secretTree) next(leaf LeafIndex, kind ratchetKind) (*messageKey, error) {
	var generation uint32
	if r, ok := t.ratchets[ratchetID{leaf, kind}]; ok {
		generation = r.generation
	}
	return t.at(leaf, kind, generation)
}

// messageKey is the key of one message, taken out of a tree that has not moved
// yet. A message that does not decrypt leaves the tree as it was; for one that
// is authentic the caller calls consume, for any other discard, and does not
// use the key afterwards.
type messageKey struct {
	generationKey

	tree   *secretTree // nil once the key is consumed or discarded
	id     ratchetID
	moves  uint64 // of the tree when the key was derived
	opened *openedLeaf

	// What becomes of the ratchet. Messages mostly come in order: then it
	// moves on by one, to the secret in room, and after is nil.
	after  *ratchet
	walked bool            // after was walked to: its secret is this key's own
	stale  []generationKey // leave the ratchet with this key
	own    []generationKey // keys passed by, which were derived with this key

	room struct { // for a key that was derived, and what it derives
		key   [mostKey]byte
		nonce [mostNonce]byte
		next  [mostHash]byte
	}
}

const mostKey, mostNonce = 32, 12

// at derives the key of a message by leaf, in whatever order messages come.
// The tree does not change until the key is consumed.
func (t *secretTree) at(leaf LeafIndex, kind ratchetKind, generation uint32) (*messageKey, error) {
	if uint32(leaf) >= t.width {
		return nil, invalid("6.3.2", "sender %d is outside the tree", leaf)
	}
	if kind >= ratchetKinds {
		return nil, fmt.Errorf("mls: no ratchet %d", kind)
	}
	k := t.spare
	if t.spare = nil; k == nil {
		k = &messageKey{}
	}
	k.tree, k.id, k.moves = t, ratchetID{leaf, kind}, t.moves
	if err := k.take(generation); err != nil {
		k.discard()
		return nil, err
	}
	return k, nil
}

func (k *messageKey) take(generation uint32) error {
	before, ok := k.tree.ratchets[k.id]
	if !ok {
		opened, err := k.tree.open(k.id.leaf)
		if err != nil {
			return err
		}
		k.opened = opened
		before = opened.ratchets[k.id.kind]
	}
	switch {
	case generation < before.generation:
		return k.takeSkipped(before, generation)
	case generation-before.generation > k.tree.skips.ahead || generation == math.MaxUint32:
		return errGenerationFar
	case generation > before.generation:
		k.takeAhead(before, generation)
	default:
		k.derive(before)
		k.tree.suite.deriveTreeSecretInto(k.room.next[:k.tree.suite.nh], before.secret, "secret", generation)
	}
	return nil
}

// derive gives k the key of the generation at which a ratchet stands.
func (k *messageKey) derive(r *ratchet) {
	s := k.tree.suite
	k.generation = r.generation
	k.key, k.nonce = k.room.key[:s.nk], k.room.nonce[:s.nn]
	s.deriveTreeSecretInto(k.key, r.secret, "key", r.generation)
	s.deriveTreeSecretInto(k.nonce, r.secret, "nonce", r.generation)
}

// takeSkipped finds a key that a later message passed by.
func (k *messageKey) takeSkipped(before *ratchet, generation uint32) error {
	i, ok := slices.BinarySearchFunc(before.skipped, generation, func(g generationKey, want uint32) int {
		return cmp.Compare(g.generation, want)
	})
	if !ok {
		return errGenerationUsed
	}
	k.generationKey = before.skipped[i]
	k.after = &ratchet{generation: before.generation, secret: before.secret,
		skipped: slices.Concat(before.skipped[:i], before.skipped[i+1:])}
	k.stale = before.skipped[i : i+1]
	return nil
}

// takeAhead walks the ratchet to a key past its own and one step further. It
// derives no key on the way that would not be kept.
func (k *messageKey) takeAhead(before *ratchet, generation uint32) {
	s, kept := k.tree.suite, k.tree.skips.kept
	after := &ratchet{generation: before.generation, secret: before.secret, skipped: slices.Clone(before.skipped)}
	for after.generation < generation {
		if generation-after.generation <= uint32(kept) {
			after.skipped = append(after.skipped, after.key(s))
		}
		after.step(s, before)
	}
	k.own = after.skipped[len(before.skipped):]
	k.derive(after)
	after.step(s, before)
	if n := len(after.skipped) - kept; n > 0 {
		k.stale = after.skipped[:n]
		after.skipped = after.skipped[n:]
	}
	k.after, k.walked = after, true
}

// key derives the key of the generation at which the ratchet stands.
func (r *ratchet) key(s *suite) generationKey {
	return generationKey{
		generation: r.generation,
		key:        s.deriveTreeSecret(r.secret, "key", r.generation, s.nk),
		nonce:      s.deriveTreeSecret(r.secret, "nonce", r.generation, s.nn),
	}
}

// step moves a copy of the ratchet before on by one generation. The secret of
// before itself is not erased: it stands until the key is consumed.
func (r *ratchet) step(s *suite, before *ratchet) {
	secret := s.deriveTreeSecret(r.secret, "secret", r.generation, s.nh)
	if r.generation != before.generation {
		r.secret.erase()
	}
	r.secret = secret
	r.generation++
}

// consume moves the tree past the key and erases it with everything it derives
// from.
func (k *messageKey) consume() {
	t := k.tree
	if t == nil {
		return
	}
	if k.moves != t.moves {
		// Another key was consumed since this one was derived: look again from
		// where the tree stands now. An error means that it is gone already.
		id, generation := k.id, k.generation
		k.discard()
		if again, err := t.at(id.leaf, id.kind, generation); err == nil {
			again.consume()
		}
		return
	}
	if k.opened != nil {
		t.replaceByChildren(k.opened)
	}
	before := t.ratchets[k.id]
	if k.after == nil {
		copy(before.secret, k.room.next[:])
		before.generation++
		t.setRatchet(k.id, before)
	} else {
		t.setRatchet(k.id, k.after)
		if before.generation != k.after.generation {
			before.secret.erase()
		}
	}
	for _, g := range k.stale {
		g.erase()
	}
	k.generationKey.erase() // in the ratchet's memory if it was skipped before
	k.giveBack()
}

// discard erases what was derived to find the key, and leaves the tree as it
// is.
func (k *messageKey) discard() {
	if k.tree == nil {
		return
	}
	if k.opened != nil {
		k.opened.erase()
	}
	if k.walked {
		k.after.secret.erase()
	}
	for _, g := range k.own {
		g.erase()
	}
	k.giveBack()
}

// giveBack erases the key's own memory, and leaves it to the next message.
func (k *messageKey) giveBack() {
	t := k.tree
	*k = messageKey{}
	t.spare = k
}

// openedLeaf is what takes the place of a frontier node when the first leaf
// below it speaks.
type openedLeaf struct {
	hidden
	leaf     LeafIndex
	from     nodeIndex
	siblings []frontierNode
	ratchets [ratchetKinds]*ratchet
}

type frontierNode struct {
	hidden
	index  nodeIndex
	secret Secret
}

// erase is for a leaf that was opened in vain.
func (o *openedLeaf) erase() {
	for _, n := range o.siblings {
		n.secret.erase()
	}
	for _, r := range o.ratchets {
		r.secret.erase()
	}
}

// open derives a leaf's ratchets from the frontier node above it
// (RFC 9420, Section 9), without changing the tree.
func (t *secretTree) open(leaf LeafIndex) (*openedLeaf, error) {
	s, target := t.suite, leaf.node()
	at, half := t.root(), t.width/2 // half the leaves below at
	secret, ok := t.frontier[at]
	for ; !ok && half > 0; half /= 2 {
		at, _ = towards(at, target, half)
		secret, ok = t.frontier[at]
	}
	if !ok {
		return nil, errGenerationUsed // a leaf that has no ratchets and no secret to make them from
	}
	o := &openedLeaf{leaf: leaf, from: at}
	for ; half > 0; half /= 2 {
		next, sibling := towards(at, target, half)
		left, right := s.expandWithLabel(secret, "tree", []byte("left"), s.nh), s.expandWithLabel(secret, "tree", []byte("right"), s.nh)
		if next > at {
			left, right = right, left
		}
		o.siblings = append(o.siblings, frontierNode{index: sibling, secret: right})
		if at != o.from {
			secret.erase()
		}
		at, secret = next, left
	}
	o.ratchets[handshakeRatchet] = &ratchet{secret: s.expandWithLabel(secret, "handshake", nil, s.nh)}
	o.ratchets[applicationRatchet] = &ratchet{secret: s.expandWithLabel(secret, "application", nil, s.nh)}
	if at != o.from {
		secret.erase()
	}
	return o, nil
}

// towards gives the child of a node on the way to target, and the other child.
// The node has half leaves on each side.
func towards(at, target nodeIndex, half uint32) (next, sibling nodeIndex) {
	left, right := at-nodeIndex(half), at+nodeIndex(half)
	if target < at {
		return left, right
	}
	return right, left
}

func (t *secretTree) replaceByChildren(o *openedLeaf) {
	t.frontier[o.from].erase()
	delete(t.frontier, o.from)
	t.dirtyNodes[o.from] = struct{}{}
	for _, n := range o.siblings {
		t.setNode(n.index, n.secret)
	}
	for kind, r := range o.ratchets {
		t.setRatchet(ratchetID{o.leaf, ratchetKind(kind)}, r)
	}
}

func (t *secretTree) setNode(i nodeIndex, secret Secret) {
	t.moves++
	t.frontier[i] = secret
	t.dirtyNodes[i] = struct{}{}
}

func (t *secretTree) setRatchet(id ratchetID, r *ratchet) {
	t.moves++
	t.ratchets[id] = r
	t.dirtyRatchets[id] = struct{}{}
}

// erase overwrites every secret in the tree, which gives no key afterwards.
func (t *secretTree) erase() {
	for _, secret := range t.frontier {
		secret.erase()
	}
	for _, r := range t.ratchets {
		r.secret.erase()
		for _, g := range r.skipped {
			g.erase()
		}
	}
	t.moves++
	clear(t.frontier)
	clear(t.ratchets)
}

// record is one entry of what a member stores. A nil value deletes it.
type record struct {
	hidden
	key, value []byte
}

// Records of a secret tree: 'n' and a node index for a frontier node, 'r', a
// leaf index and a kind for a ratchet. Values begin with a version.
const (
	nodeRecord         = 'n'
	ratchetRecord      = 'r'
	secretTreeVersion  = 1
	nodeRecordSize     = 1 + 4
	ratchetRecordSize  = 1 + 4 + 1
	generationKeyBound = 4 + 1 + 32 + 1 + 12 // a skipped key in a record, at most
)

// drain gives the records that changed since the last drain, in the order of
// their keys. The values are the caller's to erase.
func (t *secretTree) drain() []record {
	out := make([]record, 0, len(t.dirtyNodes)+len(t.dirtyRatchets))
	for i := range t.dirtyNodes {
		key := appendU32([]byte{nodeRecord}, uint32(i))
		var value []byte
		if secret, ok := t.frontier[i]; ok {
			value = appendVec([]byte{secretTreeVersion}, secret)
		}
		out = append(out, record{key: key, value: value})
	}
	for id := range t.dirtyRatchets {
		key := append(appendU32([]byte{ratchetRecord}, uint32(id.leaf)), byte(id.kind))
		out = append(out, record{key: key, value: t.ratchets[id].marshal()})
	}
	clear(t.dirtyNodes)
	clear(t.dirtyRatchets)
	slices.SortFunc(out, func(a, b record) int { return bytes.Compare(a.key, b.key) })
	return out
}

// deletion erases the tree and gives records that delete all it may have
// stored, for an epoch that is over. The next epoch's tree uses the same keys:
// its records come after these.
func (t *secretTree) deletion() []record {
	for i := range t.frontier {
		t.dirtyNodes[i] = struct{}{}
	}
	for id := range t.ratchets {
		t.dirtyRatchets[id] = struct{}{}
	}
	t.erase()
	return t.drain()
}

// parseSecretTree restores a tree from its records, in any order. It does not
// keep their bytes.
func parseSecretTree(s *suite, leaves uint32, records []record) (*secretTree, error) {
	t := emptySecretTree(s, leaves)
	for _, rec := range records {
		if err := t.restore(rec.key, rec.value); err != nil {
			return nil, err
		}
	}
	clear(t.dirtyNodes)
	clear(t.dirtyRatchets)
	return t, nil
}

func (t *secretTree) restore(key, value []byte) error {
	switch {
	case len(key) == nodeRecordSize && key[0] == nodeRecord:
		i := nodeIndex(binary.BigEndian.Uint32(key[1:]))
		if uint64(i) > 2*uint64(t.width)-2 {
			return fmt.Errorf("mls: record of a node outside the secret tree: %d", i)
		}
		secret, err := parse(value, "record of a secret tree node", func(r *reader) Secret {
			r.version(secretTreeVersion)
			return r.secret(t.suite.nh)
		})
		if err != nil {
			return err
		}
		t.setNode(i, secret)
	case len(key) == ratchetRecordSize && key[0] == ratchetRecord:
		id := ratchetID{LeafIndex(binary.BigEndian.Uint32(key[1:])), ratchetKind(key[5])}
		if uint32(id.leaf) >= t.width || id.kind >= ratchetKinds {
			return fmt.Errorf("mls: record of a ratchet outside the secret tree: %d", id.leaf)
		}
		r, err := parse(value, "record of a ratchet", func(r *reader) *ratchet { return readRatchet(r, t.suite) })
		if err != nil {
			return err
		}
		t.setRatchet(id, r)
	default:
		return fmt.Errorf("mls: unknown record of a secret tree: %x", key)
	}
	return nil
}

func (r *ratchet) marshal() []byte {
	if r == nil {
		return nil
	}
	b := make([]byte, 0, 16+len(r.secret)+len(r.skipped)*generationKeyBound)
	b = append(b, secretTreeVersion)
	b = appendU32(b, r.generation)
	b = appendVec(b, r.secret)
	return appendList(b, r.skipped)
}

func (g generationKey) appendTo(b []byte) []byte {
	b = appendU32(b, g.generation)
	b = appendVec(b, g.key)
	return appendVec(b, g.nonce)
}

func readRatchet(r *reader, s *suite) *ratchet {
	r.version(secretTreeVersion)
	out := &ratchet{generation: r.u32(), secret: r.secret(s.nh)}
	out.skipped = list(r, func(r *reader) generationKey {
		return generationKey{generation: r.u32(), key: r.secret(s.nk), nonce: r.secret(s.nn)}
	})
	last := int64(-1)
	for _, g := range out.skipped {
		if int64(g.generation) <= last || g.generation >= out.generation {
			r.fail(errors.New("mls: skipped generations are out of order"))
			return nil
		}
		last = int64(g.generation)
	}
	return out
}

// version reads the version that a stored record begins with.
func (r *reader) version(want uint8) {
	if v := r.u8(); r.err == nil && v != want {
		r.fail(fmt.Errorf("mls: record has version %d, not %d", v, want))
	}
}

// secret reads a secret of n octets into a slice of its own, so that erasing
// it reaches nothing else.
func (r *reader) secret(n int) Secret {
	v := r.vec()
	if r.err == nil && len(v) != n {
		r.fail(fmt.Errorf("mls: secret has %d octets, not %d", len(v), n))
	}
	return bytes.Clone(v)
}
