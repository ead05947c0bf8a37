package mls

import (
	"crypto/hkdf"
	"crypto/hmac"
	"testing"

	"pgregory.net/rapid"
)

// TestDerivationIsTheStandardLibrarys holds HMAC and HKDF as they are written
// here against those of the standard library.
func TestDerivationIsTheStandardLibrarys(t *testing.T) {
	for _, id := range []CipherSuite{X25519AES128, P384AES256, P521AES256} { // one of each hash
		s := mustSuite(t, id)
		rapid.Check(t, func(t *rapid.T) {
			octets := func(label string, most int) []byte {
				return rapid.SliceOfN(rapid.Byte(), 0, most).Draw(t, label)
			}
			key, one, two := octets("key", 300), octets("one", 700), octets("two", 50)
			h := hmac.New(s.newHash, key)
			h.Write(one)
			h.Write(two)
			wantBytes(t, "HMAC", s.appendHMAC(nil, key, one, two), h.Sum(nil))

			prk, err := hkdf.Extract(s.newHash, one, key)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "HKDF-Extract", s.extract(key, one), prk)

			got := make([]byte, rapid.IntRange(1, 255*s.nh).Draw(t, "length"))
			s.expandInto(got, prk, two)
			want, err := hkdf.Expand(s.newHash, prk, string(two), len(got))
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "HKDF-Expand", got, want)
		})
	}
}
