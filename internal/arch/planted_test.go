package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// Each test here plants a fault and sees it caught: a check that cannot fail
// proves nothing when it passes.

// tree makes a graph from lines of "package: its imports". What is not ours and
// has no dot in it counts as the standard library's.
func tree(lines ...string) Graph {
	g := make(Graph)
	add := func(path string) Package {
		p, ok := g[path]
		if !ok {
			ours := path == module || strings.HasPrefix(path, module+"/")
			p = Package{Path: path, Standard: !ours && !strings.Contains(path, ".")}
			g[path] = p
		}
		return p
	}
	for _, line := range lines {
		path, imports, _ := strings.Cut(line, ":")
		p := add(path)
		for _, next := range strings.Fields(imports) {
			add(next)
			p.Imports = append(p.Imports, next)
		}
		g[path] = p
	}
	return g
}

func TestForbiddenArrowsAreCaught(t *testing.T) {
	tests := []struct {
		name  string
		tree  []string
		goos  string
		chain string // the forbidden one; "" if there is none
	}{
		{name: "server reaches content directly",
			tree:  []string{"sconce/server/room: sconce/content"},
			chain: "sconce/server/room sconce/content"},
		{name: "server reaches client through a third",
			tree:  []string{"sconce/server: fmt sconce/internal/x", "sconce/internal/x: sconce/client/native"},
			chain: "sconce/server sconce/internal/x sconce/client/native"},
		{name: "the server's program carries a client",
			tree:  []string{"sconce/cmd/sconced: sconce/server sconce/internal/x", "sconce/internal/x: sconce/client"},
			chain: "sconce/cmd/sconced sconce/internal/x sconce/client"},
		{name: "the server's program carries what reads messages",
			tree:  []string{"sconce/cmd/sconced: sconce/content"},
			chain: "sconce/cmd/sconced sconce/content"},
		{name: "the demo carries a server",
			tree:  []string{"sconce/cmd/sconce-demo: sconce/client sconce/server"},
			chain: "sconce/cmd/sconce-demo sconce/server"},
		{name: "one duty reaches another",
			tree:  []string{"sconce/server/room: sconce/server/delivery"},
			chain: "sconce/server/room sconce/server/delivery"},
		{name: "a part of a duty reaches another duty's",
			tree:  []string{"sconce/server/room/db: sconce/server/delivery/db"},
			chain: "sconce/server/room/db sconce/server/delivery/db"},
		{name: "a duty reaches the wiring",
			tree:  []string{"sconce/server/room: sconce/server"},
			chain: "sconce/server/room sconce/server"},
		{name: "a duty whose name starts like another's",
			tree:  []string{"sconce/server/room: sconce/server/roomlog"},
			chain: "sconce/server/room sconce/server/roomlog"},
		{name: "a duty reaches its own parts, the wiring reaches duties",
			tree: []string{"sconce/server/room: sconce/server/room/db sconce/api", "sconce/server: sconce/server/room"}},
		{name: "mls takes an unknown module",
			tree:  []string{"sconce/mls: crypto/hpke golang.org/x/crypto/chacha20", "golang.org/x/crypto/chacha20: golang.org/x/sys/cpu example.com/evil"},
			chain: "sconce/mls golang.org/x/crypto/chacha20 example.com/evil"},
		{name: "mls takes another of our packages",
			tree:  []string{"sconce/mls: sconce/identity"},
			chain: "sconce/mls sconce/identity"},
		{name: "mls takes what it may",
			tree: []string{"sconce/mls: crypto/hpke filippo.io/mldsa", "filippo.io/mldsa: filippo.io/mldsa/internal/fips140"}},
		{name: "api has behaviour",
			tree:  []string{"sconce/api: sconce/mls sconce/internal/sqldb"},
			chain: "sconce/api sconce/internal/sqldb"},
		{name: "room asks policy",
			tree:  []string{"sconce/room: sconce/identity", "sconce/identity: sconce/mls sconce/policy"},
			chain: "sconce/room sconce/identity sconce/policy"},
		{name: "the protocol reaches the client",
			tree:  []string{"sconce/content: sconce/client"},
			chain: "sconce/content sconce/client"},
		{name: "the browser's client takes x509 by the shortest way", goos: "js",
			tree:  []string{"sconce/client: a b", "a: c", "c: crypto/x509", "b: crypto/x509"},
			chain: "sconce/client b crypto/x509"},
		{name: "the browser's client takes net/http", goos: "js",
			tree:  []string{"sconce/client/browser: net/http/httptrace"},
			chain: "sconce/client/browser net/http/httptrace"},
		{name: "the native client takes net/http", goos: "js",
			tree: []string{"sconce/client/native: net/http sconce/client"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := tree(test.tree...)
			var got []string
			for _, r := range Rules {
				chains, _ := r.Check(g)
				if r.GOOS != test.goos {
					continue
				}
				for _, chain := range chains {
					if s := strings.Join(chain, " "); !slices.Contains(got, s) {
						got = append(got, s)
					}
				}
			}
			var want []string
			if test.chain != "" {
				want = []string{test.chain}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestRuleAboutNothingSaysSo(t *testing.T) {
	g := tree("sconce/cmd/other: fmt")
	for _, r := range Rules {
		if _, checked := r.Check(g); checked != 0 {
			t.Errorf("%s: checked %d packages of a tree without any", r, checked)
		}
	}
}

func TestListIsReadWithTheStandardLibrarysCopies(t *testing.T) {
	g, err := decode([]byte(`{"ImportPath":"net/x","Standard":true,"Imports":["golang.org/x/net/y","a"],"ImportMap":{"golang.org/x/net/y":"vendor/golang.org/x/net/y"}} {"ImportPath":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := g["net/x"].Imports, []string{"a", "vendor/golang.org/x/net/y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := decode([]byte(`{"ImportPath":`)); err == nil {
		t.Error("half a list was accepted")
	}
}

func TestImpuritiesAreCaught(t *testing.T) {
	tests := []struct{ source, want string }{
		{`import "os"`, "imports os"},
		{`import "os/exec"`, "imports os/exec"},
		{`import "net"`, "imports net"},
		{`import "net/http"`, "imports net/http"},
		{`import l "log"`, "imports log"},
		{`import . "time"`, "without a name"},
		{`import "time"; var t = time.Now()`, "uses time.Now"},
		{`import "time"; var now = time.Now`, "uses time.Now"},
		{`import clock "time"; func f() { clock.Sleep(1) }`, "uses time.Sleep"},
		{`import "log/slog"; func f() { slog.Info("x") }`, "uses slog.Info"},
		{`import "net/url"; import "net/netip"`, ""},
		{`import "time"; func f(now time.Time) time.Time { return now.Add(time.Hour) }`, ""},
		{`import "log/slog"; func f() slog.Value { return slog.StringValue("[secret]") }`, ""},
	}
	for _, test := range tests {
		fset := token.NewFileSet()
		got := strings.Join(Impurities(fset, parse(t, fset, "package p; "+test.source)), "\n")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.source, got, test.want)
		}
	}
}

func TestPureIncludesWhatItReaches(t *testing.T) {
	g := tree("sconce/content: fmt sconce/internal/x", "sconce/internal/x: sconce/internal/y", "fmt: os")
	var got []string
	for _, chain := range ours(g, "sconce/content") {
		got = append(got, chain[len(chain)-1])
	}
	if want := []string{"sconce/content", "sconce/internal/x", "sconce/internal/y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPackageCommentFaultsAreCaught(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"one", []string{"// Package p is.\npackage p", "package p"}, ""},
		{"none", []string{"package p", "// A licence.\n\npackage p"}, "has no package comment"},
		{"only a directive", []string{"//go:build linux\npackage p"}, "has no package comment"},
		{"two", []string{"// Package p is.\npackage p", "// Package p was.\npackage p"}, "has 2 package comments"},
		{"another's name", []string{"// Package q is.\npackage p"}, "does not open with its name"},
		{"a command", []string{"// Sconce talks.\npackage main"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var files []*ast.File
			for _, source := range test.files {
				files = append(files, parse(t, token.NewFileSet(), source))
			}
			got := DocFaults(files)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestScriptImportsAreFound(t *testing.T) {
	const text = `
import { a } from "../worker/keys";
import type { B } from '@/worker/types';
import "./style.css";
import React from "react";
export * from "./list";
const c = await import("../bridge");
new Worker(new URL("../worker/main.ts", import.meta.url));
`
	got := ScriptImports("web/src/ui/app.tsx", text)
	want := []string{"web/src/worker/keys", "web/src/worker/types", "web/src/ui/style.css",
		"web/src/ui/list", "web/src/bridge", "web/src/worker/main.ts"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMachinePathsAndRegistriesAreCaught(t *testing.T) {
	slash := "/"
	tests := []struct {
		line  string
		fault bool
	}{
		{"see " + slash + "home/me/notes", true},
		{`dir := "` + slash + `root/x"`, true},
		{slash + "work/main", true},
		{"file://" + slash + "home/me", true},
		{"../../root/x", false},
		{"web" + slash + "home/page.tsx", false},
		{"QUJD" + slash + "work/QUJD", false},
		{"the folder " + slash + "homework/", false},
		{"GOPROXY=https://proxy." + "golang.org", true},
		{`"resolved": "https://registry.` + `npmjs.org/x"`, true},
		{"https://pkg.go.dev/golang.org/x/crypto", false},
	}
	for _, test := range tests {
		got := TextFaults([]byte("first\n" + test.line + "\n"))
		if (len(got) > 0) != test.fault {
			t.Errorf("%s: got %q, want a fault: %t", test.line, got, test.fault)
		}
		if len(got) > 0 && !strings.HasPrefix(got[0], "2: ") {
			t.Errorf("%s: got %q, want it on line 2", test.line, got)
		}
	}
}

func TestUnnamedFoldersAreCaught(t *testing.T) {
	const description = "mls/  the protocol\n`server/` and `server/room/`\nsee mybot/"
	got := Unnamed(description, []string{"mls", "server", "room", "bot"})
	if want := []string{"room", "bot"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func parse(t *testing.T, fset *token.FileSet, source string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
