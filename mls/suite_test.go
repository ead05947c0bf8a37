package mls

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"

	"filippo.io/mldsa"
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

// TestSuitesAreWhatTheirNamesSay holds each row of the table against its name,
// and the ids against the order of draft-ietf-mls-pq-ciphersuites: vectors that
// this package wrote itself cannot tell.
func TestSuitesAreWhatTheirNamesSay(t *testing.T) {
	ids := map[CipherSuite]string{
		1:      "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
		2:      "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
		3:      "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
		5:      "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
		7:      "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
		0xFA01: "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
		0xFA02: "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
		0xFA03: "MLS_128_MLKEM768P256_AES128GCM_SHA256_P256",
		0xFA04: "MLS_128_MLKEM768P256_AES256GCM_SHA384_P256",
		0xFA05: "MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384",
		0xFA06: "MLS_128_MLKEM768_AES256GCM_SHA384_Ed25519",
		0xFA07: "MLS_128_MLKEM768_AES256GCM_SHA384_P256",
		0xFA08: "MLS_192_MLKEM1024_AES256GCM_SHA384_P384",
		0xFA09: "MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44",
		0xFA0A: "MLS_192_MLKEM768_AES256GCM_SHA384_MLDSA65",
		0xFA0B: "MLS_256_MLKEM1024_AES256GCM_SHA384_MLDSA87",
	}
	// By IANA's registry for HPKE, as draft-ietf-hpke-pq extends it.
	kems := map[string]uint16{"DHKEMP256": 0x0010, "DHKEMP384": 0x0011, "DHKEMP521": 0x0012, "DHKEMX25519": 0x0020, "MLKEM768": 0x0041,
		"MLKEM1024": 0x0042, "MLKEM768P256": 0x0050, "MLKEM1024P384": 0x0051, "MLKEM768X25519": 0x647a}
	aeads := map[string]uint16{"AES128GCM": 1, "AES256GCM": 2, "CHACHA20POLY1305": 3}
	kdfs := map[string]uint16{"SHA256": 1, "SHA384": 2, "SHA512": 3}
	hashes := map[string]crypto.Hash{"SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}
	signatures := map[string]signatureScheme{"Ed25519": ed25519Scheme{}, "MLDSA44": mldsaScheme{mldsa.MLDSA44()}, "MLDSA65": mldsaScheme{mldsa.MLDSA65()},
		"MLDSA87": mldsaScheme{mldsa.MLDSA87()}, "P256": ecdsaScheme{elliptic.P256(), crypto.SHA256}, "P384": ecdsaScheme{elliptic.P384(), crypto.SHA384},
		"P521": ecdsaScheme{elliptic.P521(), crypto.SHA512}}
	for _, id := range Suites() {
		if _, ok := ids[id]; !ok {
			t.Errorf("%#04x is not in the list", uint16(id))
		}
	}
	for id, name := range ids {
		s := mustSuite(t, id)
		part := strings.Split(name, "_") // MLS, level, KEM, AEAD, hash, signature
		if s.name != name || s.id != id {
			t.Errorf("%#04x is %s, and says it is %#04x", uint16(id), s.name, uint16(s.id))
		}
		if s.kem.ID() != kems[part[2]] || s.aead.ID() != aeads[part[3]] || s.kdf.ID() != kdfs[part[4]] {
			t.Errorf("%s has KEM %#04x, AEAD %d, KDF %d", name, s.kem.ID(), s.aead.ID(), s.kdf.ID())
		}
		if s.hash != hashes[part[4]] || s.nh != s.hash.Size() || s.sig != signatures[part[5]] {
			t.Errorf("%s has hash %v of %d octets, and signatures %+v", name, s.hash, s.nh, s.sig)
		}
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
