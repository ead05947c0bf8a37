package mls

import (
	"fmt"
	"slices"
)

// WireFormat says what an MLSMessage carries (RFC 9420, Section 17.2).
type WireFormat uint16

const (
	FormatPublicMessage  WireFormat = 1
	FormatPrivateMessage WireFormat = 2
	FormatWelcome        WireFormat = 3
	FormatGroupInfo      WireFormat = 4
	FormatKeyPackage     WireFormat = 5
)

// ContentType says what a framed message holds (RFC 9420, Section 6).
type ContentType uint8

const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// SenderType says who sent a message (RFC 9420, Section 6).
type SenderType uint8

const (
	SenderMember            SenderType = 1
	SenderExternal          SenderType = 2
	SenderNewMemberProposal SenderType = 3
	SenderNewMemberCommit   SenderType = 4
)

// Sender is who sent a message. Index is the leaf of a member, or the place in
// the external_senders extension.
type Sender struct {
	Type  SenderType
	Index uint32
}

func (s Sender) leaf() LeafIndex { return LeafIndex(s.Index) }

func readSender(r *reader) Sender {
	s := Sender{Type: SenderType(r.u8())}
	switch s.Type {
	case SenderMember, SenderExternal:
		s.Index = r.u32()
	case SenderNewMemberProposal, SenderNewMemberCommit:
	default:
		r.fail(invalid("6", "unknown sender type %d", s.Type))
	}
	return s
}

func (s Sender) appendTo(b []byte) []byte {
	b = append(b, byte(s.Type))
	if s.Type == SenderMember || s.Type == SenderExternal {
		b = appendU32(b, s.Index)
	}
	return b
}

// framedContent is FramedContent (RFC 9420, Section 6). One of application,
// proposal and commit is set, as contentType says.
type framedContent struct {
	groupID           []byte
	epoch             uint64
	sender            Sender
	authenticatedData []byte

	contentType ContentType
	application []byte
	proposal    Proposal
	commit      *commit

	// encoded is the content on the wire where it is known: of what was read,
	// and of commits, which can be megabytes and go into many things. What
	// has it must not be changed.
	encoded []byte
}

func readFramedContent(r *reader) *framedContent {
	b := r.b
	c := &framedContent{groupID: r.vec(), epoch: r.u64(), sender: readSender(r), authenticatedData: r.vec()}
	c.contentType = ContentType(r.u8())
	c.readBody(r)
	if r.err == nil {
		n := len(b) - len(r.b)
		c.encoded = b[:n:n]
	}
	return c
}

func (c *framedContent) readBody(r *reader) {
	switch c.contentType {
	case ContentApplication:
		c.application = r.vec()
	case ContentProposal:
		c.proposal = readProposal(r)
	case ContentCommit:
		c.commit = readCommit(r)
	default:
		r.fail(invalid("6", "unknown content type %d", c.contentType))
	}
}

func (c *framedContent) appendBody(b []byte) []byte {
	switch c.contentType {
	case ContentApplication:
		return appendVec(b, c.application)
	case ContentProposal:
		return appendProposal(b, c.proposal)
	default:
		return c.commit.appendTo(b)
	}
}

func (c *framedContent) appendTo(b []byte) []byte {
	if c.encoded != nil {
		return append(b, c.encoded...)
	}
	b = appendVec(b, c.groupID)
	b = appendU64(b, c.epoch)
	b = c.sender.appendTo(b)
	b = appendVec(b, c.authenticatedData)
	b = append(b, byte(c.contentType))
	return c.appendBody(b)
}

// bytes gives the encoded content, which is not to be written to.
func (c *framedContent) bytes() []byte {
	if c.encoded != nil {
		return c.encoded
	}
	return c.appendTo(make([]byte, 0, c.sizeHint()))
}

// sizeHint is room enough for an application message with its framing, and for
// content that is encoded; other content may need more.
func (c *framedContent) sizeHint() int {
	return len(c.encoded) + len(c.groupID) + len(c.authenticatedData) + len(c.application) + 64
}

// contentAuth is FramedContentAuthData (RFC 9420, Section 6.1).
type contentAuth struct {
	signature       []byte
	confirmationTag []byte // commits only
}

func readContentAuth(r *reader, t ContentType) contentAuth {
	a := contentAuth{signature: r.vec()}
	if t == ContentCommit {
		a.confirmationTag = r.vec()
	}
	return a
}

func (a contentAuth) append(b []byte, t ContentType) []byte {
	b = appendVec(b, a.signature)
	if t == ContentCommit {
		b = appendVec(b, a.confirmationTag)
	}
	return b
}

// authenticatedContent is AuthenticatedContent (RFC 9420, Section 6). Whether
// it is authentic says only [authenticatedContent.verify].
type authenticatedContent struct {
	format  WireFormat
	content *framedContent
	auth    contentAuth
}

func readAuthenticatedContent(r *reader) *authenticatedContent {
	a := &authenticatedContent{format: WireFormat(r.u16()), content: readFramedContent(r)}
	a.auth = readContentAuth(r, a.content.contentType)
	return a
}

func (a *authenticatedContent) appendTo(b []byte) []byte {
	b = appendU16(b, uint16(a.format))
	b = a.content.appendTo(b)
	return a.auth.append(b, a.content.contentType)
}

// proposalRef names a proposal that was sent by itself (RFC 9420, Section 5.2).
func (a *authenticatedContent) proposalRef(s *suite) []byte {
	return s.refHash("MLS 1.0 Proposal Reference", marshal(a))
}

// tbs is FramedContentTBS (RFC 9420, Section 6.1), in pieces, in a workspace.
// ctx is the encoded GroupContext of the message's epoch; a sender from outside
// the group does not sign it. It is taken encoded, so that an epoch encodes it
// once.
func (c *framedContent) tbs(w *workspace, format WireFormat, ctx []byte) [][]byte {
	content := c.encoded
	if content == nil {
		w.content = c.appendTo(slices.Grow(w.content[:0], c.sizeHint()))
		content = w.content
	}
	head := appendU16(appendU16(w.head[:0], versionMLS10), uint16(format))
	pieces := append(w.pieces[:0], head, content)
	switch c.sender.Type {
	case SenderMember, SenderNewMemberCommit:
		pieces = append(pieces, ctx)
	}
	return pieces
}

func (a *authenticatedContent) sign(s *suite, private Secret, ctx []byte) error {
	k, err := s.sig.signingKey(private)
	if err != nil {
		return err
	}
	return a.signWith(k, ctx)
}

func (a *authenticatedContent) signWith(k signingKey, ctx []byte) error {
	w := getWorkspace()
	defer w.release()
	return a.signInto(nil, w, k, ctx)
}

// signInto appends the signature to out.
func (a *authenticatedContent) signInto(out []byte, w *workspace, k signingKey, ctx []byte) (err error) {
	a.auth.signature, err = k.sign(out, signContent(w, framedContentLabel, a.content.tbs(w, a.format, ctx)))
	return err
}

const framedContentLabel = "FramedContentTBS"

func (a *authenticatedContent) verify(s *suite, public []byte, ctx []byte) error {
	return a.content.verify(s, a.format, a.auth.signature, public, ctx)
}

// verify verifies the signature over content in a message of this format.
func (c *framedContent) verify(s *suite, format WireFormat, signature, public, ctx []byte) error {
	w := getWorkspace()
	defer w.release()
	if !s.sig.verify(public, signContent(w, framedContentLabel, c.tbs(w, format, ctx)), signature) {
		return invalid("6.1", "message signature does not verify")
	}
	return nil
}

// publicMessage is PublicMessage (RFC 9420, Section 6.2).
type publicMessage struct {
	content       *framedContent
	auth          contentAuth
	membershipTag []byte // senders who are members only
}

func readPublicMessage(r *reader) *publicMessage {
	m := &publicMessage{content: readFramedContent(r)}
	m.auth = readContentAuth(r, m.content.contentType)
	if m.content.sender.Type == SenderMember {
		m.membershipTag = r.vec()
	}
	return m
}

func (m *publicMessage) appendTo(b []byte) []byte {
	b = m.content.appendTo(b)
	b = m.auth.append(b, m.content.contentType)
	if m.content.sender.Type == SenderMember {
		b = appendVec(b, m.membershipTag)
	}
	return b
}

// privateMessage is PrivateMessage (RFC 9420, Section 6.3).
type privateMessage struct {
	groupID             []byte
	epoch               uint64
	contentType         ContentType
	authenticatedData   []byte
	encryptedSenderData []byte
	ciphertext          []byte
}

func readPrivateMessage(r *reader) *privateMessage {
	m := &privateMessage{groupID: r.vec(), epoch: r.u64(), contentType: ContentType(r.u8()),
		authenticatedData: r.vec(), encryptedSenderData: r.vec(), ciphertext: r.vec()}
	if m.contentType < ContentApplication || m.contentType > ContentCommit {
		r.fail(invalid("6.3", "unknown content type %d", m.contentType))
	}
	return m
}

func (m *privateMessage) sizeHint() int {
	return len(m.groupID) + len(m.authenticatedData) + len(m.encryptedSenderData) + len(m.ciphertext) + 32
}

func (m *privateMessage) appendTo(b []byte) []byte {
	b = m.appendAAD(b) // which is how the message begins
	b = appendVec(b, m.encryptedSenderData)
	return appendVec(b, m.ciphertext)
}

// appendHead appends an MLSMessage up to the encrypted sender data.
func (m *privateMessage) appendHead(b []byte) []byte {
	b = appendU16(b, versionMLS10)
	b = appendU16(b, uint16(FormatPrivateMessage))
	return m.appendAAD(b)
}

// Message is an MLSMessage (RFC 9420, Section 6): parsed, not verified.
type Message struct {
	Format WireFormat

	public     *publicMessage
	private    *privateMessage
	welcome    *welcome
	groupInfo  *GroupInfo
	keyPackage *KeyPackage
	size       int
}

// ParseMessage reads one MLSMessage and nothing after it. The message keeps b.
func ParseMessage(b []byte) (*Message, error) {
	r := reader{b: b} // not through parse: this is done for each message
	m := readMessage(&r)
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("parsing MLS message: %w", err)
	}
	m.size = len(b)
	return m, nil
}

func readMessage(r *reader) *Message {
	if v := r.u16(); r.err == nil && v != versionMLS10 {
		r.fail(invalid("6", "unknown protocol version %d", v))
	}
	m := &Message{Format: WireFormat(r.u16())}
	if r.err != nil {
		return m
	}
	switch m.Format {
	case FormatPublicMessage:
		m.public = readPublicMessage(r)
	case FormatPrivateMessage:
		m.private = readPrivateMessage(r)
	case FormatWelcome:
		m.welcome = readWelcome(r)
	case FormatGroupInfo:
		m.groupInfo = readGroupInfo(r)
	case FormatKeyPackage:
		m.keyPackage = readKeyPackage(r)
	default:
		r.fail(invalid("6", "unknown wire format %d", m.Format))
	}
	return m
}

// sizeHint is room enough for what goes over the wire most, or is largest.
func (m *Message) sizeHint() int {
	switch {
	case m.private != nil:
		return m.private.sizeHint() + 4
	case m.public != nil:
		return m.public.content.sizeHint() + 256
	case m.keyPackage != nil:
		return m.keyPackage.sizeHint() + 4
	case m.welcome != nil:
		return m.welcome.sizeHint() + 4
	}
	return 0
}

func (m *Message) appendTo(b []byte) []byte {
	b = appendU16(b, versionMLS10)
	b = appendU16(b, uint16(m.Format))
	switch m.Format {
	case FormatPublicMessage:
		return m.public.appendTo(b)
	case FormatPrivateMessage:
		return m.private.appendTo(b)
	case FormatWelcome:
		return m.welcome.appendTo(b)
	case FormatGroupInfo:
		return m.groupInfo.appendTo(b)
	default:
		return m.keyPackage.appendTo(b)
	}
}

// Bytes gives the message as it goes over the wire.
func (m *Message) Bytes() []byte { return marshal(m) }

// Group gives the group and epoch that a public or private message claims to
// belong to, and what it says it holds. ok is false for other messages.
func (m *Message) Group() (id []byte, epoch uint64, content ContentType, ok bool) {
	switch {
	case m.public != nil:
		c := m.public.content
		return c.groupID, c.epoch, c.contentType, true
	case m.private != nil:
		return m.private.groupID, m.private.epoch, m.private.contentType, true
	}
	return nil, 0, 0, false
}

// Sender gives the claimed sender of a public message; that of a private one
// is encrypted.
func (m *Message) Sender() (Sender, bool) {
	if m.public == nil {
		return Sender{}, false
	}
	return m.public.content.sender, true
}

// IsSelfRemove reports whether the message is a SelfRemove proposal, which is
// public.
func (m *Message) IsSelfRemove() bool {
	if m.public == nil {
		return false
	}
	_, ok := m.public.content.proposal.(*SelfRemove)
	return ok
}
