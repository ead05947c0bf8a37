package mls

import "testing"

func TestPaddingHidesTheLengthOfAMessage(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{Padding: func(n int) int { return (n + 255) &^ 255 }})
	length := func(n int) int {
		m, err := r.clients[0].Encrypt(nil, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		return len(m)
	}
	short := length(1)
	if got := length(150); got != short {
		t.Errorf("a message of 150 octets is %d long, one of 1 octet %d", got, short)
	}
	if got := length(300); got != short+256 {
		t.Errorf("a message of 300 octets is %d long, want %d", got, short+256)
	}
	r.agree()
}
