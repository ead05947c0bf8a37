package content

import (
	"bytes"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	m := Reply(ID{1}, "See you at nine")
	for b.Loop() {
		if _, err := m.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	raw, err := Reply(ID{1}, "See you at nine").Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// The worst that a sender can make a receiver do: a message full of floats.
func BenchmarkDecodeHostile(b *testing.B) {
	count := MaxMessage/3 - 100
	floats := append([]byte{0x9a, 0, byte(count >> 16), byte(count >> 8), byte(count)}, bytes.Repeat([]byte{0xf9, 0x3e, 0}, count)...)
	raw := extension([]byte{0x20}, floats)
	for b.Loop() {
		if _, err := Decode(raw); err == nil {
			b.Fatal("decoded")
		}
	}
}
