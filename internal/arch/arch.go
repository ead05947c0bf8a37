// Package arch holds the shape of the repository as tests: which package may
// reach which, what the protocol's own files may touch, and what no file may
// say. Nothing imports it. To add an arrow, add a row to [Rules]; the tests of
// this package check it against what the go command lists.
//
// Every check is a function over a small value (a [Graph], one parsed file, one
// line of text), so that the tests can also plant a fault and see it caught.
package arch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// module is the path of the Go module that the rules speak of. Its packages are
// written as "./mls" in patterns, so that ours and the standard library's can
// never be mistaken for each other.
const module = "sconce"

// A Package is what the rules need to know of one package.
type Package struct {
	Path     string // import path; the standard library's copies start with vendor/
	Dir      string
	Standard bool // part of the Go distribution
	Imports  []string
}

// A Graph is packages by import path, closed under imports.
type Graph map[string]Package

// Load lists every package of the module at root and all they depend on, as
// they are built for goos ("" for this machine's). Packages that do not compile
// are in it as far as their imports can be read; that they do not compile is
// for the compiler to say.
func Load(ctx context.Context, root, goos string) (Graph, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-deps",
		"-json=ImportPath,Dir,Standard,Imports,ImportMap", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if goos != "" {
		cmd.Env = append(cmd.Env, "GOOS="+goos)
	}
	if goos == "js" {
		cmd.Env = append(cmd.Env, "GOARCH=wasm")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w: %s", err, stderr.String())
	}
	return decode(out)
}

func decode(out []byte) (Graph, error) {
	g := make(Graph)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir string
			Standard        bool
			Imports         []string
			ImportMap       map[string]string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return g, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading the list of packages: %w", err)
		}
		for i, path := range p.Imports {
			if real, ok := p.ImportMap[path]; ok {
				p.Imports[i] = real
			}
		}
		slices.Sort(p.Imports) // the same chain is reported every time
		g[p.ImportPath] = Package{Path: p.ImportPath, Dir: p.Dir, Standard: p.Standard, Imports: p.Imports}
	}
}

// matching returns the paths of the packages that match any of the patterns,
// sorted.
func (g Graph) matching(patterns ...string) []string {
	var paths []string
	for path, p := range g {
		if matches(p, patterns) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// walk visits every package that the package from reaches, nearest first, with
// the shortest chain of imports that leads to it, both ends included. Where
// visit returns false it does not look further behind that package.
func (g Graph) walk(from string, visit func(p Package, chain []string) bool) {
	seen := map[string]bool{from: true}
	for queue := [][]string{{from}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		for _, next := range g[chain[len(chain)-1]].Imports {
			if seen[next] {
				continue
			}
			seen[next] = true
			p, ok := g[next]
			if !ok { // "C" is in no list
				p = Package{Path: next, Standard: true}
			}
			if longer := append(slices.Clip(chain), next); visit(p, longer) {
				queue = append(queue, longer)
			}
		}
	}
}

// matches tells whether a package matches any of the patterns: "./..." is all of
// ours, "./mls" one of them, "./server/..." one and what is below it, "std" the
// standard library, "..." everything, and anything else an import path, which
// may end in "/..." too.
func matches(p Package, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		switch pattern {
		case "...":
			return true
		case "std":
			return p.Standard
		}
		if rest, ours := strings.CutPrefix(pattern, "./"); ours {
			pattern = module + "/" + rest
		}
		if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
			return p.Path == tree || strings.HasPrefix(p.Path, tree+"/")
		}
		return p.Path == pattern
	})
}
