package mls

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// fuzzState is a member in a state of some interest, the follower of its group,
// and messages that fit.
type fuzzState struct {
	name     string
	room     *room
	member   *Group // who processes
	sender   *client
	follower *PublicGroup
	seeds    [][]byte
	pool     []Proposal // to put into commits
}

// fuzzStates are all states that a member can be in when a message comes.
func fuzzStates(t testing.TB) []*fuzzState {
	var out []*fuzzState
	state := func(name string, change func(r *room) *Group) {
		r := newRoom(t, X25519AES128, 5, Config{StrictPending: len(out)%2 == 0, PastEpochs: 1})
		s := &fuzzState{name: name, room: r, member: change(r), sender: r.clients[1], follower: r.server}
		s.seed(t)
		out = append(out, s)
	}
	first := func(r *room) *Group { return r.clients[0].Group }
	state("new member", func(r *room) *Group {
		r.add(r.clients[0], 1)
		return r.clients[len(r.clients)-1].Group
	})
	state("after commits", func(r *room) *Group {
		for _, c := range r.clients {
			r.commit(c, CommitOptions{})
		}
		return first(r)
	})
	state("own commit on its way", func(r *room) *Group {
		if _, err := r.clients[0].Commit(CommitOptions{}, now); err != nil {
			t.Fatal(err)
		}
		return first(r)
	})
	state("proposals pending", func(r *room) *Group {
		r.propose(r.clients[2].Propose(&SelfRemove{}, nil))
		r.propose(r.clients[3].Propose(&Update{}, nil))
		r.propose(r.externalProposal(&Remove{Removed: 4}))
		r.propose(r.clients[0].Propose(&Update{}, nil))
		return first(r)
	})
	state("its removal pending", func(r *room) *Group {
		r.propose(r.clients[0].Propose(&SelfRemove{}, nil))
		return first(r)
	})
	state("removed", func(r *room) *Group {
		gone := r.clients[0]
		r.commit(r.clients[1], CommitOptions{Proposals: []Proposal{&Remove{Removed: gone.Own()}}})
		r.clients = append([]*client{gone}, r.clients...)
		return gone.Group
	})
	state("reinit pending", func(r *room) *Group {
		r.propose(r.clients[2].Propose(&ReInit{GroupID: []byte("next"), Version: 1, CipherSuite: r.suite}, nil))
		return first(r)
	})
	state("branched", func(r *room) *Group {
		kp, _, err := NewKeyPackage(r.suite, r.clients[2].signer, KeyPackageOptions{Lifetime: always()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.clients[0].Branch(r.cfg, []byte("sub"), nil, r.clients[0].signer, []*KeyPackage{kp}, SuccessionOptions{}, now); err != nil {
			t.Fatal(err)
		}
		return first(r)
	})
	state("external joiner", func(r *room) *Group {
		c := r.newClient()
		r.enter(c, ExternalOptions{})
		return c.Group
	})
	return out
}

func (s *fuzzState) seed(t testing.TB) {
	r, c := s.room, s.sender
	s.pool = []Proposal{
		&Add{r.newClient().kp}, &Update{Leaf: r.server.Member(3)}, &Remove{Removed: 3}, &Remove{Removed: 0},
		&PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("x"), Nonce: make([]byte, 32)}},
		&ReInit{Version: 1, CipherSuite: r.suite}, &ExternalInit{KEMOutput: make([]byte, 32)},
		&GroupContextExtensions{r.server.Context().Extensions}, &GroupContextExtensions{Extensions{{Type: 0xF000}}},
		&AppDataUpdate{Component: testComponent, Update: []byte("x")}, &AppDataUpdate{Component: testComponent, Removes: true},
		&AppEphemeral{Component: ComponentAppAck}, &SelfRemove{}, &CustomProposal{Kind: testProposal},
	}
	keep := func(b []byte, err error) {
		if err == nil {
			s.seeds = append(s.seeds, b)
		}
	}
	keep(c.Encrypt([]byte("aad"), []byte("hello")))
	keep(c.Propose(&Update{}, nil))
	keep(c.Propose(&Remove{Removed: 3}, nil))
	for _, o := range []CommitOptions{{}, {Proposals: s.pool[:1]}, {Proposals: []Proposal{&Add{r.newClient().kp}, &Remove{Removed: 3}}}} {
		if st, err := c.Commit(o, now); err == nil {
			keep(st.Message(), nil)
		}
	}
	gi, err := c.GroupInfo(true)
	if err != nil {
		return
	}
	if st, err := JoinExternal(r.cfg, gi, nil, newSigner(t, r.suite, "x"), ExternalOptions{}, now); err == nil {
		keep(st.Message(), nil)
	}
}

// mutation reads a program of changes from the fuzzer's octets.
type mutation struct{ b []byte }

func (m *mutation) next() int {
	if len(m.b) == 0 {
		return 0
	}
	v := m.b[0]
	m.b = m.b[1:]
	return int(v)
}

// mutate changes a public message by its structure: what it comes to parses,
// and is signed by a member who may not have the right to say so.
func (s *fuzzState) mutate(m *Message, program *mutation) *Message {
	if m.public == nil {
		return m
	}
	ac := m.public.authenticated()
	c := ac.content
	c.encoded = nil
	for len(program.b) > 0 {
		s.change(c, program)
	}
	return s.seal(ac, program)
}

func (s *fuzzState) change(c *framedContent, p *mutation) {
	switch op := p.next(); op % 16 {
	case 0:
		c.epoch += uint64(p.next()%3) - 1
	case 1:
		c.sender = Sender{Type: SenderType(1 + p.next()%4), Index: uint32(p.next() % 9)}
	case 2:
		c.authenticatedData = []byte{byte(p.next())}
	case 3:
		c.contentType = ContentType(1 + p.next()%3)
		if c.commit == nil {
			c.commit = &commit{}
		}
		if c.proposal == nil {
			c.proposal = s.pool[p.next()%len(s.pool)]
		}
	case 4:
		c.proposal = s.pool[p.next()%len(s.pool)]
	default:
		if c.commit != nil {
			s.changeCommit(c.commit, op%16, p)
		}
	}
}

func (s *fuzzState) changeCommit(c *commit, op int, p *mutation) {
	switch op {
	case 5, 6:
		c.proposals = append(c.proposals, proposalOrRef{proposal: s.pool[p.next()%len(s.pool)]})
	case 7:
		if pending := s.follower.Pending(); len(pending) > 0 {
			c.proposals = append(c.proposals, proposalOrRef{ref: pending[p.next()%len(pending)].Ref})
		}
	case 8:
		if n := len(c.proposals); n > 0 {
			i := p.next() % n
			c.proposals = append(c.proposals[:i:i], c.proposals[i+1:]...)
		}
	case 9:
		if n := len(c.proposals); n > 1 {
			i, j := p.next()%n, p.next()%n
			c.proposals[i], c.proposals[j] = c.proposals[j], c.proposals[i]
		}
	case 10:
		c.path = nil
	default:
		if c.path != nil {
			s.changePath(c.path, op, p)
		}
	}
}

func (s *fuzzState) changePath(path *updatePath, op int, p *mutation) {
	n := len(path.nodes)
	switch op {
	case 11:
		if n > 0 {
			path.nodes = path.nodes[:p.next()%n]
		}
	case 12:
		if n > 0 {
			path.nodes = append(path.nodes, path.nodes[p.next()%n])
		}
	case 13:
		if n > 0 {
			node := &path.nodes[p.next()%n]
			if len(node.secrets) > 0 {
				node.secrets = append(node.secrets, node.secrets[0])[p.next()%2:]
			}
		}
	case 14:
		path.leaf.Source = LeafNodeSource(1 + p.next()%3)
	case 15:
		if other := s.follower.Member(LeafIndex(p.next() % 8)); other != nil {
			switch p.next() % 4 {
			case 0:
				path.leaf.EncryptionKey = other.EncryptionKey
			case 1:
				path.leaf.SignatureKey = other.SignatureKey
			case 2:
				path.leaf.Capabilities = Capabilities{}
			case 3:
				path.leaf.Extensions = Extensions{{Type: 0xF000}}
			}
		}
	}
}

// seal signs and frames changed content in the sender's name, the leaf of its
// path too.
func (s *fuzzState) seal(ac *authenticatedContent, p *mutation) *Message {
	c, p0 := s.sender, s.sender.public
	if path := ac.content.commit; ac.content.contentType == ContentCommit && path != nil && path.path != nil {
		_ = path.path.leaf.sign(p0.s, c.Group.signer, p0.ctx.GroupID, c.Own())
	}
	if ac.content.sender.Type == SenderMember {
		ac.content.sender.Index = uint32(c.Own())
	}
	if ac.sign(p0.s, c.Group.signer, p0.encoded) != nil {
		return &Message{Format: FormatPublicMessage, public: &publicMessage{content: ac.content}}
	}
	if ac.content.contentType == ContentCommit && ac.auth.confirmationTag == nil {
		ac.auth.confirmationTag = make([]byte, p0.s.nh)
	}
	return &Message{Format: FormatPublicMessage, public: protectPublic(p0.s, ac, c.epoch.membership, p0.encoded)}
}

// FuzzProcess has a member in each state, and a server, process what may be
// anything: octets as they come, or, with the high bit of the first, a message
// that was changed by its structure and signed again. The first octet names the
// state, the second the message to start from; the rest says how.
func FuzzProcess(f *testing.F) {
	states := fuzzStates(f)
	for i, s := range states {
		for j, b := range s.seeds {
			f.Add(append([]byte{byte(i), byte(j)}, b...))
			for op := range byte(16) {
				f.Add([]byte{byte(i) | 0x80, byte(j), op, 1, 2, op + 5, 0, 1})
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		s := states[int(b[0]&0x7f)%len(states)]
		text := b[2:]
		if b[0]&0x80 != 0 {
			text = s.seeds[int(b[1])%len(s.seeds)]
		}
		m, err := ParseMessage(bytes.Clone(text))
		if err != nil {
			return
		}
		if b[0]&0x80 != 0 {
			m = s.mutate(m, &mutation{b[2:]})
		}
		s.process(t, m)
	})
}

// process checks that a message has its effect or none, and that the follower
// refuses nothing that a member takes.
func (s *fuzzState) process(t *testing.T, m *Message) {
	keptMember, keptServer := s.member.public.pending, s.follower.pending
	defer func() { s.member.public.pending, s.follower.pending = onlyFirst(keptMember), onlyFirst(keptServer) }()
	byServer := judge(t, s.follower, m)
	byMember := judge(t, s.member, m)
	if s.member.Removed() || m.public == nil {
		return
	}
	// What only one of them can see: who sent it to itself, and what is secret.
	own := errors.Is(byMember, ErrOwnMessage)
	if byMember == nil && byServer != nil {
		t.Fatalf("the follower refuses what a member takes: %v", byServer)
	}
	if byServer == nil && byMember != nil && !own && !errors.Is(byMember, ErrCannotDecrypt) {
		if _, unknown := errors.AsType[*UnknownPSKError](byMember); !unknown && !isInvalid(byMember, "6.2") {
			t.Fatalf("a member refuses what the follower takes: %v", byMember)
		}
	}
}

func judge(t *testing.T, p interface {
	Process(*Message, time.Time) (Event, error)
	Context() *GroupContext
	Pending() []ProposalView
}, m *Message) error {
	before, pending := marshal(p.Context()), len(p.Pending())
	e, err := p.Process(m, now)
	if !bytes.Equal(before, marshal(p.Context())) {
		t.Fatal("processing changes the epoch")
	}
	if err != nil && (e != nil || len(p.Pending()) != pending) {
		t.Fatal("a refused message has an effect")
	}
	if st, ok := e.(*StagedCommit); ok && err == nil {
		st.View()
		st.Discard()
	}
	return err
}

// onlyFirst forgets what a run added to the pending proposals, so that runs are
// alike.
func onlyFirst(s pendingSet) pendingSet {
	var out pendingSet
	for _, p := range s.order {
		_ = out.add(p)
	}
	return out
}

// FuzzLoad reads stores that are damaged.
func FuzzLoad(f *testing.F) {
	r := newRoom(f, X25519AES128, 5, Config{PastEpochs: 1})
	r.propose(r.clients[2].Propose(&Update{}, nil))
	c := r.clients[0]
	c.disk.save(c.Drain())
	for k, v := range c.disk {
		f.Add([]byte(k), v)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		damaged := store{}
		for k, v := range c.disk {
			damaged[k] = v
		}
		damaged[string(key)] = value
		g, err := Load(c.cfg, damaged.records())
		if err != nil {
			return
		}
		_, _ = g.Encrypt(nil, []byte("x"))
		_, _ = g.SafeExport(testComponent)
		g.Drain()
	})
}

// FuzzParseStaged reads damaged records of staged commits, and the other
// records that a caller hands in.
func FuzzParseStaged(f *testing.F) {
	r := newRoom(f, X25519AES128, 5, Config{})
	by := r.clients[1]
	for _, sealed := range []bool{false, true} {
		by.public.cfg.EncryptHandshakes = sealed
		st, err := by.Commit(CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}}}, now)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(st.Bytes()))
	}
	gi, err := r.clients[0].GroupInfo(true)
	if err != nil {
		f.Fatal(err)
	}
	join, err := JoinExternal(r.cfg, gi, nil, newSigner(f, r.suite, "x"), ExternalOptions{}, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(join.Bytes()))
	f.Add([]byte(r.newClient().secrets.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = by.ParseStaged(b)
		_, _ = ParseStagedJoin(r.cfg, b)
		if k, err := ParseKeyPackageSecrets(b); err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Error("key package secrets do not read back")
		}
	})
}
