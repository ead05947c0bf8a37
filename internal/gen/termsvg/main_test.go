package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestPictureHoldsTextAndColours(t *testing.T) {
	var out bytes.Buffer
	if err := run(strings.NewReader("a\x1b[1;38;2;232;174;85mbold <&>\x1b[0m 日本\n\x1b[7mturned\x1b[0m\n"), &out); err != nil {
		t.Fatal(err)
	}
	svg := out.String()
	for _, want := range []string{
		`<text x="23" y="28" textLength="72" lengthAdjust="spacingAndGlyphs" fill="#E8AE55" font-weight="bold" xml:space="preserve">bold &lt;&amp;&gt;</text>`,
		` 日本</text>`, // five columns wide
		`textLength="45"`,
		`<rect x="14" y="33" width="54" height="19" fill="#D6DAE0"/>`,
		`fill="#15181D" xml:space="preserve">turned</text>`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in\n%s", want, svg)
		}
	}
}
