package mls

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func init() {
	vectorTests["crypto-basics"] = func(t *testing.T) { eachVector(t, "crypto-basics", checkCryptoBasics) }
}

type cryptoBasicsVector struct {
	vectorSuite
	RefHash struct {
		Label      string
		Value, Out hexBytes
	} `json:"ref_hash"`
	Expand struct {
		Secret, Context, Out hexBytes
		Label                string
		Length               int
	} `json:"expand_with_label"`
	Derive struct {
		Secret, Out hexBytes
		Label       string
	} `json:"derive_secret"`
	DeriveTree struct {
		Secret, Out hexBytes
		Label       string
		Generation  uint32
		Length      int
	} `json:"derive_tree_secret"`
	Sign struct {
		Priv, Pub, Content, Signature hexBytes
		Label                         string
	} `json:"sign_with_label"`
	Encrypt struct {
		Priv, Pub, Context, Plaintext, Ciphertext hexBytes
		KEMOutput                                 hexBytes `json:"kem_output"`
		Label                                     string
	} `json:"encrypt_with_label"`
}

func checkCryptoBasics(t *testing.T, s *suite, v cryptoBasicsVector) {
	// The vectors give the whole label of a reference hash.
	wantBytes(t, "ref_hash", s.refHash(v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
	wantBytes(t, "expand_with_label", s.expandWithLabel(Secret(v.Expand.Secret), v.Expand.Label, v.Expand.Context, v.Expand.Length), v.Expand.Out)
	wantBytes(t, "derive_secret", s.deriveSecret(Secret(v.Derive.Secret), v.Derive.Label), v.Derive.Out)
	wantBytes(t, "derive_tree_secret", s.deriveTreeSecret(Secret(v.DeriveTree.Secret), v.DeriveTree.Label, v.DeriveTree.Generation, v.DeriveTree.Length), v.DeriveTree.Out)
	checkSignVector(t, s, v)
	checkEncryptVector(t, s, v)
}

func checkSignVector(t *testing.T, s *suite, v cryptoBasicsVector) {
	x := v.Sign
	if !s.verifyWithLabel(x.Pub, x.Label, x.Signature, x.Content) {
		t.Error("the signature does not verify")
	}
	public, err := s.sig.public(Secret(x.Priv))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "public signature key", public, x.Pub)
	ours, err := s.signWithLabel(Secret(x.Priv), x.Label, x.Content)
	if err != nil {
		t.Fatal(err)
	}
	if !s.verifyWithLabel(x.Pub, x.Label, ours, x.Content) {
		t.Error("our own signature does not verify")
	}
	if s.verifyWithLabel(x.Pub, x.Label+"x", ours, x.Content) {
		t.Error("the signature verifies under another label")
	}
}

func checkEncryptVector(t *testing.T, s *suite, v cryptoBasicsVector) {
	x := v.Encrypt
	got, err := s.decryptWithLabel(Secret(x.Priv), x.Label, x.Context, hpkeCiphertext{x.KEMOutput, x.Ciphertext})
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "plaintext", got, x.Plaintext)
	ours, err := s.encryptWithLabel(x.Pub, encryptContext(x.Label, x.Context), x.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	got, err = s.decryptWithLabel(Secret(x.Priv), x.Label, x.Context, ours)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "plaintext of our own", got, x.Plaintext)
	if _, err := s.decryptWithLabel(Secret(x.Priv), x.Label, append([]byte("x"), x.Context...), ours); err == nil {
		t.Error("the ciphertext opens in another context")
	}
}

// sealable reports whether the KEM reads a public key and seals to it.
func (s *suite) sealable(key []byte) bool {
	if _, err := s.parsePublicKey(key); err != nil {
		return false
	}
	_, err := s.encryptWithLabel(key, nil, nil)
	return err == nil
}

// TestPublicKeysAreJudgedAsTheKEMReadsThem: whatever replaces reading a key, and
// sealing to it, must give the same verdict on every input.
func TestPublicKeysAreJudgedAsTheKEMReadsThem(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		_, good, err := s.generateKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		compare := func(t interface{ Errorf(string, ...any) }, key []byte) {
			if got, want := s.checkPublicKey(key), s.sealable(key); (got == nil) != want {
				t.Errorf("%x: checked %v, but that one can seal to it is %t", key, got, want)
			}
		}
		for n := range len(good) + 2 {
			compare(t, append(bytes.Clone(good), 0)[:min(n, len(good)+1)])
		}
		// Around the modulus of ML-KEM, at each end of its coefficients.
		for _, value := range []uint16{0, 3328, 3329, 3330, 4095} {
			for _, at := range []int{0, 3, 381, 384, 1149, 1152, 1181, 1533, 1536, 1565} {
				if at+3 > len(good) {
					continue
				}
				low, high := bytes.Clone(good), bytes.Clone(good)
				low[at], low[at+1] = byte(value), low[at+1]&0xf0|byte(value>>8)
				high[at+1], high[at+2] = high[at+1]&0x0f|byte(value<<4), byte(value>>4)
				compare(t, low)
				compare(t, high)
			}
		}
		// Points of low order, with the bit that X25519 ignores clear and set.
		for _, u := range lowOrder {
			if len(good) != 32 && len(good) != 1184+32 {
				break
			}
			key := append(bytes.Clone(good[:len(good)-32]), u[:]...)
			for range 2 {
				if s.checkPublicKey(key) == nil {
					t.Errorf("%x is taken", u)
				}
				compare(t, key)
				key[len(key)-1] |= 0x80
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			key := bytes.Clone(good)
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				key[rapid.IntRange(0, len(key)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
			}
			compare(t, key)
		})
	})
}

// eachSuite runs a test on every suite there is.
func eachSuite(t *testing.T, test func(t *testing.T, s *suite)) {
	everySuite(t, func(t *testing.T, id CipherSuite) { test(t, mustSuite(t, id)) })
}

// everySuite is eachSuite for what knows suites from outside.
func everySuite(t *testing.T, test func(t *testing.T, suite CipherSuite)) {
	for _, id := range Suites() {
		t.Run(fmt.Sprintf("%#04x", uint16(id)), func(t *testing.T) { test(t, id) })
	}
}

func mustSuite(t testing.TB, id CipherSuite) *suite {
	t.Helper()
	s, err := id.suite()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
