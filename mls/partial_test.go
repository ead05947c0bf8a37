package mls

import (
	"bytes"
	"testing"
)

// The vectors of draft-ietf-mls-partial wrap ordinary MLS messages, and are the
// only published ones for the post-quantum suites. What is plain MLS in them is
// checked here; the wrapping is read as far as that takes.

func init() {
	for file, check := range map[string]func(*testing.T){
		"annotated-welcome":             func(t *testing.T) { eachVector(t, "mls-pq/annotated-welcome", checkAnnotatedWelcome) },
		"annotated-commit":              func(t *testing.T) { eachVector(t, "mls-pq/annotated-commit", checkAnnotatedCommit) },
		"message-syntax":                func(t *testing.T) { eachVector(t, "mls-pq/message-syntax", checkPartialSyntax) },
		"sender-authenticated-messages": func(t *testing.T) { eachVector(t, "mls-pq/sender-authenticated-messages", checkSenderAuthenticated) },
	} {
		vectorTests["mls-pq/"+file] = check
	}
}

// partialProof is MembershipProof (draft-ietf-mls-partial).
type partialProof struct {
	leafIndex, leaves uint32
	path              []partialNode
	copath            [][]byte
}

type partialNode struct {
	present bool
	node    node
}

func readPartialProof(r *reader) partialProof {
	return partialProof{leafIndex: r.u32(), leaves: r.u32(),
		path: list(r, func(r *reader) partialNode {
			if !r.optional() {
				return partialNode{}
			}
			return partialNode{true, readNode(r)}
		}),
		copath: list(r, (*reader).vec)}
}

func (p partialProof) appendTo(b []byte) []byte {
	b = appendU32(appendU32(b, p.leafIndex), p.leaves)
	b = appendNested(b, func(b []byte) []byte {
		for _, n := range p.path {
			if b = appendOptional(b, n.present); n.present {
				b = n.node.appendTo(b)
			}
		}
		return b
	})
	return appendNested(b, func(b []byte) []byte {
		for _, h := range p.copath {
			b = appendVec(b, h)
		}
		return b
	})
}

// leaf is the member that is proven.
func (p partialProof) leaf() *LeafNode {
	if len(p.path) == 0 {
		return nil
	}
	return p.path[0].node.leaf
}

// withProof is a message and the proof of its sender.
type withProof[T marshaler] struct {
	message T
	proof   partialProof
}

func readWithProof[T marshaler](read func(*reader) T) func(*reader) withProof[T] {
	return func(r *reader) withProof[T] { return withProof[T]{read(r), readPartialProof(r)} }
}

func (m withProof[T]) appendTo(b []byte) []byte { return m.proof.appendTo(m.message.appendTo(b)) }

// annotatedWelcome is AnnotatedWelcome (draft-ietf-mls-partial).
type annotatedWelcome struct {
	welcome withProof[*welcome]
	joiner  partialProof
}

func readAnnotatedWelcome(r *reader) annotatedWelcome {
	return annotatedWelcome{readWithProof(readWelcome)(r), readPartialProof(r)}
}

func (a annotatedWelcome) appendTo(b []byte) []byte { return a.joiner.appendTo(a.welcome.appendTo(b)) }

// annotatedCommit is AnnotatedCommit (draft-ietf-mls-partial).
type annotatedCommit struct {
	message                    *Message
	sender                     *partialProof
	treeHashAfter              []byte
	resolution                 *uint32
	senderAfter, receiverAfter partialProof
}

func readAnnotatedCommit(r *reader) annotatedCommit {
	a := annotatedCommit{message: readMessage(r)}
	if r.optional() {
		a.sender = new(readPartialProof(r))
	}
	a.treeHashAfter = r.vec()
	if r.optional() {
		a.resolution = new(r.u32())
	}
	a.senderAfter, a.receiverAfter = readPartialProof(r), readPartialProof(r)
	return a
}

func (a annotatedCommit) appendTo(b []byte) []byte {
	b = appendOptional(a.message.appendTo(b), a.sender != nil)
	if a.sender != nil {
		b = a.sender.appendTo(b)
	}
	b = appendOptional(appendVec(b, a.treeHashAfter), a.resolution != nil)
	if a.resolution != nil {
		b = appendU32(b, *a.resolution)
	}
	return a.receiverAfter.appendTo(a.senderAfter.appendTo(b))
}

type annotatedWelcomeVector struct {
	vectorSuite
	Welcome       hexBytes `json:"annotated_welcome"`
	InitPriv      hexBytes `json:"init_priv"`
	KeyPackage    hexBytes `json:"key_package"`
	Joiner        uint32   `json:"joiner_leaf_index"`
	Authenticator hexBytes `json:"epoch_authenticator"`
}

func checkAnnotatedWelcome(t *testing.T, s *suite, v annotatedWelcomeVector) {
	a, err := parse(v.Welcome, "annotated welcome", readAnnotatedWelcome)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "annotated_welcome", marshal(a), v.Welcome)
	opened := openWelcome(t, s, a.welcome.message, v.KeyPackage, Secret(v.InitPriv))
	if err := opened.info.verify(s, a.welcome.proof.leaf().SignatureKey); err != nil {
		t.Error(err)
	}
	wantBytes(t, "epoch_authenticator", opened.epoch.authenticator, v.Authenticator)
	if a.joiner.leafIndex != v.Joiner {
		t.Errorf("joiner is leaf %d, want %d", a.joiner.leafIndex, v.Joiner)
	}
}

type partialState struct {
	GroupID     hexBytes `json:"group_id"`
	Epoch       uint64
	TreeHash    hexBytes `json:"tree_hash"`
	Confirmed   hexBytes `json:"confirmed_transcript_hash"`
	Interim     hexBytes `json:"interim_transcript_hash"`
	Encryption  hexBytes `json:"encryption_secret"`
	SenderData  hexBytes `json:"sender_data_secret"`
	Membership  hexBytes `json:"membership_key"`
	Init        hexBytes `json:"init_secret"`
	PathSecrets []struct {
		Priv       hexBytes `json:"encryption_priv"`
		PathSecret hexBytes `json:"path_secret"`
	} `json:"direct_path_secrets"`
}

// context gives the encoded group context. The vectors number their suites by
// their own draft.
func (p *partialState) context(suite uint16) []byte {
	return marshal(&GroupContext{Version: versionMLS10, CipherSuite: CipherSuite(suite), GroupID: p.GroupID, Epoch: p.Epoch,
		TreeHash: p.TreeHash, ConfirmedTranscriptHash: p.Confirmed})
}

type annotatedCommitVector struct {
	vectorSuite
	Commit        hexBytes     `json:"annotated_commit"`
	CommitSecret  hexBytes     `json:"commit_secret"`
	Authenticator hexBytes     `json:"epoch_authenticator_after"`
	TreeHash      hexBytes     `json:"tree_hash_after"`
	Before        partialState `json:"state_before"`
	After         partialState `json:"state_after"`
}

func checkAnnotatedCommit(t *testing.T, s *suite, v annotatedCommitVector) {
	a, err := parse(v.Commit, "annotated commit", readAnnotatedCommit)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "annotated_commit", marshal(a), v.Commit)
	m := a.message.public
	if m == nil || a.sender == nil {
		t.Fatal("the commit is not a member's public message")
	}
	before, ac := v.Before.context(v.CipherSuite), m.authenticated()
	if err := m.checkMembershipTag(s, Secret(v.Before.Membership), before); err != nil {
		t.Error(err)
	}
	if err := ac.verify(s, a.sender.leaf().SignatureKey, before); err != nil {
		t.Error(err)
	}
	confirmed := confirmedTranscriptHash(s, v.Before.Interim, ac)
	wantBytes(t, "confirmed_transcript_hash", confirmed, v.After.Confirmed)
	wantBytes(t, "interim_transcript_hash", interimTranscriptHash(s, confirmed, ac.auth.confirmationTag), v.After.Interim)

	_, e := s.nextEpoch(Secret(v.Before.Init), Secret(v.CommitSecret), Secret(s.zero()), v.After.context(v.CipherSuite))
	if err := e.checkConfirmationTag(s, confirmed, ac.auth.confirmationTag); err != nil {
		t.Error(err)
	}
	wantBytes(t, "epoch_authenticator_after", e.authenticator, v.Authenticator)
	wantBytes(t, "encryption_secret", e.encryption, v.After.Encryption)
	wantBytes(t, "sender_data_secret", e.senderData, v.After.SenderData)
	wantBytes(t, "membership_key", e.membership, v.After.Membership)
	wantBytes(t, "init_secret", e.init, v.After.Init)
	wantBytes(t, "tree_hash_after", a.treeHashAfter, v.TreeHash)
	checkPartialPath(t, s, v.After, ac.content.commit.path)
}

// checkPartialPath derives the key pairs of the receiver's path from its path
// secrets. Their public halves are in the commit.
func checkPartialPath(t *testing.T, s *suite, after partialState, path *updatePath) {
	for _, p := range after.PathSecrets {
		if p.PathSecret == nil {
			continue
		}
		_, public, err := s.deriveKeyPair(s.deriveSecret(Secret(p.PathSecret), "node"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.publicOf(Secret(p.Priv)) // X25519 scalars come clamped or not
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "public key of encryption_priv", public, want)
		if path == nil {
			continue
		}
		known := false
		for _, n := range path.nodes {
			known = known || bytes.Equal(n.encryptionKey, public)
		}
		if !known {
			t.Errorf("public key %x is not in the path", public)
		}
	}
}

type partialSyntaxVector struct {
	vectorSuite
	Copath    hexBytes `json:"copath_hash"`
	Proof     hexBytes `json:"membership_proof"`
	Welcome   hexBytes `json:"sender_authenticated_welcome"`
	GroupInfo hexBytes `json:"sender_authenticated_group_info"`
	Public    hexBytes `json:"sender_authenticated_public_message"`
	Private   hexBytes `json:"sender_authenticated_private_message"`
	AWelcome  hexBytes `json:"annotated_welcome"`
	ACommit   hexBytes `json:"annotated_commit"`
}

func checkPartialSyntax(t *testing.T, s *suite, v partialSyntaxVector) {
	for _, c := range []struct {
		name string
		in   []byte
		trip func([]byte) ([]byte, error)
	}{
		{"copath_hash", v.Copath, func(b []byte) ([]byte, error) {
			h, err := parse(b, "copath hash", (*reader).vec)
			return appendVec(nil, h), err
		}},
		{"membership_proof", v.Proof, again(readPartialProof)},
		{"sender_authenticated_welcome", v.Welcome, again(readWithProof(readWelcome))},
		{"sender_authenticated_group_info", v.GroupInfo, again(readWithProof(readGroupInfo))},
		{"sender_authenticated_public_message", v.Public, again(readWithProof(readPublicMessage))},
		{"sender_authenticated_private_message", v.Private, again(readWithProof(readPrivateMessage))},
		{"annotated_welcome", v.AWelcome, again(readAnnotatedWelcome)},
		{"annotated_commit", v.ACommit, again(readAnnotatedCommit)},
	} {
		got, err := c.trip(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		wantBytes(t, c.name, got, c.in)
	}
	info, err := parse(v.GroupInfo, "group info", readWithProof(readGroupInfo))
	if err != nil {
		t.Fatal(err)
	}
	if err := info.message.verify(s, info.proof.leaf().SignatureKey); err != nil {
		t.Error(err)
	}
}

type senderAuthenticatedVector struct {
	vectorSuite
	Type    string   `json:"message_type"`
	Message hexBytes `json:"sender_authenticated_message"`
}

func checkSenderAuthenticated(t *testing.T, s *suite, v senderAuthenticatedVector) {
	m, err := parse(v.Message, "sender-authenticated message", readWithProof(readPublicMessage))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "sender_authenticated_message", marshal(m), v.Message)
	want, ok := map[string]ContentType{"PublicMessageProposal": ContentProposal, "PublicMessageCommit": ContentCommit}[v.Type]
	if got := m.message.content.contentType; !ok || got != want {
		t.Errorf("content type %d for %s", got, v.Type)
	}
	if got := m.message.content.sender; got != (Sender{SenderMember, m.proof.leafIndex}) {
		t.Errorf("sender %v, but leaf %d is proven", got, m.proof.leafIndex)
	}
}
