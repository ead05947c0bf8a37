package plain

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sconce/client"
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
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q; want %q", in, got, want)
		}
	}
	if got, want := Lines("a\r\nb\rc\u2028d\te"), "a\nb\nc\nd    e"; got != want {
		t.Errorf("Lines = %q; want %q", got, want)
	}
}

func TestNothingThatSteersIsEverPrinted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(rt, "in")
		for _, out := range []string{Line(in), strings.ReplaceAll(Lines(in), "\n", "")} {
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
		b, err := JSON(map[string]string{"text": in})
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

func TestTimersReadAndWriteTheSame(t *testing.T) {
	for in, want := range map[string]int{"30s": 30, "10m": 600, "1h": 3600, "1h30m": 5400, "7d": 604800, "2w": 1209600, "off": 0, "0": 0, "366d": 31622400} {
		if got, err := ParseTimer(in); got != want || err != nil {
			t.Errorf("ParseTimer(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "1", "-1s", "500ms", "1.5s", "367d", "99999999d", "-1d", "d", "h", "soon", "1d12h"} {
		if got, err := ParseTimer(in); err == nil {
			t.Errorf("ParseTimer(%q) = %d; want an error", in, got)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 366*86400).Draw(rt, "n")
		if got, err := ParseTimer(Timer(n)); got != n || err != nil {
			rt.Fatalf("ParseTimer(%q) = %d, %v; want %d", Timer(n), got, err, n)
		}
	})
}

func TestStackedMarksEndSomewhere(t *testing.T) {
	got := Line("a" + strings.Repeat("\u0301", 1<<20) + "b")
	if want := "a" + strings.Repeat("\u0301", mostStacked) + "b"; got != want {
		t.Errorf("of a letter with a million accents %d bytes are left; want %d", len(got), len(want))
	}
}

// Every text in every view is made safe, fields that come later too.
func TestViewsComeOutSafe(t *testing.T) {
	hostile := "a\x1b]52;c;ZXZpbA==\x07\u202eb\nc"
	fill := func(v any) {
		b, err := json.Marshal(hostile)
		if err != nil {
			t.Fatal(err)
		}
		set(reflect.ValueOf(v).Elem(), string(b))
	}
	var event client.Event
	fill(&event)
	before := event.Message.Text
	safe := All(event)
	if text := safe.Message.Text; text != "a]52;c;ZXZpbA==b\nc" {
		t.Errorf("the text is %q", text)
	}
	if event.Message.Text != before {
		t.Error("the view that was passed in was changed")
	}
	b, err := json.Marshal(safe)
	if err != nil {
		t.Fatal(err)
	}
	if at := strings.Index(strings.ReplaceAll(string(b), `b\nc`, ""), `\`); at >= 0 || strings.Contains(string(b), "\u202e") {
		t.Errorf("there is an order left in %s", b)
	}
}

// set writes a text into every field there is.
func set(v reflect.Value, quoted string) {
	switch v.Kind() {
	case reflect.String:
		var text string
		_ = json.Unmarshal([]byte(quoted), &text)
		v.SetString(text)
	case reflect.Struct:
		for _, field := range v.Fields() {
			set(field, quoted)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			set(v.Index(i), quoted)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(v.Elem(), quoted)
	}
}
