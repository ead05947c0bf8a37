package main

import (
	"bytes"
	"encoding/json"
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

const intro = `# The client's door

<!-- Made by go generate ./client/bridge from the Go types; do not edit. -->

Everything a Sconce client can do is a named call that takes a JSON object and
gives JSON, and everything that happens is one stream of events. The same door
serves programs on a socket or pipe, a screen in a browser's worker, and bots in
any language.

A door may have no client behind it yet: in a browser, and for "sconce app", the
calls of the first chapter make or open one. Until then all others answer
"locked". Elsewhere the client is open from the start: of that chapter there are
"state", and "unlock", which tells whether a key is the right one.

## Try it

` + "`sconce rpc`" + ` speaks it on standard input and output:

` + "```" + `
$ sconce rpc --store ./alice
→ {"id":1,"method":"me"}
← {"id":1,"result":{"user":"…","name":"Alice",…}}
→ {"id":2,"method":"subscribe"}
← {"id":2,"result":{}}
← {"event":{"message":{…}}}
` + "```" + `

## Lines

Each line is one JSON object in UTF-8; a request has at most 1 MiB.

| line | meaning |
|---|---|
| ` + "`{\"id\":1,\"method\":\"…\",\"params\":{…}}`" + ` | a request; params may be absent where none are needed |
| ` + "`{\"id\":1,\"result\":…}`" + ` | its answer |
| ` + "`{\"id\":1,\"error\":{\"code\":\"…\",\"message\":\"…\"}}`" + ` | or why not: a code for programs, a sentence for people |
| ` + "`{\"event\":{…}}`" + ` | something happened; comes after the method ` + "`subscribe`" + `, until ` + "`unsubscribe`" + ` |
| ` + "`{\"end\":\"…\"}`" + ` | no more events: the reader was too slow, or the client closed. Subscribe again, and read anew what is on the screen |

The id is a whole number of the caller's choice. Up to 32 requests run at once, and
answers come in any order. A field that a call does not know is refused.
What can't be read as a request, such as a line that is too long, is answered too: with the
id that it begins with, or with null where none stands in its first 1,024 bytes.

Ids are text: people and devices in base32, rooms and messages in hex. Times are
Unix milliseconds, durations seconds; 0 is none. Every number is whole and below 2^53.

`

// writer makes the manual.
type writer struct {
	bytes.Buffer
	bridge, client *gosource.Package
	types          []reflect.Type // to be described, in the order they were met
}

// manual gives the page as it should be, or an error that says which comment or
// example is missing.
func manual(root string) ([]byte, error) {
	w := new(writer)
	var err error
	if w.bridge, err = gosource.Read(filepath.Join(root, "client", "bridge")); err != nil {
		return nil, err
	}
	if w.client, err = gosource.Read(filepath.Join(root, "client")); err != nil {
		return nil, err
	}
	api, err := gosource.Read(filepath.Join(root, "api"))
	if err != nil {
		return nil, err
	}
	w.WriteString(intro)
	if err := errors.Join(w.codes(api), w.methods(), w.events(), w.describeTypes()); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

func (w *writer) codes(api *gosource.Package) error {
	w.WriteString("## Error codes\n\n| code | meaning |\n|---|---|\n")
	for _, c := range append(slices.Clone(w.bridge.Codes), api.Codes...) {
		if c.Doc == "" {
			return fmt.Errorf("code %s has no comment", c.Name)
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", c.Name, c.Doc)
	}
	w.WriteString("\nThe first " + strconv.Itoa(len(w.bridge.Codes)) + " are this device's own words, the others the server's.\n\n")
	return nil
}

func (w *writer) methods() error {
	var all []error
	chapter := ""
	for _, m := range bridge.Methods() {
		about, ok := w.bridge.Methods[m.Name]
		if !ok || about.Doc == "" {
			all = append(all, fmt.Errorf("method %s has no comment", m.Name))
		}
		if about.File != chapter {
			chapter = about.File
			fmt.Fprintf(w, "## %s%s\n\n", strings.ToUpper(chapter[:1]), chapter[1:])
		}
		all = append(all, w.method(m, about.Doc))
	}
	if extra := len(w.bridge.Methods) - len(bridge.Methods()); extra != 0 {
		all = append(all, fmt.Errorf("%d methods are declared and not listed", extra))
	}
	return errors.Join(all...)
}

func (w *writer) method(m bridge.Description, doc string) error {
	ex, ok := examples[m.Name]
	if !ok {
		return fmt.Errorf("method %s has no example", m.Name)
	}
	if reflect.TypeOf(ex.params) != m.Params || reflect.TypeOf(ex.result) != m.Result {
		return fmt.Errorf("the example of %s is of %T and %T; want %v and %v", m.Name, ex.params, ex.result, m.Params, m.Result)
	}
	fmt.Fprintf(w, "### %s\n\n%s\n\n", m.Name, asOrder(m.Name, doc))
	if m.Params.NumField() > 0 {
		w.fields(m.Params)
	}
	fmt.Fprintf(w, "Gives %s.", w.typeName(m.Result))
	if len(ex.codes) > 0 {
		fmt.Fprintf(w, " Besides what any call may answer: %s.", codeList(ex.codes))
	}
	w.WriteString("\n\n```json\n")
	request := map[string]any{"id": 1, "method": m.Name}
	if m.Params.NumField() > 0 {
		request["params"] = ex.params
	}
	err := errors.Join(w.json(request, "id", "method", "params"), w.json(map[string]any{"id": 1, "result": ex.result}, "id", "result"))
	w.WriteString("```\n\n")
	return err
}

// asOrder drops the name with which a Go comment begins.
func asOrder(name, doc string) string {
	first, rest, _ := strings.Cut(doc, " ")
	if !strings.EqualFold(first, name) || rest == "" {
		return doc
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}

func codeList(codes []bridge.Code) string {
	var names []string
	for _, c := range codes {
		names = append(names, "`"+string(c)+"`")
	}
	return strings.Join(names, ", ")
}

// json writes an object in one line, its fields in the order given.
func (w *writer) json(fields map[string]any, order ...string) error {
	var parts []string
	for _, name := range order {
		if v, ok := fields[name]; ok {
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			parts = append(parts, fmt.Sprintf("%q:%s", name, text))
		}
	}
	fmt.Fprintf(w, "{%s}\n", strings.Join(parts, ","))
	return nil
}

func (w *writer) events() error {
	w.WriteString("## Events\n\n" + w.client.Types["Event"] + "\n\n")
	w.fields(reflect.TypeFor[client.Event]())
	return nil
}

func (w *writer) describeTypes() error {
	w.WriteString("## Types\n\n")
	var all []error
	for i := 0; i < len(w.types); i++ { // describing one may add others
		t := w.types[i]
		doc := w.source(t).Types[t.Name()]
		if doc == "" {
			all = append(all, fmt.Errorf("type %v has no comment", t))
		}
		fmt.Fprintf(w, "### Type %s\n\n%s\n\n", t.Name(), doc)
		w.fields(t)
	}
	text := bytes.TrimRight(w.Bytes(), "\n")
	w.Truncate(len(text))
	w.WriteString("\n")
	return errors.Join(all...)
}

// source is where a type is declared.
func (w *writer) source(t reflect.Type) *gosource.Package {
	if strings.HasSuffix(t.PkgPath(), "/bridge") {
		return w.bridge
	}
	return w.client
}

// fields writes a struct's fields as a table.
func (w *writer) fields(t reflect.Type) {
	w.WriteString("| field | type | |\n|---|---|---|\n")
	w.rows(t)
	w.WriteString("\n")
}

func (w *writer) rows(t reflect.Type) {
	docs := w.source(t).Fields[t.Name()]
	for f := range fieldsOf(t) {
		if f.Anonymous {
			w.rows(f.Type)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		meaning := docs[f.Name]
		if strings.Contains(options, "omitempty") {
			meaning = strings.TrimSpace("*optional* " + meaning)
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", name, w.typeName(f.Type), meaning)
	}
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// typeName names a type as JSON has it, and notes what must be described.
func (w *writer) typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return w.typeName(t.Elem())
	case reflect.Slice:
		return "list of " + w.typeName(t.Elem())
	case reflect.Int, reflect.Int64:
		return "number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		if values := w.client.Enum(t.Name()); values != "" {
			return values
		}
		return "text"
	}
	if t.NumField() == 0 {
		return "`{}`"
	}
	if !slices.Contains(w.types, t) {
		w.types = append(w.types, t)
	}
	return fmt.Sprintf("[%s](#type-%s)", t.Name(), strings.ToLower(t.Name()))
}
