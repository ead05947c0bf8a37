package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const intro = `<!-- Made by internal/gen/conformance from the sources and tests of mls: run "make generate". -->

# Conformance

Each rule of RFC 9420 and of draft-ietf-mls-extensions whose breach package ` + "`mls`" + ` refuses, by the section that the error
names; the functions that check it; and the tests, in ` + "`mls/`" + `, that break this rule and nothing else. %d rules, and none
without a test: the generator fails otherwise.

`

// report writes the page, or says which checks no test breaks.
func (s *source) report() ([]byte, error) {
	var untested []string
	for _, c := range s.checks {
		if len(c.tests) == 0 {
			untested = append(untested, fmt.Sprintf("Section %s: %s (%s)", c.section, c.rule, strings.Join(c.places, ", ")))
		}
	}
	if len(untested) > 0 {
		return nil, fmt.Errorf("no test breaks these %d rules:\n  %s", len(untested), strings.Join(untested, "\n  "))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, intro, len(s.checks))
	b.WriteString("| Section | Refused | Checked in | Broken by |\n| --- | --- | --- | --- |\n")
	for _, c := range s.checks {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.section, cell(c.rule), code(c.places), code(c.tests))
	}
	b.WriteString("\n## What is done rather than refused\n\nTests whose comment cites the section that they hold the library to.\n\n")
	b.WriteString("| Section | Test |\n| --- | --- |\n")
	slices.SortStableFunc(s.behaviours, func(x, y behaviour) int { return compareSections(x.section, y.section) })
	for _, t := range slices.Compact(s.behaviours) {
		fmt.Fprintf(&b, "| %s | `%s` |\n", t.section, t.test)
	}
	return b.Bytes(), nil
}

// cell shows a format as a reader takes it.
func cell(rule string) string {
	return strings.ReplaceAll(formatVerb.ReplaceAllString(rule, "…"), "|", `\|`)
}

var formatVerb = regexp.MustCompile(`%[#0-9]*[a-z]`)

func code(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + n + "`"
	}
	return strings.Join(out, ", ")
}
