package client

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// What is found by hand is what this expression finds.
func TestMentionsAreFoundWhereTheyAre(t *testing.T) {
	link := regexp.MustCompile(`\[@(?:[^\[\]\\\n]|\\.){0,256}\]\(mimi://([a-z2-7]+)/(?:u/([a-z2-7]+)|r/([0-9a-f]+))\)`)
	rapid.Check(t, func(rt *rapid.T) {
		text := ""
		for range rapid.IntRange(0, 12).Draw(rt, "parts") {
			text += rapid.SampledFrom([]string{
				"[@", "](", "mimi://abc/u/", "def", "mimi://abc/r/", "09", ")", "]", "[", `\`, "\n", "é", "x", "[@Bob](mimi://abc/u/def)", `[@B\]b](mimi://abc/u/ghi)`, "[@all](mimi://abc/r/09af)",
			}).Draw(rt, "part")
		}
		var want, got []mention
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			want = append(want, mention{network: m[1], user: m[2], room: m[3]})
		}
		for rest := text; ; {
			m, after, found := nextMention(rest)
			if !found {
				break
			}
			rest = after
			got = append(got, m)
		}
		if len(got) != len(want) {
			rt.Fatalf("in %q found %q; want %q", text, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				rt.Fatalf("in %q found %q; want %q", text, got, want)
			}
		}
	})
}
