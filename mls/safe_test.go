package mls

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"testing"
)

const otherComponent ComponentID = 0x8002

func mustSign(t testing.TB, c *client, content string) []byte {
	t.Helper()
	signature, err := c.SafeSign(testComponent, "label", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestSafeSignatureSpeaksForOneComponentAndLabel(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 2, Config{})
		signature := mustSign(t, r.clients[0], "content")
		// The other members have the key from the signer's leaf.
		key := r.clients[1].Member(r.clients[0].Own()).SignatureKey
		if !suite.SafeVerify(key, testComponent, "label", []byte("content"), signature) {
			t.Fatal("the signature does not verify")
		}
		foreign := r.clients[1].Member(r.clients[1].Own()).SignatureKey
		for what, verifies := range map[string]bool{
			"another component": suite.SafeVerify(key, otherComponent, "label", []byte("content"), signature),
			"another label":     suite.SafeVerify(key, testComponent, "labe", []byte("lcontent"), signature),
			"other content":     suite.SafeVerify(key, testComponent, "label", []byte("content."), signature),
			"another key":       suite.SafeVerify(foreign, testComponent, "label", []byte("content"), signature),
			"no key":            suite.SafeVerify(nil, testComponent, "label", []byte("content"), signature),
			"no signature":      suite.SafeVerify(key, testComponent, "label", []byte("content"), nil),
			"an unknown suite":  CipherSuite(0).SafeVerify(key, testComponent, "label", []byte("content"), signature),
			"MLS's own label":   mustSuite(t, suite).verifyWithLabel(key, "label", signature, []byte("content")),
		} {
			if verifies {
				t.Errorf("the signature verifies for %s", what)
			}
		}
	})
}

// componentLabelByHand is a label as the draft draws it, with MLS's own prefix:
// for labels of less than 32 octets.
func componentLabelByHand(c ComponentID, label string) string {
	s := "MLS 1.0 " + "\x0dMLS Component" + string([]byte{byte(c >> 8), byte(c), byte(len(label))}) + label
	return string([]byte{byte(len(s))}) + s
}

func TestSafeSignatureIsTheDrafts(t *testing.T) {
	r := newRoom(t, X25519AES128, 1, Config{})
	c := r.clients[0]
	message := componentLabelByHand(testComponent, "label") + "\x07content"
	want := ed25519.Sign(ed25519.NewKeyFromSeed(c.Group.signer), []byte(message))
	wantBytes(t, "signature", mustSign(t, c, "content"), want)
}

func TestSafeCiphertextIsTheDrafts(t *testing.T) {
	s := mustSuite(t, DefaultSuite)
	private, public, err := s.generateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := DefaultSuite.SafeEncrypt(public, testComponent, "label", []byte("context"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	ct, err := parse(sealed, "ciphertext", readHPKECiphertext)
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.kem.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	info := componentLabelByHand(testComponent, "label") + "\x07context"
	from, err := hpke.NewRecipient(ct.kemOutput, key, s.kdf, s.aead, []byte(info))
	if err != nil {
		t.Fatal(err)
	}
	got, err := from.Open(nil, ct.ciphertext)
	if err != nil || string(got) != "text" {
		t.Errorf("opened %q, %v", got, err)
	}
}

// recipients are the keys of a room one may seal to, and who of its four
// clients can open what was.
func recipients(t *testing.T, r *room) map[string]struct {
	key   []byte
	opens [4]bool
} {
	t.Helper()
	external, err := mustGroupInfo(t, r.clients[0].Group).ExternalPub()
	if err != nil {
		t.Fatal(err)
	}
	type recipient = struct {
		key   []byte
		opens [4]bool
	}
	tree := r.clients[0].public.tree
	return map[string]recipient{
		"a leaf":           {tree.leaf(1).EncryptionKey, [4]bool{1: true}},
		"a parent":         {tree.encryptionKey(1), [4]bool{true, true}},
		"the external key": {external, [4]bool{true, true, true, true}},
	}
}

func TestSafeCiphertextIsOpenedByWhomItWasSealedTo(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 4, Config{})
		for _, c := range r.clients {
			r.commit(c, CommitOptions{}) // so that the parents have keys
		}
		for what, to := range recipients(t, r) {
			context := []byte("context")
			sealed, err := suite.SafeEncrypt(to.key, testComponent, "label", context, []byte("text"))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for i, c := range r.clients {
				got, err := c.SafeDecrypt(to.key, testComponent, "label", context, sealed)
				if opened := err == nil && string(got) == "text"; opened != to.opens[i] {
					t.Errorf("to %s: client %d opened %q, %v", what, i, got, err)
				}
				for wrong, err := range map[string]error{
					"component": second(c.SafeDecrypt(to.key, otherComponent, "label", context, sealed)),
					"label":     second(c.SafeDecrypt(to.key, testComponent, "another", context, sealed)),
					"context":   second(c.SafeDecrypt(to.key, testComponent, "label", nil, sealed)),
					"key":       second(c.SafeDecrypt([]byte("key"), testComponent, "label", context, sealed)),
					"no key":    second(c.SafeDecrypt(nil, testComponent, "label", context, sealed)),
				} {
					if !errors.Is(err, ErrCannotDecrypt) {
						t.Errorf("to %s: client %d with another %s: %v", what, i, wrong, err)
					}
				}
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestSafeCiphertextIsForItsEpoch: keys that a commit replaced open nothing any
// more, and a member that was removed opens nothing at all.
func TestSafeCiphertextIsForItsEpoch(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{})
	for _, c := range r.clients {
		r.commit(c, CommitOptions{})
	}
	old, gone := recipients(t, r), r.clients[3]
	sealed := map[string][]byte{}
	for what, to := range old {
		var err error
		if sealed[what], err = X25519AES128.SafeEncrypt(to.key, testComponent, "label", nil, []byte("text")); err != nil {
			t.Fatal(err)
		}
	}
	r.commit(r.clients[1], CommitOptions{Proposals: []Proposal{&Remove{Removed: gone.Own()}}})
	for what, to := range old {
		for i, c := range r.clients {
			if _, err := c.SafeDecrypt(to.key, testComponent, "label", nil, sealed[what]); !errors.Is(err, ErrCannotDecrypt) {
				t.Errorf("client %d opens what was sealed to %s an epoch ago: %v", i, what, err)
			}
		}
		if _, err := gone.SafeDecrypt(to.key, testComponent, "label", nil, sealed[what]); !errors.Is(err, ErrRemoved) {
			t.Errorf("who was removed opens what was sealed to %s: %v", what, err)
		}
	}
	if _, err := gone.SafeSign(testComponent, "label", nil); !errors.Is(err, ErrRemoved) {
		t.Errorf("who was removed signs: %v", err)
	}
}

func TestSafeCiphertextToAKeyPackageIsOpenedByItsOwner(t *testing.T) {
	kp, secrets, err := NewKeyPackage(DefaultSuite, newSigner(t, DefaultSuite, "a"), KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := DefaultSuite.SafeEncrypt(kp.InitKey, testComponent, "label", nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := DefaultSuite.SafeDecrypt(secrets.Init, testComponent, "label", nil, sealed)
	if err != nil || string(got) != "text" {
		t.Errorf("opened %q, %v", got, err)
	}
	if _, err := DefaultSuite.SafeDecrypt(secrets.Encryption, testComponent, "label", nil, sealed); !errors.Is(err, ErrCannotDecrypt) {
		t.Errorf("with the leaf's key: %v", err)
	}
}

func TestSafeInterfaceRefusesWhatIsMalformed(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	private, public, err := s.generateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := X25519AES128.SafeEncrypt(public, testComponent, "label", nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(b []byte) error {
		_, err := X25519AES128.SafeDecrypt(private, testComponent, "label", nil, b)
		return err
	}
	for n := range sealed {
		if open(sealed[:n]) == nil {
			t.Errorf("%d octets of %d are opened", n, len(sealed))
		}
		broken := bytes.Clone(sealed)
		broken[n] ^= 1
		if open(broken) == nil {
			t.Errorf("opened with octet %d flipped", n)
		}
	}
	wantRefusal(t, open(append(bytes.Clone(sealed), 0)), "2.1", "bytes left over")
	_, err = X25519AES128.SafeEncrypt(public[:31], testComponent, "label", nil, nil)
	wantRefusal(t, err, "7.3", "encryption key is not a key of")
	if _, err := CipherSuite(0).SafeEncrypt(public, testComponent, "label", nil, nil); err == nil {
		t.Error("sealed under no suite")
	}
	if _, err := CipherSuite(0).SafeDecrypt(private, testComponent, "label", nil, sealed); err == nil {
		t.Error("opened under no suite")
	}
	if err := checkSafe("content", 1, maxSafe+1); err == nil {
		t.Error("content without bound")
	}
	if got := fmt.Sprint(componentLabelByHand(testComponent, "x")[1:]); got != "MLS 1.0 "+componentLabel(testComponent, "x") {
		t.Errorf("the label is %q", got)
	}
}
