package client

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// What is found by hand is what this expression finds.
func TestMentionsAreFoundWhereTheyAre(t *testing.T) {
	link := regexp.MustCompile(`\[@(?:[^\[\]\\\n]|\\.){0,256}\]\((mimi://[a-z2-7]+/u/)([a-z2-7]+)\)`)
	rapid.Check(t, func(rt *rapid.T) {
		text := ""
		for range rapid.IntRange(0, 12).Draw(rt, "parts") {
			text += rapid.SampledFrom([]string{
				"[@", "](", "mimi://abc/u/", "def", ")", "]", "[", `\`, "\n", "é", "x", "[@Bob](mimi://abc/u/def)", `[@B\]b](mimi://abc/u/ghi)`,
			}).Draw(rt, "part")
		}
		var want, got [][2]string
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			want = append(want, [2]string{m[1], m[2]})
		}
		for rest := text; ; {
			prefix, user, after, found := nextMention(rest)
			if !found {
				break
			}
			rest = after
			got = append(got, [2]string{prefix, user})
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
