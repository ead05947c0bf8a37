package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sconced": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"appears": appears},
	})
}

// appears waits for a file, which a command in the background makes.
func appears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: appears FILE")
	}
	for range 500 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%s did not appear", args[0])
}

func TestCommandTableIsComplete(t *testing.T) {
	for _, c := range commands() {
		if c.run == nil || c.purpose() == "" {
			t.Errorf("command %q lacks something", c.name)
		}
		if got, _, _ := strings.Cut(c.synopsis()+" ", " "); got != c.name {
			t.Errorf("the usage of %q begins with %q", c.name, got)
		}
	}
}
