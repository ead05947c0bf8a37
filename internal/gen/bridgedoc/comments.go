package main

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

// comments is what the source says about the things of one package.
type comments struct {
	methods map[string]method            // by name on the wire
	types   map[string]string            // doc comments
	fields  map[string]map[string]string // by type and field
	codes   []code                       // constants of type Code
	enums   map[string][]string          // constants of other types, by type
}

type method struct {
	doc  string
	file string // its chapter
}

type code struct{ name, doc string }

// readComments parses the package in a folder, without its tests.
func readComments(dir string) (*comments, error) {
	c := &comments{methods: map[string]method{}, types: map[string]string{}, fields: map[string]map[string]string{}, enums: map[string][]string{}}
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

func (c *comments) take(d *ast.GenDecl, file string) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil {
				doc = d.Doc
			}
			c.types[s.Name.Name] = plain(doc.Text())
			if fields, ok := s.Type.(*ast.StructType); ok {
				c.fields[s.Name.Name] = fieldDocs(fields)
			}
		case *ast.ValueSpec:
			c.takeValue(d, s, file)
		}
	}
}

func (c *comments) takeValue(d *ast.GenDecl, s *ast.ValueSpec, file string) {
	if len(s.Values) != 1 {
		return
	}
	if kind, ok := s.Type.(*ast.Ident); ok && d.Tok == token.CONST {
		if kind.Name == "Code" {
			c.codes = append(c.codes, code{literal(s.Values[0]), plain(s.Comment.Text())})
		} else {
			c.enums[kind.Name] = append(c.enums[kind.Name], literal(s.Values[0]))
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
	if of, ok := generic.X.(*ast.Ident); ok && of.Name == "Method" {
		c.methods[literal(value.Elts[0])] = method{doc: plain(d.Doc.Text()), file: file}
	}
}

// enum lists the values of a type that has few, or gives "".
func (c *comments) enum(name string) string {
	var values []string
	for _, v := range c.enums[name] {
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
