package content

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestFrameKeepsPlaceAndMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Frame{Place: Place{Seq: rapid.Uint64().Draw(t, "seq")}, Message: drawBytes(t, "message", 40)}
		copy(f.Place.Hash[:], drawBytes(t, "hash", 32))
		got, err := ParseFrame(f.Bytes())
		if err != nil || got.Place != f.Place || !bytes.Equal(got.Message, f.Message) {
			t.Fatalf("got %v, %v; want %v", got, err, f)
		}
	})
}

func TestFrameOfAnotherVersionOrCutShortIsRefused(t *testing.T) {
	whole := Frame{}.Bytes()
	for n := range whole {
		if _, err := ParseFrame(whole[:n]); err == nil {
			t.Errorf("a frame of %d bytes was taken", n)
		}
	}
	if _, err := ParseFrame(append([]byte{2}, whole[1:]...)); err == nil {
		t.Error("a frame of version 2 was taken")
	}
}
