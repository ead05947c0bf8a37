package mls

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A simulation: devices that fall behind, lose races, get messages late and
// twice, and die at any moment; a server that orders what they send; and one of
// the members forges. A model knows who is in which epoch and what was said.
// Whatever happens, all who reach an epoch agree on it, everyone who was in it
// reads everything once, nobody else reads anything, and no forgery is believed.

// chooser draws the next of n choices.
type chooser func(n int, what string) int

type simulation struct {
	suite  CipherSuite
	cfg    Config
	choose chooser
	fail   func(format string, args ...any)

	server  *PublicGroup
	log     []simEntry
	devices []*device
	made    int

	epochs map[uint64]*modelEpoch
	said   map[string]modelMessage // by what went over the wire
}

// modelEpoch is what everyone in an epoch must agree on.
type modelEpoch struct {
	authenticator []byte // of the first who got there
	members       map[LeafIndex]string
}

type modelMessage struct {
	from  string
	epoch uint64
}

type simEntry struct {
	message []byte
	by      string
	welcome map[string]simWelcome // of a commit, by name
}

type simWelcome struct {
	message, tree []byte
}

// device is a client: what it has in memory, and what is on its disk.
type device struct {
	name    string
	signer  Signer
	kp      *KeyPackage
	secrets *KeyPackageSecrets
	group   *Group // nil before it joins
	cursor  int    // next entry of the log
	heard   map[string]int

	disk       store
	diskCursor int
	diskHeard  map[string]int
	diskStaged Secret

	old []*Group // as it was before it was removed, for it might keep that
	out bool
}

var errSimulation = errors.New("the simulation has failed")

func newSimulation(suite CipherSuite, choose chooser, fail func(string, ...any)) *simulation {
	s := &simulation{suite: suite, cfg: Config{Rules: lastWins{}, StrictPending: true}, choose: choose, epochs: map[uint64]*modelEpoch{}, said: map[string]modelMessage{}}
	s.fail = func(format string, args ...any) {
		fail(format, args...)
		panic(errSimulation) // unless fail ends the test itself
	}
	d := s.newDevice()
	ext := Extensions{RequiredCapabilities{Extensions: []ExtensionType{ExtensionAppDataDictionary},
		Proposals: []ProposalType{ProposalAppDataUpdate, ProposalSelfRemove}}.Extension()}
	var err error
	d.group, err = Create(s.cfg, []byte("simulated"), suite, d.signer, Capabilities{}, ext)
	s.must(err)
	gi, err := d.group.GroupInfo(false)
	s.must(err)
	s.server, err = NewPublicGroup(s.cfg, gi, d.group.Tree(), now)
	s.must(err)
	s.note(d)
	s.save(d)
	return s
}

func (s *simulation) must(err error) {
	if err != nil {
		s.fail("unexpected: %v", err)
	}
}

func (s *simulation) newDevice() *device {
	s.made++
	name := fmt.Sprintf("device %d", s.made)
	private, public, err := s.suite.GenerateSignatureKey()
	s.must(err)
	d := &device{name: name, disk: store{}, heard: map[string]int{}, signer: Signer{Credential: Credential{Type: CredentialBasic, Identity: []byte(name)}, Public: public, Private: private}}
	d.kp, d.secrets, err = NewKeyPackage(s.suite, d.signer, KeyPackageOptions{Lifetime: always()})
	s.must(err)
	s.devices = append(s.devices, d)
	return d
}

// save makes all that the device knows durable.
func (s *simulation) save(d *device) {
	s.saveAt(d, d.cursor)
}

// saveAt saves with the entry that comes next.
func (s *simulation) saveAt(d *device, cursor int) {
	d.disk.save(d.group.Drain())
	d.diskCursor, d.diskHeard = cursor, maps.Clone(d.heard)
}

// crash forgets what was not saved.
func (s *simulation) crash(d *device) {
	g, err := Load(s.cfg, d.disk.records())
	s.must(err)
	d.group, d.cursor, d.heard = g, d.diskCursor, maps.Clone(d.diskHeard)
}

// note holds a device that has come to an epoch against the model.
func (s *simulation) note(d *device) {
	e := d.group.Context().Epoch
	members := map[LeafIndex]string{}
	for i, l := range d.group.Members() {
		members[i] = string(l.Credential.Identity)
	}
	m := s.epochs[e]
	if m == nil {
		s.epochs[e] = &modelEpoch{d.group.EpochAuthenticator(), members}
		return
	}
	if !bytes.Equal(m.authenticator, d.group.EpochAuthenticator()) || !maps.Equal(m.members, members) {
		s.fail("%s disagrees about epoch %d", d.name, e)
	}
}

// append is the server: it takes what is valid now, and orders it.
func (s *simulation) append(by *device, message []byte, welcomes map[string]simWelcome) bool {
	m, err := ParseMessage(message)
	s.must(err)
	if m.private != nil {
		if s.server.CheckApplication(m) != nil {
			return false
		}
	} else {
		e, err := s.server.Process(m, now)
		if err != nil {
			return false
		}
		if st, ok := e.(*StagedCommit); ok {
			s.must(s.server.Merge(st))
		}
	}
	s.log = append(s.log, simEntry{message: message, by: by.name, welcome: welcomes})
	return true
}

func (s *simulation) active() []*device {
	return slices.DeleteFunc(slices.Clone(s.devices), func(d *device) bool { return d.group == nil || d.out })
}

func (s *simulation) pick(what string) *device {
	list := s.active()
	if len(list) == 0 {
		return nil
	}
	return list[s.choose(len(list), what)]
}

func (s *simulation) run(steps int) {
	for range steps {
		d := s.pick("device")
		if d == nil {
			break
		}
		step := s.choose(13, "step")
		if step > 2 && s.choose(3, "behind") > 0 {
			if s.sync(d, len(s.log)); d.out {
				continue
			}
		}
		switch step {
		case 0, 1, 2:
			s.sync(d, 1+s.choose(4, "entries"))
		case 3, 4, 12:
			s.say(d)
		case 5, 6:
			s.commit(d)
		case 7:
			s.propose(d)
		case 8:
			s.enter()
		case 9:
			s.repeat(d)
		case 10:
			s.crash(d)
		case 11:
			s.forge(d)
		}
	}
	s.settle()
}

// say sends a message, unless it dies first: then the key is spent or not, as
// the disk says, and nothing was sent.
func (s *simulation) say(d *device) {
	text := fmt.Sprintf("message %d", len(s.said))
	m, err := d.group.Encrypt(nil, []byte(text))
	if errors.Is(err, ErrPendingProposals) {
		s.commit(d)
		return
	}
	s.must(err)
	if s.choose(6, "dies before it saves") == 0 {
		s.crash(d)
		return
	}
	s.save(d)
	if s.choose(6, "dies before it sends") == 0 {
		s.crash(d)
		return
	}
	epoch := d.group.Context().Epoch
	if s.append(d, m, nil) {
		s.said[string(m)] = modelMessage{from: d.name, epoch: epoch}
	}
}

// commit makes a commit of something, saves it, and sends it. Whether it has
// won the device learns from the log.
func (s *simulation) commit(d *device) {
	if d.diskStaged != nil {
		return // one is on its way
	}
	o := CommitOptions{}
	var joiner *device
	switch s.choose(5, "commit of") {
	case 0, 1:
		if s.server.MemberCount() < 12 {
			joiner = s.newDevice()
			o.Proposals = []Proposal{&Add{joiner.kp}}
		}
	case 2:
		var others []LeafIndex
		for i := range d.group.Members() {
			if i != d.group.Own() {
				others = append(others, i)
			}
		}
		if len(others) > 1 {
			o.Proposals = []Proposal{&Remove{Removed: others[s.choose(len(others), "removed")]}}
		}
	case 3:
		o.Proposals = []Proposal{&AppDataUpdate{Component: testComponent, Update: []byte{byte(s.choose(256, "data"))}}}
	}
	st, err := d.group.Commit(o, now)
	if err != nil {
		return // its own removal is pending, say
	}
	if s.choose(6, "dies before it saves") == 0 {
		s.crash(d)
		return
	}
	d.diskStaged = st.Bytes()
	s.save(d)
	if s.choose(8, "dies before it sends") == 0 {
		// Starting again it cannot know: it sends what it saved.
		s.crash(d)
		if st, err = d.group.ParseStaged(d.diskStaged); err != nil {
			s.fail("%s cannot read its staged commit: %v", d.name, err)
		}
	}
	welcomes := map[string]simWelcome{}
	if joiner != nil {
		welcomes[joiner.name] = simWelcome{st.Welcome(), st.Tree()}
	}
	if !s.append(d, st.Message(), welcomes) {
		d.diskStaged = nil // it lost, and was told so
	}
}

func (s *simulation) propose(d *device) {
	var q Proposal = &Update{}
	if s.choose(2, "proposal") == 0 && s.server.MemberCount() > 2 {
		q = &SelfRemove{}
	}
	m, err := d.group.Propose(q, nil)
	if err != nil {
		return // it has proposed to leave already
	}
	s.save(d)
	s.append(d, m, nil)
}

// enter has a new device join by external commit, with the server's view.
func (s *simulation) enter() {
	if s.server.MemberCount() >= 12 {
		return
	}
	// The GroupInfo is of one who is up to date; without one nobody can join.
	var host *device
	for _, d := range s.active() {
		if d.group.Context().Epoch == s.server.Context().Epoch {
			host = d
		}
	}
	if host == nil {
		return
	}
	gi, err := host.group.GroupInfo(false)
	s.must(err)
	var leaving [][]byte
	for _, e := range s.log {
		m, err := ParseMessage(e.message)
		s.must(err)
		if _, epoch, _, _ := m.Group(); m.IsSelfRemove() && epoch == s.server.Context().Epoch {
			leaving = append(leaving, e.message)
		}
	}
	d := s.newDevice()
	st, err := JoinExternal(s.cfg, gi, s.server.Tree(), d.signer, ExternalOptions{Pending: leaving}, now)
	s.must(err)
	if !s.append(d, st.Message(), nil) {
		s.fail("the server refuses a join that is valid")
	}
	d.cursor = len(s.log)
	d.group, err = st.Group()
	s.must(err)
	s.note(d)
	s.save(d)
}

// sync has a device process the next entries of the log.
func (s *simulation) sync(d *device, n int) {
	for range n {
		if d.cursor >= len(s.log) || d.out {
			return
		}
		// Application messages between commits may come in any order.
		s.shuffle(d)
		s.receive(d, s.log[d.cursor])
		if d.out {
			return
		}
		d.cursor++
		if s.choose(5, "dies before it saves") == 0 {
			s.crash(d)
			continue
		}
		s.save(d)
	}
}

// shuffle delivers the next but one message first, now and then.
func (s *simulation) shuffle(d *device) {
	if d.cursor+1 >= len(s.log) || s.choose(4, "reorder") != 0 {
		return
	}
	first, second := mustRead(s.log[d.cursor].message), mustRead(s.log[d.cursor+1].message)
	if first.private == nil || second.private == nil || s.log[d.cursor+1].by == d.name {
		return
	}
	_, err := d.group.Process(second, now)
	if err != nil && !errors.Is(err, errGenerationUsed) {
		s.fail("%s cannot read a message that came early: %v", d.name, err)
	}
	if err == nil {
		d.heard[string(s.log[d.cursor+1].message)]++
	}
	// What was heard is not heard again: its key is gone, on disk too.
	s.save(d)
}

func mustRead(b []byte) *Message {
	m, err := ParseMessage(b)
	if err != nil {
		panic(err) // what is in the log was read before
	}
	return m
}

func (s *simulation) receive(d *device, e simEntry) {
	before := d.group
	ev, err := d.group.Process(mustRead(e.message), now)
	switch {
	case errors.Is(err, ErrOwnMessage):
		s.meetOwn(d, e)
		return
	case errors.Is(err, errGenerationUsed):
		return // it came early
	case err != nil:
		s.fail("%s cannot process entry %d by %s: %v", d.name, d.cursor, e.by, err)
	}
	switch ev := ev.(type) {
	case *ApplicationMessage:
		d.heard[string(e.message)]++
	case *StagedCommit:
		if ev.RemovesUs() {
			kept, err := Load(s.cfg, d.disk.records())
			s.must(err)
			d.old = append(d.old, kept)
		}
		s.must(before.Merge(ev))
		s.merged(d, e)
	}
}

// meetOwn merges a commit of one's own that has won.
func (s *simulation) meetOwn(d *device, e simEntry) {
	if mustRead(e.message).private != nil {
		return
	}
	if d.diskStaged == nil {
		s.fail("%s meets a commit of its own that it does not know", d.name)
	}
	st, err := d.group.ParseStaged(d.diskStaged)
	s.must(err)
	if !bytes.Equal(st.Message(), e.message) {
		s.fail("%s meets another commit of its own than it saved", d.name)
	}
	s.must(d.group.Merge(st))
	s.merged(d, e)
}

func (s *simulation) merged(d *device, e simEntry) {
	if d.group.Removed() {
		d.out = true
		return
	}
	s.note(d)
	// A staged commit of the epoch before has lost, or was this one. It is kept
	// while a crash could bring that epoch back.
	if st := d.diskStaged; st != nil {
		s.saveAt(d, d.cursor+1)
		d.diskStaged = nil
	}
	for name, w := range e.welcome {
		for _, j := range s.devices {
			if j.name == name && j.group == nil {
				s.join(j, w)
			}
		}
	}
}

func (s *simulation) join(d *device, w simWelcome) {
	m, err := ParseMessage(w.message)
	s.must(err)
	g, err := Join(s.cfg, m, d.kp, d.secrets, w.tree, now)
	if err != nil {
		s.fail("%s cannot join: %v", d.name, err)
	}
	d.group = g
	// Its window begins after the commit that added it.
	for i, e := range s.log {
		if _, ok := e.welcome[d.name]; ok {
			d.cursor = i + 1
		}
	}
	s.note(d)
	s.save(d)
}

// repeat gives a device something that it has processed already.
func (s *simulation) repeat(d *device) {
	if d.cursor == 0 {
		return
	}
	e := s.log[s.choose(d.cursor, "repeated")]
	ev, err := d.group.Process(mustRead(e.message), now)
	if _, pending := ev.(*ProposalReceived); err == nil && !pending {
		s.fail("%s takes a repeated entry", d.name)
	}
}

// forge has a member send in the name of another, with all the keys it has.
// That is everything but the other's signature key.
func (s *simulation) forge(d *device) {
	var victims []LeafIndex
	for i := range d.group.Members() {
		if i != d.group.Own() {
			victims = append(victims, i)
		}
	}
	if len(victims) == 0 || d.group.Context().Epoch != s.server.Context().Epoch {
		return
	}
	g, err := Load(s.cfg, d.disk.records()) // a copy: it spends no key of the device
	s.must(err)
	ac := g.frame(ContentProposal, FormatPublicMessage, []byte("forged"))
	ac.content.sender.Index = uint32(victims[s.choose(len(victims), "victim")])
	ac.content.proposal = &Remove{Removed: d.group.Own()}
	s.must(g.sign(ac))
	m := marshal(&Message{Format: FormatPublicMessage, public: protectPublic(g.public.s, ac, g.epoch.membership, g.public.encoded)})
	if s.append(d, m, nil) {
		s.fail("the server believes a forged proposal")
	}
	for _, to := range s.active() {
		if _, err := to.group.Process(mustRead(m), now); err == nil {
			s.fail("%s believes a forged proposal", to.name)
		}
	}
}

// settle brings everyone up to date and looks at the whole.
func (s *simulation) settle() {
	for again := true; again; {
		again = false
		for _, d := range s.active() {
			if d.cursor < len(s.log) {
				s.sync(d, len(s.log))
				again = true
			}
		}
	}
	end := s.server.Context().Epoch
	for _, d := range s.active() {
		if got := d.group.Context().Epoch; got != end {
			s.fail("%s ends in epoch %d, the server in %d", d.name, got, end)
		}
		if !bytes.Equal(d.group.Tree(), s.server.Tree()) {
			s.fail("%s ends with another tree than the server", d.name)
		}
	}
	for message, m := range s.said {
		members := slices.Collect(maps.Values(s.epochs[m.epoch].members))
		for _, d := range s.devices {
			want := 0
			if d.name != m.from && slices.Contains(members, d.name) {
				want = 1
			}
			if got := d.heard[message]; got != want {
				s.fail("%s has read a message of epoch %d %d times, want %d", d.name, m.epoch, got, want)
			}
		}
	}
	s.removedCannotRead()
}

// removedCannotRead gives those who were removed, with all that they had, what
// was said afterwards.
func (s *simulation) removedCannotRead() {
	for _, d := range s.devices {
		for _, g := range d.old {
			for _, e := range s.log[d.cursor:] {
				m := mustRead(e.message)
				if m.private != nil {
					m.private.epoch = g.Context().Epoch // lest the number alone refuse it
					if _, err := g.Process(m, now); err == nil {
						s.fail("%s reads after its removal", d.name)
					}
				}
			}
		}
	}
}

// play runs one simulation, and reports whether it came to its end.
func play(suite CipherSuite, choose chooser, steps int, fail func(string, ...any)) (ok bool) {
	defer func() {
		if r := recover(); r != nil && r != errSimulation { //nolint:errorlint // it is this very value
			panic(r)
		}
	}()
	newSimulation(suite, choose, fail).run(steps)
	return true
}

func TestSimulatedGroupsAgreeAndForgetTheRemoved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		choose := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(rt, what) }
		play(X25519AES128, choose, rapid.IntRange(10, 60).Draw(rt, "steps"), rt.Fatalf)
	})
}

// blind is a signature scheme that believes everything.
type blind struct{ ed25519Scheme }

func (blind) verify([]byte, [][]byte, []byte) bool { return true }

// TestSimulationNoticesBlindVerifiers is the control: with signatures that
// nobody checks, a simulation must fail.
func TestSimulationNoticesBlindVerifiers(t *testing.T) {
	const id CipherSuite = 0xF0F1
	s := *suites[X25519AES128]
	s.id, s.name, s.sig = id, "blind", blind{}
	suites[id] = &s
	defer delete(suites, id)
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var found string
		ok := play(id, func(n int, _ string) int { return rnd.IntN(n) }, 60, func(format string, args ...any) { found = fmt.Sprintf(format, args...) })
		if !ok {
			t.Logf("seed %d: %s", seed, found)
			return
		}
	}
	t.Error("nothing was noticed")
}

// TestSimulationPlaysLongHistories plays what rapid's short ones seldom reach.
func TestSimulationPlaysLongHistories(t *testing.T) {
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		play(X25519AES128, func(n int, _ string) int { return rnd.IntN(n) }, 250, func(format string, args ...any) {
			t.Fatalf("seed %d: %s", seed, fmt.Sprintf(format, args...))
		})
	}
}
