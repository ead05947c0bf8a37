package mls

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

func init() {
	vectorTests["deserialization"] = func(t *testing.T) {
		for i, v := range vectorCases[struct {
			Header hexBytes `json:"vlbytes_header"`
			Length int
		}](t, "deserialization") {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				r := reader{b: v.Header}
				if got := r.length(); got != v.Length || r.done() != nil {
					t.Errorf("got %d, error %v, want %d", got, r.err, v.Length)
				}
				wantBytes(t, "header", appendLength(nil, v.Length), v.Header)
			})
		}
	}
}

func TestLengthsAreReadOnlyInTheirShortestForm(t *testing.T) {
	for _, c := range []struct {
		header []byte
		want   error
	}{
		{[]byte{0x40, 0x00}, errLength},
		{[]byte{0x40, 0x3f}, errLength},
		{[]byte{0x80, 0x00, 0x00, 0x00}, errLength},
		{[]byte{0x80, 0x00, 0x3f, 0xff}, errLength},
		{[]byte{0xc0, 0, 0, 0, 0, 0, 0, 0}, errLengthBits},
		{[]byte{0xff}, errLengthBits},
		{[]byte{}, errTruncated},
		{[]byte{0x40}, errTruncated},
		{[]byte{0x80, 0, 0x40}, errTruncated},
	} {
		r := reader{b: c.header}
		if r.length(); !errors.Is(r.err, c.want) {
			t.Errorf("%x: got %v, want %v", c.header, r.err, c.want)
		}
	}
}

func TestVectorsOfAnyLengthRoundTrip(t *testing.T) {
	edges := []int{0, 1, 62, 63, 64, 65, 16382, 16383, 16384, 16385}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.SampledFrom(edges), rapid.IntRange(0, 70000)).Draw(t, "length")
		v := bytes.Repeat([]byte{0xa5}, n)
		before := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "before")
		b := appendVec(bytes.Clone(before), v)
		nested := appendNested(bytes.Clone(before), func(b []byte) []byte { return append(b, v...) })
		if !bytes.Equal(b, nested) {
			t.Fatal("a nested vector is written in another way")
		}
		r := reader{b: b[len(before):]}
		if got := r.vec(); !bytes.Equal(got, v) || r.done() != nil {
			t.Fatalf("got %d octets, error %v", len(got), r.err)
		}
	})
}

func TestLongestVectorHasAHeader(t *testing.T) {
	wantBytes(t, "header", appendLength(nil, maxVector), []byte{0xbf, 0xff, 0xff, 0xff})
	defer func() {
		if recover() == nil {
			t.Error("a header was written for a vector of 2^30 octets")
		}
	}()
	appendLength(nil, maxVector+1)
}

func TestFirstErrorOfAReaderSticks(t *testing.T) {
	r := reader{b: []byte{0xff, 1, 2, 3}}
	r.vec()
	if v := r.u16(); v != 0 || r.more() || !errors.Is(r.done(), errLengthBits) {
		t.Errorf("after an error: read %d, error %v", v, r.err)
	}
}

func TestOptionalIsZeroOrOne(t *testing.T) {
	r := reader{b: []byte{2}}
	if r.optional() || r.done() == nil {
		t.Error("a presence octet of 2 was accepted")
	}
}

// hostileLengths is what an attacker writes where a length is expected.
var hostileLengths = [][]byte{
	{0x3f}, {0x40, 0x40}, {0x7f, 0xff}, {0x80, 0x00, 0x40, 0x00}, {0xbf, 0xff, 0xff, 0xff},
	{0xc0}, {0xff, 0xff, 0xff, 0xff}, {0x40, 0x01}, {0x80, 0x00, 0x00, 0x01},
}

func TestHostileLengthsInMessagesAreHarmless(t *testing.T) {
	for name, b := range sampleMessages(t) {
		for i := range b {
			for _, length := range hostileLengths {
				cut := append(bytes.Clone(b[:i]), length...)
				roundTripsIfItParses(t, name, cut)
				roundTripsIfItParses(t, name, append(cut, b[min(i+len(length), len(b)):]...))
			}
		}
	}
}

func TestTrailingBytesAreRefused(t *testing.T) {
	for name, b := range sampleMessages(t) {
		if _, err := ParseMessage(append(bytes.Clone(b), 0)); !errors.Is(err, errTrailing) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTruncatedMessagesAreRefused(t *testing.T) {
	for name, b := range sampleMessages(t) {
		for n := range b {
			if _, err := ParseMessage(b[:n]); err == nil {
				t.Errorf("%s: %d of %d octets parse", name, n, len(b))
			}
		}
	}
}

func roundTripsIfItParses(t *testing.T, name string, b []byte) {
	t.Helper()
	if got, err := marshalMessage(b); err == nil && !bytes.Equal(got, b) {
		t.Errorf("%s: %x is written back as %x", name, b, got)
	}
}

// TestParsingTakesMemoryInProportionToTheInput feeds lists of the smallest
// items there are, which grow most when parsed.
func TestParsingTakesMemoryInProportionToTheInput(t *testing.T) {
	const size = 1 << 18
	zeros := make([]byte, size)
	refs := bytes.Repeat([]byte{2, 0}, size/2) // ProposalRefs of no octets
	leaf := marshal(sampleLeaf())
	for name, parseIt := range map[string]func(){
		"path nodes": func() {
			parse(appendVec(bytes.Clone(leaf), zeros), "path", readUpdatePath)
		},
		"path secrets": func() {
			parse(appendVec(bytes.Clone(leaf), appendVec([]byte{0}, zeros)), "path", readUpdatePath)
		},
		"proposals":       func() { parse(append(appendVec(nil, refs), 0), "commit", readCommit) },
		"extensions":      func() { parse(appendVec(nil, zeros), "extensions", readExtensions) },
		"welcome secrets": func() { parse(append(appendVec([]byte{0, 1}, zeros), 0), "welcome", readWelcome) },
		"psk ids": func() {
			parse(appendVec([]byte{0, 0}, bytes.Repeat([]byte{1, 0, 0}, size/3)), "secrets", readGroupSecrets)
		},
		"huge length": func() { parse([]byte{0xbf, 0xff, 0xff, 0xff, 1, 2, 3}, "commit", readCommit) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parseIt()
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / size; got > 200 {
			t.Errorf("%s: %d octets allocated for each octet of input", name, got)
		}
	}
}
