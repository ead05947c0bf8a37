package arch

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// graphs lists the packages once for each system that a rule asks for.
var graphs = map[string]func() (Graph, error){
	"":   sync.OnceValues(func() (Graph, error) { return Load(context.Background(), root, "") }),
	"js": sync.OnceValues(func() (Graph, error) { return Load(context.Background(), root, "js") }),
}

func graphFor(t *testing.T, goos string) Graph {
	t.Helper()
	load, ok := graphs[goos]
	if !ok {
		t.Fatalf("no graph for GOOS=%s", goos)
	}
	g, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestArrowsRunOneWay(t *testing.T) {
	for _, r := range Rules {
		t.Run(r.String(), func(t *testing.T) {
			chains, checked := r.Check(graphFor(t, r.GOOS))
			if checked == 0 {
				t.Skipf("no package matches %s", strings.Join(r.From, ", "))
			}
			for _, chain := range chains {
				t.Errorf("%s\n%s", strings.Join(chain, "\n\timports "), r.Why)
			}
		})
	}
}

// A control over the real tree: the rule that keeps decryption out of the
// server's program finds it in a program that has it.
func TestRuleAboutTheServerWouldCatchAClient(t *testing.T) {
	for _, r := range Rules {
		if !slices.Contains(r.From, "./cmd/sconced") {
			continue
		}
		r.From = []string{"./cmd/sconce-demo"}
		if chains, _ := r.Check(graphFor(t, r.GOOS)); len(chains) == 0 {
			t.Errorf("the rule %q finds no client in a program that is one", r.Why)
		}
		return
	}
	t.Error("no rule speaks of the server's program")
}

func TestProtocolIsBytesInBytesOut(t *testing.T) {
	for _, pattern := range pure {
		t.Run(pattern, func(t *testing.T) {
			g := graphFor(t, "")
			paths := g.matching(pattern)
			if len(paths) == 0 {
				t.Skipf("no package matches %s", pattern)
			}
			for _, chain := range ours(g, paths[0]) {
				fset := token.NewFileSet()
				files, err := parseDir(fset, g[chain[len(chain)-1]].Dir, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range files {
					for _, fault := range Impurities(fset, file) {
						t.Errorf("%s (%s)", fault, strings.Join(chain, " imports "))
					}
				}
			}
		})
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	dirs, err := packageDirs(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 2 {
		t.Fatalf("found only %q", dirs)
	}
	for _, dir := range dirs {
		files, err := parseDir(token.NewFileSet(), dir, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if faults := DocFaults(files); faults != "" {
			t.Errorf("%s: %s", dir, faults)
		}
	}
}

func TestScreensNeverReachTheWorker(t *testing.T) {
	const screens, worker = "web/src/ui", "web/src/worker"
	if _, err := os.Stat(filepath.Join(root, screens)); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("there is no folder %s", screens)
	}
	err := eachText(filepath.Join(root, screens), func(file string, text []byte) error {
		if ext := filepath.Ext(file); ext != ".ts" && ext != ".tsx" {
			return nil
		}
		for _, imported := range ScriptImports(screens+"/"+file, string(text)) {
			if imported == worker || strings.HasPrefix(imported, worker+"/") {
				t.Errorf("%s/%s imports %s: screens never hold keys", screens, file, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestArchitectureNamesEveryFolder(t *testing.T) {
	description, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no ARCHITECTURE.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	folders, err := topFolders(root)
	if err != nil {
		t.Fatal(err)
	}
	if missing := Unnamed(string(description), folders); len(missing) > 0 {
		t.Errorf("ARCHITECTURE.md does not name %s", strings.Join(missing, "/, ")+"/")
	}
}

func TestRepositoryKnowsNoMachine(t *testing.T) {
	read := 0
	err := eachText(root, func(file string, text []byte) error {
		read++
		for _, fault := range TextFaults(text) {
			t.Errorf("%s:%s", file, fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 5 {
		t.Errorf("read only %d files", read)
	}
}
