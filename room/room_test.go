package room

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"sconce/identity"
	"sconce/mls"
)

var (
	testNetwork = identity.NetworkID{7}
	testTime    = time.Unix(1_800_000_000, 0)
)

// world is the people of a test, what is known of their logs, and the server's
// key for proposals.
type world struct {
	testing.TB
	people         map[identity.UserID]*person
	secret         mls.Secret
	sender         []byte
	clock          time.Time
	roomsMade      byte
	strangerSecret mls.Secret // a key that no room lists
}

// person is somebody with a device log and the devices in it.
type person struct {
	w        *world
	recovery *identity.RecoveryKey
	entries  [][]byte
	log      *identity.Log
	phone    *device
}

// device is one device of a person, and how it judges.
type device struct {
	owner   *person
	id      identity.DeviceID
	secrets *identity.DeviceSecrets
	rules   *conscience
}

// conscience is rules that a test can switch off, to see what others say.
type conscience struct {
	Rules
	dishonest bool
}

func (c *conscience) AppData(id mls.ComponentID, state []byte, updates [][]byte) ([]byte, error) {
	next, err := c.Rules.AppData(id, state, updates)
	if err != nil && c.dishonest {
		return updates[len(updates)-1], nil
	}
	return next, err
}

func (c *conscience) Commit(v *mls.CommitView) error {
	if c.dishonest {
		return nil
	}
	return c.Rules.Commit(v)
}

func (c *conscience) Proposal(v *mls.ProposalView) error {
	if c.dishonest {
		return nil
	}
	return c.Rules.Proposal(v)
}

func (c *conscience) config() mls.Config { return mls.Config{Rules: c, StrictPending: true} }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, people: map[identity.UserID]*person{}, clock: testTime}
	w.secret, w.sender = w.leafKey()
	w.strangerSecret, _ = w.leafKey()
	return w
}

func (w *world) logs(u identity.UserID) *identity.Log {
	if p := w.people[u]; p != nil {
		return p.log
	}
	return nil
}

func (w *world) tick() time.Time {
	w.clock = w.clock.Add(time.Minute)
	return w.clock
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) leafKey() (mls.Secret, []byte) {
	w.Helper()
	private, public, err := Suite.GenerateSignatureKey()
	w.ok(err)
	return private, public
}

func (w *world) deviceSecrets(name string) *identity.DeviceSecrets {
	w.Helper()
	private, public := w.leafKey()
	s, err := identity.NewDeviceSecrets(name, map[uint16]identity.LeafPair{uint16(Suite): {Public: public, Secret: private}})
	w.ok(err)
	return s
}

func (w *world) newPerson() *person {
	w.Helper()
	p := &person{w: w, recovery: identity.NewRecoveryKey()}
	s := w.deviceSecrets("phone")
	genesis, err := identity.NewGenesis(testNetwork, w.tick(), p.recovery, s)
	w.ok(err)
	p.entries = [][]byte{genesis}
	p.log, err = identity.Open(testNetwork, p.entries)
	w.ok(err)
	p.phone = p.device(s)
	w.people[p.user()] = p
	return p
}

func (p *person) device(s *identity.DeviceSecrets) *device {
	return &device{owner: p, id: s.Keys().ID(), secrets: s, rules: &conscience{Rules: Rules{Logs: p.w.logs}}}
}

func (p *person) user() identity.UserID { return p.log.User() }

// prefix gives the person's log when it had n entries.
func (p *person) prefix(n int) *identity.Log {
	p.w.Helper()
	l, err := identity.Open(testNetwork, p.entries[:n])
	p.w.ok(err)
	return l
}

func (p *person) take(entry []byte, err error) {
	p.w.Helper()
	p.w.ok(err)
	p.w.ok(p.log.Append(entry))
	p.entries = append(p.entries, entry)
}

func (p *person) newDevice(name string) *device {
	p.w.Helper()
	s := p.w.deviceSecrets(name)
	a, err := s.Join(testNetwork, p.user())
	p.w.ok(err)
	p.take(p.log.AddDevice(p.phone.secrets, p.w.tick(), a))
	return p.device(s)
}

func (p *person) removes(d *device) {
	p.w.Helper()
	p.take(p.log.RemoveDevice(p.phone.secrets, p.w.tick(), d.id))
}

// rotate gives the device new keys; what it was stays behind as the result.
func (d *device) rotate() *device {
	d.owner.w.Helper()
	fresh := d.owner.w.deviceSecrets("rotated")
	old := *d
	d.owner.take(d.owner.log.Rotate(d.secrets, d.owner.w.tick(), fresh))
	d.secrets = fresh
	return &old
}

func (p *person) recovers(r identity.Recovery) {
	p.w.Helper()
	p.take(p.log.Recover(p.recovery, p.w.tick(), r))
}

// at is the person as a participant, pinned at n entries; 0 means all.
func (p *person) at(role Role, n int) Participant {
	p.w.Helper()
	if n == 0 {
		n = p.log.Length()
	}
	v, err := p.log.At(n)
	p.w.ok(err)
	return Participant{User: p.user(), Role: role, Pin: v.Pin()}
}

func (d *device) credential() identity.Credential {
	d.owner.w.Helper()
	held, ok := d.owner.log.Device(d.id)
	if !ok {
		d.owner.w.Fatal("the device is not in its person's log")
	}
	c := d.owner.log.Credential(held)
	for i := range d.owner.log.Length() { // the entry of the keys that this copy of the device has
		e := d.owner.log.Entry(i)
		if keys, admits := e.Admits(); admits && keys.ID() == d.secrets.Keys().ID() {
			c.Entry = e.Hash()
		}
	}
	return c
}

func (d *device) signer() mls.Signer {
	d.owner.w.Helper()
	return d.signerAs(d.credential())
}

func (d *device) signerAs(c identity.Credential) mls.Signer {
	d.owner.w.Helper()
	pair, ok := d.secrets.Leaf(uint16(Suite))
	if !ok {
		d.owner.w.Fatal("no leaf key")
	}
	return mls.Signer{Credential: Credential(c), Public: pair.Public, Private: pair.Secret}
}

type offered struct {
	kp      *mls.KeyPackage
	secrets *mls.KeyPackageSecrets
}

func (w *world) offer(s mls.Signer) offered {
	w.Helper()
	kp, secrets, err := mls.NewKeyPackage(Suite, s, mls.KeyPackageOptions{
		Lifetime: mls.Lifetime{NotAfter: uint64(testTime.Add(KeyPackageLifetime).Unix())}})
	w.ok(err)
	return offered{kp, secrets}
}

// place is a room: the group of each device in it, and the server's view.
type place struct {
	*world
	kind    Kind
	devices []*device
	groups  map[*device]*mls.Group
	public  *mls.PublicGroup
	server  *conscience
}

func (w *world) create(kind Kind, maker *device, id []byte, ext mls.Extensions) *place {
	w.Helper()
	g, err := mls.Create(maker.rules.config(), id, Suite, maker.signer(), mls.DefaultCapabilities(), ext)
	w.ok(err)
	r := &place{world: w, kind: kind, devices: []*device{maker}, groups: map[*device]*mls.Group{maker: g},
		server: &conscience{Rules: Rules{Logs: w.logs}}}
	r.public, err = mls.NewPublicGroup(r.server.config(), r.info(), nil, testTime)
	w.ok(err)
	return r
}

// newRoom makes a room with a maker, who is its admin, and other people's
// devices, who are members.
func (w *world) newRoom(kind Kind, maker *device, others ...*device) *place {
	w.Helper()
	w.roomsMade++
	p := Participants{Kind: kind, List: []Participant{maker.owner.at(Admin, 0)}}
	r := w.create(kind, maker, GroupID(ID{w.roomsMade}, 0), Extensions(w.sender, p, sha256.Sum256(nil)))
	if len(others) > 0 {
		r.add(maker, others...)
	}
	return r
}

// add brings devices in, and their people where they are not in the room.
func (r *place) add(by *device, added ...*device) {
	r.Helper()
	var change Change
	var proposals []mls.Proposal
	offers := map[*device]offered{}
	for _, d := range added {
		if !slices.ContainsFunc(change.Set, func(q Participant) bool { return q.User == d.owner.user() }) {
			role := Member
			if q, ok := r.participants().Find(d.owner.user()); ok {
				role = q.Role
			}
			change.Set = append(change.Set, d.owner.at(role, 0))
		}
		offers[d] = r.offer(d.signer())
		proposals = append(proposals, &mls.Add{KeyPackage: offers[d].kp})
	}
	st := r.commit(by, mls.CommitOptions{Proposals: append(proposals, change.Proposal()), InlineTree: true})
	r.accept(by, st)
	m, err := mls.ParseMessage(st.Welcome())
	r.ok(err)
	for d, o := range offers {
		g, err := mls.Join(d.rules.config(), m, o.kp, o.secrets, nil, testTime)
		r.ok(err)
		r.ok(CheckContext(g.Context(), r.sender))
		r.ok(CheckMembers(g.Context(), g.Members(), r.logs))
		r.devices = append(r.devices, d)
		r.groups[d] = g
	}
}

func (r *place) info() *mls.GroupInfo {
	r.Helper()
	gi, err := r.groups[r.devices[0]].GroupInfo(true)
	r.ok(err)
	return gi
}

func (r *place) participants() Participants {
	r.Helper()
	p, err := ParticipantsOf(r.public.Context())
	r.ok(err)
	return p
}

// leaf is where a device sits.
func (r *place) leaf(d *device) mls.LeafIndex {
	r.Helper()
	for i, l := range r.public.Members() {
		if c, err := CredentialOf(l); err == nil && c.Device == d.id && c.User == d.owner.user() {
			return i
		}
	}
	r.Fatal("the device is not in the room")
	return 0
}

func (r *place) remove(d *device) mls.Proposal {
	r.Helper()
	return &mls.Remove{Removed: r.leaf(d)}
}

func set(list ...Participant) mls.Proposal { return Change{Set: list}.Proposal() }
func takeOut(p *person) mls.Proposal       { return Change{Remove: []identity.UserID{p.user()}}.Proposal() }
func inline(proposals ...mls.Proposal) mls.CommitOptions {
	return mls.CommitOptions{Proposals: proposals}
}
func (r *place) brings(d *device) mls.Proposal {
	r.Helper()
	return &mls.Add{KeyPackage: r.offer(d.signer()).kp}
}

func (r *place) commit(by *device, o mls.CommitOptions) *mls.StagedCommit {
	r.Helper()
	st, err := r.groups[by].Commit(o, testTime)
	r.ok(err)
	return st
}

// hear has everyone but the sender process a message, and says what each finds.
func (r *place) hear(by *device, raw []byte, verdict func(who string, ev mls.Event, err error)) {
	r.Helper()
	m, err := mls.ParseMessage(raw)
	r.ok(err)
	ev, err := r.public.Process(m, testTime)
	verdict("the server", ev, err)
	for _, d := range r.devices {
		if d == by {
			continue
		}
		m, err := mls.ParseMessage(raw)
		r.ok(err)
		ev, err := r.groups[d].Process(m, testTime)
		verdict("a member", ev, err)
	}
}

// accept has everyone take a commit, which must be good.
func (r *place) accept(by *device, st *mls.StagedCommit) {
	r.Helper()
	staged := []*mls.StagedCommit{}
	r.hear(by, st.Message(), func(who string, ev mls.Event, err error) {
		r.Helper()
		if err != nil {
			r.Fatalf("%s refuses a good commit: %v", who, err)
		}
		staged = append(staged, ev.(*mls.StagedCommit))
	})
	r.ok(r.public.Merge(staged[0]))
	rest := staged[1:]
	var stay []*device
	for _, d := range r.devices {
		if d == by {
			r.ok(r.groups[d].Merge(st))
		} else {
			r.ok(r.groups[d].Merge(rest[0]))
			rest = rest[1:]
		}
		if r.groups[d].Removed() {
			delete(r.groups, d)
			continue
		}
		stay = append(stay, d)
	}
	r.devices = stay
}

// propose sends a proposal by reference and has everyone take it.
func (r *place) propose(by *device, raw []byte) {
	r.Helper()
	r.hear(by, raw, func(who string, _ mls.Event, err error) {
		r.Helper()
		if err != nil {
			r.Fatalf("%s refuses a good proposal: %v", who, err)
		}
	})
	if by != nil {
		m, err := mls.ParseMessage(raw)
		r.ok(err)
		_, err = r.groups[by].Process(m, testTime)
		r.ok(err)
	}
}

func (r *place) selfRemove(d *device) {
	r.Helper()
	raw, err := r.groups[d].Propose(&mls.SelfRemove{}, nil)
	r.ok(err)
	r.propose(d, raw)
}

func (r *place) external(q mls.Proposal, secret mls.Secret, index uint32) []byte {
	r.Helper()
	ctx := r.public.Context()
	raw, err := mls.NewExternalProposal(q, mls.ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: ctx.CipherSuite}, index, secret)
	r.ok(err)
	return raw
}

func (w *world) wantRule(who, rule string, err error) {
	w.Helper()
	got, ok := errors.AsType[*RuleError](err)
	if !ok || got.Rule != rule {
		w.Errorf("%s: got %v, want a refusal by rule %q", who, err, rule)
	}
}

// refuse makes a commit against a rule: an honest sender's own client does not
// make it, and nobody takes it from a dishonest one.
func (r *place) refuse(rule string, by *device, o mls.CommitOptions) {
	r.Helper()
	_, err := r.groups[by].Commit(o, testTime)
	r.wantRule("an honest sender", rule, err)
	by.rules.dishonest = true
	defer func() { by.rules.dishonest = false }()
	r.refused(rule, by, r.commit(by, o).Message())
}

func (r *place) refused(rule string, by *device, raw []byte) {
	r.Helper()
	r.hear(by, raw, func(who string, _ mls.Event, err error) {
		r.Helper()
		r.wantRule(who, rule, err)
	})
}

func (r *place) join(d *device, s mls.Signer, o mls.ExternalOptions) (*mls.StagedCommit, error) {
	return mls.JoinExternal(d.rules.config(), r.info(), nil, s, o, testTime)
}

func (r *place) refuseJoin(rule string, d *device, s mls.Signer, o mls.ExternalOptions) {
	r.Helper()
	_, err := r.join(d, s, o)
	r.wantRule("an honest joiner", rule, err)
	d.rules.dishonest = true
	st, err := r.join(d, s, o)
	d.rules.dishonest = false // it may sit in the room, too
	r.ok(err)
	r.refused(rule, nil, st.Message())
}

func (r *place) acceptJoin(d *device, o mls.ExternalOptions) {
	r.Helper()
	st, err := r.join(d, d.signer(), o)
	r.ok(err)
	r.devices = slices.DeleteFunc(r.devices, func(x *device) bool { return o.Resync != nil && x == d })
	r.accept(nil, st)
	g, err := st.Group()
	r.ok(err)
	r.devices = append(r.devices, d)
	r.groups[d] = g
}

// party is what most tests begin with: alice, an admin, bob with two devices
// and carol, both members.
type party struct {
	*place
	alice, bob, carol *person
	laptop            *device // bob's
}

func newParty(t testing.TB) *party {
	t.Helper()
	w := newWorld(t)
	p := &party{alice: w.newPerson(), bob: w.newPerson(), carol: w.newPerson()}
	p.laptop = p.bob.newDevice("laptop")
	p.place = w.newRoom(Group, p.alice.phone, p.bob.phone, p.laptop, p.carol.phone)
	return p
}

func TestGroupIDReadsBack(t *testing.T) {
	id, generation, err := ParseGroupID(GroupID(ID{1, 2}, 1<<31))
	if err != nil || id != (ID{1, 2}) || generation != 1<<31 {
		t.Errorf("got %v, %d, %v", id, generation, err)
	}
	for _, bad := range [][]byte{nil, {1}, bytes.Repeat([]byte{1}, 20), bytes.Repeat([]byte{2}, 21), bytes.Repeat([]byte{1}, 22)} {
		if _, _, err := ParseGroupID(bad); err == nil {
			t.Errorf("ParseGroupID(%x) takes what is no room's group", bad)
		}
	}
}
