package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestOrdersToTheTerminalAreStripped(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                           "plain",
		"\x1b[2Jwiped":                    "[2Jwiped",
		"\x1b]0;title\x07name":            "]0;titlename",
		"\u009b31mred":                    "31mred",
		"back\b\bspace":                   "backspace",
		"del\x7f":                         "del",
		"invoice\u202egpj.exe":            "invoicegpj.exe",
		"\u2066isolate\u2069":             "isolate",
		"al\u200bice":                     "alice",
		"\ufeffbob":                       "bob",
		"two\nlines":                      "two lines",
		"fake\r\nsconce: prompt":          "fake sconce: prompt",
		"over\rwritten":                   "over written",
		"para\u2029graph":                 "para graph",
		"  spaces \t and tabs ":           "spaces and tabs",
		"no\xffutf8":                      "no\ufffdutf8",
		"👩\u200d🚀":                        "👩\u200d🚀",
		"می\u200cخواهم":                   "می\u200cخواهم",
		"🏴\U000e0067\U000e0062\U000e007f": "🏴\U000e0067\U000e0062\U000e007f",
		"שלום":                            "שלום",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q; want %q", in, got, want)
		}
	}
	if got, want := lines("a\r\nb\rc\u2028d\te"), "a\nb\nc\nd    e"; got != want {
		t.Errorf("lines = %q; want %q", got, want)
	}
}

func TestNothingThatSteersIsEverPrinted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(rt, "in")
		for _, out := range []string{oneLine(in), strings.ReplaceAll(lines(in), "\n", "")} {
			if !utf8.ValidString(out) {
				rt.Fatalf("%q is not UTF-8", out)
			}
			for _, r := range out {
				if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
					rt.Fatalf("%q holds %U", out, r)
				}
			}
		}
	})
}

func TestJSONIsSafeToPrintAndStaysTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.String().Draw(rt, "in") + "\u202e\u009b\x7f\U000e0067"
		b, err := safeJSON(map[string]string{"text": in})
		if err != nil {
			rt.Fatal(err)
		}
		for _, r := range string(b) {
			if isOrder(r) {
				rt.Fatalf("%q holds %U", b, r)
			}
		}
		var out map[string]string
		if err := json.Unmarshal(b, &out); err != nil || out["text"] != in {
			rt.Fatalf("read back %q, %v; want %q", out["text"], err, in)
		}
	})
}

func TestTableAlignsByWhatIsSeen(t *testing.T) {
	got := table([][]string{{"日本", "", "x"}, {"e\u0301", "", "y"}, {"name", ""}})
	want := "日本  x\ne\u0301     y\nname\n"
	if got != want {
		t.Fatalf("table =\n%q\nwant\n%q", got, want)
	}
}

func TestTimersReadAndWriteTheSame(t *testing.T) {
	for in, want := range map[string]int{"30s": 30, "10m": 600, "1h": 3600, "1h30m": 5400, "7d": 604800, "2w": 1209600, "off": 0, "0": 0, "366d": 31622400} {
		if got, err := parseTimer(in); got != want || err != nil {
			t.Errorf("parseTimer(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "1", "-1s", "500ms", "1.5s", "367d", "99999999d", "-1d", "d", "h", "soon", "1d12h"} {
		if got, err := parseTimer(in); err == nil {
			t.Errorf("parseTimer(%q) = %d; want an error", in, got)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 366*86400).Draw(rt, "n")
		if got, err := parseTimer(seconds(n)); got != n || err != nil {
			rt.Fatalf("parseTimer(%q) = %d, %v; want %d", seconds(n), got, err, n)
		}
	})
}
