package interop

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sconce/mls"
)

// suite is one row: a suite both sides have.
type suite struct {
	id   mls.CipherSuite
	slow bool // in the other side's JavaScript: at full length only
}

var suites = []suite{
	{id: mls.X25519AES128},
	{id: mls.P256AES128},
	{id: mls.P521AES256, slow: true},
	{id: mls.P384AES256, slow: true},
	{id: 0xFA02},             // MLKEM768X25519, SHA384
	{id: 0xFA06, slow: true}, // MLKEM768, SHA384
}

// eachSuite runs a story on every suite that this build has; in the short form
// not on those that take the other side long.
func eachSuite(t *testing.T, story func(t *testing.T, s suite)) {
	for _, s := range suites {
		if s.slow && !full {
			continue
		}
		t.Run(fmt.Sprintf("%#04x", uint16(s.id)), func(t *testing.T) {
			if !slices.Contains(mls.Suites(), s.id) {
				t.Skipf("this build has no suite %#04x", uint16(s.id))
			}
			story(t, s)
		})
	}
}

// member is one of the group, on either side.
type member interface {
	name() string
	// commit gives the commit and a Welcome if it adds somebody, and has gone
	// on to the new epoch. Ours are encrypted or not as their Config says.
	commit(list []change, encrypted bool) (message, welcome []byte)
	join(welcome []byte)
	process(message []byte) (data []byte)
	encrypt(data []byte) []byte
	groupInfo() []byte
	joinExternal(groupInfo []byte) (message []byte)
	epoch() epoch
}

// change is a proposal to go inside a commit.
type change struct {
	add    []byte // a key package
	remove *uint32
	psk    []byte // its nonce: the one external PSK
}

// epoch is what members agree on, and what each has for itself.
type epoch struct {
	number                                         uint64
	authenticator, treeHash, transcript, exportedA []byte

	leaf uint32
}

const (
	exportLabel  = "interop"
	exportLength = 48
)

var (
	groupID       = []byte("a group of two minds")
	exportContext = []byte("context")
	authenticated = []byte("seen by all")
	pskID         = []byte("psk")
	psk           = []byte("something both sides were told")
	now           = time.Now() // ts-mls asks its clock too
)

// theirs is a client of ts-mls.
type theirs struct {
	*peer
	who        string
	suite      mls.CipherSuite
	keyPackage []byte
}

func (p *peer) client(who string, suite mls.CipherSuite) *theirs {
	p.t.Helper()
	a := p.call("client", who, request{"suite": suite, "psks": map[string]octets{fmt.Sprintf("%x", pskID): psk}})
	return &theirs{peer: p, who: who, suite: suite, keyPackage: a.KeyPackage}
}

func (c *theirs) name() string { return c.who }

func (c *theirs) create() {
	c.t.Helper()
	c.call("create", c.who, request{"group": octets(groupID)})
}

func (c *theirs) commit(list []change, encrypted bool) (message, welcome []byte) {
	c.t.Helper()
	wire := make([]request, len(list))
	for i, ch := range list {
		wire[i] = ch.request()
	}
	a := c.call("commit", c.who, request{"list": wire, "encrypted": encrypted})
	return a.Message, a.Welcome
}

func (ch change) request() request {
	switch {
	case ch.add != nil:
		return request{"type": "add", "keyPackage": octets(ch.add)}
	case ch.remove != nil:
		return request{"type": "remove", "leaf": *ch.remove}
	}
	return request{"type": "psk", "id": octets(pskID), "nonce": octets(ch.psk)}
}

func (c *theirs) join(welcome []byte) {
	c.t.Helper()
	c.call("join", c.who, request{"welcome": octets(welcome)})
}

func (c *theirs) process(message []byte) []byte {
	c.t.Helper()
	return c.call("process", c.who, request{"message": octets(message)}).Data
}

func (c *theirs) encrypt(data []byte) []byte {
	c.t.Helper()
	return c.call("encrypt", c.who, request{"data": octets(data), "authenticatedData": octets(authenticated)}).Message
}

func (c *theirs) groupInfo() []byte {
	c.t.Helper()
	return c.call("groupInfo", c.who, nil).GroupInfo
}

func (c *theirs) joinExternal(groupInfo []byte) []byte {
	c.t.Helper()
	return c.call("joinExternal", c.who, request{"groupInfo": octets(groupInfo)}).Message
}

func (c *theirs) epoch() epoch {
	c.t.Helper()
	a := c.call("epoch", c.who, request{"label": exportLabel, "context": octets(exportContext), "length": exportLength})
	return epoch{number: a.Epoch, leaf: a.Leaf, authenticator: a.Authenticator, treeHash: a.TreeHash, transcript: a.Transcript, exportedA: a.Exported}
}

// ours is a client of this repository.
type ours struct {
	t       testing.TB
	who     string
	suite   mls.CipherSuite
	cfg     mls.Config
	signer  mls.Signer
	kp      *mls.KeyPackage
	secrets *mls.KeyPackageSecrets
	group   *mls.Group
}

func newOurs(t testing.TB, who string, suite mls.CipherSuite) *ours {
	t.Helper()
	private, public, err := suite.GenerateSignatureKey()
	if err != nil {
		t.Fatal(err)
	}
	c := &ours{t: t, who: who, suite: suite, cfg: mls.Config{PSK: func(id mls.PreSharedKeyID) (mls.Secret, bool) {
		return psk, id.Type == mls.PSKExternal && bytes.Equal(id.ID, pskID)
	}}}
	c.signer = mls.Signer{Credential: mls.Credential{Type: mls.CredentialBasic, Identity: []byte(who)}, Public: public, Private: private}
	// ts-mls refuses members that do not understand its credential types, which
	// stand in the lists of its own clients.
	caps := mls.DefaultCapabilities()
	caps.Credentials = append(caps.Credentials, mls.CredentialX509)
	c.kp, c.secrets, err = mls.NewKeyPackage(suite, c.signer, mls.KeyPackageOptions{
		Capabilities: caps,
		Lifetime:     mls.Lifetime{NotBefore: uint64(now.Unix()) - 3600, NotAfter: uint64(now.Unix()) + 3600},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *ours) name() string { return c.who }

func (c *ours) create() {
	c.t.Helper()
	g, err := mls.Create(c.cfg, groupID, c.suite, c.signer, mls.Capabilities{}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.group = g
}

func (c *ours) proposal(ch change) mls.Proposal {
	c.t.Helper()
	switch {
	case ch.add != nil:
		kp, err := mls.ParseKeyPackage(ch.add)
		if err != nil {
			c.t.Fatalf("%s reads a key package: %v", c.who, err)
		}
		return &mls.Add{KeyPackage: kp}
	case ch.remove != nil:
		return &mls.Remove{Removed: mls.LeafIndex(*ch.remove)}
	}
	return &mls.PreSharedKey{ID: mls.PreSharedKeyID{Type: mls.PSKExternal, ID: pskID, Nonce: ch.psk}}
}

func (c *ours) commit(list []change, _ bool) (message, welcome []byte) {
	c.t.Helper()
	o := mls.CommitOptions{ForcePath: true, InlineTree: true}
	for _, ch := range list {
		o.Proposals = append(o.Proposals, c.proposal(ch))
	}
	st, err := c.group.Commit(o, now)
	if err != nil {
		c.t.Fatalf("%s commits: %v", c.who, err)
	}
	if err := c.group.Merge(st); err != nil {
		c.t.Fatal(err)
	}
	return st.Message(), st.Welcome()
}

func (c *ours) join(welcome []byte) {
	c.t.Helper()
	m, err := mls.ParseMessage(welcome)
	if err != nil {
		c.t.Fatalf("%s reads a welcome: %v", c.who, err)
	}
	if c.group, err = mls.Join(c.cfg, m, c.kp, c.secrets, nil, now); err != nil {
		c.t.Fatalf("%s joins: %v", c.who, err)
	}
}

func (c *ours) process(message []byte) []byte {
	c.t.Helper()
	m, err := mls.ParseMessage(message)
	if err != nil {
		c.t.Fatalf("%s reads a message: %v", c.who, err)
	}
	e, err := c.group.Process(m, now)
	if err != nil {
		c.t.Fatalf("%s processes: %v", c.who, err)
	}
	switch e := e.(type) {
	case *mls.StagedCommit:
		if err := c.group.Merge(e); err != nil {
			c.t.Fatal(err)
		}
	case *mls.ApplicationMessage:
		if !bytes.Equal(e.AuthenticatedData, authenticated) {
			c.t.Fatalf("authenticated data %q", e.AuthenticatedData)
		}
		return e.Data
	}
	return nil
}

func (c *ours) encrypt(data []byte) []byte {
	c.t.Helper()
	m, err := c.group.Encrypt(authenticated, data)
	if err != nil {
		c.t.Fatalf("%s encrypts: %v", c.who, err)
	}
	return m
}

func (c *ours) groupInfo() []byte {
	c.t.Helper()
	gi, err := c.group.GroupInfo(true)
	if err != nil {
		c.t.Fatal(err)
	}
	return gi.Bytes()
}

func (c *ours) joinExternal(groupInfo []byte) []byte {
	c.t.Helper()
	gi, err := mls.ParseGroupInfo(groupInfo)
	if err != nil {
		c.t.Fatalf("%s reads a group info: %v", c.who, err)
	}
	caps := mls.DefaultCapabilities()
	caps.Credentials = append(caps.Credentials, mls.CredentialX509)
	st, err := mls.JoinExternal(c.cfg, gi, nil, c.signer, mls.ExternalOptions{Capabilities: caps}, now)
	if err != nil {
		c.t.Fatalf("%s joins by external commit: %v", c.who, err)
	}
	if c.group, err = st.Group(); err != nil {
		c.t.Fatal(err)
	}
	return st.Message()
}

func (c *ours) epoch() epoch {
	c.t.Helper()
	exported, err := c.group.Export(exportLabel, exportContext, exportLength)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx := c.group.Context()
	return epoch{number: ctx.Epoch, leaf: uint32(c.group.Own()), authenticator: c.group.EpochAuthenticator(),
		treeHash: ctx.TreeHash, transcript: ctx.ConfirmedTranscriptHash, exportedA: exported}
}

// group is members of both sides, and someone who follows them without secrets.
type group struct {
	t        testing.TB
	suite    mls.CipherSuite
	peer     *peer
	rnd      *rand.Rand
	members  []member
	follower *mls.PublicGroup
	made     int
	sealed   bool // our clients made from now on encrypt their handshakes
}

// newGroup has one side or the other create a group.
func newGroup(t *testing.T, s suite, theyCreate bool) *group {
	t.Helper()
	g := &group{t: t, suite: s.id, peer: startPeer(t), rnd: rand.New(rand.NewPCG(9420, uint64(s.id)))}
	var first interface {
		member
		create()
	}
	if theyCreate {
		first = g.newTheirs()
	} else {
		first = g.newOurs()
	}
	first.create()
	g.members = []member{first}
	gi, err := mls.ParseGroupInfo(first.groupInfo())
	if err != nil {
		t.Fatal(err)
	}
	if g.follower, err = mls.NewPublicGroup(mls.Config{}, gi, nil, now); err != nil {
		t.Fatalf("following a group: %v", err)
	}
	return g
}

func (g *group) newTheirs() *theirs {
	g.made++
	return g.peer.client(fmt.Sprintf("ts %d", g.made), g.suite)
}

func (g *group) newOurs() *ours {
	g.made++
	c := newOurs(g.t, fmt.Sprintf("go %d", g.made), g.suite)
	c.cfg.EncryptHandshakes = g.sealed
	return c
}

// add has by add some of each side in one commit.
func (g *group) add(by member, ourCount, theirCount int) {
	g.t.Helper()
	var list []change
	var fresh []member
	for range ourCount {
		c := g.newOurs()
		list, fresh = append(list, change{add: c.kp.Bytes()}), append(fresh, c)
	}
	for range theirCount {
		c := g.newTheirs()
		list, fresh = append(list, change{add: c.keyPackage}), append(fresh, c)
	}
	welcome := g.commit(by, list, false)
	for _, c := range fresh {
		c.join(welcome)
	}
	g.members = append(g.members, fresh...)
}

func (g *group) commit(by member, list []change, encrypted bool) (welcome []byte) {
	g.t.Helper()
	message, welcome := by.commit(list, encrypted)
	g.deliver(by, message)
	return welcome
}

func (g *group) deliver(by member, message []byte) {
	g.t.Helper()
	for _, c := range g.members {
		if c != by {
			c.process(message)
		}
	}
	m, err := mls.ParseMessage(message)
	if err != nil {
		g.t.Fatal(err)
	}
	e, err := g.follower.Process(m, now)
	if errors.Is(err, mls.ErrMembersOnly) {
		g.followAnew()
		return
	}
	if err != nil {
		g.t.Fatalf("the follower: %v", err)
	}
	if err := g.follower.Merge(e.(*mls.StagedCommit)); err != nil {
		g.t.Fatal(err)
	}
}

// followAnew starts over from a GroupInfo where a commit was encrypted.
func (g *group) followAnew() {
	g.t.Helper()
	gi, err := mls.ParseGroupInfo(g.members[0].groupInfo())
	if err != nil {
		g.t.Fatal(err)
	}
	if g.follower, err = mls.NewPublicGroup(mls.Config{}, gi, nil, now); err != nil {
		g.t.Fatal(err)
	}
}

// remove has by remove one.
func (g *group) remove(by, gone member) {
	g.t.Helper()
	leaf := gone.epoch().leaf
	g.members = slices.DeleteFunc(g.members, func(c member) bool { return c == gone })
	g.commit(by, []change{{remove: &leaf}}, false)
	if c, ok := gone.(*theirs); ok {
		c.call("forget", c.who, nil)
	}
}

// enter has one join by external commit with the GroupInfo of another.
func (g *group) enter(c, by member) {
	g.t.Helper()
	message := c.joinExternal(by.groupInfo())
	g.deliver(c, message)
	g.members = append(g.members, c)
}

// agree checks that all members share the epoch and its secrets, that the
// follower sees the same, and that some read what some write.
func (g *group) agree() {
	g.t.Helper()
	want := g.members[0].epoch()
	for _, c := range g.members[1:] {
		got := c.epoch()
		switch {
		case got.number != want.number:
			g.t.Fatalf("%s is in epoch %d, %s in %d", c.name(), got.number, g.members[0].name(), want.number)
		case !bytes.Equal(got.authenticator, want.authenticator):
			g.t.Fatalf("epoch %d: epoch authenticators of %s and %s differ", want.number, c.name(), g.members[0].name())
		case !bytes.Equal(got.treeHash, want.treeHash), !bytes.Equal(got.transcript, want.transcript):
			g.t.Fatalf("epoch %d: group contexts of %s and %s differ", want.number, c.name(), g.members[0].name())
		case !bytes.Equal(got.exportedA, want.exportedA):
			g.t.Fatalf("epoch %d: exported secrets of %s and %s differ", want.number, c.name(), g.members[0].name())
		}
	}
	ctx := g.follower.Context()
	if ctx.Epoch != want.number || !bytes.Equal(ctx.TreeHash, want.treeHash) || !bytes.Equal(ctx.ConfirmedTranscriptHash, want.transcript) {
		g.t.Fatalf("the follower sees another epoch %d than the members", ctx.Epoch)
	}
}

// talk has one of each side write, and everyone else read.
func (g *group) talk() {
	g.t.Helper()
	for _, from := range g.oneOfEach() {
		text := fmt.Appendf(nil, "from %s, number %d", from.name(), g.rnd.IntN(1000))
		message := from.encrypt(text)
		for _, to := range g.members {
			if to == from {
				continue
			}
			if got := to.process(message); !bytes.Equal(got, text) {
				g.t.Fatalf("%s reads %q, want %q", to.name(), got, text)
			}
		}
	}
}

func (g *group) oneOfEach() []member {
	var out []member
	var a, b bool
	for _, i := range g.rnd.Perm(len(g.members)) {
		c := g.members[i]
		if _, ok := c.(*ours); ok && !a {
			a, out = true, append(out, c)
		} else if !ok && !b {
			b, out = true, append(out, c)
		}
	}
	return out
}

func (g *group) pick() member { return g.members[g.rnd.IntN(len(g.members))] }
