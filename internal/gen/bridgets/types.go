package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/internal/gen/gosource"
)

const head = `// Made by go generate ./client/bridge from the Go types; do not edit.
// docs/bridge.md describes the calls. Ids are text, times Unix milliseconds,
// durations seconds; what is absent is zero, false or empty.

`

// writer makes the file.
type writer struct {
	bytes.Buffer
	bridge, client, api *gosource.Package
	named               []reflect.Type // to be declared, in the order they were met
	errs                []error
}

// types gives the file as it should be, or an error that names what TypeScript
// can't say, or JavaScript can't hold.
func types(root string) ([]byte, error) {
	w := new(writer)
	var errs [3]error
	w.bridge, errs[0] = gosource.Read(filepath.Join(root, "client", "bridge"))
	w.client, errs[1] = gosource.Read(filepath.Join(root, "client"))
	w.api, errs[2] = gosource.Read(filepath.Join(root, "api"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	w.WriteString(head)
	w.codes()
	w.methods(bridge.Methods())
	w.name(reflect.TypeFor[client.Event](), "Event")
	for i := 0; i < len(w.named); i++ { // declaring one may meet others
		w.declare(w.named[i])
	}
	return append(bytes.TrimRight(w.Bytes(), "\n"), '\n'), errors.Join(w.errs...)
}

// codes declares the error codes: the door's own, then the server's.
func (w *writer) codes() {
	w.comment("", "ErrorCode tells programs why a call failed.")
	w.WriteString("export type ErrorCode =\n")
	all := append(slices.Clone(w.bridge.Codes), w.api.Codes...)
	for i, c := range all {
		end := ""
		if i == len(all)-1 {
			end = ";"
		}
		fmt.Fprintf(w, "  | %q%s // %s\n", c.Name, end, c.Doc)
	}
	w.WriteString("\n")
}

func (w *writer) methods(all []bridge.Description) {
	w.comment("", "Methods is every call, by its name: what it takes and what it gives.")
	w.WriteString("export interface Methods {\n")
	for _, m := range all {
		w.comment("  ", w.bridge.Methods[m.Name].Doc)
		fmt.Fprintf(w, "  %s: { params: %s; result: %s };\n", m.Name, w.name(m.Params, m.Name+" params"), w.name(m.Result, m.Name+" result"))
	}
	w.WriteString("}\n\n")
}

// comment writes a comment that stands before something, wrapped.
func (w *writer) comment(indent, text string) {
	const width = 100
	line := indent + "/**"
	for word := range strings.FieldsSeq(strings.ReplaceAll(text, "*/", "* /")) {
		if len(line)+1+len(word) > width {
			w.WriteString(line + "\n")
			line = indent + " *"
		}
		line += " " + word
	}
	w.WriteString(line + " */\n")
}

// name gives the type as TypeScript writes it, and notes what must be declared.
// where says in errors who uses it.
func (w *writer) name(t reflect.Type, where string) string {
	switch t.Kind() {
	case reflect.Pointer:
		return w.name(t.Elem(), where)
	case reflect.Slice:
		of := w.name(t.Elem(), where)
		if strings.ContainsAny(of, " |") {
			of = "(" + of + ")"
		}
		return "readonly " + of + "[]"
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return fmt.Sprintf("Readonly<Record<string, %s>>", w.name(t.Elem(), where))
		}
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		if len(w.source(t).Enums[t.Name()]) > 0 {
			w.note(t)
			return t.Name()
		}
		return "string"
	case reflect.Int, reflect.Int32, reflect.Uint32, reflect.Int16, reflect.Uint16:
		return "number" // an int of ours is below 2^53: see docs/bridge.md
	case reflect.Struct:
		if t.NumField() == 0 {
			return "Record<never, never>"
		}
		w.note(t)
		return t.Name()
	}
	// 64-bit integers lose digits above 2^53; any type and functions say nothing.
	w.errs = append(w.errs, fmt.Errorf("%s has the type %v, which has no safe form in TypeScript", where, t))
	return "never"
}

func (w *writer) note(t reflect.Type) {
	if slices.Contains(w.named, t) {
		return
	}
	if i := slices.IndexFunc(w.named, func(o reflect.Type) bool { return o.Name() == t.Name() }); i >= 0 {
		w.errs = append(w.errs, fmt.Errorf("%v and %v would have one name", w.named[i], t))
	}
	w.named = append(w.named, t)
}

// source is where a type is declared.
func (w *writer) source(t reflect.Type) *gosource.Package {
	switch {
	case strings.HasSuffix(t.PkgPath(), "/bridge"):
		return w.bridge
	case strings.HasSuffix(t.PkgPath(), "/client"):
		return w.client
	}
	return &gosource.Package{}
}

func (w *writer) declare(t reflect.Type) {
	if doc := w.source(t).Types[t.Name()]; doc != "" {
		w.comment("", doc)
	}
	if t.Kind() == reflect.String {
		var values []string
		for _, v := range w.source(t).Enums[t.Name()] {
			values = append(values, strconv.Quote(v))
		}
		fmt.Fprintf(w, "export type %s = %s;\n\n", t.Name(), strings.Join(values, " | "))
		return
	}
	fmt.Fprintf(w, "export interface %s {\n", t.Name())
	w.fields(t)
	w.WriteString("}\n\n")
}

func (w *writer) fields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			w.fields(f.Type)
			continue
		}
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" || !f.IsExported() {
			continue
		}
		if tag == "" {
			w.errs = append(w.errs, fmt.Errorf("%v.%s has no name in JSON", t, f.Name))
			continue
		}
		optional := ""
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			optional = "?"
		}
		if doc := w.source(t).Fields[t.Name()][f.Name]; doc != "" {
			w.comment("  ", doc)
		}
		fmt.Fprintf(w, "  readonly %s%s: %s;\n", tag, optional, w.name(f.Type, fmt.Sprintf("%v.%s", t, f.Name)))
	}
}
