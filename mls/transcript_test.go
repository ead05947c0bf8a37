package mls

import "testing"

func init() {
	vectorTests["transcript-hashes"] = func(t *testing.T) { eachVector(t, "transcript-hashes", checkTranscriptHashes) }
}

type transcriptVector struct {
	vectorSuite
	ConfirmationKey hexBytes `json:"confirmation_key"`
	Content         hexBytes `json:"authenticated_content"`
	InterimBefore   hexBytes `json:"interim_transcript_hash_before"`
	ConfirmedAfter  hexBytes `json:"confirmed_transcript_hash_after"`
	InterimAfter    hexBytes `json:"interim_transcript_hash_after"`
}

func checkTranscriptHashes(t *testing.T, s *suite, v transcriptVector) {
	ac, err := parse(v.Content, "authenticated content", readAuthenticatedContent)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "authenticated_content", marshal(ac), v.Content)
	confirmed := confirmedTranscriptHash(s, v.InterimBefore, ac)
	wantBytes(t, "confirmed_transcript_hash_after", confirmed, v.ConfirmedAfter)
	wantBytes(t, "interim_transcript_hash_after", interimTranscriptHash(s, confirmed, ac.auth.confirmationTag), v.InterimAfter)
	e := epochSecrets{confirmation: Secret(v.ConfirmationKey)}
	if err := e.checkConfirmationTag(s, confirmed, ac.auth.confirmationTag); err != nil {
		t.Error(err)
	}
}
