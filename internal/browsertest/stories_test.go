package browsertest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sconce/internal/browsertest"
	"sconce/web"
)

// The page as its users meet it: the sconced that is shipped serves it, its core
// runs in Chromium, and people in the terminal and behind sconce rpc take part.
// Each story of web/test/stories is one test here, by its name; none may leave an
// error on the console or a breach of the page's policy.
func TestStories(t *testing.T) {
	if testing.Short() {
		t.Skip("the stories take minutes")
	}
	chromium, node := browsertest.Tool(t, "chromium", "chromium-browser", "google-chrome"), browsertest.Tool(t, "node")
	if _, err := web.Embedded(); errors.Is(err, web.ErrNotBuilt) {
		t.Skip("the page is not built (make web), so nobody can tell its stories")
	} else if err != nil {
		t.Fatal(err)
	}
	root := browsertest.Root(t)
	if _, err := os.Stat(filepath.Join(root, "web", "node_modules", "playwright-core")); err != nil {
		t.Skip("the packages of web are not installed (npm ci in web/), so nobody can tell the page's stories")
	}
	countInputs(t, filepath.Join(root, "cmd"), filepath.Join(root, "web", "test", "stories"))
	programs := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-o", programs+string(filepath.Separator), "./cmd/sconced", "./cmd/sconce")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	buildModified(t, root, filepath.Join(programs, "modified"))
	told := tell(t, filepath.Join(root, "web"), node, "test/stories/main.mjs", programs, chromium, t.TempDir())
	if told < 35 {
		t.Errorf("only %d stories were told", told)
	}
}

// buildModified builds a sconce that says more than others take, as somebody may
// who has the source and means ill.
func buildModified(t *testing.T, root, program string) {
	t.Helper()
	dir := t.TempDir()
	replaced := map[string]string{}
	for path, edits := range map[string][]string{
		"content/errors.go":       {"MaxMessage = 256 << 10", "MaxMessage = 3 << 20", "MaxText    = 64 << 10", "MaxText = 2 << 20"},
		"client/bridge/bridge.go": {"MaxParams = 1 << 20", "MaxParams = 4 << 20"},
	} {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer(edits...).Replace(string(source))
		for i := 1; i < len(edits); i += 2 {
			if !strings.Contains(changed, edits[i]) {
				t.Fatalf("%s has no %q to change", path, edits[i-1])
			}
		}
		to := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(to, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[filepath.Join(root, filepath.FromSlash(path))] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./cmd/sconce")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building a modified program: %v\n%s", err, out)
	}
}

// said is a line of what plays the stories: how one went, or a figure.
type said struct {
	Story    string          `json:"story"`
	MS       int64           `json:"ms"`
	Error    string          `json:"error"`
	Measured string          `json:"measured"`
	Value    json.RawMessage `json:"value"`
}

// tell plays the stories, makes a test of each, and counts them.
func tell(t *testing.T, dir, name string, args ...string) (told int) {
	script := exec.CommandContext(t.Context(), name, args...)
	script.Dir = dir
	script.Cancel = func() error { return script.Process.Signal(os.Interrupt) } // it has a server and a browser to end
	script.WaitDelay = 10 * time.Second
	var problems strings.Builder
	script.Stderr = &problems
	out, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20) // what went wrong may be long
	for lines.Scan() {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("a line that is no JSON: %s", lines.Bytes())
			continue
		}
		if s.Story == "" {
			t.Logf("%s: %s", s.Measured, s.Value)
			continue
		}
		told++
		t.Run(s.Story, func(t *testing.T) {
			t.Logf("%v", time.Duration(s.MS)*time.Millisecond)
			if s.Error != "" {
				t.Error(s.Error)
			}
		})
	}
	if err := script.Wait(); err != nil {
		t.Errorf("playing the stories: %v\n%s", err, problems.String())
	}
	return told
}

// countInputs opens what the stories are made of and no Go package imports: by
// what a test opens the go command knows when an old result does not count any
// more.
func countInputs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_, err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
