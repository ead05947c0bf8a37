package browsertest_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sconce/internal/browsertest"
)

// packageSizes builds the core with its names and adds up the code of each
// package, the largest first.
func packageSizes(t *testing.T, root string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "named.wasm")
	cmd := exec.Command("go", "build", "-o", file, "./cmd/sconce-wasm")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := codeSizes(module)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) }) {
		lines = append(lines, fmt.Sprintf("%9d %s", sizes[name], name))
	}
	return lines
}

// wasm reads a module (WebAssembly Core Specification, Section 5); failed keeps
// the first error.
type wasm struct {
	b      []byte
	failed error
}

func (w *wasm) number() int {
	v, n := binary.Uvarint(w.b)
	if n <= 0 || v > 1<<32 {
		w.failed = cmp.Or(w.failed, errors.New("not a number"))
		return 0
	}
	w.b = w.b[n:]
	return int(v)
}

func (w *wasm) bytes() []byte {
	n := w.number()
	if n > len(w.b) {
		w.failed = cmp.Or(w.failed, errors.New("cut off"))
		n = len(w.b)
	}
	b := w.b[:n]
	w.b = w.b[n:]
	return b
}

const (
	customSection, importSection, codeSection = 0, 2, 10

	functionNames = 1 // of the custom section "name"
)

// codeSizes adds up the bodies of functions by package.
func codeSizes(module []byte) (map[string]int, error) {
	if len(module) < 8 {
		return nil, errors.New("no WASM module")
	}
	var bodies []int
	var names map[int]string
	imported := 0
	w := &wasm{b: module[8:]}
	for len(w.b) > 0 && w.failed == nil {
		id := w.b[0]
		w.b = w.b[1:]
		s := &wasm{b: w.bytes()}
		switch id {
		case importSection:
			imported = s.number() // Go imports functions and nothing else
		case codeSection:
			for range s.number() {
				bodies = append(bodies, len(s.bytes()))
			}
		case customSection:
			if string(s.bytes()) == "name" {
				names = s.functions()
			}
		}
		w.failed = cmp.Or(w.failed, s.failed)
	}
	sizes := map[string]int{}
	for i, size := range bodies {
		sizes[packageOf(names[imported+i])] += size
	}
	if len(sizes) < 2 {
		return nil, errors.Join(w.failed, errors.New("no names of functions"))
	}
	return sizes, w.failed
}

func (w *wasm) functions() map[int]string {
	names := map[int]string{}
	for len(w.b) > 0 && w.failed == nil {
		id := w.b[0]
		w.b = w.b[1:]
		s := &wasm{b: w.bytes()}
		if id != functionNames {
			continue
		}
		for range s.number() {
			i := s.number()
			names[i] = string(s.bytes())
		}
		w.failed = cmp.Or(w.failed, s.failed)
	}
	return names
}

// packageOf is the package in a name such as sconce_client.(*Vault).Get or
// github.com_x_y.F: Go writes slashes as underscores here. Of hosts, one dot
// belongs to the path.
func packageOf(name string) string {
	name, _, _ = strings.Cut(name, "[") // of what a generic function is made for
	pkg, rest, _ := strings.Cut(name, ".")
	if slices.Contains([]string{"github", "golang", "filippo", "vendor_golang"}, pkg) {
		next, _, _ := strings.Cut(rest, ".")
		pkg += "." + next
	}
	return pkg
}

func TestCodeIsAddedUpByPackage(t *testing.T) {
	lines := packageSizes(t, browsertest.Root(t))
	if len(lines) < 50 || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, " sconce_client") }) {
		t.Errorf("%d packages:\n%s", len(lines), strings.Join(lines[:min(len(lines), 40)], "\n"))
	}
	t.Log(strings.Join(lines[:min(len(lines), 30)], "\n"))
}
