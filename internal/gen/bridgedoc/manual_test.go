package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sconce/client/bridge"
	"sconce/internal/gen/gosource"
)

func TestManualIsUpToDate(t *testing.T) {
	root, err := gosource.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	want, err := manual(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s is out of date: run go generate ./client/bridge", page)
	}
}

// An example that a method would refuse teaches a mistake.
func TestExamplesHaveOnlyFieldsThatExist(t *testing.T) {
	for _, m := range bridge.Methods() {
		params, err := json.Marshal(examples[m.Name].params)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(params), "null") {
			t.Errorf("the example of %s has a null: %s", m.Name, params)
		}
	}
}

// The control: a method without a comment or example is an error, not a gap.
func TestUndocumentedMethodIsAnError(t *testing.T) {
	w := &writer{bridge: &gosource.Package{}, client: &gosource.Package{}}
	if err := w.methods(); err == nil || !strings.Contains(err.Error(), "method me has no comment") {
		t.Fatalf("methods = %v; want an error that names me", err)
	}
}
