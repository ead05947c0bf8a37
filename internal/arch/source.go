package arch

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pure is the packages that are bytes in, bytes out: no disk, no socket, no
// clock, no log. What they reach among our own packages is held to the same.
var pure = []string{"./mls", "./identity", "./content", "./policy", "./room"}

// outside is what a pure package may not import. Of net it may have the two
// packages that only parse.
var (
	outside       = []string{"net/...", "os/...", "log/...", "syscall/...", "golang.org/x/sys/..."}
	outsideExcept = []string{"net/netip", "net/url", "log/slog"}
)

// Of some packages that it may import, a pure package may take only a part: of
// log/slog the types by which a secret refuses to be printed, and of time
// anything that does not read or wait for the clock.
var (
	slogAllowed   = []string{"Value", "LogValuer", "StringValue"}
	timeForbidden = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
)

// ours returns the chains of imports from a package to each of our own that it
// reaches, itself first.
func ours(g Graph, from string) [][]string {
	chains := [][]string{{from}}
	g.walk(from, func(p Package, chain []string) bool {
		own := matches(p, []string{"./..."})
		if own {
			chains = append(chains, chain)
		}
		return own
	})
	return chains
}

// Impurities returns what keeps a file from being pure, each with its place.
func Impurities(fset *token.FileSet, file *ast.File) []string {
	var found []string
	report := func(at token.Pos, format string, args ...any) {
		found = append(found, fmt.Sprintf("%s: %s", fset.Position(at), fmt.Sprintf(format, args...)))
	}

	names := make(map[string]string) // of watched imports in this file, to their paths
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			report(spec.Pos(), "imports %s, which cannot be read", spec.Path.Value)
			continue
		}
		p := Package{Path: imported}
		if matches(p, outside) && !matches(p, outsideExcept) {
			report(spec.Pos(), "imports %s", imported)
		}
		if imported != "time" && imported != "log/slog" {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			report(spec.Pos(), "imports %s without a name, so its uses cannot be told", imported)
		}
		names[name] = imported
	}

	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		name, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		switch used := selector.Sel.Name; names[name.Name] {
		case "time":
			if slices.Contains(timeForbidden, used) {
				report(selector.Pos(), "uses time.%s: time is passed in", used)
			}
		case "log/slog":
			if !slices.Contains(slogAllowed, used) {
				report(selector.Pos(), "uses slog.%s: only a secret's LogValue may name slog", used)
			}
		}
		return true
	})
	return found
}

// parseDir parses every Go file of a folder for every system, without the tests
// and without programs that only a go:generate line runs.
func parseDir(fset *token.FileSet, dir string, mode parser.Mode) ([]*ast.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(string(text), "//go:build ignore") {
			continue
		}
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), text, mode)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// DocFaults says what is wrong with the package comment of the files of one
// folder, or "" when exactly one file has it and it opens as it should.
func DocFaults(files []*ast.File) string {
	docs := make(map[string][]string) // package name to the comments found
	for _, f := range files {
		docs[f.Name.Name] = append(docs[f.Name.Name], f.Doc.Text()) // "" for a bare directive
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		comments := slices.DeleteFunc(docs[name], func(s string) bool { return s == "" })
		switch {
		case len(comments) == 0:
			faults = append(faults, fmt.Sprintf("package %s has no package comment", name))
		case len(comments) > 1:
			faults = append(faults, fmt.Sprintf("package %s has %d package comments", name, len(comments)))
		case name != "main" && !strings.HasPrefix(comments[0], "Package "+name+" "):
			faults = append(faults, fmt.Sprintf("the comment of package %s does not open with its name", name))
		}
	}
	return strings.Join(faults, "; ")
}

// packageDirs returns the folders below root that hold a package of this
// module, for any system.
func packageDirs(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return vanished(err)
		}
		name := d.Name()
		if p != root {
			_, err := os.Stat(filepath.Join(p, "go.mod"))
			if err == nil || name == "testdata" || skipDir(root, p) || name[0] == '_' || name[0] == '.' {
				return fs.SkipDir
			}
		}
		sources, err := filepath.Glob(filepath.Join(p, "*.go"))
		if len(sources) > 0 {
			dirs = append(dirs, p)
		}
		return err
	})
	return dirs, err
}

// script finds the modules that a TypeScript file names, in any of the ways it
// can: import and export from, import for effect, import(), new URL().
var script = regexp.MustCompile(`(?:\bfrom|\bimport|\bimport\s*\(|\bURL\s*\()\s*["']([^"']+)["']`)

// ScriptImports returns the paths, from the repository's root, of our own
// modules that a TypeScript file at the path file imports. "@/" is web/src.
func ScriptImports(file, text string) []string {
	var found []string
	for _, m := range script.FindAllStringSubmatch(text, -1) {
		switch name := m[1]; {
		case strings.HasPrefix(name, "."):
			found = append(found, path.Join(path.Dir(file), name))
		case strings.HasPrefix(name, "@/"):
			found = append(found, path.Join("web/src", name[len("@/"):]))
		}
	}
	return found
}

// vanished forgets that a file went away between the listing and the look: an
// editor's temporary file is no fault of the tree.
func vanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
