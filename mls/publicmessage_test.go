package mls

import (
	"bytes"
	"testing"
)

func init() {
	vectorTests["message-protection"] = func(t *testing.T) { eachVector(t, "message-protection", checkMessageProtection) }
}

type protectionVector struct {
	vectorSuite
	GroupID         hexBytes `json:"group_id"`
	Epoch           uint64
	TreeHash        hexBytes `json:"tree_hash"`
	Confirmed       hexBytes `json:"confirmed_transcript_hash"`
	SignaturePriv   hexBytes `json:"signature_priv"`
	SignaturePub    hexBytes `json:"signature_pub"`
	Encryption      hexBytes `json:"encryption_secret"`
	SenderData      hexBytes `json:"sender_data_secret"`
	Membership      hexBytes `json:"membership_key"`
	Proposal        hexBytes
	ProposalPriv    hexBytes `json:"proposal_priv"`
	ProposalPub     hexBytes `json:"proposal_pub"`
	Commit          hexBytes
	CommitPriv      hexBytes `json:"commit_priv"`
	CommitPub       hexBytes `json:"commit_pub"`
	Application     hexBytes
	ApplicationPriv hexBytes `json:"application_priv"`
}

// checkMessageProtection opens the vector's messages, and what we make of the
// same content. The sender is leaf 1 of 2.
func checkMessageProtection(t *testing.T, s *suite, v protectionVector) {
	k, err := s.sig.signingKey(Secret(v.SignaturePriv))
	if err != nil {
		t.Fatal(err)
	}
	e := &testEnd{t: t, s: s, signature: k, public: v.SignaturePub, senderData: Secret(v.SenderData), membership: Secret(v.Membership)}
	e.ctx = marshal(&GroupContext{Version: versionMLS10, CipherSuite: s.id, GroupID: v.GroupID, Epoch: v.Epoch,
		TreeHash: v.TreeHash, ConfirmedTranscriptHash: v.Confirmed})
	e.sending = newSecretTree(s, Secret(bytes.Clone(v.Encryption)), 2)
	for _, m := range []struct {
		content  ContentType
		want     []byte
		messages []hexBytes
	}{
		{ContentProposal, v.Proposal, []hexBytes{v.ProposalPriv, v.ProposalPub}},
		{ContentCommit, v.Commit, []hexBytes{v.CommitPriv, v.CommitPub}},
		{ContentApplication, v.Application, []hexBytes{v.ApplicationPriv}},
	} {
		for _, b := range m.messages {
			e.receiving = newSecretTree(s, Secret(bytes.Clone(v.Encryption)), 2)
			theirs := e.receive(b)
			wantBytes(t, "content", unframed(theirs.content), m.want)

			e.receiving = newSecretTree(s, Secret(bytes.Clone(v.Encryption)), 2)
			ours := &authenticatedContent{format: theirs.format, content: theirs.content}
			ours.auth.confirmationTag = theirs.auth.confirmationTag
			wantBytes(t, "our own", unframed(e.receive(e.send(ours)).content), m.want)
		}
	}
}

// unframed encodes a content as the vectors do: without a header for
// application data.
func unframed(c *framedContent) []byte {
	if c.contentType == ContentApplication {
		return c.application
	}
	return c.appendBody(nil)
}

// testEnd is one member's part in protecting messages, on either side.
type testEnd struct {
	t                      testing.TB
	s                      *suite
	signature              signingKey
	public                 []byte
	senderData, membership Secret
	ctx                    []byte
	sending, receiving     *secretTree
	padding                func(int) int
}

// newTestEnd gives a member of a group of the given size.
func newTestEnd(t testing.TB, id CipherSuite, leaves uint32) *testEnd {
	t.Helper()
	s := mustSuite(t, id)
	private, public, err := s.sig.generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.sig.signingKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encryption := s.randomSecret()
	return &testEnd{t: t, s: s, signature: k, public: public, senderData: s.randomSecret(), membership: s.randomSecret(),
		ctx: marshal(&GroupContext{Version: versionMLS10, CipherSuite: id, GroupID: []byte("a group"), Epoch: 7,
			TreeHash: s.zero(), ConfirmedTranscriptHash: s.zero()}),
		sending:   newSecretTree(s, bytes.Clone(encryption), leaves),
		receiving: newSecretTree(s, encryption, leaves)}
}

// content is an application message from leaf 1.
func (e *testEnd) content(format WireFormat, data []byte) *authenticatedContent {
	return &authenticatedContent{format: format, content: &framedContent{groupID: []byte("a group"), epoch: 7,
		sender: Sender{SenderMember, 1}, authenticatedData: []byte("aad"), contentType: ContentApplication, application: data}}
}

func (e *testEnd) send(ac *authenticatedContent) []byte {
	e.t.Helper()
	if err := ac.signWith(e.signature, e.ctx); err != nil {
		e.t.Fatal(err)
	}
	if ac.format == FormatPublicMessage {
		return marshal(&Message{Format: ac.format, public: protectPublic(e.s, ac, e.membership, e.ctx)})
	}
	m, err := protectPrivate(e.s, ac, e.sending, e.senderData, e.padding)
	if err != nil {
		e.t.Fatal(err)
	}
	return marshal(&Message{Format: ac.format, private: m})
}

func (e *testEnd) receive(b []byte) *authenticatedContent {
	e.t.Helper()
	ac, err := e.tryReceive(b)
	if err != nil {
		e.t.Fatal(err)
	}
	return ac
}

func (e *testEnd) tryReceive(b []byte) (*authenticatedContent, error) {
	m, err := ParseMessage(b)
	if err != nil {
		return nil, err
	}
	if m.public != nil {
		ac := m.public.authenticated()
		if err := m.public.checkMembershipTag(e.s, e.membership, e.ctx); err != nil {
			return nil, err
		}
		return ac, ac.verify(e.s, e.public, e.ctx)
	}
	ac, consume, err := unprotectPrivate(e.s, m.private, e.receiving, e.senderData)
	if err != nil {
		return nil, err
	}
	if err := ac.verify(e.s, e.public, e.ctx); err != nil {
		return nil, err
	}
	consume()
	return ac, nil
}

func TestPublicMessageIsBoundToEverythingAroundIt(t *testing.T) {
	e := newTestEnd(t, DefaultSuite, 2)
	ac := e.content(FormatPublicMessage, []byte("data"))
	ac.content.contentType, ac.content.proposal = ContentProposal, &Remove{1}
	b := e.send(ac)
	e.receive(b)

	other := newTestEnd(t, DefaultSuite, 2)
	for _, c := range []struct {
		name    string
		change  func(*testEnd)
		section string
	}{
		{"another membership key", func(e *testEnd) { e.membership = other.membership }, "6.2"},
		{"another group context", func(e *testEnd) { e.ctx = append(bytes.Clone(e.ctx), 0) }, "6.2"},
		{"another signature key", func(e *testEnd) { e.public = other.public }, "6.1"},
	} {
		changed := *e
		c.change(&changed)
		if _, err := changed.tryReceive(b); !isInvalid(err, c.section) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	for i := range b {
		broken := bytes.Clone(b)
		broken[i] ^= 1
		if _, err := e.tryReceive(broken); err == nil {
			t.Errorf("octet %d of %d can be changed", i, len(b))
		}
	}
}

func TestSenderFromOutsideHasNoMembershipTag(t *testing.T) {
	e := newTestEnd(t, DefaultSuite, 2)
	for _, sender := range []Sender{{SenderExternal, 3}, {SenderNewMemberProposal, 0}} {
		ac := e.content(FormatPublicMessage, nil)
		ac.content.sender = sender
		ac.content.contentType, ac.content.proposal = ContentProposal, &Remove{1}
		b := e.send(ac)
		e.ctx = append(e.ctx, 1) // such a sender does not sign the group context
		got := e.receive(b)
		if got.content.sender != sender {
			t.Errorf("got sender %v, want %v", got.content.sender, sender)
		}
		m, err := ParseMessage(b)
		if err != nil || m.public.membershipTag != nil {
			t.Errorf("%v: membership tag %x, error %v", sender, m.public.membershipTag, err)
		}
	}
}
