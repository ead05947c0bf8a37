package main

import (
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sconce/web"
)

const page = `<!doctype html>
<html lang="en"><head>
    <meta name="sconce-door" content="worker">
    <link rel="icon" href="/icon.svg">
    <script type="module" crossorigin src="/assets/main.js"></script>
    <link rel="modulepreload" crossorigin href="/assets/part.js">
    <link rel="stylesheet" crossorigin href="/assets/main.css"/>
</head><body></body></html>
`

func build(t *testing.T, change map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"index.html": page, "icon.svg": "<svg/>", "sw.js": "wait()", "assets/main.js": "import './part.js'",
		"assets/part.js": "part()", "assets/late.js": "late()", "assets/main.css": "body{}", "assets/core.wasm": "\x00asm",
	}
	maps.Copy(files, change)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, from string) (dir, index string, site *web.Site) {
	t.Helper()
	dir = t.TempDir()
	if err := run(from, dir, best); err != nil {
		t.Fatal(err)
	}
	site, err := web.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	site.Handler(web.Options{Door: web.Worker}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return dir, w.Body.String(), site
}

func TestEveryScriptAndStyleGetsItsHash(t *testing.T) {
	_, index, site := packed(t, build(t, nil))
	for tag, content := range map[string]string{
		`<script type="module" crossorigin src="/assets/main.js"`:      "import './part.js'",
		`<link rel="modulepreload" crossorigin href="/assets/part.js"`: "part()",
		`<link rel="stylesheet" crossorigin href="/assets/main.css"`:   "body{}",
	} {
		if want := tag + ` integrity="sha384-` + web.Digest([]byte(content)) + `"`; !strings.Contains(index, want) {
			t.Errorf("the page lacks %s:\n%s", want, index)
		}
	}
	if strings.Contains(index, `icon.svg" integrity`) {
		t.Error("a picture got a hash, which browsers do not check")
	}
	// A script that is loaded later has its hash in the import map, which stands
	// before every module and is the one inline script that the policy allows.
	m := regexp.MustCompile(`<script type="importmap">(.*?)</script>`).FindStringSubmatchIndex(index)
	if m == nil || m[0] > strings.Index(index, `type="module"`) {
		t.Fatalf("no import map before the modules:\n%s", index)
	}
	if !strings.Contains(index[m[2]:m[3]], `"/assets/late.js":"sha384-`+web.Digest([]byte("late()"))) {
		t.Errorf("the import map is %s", index[m[2]:m[3]])
	}
	if policy := site.Manifest().Headers["Content-Security-Policy"]; !strings.Contains(policy, "'sha256-") {
		t.Errorf("the policy does not allow the import map: %s", policy)
	}
}

func TestSamePageGivesTheSameBytes(t *testing.T) {
	first, _, _ := packed(t, build(t, nil))
	second, _, _ := packed(t, build(t, nil))
	if a, b := snapshot(t, first), snapshot(t, second); !maps.Equal(a, b) {
		t.Error("two packings of the same build differ")
	}
	other, _, _ := packed(t, build(t, map[string]string{"assets/late.js": "later()"}))
	if a, b := snapshot(t, first), snapshot(t, other); a["index.html.br"] == b["index.html.br"] {
		t.Error("a changed script did not change the page that vouches for it")
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		files[strings.TrimPrefix(p, dir+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestOldFilesGoAndThePlaceholderStays(t *testing.T) {
	to := t.TempDir()
	for _, name := range []string{".keep", "old.js.br", "manifest.json"} {
		if err := os.WriteFile(filepath.Join(to, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(build(t, nil), to, best); err != nil {
		t.Fatal(err)
	}
	files := snapshot(t, to)
	if _, ok := files[".keep"]; !ok {
		t.Error("the placeholder is gone")
	}
	if _, ok := files["old.js.br"]; ok {
		t.Error("a file of the build before is still there")
	}
}

func TestBuildThatIsNoneIsRefused(t *testing.T) {
	for why, change := range map[string]map[string]string{
		"a script that is missing": {"index.html": strings.Replace(page, "main.js", "gone.js", 1)},
		"a page without a module":  {"index.html": "<!doctype html>"},
	} {
		if err := run(build(t, change), t.TempDir(), best); err == nil {
			t.Errorf("%s: packed", why)
		}
	}
	if err := run(t.TempDir(), t.TempDir(), best); err == nil {
		t.Error("an empty build was packed")
	}
}
