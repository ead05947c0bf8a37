package mls

import "testing"

func init() {
	vectorTests["psk_secret"] = func(t *testing.T) { eachVector(t, "psk_secret", checkPSKSecret) }
}

type pskSecretVector struct {
	vectorSuite
	PSKs []struct {
		ID    hexBytes `json:"psk_id"`
		PSK   hexBytes
		Nonce hexBytes `json:"psk_nonce"`
	}
	Want hexBytes `json:"psk_secret"`
}

func checkPSKSecret(t *testing.T, s *suite, v pskSecretVector) {
	var ids []PreSharedKeyID
	var psks []Secret
	for _, p := range v.PSKs {
		ids = append(ids, PreSharedKeyID{Type: PSKExternal, ID: p.ID, Nonce: p.Nonce})
		psks = append(psks, Secret(p.PSK))
	}
	got, err := pskSecret(s, ids, psks)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "psk_secret", got, v.Want)
}

func TestPSKSecretNeedsAKeyForEachID(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	if _, err := pskSecret(s, make([]PreSharedKeyID, 2), make([]Secret, 1)); err == nil {
		t.Error("two ids with one key gave a secret")
	}
	if _, err := pskSecret(s, make([]PreSharedKeyID, 1<<16), make([]Secret, 1<<16)); !isInvalid(err, "8.4") {
		t.Errorf("too many PSKs for a uint16: got %v", err)
	}
}

func TestPSKSecretDependsOnOrderAndNonce(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	a := PreSharedKeyID{Type: PSKExternal, ID: []byte("a"), Nonce: s.randomSecret()}
	b := PreSharedKeyID{Type: PSKResumption, Usage: ResumptionApplication, GroupID: []byte("g"), Epoch: 3, Nonce: s.randomSecret()}
	ka, kb := s.randomSecret(), s.randomSecret()
	secret := func(ids []PreSharedKeyID, psks ...Secret) Secret {
		out, err := pskSecret(s, ids, psks)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := secret([]PreSharedKeyID{a, b}, ka, kb)
	if !secret([]PreSharedKeyID{a, b}, ka, kb).Equal(want) {
		t.Error("the same PSKs give another secret")
	}
	if secret([]PreSharedKeyID{b, a}, kb, ka).Equal(want) {
		t.Error("the secret does not depend on the order")
	}
	a.Nonce = s.randomSecret()
	if secret([]PreSharedKeyID{a, b}, ka, kb).Equal(want) {
		t.Error("the secret does not depend on the nonce")
	}
}
