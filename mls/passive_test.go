package mls

import (
	"bytes"
	"slices"
	"testing"
)

func init() {
	for _, file := range []string{"passive-client-welcome", "passive-client-handling-commit", "passive-client-random"} {
		vectorTests[file] = func(t *testing.T) { eachVector(t, file, checkPassiveClient) }
	}
}

type passiveCase struct {
	vectorSuite
	KeyPackage     hexBytes `json:"key_package"`
	SignaturePriv  hexBytes `json:"signature_priv"`
	EncryptionPriv hexBytes `json:"encryption_priv"`
	InitPriv       hexBytes `json:"init_priv"`
	Welcome        hexBytes `json:"welcome"`
	RatchetTree    hexBytes `json:"ratchet_tree"`
	Authenticator  hexBytes `json:"initial_epoch_authenticator"`
	ExternalPSKs   []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes `json:"psk"`
	} `json:"external_psks"`
	Epochs []struct {
		Proposals     []hexBytes `json:"proposals"`
		Commit        hexBytes   `json:"commit"`
		Authenticator hexBytes   `json:"epoch_authenticator"`
	} `json:"epochs"`
}

func (c *passiveCase) config() Config {
	return Config{PSK: func(id PreSharedKeyID) (Secret, bool) {
		for _, p := range c.ExternalPSKs {
			if id.Type == PSKExternal && bytes.Equal(p.ID, id.ID) {
				return Secret(p.PSK), true
			}
		}
		return nil, false
	}}
}

// checkPassiveClient joins by a Welcome and follows the group, which is saved
// and loaded again between epochs.
func checkPassiveClient(t *testing.T, s *suite, c passiveCase) {
	m, err := ParseMessage(c.Welcome)
	if err != nil {
		t.Fatal(err)
	}
	kp, err := ParseKeyPackage(c.KeyPackage)
	if err != nil {
		t.Fatal(err)
	}
	secrets := &KeyPackageSecrets{Init: fullLength(t, s, c.InitPriv), Encryption: fullLength(t, s, c.EncryptionPriv), Signature: Secret(c.SignaturePriv)}
	g, err := Join(c.config(), m, kp, secrets, c.RatchetTree, noTime)
	if err != nil {
		t.Fatalf("joining: %v", err)
	}
	wantBytes(t, "initial epoch authenticator", g.EpochAuthenticator(), c.Authenticator)
	disk := store{}
	for i, e := range c.Epochs {
		for _, b := range e.Proposals {
			if _, err := g.Process(mustParse(t, b), noTime); err != nil {
				t.Fatalf("epoch %d: proposal: %v", i, err)
			}
		}
		ev, err := g.Process(mustParse(t, e.Commit), noTime)
		if err != nil {
			t.Fatalf("epoch %d: commit: %v", i, err)
		}
		if err := g.Merge(ev.(*StagedCommit)); err != nil {
			t.Fatalf("epoch %d: merging: %v", i, err)
		}
		wantBytes(t, "epoch authenticator", g.EpochAuthenticator(), e.Authenticator)
		disk.save(g.Drain())
		if g, err = Load(c.config(), disk.records()); err != nil {
			t.Fatalf("epoch %d: loading: %v", i, err)
		}
	}
}

// fullLength gives a private encryption key the zeros back that the vectors
// leave out at the start of P-521 keys.
func fullLength(t *testing.T, s *suite, private []byte) Secret {
	t.Helper()
	any, _, err := s.generateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	return append(make(Secret, max(0, len(any)-len(private))), private...)
}

func mustParse(t testing.TB, b []byte) *Message {
	t.Helper()
	m, err := ParseMessage(slices.Clone(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
