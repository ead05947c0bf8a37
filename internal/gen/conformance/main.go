// Command conformance writes docs/conformance.md: each rule of RFC 9420 and of
// draft-ietf-mls-extensions that package mls refuses to see broken, and the test
// that breaks it. Run it with "go generate ./mls"; it fails if a check has no
// test, or a test names a rule that no check has.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	root, err := moduleRoot()
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

// moduleRoot finds the folder of go.mod, from the working directory upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = parent
	}
}
