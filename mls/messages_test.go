package mls

import (
	"bytes"
	"fmt"
	"testing"
)

func init() {
	vectorTests["messages"] = func(t *testing.T) {
		for i, v := range vectorCases[map[string]hexBytes](t, "messages") {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				for name, b := range v {
					checkRoundTrip(t, name, b)
				}
			})
		}
	}
}

func marshalMessage(b []byte) ([]byte, error) {
	m, err := ParseMessage(b)
	if err != nil {
		return nil, err
	}
	if m.public != nil {
		m.public.content.encoded = nil
	}
	return m.Bytes(), nil
}

// again parses and writes back.
func again[T marshaler](read func(*reader) T) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		v, err := parse(b, "vector", read)
		if err != nil {
			return nil, err
		}
		return v.appendTo(nil), nil
	}
}

func proposalBody(t ProposalType) func([]byte) ([]byte, error) {
	return again(func(r *reader) marshaler { return readProposalBody(r, t) })
}

var roundTrips = map[string]func([]byte) ([]byte, error){
	"mls_welcome":                marshalMessage,
	"mls_group_info":             marshalMessage,
	"mls_key_package":            marshalMessage,
	"public_message_application": marshalMessage,
	"public_message_proposal":    marshalMessage,
	"public_message_commit":      marshalMessage,
	"private_message":            marshalMessage,
	"group_secrets":              again(readGroupSecrets),
	"commit":                     again(readCommit),

	"add_proposal":                      proposalBody(ProposalAdd),
	"update_proposal":                   proposalBody(ProposalUpdate),
	"remove_proposal":                   proposalBody(ProposalRemove),
	"pre_shared_key_proposal":           proposalBody(ProposalPSK),
	"re_init_proposal":                  proposalBody(ProposalReInit),
	"external_init_proposal":            proposalBody(ProposalExternalInit),
	"group_context_extensions_proposal": proposalBody(ProposalGroupContextExtensions),

	"ratchet_tree": func(b []byte) ([]byte, error) {
		t, err := parseTree(b)
		if err != nil {
			return nil, err
		}
		return t.appendTo(nil), nil
	},
}

func checkRoundTrip(t *testing.T, name string, b []byte) {
	t.Helper()
	trip, ok := roundTrips[name]
	if !ok {
		t.Errorf("the vectors have a field %s that is not tested", name)
		return
	}
	got, err := trip(b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	wantBytes(t, name, got, b)
}

// Samples of each message, for the tests of decoders: well-formed, with keys and
// signatures that mean nothing.

func sampleLeaf() *LeafNode {
	return &LeafNode{EncryptionKey: []byte("encryption key"), SignatureKey: []byte("signature key"),
		Credential: Credential{Type: CredentialBasic, Identity: []byte("alice")},
		Capabilities: Capabilities{Versions: []uint16{1}, CipherSuites: []CipherSuite{DefaultSuite},
			Extensions: []ExtensionType{ExtensionAppDataDictionary}, Proposals: []ProposalType{ProposalSelfRemove},
			Credentials: []CredentialType{CredentialBasic, CredentialX509}},
		Source: LeafFromCommit, ParentHash: []byte("parent hash"),
		Extensions: Extensions{{ExtensionApplicationID, []byte("id")}}, Signature: []byte("signature")}
}

func sampleKeyPackage() *KeyPackage {
	leaf := sampleLeaf()
	leaf.Source, leaf.ParentHash, leaf.Lifetime = LeafFromKeyPackage, nil, Lifetime{1, 2}
	leaf.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{[]byte("leaf"), []byte("root")}}
	return &KeyPackage{Version: versionMLS10, CipherSuite: DefaultSuite, InitKey: []byte("init key"), Leaf: leaf, Signature: []byte("signature")}
}

func sampleProposals() []Proposal {
	update := sampleLeaf()
	update.Source, update.ParentHash = LeafFromUpdate, nil
	return []Proposal{
		&Add{sampleKeyPackage()},
		&Update{update},
		&Remove{7},
		&PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("id"), Nonce: []byte("nonce")}},
		&PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: ResumptionBranch, GroupID: []byte("group"), Epoch: 9, Nonce: []byte("nonce")}},
		&ReInit{GroupID: []byte("group"), Version: versionMLS10, CipherSuite: DefaultSuite},
		&ExternalInit{[]byte("kem output")},
		&GroupContextExtensions{Extensions{RequiredCapabilities{Extensions: []ExtensionType{6}}.Extension(), AppData{0x8001: []byte("state")}.Extension()}},
		&AppDataUpdate{Component: 0x8001, Update: []byte("update")},
		&AppDataUpdate{Component: 0x8001, Removes: true},
		&SelfRemove{},
	}
}

func sampleCommit() *commit {
	c := &commit{path: &updatePath{leaf: sampleLeaf(), nodes: []updatePathNode{
		{encryptionKey: []byte("key"), secrets: []hpkeCiphertext{{[]byte("kem"), []byte("ct")}, {nil, nil}}}, {}}}}
	for _, p := range sampleProposals() {
		c.proposals = append(c.proposals, proposalOrRef{proposal: p})
	}
	c.proposals = append(c.proposals, proposalOrRef{ref: []byte("reference")})
	return c
}

func sampleGroupSecrets() groupSecrets {
	return groupSecrets{joiner: Secret("joiner secret"), pathSecret: Secret("path secret"),
		psks: []PreSharedKeyID{{Type: PSKExternal, ID: []byte("id"), Nonce: []byte("nonce")}}}
}

func sampleMessages(t testing.TB) map[string][]byte {
	t.Helper()
	public := func(sender Sender, c *framedContent) *Message {
		c.groupID, c.epoch, c.sender, c.authenticatedData = []byte("group"), 5, sender, []byte("aad")
		m := &publicMessage{content: c, auth: contentAuth{signature: []byte("signature")}}
		if c.contentType == ContentCommit {
			m.auth.confirmationTag = []byte("tag")
		}
		if sender.Type == SenderMember {
			m.membershipTag = []byte("membership tag")
		}
		return &Message{Format: FormatPublicMessage, public: m}
	}
	ctx := GroupContext{Version: versionMLS10, CipherSuite: DefaultSuite, GroupID: []byte("group"), Epoch: 5,
		TreeHash: []byte("tree hash"), ConfirmedTranscriptHash: []byte("transcript"), Extensions: Extensions{{Type: 0x0a0a}}}
	out := map[string][]byte{}
	for name, m := range map[string]*Message{
		"application":  public(Sender{SenderMember, 1}, &framedContent{contentType: ContentApplication, application: []byte("data")}),
		"proposal":     public(Sender{SenderExternal, 2}, &framedContent{contentType: ContentProposal, proposal: &Remove{3}}),
		"self remove":  public(Sender{SenderMember, 2}, &framedContent{contentType: ContentProposal, proposal: &SelfRemove{}}),
		"external add": public(Sender{Type: SenderNewMemberProposal}, &framedContent{contentType: ContentProposal, proposal: &Add{sampleKeyPackage()}}),
		"commit":       public(Sender{SenderMember, 1}, &framedContent{contentType: ContentCommit, commit: sampleCommit()}),
		"join":         public(Sender{Type: SenderNewMemberCommit}, &framedContent{contentType: ContentCommit, commit: &commit{}}),
		"private": {Format: FormatPrivateMessage, private: &privateMessage{groupID: []byte("group"), epoch: 5, contentType: ContentCommit,
			authenticatedData: []byte("aad"), encryptedSenderData: []byte("sender data"), ciphertext: []byte("ciphertext")}},
		"welcome": {Format: FormatWelcome, welcome: &welcome{suite: DefaultSuite, encryptedGroupInfo: []byte("group info"),
			secrets: []encryptedGroupSecrets{{[]byte("reference"), hpkeCiphertext{[]byte("kem"), []byte("ct")}}}}},
		"group info":  {Format: FormatGroupInfo, groupInfo: &GroupInfo{Context: ctx, ConfirmationTag: []byte("tag"), Signer: 3, Signature: []byte("signature")}},
		"key package": {Format: FormatKeyPackage, keyPackage: sampleKeyPackage()},
	} {
		out[name] = m.Bytes()
	}
	return out
}

func TestEveryKindOfMessageRoundTrips(t *testing.T) {
	for name, b := range sampleMessages(t) {
		got, err := marshalMessage(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantBytes(t, name, got, b)
	}
}

func TestMessageSaysWhatItClaims(t *testing.T) {
	samples := sampleMessages(t)
	for _, c := range []struct {
		name    string
		framed  bool
		content ContentType
		sender  Sender
	}{
		{"application", true, ContentApplication, Sender{SenderMember, 1}},
		{"proposal", true, ContentProposal, Sender{SenderExternal, 2}},
		{"join", true, ContentCommit, Sender{Type: SenderNewMemberCommit}},
		{"private", true, ContentCommit, Sender{}},
		{"welcome", false, 0, Sender{}},
	} {
		m, err := ParseMessage(samples[c.name])
		if err != nil {
			t.Fatal(err)
		}
		id, epoch, content, ok := m.Group()
		if ok != c.framed || content != c.content || ok && (string(id) != "group" || epoch != 5) {
			t.Errorf("%s: group %q, epoch %d, content %d, %v", c.name, id, epoch, content, ok)
		}
		if sender, ok := m.Sender(); sender != c.sender || ok != (c.sender.Type != 0) {
			t.Errorf("%s: sender %v, %v", c.name, sender, ok)
		}
	}
}

func TestOneKindOfMessageIsNotReadAsAnother(t *testing.T) {
	samples := sampleMessages(t)
	if info, err := ParseGroupInfo(samples["group info"]); err != nil || !bytes.Equal(info.Bytes(), samples["group info"]) {
		t.Errorf("group info: error %v", err)
	}
	if kp, err := ParseKeyPackage(samples["key package"]); err != nil || !bytes.Equal(kp.Bytes(), samples["key package"]) {
		t.Errorf("key package: error %v", err)
	}
	if _, err := ParseGroupInfo(samples["key package"]); err == nil {
		t.Error("a key package was read as a group info")
	}
	if _, err := ParseKeyPackage(samples["group info"]); err == nil {
		t.Error("a group info was read as a key package")
	}
}

func TestUnknownVersionsAndFormatsAreRefused(t *testing.T) {
	for _, b := range [][]byte{{0, 2, 0, 1}, {0, 0}, {0, 1, 0, 0}, {0, 1, 0, 6}, {0, 1, 0xf0, 0}} {
		if _, err := ParseMessage(b); err == nil {
			t.Errorf("%x parses", b)
		}
	}
}

// fuzzCodec holds for every decoder: it does not panic, and what it accepts is
// written back as the same octets, for signatures and references cover them.
func fuzzCodec(f *testing.F, trip func([]byte) ([]byte, error), seeds ...[]byte) {
	for _, b := range seeds {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := trip(b); err == nil && !bytes.Equal(got, b) {
			t.Errorf("%x is written back as %x", b, got)
		}
	})
}

func FuzzMessage(f *testing.F) {
	var seeds [][]byte
	for _, b := range sampleMessages(f) {
		seeds = append(seeds, b)
	}
	fuzzCodec(f, marshalMessage, seeds...)
}

func FuzzProposal(f *testing.F) {
	var seeds [][]byte
	for _, p := range sampleProposals() {
		seeds = append(seeds, appendProposal(nil, p))
	}
	fuzzCodec(f, func(b []byte) ([]byte, error) {
		p, err := parse(b, "proposal", readProposal)
		if err != nil {
			return nil, err
		}
		return appendProposal(nil, p), nil
	}, seeds...)
}

func FuzzCommit(f *testing.F) { fuzzCodec(f, again(readCommit), marshal(sampleCommit())) }

func FuzzGroupSecrets(f *testing.F) {
	fuzzCodec(f, again(readGroupSecrets), marshal(sampleGroupSecrets()), marshal(groupSecrets{}))
}

func FuzzAuthenticatedContent(f *testing.F) {
	read := func(r *reader) *authenticatedContent {
		a := readAuthenticatedContent(r)
		a.content.encoded = nil
		return a
	}
	fuzzCodec(f, again(read), marshal(&authenticatedContent{format: FormatPrivateMessage,
		content: &framedContent{sender: Sender{SenderMember, 1}, contentType: ContentCommit, commit: sampleCommit()}}))
}

func FuzzGroupContext(f *testing.F) {
	fuzzCodec(f, func(b []byte) ([]byte, error) {
		c, err := parse(b, "group context", readGroupContext)
		if err != nil {
			return nil, err
		}
		return marshal(&c), nil
	}, marshal(&GroupContext{GroupID: []byte("group"), Extensions: Extensions{{1, []byte("x")}, {2, nil}}}))
}

func FuzzAppData(f *testing.F) {
	fuzzCodec(f, func(b []byte) ([]byte, error) {
		d, err := ParseAppData(b)
		if err != nil {
			return nil, err
		}
		return d.Extension().Data, nil
	}, AppData{1: []byte("a"), 0x8001: nil}.Extension().Data)
}

func FuzzRequiredCapabilities(f *testing.F) {
	fuzzCodec(f, func(b []byte) ([]byte, error) {
		c, err := parseRequiredCapabilities(b)
		if err != nil {
			return nil, err
		}
		return c.Extension().Data, nil
	}, RequiredCapabilities{[]ExtensionType{6}, []ProposalType{8, 10}, []CredentialType{1}}.Extension().Data)
}

func FuzzExternalSenders(f *testing.F) {
	fuzzCodec(f, func(b []byte) ([]byte, error) {
		s, err := parseExternalSenders(b)
		if err != nil {
			return nil, err
		}
		return ExternalSendersExtension(s...).Data, nil
	}, ExternalSendersExtension(ExternalSender{[]byte("key"), Credential{Type: CredentialBasic, Identity: []byte("server")}}).Data)
}

func FuzzEpochRecord(f *testing.F) {
	s := mustSuite(f, X25519AES128)
	fuzzCodec(f, func(b []byte) ([]byte, error) {
		e, err := parseEpochSecrets(s, b)
		if err != nil {
			return nil, err
		}
		return marshal(e), nil
	}, marshal(testEpoch(s)))
}

func FuzzPrivateMessageContent(f *testing.F) {
	f.Add(appendVec(appendVec(nil, []byte("data")), make([]byte, 64)), byte(ContentApplication))
	f.Add(append(marshal(sampleCommit()), 0, 0, 0), byte(ContentCommit))
	f.Fuzz(func(t *testing.T, b []byte, content byte) {
		m := &privateMessage{groupID: []byte("group"), contentType: ContentType(content)}
		ac, err := m.parseContent(b, 3)
		if err != nil {
			return
		}
		got := ac.appendPrivateContent(nil)
		got = append(got, make([]byte, len(b)-len(got))...) // the padding
		if !bytes.Equal(got, b) {
			t.Errorf("%x is written back as %x", b, got)
		}
	})
}
