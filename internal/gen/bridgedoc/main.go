// Command bridgedoc writes docs/bridge.md, the manual of the calls in package
// bridge, from their Go types and comments. Run it with "go generate
// ./client/bridge"; a test fails while the page is out of date.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sconce/internal/gen/gosource"
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
	root, err := gosource.ModuleRoot()
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
