// Command bridgedoc writes docs/bridge.md, the manual of the calls in package
// bridge, from their Go types and comments. Run it with "go generate
// ./client/bridge"; a test fails while the page is out of date.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// page is where the manual goes, below the module's root.
const page = "docs/bridge.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bridgedoc:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	text, err := manual(root)
	if err != nil {
		return err
	}
	path := filepath.Join(root, page)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
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
