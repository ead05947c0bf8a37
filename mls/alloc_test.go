package mls

import (
	"crypto/fips140"
	"slices"
	"testing"
)

// mostAllocations is what a message may cost each side in allocations, but for
// those that the standard library makes inside a signature.
const mostAllocations = 6

// TestMessagesTakeFewAllocations: what is left are an AEAD of two pieces for
// the message and one for its sender data, and what is handed out.
func TestMessagesTakeFewAllocations(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("HKDF is the FIPS module's, which allocates more")
	}
	if wipes {
		t.Skip("runtime/secret keeps track of what is allocated")
	}
	eachSuite(t, func(t *testing.T, s *suite) {
		sign, verify := signatureAllocations(t, s)
		r := newRoom(t, s.id, 2, Config{Padding: func(n int) int { return (n + 255) &^ 255 }})
		from, to := r.clients[0], r.clients[1]
		text, aad := make([]byte, 256), []byte("authenticated")
		const runs = 20
		encrypt := func() *Message {
			b, err := from.Encrypt(aad, text)
			if err != nil {
				t.Fatal(err)
			}
			m, err := ParseMessage(b)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		decrypt := func(m *Message) {
			if _, err := to.Process(m, now); err != nil {
				t.Fatal(err)
			}
		}
		decrypt(encrypt()) // the ratchets begin
		var messages []*Message
		for range runs + 1 {
			messages = append(messages, encrypt())
		}
		encoded := messages[0].Bytes()
		parse := testing.AllocsPerRun(runs, func() {
			if _, err := ParseMessage(encoded); err != nil {
				t.Fatal(err)
			}
		})
		if parse > 2 {
			t.Errorf("parsing takes %v allocations, want 2", parse)
		}
		if got := testing.AllocsPerRun(runs, func() { encrypt() }) - parse - sign; got > mostAllocations {
			t.Errorf("encrypting takes %v allocations beside the %v of the signature, want %d", got, sign, mostAllocations)
		}
		if got := testing.AllocsPerRun(runs, func() {
			decrypt(messages[0])
			messages = messages[1:]
		}) - verify; got > mostAllocations {
			t.Errorf("decrypting takes %v allocations beside the %v of the signature, want %d", got, verify, mostAllocations)
		}
	})
}

// signatureAllocations counts what the bare signature takes.
func signatureAllocations(t *testing.T, s *suite) (sign, verify float64) {
	private, public, err := s.sig.generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.sig.signingKey(private)
	if err != nil {
		t.Fatal(err)
	}
	message, out := [][]byte{make([]byte, 300)}, make([]byte, 0, 8192)
	signature, err := k(nil, message)
	if err != nil {
		t.Fatal(err)
	}
	signature = slices.Clone(signature)
	sign = testing.AllocsPerRun(20, func() {
		if _, err := k(out, message); err != nil {
			t.Fatal(err)
		}
	})
	return sign, testing.AllocsPerRun(20, func() {
		if !s.sig.verify(public, message, signature) {
			t.Fatal("the signature does not verify")
		}
	})
}
