package mls

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Secrets are compared in constant time: by [Secret.Equal], or as tags by
// hmac.Equal. The compiler cannot say so; the tests here read the package with
// its types, and look at every other way in which a secret's octets could
// decide how long something takes.

// source is Go source with its types.
type source struct {
	set   *token.FileSet
	files []*ast.File
	info  *types.Info
	pkg   *types.Package
}

// compiled lists the compiled form of what this package imports, by import path,
// and its own sources.
var compiled = sync.OnceValue(func() (c struct {
	exports map[string]string
	sources []string
	err     error
}) {
	list := func(args ...string) string {
		out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
		c.err = errors.Join(c.err, err)
		return string(out)
	}
	c.sources = strings.Fields(list("-f", "{{range .GoFiles}}{{.}} {{end}}", "."))
	c.exports = map[string]string{}
	for line := range strings.Lines(list("-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", ".")) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.exports[path] = file
	}
	return c
})

// readSource reads the package as it is built here, but for its tests. Sources
// that are given are read in their place, as a package that may import the same.
func readSource(t *testing.T, given ...string) *source {
	t.Helper()
	c := compiled()
	if c.err != nil {
		t.Fatalf("go list: %v", c.err)
	}
	s := &source{set: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
	parse := func(name string, src any) {
		f, err := parser.ParseFile(s.set, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, f)
	}
	for _, text := range given {
		parse("given.go", text)
	}
	if given == nil {
		for _, name := range c.sources {
			parse(name, nil)
		}
	}
	conf := types.Config{Importer: importer.ForCompiler(s.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(c.exports[path]) })}
	pkg, err := conf.Check("sconce/mls", s.set, s.files, s.info)
	if err != nil {
		t.Fatal(err)
	}
	s.pkg = pkg
	return s
}

// secretNames are of what is no [Secret] by its type and yet one: tags, by
// which a forger could find the next octet, and keys in arrays.
var secretNames = map[string]bool{"tag": true, "membershipTag": true, "key": true}

// harmless functions take time that only the length of a secret decides.
var harmless = map[string]bool{"bytes.Clone": true, "slices.Clone": true, "slices.Concat": true, "slices.Grow": true}

// suspicious gives what may compare a secret in a time that depends on it.
func (s *source) suspicious() (found []string) {
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op != token.EQL && n.Op != token.NEQ || s.isNil(n.X) || s.isNil(n.Y) {
					break
				}
				if s.isSecret(n.X) || s.isSecret(n.Y) {
					found = append(found, s.at(n))
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && s.isSecret(n.Tag) {
					found = append(found, s.at(n.Tag))
				}
			case *ast.IndexExpr: // of a map: it hashes and compares its keys
				if _, ok := s.info.TypeOf(n.X).Underlying().(*types.Map); ok && s.isSecret(n.Index) {
					found = append(found, s.at(n))
				}
			case *ast.CallExpr:
				if s.compares(n) && slices.ContainsFunc(n.Args, s.isSecret) {
					found = append(found, s.at(n))
				}
			}
			return true
		})
	}
	return found
}

// compares reports whether a call is of a function that looks into bytes.
func (s *source) compares(call *ast.CallExpr) bool {
	fun := call.Fun
	if generic, ok := fun.(*ast.IndexExpr); ok {
		fun = generic.X
	}
	f, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := s.info.Uses[f.Sel].(*types.Func)
	if !ok || of.Pkg() == nil {
		return false
	}
	switch path := of.Pkg().Path(); path {
	case "bytes", "slices", "strings", "reflect", "maps", "cmp":
		return !harmless[path+"."+of.Name()]
	}
	return false
}

func (s *source) isNil(e ast.Expr) bool { return s.info.Types[e].IsNil() }

// isSecret looks through conversions, slices and parentheses.
func (s *source) isSecret(e ast.Expr) bool {
	if t, ok := s.info.TypeOf(e).(*types.Named); ok && t.Obj().Name() == "Secret" && t.Obj().Pkg() == s.pkg {
		return true
	}
	if b, ok := s.info.TypeOf(e).Underlying().(*types.Basic); ok && b.Info()&types.IsNumeric != 0 {
		return false // a length, or an index
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return s.isSecret(e.X)
	case *ast.SliceExpr:
		return s.isSecret(e.X)
	case *ast.StarExpr:
		return s.isSecret(e.X)
	case *ast.CallExpr:
		if s.info.Types[e.Fun].IsType() {
			return s.isSecret(e.Args[0])
		}
		f, ok := e.Fun.(*ast.SelectorExpr)
		return ok && f.Sel.Name == "mac"
	case *ast.Ident:
		return e.Name != "key" && secretNames[e.Name] && s.isBytes(e)
	case *ast.SelectorExpr:
		return secretNames[e.Sel.Name] && s.isBytes(e) && !s.isRecord(e.X)
	}
	return false
}

// isRecord: what a store finds a record by is called its key, too.
func (s *source) isRecord(e ast.Expr) bool {
	t, ok := s.info.TypeOf(e).(*types.Named)
	return ok && t.Obj().Name() == "record"
}

func (s *source) isBytes(e ast.Expr) bool {
	var of types.Type
	switch t := s.info.TypeOf(e).Underlying().(type) {
	case *types.Slice:
		of = t.Elem()
	case *types.Array:
		of = t.Elem()
	default:
		return false
	}
	b, ok := of.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Byte
}

func (s *source) at(n ast.Node) string { return s.set.Position(n.Pos()).String() }

func TestSecretsAreNotComparedByOtherMeansThanEqual(t *testing.T) {
	for _, at := range readSource(t).suspicious() {
		t.Errorf("%s: a secret may be compared in a time that depends on it", at)
	}
}

// TestComparisonsOfSecretsAreFound is the control of the test above.
func TestComparisonsOfSecretsAreFound(t *testing.T) {
	const head = "package mls\nimport (\"bytes\"; \"slices\"; \"crypto/hmac\")\nvar _ = bytes.Clone; var _ = slices.Clone[[]byte]; var _ = hmac.Equal\n" +
		"type Secret []byte\nfunc (s Secret) mac() []byte { return s }\n"
	for body, want := range map[string]int{
		"func f(a, b Secret) bool { return bytes.Equal(a, b) }":                                1,
		"func f(a Secret, b []byte) bool { return slices.Equal(b, []byte(a)) }":                1,
		"func f(a, b Secret) bool { return string(a) == string(b) }":                           1,
		"func f(a, b Secret) bool { return [4]byte(a) != [4]byte(b) }":                         1,
		"func f(a, b Secret) int { return bytes.Compare(a[:4], b) }":                           1,
		"func f(a Secret, of map[string]int) int { return of[string(a)] }":                     1,
		"func f(a Secret) bool { switch string(a) { case \"x\": return true }; return false }": 1,
		"func f(a Secret, tag []byte) bool { return bytes.Equal(a.mac(), tag) }":               1,
		"func f(a Secret, all [][]byte) bool { return bytes.HasPrefix(all[0], a) }":            1,
		"func f(a Secret, tag []byte) bool { return hmac.Equal(a.mac(), tag) }":                0,
		"func f(a Secret) bool { return a != nil && len(a) == 4 }":                             0,
		"func f(a Secret) Secret { return slices.Clone(a) }":                                   0,
		"func f(a Secret, of map[int]Secret) bool { return of[len(a)] == nil }":                0,
		"func f(a Secret, b []byte) bool { return bytes.Equal(b, b) }":                         0,
	} {
		if found := readSource(t, head+body).suspicious(); len(found) != want {
			t.Errorf("%s: found %q, want %d", body, found, want)
		}
	}
}
