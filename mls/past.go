package mls

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// Past epochs (RFC 9420, Section 15.3): a group that is told to keeps what it
// takes to read application messages that were sent before the last commits and
// arrive after them. Handshakes of an epoch that is over are of no use.

// pastEpoch is what is kept of an epoch that is over.
type pastEpoch struct {
	hidden
	number     uint64
	ended      time.Time // zero if that is not known
	context    []byte    // encoded
	safeAAD    bool      // its authenticated data is framed by component
	senderData Secret
	senders    map[LeafIndex]pastSender
	messages   *secretTree
}

// pastSender is a member as it was then.
type pastSender struct {
	key        []byte
	credential Credential
}

// keepPast moves the epoch's message keys among the past ones, if any are kept.
func (g *Group) keepPast(ended time.Time) {
	if g.public.cfg.PastEpochs < 1 {
		return
	}
	p := &pastEpoch{
		number:     g.public.ctx.Epoch,
		ended:      ended,
		context:    g.public.encoded,
		safeAAD:    g.public.safeAAD,
		senderData: bytes.Clone(g.epoch.senderData),
		senders:    make(map[LeafIndex]pastSender, g.MemberCount()),
		messages:   g.messages,
	}
	for i, l := range g.Members() {
		if i != g.own {
			p.senders[i] = pastSender{l.SignatureKey, l.Credential}
		}
	}
	g.deleted = append(g.deleted, g.messages.handOver()...)
	g.messages = nil
	g.past = append(g.past, p)
	g.pastRecords = append(g.pastRecords, Record{Key: p.key(keyPast), Value: p.record(), Secret: true})
	g.forgetPast(ended)
}

// ForgetPast erases the past epochs whose [Config.PastEpochAge] is over at now,
// and says when it is to be called next: a device to which nothing comes has no
// other occasion, and would keep their keys for as long as it is silent. due is
// zero while no past epoch has an age to reach. What [Group.Drain] gives then
// must be stored, or the keys stay in the store.
//
//	due := g.ForgetPast(now)
//	save(g.Drain())
//	if !due.IsZero() { callAgainAt(due) }
func (g *Group) ForgetPast(now time.Time) (due time.Time) {
	g.forgetPast(now)
	age := g.public.cfg.PastEpochAge
	if age <= 0 {
		return time.Time{}
	}
	for _, p := range g.past {
		if end := p.ended.Add(age); !p.ended.IsZero() && (due.IsZero() || end.Before(due)) {
			due = end
		}
	}
	return due
}

// forgetPast erases epochs that are more than are kept, or ended too long ago.
// Their ends need not be in order: times are the caller's.
func (g *Group) forgetPast(now time.Time) {
	if len(g.past) == 0 {
		return
	}
	cfg, most := &g.public.cfg, max(g.public.cfg.PastEpochs, 0)
	kept := make([]*pastEpoch, 0, len(g.past))
	for i, p := range g.past {
		if p.ended.IsZero() && !now.IsZero() { // it ended at some time before: count from here
			p.ended = now
			g.pastRecords = append(g.pastRecords, Record{Key: p.key(keyPast), Value: p.record(), Secret: true})
		}
		old := cfg.PastEpochAge > 0 && !now.IsZero() && now.Sub(p.ended) >= cfg.PastEpochAge
		if old || len(g.past)-i > most {
			g.pastRecords = append(g.pastRecords, p.forget()...)
			continue
		}
		kept = append(kept, p)
	}
	g.past = kept
}

// forget erases the epoch and gives records that delete it.
func (p *pastEpoch) forget() []Record {
	p.senderData.erase()
	out := []Record{{Key: p.key(keyPast), Secret: true}}
	for _, r := range p.messages.deletion() {
		out = append(out, Record{Key: append(p.key(keyPastMessages), r.key...), Secret: true})
	}
	return out
}

func (p *pastEpoch) key(kind byte) []byte { return appendU64([]byte{kind}, p.number) }

// pastOf gives the past epoch that an application message is of, nil if it is
// not kept.
func (g *Group) pastOf(m *Message) *pastEpoch {
	if m.private == nil || m.private.contentType != ContentApplication || !bytes.Equal(m.private.groupID, g.public.ctx.GroupID) {
		return nil
	}
	for _, p := range g.past {
		if p.number == m.private.epoch {
			return p
		}
	}
	return nil
}

func (g *Group) processPast(p *pastEpoch, m *privateMessage) (Event, error) {
	s := g.public.s
	sd, err := m.senderData(s, p.senderData)
	if err != nil {
		return nil, err
	}
	if sd.leaf == g.own {
		return nil, ErrOwnMessage
	}
	sender, ok := p.senders[sd.leaf]
	if !ok {
		return nil, invalid("6.3.2", "message from leaf %d, which was blank", sd.leaf)
	}
	plaintext, k, err := m.decrypt(s, p.messages, sd)
	if err != nil {
		return nil, err
	}
	defer k.discard() // which does nothing to a key that was consumed
	ac, err := m.parseContent(plaintext, sd.leaf)
	if err != nil {
		return nil, err
	}
	if err := ac.verify(s, sender.key, p.context); err != nil {
		return nil, err
	}
	if err := checkSafeAAD(p.safeAAD, m.authenticatedData); err != nil {
		return nil, err
	}
	k.consume()
	return &ApplicationMessage{
		Sender:            sd.leaf,
		Credential:        sender.credential,
		Epoch:             m.epoch,
		Generation:        sd.generation,
		Data:              ac.content.application,
		AuthenticatedData: m.authenticatedData,
	}, nil
}

// handOver marks the whole tree to be stored again elsewhere, and gives records
// that delete what is stored now.
func (t *secretTree) handOver() []record {
	for i := range t.frontier {
		t.dirtyNodes[i] = struct{}{}
	}
	for id := range t.ratchets {
		t.dirtyRatchets[id] = struct{}{}
	}
	out := make([]record, 0, len(t.dirtyNodes)+len(t.dirtyRatchets))
	for i := range t.dirtyNodes {
		out = append(out, record{key: nodeKey(i)})
	}
	for id := range t.dirtyRatchets {
		out = append(out, record{key: ratchetKey(id)})
	}
	return out
}

func nodeKey(i nodeIndex) []byte { return appendU32([]byte{nodeRecord}, uint32(i)) }

func ratchetKey(id ratchetID) []byte {
	return append(appendU32([]byte{ratchetRecord}, uint32(id.leaf)), byte(id.kind))
}

// drainPast gives what changed of past epochs.
func (g *Group) drainPast() []Record {
	out := g.pastRecords
	g.pastRecords = nil
	for _, p := range g.past {
		for _, r := range p.messages.drain() {
			out = append(out, Record{Key: append(p.key(keyPastMessages), r.key...), Value: r.value, Secret: true})
		}
	}
	return latest(out)
}

// latest leaves one record of each key: an epoch may come and go between two
// drains.
func latest(records []Record) []Record {
	last := make(map[string]int, len(records))
	for i, r := range records {
		last[string(r.Key)] = i
	}
	out := records[:0]
	for i, r := range records {
		if last[string(r.Key)] == i {
			out = append(out, r)
		}
	}
	return out
}

const pastVersion = 1

// record of a past epoch, but for its secret tree.
func (p *pastEpoch) record() []byte {
	var ended uint64
	if !p.ended.IsZero() {
		ended = uint64(p.ended.Unix())
	}
	var senders []byte
	for i, sender := range p.senders {
		senders = appendVec(appendU32(senders, uint32(i)), sender.key)
		senders = sender.credential.appendTo(senders)
	}
	b := make([]byte, 0, 32+len(p.context)+len(p.senderData)+len(senders)) // see [member.sizeHint]
	b = append(b, pastVersion)
	b = appendU64(b, ended)
	b = appendVec(b, p.context)
	b = appendVec(b, p.senderData)
	b = appendU32(b, p.messages.width)
	return appendVec(b, senders)
}

// storedPast gathers the records of one past epoch.
type storedPast struct {
	record   []byte
	messages []record
}

func (s *stored) addPast(kind byte, key, value []byte) error {
	if len(key) < 8 {
		return errRecord
	}
	number, rest := binary.BigEndian.Uint64(key), key[8:]
	if s.past == nil {
		s.past = map[uint64]*storedPast{}
	}
	p := s.past[number]
	if p == nil {
		p = &storedPast{}
		s.past[number] = p
	}
	if kind == keyPastMessages {
		p.messages = append(p.messages, record{key: rest, value: value})
		return nil
	}
	if len(rest) > 0 {
		return errRecord
	}
	p.record = value
	return nil
}

func (s *stored) pastEpochs(suite *suite) ([]*pastEpoch, error) {
	var out []*pastEpoch
	for number, stored := range s.past {
		p, err := parse(stored.record, "stored past epoch", func(r *reader) *pastEpoch { return readPast(r, suite) })
		if err != nil {
			return nil, err
		}
		p.number = number
		if p.messages, err = parseSecretTree(suite, p.messages.width, stored.messages); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *pastEpoch) int { return bytes.Compare(a.key(0), b.key(0)) })
	return out, nil
}

func readPast(r *reader, s *suite) *pastEpoch {
	r.version(pastVersion)
	p := &pastEpoch{senders: map[LeafIndex]pastSender{}}
	if ended := r.u64(); ended != 0 {
		p.ended = time.Unix(int64(ended), 0)
	}
	p.context, p.senderData = bytes.Clone(r.vec()), r.secret(s.nh)
	r.b = bytes.Clone(r.b) // what follows is kept, and the record may be erased
	if r.err == nil {
		ctx, err := parse(p.context, "context of a stored past epoch", readGroupContext)
		if err != nil {
			r.fail(err)
			return p
		}
		p.safeAAD = ctx.framesAAD()
	}
	width := r.u32()
	if width > maxLeaves {
		r.fail(errRecord)
		return p
	}
	p.messages = emptySecretTree(s, width)
	senders := r.sub()
	for senders.more() {
		i := LeafIndex(senders.u32())
		p.senders[i] = pastSender{key: senders.vec(), credential: readCredential(&senders)}
	}
	if senders.err != nil {
		r.fail(senders.err)
	}
	return p
}
