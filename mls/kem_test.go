package mls

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func init() {
	for _, file := range []string{"rfc9180", "hpke-pq-test-vectors"} {
		vectorTests["hpke/"+file] = func(t *testing.T) { checkKEMVectors(t, file) }
	}
}

// checkKEMVectors derives key pairs as the KEMs' own specifications do. No
// published MLS vector has ML-KEM alone.
func checkKEMVectors(t *testing.T, file string) {
	path := filepath.Join(filepath.Dir(filepath.Dir(vectorPath("x"))), "hpke", file+".json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no test vectors at %s: set SCONCE_VECTORS to their folder", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		KEM     uint16   `json:"kem_id"`
		IKM     hexBytes `json:"ikmR"`
		Private hexBytes `json:"skRm"`
		Public  hexBytes `json:"pkRm"`
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, c := range cases {
		for _, id := range Suites() {
			s := mustSuite(t, id)
			if s.kem.ID() != c.KEM {
				continue
			}
			checked++
			_, public, err := s.deriveKeyPair(Secret(c.IKM))
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "pkRm", public, c.Public)
			of, err := s.publicOf(Secret(c.Private)) // X25519 scalars come clamped or not
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "pkRm of skRm", of, c.Public)
			if err := s.checkPublicKey(c.Public); err != nil {
				t.Error(err)
			}
		}
	}
	if checked == 0 {
		t.Error("no vector is of a KEM that a suite has")
	}
}

func TestKeysHaveTheSizesOfTheirStandards(t *testing.T) {
	type sizes struct{ private, public, sealed, signPrivate, signPublic int }
	for id, want := range map[CipherSuite]sizes{
		X25519AES128:                  {32, 32, 32, 32, 32},
		P256AES128:                    {32, 65, 65, 32, 65},
		X25519ChaCha20:                {32, 32, 32, 32, 32},
		P521AES256:                    {66, 133, 133, 66, 133},
		P384AES256:                    {48, 97, 97, 48, 97},
		MLKEM768X25519AES128:          {32, 1216, 1120, 32, 32},
		MLKEM768X25519AES256:          {32, 1216, 1120, 32, 32},
		MLKEM768P256AES128:            {32, 1249, 1153, 32, 65},
		MLKEM768P256AES256:            {32, 1249, 1153, 32, 65},
		MLKEM1024P384AES256:           {32, 1665, 1665, 48, 97},
		MLKEM768AES256Ed25519:         {64, 1184, 1088, 32, 32},
		MLKEM768AES256P256:            {64, 1184, 1088, 32, 65},
		MLKEM1024AES256P384:           {64, 1568, 1568, 48, 97},
		MLKEM768X25519ChaCha20MLDSA44: {32, 1216, 1120, 32, 1312},
		MLKEM768AES256MLDSA65:         {64, 1184, 1088, 32, 1952},
		MLKEM1024AES256MLDSA87:        {64, 1568, 1568, 32, 2592},
	} {
		s := mustSuite(t, id)
		private, public, err := s.generateKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		signPrivate, signPublic, err := s.sig.generate()
		if err != nil {
			t.Fatal(err)
		}
		ct, err := s.encryptWithLabel(public, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := (sizes{len(private), len(public), len(ct.kemOutput), len(signPrivate), len(signPublic)}); got != want {
			t.Errorf("%v: got %+v, want %+v", id, got, want)
		}
	}
}

func TestSignaturesAreRefusedWhereOneThingDiffers(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		private, public, err := s.sig.generate()
		if err != nil {
			t.Fatal(err)
		}
		signature, err := s.signWithLabel(private, "label", []byte("con"), []byte("tent"))
		if err != nil {
			t.Fatal(err)
		}
		_, other, err := s.sig.generate()
		if err != nil {
			t.Fatal(err)
		}
		if !s.sig.valid(public) || !s.verifyWithLabel(public, "label", signature, []byte("content")) {
			t.Error("the signature does not verify")
		}
		spoiled := append([]byte(nil), signature...)
		spoiled[len(spoiled)/2] ^= 1
		for what, ok := range map[string]bool{
			"another key":         s.verifyWithLabel(other, "label", signature, []byte("content")),
			"another label":       s.verifyWithLabel(public, "Label", signature, []byte("content")),
			"another content":     s.verifyWithLabel(public, "label", signature, []byte("Content")),
			"another signature":   s.verifyWithLabel(public, "label", spoiled, []byte("content")),
			"half a signature":    s.verifyWithLabel(public, "label", signature[:len(signature)/2], []byte("content")),
			"no signature":        s.verifyWithLabel(public, "label", nil, []byte("content")),
			"more behind it":      s.verifyWithLabel(public, "label", append(signature[:len(signature):len(signature)], 0), []byte("content")),
			"a key cut short":     s.verifyWithLabel(public[:len(public)-1], "label", signature, []byte("content")),
			"a key cut short (2)": s.sig.valid(public[:len(public)-1]),
			"no key":              s.sig.valid(nil),
		} {
			if ok {
				t.Errorf("%s is accepted", what)
			}
		}
		if _, err := s.sig.signingKey(private[:0]); err == nil {
			t.Error("an empty private key signs")
		}
	})
}

func TestAliasIsASuiteOfItsOwnOnTheWire(t *testing.T) {
	const alias CipherSuite = 83
	if err := RegisterAlias(alias, MLKEM768X25519AES256); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { delete(suites, alias) })
	if alias.String() != MLKEM768X25519AES256.String() {
		t.Errorf("the alias is called %v", alias)
	}
	r := newRoom(t, alias, 3, Config{})
	if got := r.server.Context().CipherSuite; got != alias {
		t.Errorf("the group is of suite %d", uint16(got))
	}
	kp, _, err := NewKeyPackage(MLKEM768X25519AES256, newSigner(t, MLKEM768X25519AES256, "x"), KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.clients[0].Commit(CommitOptions{Proposals: []Proposal{&Add{KeyPackage: kp}}}, now)
	wantInvalid(t, err, "10.1")

	if err := RegisterAlias(alias, X25519AES128); err == nil {
		t.Error("an alias is given away twice")
	}
	if err := RegisterAlias(X25519AES128, MLKEM768X25519AES256); err == nil {
		t.Error("a suite's id becomes an alias")
	}
	if err := RegisterAlias(84, 0xFFFF); err == nil {
		t.Error("an alias of nothing is registered")
	}
}

// TestWhatIsSealedHereOpensWithTheStandardLibrary holds the two HPKEs against
// each other: opening is always the standard library's.
func TestWhatIsSealedHereOpensWithTheStandardLibrary(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		private, public, err := s.generateKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 32, 1000} {
			context, text := make([]byte, size), bytes.Repeat([]byte{7}, size)
			to := s.sealer(encryptContext("label", context))
			for name, seal := range map[string]func() (hpkeCiphertext, error){
				"here":                 func() (hpkeCiphertext, error) { return to.seal(public, text) },
				"the standard library": func() (hpkeCiphertext, error) { return s.hpkeSeal(to.info, public, text) },
			} {
				ct, err := seal()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := s.decryptWithLabel(private, "label", context, ct)
				if err != nil || !bytes.Equal(got, text) {
					t.Errorf("sealed by %s, opened to %x, error %v", name, []byte(got), err)
				}
			}
		}
		for _, spoiled := range [][]byte{nil, public[:len(public)-1], append(bytes.Clone(public), 0)} {
			if _, err := s.encryptWithLabel(spoiled, nil, nil); err == nil {
				t.Errorf("sealed to a key of %d octets", len(spoiled))
			}
		}
	})
}
