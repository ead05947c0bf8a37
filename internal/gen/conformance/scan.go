package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check is one rule: all calls of invalid with this section and text.
type check struct {
	section, rule string
	places        []string // functions
	tests         []string
}

// claim is a section and a part of a rule that stand side by side in a test:
// what it expects a refusal to name.
type claim struct{ section, rule, test string }

// behaviour is a test whose comment says which section it holds the library to.
type behaviour struct{ section, test string }

type source struct {
	checks     []*check
	claims     []claim
	behaviours []behaviour
}

// scan reads a folder of Go files.
func scan(dir string) (*source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]*ast.File{}
	fset := token.NewFileSet()
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files[e.Name()] = f
	}
	s := &source{}
	texts := constants(files)
	for _, e := range entries { // in the order of their names
		f := files[e.Name()]
		switch {
		case f == nil:
		case strings.HasSuffix(e.Name(), "_test.go"):
			s.readTests(f, texts)
		default:
			s.readChecks(f, texts)
		}
	}
	slices.SortFunc(s.checks, func(a, b *check) int {
		if n := compareSections(a.section, b.section); n != 0 {
			return n
		}
		return strings.Compare(a.rule, b.rule)
	})
	return s, s.match()
}

// constants gives the string constants of the files, local ones too: their
// names are few, and a section is never two things.
func constants(files map[string]*ast.File) map[string]string {
	out := map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != len(spec.Values) {
				return true
			}
			for i, name := range spec.Names {
				if text, ok := literal(spec.Values[i]); ok && isSection(text) {
					out[name.Name] = text
				}
			}
			return true
		})
	}
	return out
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// text gives a string literal, or a constant that names a section.
func text(e ast.Expr, constants map[string]string) (string, bool) {
	if id, ok := e.(*ast.Ident); ok {
		t, ok := constants[id.Name]
		return t, ok
	}
	return literal(e)
}

var sectionNumber = regexp.MustCompile(`^\d+(\.\d+)*$`)

func isSection(s string) bool {
	return sectionNumber.MatchString(s) || strings.HasPrefix(s, "draft-ietf-")
}

func (s *source) readChecks(f *ast.File, constants map[string]string) {
	for _, d := range f.Decls {
		place := "package"
		if fn, ok := d.(*ast.FuncDecl); ok {
			place = fn.Name.Name
		}
		local := locals(d, constants)
		ast.Inspect(d, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name, ok := call.Fun.(*ast.Ident)
			if !ok || name.Name != "invalid" && name.Name != "invalidBy" {
				return true
			}
			at := 1
			if name.Name == "invalidBy" {
				at = 2 // after the cause
			}
			section, ok1 := text(call.Args[0], local)
			rule, ok2 := literal(call.Args[at])
			if ok1 && ok2 {
				s.addCheck(section, rule, place)
			}
			return true
		})
	}
}

// locals are the constants as a declaration sees them: its own shadow others.
func locals(d ast.Decl, constants map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range constants {
		out[k] = v
	}
	ast.Inspect(d, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
			for i, name := range spec.Names {
				if t, ok := literal(spec.Values[i]); ok {
					out[name.Name] = t
				}
			}
		}
		return true
	})
	return out
}

func (s *source) addCheck(section, rule, place string) {
	for _, c := range s.checks {
		if c.section == section && c.rule == rule {
			if !slices.Contains(c.places, place) {
				c.places = append(c.places, place)
			}
			return
		}
	}
	s.checks = append(s.checks, &check{section: section, rule: rule, places: []string{place}})
}

func (s *source) readTests(f *ast.File, constants map[string]string) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz") {
			for _, section := range sectionsIn(fn.Doc.Text()) {
				s.behaviours = append(s.behaviours, behaviour{section, fn.Name.Name})
			}
		}
		local := locals(d, constants)
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "invalid" {
					return true // an error of its own, not one that is expected
				}
				s.readList(fn.Name.Name, n.Args, local)
			case *ast.CompositeLit:
				s.readList(fn.Name.Name, n.Elts, local)
			}
			return true
		})
	}
}

// readList finds claims in the arguments of a call or in a row of a table. A
// row's first string is its name.
func (s *source) readList(test string, list []ast.Expr, constants map[string]string) {
	if len(list) > 2 {
		if name, ok := literal(list[0]); ok && !isSection(name) {
			test += "/" + strings.ReplaceAll(name, " ", "_")
		}
	}
	for i := 0; i+1 < len(list); i++ {
		section, ok1 := text(list[i], constants)
		rule, ok2 := literal(list[i+1])
		if ok1 && ok2 && isSection(section) {
			s.claims = append(s.claims, claim{section, rule, test})
		}
	}
}

var sectionsOfText = regexp.MustCompile(`RFC 9420, Sections? ([\d.]+\d|\d+)(?:(?:,| and) ([\d.]+\d|\d+))*`)

func sectionsIn(doc string) []string {
	var out []string
	for _, m := range sectionsOfText.FindAllString(strings.ReplaceAll(doc, "\n", " "), -1) {
		out = append(out, regexp.MustCompile(`\d+(\.\d+)*`).FindAllString(strings.TrimPrefix(m, "RFC 9420"), -1)...)
	}
	return out
}

// match finds the check that each claim is about.
func (s *source) match() error {
	var unclear []error
	for _, c := range s.claims {
		var found []*check
		for _, k := range s.checks {
			if k.section == c.section && strings.Contains(plain(k.rule), plain(c.rule)) {
				found = append(found, k)
			}
		}
		if len(found) != 1 {
			unclear = append(unclear, fmt.Errorf("%s names Section %s, %q: %d checks fit, not one", c.test, c.section, c.rule, len(found)))
			continue
		}
		if k := found[0]; !slices.Contains(k.tests, c.test) {
			k.tests = append(k.tests, c.test)
		}
	}
	return errors.Join(unclear...)
}

var changing = regexp.MustCompile(`%[#0-9]*[a-z]|0x[0-9a-f]+|[0-9]+`)

// plain leaves out what differs from one refusal to the next.
func plain(s string) string { return changing.ReplaceAllString(s, "") }

// compareSections orders 9.2 before 12.1, and drafts last.
func compareSections(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	if !sectionNumber.MatchString(a) || !sectionNumber.MatchString(b) {
		if sectionNumber.MatchString(a) {
			return -1
		}
		if sectionNumber.MatchString(b) {
			return 1
		}
		return strings.Compare(a, b)
	}
	return slices.CompareFunc(x, y, func(a, b string) int {
		m, _ := strconv.Atoi(a) // digits alone: the pattern says so
		n, _ := strconv.Atoi(b)
		return m - n
	})
}
