package main

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesMeanWhatTheySay(t *testing.T) {
	all := []called{
		{name: "Bob", id: "aaaa1111"}, {name: "Bobby", id: "aaaa2222"}, {name: "bob", id: "bbbb0000"},
		{name: "Team Red", id: "cccc0000"}, {name: "Team Blue", id: "cccc1111"}, {name: "twin", id: "dddd0000"}, {name: "twin", id: "dddd1111"},
	}
	for text, want := range map[string]string{
		"Bob": "aaaa1111", "bob": "bbbb0000", "Bobby": "aaaa2222", "bobb": "aaaa2222", "team b": "cccc1111", "TEAM RED": "cccc0000",
		"bbbb": "bbbb0000", "aaaa2": "aaaa2222", "dddd1111": "dddd1111", " Bobby ": "aaaa2222",
	} {
		i, err := pick("person", text, all)
		if err != nil || all[i].id != want {
			t.Errorf("pick(%q) = %d, %v; want %s", text, i, err, want)
		}
	}
	for text, want := range map[string]string{
		"BOB":  `"BOB" could be any of: Bob (aaaa1111), bob (bbbb0000)`,
		"twin": `"twin" could be any of: twin (dddd0000), twin (dddd1111)`,
		"Team": `"Team" could be any of: Team Red (cccc0000), Team Blue (cccc1111)`,
		"aaaa": `"aaaa" could be any of: Bob (aaaa1111), Bobby (aaaa2222)`,
		"Eve":  `there is no person "Eve" here`,
		"aaa":  `there is no person "aaa" here`,
		"":     `there is no person "" here`,
	} {
		if _, err := pick("person", text, all); err == nil || err.Error() != want {
			t.Errorf("pick(%q) = %v; want %s", text, err, want)
		}
	}
}

func TestLongListsOfCandidatesAreCut(t *testing.T) {
	all := make([]called, 25)
	for i := range all {
		all[i] = called{name: "x", id: "y"}
	}
	if _, err := pick("person", "x", all); err == nil || !strings.HasSuffix(err.Error(), "and 15 more") {
		t.Fatalf("pick = %v; want 10 candidates and 15 more", err)
	}
}

// Whatever is in the list, pick never chooses between two that fit equally, and
// an exact name that is there once is always found.
func TestPickNeverGuesses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching("[abAB]{1,3}"), 1, 8).Draw(rt, "names")
		all := make([]called, len(names))
		times := map[string]int{}
		for i, n := range names {
			all[i] = called{name: n, id: strings.Repeat("z", i+4)}
			times[n]++
		}
		text := rapid.StringMatching("[abAB]{1,3}").Draw(rt, "text")
		i, err := pick("thing", text, all)
		switch {
		case times[text] == 1 && (err != nil || all[i].name != text):
			rt.Fatalf("pick(%q) of %q = %d, %v", text, names, i, err)
		case times[text] > 1:
			if _, ok := errors.AsType[*ambiguousError](err); !ok {
				rt.Fatalf("pick(%q) of %q = %d, %v; want it to be ambiguous", text, names, i, err)
			}
		case err == nil && !strings.HasPrefix(strings.ToLower(all[i].name), strings.ToLower(text)):
			rt.Fatalf("pick(%q) of %q = %q", text, names, all[i].name)
		}
	})
}
