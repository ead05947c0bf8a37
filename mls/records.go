package mls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
)

// Record is one entry of what a member or a follower stores. Keys are unique
// within a group.
type Record struct {
	Key, Value []byte // a nil Value deletes the entry
	Secret     bool   // the store must be able to erase it for good
}

// Format and LogValue print no value that is secret.
func (r Record) Format(f fmt.State, _ rune) {
	if r.Secret {
		fmt.Fprintf(f, "{%x [secret]}", r.Key)
		return
	}
	fmt.Fprintf(f, "{%x %x}", r.Key, r.Value)
}

func (r Record) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalText is for logs, too: it gives no value that is secret.
func (r Record) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

// The first octet of a record's key.
const (
	keyGroup    = 'g' // the epoch as everyone knows it
	keyMember   = 'm' // what only this member knows of it; secret
	keyNode     = 'n' // + index: a node of the ratchet tree
	keyProposal = 'p' // + reference: a pending proposal
	keyMessages = 's' // + key of the secret tree's record; secret
	keyExporter = 'x' // + index: a node of the exporter tree; secret

	keyPast         = 'o' // + number: an epoch that is over; secret
	keyPastMessages = 'q' // + number + key of its secret tree's record; secret
)

const (
	recordVersion = 1
	memberVersion = 2 // 1 had no application export secret and no sent proposals
)

// changes notes what is to be stored.
type changes struct {
	group     bool
	nodes     map[nodeIndex]struct{}
	proposals map[string]struct{}
}

func (c *changes) node(n nodeIndex) {
	if c.nodes == nil {
		c.nodes = map[nodeIndex]struct{}{}
	}
	c.nodes[n] = struct{}{}
}

func (c *changes) proposal(ref []byte) {
	if c.proposals == nil {
		c.proposals = map[string]struct{}{}
	}
	c.proposals[string(ref)] = struct{}{}
}

// everything marks a group that was never stored.
func (c *changes) everything(p *PublicGroup) {
	c.group = true
	for n := range p.tree.nodes() {
		c.node(n)
	}
}

// epoch marks what changes when p goes on to the fork next of its tree.
func (c *changes) epoch(p *PublicGroup, next *tree) {
	c.group = true
	for _, n := range next.changed() {
		c.node(n)
	}
	c.dropPending(p)
}

func (c *changes) dropPending(p *PublicGroup) {
	for v := range p.pending.all() {
		c.proposal(v.Ref)
	}
}

// Drain gives what changed since the last Drain, to be stored in one step.
func (p *PublicGroup) Drain() []Record {
	var out []Record
	if p.unsaved.group {
		out = append(out, Record{Key: []byte{keyGroup}, Value: p.record()})
	}
	for _, n := range slices.Sorted(maps.Keys(p.unsaved.nodes)) {
		out = append(out, Record{Key: appendU32([]byte{keyNode}, uint32(n)), Value: p.tree.node(n).marshal()})
	}
	for _, ref := range slices.Sorted(maps.Keys(p.unsaved.proposals)) {
		out = append(out, Record{Key: append([]byte{keyProposal}, ref...), Value: p.pending.record(ref)})
	}
	p.unsaved = changes{}
	return out
}

func (p *PublicGroup) record() []byte {
	b := p.ctx.appendTo([]byte{recordVersion})
	b = appendVec(b, p.interim)
	b = appendVec(b, p.confirmationTag)
	b = appendOptional(b, p.reinit != nil)
	if p.reinit != nil {
		b = p.reinit.appendTo(b)
	}
	return b
}

// record gives a pending proposal with its place in the order; nil if it is
// not pending any more.
func (s *pendingSet) record(ref string) []byte {
	p := s.byRef[ref]
	if p == nil {
		return nil
	}
	b := appendU32([]byte{recordVersion}, uint32(p.place))
	return append(b, p.encoded...)
}

// stored gathers records until all are there.
type stored struct {
	hidden
	group, member []byte
	nodes         map[nodeIndex]node
	proposals     []storedProposal
	messages      []record
	exporter      []record
	past          map[uint64]*storedPast
}

type storedProposal struct {
	place uint32
	ac    *authenticatedContent
}

var errRecord = errors.New("mls: a stored record is not one of a group")

func gather(records iter.Seq2[[]byte, []byte]) (*stored, error) {
	s := &stored{nodes: map[nodeIndex]node{}}
	for key, value := range records {
		if len(key) == 0 {
			return nil, errRecord
		}
		if err := s.add(key[0], key[1:], value); err != nil {
			return nil, err
		}
	}
	if s.group == nil {
		return nil, errors.New("mls: the stored group has no epoch record")
	}
	return s, nil
}

func (s *stored) add(kind byte, key, value []byte) error {
	switch kind {
	case keyGroup:
		s.group = value
	case keyMember:
		s.member = value
	case keyMessages:
		s.messages = append(s.messages, record{key: key, value: value})
	case keyExporter:
		s.exporter = append(s.exporter, record{key: key, value: value})
	case keyPast, keyPastMessages:
		return s.addPast(kind, key, value)
	case keyNode:
		if len(key) != 4 {
			return errRecord
		}
		n, err := parseNodeRecord(value)
		if err != nil {
			return err
		}
		s.nodes[nodeIndex(binary.BigEndian.Uint32(key))] = n
	case keyProposal:
		p, err := parse(value, "stored proposal", func(r *reader) storedProposal {
			r.version(recordVersion)
			return storedProposal{place: r.u32(), ac: readAuthenticatedContent(r)}
		})
		if err != nil {
			return err
		}
		if p.ac.content.contentType != ContentProposal {
			return errRecord
		}
		s.proposals = append(s.proposals, p)
	default:
		return errRecord
	}
	return nil
}

// LoadPublicGroup restores a group from everything that Drain gave and did
// not delete again, in any order. The group keeps the keys and values that
// records yields: they must be the group's own, not a buffer that is used again.
func LoadPublicGroup(cfg Config, records iter.Seq2[[]byte, []byte]) (*PublicGroup, error) {
	s, err := gather(records)
	if err != nil {
		return nil, err
	}
	return s.public(cfg)
}

func (s *stored) public(cfg Config) (*PublicGroup, error) {
	p := &PublicGroup{cfg: cfg}
	_, err := parse(s.group, "stored group", func(r *reader) struct{} {
		r.version(recordVersion)
		ctx := readGroupContext(r)
		p.setEpoch(&ctx, r.vec(), r.vec())
		if r.optional() {
			p.reinit = readProposalBody(r, ProposalReInit).(*ReInit)
		}
		return struct{}{}
	})
	if err != nil {
		return nil, err
	}
	if p.s, err = p.ctx.CipherSuite.suite(); err != nil {
		return nil, err
	}
	if p.tree, err = treeOfRecords(maps.All(s.nodes)); err != nil {
		return nil, err
	}
	if !bytes.Equal(p.tree.hash(p.s), p.ctx.TreeHash) {
		return nil, errors.New("mls: the stored tree is not that of the stored epoch")
	}
	slices.SortFunc(s.proposals, func(a, b storedProposal) int { return int(a.place) - int(b.place) })
	for _, q := range s.proposals {
		if err := p.restoreProposal(q.ac); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *PublicGroup) restoreProposal(ac *authenticatedContent) error {
	// That the sender may send it was checked when it came, and is checked
	// again lest a damaged record lead further.
	if _, err := p.signatureKeyOf(ac.content); err != nil {
		return err
	}
	v, err := p.viewOf(ac)
	if err != nil {
		return err
	}
	return p.pending.add(&pendingProposal{view: *v, encoded: marshal(ac)})
}

// Drain gives what changed since the last Drain, to be stored in one step
// before anything that came of the changes leaves the device. The records are
// copies: those marked Secret are the caller's to erase once they are stored.
func (g *Group) Drain() []Record {
	out := g.public.Drain()
	if g.unsavedMember {
		out = append(out, Record{Key: []byte{keyMember}, Value: g.record(), Secret: true})
		g.unsavedMember = false
	}
	ratchets := g.messages.drain()
	kept := make(map[string]bool, len(ratchets))
	for _, r := range ratchets {
		kept[string(r.key)] = true
	}
	for _, r := range g.deleted {
		if !kept[string(r.key)] {
			kept[string(r.key)] = true
			ratchets = append(ratchets, r)
		}
	}
	g.deleted = nil
	for _, r := range ratchets {
		out = append(out, Record{Key: append([]byte{keyMessages}, r.key...), Value: r.value, Secret: true})
	}
	out = append(out, g.exporter.drain()...)
	return append(out, g.drainPast()...)
}

// record of what only this member knows, but for the secret tree.
func (g *Group) record() []byte {
	b := append(make([]byte, 0, g.recordSize()), memberVersion)
	if b = appendOptional(b, !g.removed); g.removed {
		return b
	}
	b = g.member.appendTo(b)
	b = appendNested(b, func(b []byte) []byte {
		for _, r := range g.resumption {
			b = appendVec(appendU64(b, r.epoch), r.psk)
		}
		return b
	})
	b = appendNested(b, func(b []byte) []byte {
		for _, public := range slices.Sorted(maps.Keys(g.updates)) {
			b = appendVec(appendVec(b, []byte(public)), g.updates[public])
		}
		return b
	})
	return appendList(b, g.sent)
}

// recordSize is room enough for the record: see [member.sizeHint].
func (g *Group) recordSize() int {
	n := 32 + g.member.sizeHint() + len(g.resumption)*(16+len(g.epoch.init))
	// An Update's keys have the lengths of those that they replace.
	n += len(g.updates) * (8 + len(g.public.tree.encryptionKey(g.own.node())) + len(g.secrets.leaf))
	for _, p := range g.sent {
		n += 8 + len(p.digest) + len(p.encoded)
	}
	return n
}

// appendTo keeps the encryption secret only while no secret tree has taken it,
// and the application export secret while no exporter tree has.
func (m *member) appendTo(b []byte) []byte {
	b = appendU32(b, uint32(m.own))
	b = appendVec(b, m.signer)
	b = appendNested(b, m.secrets.appendTo)
	b = appendNested(b, m.epoch.appendTo)
	b = appendVec(b, m.epoch.encryption)
	return appendVec(b, m.epoch.applicationExport)
}

// sizeHint is room enough for the record. Memory that is outgrown would leave
// secrets behind that nobody can erase.
func (m *member) sizeHint() int {
	return 64 + len(m.signer) + m.secrets.sizeHint() + m.epoch.sizeHint() + len(m.epoch.encryption) + len(m.epoch.applicationExport)
}

func readMember(r *reader, s *suite, version uint8) *member {
	m := &member{own: LeafIndex(r.u32()), signer: bytes.Clone(r.vec())}
	secrets, epoch, encryption := r.vec(), r.vec(), r.vec()
	var applicationExport []byte
	if version >= 2 {
		applicationExport = r.vec()
	}
	if r.err != nil {
		return nil
	}
	var err error
	if m.secrets, err = parseTreeSecrets(secrets); err != nil {
		r.fail(err)
		return nil
	}
	if m.epoch, err = parseEpochSecrets(s, epoch); err != nil {
		r.fail(err)
		return nil
	}
	m.epoch.encryption, m.epoch.applicationExport = bytes.Clone(encryption), bytes.Clone(applicationExport)
	return m
}

// Load restores a group from everything that [Group.Drain] gave and did not
// delete again, in any order. It keeps the bytes as [LoadPublicGroup] does, but
// for the values of records marked Secret, which may be erased when it returns. A
// stored group is to be in use once only: two would send under the same keys.
func Load(cfg Config, records iter.Seq2[[]byte, []byte]) (*Group, error) {
	s, err := gather(records)
	if err != nil {
		return nil, err
	}
	p, err := s.public(cfg)
	if err != nil {
		return nil, err
	}
	if s.member == nil {
		return nil, errors.New("mls: the stored group has no member record")
	}
	g, err := parse(s.member, "stored member", func(r *reader) *Group { return readGroup(r, p) })
	if err != nil {
		return nil, err
	}
	if p.tree.leaf(g.own) == nil && !g.removed {
		return nil, fmt.Errorf("mls: the stored member's leaf %d is blank", g.own)
	}
	if g.messages, err = parseSecretTree(p.s, p.tree.width(), s.messages); err != nil {
		return nil, err
	}
	if g.exporter, err = parseExporterTree(p.s, s.exporter); err != nil {
		return nil, err
	}
	if g.past, err = s.pastEpochs(p.s); err != nil {
		return nil, err
	}
	g.messages.limit(cfg.skips())
	for _, past := range g.past {
		past.messages.limit(cfg.skips())
	}
	return g, nil
}

func readGroup(r *reader, p *PublicGroup) *Group {
	g := &Group{public: p}
	version := r.versions(memberVersion)
	if g.removed = !r.optional(); g.removed {
		g.member = member{secrets: newTreeSecrets(nil), epoch: &epochSecrets{}}
		return g
	}
	m := readMember(r, p.s, version)
	if m == nil {
		return g
	}
	g.member = *m
	g.resumption = list(r, func(r *reader) resumption {
		return resumption{epoch: r.u64(), psk: bytes.Clone(r.vec())}
	})
	s := r.sub()
	for s.more() {
		public, private := s.vec(), bytes.Clone(s.vec())
		if g.updates == nil {
			g.updates = map[string]Secret{}
		}
		g.updates[string(public)] = private
	}
	if s.err != nil {
		r.fail(s.err)
	}
	if version >= 2 {
		g.sent = list(r, readSentProposal)
	}
	return g
}

// versions reads the version that a stored record begins with: this one, or an
// older one that is still understood.
func (r *reader) versions(latest uint8) uint8 {
	v := r.u8()
	if r.err == nil && (v == 0 || v > latest) {
		r.fail(fmt.Errorf("mls: record has version %d, not 1 to %d", v, latest))
	}
	return v
}
