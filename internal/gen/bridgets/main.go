// Command bridgets writes web/src/core/bridge.gen.ts, the calls of package bridge
// as TypeScript types, from their Go types and comments. Run it with "go
// generate ./client/bridge"; a test fails while the file is out of date.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sconce/internal/gen/gosource"
)

// file is where the types go, below the module's root.
const file = "web/src/core/bridge.gen.ts"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bridgets:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := gosource.ModuleRoot()
	if err != nil {
		return err
	}
	text, err := types(root)
	if err != nil {
		return err
	}
	path := filepath.Join(root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
