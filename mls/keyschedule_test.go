package mls

import (
	"errors"
	"fmt"
	"testing"
)

func init() {
	vectorTests["key-schedule"] = func(t *testing.T) { eachVector(t, "key-schedule", checkKeySchedule) }
}

type keyScheduleVector struct {
	vectorSuite
	GroupID     hexBytes `json:"group_id"`
	InitialInit hexBytes `json:"initial_init_secret"`
	Epochs      []struct {
		TreeHash      hexBytes `json:"tree_hash"`
		CommitSecret  hexBytes `json:"commit_secret"`
		PSKSecret     hexBytes `json:"psk_secret"`
		Confirmed     hexBytes `json:"confirmed_transcript_hash"`
		GroupContext  hexBytes `json:"group_context"`
		Joiner        hexBytes `json:"joiner_secret"`
		Welcome       hexBytes `json:"welcome_secret"`
		Init          hexBytes `json:"init_secret"`
		SenderData    hexBytes `json:"sender_data_secret"`
		Encryption    hexBytes `json:"encryption_secret"`
		ExporterKey   hexBytes `json:"exporter_secret"`
		Authenticator hexBytes `json:"epoch_authenticator"`
		External      hexBytes `json:"external_secret"`
		Confirmation  hexBytes `json:"confirmation_key"`
		Membership    hexBytes `json:"membership_key"`
		Resumption    hexBytes `json:"resumption_psk"`
		ExternalPub   hexBytes `json:"external_pub"`
		Exporter      struct {
			Label           string
			Context, Secret hexBytes
			Length          int
		}
	}
}

func checkKeySchedule(t *testing.T, s *suite, v keyScheduleVector) {
	init := Secret(v.InitialInit)
	for i, x := range v.Epochs {
		c := GroupContext{Version: versionMLS10, CipherSuite: s.id, GroupID: v.GroupID, Epoch: uint64(i),
			TreeHash: x.TreeHash, ConfirmedTranscriptHash: x.Confirmed}
		ctx := marshal(&c)
		wantBytes(t, "group_context", ctx, x.GroupContext)
		joiner, e := s.nextEpoch(init, Secret(x.CommitSecret), Secret(x.PSKSecret), ctx)
		wantBytes(t, "joiner_secret", joiner, x.Joiner)
		wantBytes(t, "welcome_secret", s.welcomeSecret(joiner, Secret(x.PSKSecret)), x.Welcome)
		for _, f := range []struct {
			name string
			got  Secret
			want hexBytes
		}{
			{"init_secret", e.init, x.Init}, {"sender_data_secret", e.senderData, x.SenderData},
			{"encryption_secret", e.encryption, x.Encryption}, {"exporter_secret", e.exporter, x.ExporterKey},
			{"epoch_authenticator", e.authenticator, x.Authenticator}, {"external_secret", e.external, x.External},
			{"confirmation_key", e.confirmation, x.Confirmation}, {"membership_key", e.membership, x.Membership},
			{"resumption_psk", e.resumption, x.Resumption},
		} {
			wantBytes(t, fmt.Sprintf("epoch %d: %s", i, f.name), f.got, f.want)
		}
		wantBytes(t, "exporter", e.export(s, x.Exporter.Label, x.Exporter.Context, x.Exporter.Length), x.Exporter.Secret)
		_, pub, err := e.externalKeyPair(s)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "external_pub", pub, x.ExternalPub)
		init = e.init
	}
}

func testEpoch(s *suite) *epochSecrets {
	_, e := s.nextEpoch(s.randomSecret(), s.randomSecret(), Secret(s.zero()), []byte("context"))
	return e
}

func TestJoinerReachesTheCommittersEpoch(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	psk := s.randomSecret()
	joiner, e := s.nextEpoch(s.randomSecret(), s.randomSecret(), psk, []byte("context"))
	got := s.epochFromJoiner(joiner, psk, []byte("context"))
	if !got.authenticator.Equal(e.authenticator) || !got.encryption.Equal(e.encryption) {
		t.Error("a joiner derives other secrets than the committer")
	}
	other := s.epochFromJoiner(joiner, psk, []byte("another context"))
	if other.authenticator.Equal(e.authenticator) {
		t.Error("the epoch does not depend on the group context")
	}
}

func TestExternalJoinerAgreesOnTheInitSecret(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		e := testEpoch(s)
		priv, pub, err := e.externalKeyPair(s)
		if err != nil {
			t.Fatal(err)
		}
		kemOutput, sent, err := s.externalInitSender(pub)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.externalInitReceiver(priv, kemOutput)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(sent) || len(got) != s.nh {
			t.Error("the two sides have different init secrets")
		}
	})
}

func TestExternalInitRefusesWhatIsNotAKey(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		priv, _, err := testEpoch(s).externalKeyPair(s)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.externalInitSender([]byte("not a key"))
		wantRefusal(t, err, "8.3", "external_pub is not a key")
		_, err = s.externalInitReceiver(priv, []byte("not an encapsulation"))
		wantRefusal(t, err, "8.3", "is not an encapsulation")
	})
}

func isInvalid(err error, section string) bool {
	e, ok := errors.AsType[*InvalidError](err)
	return ok && e.Section == section
}

func TestAnotherConfirmationTagIsRefused(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	e, other := testEpoch(s), testEpoch(s)
	hash := []byte("confirmed transcript hash")
	if err := e.checkConfirmationTag(s, hash, e.confirmationTag(s, hash)); err != nil {
		t.Error(err)
	}
	wantRefusal(t, e.checkConfirmationTag(s, hash, other.confirmationTag(s, hash)), "6.1", "confirmation tag")
}

func TestEpochRecordHoldsAllButTheEncryptionSecret(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	e := testEpoch(s)
	b := marshal(e)
	got, err := parseEpochSecrets(s, b)
	if err != nil {
		t.Fatal(err)
	}
	if got.encryption != nil {
		t.Error("the record holds the encryption secret")
	}
	for i, secret := range got.kept() {
		if !secret.Equal(*e.kept()[i]) {
			t.Errorf("secret %d differs", i)
		}
	}
	for n := range b {
		if _, err := parseEpochSecrets(s, b[:n]); err == nil {
			t.Fatalf("a record cut at %d of %d parses", n, len(b))
		}
	}
	b[0]++
	if _, err := parseEpochSecrets(s, b); err == nil {
		t.Error("a record of an unknown version parses")
	}
}

func TestErasedEpochHoldsNothing(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	e := testEpoch(s)
	var before []Secret
	for _, secret := range append(e.kept(), &e.encryption) {
		before = append(before, *secret)
	}
	e.erase()
	for i, secret := range before {
		if !secret.Equal(s.zero()) {
			t.Errorf("secret %d was not overwritten", i)
		}
	}
	if e.init != nil || e.encryption != nil {
		t.Error("the epoch still refers to its secrets")
	}
}
