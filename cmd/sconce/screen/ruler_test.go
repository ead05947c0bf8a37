package screen

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"sconce/cmd/sconce/plain"
)

func TestTextIsWrappedBetweenWords(t *testing.T) {
	r := ruler{ansi.WcWidth}
	for in, want := range map[string][]string{
		"":                   {""},
		"one two three":      {"one two", "three"},
		"exactly8 x":         {"exactly8", "x"},
		"  - indented item":  {"  -", "indented", "item"},
		"verylongwordhere":   {"verylong", "wordhere"},
		"a verylongwordhere": {"a", "verylong", "wordhere"},
		"日本語日本語":             {"日本語日", "本語"},
		"a\n\nb":             {"a", "", "b"},
	} {
		if got := r.wrap(in, 8); !slices.Equal(got, want) {
			t.Errorf("wrap(%q) = %q; want %q", in, got, want)
		}
	}
}

// However a text is cut, the parts are as wide as they should be, and nothing is
// lost by wrapping but spaces.
func TestPartsAreAsWideAsAsked(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := ruler{rapid.SampledFrom([]ansi.Method{ansi.WcWidth, ansi.GraphemeWidth}).Draw(rt, "method")}
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"👨‍👩‍👧‍👦", "日本", "e\u0301", " ", "word", "❤\ufe0f", "1\ufe0f\u20e3"}), rapid.String()), 0, 12).Draw(rt, "text")
		text := plain.Lines(strings.Join(parts, ""))
		line, width := plain.Line(text), rapid.IntRange(16, 40).Draw(rt, "width")
		if w := r.width(r.fit(line, width)); w != width {
			rt.Fatalf("fit gives %d columns; want %d", w, width)
		}
		if all := r.width(line); all > width {
			if w := r.width(r.right(line, width)); w != all-width {
				rt.Fatalf("right of %d of %d columns has %d", width, all, w)
			}
		}
		var kept strings.Builder
		for _, l := range r.wrap(text, width) {
			if w := r.width(l); w > width {
				rt.Fatalf("a line has %d columns; want at most %d: %q", w, width, l)
			}
			kept.WriteString(l)
		}
		squeeze := strings.NewReplacer(" ", "", "\n", "")
		if got, want := squeeze.Replace(kept.String()), squeeze.Replace(text); got != want {
			rt.Fatalf("of %q is left %q", want, got)
		}
	})
}
