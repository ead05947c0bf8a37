package main

import "testing"

func TestTableAlignsByWhatIsSeen(t *testing.T) {
	got := table([][]string{{"日本", "", "x"}, {"e\u0301", "", "y"}, {"name", ""}})
	want := "日本  x\ne\u0301     y\nname\n"
	if got != want {
		t.Fatalf("table =\n%q\nwant\n%q", got, want)
	}
}
