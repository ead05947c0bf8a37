// Testreport reads what `go test -json` prints and prints what `go test` would,
// then every test that was skipped with its reason, then the counts:
//
//	go test -json ./... | go run ./scripts/testreport
//
// `go test` alone keeps quiet about skips, and a test that never runs looks like
// one that passes.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	err := report(out, os.Stdin)
	if err := errors.Join(err, out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

// An event is one line of `go test -json` (see `go doc cmd/test2json`).
type event struct {
	Action  string
	Package string
	Test    string // "" for the package as a whole
	Output  string
}

// A test names one test of one package.
type test struct{ pkg, name string }

// A run is what is known so far.
type run struct {
	out    *bufio.Writer
	output map[test][]string // of what has not ended yet
	order  map[string][]test // by package, tests in the order they began to print

	passed, failed int
	skipped        []string
}

// report copies a test run from in to out. The verdict is not its business: go
// test has an exit status for that.
func report(out *bufio.Writer, in io.Reader) error {
	r := &run{out: out, output: make(map[test][]string), order: make(map[string][]test)}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
	}
	r.summary()
	return nil
}

func (r *run) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		r.print(line) // the go command's own words
		return
	}
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		r.print(e.Output)
	case "output":
		if _, known := r.output[t]; !known {
			r.order[t.pkg] = append(r.order[t.pkg], t)
		}
		r.output[t] = append(r.output[t], e.Output)
	case "pass", "fail", "skip":
		if t.name == "" {
			r.packageEnds(t.pkg, e.Action)
			// Somebody may be watching.
			r.out.Flush()
			return
		}
		r.testEnds(t, e.Action)
	}
}

func (r *run) testEnds(t test, action string) {
	switch action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.print(said(r.output[t])...)
	case "skip":
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", t.pkg, t.name, reason(r.output[t])))
	}
	r.output[t] = nil // known, with nothing left to say
}

func (r *run) packageEnds(pkg, action string) {
	for _, t := range r.order[pkg] {
		// A test that did not end was cut short, by a panic or the time limit.
		if t.name != "" && action == "fail" {
			r.print(said(r.output[t])...)
		}
		if t.name != "" {
			delete(r.output, t)
		}
	}
	for _, line := range r.output[test{pkg, ""}] {
		if line != "PASS\n" {
			r.print(line)
		}
	}
	delete(r.output, test{pkg, ""})
	delete(r.order, pkg)
}

func (r *run) summary() {
	for i, s := range r.skipped {
		if i == 0 {
			r.print("\nskipped:\n")
		}
		r.print("  " + s + "\n")
	}
	r.print(fmt.Sprintf("\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped)))
}

// print writes lines as they are. bufio.Writer keeps the first error until Flush.
func (r *run) print(lines ...string) {
	for _, line := range lines {
		r.out.WriteString(line)
	}
}

// said leaves out the lines by which `go test -v` tells when a test begins.
func said(output []string) []string {
	var kept []string
	for _, line := range output {
		if !strings.HasPrefix(line, "=== ") {
			kept = append(kept, line)
		}
	}
	return kept
}

// reason is what a skipped test said, on one line.
func reason(output []string) string {
	var words []string
	for _, line := range said(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--- SKIP") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}
