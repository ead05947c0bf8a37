package mls

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// Each row here breaks one rule that the stories of the other files do not come
// across, and nothing else.

func TestMalformedMessagesAreRefused(t *testing.T) {
	d := &dummyTree{}
	body := func(kind byte, rest ...byte) []byte {
		// A PublicMessage of member 0 in group "" at epoch 0 with no data.
		b := []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, kind}
		return append(b, rest...)
	}
	badSource := func() []byte {
		l := *d.leafNode()
		l.Source = 9
		return append([]byte{0, 2}, marshal(&l)...)
	}
	tests := []struct {
		name          string
		message       []byte
		section, rule string
	}{
		{"nothing", nil, "2.1", "input ends early"},
		{"cut short", body(1, 5, 'h', 'e'), "2.1", "input ends early"},
		{"something after the end", append(body(1, 1, 'h', 0, 0), 0), "2.1", "bytes left over"},
		{"length in two octets that fits in one", body(1, 0x40, 1, 'h', 0, 0), "2.1.2", "shortest form"},
		{"length in four octets that fits in two", body(1, 0x80, 0, 0x3f, 0xff), "2.1.2", "shortest form"},
		{"length in eight octets", body(1, 0xc0, 0, 0, 0, 0, 0, 0, 1), "2.1.2", "reserved prefix"},
		{"presence octet of 2", body(3, 0, 2), "2.1.1", "presence octet"},
		{"protocol version 2", []byte{0, 2, 0, 1}, "6", "unknown protocol version"},
		{"wire format 99", []byte{0, 1, 0, 99}, "6", "unknown wire format"},
		{"sender type 5", []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}, "6", "unknown sender type"},
		{"content type 4", body(4), "6", "unknown content type"},
		{"private content type 4", []byte{0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0}, "6.3", "unknown content type"},
		{"proposal type 0x0b0b", body(2, 0x0b, 0x0b), "12.1", "unknown proposal type"},
		{"PSK type 9", body(2, 0, 4, 9), "8.4", "unknown PSK type"},
		{"proposal reference of kind 3", body(3, 1, 3), "12.4", "unknown kind of proposal reference"},
		{"leaf node source 9", body(2, badSource()...), "7.2", "unknown leaf node source"},
		{"app data update operation 3", body(2, 0, 8, 0x80, 1, 3), "draft-ietf-mls-extensions AppDataUpdate", "unknown app data update operation"},
		{"one extension twice", body(2, 0, 7, 6, 0xf0, 0, 0, 0xf0, 0, 0), "13.4", "stands twice"},
		{"sixty-five extensions", body(2, append([]byte{0, 7}, manyExtensions(65)...)...), "13.4", "more than 64 extensions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseMessage(test.message)
			wantRefusal(t, err, test.section, test.rule)
		})
	}
}

func manyExtensions(n int) []byte {
	var e Extensions
	for i := range n {
		e = append(e, Extension{Type: ExtensionType(0xf000 + i)})
	}
	return e.appendTo(nil)
}

func TestMalformedTreesAreRefused(t *testing.T) {
	d := &dummyTree{}
	leaf := node{leaf: d.leafNode()}.appendTo([]byte{1})
	parent := node{parent: &parentNode{encryptionKey: d.key()}}.appendTo([]byte{1})
	unsorted := node{parent: &parentNode{unmergedLeaves: []LeafIndex{2, 1}}}.appendTo([]byte{1})
	tests := []struct {
		name          string
		nodes         []byte
		section, rule string
	}{
		{"nothing", nil, "12.4.3.3", "tree is empty or ends with a blank"},
		{"a blank node at the end", append(bytes.Clone(leaf), 0), "12.4.3.3", "tree is empty or ends with a blank"},
		{"a parent in a leaf's place", parent, "12.4.3.3", "is of the wrong type"},
		{"a leaf in a parent's place", append(bytes.Clone(leaf), leaf...), "12.4.3.3", "is of the wrong type"},
		{"a node of type 3", []byte{1, 3}, "7.8", "unknown node type"},
		{"unmerged leaves out of order", append(bytes.Clone(leaf), unsorted...), "7.1", "not in increasing order"},
		{"more leaves than are read", append(make([]byte, 2*maxLeaves), leaf...), "12.4.3.3", "tree has more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseTree(appendVec(nil, test.nodes))
			wantRefusal(t, err, test.section, test.rule)
		})
	}
	s := mustSuite(t, X25519AES128)
	empty := emptyTree()
	wantRefusal(t, empty.verify(s, nil, empty.hash(s)), "12.4.3.1", "tree has no members")
}

func TestKeyPackagesThatBreakOneRuleAreRefused(t *testing.T) {
	tests := []struct {
		name          string
		twist         func(kp *KeyPackage)
		section, rule string
	}{
		{"another version", func(kp *KeyPackage) { kp.Version = 2 }, "10.1", "key package has protocol version"},
		{"a leaf of another source", func(kp *KeyPackage) { kp.Leaf.Source = LeafFromUpdate }, "10.1", "leaf node of a key package has source"},
		{"one key for both ends", func(kp *KeyPackage) { kp.InitKey = kp.Leaf.EncryptionKey }, "10.1", "are the same"},
		{"an init key that is none", func(kp *KeyPackage) { kp.InitKey = []byte("x") }, "7.3", "encryption key is not a key"},
		{"a leaf without the suite", func(kp *KeyPackage) { kp.Leaf.Capabilities.CipherSuites = nil }, "7.2", "does not list the group's cipher suite"},
		{"a leaf without the version", func(kp *KeyPackage) { kp.Leaf.Capabilities.Versions = nil }, "7.2", "does not list protocol version"},
		{"a leaf without its credential type", func(kp *KeyPackage) { kp.Leaf.Capabilities.Credentials = nil }, "7.2", "its own credential type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := mustSuite(t, X25519AES128)
			signer := newSigner(t, s.id, "a")
			kp, _, err := NewKeyPackage(s.id, signer, KeyPackageOptions{Lifetime: always()})
			if err != nil {
				t.Fatal(err)
			}
			test.twist(kp)
			if err := kp.Leaf.sign(s, signer.Private, nil, 0); err != nil {
				t.Fatal(err)
			}
			if err := kp.sign(s, signer.Private); err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, kp.Verify(now), test.section, test.rule)
		})
	}
	s := mustSuite(t, X25519AES128)
	kp, _, err := NewKeyPackage(s.id, newSigner(t, s.id, "a"), KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, kp.verify(mustSuite(t, P256AES128)), "10.1", "key package is for the suite")
	leaf := *kp.Leaf
	leaf.SignatureKey = []byte("x")
	wantRefusal(t, leaf.checkAlone(s), "7.3", "signature key is not a key")
	for _, c := range []struct {
		demands       RequiredCapabilities
		section, rule string
	}{
		{RequiredCapabilities{Extensions: []ExtensionType{0xF000}}, "7.3", "does not support required extension"},
		{RequiredCapabilities{Credentials: []CredentialType{0xF000}}, "7.3", "does not support required credential"},
	} {
		g := groupDemands{required: c.demands}
		wantRefusal(t, g.check(kp.Leaf), c.section, c.rule)
	}
}

// TestSendersKeepToTheirProposals asks about what other checks, before these,
// would catch in a whole message.
func TestSendersKeepToTheirProposals(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	c := r.clients[1]
	ac := c.frame(ContentProposal, FormatPublicMessage, nil)
	ac.content.proposal = &ExternalInit{}
	r.refused(r.sealForged(c, ac), "12.1.6", "external init outside")

	view := func(q Proposal, sender SenderType, byReference bool) *ProposalView {
		return &ProposalView{Proposal: q, Sender: Sender{Type: sender, Index: 1}, ByReference: byReference, format: FormatPublicMessage}
	}
	wantRefusal(t, view(&Remove{}, SenderNewMemberProposal, true).checkSender(), "12.1.8", "from a new member")
	wantRefusal(t, view(&Add{}, SenderNewMemberCommit, true).checkSender(), "12.4.3.2", "outside its commit")
	wantRefusal(t, view(&SelfRemove{}, SenderMember, false).checkSender(), selfRemoveSection, "self remove inside a commit")
	wantRefusal(t, r.server.checkUpdate(77, &Update{}, noTime), "12.1.2", "which is blank")

	wantRefusal(t, r.server.checkUnknownComponent(), appDataSection, "is not known here")
}

// checkUnknownComponent has a follower without rules judge an update.
func (p *PublicGroup) checkUnknownComponent() error {
	p.cfg.Rules = nil
	l := newProposalList(Sender{Type: SenderMember, Index: 1})
	if err := l.add(ProposalView{Proposal: &AppDataUpdate{Component: testComponent, Update: []byte("x")}, Sender: l.committer}); err != nil {
		return err
	}
	_, err := p.apply(l, p.Member(1))
	return err
}

func TestGroupWithoutExternalSendersHearsNone(t *testing.T) {
	suite := X25519AES128
	a, outside := newSigner(t, suite, "a"), newSigner(t, suite, "outside")
	g, err := Create(Config{}, []byte("g"), suite, a, Capabilities{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewExternalProposal(&Remove{}, ExternalGroup{GroupID: []byte("g"), CipherSuite: suite}, 0, outside.Private)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Process(mustParse(t, m), now)
	wantRefusal(t, err, "12.1.8", "group has no external senders")
}

func TestLastMemberIsNotRemoved(t *testing.T) {
	r := newRoom(t, X25519AES128, 1, Config{StrictPending: true})
	m, err := r.externalProposal(&Remove{Removed: 0})
	if err != nil {
		t.Fatal(err)
	}
	r.refused(m, "12.2", "removes the last member")
}

func TestGroupInfosThatBreakOneRuleAreRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	st, err := r.clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.server.Process(mustParse(t, st.Message()), now)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name          string
		resign        bool
		twist         func(gi *GroupInfo)
		section, rule string
	}{
		{"another epoch", true, func(gi *GroupInfo) { gi.Context.Epoch++ }, "12.4.3", "not of the epoch"},
		{"another tag", true, func(gi *GroupInfo) { gi.ConfirmationTag = make([]byte, 32) }, "12.4.3", "another confirmation tag"},
		{"another signer", true, func(gi *GroupInfo) { gi.Signer = 1 }, "12.4.3", "not signed by the committer"},
		{"no external key", true, func(gi *GroupInfo) { gi.Extensions = nil }, "12.4.3.2", "has no external_pub"},
		{"a false signature", false, func(gi *GroupInfo) { gi.Extensions = append(gi.Extensions, Extension{Type: 0xF123}) }, "12.4.3", "group info signature"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			gi, err := st.GroupInfo()
			if err != nil {
				t.Fatal(err)
			}
			test.twist(gi)
			if test.resign {
				if err := gi.sign(r.server.s, r.clients[0].signer.Private); err != nil {
					t.Fatal(err)
				}
			}
			wantRefusal(t, e.(*StagedCommit).CheckGroupInfo(gi), test.section, test.rule)
		})
	}
}

func TestWelcomesForOthersAreRefused(t *testing.T) {
	i := invite(t)
	other := *i.welcome.welcome
	other.suite = P256AES128
	_, err := Join(i.cfg, &Message{Format: FormatWelcome, welcome: &other}, i.kp, i.secrets, i.tree, now)
	wantRefusal(t, err, "12.4.3.1", "welcome and key package")

	// A group that continues another begins with its first commit.
	wantRefusal(t, i.room.clients[0].checkLink(PreSharedKeyID{}), "12.4.3.1", "welcome for reinit or branch")

	// The tree that goes with it holds another leaf than the key package's.
	p := i.room.server
	gs := &groupSecrets{}
	_, err = p.enter(gs, &GroupInfo{}, i.room.newClient().kp, i.secrets)
	wantRefusal(t, err, "12.4.3.1", "does not hold the key package's leaf")
}

func TestPrivateMessagesOfNobodyAreRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{PastEpochs: 1})
	a, reader := r.clients[0], r.clients[1]
	// a encrypts in the name of leaf 2, with that leaf's keys.
	asNobody := func(s *suite) *Message {
		ac := a.frame(ContentApplication, FormatPrivateMessage, nil)
		ac.content.sender.Index = 5
		ac.content.application = []byte("x")
		if err := a.sign(ac); err != nil {
			t.Fatal(err)
		}
		m, err := protectPrivate(s, ac, a.messages, a.epoch.senderData, nil)
		if err != nil {
			t.Fatal(err)
		}
		return &Message{Format: FormatPrivateMessage, private: m}
	}
	r.add(a, 1) // a tree of eight slots, with leaf 5 blank
	m := asNobody(r.server.s)
	_, err := reader.Process(m, now)
	wantRefusal(t, err, "6.3.2", "which is blank")
	r.commit(a, CommitOptions{})
	_, err = reader.Process(m, now)
	wantRefusal(t, err, "6.3.2", "which was blank")
}

func TestExternalCommitsArePublic(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	gi, err := r.clients[0].GroupInfo(true)
	if err != nil {
		t.Fatal(err)
	}
	st, err := JoinExternal(r.cfg, gi, nil, newSigner(t, r.suite, "x"), ExternalOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	ac := mustParse(t, st.Message()).public.authenticated()
	ac.format = FormatPrivateMessage
	_, err = r.server.receiveCommit(ac, now)
	wantRefusal(t, err, "12.4.3.2", "external commit outside")
}

func TestPathThatLeadsElsewhereIsRefused(t *testing.T) {
	g := newTreeGroup(t, suites[X25519AES128], 4)
	path := g.receivedPath(t)
	_, _, err := g.decryptPath(g.s, 77, g.secrets[3], 0, path, nil, nil)
	wantRefusal(t, err, "7.5", "does not reach leaf")
}

func TestMorePSKsThanTheirCountCanNameAreRefused(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	n := 1 << 16
	_, err := pskSecret(s, make([]PreSharedKeyID, n), make([]Secret, n))
	wantRefusal(t, err, "8.4", "PSKs")
}

func TestAppDataIsInOrder(t *testing.T) {
	entry := func(c ComponentID) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(c)), 0) }
	for _, list := range [][]byte{append(entry(2), entry(1)...), append(entry(2), entry(2)...)} {
		_, err := ParseAppData(appendVec(nil, list))
		wantRefusal(t, err, "draft-ietf-mls-extensions app_data_dictionary", "not in ascending order")
	}
}
