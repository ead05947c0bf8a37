package mls

// The transcript hashes of RFC 9420, Section 8.2: a running hash over the
// commits that led to an epoch. The confirmed hash covers a commit's content
// and signature and goes into the GroupContext; the interim hash covers the
// confirmation tag as well, which is computed from that GroupContext, and is
// what the next commit builds on. Both are empty before the first epoch.

func confirmedTranscriptHash(s *suite, interim []byte, ac *authenticatedContent) []byte {
	h := s.newHash()
	h.Write(interim)
	h.Write(appendU16(nil, uint16(ac.format)))
	h.Write(ac.content.bytes())
	h.Write(appendVec(nil, ac.auth.signature))
	return h.Sum(nil)
}

func interimTranscriptHash(s *suite, confirmed, confirmationTag []byte) []byte {
	b := make([]byte, 0, len(confirmed)+len(confirmationTag)+4)
	b = append(b, confirmed...)
	b = appendVec(b, confirmationTag)
	return s.digest(b)
}
