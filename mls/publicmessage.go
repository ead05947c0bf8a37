package mls

// PublicMessage: content that is authenticated and not encrypted
// (RFC 9420, Section 6.2).

// protectPublic frames signed content. A member's message gets its membership
// tag; senders from outside the group have no membershipKey, and none is used.
func protectPublic(s *suite, ac *authenticatedContent, membershipKey Secret, ctx []byte) *publicMessage {
	m := &publicMessage{content: ac.content, auth: ac.auth}
	if ac.content.sender.Type == SenderMember {
		w := getWorkspace()
		defer w.release()
		m.membershipTag = s.mac(membershipKey, ac.tbm(w, ctx)...)
	}
	return m
}

// authenticated gives what the signature covers. Neither it nor the
// membership tag has been checked.
func (m *publicMessage) authenticated() *authenticatedContent {
	return &authenticatedContent{format: FormatPublicMessage, content: m.content, auth: m.auth}
}

// checkMembershipTag checks, in constant time, that the sender knew the
// epoch's membership key. It passes messages from outside the group, which
// carry no tag.
func (m *publicMessage) checkMembershipTag(s *suite, membershipKey Secret, ctx []byte) error {
	if m.content.sender.Type != SenderMember {
		return nil
	}
	w := getWorkspace()
	defer w.release()
	if !s.verifyMAC(membershipKey, m.membershipTag, m.authenticated().tbm(w, ctx)...) {
		return invalid("6.2", "membership tag does not verify")
	}
	return nil
}

// tbm is AuthenticatedContentTBM (RFC 9420, Section 6.2), in pieces.
func (a *authenticatedContent) tbm(w *workspace, ctx []byte) [][]byte {
	return append(a.content.tbs(w, a.format, ctx), a.auth.append(nil, a.content.contentType))
}
