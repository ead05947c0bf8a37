package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// decrypts is what a program needs to read a message, by the names that the
// linker gives it: the client, what messages are made of, and of mls whatever
// opens something sealed or holds the keys to. Of a package the linker takes
// only what can be called, so a name that is missing is code that is missing.
var decrypts = []string{
	"sconce/client.",
	"sconce/content.",
	"sconce/mls.Create",
	"sconce/mls.Join",
	"sconce/mls.JoinExternal",
	"sconce/mls.Load",
	"sconce/mls.(*Group).Process",
	"sconce/mls.(*privateMessage).decrypt",
	"sconce/mls.(*secretTree).at",
	"sconce/mls.(*secretTree).next",
	"sconce/mls.(*ratchet).step",
	"sconce/mls.(*suite).hpkeOpen",
	"sconce/mls.(*suite).newAEAD",
	"sconce/mls.(*tree).decryptPath",
	"sconce/mls.(*welcome).open",
}

// The control are the programs that do decrypt: a name that nobody has any more
// proves nothing.
func TestServersProgramHoldsNothingThatDecrypts(t *testing.T) {
	for _, program := range []struct {
		name string
		has  bool
	}{{"sconced", false}, {"sconce", true}, {"sconce-demo", true}} {
		symbols := symbolsOf(t, program.name)
		if !holdsSymbol(symbols, "sconce/mls.ParseMessage") {
			t.Fatalf("the symbols of %s can't be read", program.name)
		}
		for _, name := range decrypts {
			if got := holdsSymbol(symbols, name); got != program.has {
				t.Errorf("%s has %s: %v, want %v", program.name, name, got, program.has)
			}
		}
	}
}

// symbolsOf lists what the linker put into a program.
func symbolsOf(t *testing.T, program string) []string {
	t.Helper()
	var complaints bytes.Buffer
	cmd := exec.Command("go", "tool", "nm", filepath.Join(programs, program))
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("reading the symbols of %s: %v\n%s", program, err, complaints.String())
	}
	var symbols []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			symbols = append(symbols, strings.Join(fields[min(2, len(fields)-1):], " "))
		}
	}
	return symbols
}

// holdsSymbol looks for a name, or for any that begins with it when it ends in
// a dot.
func holdsSymbol(symbols []string, name string) bool {
	for _, s := range symbols {
		if s == name || strings.HasSuffix(name, ".") && strings.HasPrefix(s, name) {
			return true
		}
	}
	return false
}
