package account_test

import (
	"strings"
	"testing"

	"sconce/api"
	"sconce/internal/duty"
	"sconce/internal/sqldb/sqldbtest"
)

// Whoever takes a name that looks just like another's is asked what was meant for
// that one.
func TestNamesThatLookTheSameAreOne(t *testing.T) {
	for _, tt := range []struct{ first, second string }{
		{"Zo\u00eb", "Zoe\u0308"},                      // the same letters, put together otherwise
		{"bob", "bo\u034fb"},                           // a joiner that draws nothing
		{"bob", "bob\ufe0f"}, {"bob", "bob\U000e0101"}, // variation selectors
		{"bob", "bob\u3164"}, {"bob", "\u115fbob"}, // fillers, which are letters
		{"bob", "\uff22ob"}, {"fi", "\ufb01"}, // wide letters, ligatures
	} {
		w := start(t, sqldbtest.SQLite(t))
		ada, bob := w.joined(t, tt.first), w.joined(t, "somebody")
		_, err := w.Rename(t.Context(), duty.Caller{User: bob}, &api.RenameRequest{Name: tt.second})
		wantCode(t, err, api.Conflict)
		got, err := w.People(t.Context(), local, &api.PeopleRequest{Query: tt.second})
		must(t, err)
		if len(got.People) != 1 || got.People[0].User != ada {
			t.Errorf("%q finds %d people, want the one called %q", tt.second, len(got.People), tt.first)
		}
	}
}

func TestNamesOfNothingAreRefused(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada := duty.Caller{User: w.joined(t, "ada")}
	for _, name := range []string{"\u3164", "\u2800", "\u034f\ufe0f", "a\u2800b"} {
		_, err := w.Rename(t.Context(), ada, &api.RenameRequest{Name: name})
		wantCode(t, err, api.Invalid)
	}
	_, err := w.Rename(t.Context(), ada, &api.RenameRequest{Name: strings.Repeat("\ufdfa", 40)}) // one letter of eighteen
	wantCode(t, err, api.TooLarge)
	_, err = w.Rename(t.Context(), ada, &api.RenameRequest{Name: "ada \u2764\ufe0f"})
	must(t, err)
}
