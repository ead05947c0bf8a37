package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sconce/internal/gen/gosource"
)

func TestPageIsUpToDate(t *testing.T) {
	root, err := gosource.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	s, err := scan(filepath.Join(root, library))
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.report()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run make generate", page)
	}
}

// sources is a library with two rules, and what tests there are.
func sources(t *testing.T, tests string) (*source, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.go": `package p
const draft = "draft-ietf-x Part"
func f() error { return invalid("12.2", "leaf %d is blank", 1) }
func g() error { return invalid(draft, "not in order") }`,
		"a_test.go": "package p\n" + tests,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return scan(dir)
}

const bothTested = `
// RFC 9420, Section 9.2: used keys are erased.
func TestKeys(t *testing.T) {}
func TestRules(t *testing.T) {
	_ = []row{{"a blank leaf", "12.2", "leaf 7 is blank", nil}}
	refused(draft, "order")
}`

func TestReportNamesEachRuleAndItsTest(t *testing.T) {
	s, err := sources(t, bothTested)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.report()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 12.2 | leaf … is blank | `f` | `TestRules/a_blank_leaf` |",
		"| draft-ietf-x Part | not in order | `g` | `TestRules` |",
		"| 9.2 | `TestKeys` |",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page lacks %s:\n%s", want, b)
		}
	}
}

func TestRuleWithoutATestIsAnError(t *testing.T) {
	s, err := sources(t, `func TestRules(t *testing.T) { refused("12.2", "is blank") }`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.report(); err == nil || !strings.Contains(err.Error(), "not in order (g)") {
		t.Errorf("got %v", err)
	}
}

func TestTestOfNoRuleIsAnError(t *testing.T) {
	if _, err := sources(t, bothTested+"\nfunc TestMore(t *testing.T) { refused(\"12.2\", \"something else\") }"); err == nil {
		t.Error("a rule that is not there is tested")
	}
}
