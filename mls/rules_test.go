package mls

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each test here breaks one rule and nothing else, and expects the refusal to
// name it: from a member, and from a server that has no secrets.

// forge signs a commit as c would, without any of the checks.
func (r *room) forge(c *client, path *updatePath, proposals ...proposalOrRef) []byte {
	r.t.Helper()
	ac := c.frame(ContentCommit, FormatPublicMessage, nil)
	ac.content.commit = &commit{proposals: proposals, path: path}
	return r.sealForged(c, ac)
}

func (r *room) sealForged(c *client, ac *authenticatedContent) []byte {
	r.t.Helper()
	p := c.public
	if err := ac.sign(p.s, c.Group.signer, p.encoded); err != nil {
		r.t.Fatal(err)
	}
	if ac.content.contentType == ContentCommit {
		ac.auth.confirmationTag = make([]byte, p.s.nh)
	}
	return marshal(&Message{Format: FormatPublicMessage, public: protectPublic(p.s, ac, c.epoch.membership, p.encoded)})
}

// refused checks that everyone but the sender refuses the message for breaking
// this rule, and is none the worse for it.
func (r *room) refused(message []byte, section, rule string) {
	r.t.Helper()
	judges := map[string]func(*Message, time.Time) (Event, error){"server": r.server.Process}
	m := mustParse(r.t, message)
	for _, c := range r.clients {
		if s, ok := m.Sender(); !ok || s.Type != SenderMember || s.leaf() != c.Own() {
			judges[string(c.signer.Credential.Identity)] = c.Process
		}
	}
	for name, process := range judges {
		e, err := process(mustParse(r.t, message), now)
		broken, ok := errors.AsType[*InvalidError](err)
		if e != nil || !ok || broken.Section != section || !strings.Contains(broken.Rule, rule) {
			r.t.Errorf("%s: got %v, want a refusal by Section %s: %s", name, err, section, rule)
		}
	}
}

func inline(proposals ...Proposal) []proposalOrRef {
	var out []proposalOrRef
	for _, p := range proposals {
		out = append(out, proposalOrRef{proposal: p})
	}
	return out
}

// pendingRefs gives references to all that is pending.
func (r *room) pendingRefs() []proposalOrRef {
	var out []proposalOrRef
	for _, v := range r.server.Pending() {
		out = append(out, proposalOrRef{ref: v.Ref})
	}
	return out
}

const (
	appDataSection    = "draft-ietf-mls-extensions AppDataUpdate"
	selfRemoveSection = "draft-ietf-mls-extensions SelfRemove"
)

func TestInvalidProposalListsAreRefused(t *testing.T) {
	psk := func(nonce int) *PreSharedKey {
		return &PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("x"), Nonce: make([]byte, nonce)}}
	}
	app := func(s string) *AppDataUpdate { return &AppDataUpdate{Component: testComponent, Update: []byte(s)} }
	dropApp := &AppDataUpdate{Component: testComponent, Removes: true}
	context := func(e ...Extension) *GroupContextExtensions { return &GroupContextExtensions{e} }
	required := RequiredCapabilities{Extensions: []ExtensionType{ExtensionAppDataDictionary},
		Proposals: []ProposalType{ProposalAppDataUpdate, ProposalSelfRemove}}
	// The committer is leaf 0, in a room of four.
	tests := []struct {
		name          string
		list          func(r *room) []proposalOrRef
		section, rule string
	}{
		{"remove of a blank leaf", func(*room) []proposalOrRef { return inline(&Remove{Removed: 9}) }, "12.1.3", "blank"},
		{"remove of an absurd leaf", func(*room) []proposalOrRef { return inline(&Remove{Removed: 1<<32 - 1}) }, "12.1.3", "blank"},
		{"remove of the committer", func(*room) []proposalOrRef { return inline(&Remove{}) }, "12.2", "remove of the committer"},
		{"update inside a commit", func(r *room) []proposalOrRef {
			return inline(&Update{Leaf: r.clients[1].Member(0)})
		}, "12.2", "update by the committer"},
		{"own update by reference", func(r *room) []proposalOrRef {
			r.propose(r.clients[0].Propose(&Update{}, nil))
			return r.pendingRefs()
		}, "12.2", "update by the committer"},
		{"two removes of a leaf", func(*room) []proposalOrRef { return inline(&Remove{Removed: 2}, &Remove{Removed: 2}) }, "12.2", "for leaf 2"},
		{"update and remove of a leaf", func(r *room) []proposalOrRef {
			r.propose(r.clients[1].Propose(&Update{}, nil))
			return append(r.pendingRefs(), inline(&Remove{Removed: 1})...)
		}, "12.2", "for leaf 1"},
		{"two updates of a leaf", func(r *room) []proposalOrRef {
			r.propose(r.clients[1].Propose(&Update{}, nil))
			r.propose(r.clients[1].Propose(&Update{}, nil))
			return r.pendingRefs()
		}, "12.2", "for leaf 1"},
		{"one client added twice", func(r *room) []proposalOrRef {
			kp := r.newClient().kp
			return inline(&Add{kp}, &Add{kp})
		}, "12.2", "added twice"},
		{"a member added again", func(r *room) []proposalOrRef {
			kp, _, err := NewKeyPackage(r.suite, r.clients[3].signer, KeyPackageOptions{Lifetime: always()})
			if err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{kp})
		}, "7.3", "have the same signature key"},
		{"one PSK twice", func(*room) []proposalOrRef { return inline(psk(32), psk(32)) }, "12.2", "same PSK"},
		{"short PSK nonce", func(*room) []proposalOrRef { return inline(psk(31)) }, "12.1.4", "nonce"},
		{"PSK of a branch", func(*room) []proposalOrRef {
			return inline(&PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: ResumptionBranch, Nonce: make([]byte, 32)}})
		}, "12.1.4", "branch"},
		{"PSK of an unknown usage", func(*room) []proposalOrRef {
			return inline(&PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: 9, Nonce: make([]byte, 32)}})
		}, "8.4", "usage"},
		{"two group context extensions", func(*room) []proposalOrRef { return inline(context(), context()) }, "12.2", "more than one group context"},
		{"reinit beside another", func(r *room) []proposalOrRef {
			return inline(&Remove{Removed: 1}, &ReInit{Version: 1, CipherSuite: r.suite})
		}, "12.2", "reinit together"},
		{"another beside reinit", func(r *room) []proposalOrRef {
			return inline(&ReInit{Version: 1, CipherSuite: r.suite}, &Remove{Removed: 1})
		}, "12.2", "reinit together"},
		{"reinit to an older version", func(r *room) []proposalOrRef { return inline(&ReInit{CipherSuite: r.suite}) }, "12.1.5", "older"},
		{"external init", func(*room) []proposalOrRef { return inline(&ExternalInit{}) }, "12.2", "external init in a member"},
		{"self remove inside a commit", func(*room) []proposalOrRef { return inline(&SelfRemove{}) }, selfRemoveSection, "committer"},
		{"self remove and remove of a leaf", func(r *room) []proposalOrRef {
			r.propose(r.clients[1].Propose(&SelfRemove{}, nil))
			return append(r.pendingRefs(), inline(&Remove{Removed: 1})...)
		}, "12.2", "for leaf 1"},
		{"unknown reference", func(*room) []proposalOrRef { return []proposalOrRef{{ref: make([]byte, 32)}} }, "12.4", "not pending"},
		{"key package of another suite", func(r *room) []proposalOrRef {
			kp, _, err := NewKeyPackage(P256AES128, newSigner(r.t, P256AES128, "x"), KeyPackageOptions{Lifetime: always()})
			if err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{kp})
		}, "10.1", "another cipher suite"},
		{"key package with a false signature", func(r *room) []proposalOrRef {
			kp := *r.newClient().kp
			kp.Extensions = Extensions{{Type: 0xff00}}
			return inline(&Add{&kp})
		}, "10.1", "signature"},
		{"key package whose leaf has a false signature", func(r *room) []proposalOrRef {
			c := r.newClient()
			leaf := *c.kp.Leaf
			leaf.Lifetime.NotBefore++
			kp := *c.kp
			kp.Leaf = &leaf
			if err := kp.sign(r.server.s, c.signer.Private); err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{&kp})
		}, "7.3", "leaf node signature"},
		{"key package with one key for both ends", func(r *room) []proposalOrRef {
			c := r.newClient()
			kp := *c.kp
			kp.InitKey = kp.Leaf.EncryptionKey
			if err := kp.sign(r.server.s, c.signer.Private); err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{&kp})
		}, "10.1", "same"},
		{"key package that has expired", func(r *room) []proposalOrRef {
			kp, _, err := NewKeyPackage(r.suite, newSigner(r.t, r.suite, "x"), KeyPackageOptions{Lifetime: Lifetime{NotAfter: uint64(now.Unix()) - 1}})
			if err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{kp})
		}, "7.3", "lifetime"},
		{"key package of days to come", func(r *room) []proposalOrRef {
			kp, _, err := NewKeyPackage(r.suite, newSigner(r.t, r.suite, "x"), KeyPackageOptions{Lifetime: Lifetime{NotBefore: uint64(now.Unix()) + 1, NotAfter: 1<<64 - 1}})
			if err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{kp})
		}, "7.3", "lifetime"},
		{"new member without a required capability", func(r *room) []proposalOrRef {
			caps := DefaultCapabilities()
			caps.Proposals = []ProposalType{ProposalAppDataUpdate}
			kp, _, err := NewKeyPackage(r.suite, newSigner(r.t, r.suite, "x"), KeyPackageOptions{Lifetime: always(), Capabilities: caps})
			if err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{kp})
		}, "7.3", "required proposal"},
		{"new member with a credential that others do not know", func(r *room) []proposalOrRef {
			caps := DefaultCapabilities()
			caps.Credentials = append(caps.Credentials, 0xFAFA)
			signer := newSigner(r.t, r.suite, "x")
			signer.Credential.Type = 0xFAFA
			kp, _, err := NewKeyPackage(r.suite, signer, KeyPackageOptions{Lifetime: always(), Capabilities: caps})
			if err != nil {
				r.t.Fatal(err)
			}
			return inline(&Add{kp})
		}, "7.3", "is not supported by all members"},
		{"extensions that members do not support", func(*room) []proposalOrRef {
			return inline(context(required.Extension(), Extension{Type: 0xF000}))
		}, "12.4", "no path"}, // and with a path: see TestExtensionsBindAllMembers
		{"dictionary changed by group context extensions", func(*room) []proposalOrRef {
			return inline(context(required.Extension(), AppData{testComponent: nil}.Extension()))
		}, appDataSection, "dictionary"},
		{"component removed that is not there", func(*room) []proposalOrRef { return inline(dropApp) }, appDataSection, "no state"},
		{"component removed and updated", func(*room) []proposalOrRef { return inline(app("x"), dropApp) }, appDataSection, "beside"},
		{"component updated and removed", func(*room) []proposalOrRef { return inline(dropApp, app("x")) }, appDataSection, "beside"},
		{"component removed twice", func(*room) []proposalOrRef { return inline(dropApp, dropApp) }, appDataSection, "beside"},
		{"no proposals and no path", func(*room) []proposalOrRef { return nil }, "12.4", "no path"},
		{"remove without a path", func(*room) []proposalOrRef { return inline(&Remove{Removed: 1}) }, "12.4", "no path"},
		{"update without a path", func(r *room) []proposalOrRef {
			r.propose(r.clients[1].Propose(&Update{}, nil))
			return r.pendingRefs()
		}, "12.4", "no path"},
		{"self remove without a path", func(r *room) []proposalOrRef {
			r.propose(r.clients[1].Propose(&SelfRemove{}, nil))
			return r.pendingRefs()
		}, "12.4", "no path"},
		{"group context extensions without a path", func(*room) []proposalOrRef { return inline(context(required.Extension())) }, "12.4", "no path"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRoom(t, X25519AES128, 4, Config{})
			r.refused(r.forge(r.clients[0], nil, test.list(r)...), test.section, test.rule)
		})
	}
}

func TestOwnInvalidCommitsAreNotSent(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	for _, p := range []Proposal{&Remove{Removed: 0}, &Remove{Removed: 7}, &SelfRemove{}, &ExternalInit{}, &Update{Leaf: r.clients[0].Member(0)},
		&AppDataUpdate{Component: 0x8002, Update: []byte("x")}, &AppDataUpdate{Component: testComponent, Update: []byte("bad")}} {
		if st, err := r.clients[0].Commit(CommitOptions{Proposals: []Proposal{p}}, now); err == nil || st != nil {
			t.Errorf("%T is committed", p)
		}
	}
	r.agree()
}

func TestExtensionsBindAllMembers(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	for _, ext := range []Extensions{
		{{Type: 0xF000}},
		{RequiredCapabilities{Proposals: []ProposalType{0xF000}}.Extension()},
		{RequiredCapabilities{Extensions: []ExtensionType{0xF000}}.Extension()},
		{RequiredCapabilities{Credentials: []CredentialType{0xF000}}.Extension()},
		{{Type: ExtensionRequiredCapabilities, Data: []byte{9}}},
		{{Type: ExtensionExternalSenders, Data: []byte{9}}},
	} {
		if _, err := r.clients[1].Commit(CommitOptions{Proposals: []Proposal{&GroupContextExtensions{ext}}}, now); err == nil {
			t.Errorf("extension %d is accepted", ext[0].Type)
		}
	}
}

func TestProposalTypesBindTheMembersThatProcessThem(t *testing.T) {
	// A group that requires nothing, with one member that knows no SelfRemove.
	suite := X25519AES128
	a := newSigner(t, suite, "a")
	g, err := Create(Config{Rules: lastWins{}}, []byte("g"), suite, a, Capabilities{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	caps := DefaultCapabilities()
	caps.Proposals = nil
	kp, _, err := NewKeyPackage(suite, newSigner(t, suite, "b"), KeyPackageOptions{Lifetime: always(), Capabilities: caps})
	if err != nil {
		t.Fatal(err)
	}
	update := &AppDataUpdate{Component: testComponent, Update: []byte("x")}
	st, err := g.Commit(CommitOptions{Proposals: []Proposal{&Add{kp}, update}}, now)
	if err != nil {
		t.Fatalf("one who is being added need not support the proposal: %v", err)
	}
	if err := g.Merge(st); err != nil {
		t.Fatal(err)
	}
	_, err = g.Commit(CommitOptions{Proposals: []Proposal{update}}, now)
	if e, ok := errors.AsType[*InvalidError](err); !ok || e.Section != "12.2" {
		t.Errorf("got %v", err)
	}
	if _, err := g.Commit(CommitOptions{Proposals: []Proposal{update, &Remove{Removed: 1}}}, now); err != nil {
		t.Errorf("one who is being removed need not support the proposal: %v", err)
	}
}

// twisted makes a valid empty commit of c, changes its path, and signs it again.
func (r *room) twisted(c *client, resign bool, twist func(p *updatePath)) []byte {
	r.t.Helper()
	st, err := c.Commit(CommitOptions{}, now)
	if err != nil {
		r.t.Fatal(err)
	}
	path := mustParse(r.t, st.Message()).public.content.commit.path
	twist(path)
	if resign {
		if err := path.leaf.sign(r.server.s, c.Group.signer, r.server.ctx.GroupID, c.Own()); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.forge(c, path)
}

func TestInvalidPathsAreRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 5, Config{})
	for _, c := range r.clients {
		r.commit(c, CommitOptions{})
	}
	c, other := r.clients[1], r.server.Member(3)
	tests := []struct {
		name          string
		resign        bool
		twist         func(p *updatePath)
		section, rule string
	}{
		{"leaf from a key package", true, func(p *updatePath) { p.leaf.Source = LeafFromKeyPackage }, "12.4.2", "source"},
		{"leaf from an update", true, func(p *updatePath) { p.leaf.Source = LeafFromUpdate }, "12.4.2", "source"},
		{"leaf with a false signature", false, func(p *updatePath) { p.leaf.Extensions = Extensions{{Type: 1}} }, "7.3", "leaf node signature"},
		{"leaf without a required capability", true, func(p *updatePath) { p.leaf.Capabilities.Proposals = nil }, "7.3", "does not support required proposal"},
		{"leaf with an extension it does not list", true, func(p *updatePath) { p.leaf.Extensions = Extensions{{Type: 0xF000}} }, "7.3", "its own extension"},
		{"leaf without the suite", true, func(p *updatePath) { p.leaf.Capabilities.CipherSuites = nil }, "7.2", "suite"},
		{"leaf without the version", true, func(p *updatePath) { p.leaf.Capabilities.Versions = nil }, "7.2", "version"},
		{"leaf that drops a credential type in use", true, func(p *updatePath) {
			p.leaf.Capabilities.Credentials = []CredentialType{CredentialDevice}
			p.leaf.Credential.Type = CredentialDevice
		}, "7.3", "is not supported by all members"},
		{"old encryption key", true, func(p *updatePath) { p.leaf.EncryptionKey = r.server.Member(c.Own()).EncryptionKey }, "12.4.2", "encryption key"},
		{"another's encryption key", true, func(p *updatePath) { p.leaf.EncryptionKey = other.EncryptionKey }, "12.4.2", "encryption key"},
		{"another's signature key", false, func(p *updatePath) {
			p.leaf.SignatureKey = other.SignatureKey
			if err := p.leaf.sign(r.server.s, r.clients[3].signer.Private, r.server.ctx.GroupID, c.Own()); err != nil {
				t.Fatal(err)
			}
		}, "7.3", "update path has the signature key"},
		{"false parent hash", true, func(p *updatePath) { p.leaf.ParentHash = make([]byte, 32) }, "7.9.2", "parent hash of the update path"},
		{"a key of the tree", true, func(p *updatePath) { p.nodes[0].encryptionKey = other.EncryptionKey }, "12.4.2", "encryption key"},
		{"a key twice", true, func(p *updatePath) { p.nodes[0].encryptionKey = p.nodes[1].encryptionKey }, "7.3", "twice"},
		{"no key", true, func(p *updatePath) { p.nodes[0].encryptionKey = []byte("short") }, "7.3", "encryption key is not a key"},
		{"too few nodes", true, func(p *updatePath) { p.nodes = p.nodes[1:] }, "7.5", "nodes"},
		{"too many nodes", true, func(p *updatePath) { p.nodes = append(p.nodes, p.nodes[0]) }, "7.5", "nodes"},
		{"too few ciphertexts", true, func(p *updatePath) { p.nodes[0].secrets = nil }, "7.6", "ciphertexts"},
		{"too many ciphertexts", true, func(p *updatePath) { p.nodes[0].secrets = append(p.nodes[0].secrets, hpkeCiphertext{}) }, "7.6", "ciphertexts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.refused(r.twisted(c, test.resign, test.twist), test.section, test.rule)
		})
	}
	r.agree()
}

// A committer can always make a commit that some cannot open: they notice, and
// stay where they are.
func TestCommitWithWrongSecretsIsRefusedByThoseItCheats(t *testing.T) {
	r := newRoom(t, MLKEM768P256AES256, 3, Config{})
	st, err := r.clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	path := mustParse(t, st.Message()).public.content.commit.path
	for _, n := range path.nodes {
		for _, ct := range n.secrets {
			ct.ciphertext[0] ^= 1
		}
	}
	message := r.forge(r.clients[0], path)
	for _, c := range r.clients[1:] {
		if _, err := c.Process(mustParse(t, message), now); !errors.Is(err, ErrCannotDecrypt) {
			t.Errorf("got %v, want %v", err, ErrCannotDecrypt)
		}
	}
	r.agree()
}

func TestFalseConfirmationTagIsRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	message := r.twisted(r.clients[0], false, func(*updatePath) {}) // its tag is all zero
	_, err := r.clients[1].Process(mustParse(t, message), now)
	if e, ok := errors.AsType[*InvalidError](err); !ok || e.Section != "6.1" {
		t.Errorf("got %v", err)
	}
	r.agree()
}

func TestMessagesThatAreNotWhatTheyClaimAreRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{})
	c := r.clients[1]
	proposal := func(twist func(ac *authenticatedContent)) []byte {
		ac := c.frame(ContentProposal, FormatPublicMessage, nil)
		ac.content.proposal = &Remove{Removed: 2}
		twist(ac)
		return r.sealForged(c, ac)
	}
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.sender.Index = 3 }), "6.1", "signature")
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.sender.Index = 77 }), "6.1", "blank")
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.contentType = ContentApplication }), "6.2", "application data")
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.sender = Sender{Type: SenderExternal, Index: 5} }), "12.1.8.1", "external sender 5")
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.sender = Sender{Type: SenderExternal} }), "6.1", "signature")
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.sender = Sender{Type: SenderNewMemberProposal} }), "12.1.8", "to be added")
	r.refused(proposal(func(ac *authenticatedContent) { ac.content.sender = Sender{Type: SenderNewMemberCommit} }), "12.4.3.2", "commit with a path")
	r.refused(proposal(func(ac *authenticatedContent) {
		ac.content.sender, ac.content.contentType = Sender{Type: SenderExternal}, ContentCommit
		ac.content.commit = &commit{}
	}), "6", "external sender")

	for _, twist := range []func(*framedContent){
		func(c *framedContent) { c.groupID = []byte("another") },
		func(c *framedContent) { c.epoch++ },
		func(c *framedContent) { c.epoch-- },
	} {
		message := proposal(func(ac *authenticatedContent) { twist(ac.content) })
		_, err := r.clients[0].Process(mustParse(t, message), now)
		_, epoch := errors.AsType[*EpochError](err)
		if !epoch && !errors.Is(err, ErrNotForGroup) {
			t.Errorf("got %v", err)
		}
	}
	// A false membership tag shows to members alone.
	m := mustParse(t, proposal(func(*authenticatedContent) {}))
	m.public.membershipTag = slices.Clone(m.public.membershipTag)
	m.public.membershipTag[0] ^= 1
	_, err := r.clients[0].Process(m, now)
	wantRefusal(t, err, "6.2", "membership tag")
	r.agree()
}

func TestSelfRemoveIsPublicAndOnceAnEpoch(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	c := r.clients[1]
	ac := c.frame(ContentProposal, FormatPrivateMessage, nil)
	ac.content.proposal = &SelfRemove{}
	if err := ac.sign(r.server.s, c.Group.signer, c.public.encoded); err != nil {
		t.Fatal(err)
	}
	m, err := protectPrivate(r.server.s, ac, c.messages, c.epoch.senderData, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.clients[0].Process(&Message{Format: FormatPrivateMessage, private: m}, now)
	wantRefusal(t, err, selfRemoveSection, "outside a public message")
	r.propose(c.Propose(&SelfRemove{}, nil))
	if _, err := c.Propose(&SelfRemove{}, []byte("again")); err == nil {
		t.Error("a second self remove is made")
	}
	ac = c.frame(ContentProposal, FormatPublicMessage, []byte("again"))
	ac.content.proposal = &SelfRemove{}
	r.refused(r.sealForged(c, ac), selfRemoveSection, "second")
}

func TestStrictPendingRefusesOmissions(t *testing.T) {
	r := newRoom(t, X25519AES128, 5, Config{StrictPending: true})
	st, err := r.clients[0].Commit(CommitOptions{}, now) // before the proposals come
	if err != nil {
		t.Fatal(err)
	}
	early, err := r.clients[2].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.propose(r.externalProposal(&Remove{Removed: 2}))
	r.refused(st.Message(), "12.4", "leaves out")
	r.refused(early.Message(), "12.4", "whose removal is pending")
	// What cannot stand beside the removal may stay out.
	r.propose(r.clients[2].Propose(&SelfRemove{}, nil))
	r.propose(r.clients[2].Propose(&Update{}, nil))
	r.commit(r.clients[1], CommitOptions{})
	r.agree()
}

// policy is lastWins with a verdict of its own.
type policy struct {
	lastWins
	commit   func(*CommitView) error
	proposal func(*ProposalView) error
}

func (p *policy) Commit(c *CommitView) error {
	if p.commit == nil {
		return nil
	}
	return p.commit(c)
}

func (p *policy) Proposal(v *ProposalView) error {
	if p.proposal == nil {
		return nil
	}
	return p.proposal(v)
}

func TestRulesJudgeWhatIsSentAndWhatIsReceived(t *testing.T) {
	rules := &policy{}
	r := newRoom(t, X25519AES128, 3, Config{Rules: rules})
	st, err := r.clients[0].Commit(CommitOptions{AuthenticatedData: []byte("why"), Proposals: []Proposal{&Remove{Removed: 2}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	var seen []*CommitView
	rules.commit = func(c *CommitView) error { seen = append(seen, c); return errPolicy }
	rules.proposal = func(v *ProposalView) error { return errPolicy }
	for _, process := range []func(*Message, time.Time) (Event, error){r.server.Process, r.clients[1].Process, r.clients[2].Process} {
		if _, err := process(mustParse(t, st.Message()), now); !errors.Is(err, errPolicy) {
			t.Errorf("received: %v", err)
		}
	}
	if _, err := r.clients[1].Commit(CommitOptions{}, now); !errors.Is(err, errPolicy) {
		t.Errorf("sent: %v", err)
	}
	message, err := r.clients[1].Propose(&SelfRemove{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.server.Process(mustParse(t, message), now); !errors.Is(err, errPolicy) || len(r.server.Pending()) != 0 {
		t.Errorf("proposal: %v", err)
	}
	for _, v := range seen[:3] {
		if len(v.Removed) != 1 || v.Removed[0].Leaf != 2 || v.Removed[0].By.leaf() != 0 || !bytes.Equal(v.AuthenticatedData, []byte("why")) ||
			v.After.Epoch != v.Before.Epoch+1 || v.CommitterLeaf == nil || len(v.Updated) != 1 {
			t.Errorf("view %+v", v)
		}
		n := 0
		for range v.Members() {
			n++
		}
		if n != 2 {
			t.Errorf("view shows %d members after the commit, want 2", n)
		}
	}
}

func TestGroupInfoIsCheckedBeforeItIsServed(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	st, err := r.clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.server.Process(mustParse(t, st.Message()), now)
	if err != nil {
		t.Fatal(err)
	}
	for i, twist := range []func(gi *GroupInfo){
		func(gi *GroupInfo) { gi.Context.Epoch++ },
		func(gi *GroupInfo) { gi.ConfirmationTag = make([]byte, 32) },
		func(gi *GroupInfo) { gi.Signer = 1 },
		func(gi *GroupInfo) { gi.Extensions = nil },
		func(gi *GroupInfo) { gi.Extensions = Extensions{{ExtensionExternalPub, []byte{1, 1}}} },
		func(gi *GroupInfo) { gi.Signature = slices.Clone(gi.Signature); gi.Signature[0] ^= 1 },
	} {
		gi, err := st.GroupInfo()
		if err != nil {
			t.Fatal(err)
		}
		twist(gi)
		if i < 5 {
			if err := gi.sign(r.server.s, r.clients[0].signer.Private); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.(*StagedCommit).CheckGroupInfo(gi); err == nil {
			t.Errorf("case %d is accepted", i)
		}
	}
}

func TestGroupsAreBounded(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{MaxMembers: 3})
	if _, err := r.clients[0].Commit(CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}}}, now); err == nil {
		t.Error("a fourth member is added to a group of at most three")
	}
	gi, err := r.clients[0].GroupInfo(true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := JoinExternal(r.cfg, gi, nil, newSigner(t, r.suite, "x"), ExternalOptions{}, now); err == nil {
		t.Error("a fourth member joins a group of at most three")
	}
	if _, err := NewPublicGroup(Config{MaxMembers: 2}, gi, nil, now); err == nil {
		t.Error("a larger group is followed")
	}
}

// TestNewDemandsAreMadeOfOldMembers: whoever asks for something new can do it; the
// others have to be able to as well.
func TestNewDemandsAreMadeOfOldMembers(t *testing.T) {
	suite := X25519AES128
	caps := DefaultCapabilities()
	caps.Extensions = append(caps.Extensions, 0xF000)
	g, err := Create(Config{}, []byte("g"), suite, newSigner(t, suite, "a"), caps, nil)
	if err != nil {
		t.Fatal(err)
	}
	demand := &GroupContextExtensions{Extensions{{Type: 0xF000}}}
	kp, _, err := NewKeyPackage(suite, newSigner(t, suite, "b"), KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	st, err := g.Commit(CommitOptions{Proposals: []Proposal{&Add{kp}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Merge(st); err != nil {
		t.Fatal(err)
	}
	_, err = g.Commit(CommitOptions{Proposals: []Proposal{demand}}, now)
	wantRefusal(t, err, "13.4", "leaf does not support the group's extension")
	if _, err := g.Commit(CommitOptions{Proposals: []Proposal{demand, &Remove{Removed: 1}}}, now); err != nil {
		t.Errorf("once nobody is left who cannot: %v", err)
	}
}

// TestStagedCommitIsForTheEpochThatItWasStagedIn, and not for another of the same
// number, to which a group would have come by another commit.
func TestStagedCommitIsForTheEpochThatItWasStagedIn(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	other, err := NewPublicGroup(r.cfg, mustGroupInfo(t, r.clients[0].Group), r.server.Tree(), now)
	if err != nil {
		t.Fatal(err)
	}
	follow := func(p *PublicGroup, message []byte) *StagedCommit {
		t.Helper()
		e, err := p.Process(mustParse(t, message), now)
		if err != nil {
			t.Fatal(err)
		}
		return e.(*StagedCommit)
	}
	lost, err := r.clients[1].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Merge(follow(other, lost.Message())); err != nil {
		t.Fatal(err)
	}
	r.commit(r.clients[0], CommitOptions{})
	st, err := r.clients[0].Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if have, from := other.Context().Epoch, r.server.Context().Epoch; have != from {
		t.Fatalf("the epochs are %d and %d", have, from)
	}
	if err := other.Merge(follow(r.server, st.Message())); !errors.Is(err, ErrStale) {
		t.Errorf("merging into another history: %v", err)
	}
}
