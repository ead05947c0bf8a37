package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sconce/internal/gen/gosource"
)

func TestTypesAreUpToDate(t *testing.T) {
	root, err := gosource.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	want, err := types(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s is out of date: run go generate ./client/bridge", file)
	}
}

// What JavaScript would round, or what says nothing, is refused by name.
func TestUnsafeTypesAreRefused(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"int64":       reflect.TypeFor[struct{ A int64 }]().Field(0).Type,
		"uint64":      reflect.TypeFor[[]uint64](),
		"uint":        reflect.TypeFor[*uint](),
		"interface":   reflect.TypeFor[any](),
		"map[int]":    reflect.TypeFor[map[int]string](),
		"float64":     reflect.TypeFor[float64](),
		"chan string": reflect.TypeFor[chan string](),
	} {
		w := &writer{bridge: &gosource.Package{}, client: &gosource.Package{}}
		if got := w.name(typ, "the field"); got != "never" && !strings.Contains(got, "never") {
			t.Errorf("%s became %s", name, got)
		}
		if err := errors.Join(w.errs...); err == nil || !strings.Contains(err.Error(), "the field") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v; want an error that names it", name, err)
		}
	}
}

func TestFieldsWithoutANameAreRefused(t *testing.T) {
	w := &writer{bridge: &gosource.Package{}, client: &gosource.Package{}}
	w.fields(reflect.TypeFor[struct{ Forgotten string }]())
	if err := errors.Join(w.errs...); err == nil || !strings.Contains(err.Error(), "Forgotten has no name") {
		t.Fatalf("got %v", err)
	}
}
