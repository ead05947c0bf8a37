package mls

import "testing"

func init() {
	vectorTests["welcome"] = func(t *testing.T) { eachVector(t, "welcome", checkWelcome) }
}

type welcomeVector struct {
	vectorSuite
	InitPriv   hexBytes `json:"init_priv"`
	KeyPackage hexBytes `json:"key_package"`
	SignerPub  hexBytes `json:"signer_pub"`
	Welcome    hexBytes
}

func checkWelcome(t *testing.T, s *suite, v welcomeVector) {
	m, err := ParseMessage(v.Welcome)
	if err != nil {
		t.Fatal(err)
	}
	opened := openWelcome(t, s, m.welcome, v.KeyPackage, Secret(v.InitPriv))
	if err := opened.info.verify(s, v.SignerPub); err != nil {
		t.Error(err)
	}
}

type openedWelcome struct {
	info  *GroupInfo
	epoch *epochSecrets
}

// openWelcome decrypts a Welcome without PSKs step by step, and checks its
// confirmation tag (RFC 9420, Section 12.4.3.1).
func openWelcome(t *testing.T, s *suite, w *welcome, keyPackage []byte, initPriv Secret) openedWelcome {
	t.Helper()
	m, err := ParseMessage(keyPackage)
	if err != nil {
		t.Fatal(err)
	}
	// By the suite that was asked for: the key packages of the partial MLS
	// vectors carry that draft's number.
	ref := s.refHash("MLS 1.0 KeyPackage Reference", marshal(m.keyPackage))
	var secrets groupSecrets
	for _, e := range w.secrets {
		if string(e.newMember) != string(ref) {
			continue
		}
		b, err := s.decryptWithLabel(initPriv, "Welcome", w.encryptedGroupInfo, e.secrets)
		if err != nil {
			t.Fatal(err)
		}
		if secrets, err = parse(b, "group secrets", readGroupSecrets); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "group secrets", marshal(secrets), b)
	}
	if secrets.joiner == nil || len(secrets.psks) != 0 {
		t.Fatalf("the welcome has no secrets for us, or %d PSKs", len(secrets.psks))
	}
	psk, err := pskSecret(s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, nonce := s.welcomeKeyNonce(s.welcomeSecret(secrets.joiner, psk))
	b, err := s.open(nil, key, nonce, nil, w.encryptedGroupInfo)
	if err != nil {
		t.Fatal(err)
	}
	info, err := parse(b, "group info", readGroupInfo)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "group info", marshal(info), b)
	epoch := s.epochFromJoiner(secrets.joiner, psk, marshal(&info.Context))
	if err := epoch.checkConfirmationTag(s, info.Context.ConfirmedTranscriptHash, info.ConfirmationTag); err != nil {
		t.Error(err)
	}
	return openedWelcome{info, epoch}
}
