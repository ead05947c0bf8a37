package mls

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The nonce of an ECDSA signature is that of RFC 6979, whose Appendix A has these
// keys and signatures: a broken source of randomness gives no key away.
func TestECDSANeedsNoRandomnessToSign(t *testing.T) {
	for _, c := range []struct {
		name          string
		scheme        ecdsaScheme
		private, r, s string
		message       string
	}{
		{"P-256", ecdsaP256, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
			"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
			"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8", "sample"},
		{"P-384", ecdsaP384, "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
			"94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
			"99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8", "sample"},
	} {
		t.Run(c.name, func(t *testing.T) {
			private, err := hex.DecodeString(c.private)
			if err != nil {
				t.Fatal(err)
			}
			sign, err := c.scheme.signingKey(private)
			if err != nil {
				t.Fatal(err)
			}
			got, err := sign(nil, [][]byte{[]byte(c.message)})
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{c.r, c.s} {
				if want, _ := hex.DecodeString(part); !bytes.Contains(got, want) {
					t.Errorf("the signature %x lacks %s", got, part)
				}
			}
		})
	}
}
