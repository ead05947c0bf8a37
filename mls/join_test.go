package mls

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// invitation is what a client needs to join, to be spoiled by a test.
type invitation struct {
	room    *room
	client  *client
	welcome *Message
	kp      *KeyPackage
	secrets *KeyPackageSecrets
	tree    []byte
	cfg     Config
}

func invite(t *testing.T) *invitation {
	r := newRoom(t, X25519AES128, 3, Config{})
	c := r.newClient()
	st := r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Add{c.kp}, &Add{r.newClient().kp}}})
	return &invitation{room: r, client: c, welcome: mustParse(t, st.Welcome()), kp: c.kp, secrets: c.secrets, tree: st.Tree(), cfg: r.cfg}
}

func TestSpoiledWelcomesAreRefused(t *testing.T) {
	spoil := map[string]func(i *invitation){
		"not a welcome": func(i *invitation) { i.welcome = mustParse(t, i.kp.Bytes()) },
		"no tree":       func(i *invitation) { i.tree = nil },
		"broken tree":   func(i *invitation) { i.tree = i.tree[:len(i.tree)-1] },
		"another tree":  func(i *invitation) { i.tree = newRoom(t, X25519AES128, 2, Config{}).server.Tree() },
		"for others":    func(i *invitation) { i.welcome.welcome.secrets = i.welcome.welcome.secrets[1:] },
		"another suite": func(i *invitation) { i.welcome.welcome.suite = P256AES128 },
		"changed group info": func(i *invitation) {
			b := slices.Clone(i.welcome.welcome.encryptedGroupInfo)
			b[3] ^= 1
			i.welcome.welcome.encryptedGroupInfo = b
		},
		"swapped secrets": func(i *invitation) {
			s := i.welcome.welcome.secrets
			s[0].secrets, s[1].secrets = s[1].secrets, s[0].secrets
		},
		"another client's keys": func(i *invitation) { i.secrets = i.room.newClient().secrets },
		"another encryption key": func(i *invitation) {
			s := *i.secrets
			s.Encryption = i.room.newClient().secrets.Encryption
			i.secrets = &s
		},
		"another signature key": func(i *invitation) {
			s := *i.secrets
			s.Signature = i.room.newClient().secrets.Signature
			i.secrets = &s
		},
		"a key package of an unknown suite": func(i *invitation) {
			kp := *i.kp
			kp.CipherSuite = 0xFFFF
			i.kp = &kp
		},
		"too many members": func(i *invitation) { i.cfg.MaxMembers = 3 },
	}
	for name, change := range spoil {
		t.Run(name, func(t *testing.T) {
			i := invite(t)
			change(i)
			if g, err := Join(i.cfg, i.welcome, i.kp, i.secrets, i.tree, now); err == nil || g != nil {
				t.Error("joined")
			}
		})
	}
	i := invite(t)
	if _, err := Join(i.cfg, i.welcome, i.kp, i.secrets, i.tree, now); err != nil {
		t.Errorf("the welcome as it was: %v", err)
	}
}

// sealedWelcome makes a Welcome for the client in which these secrets and this
// GroupInfo stand.
func (i *invitation) sealedWelcome(t *testing.T, change func(gs *groupSecrets, gi *GroupInfo)) *Message {
	t.Helper()
	s := i.room.server.s
	gs, err := i.welcome.welcome.open(s, i.kp, i.secrets)
	if err != nil {
		t.Fatal(err)
	}
	psk := Secret(s.zero())
	gi, err := i.welcome.welcome.groupInfo(s, gs.joiner, psk)
	if err != nil {
		t.Fatal(err)
	}
	change(gs, gi)
	if err := gi.sign(s, i.room.clients[0].signer.Private); err != nil {
		t.Fatal(err)
	}
	psks := make([]Secret, len(gs.psks))
	for j := range psks {
		psks[j] = Secret("psk")
	}
	if psk, err = pskSecret(s, gs.psks, psks); err != nil {
		t.Fatal(err)
	}
	key, nonce := s.welcomeKeyNonce(s.welcomeSecret(gs.joiner, psk))
	sealed, err := s.seal(nil, key, nonce, nil, marshal(gi))
	if err != nil {
		t.Fatal(err)
	}
	ct, err := s.encryptWithLabel(i.kp.InitKey, encryptContext("Welcome", sealed), gs.appendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := i.kp.Ref()
	if err != nil {
		t.Fatal(err)
	}
	return &Message{Format: FormatWelcome, welcome: &welcome{suite: s.id, encryptedGroupInfo: sealed,
		secrets: []encryptedGroupSecrets{{newMember: ref, secrets: ct}}}}
}

func TestWelcomesFromALyingMemberAreRefused(t *testing.T) {
	branch := func(nonce byte) PreSharedKeyID {
		return PreSharedKeyID{Type: PSKResumption, Usage: ResumptionBranch, GroupID: []byte("old"), Nonce: bytes.Repeat([]byte{nonce}, 32)}
	}
	lies := []struct {
		name, section, rule string
		lie                 func(gs *groupSecrets, gi *GroupInfo)
	}{
		{"another confirmation tag", "6.1", "confirmation tag", func(_ *groupSecrets, gi *GroupInfo) { gi.ConfirmationTag = make([]byte, 32) }},
		{"another transcript", "6.1", "confirmation tag", func(_ *groupSecrets, gi *GroupInfo) { gi.Context.ConfirmedTranscriptHash = make([]byte, 32) }},
		{"another epoch", "6.1", "confirmation tag", func(_ *groupSecrets, gi *GroupInfo) { gi.Context.Epoch++ }},
		{"another suite", "12.4.3.1", "group info and key package", func(_ *groupSecrets, gi *GroupInfo) { gi.Context.CipherSuite = X25519ChaCha20 }},
		{"another version", "8.1", "group is of protocol version", func(_ *groupSecrets, gi *GroupInfo) { gi.Context.Version = 2 }},
		{"another signer", "12.4.3", "group info signature", func(_ *groupSecrets, gi *GroupInfo) { gi.Signer = 1 }},
		{"a blank signer", "12.4.3.1", "group info is signed by leaf 40", func(_ *groupSecrets, gi *GroupInfo) { gi.Signer = 40 }},
		{"an extension that nobody supports", "13.4", "does not support the group's extension", func(_ *groupSecrets, gi *GroupInfo) {
			gi.Context.Extensions = append(gi.Context.Extensions, Extension{Type: 0xF000})
		}},
		{"another path secret", "7.5", "does not give the public key", func(gs *groupSecrets, _ *GroupInfo) { gs.pathSecret = make(Secret, 32) }},
		{"a short path secret", "7.4", "path secret has", func(gs *groupSecrets, _ *GroupInfo) { gs.pathSecret = make(Secret, 31) }},
		{"a PSK with a bad nonce", "12.1.4", "psk_nonce has", func(gs *groupSecrets, _ *GroupInfo) { gs.psks = []PreSharedKeyID{{Type: PSKExternal}} }},
		{"two branches", "12.4.3.1", "welcome with more than one PSK", func(gs *groupSecrets, _ *GroupInfo) { gs.psks = []PreSharedKeyID{branch(1), branch(2)} }},
	}
	for _, test := range lies {
		t.Run(test.name, func(t *testing.T) {
			i := invite(t)
			// Of the PSKs, those of old groups are known to this client.
			i.cfg.PSK = func(id PreSharedKeyID) (Secret, bool) { return Secret("psk"), id.Type == PSKResumption }
			i.cfg.Successor = func(PreSharedKeyID, *Group) error { return nil }
			_, err := Join(i.cfg, i.sealedWelcome(t, test.lie), i.kp, i.secrets, i.tree, now)
			wantRefusal(t, err, test.section, test.rule)
		})
	}
	i := invite(t)
	unknown := i.sealedWelcome(t, func(gs *groupSecrets, _ *GroupInfo) {
		gs.psks = []PreSharedKeyID{{Type: PSKExternal, Nonce: make([]byte, 32)}}
	})
	_, err := Join(i.cfg, unknown, i.kp, i.secrets, i.tree, now)
	if _, ok := errors.AsType[*UnknownPSKError](err); !ok {
		t.Errorf("a PSK that is not known: %v", err)
	}
	if _, err := Join(i.cfg, i.sealedWelcome(t, func(*groupSecrets, *GroupInfo) {}), i.kp, i.secrets, i.tree, now); err != nil {
		t.Errorf("without a lie: %v", err)
	}
}

func TestInvalidUpdatesAreRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	c := r.clients[1]
	update := func(resign bool, twist func(l *LeafNode)) []byte {
		u, err := c.freshUpdate()
		if err != nil {
			t.Fatal(err)
		}
		twist(u.Leaf)
		if resign {
			if err := u.Leaf.sign(r.server.s, c.Group.signer, r.server.ctx.GroupID, c.Own()); err != nil {
				t.Fatal(err)
			}
		}
		ac := c.frame(ContentProposal, FormatPublicMessage, nil)
		ac.content.proposal = u
		return r.sealForged(c, ac)
	}
	r.refused(update(true, func(l *LeafNode) { l.Source = LeafFromCommit }), "7.3", "leaf node of an update has source")
	r.refused(update(true, func(l *LeafNode) { l.EncryptionKey = r.server.Member(c.Own()).EncryptionKey }), "7.3", "keeps the encryption key")
	r.refused(update(false, func(l *LeafNode) { l.Extensions = Extensions{{Type: 1}} }), "7.3", "leaf node signature")
	r.refused(update(true, func(l *LeafNode) { l.EncryptionKey = []byte("x") }), "7.3", "encryption key is not a key")
	r.refused(update(true, func(l *LeafNode) { l.Capabilities.Credentials = nil }), "7.2", "credential")
}

func TestExternalJoinNeedsWhatItNeeds(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	signer := newSigner(t, r.suite, "x")
	join := func(o ExternalOptions, twist func(gi *GroupInfo)) error {
		gi, err := r.clients[0].GroupInfo(true)
		if err != nil {
			t.Fatal(err)
		}
		twist(gi)
		if err := gi.sign(r.server.s, r.clients[0].signer.Private); err != nil {
			t.Fatal(err)
		}
		_, err = JoinExternal(r.cfg, gi, nil, signer, o, now)
		return err
	}
	same := func(*GroupInfo) {}
	blank, unknown := LeafIndex(9), PreSharedKeyID{Type: PSKExternal, Nonce: make([]byte, 32)}
	remove, err := r.clients[1].Propose(&Remove{Removed: 0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"no external_pub":              join(ExternalOptions{}, func(gi *GroupInfo) { gi.Extensions = gi.Extensions[1:] }),
		"broken external_pub":          join(ExternalOptions{}, func(gi *GroupInfo) { gi.Extensions[0].Data = []byte{1, 1} }),
		"resync of a blank leaf":       join(ExternalOptions{Resync: &blank}, same),
		"an unknown PSK":               join(ExternalOptions{Proposals: []Proposal{&PreSharedKey{unknown}}}, same),
		"a proposal that may not be":   join(ExternalOptions{Proposals: []Proposal{&Add{r.newClient().kp}}}, same),
		"a pending remove":             join(ExternalOptions{Pending: [][]byte{remove}}, same),
		"a pending something":          join(ExternalOptions{Pending: [][]byte{{1}}}, same),
		"lacking required capabilites": join(ExternalOptions{Capabilities: Capabilities{Versions: []uint16{1}, CipherSuites: Suites(), Credentials: []CredentialType{CredentialBasic}}}, same),
	} {
		if err == nil {
			t.Errorf("%s: joined", name)
		}
	}
	if err := join(ExternalOptions{}, same); err != nil {
		t.Error(err)
	}
	signer.Public = r.clients[0].signer.Public
	if err := join(ExternalOptions{}, same); err == nil {
		t.Error("joined with halves of two key pairs")
	}
}

func TestKeyPackageAndItsSecretsReadBack(t *testing.T) {
	for _, suite := range Suites() {
		signer := newSigner(t, suite, "x")
		kp, secrets, err := NewKeyPackage(suite, signer, KeyPackageOptions{Lifetime: always()})
		if err != nil {
			t.Fatalf("%v: %v", suite, err)
		}
		if err := kp.Verify(now); err != nil {
			t.Errorf("%v: %v", suite, err)
		}
		again, err := ParseKeyPackage(kp.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), kp.Bytes()) {
			t.Errorf("%v: key package reads back with %v", suite, err)
		}
		restored, err := ParseKeyPackageSecrets(secrets.Bytes())
		if err != nil || !restored.Init.Equal(secrets.Init) || !restored.Encryption.Equal(secrets.Encryption) || !restored.Signature.Equal(signer.Private) {
			t.Errorf("%v: secrets read back with %v", suite, err)
		}
	}
	if _, _, err := NewKeyPackage(0xFFFF, Signer{}, KeyPackageOptions{}); err == nil {
		t.Error("a key package of an unknown suite is made")
	}
	signer := newSigner(t, X25519AES128, "x")
	caps := DefaultCapabilities()
	caps.Credentials = []CredentialType{CredentialX509}
	if _, _, err := NewKeyPackage(X25519AES128, signer, KeyPackageOptions{Capabilities: caps}); err == nil {
		t.Error("a key package that does not list its own credential is made")
	}
	kp, _, err := NewKeyPackage(X25519AES128, signer, KeyPackageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := kp.Verify(now); err == nil {
		t.Error("a key package with no lifetime is valid")
	}
}

func TestGroupsCannotBeMadeOfNonsense(t *testing.T) {
	signer := newSigner(t, X25519AES128, "x")
	for _, ext := range []Extensions{
		{{Type: 0xF000}},
		{{Type: ExtensionExternalSenders, Data: []byte{9}}},
		{RequiredCapabilities{Proposals: []ProposalType{0xF000}}.Extension()},
	} {
		if _, err := Create(Config{}, []byte("g"), X25519AES128, signer, Capabilities{}, ext); err == nil {
			t.Errorf("a group with extension %d is made", ext[0].Type)
		}
	}
	g, err := Create(Config{}, []byte("g"), X25519AES128, signer, Capabilities{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 0, 1 << 16} {
		if _, err := g.Export("x", nil, n); err == nil {
			t.Errorf("%d octets are exported", n)
		}
	}
	if _, err := g.Commit(CommitOptions{Proposals: []Proposal{&AppDataUpdate{Component: 1, Update: nil}}}, now); err == nil {
		t.Error("a component that nobody knows is updated")
	}
	if _, err := g.Process(mustParse(t, mustGroupInfo(t, g).Bytes()), now); !errors.Is(err, ErrNotForGroup) {
		t.Errorf("processing a group info: %v", err)
	}
}

func mustGroupInfo(t *testing.T, g *Group) *GroupInfo {
	t.Helper()
	gi, err := g.GroupInfo(true)
	if err != nil {
		t.Fatal(err)
	}
	return gi
}
