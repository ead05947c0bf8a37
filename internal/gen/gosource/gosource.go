// Package gosource reads what the generators need of Go's source beside what
// reflection tells them: comments, and the constants of a type. Begin with [Read].
package gosource

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Package is what the source says about the things of one package.
type Package struct {
	Methods map[string]Method            // by name on the wire
	Types   map[string]string            // doc comments
	Fields  map[string]map[string]string // by type and field
	Codes   []Code                       // constants of type Code
	Enums   map[string][]string          // constants of other types, by type
}

// Method is a call of the bridge as it is declared.
type Method struct {
	Doc  string
	File string // its chapter
}

// Code is an error code.
type Code struct{ Name, Doc string }

// Read parses the package in a folder, without its tests.
func Read(dir string) (*Package, error) {
	c := &Package{Methods: map[string]Method{}, Types: map[string]string{}, Fields: map[string]map[string]string{}, Enums: map[string][]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, os.ErrNotExist)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok {
				c.take(d, strings.TrimSuffix(filepath.Base(path), ".go"))
			}
		}
	}
	return c, nil
}

func (c *Package) take(d *ast.GenDecl, file string) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil {
				doc = d.Doc
			}
			c.Types[s.Name.Name] = plain(doc.Text())
			if fields, ok := s.Type.(*ast.StructType); ok {
				c.Fields[s.Name.Name] = fieldDocs(fields)
			}
		case *ast.ValueSpec:
			c.takeValue(d, s, file)
		}
	}
}

func (c *Package) takeValue(d *ast.GenDecl, s *ast.ValueSpec, file string) {
	if len(s.Values) != 1 {
		return
	}
	if kind, ok := s.Type.(*ast.Ident); ok && d.Tok == token.CONST {
		if kind.Name == "Code" {
			c.Codes = append(c.Codes, Code{literal(s.Values[0]), plain(s.Comment.Text())})
		} else {
			c.Enums[kind.Name] = append(c.Enums[kind.Name], literal(s.Values[0]))
		}
		return
	}
	value, ok := s.Values[0].(*ast.CompositeLit)
	if !ok || len(value.Elts) != 2 {
		return
	}
	generic, ok := value.Type.(*ast.IndexListExpr)
	if !ok {
		return
	}
	if of, ok := generic.X.(*ast.Ident); ok && (of.Name == "Method" || of.Name == "HostMethod") {
		c.Methods[literal(value.Elts[0])] = Method{Doc: plain(d.Doc.Text()), File: file}
	}
}

// Enum lists the values of a type that has few, or gives "".
func (c *Package) Enum(name string) string {
	var values []string
	for _, v := range c.Enums[name] {
		values = append(values, strconv.Quote(v))
	}
	return strings.Join(values, ", ")
}

func fieldDocs(s *ast.StructType) map[string]string {
	docs := map[string]string{}
	for _, f := range s.Fields.List {
		text := plain(f.Comment.Text())
		if above := plain(f.Doc.Text()); above != "" {
			text = strings.TrimSpace(above + " " + text)
		}
		for _, name := range f.Names {
			docs[name.Name] = text
		}
	}
	return docs
}

// literal gives the value of a string in the source, or "".
func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok {
		if s, err := strconv.Unquote(l.Value); err == nil {
			return s
		}
	}
	return ""
}

var docLink = regexp.MustCompile(`\*?\[\*?([A-Za-z.]+)\]`)

// plain makes a comment one line, without links.
func plain(comment string) string {
	return docLink.ReplaceAllString(strings.Join(strings.Fields(comment), " "), "$1")
}
