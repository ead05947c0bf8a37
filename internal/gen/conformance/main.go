// Command conformance writes docs/conformance.md: each rule of RFC 9420 and of
// draft-ietf-mls-extensions that package mls refuses to see broken, and the test
// that breaks it. Run it with "go generate ./mls"; it fails if a check has no
// test, or a test names a rule that no check has.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sconce/internal/gen/gosource"
)

const (
	page    = "docs/conformance.md"
	library = "mls"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := gosource.ModuleRoot()
	if err != nil {
		return err
	}
	s, err := scan(filepath.Join(root, library))
	if err != nil {
		return err
	}
	text, err := s.report()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, page), text, 0o644)
}
