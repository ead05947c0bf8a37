package web_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"

	"sconce/web"
)

const index = `<!doctype html><meta name="sconce-door" content="worker"><script type="module" src="/assets/a.js"></script>`

// site makes a page as the packer leaves it.
func site(t *testing.T, files map[string]string) (*web.Site, fstest.MapFS) {
	t.Helper()
	m := web.Manifest{Version: 1, Headers: web.Headers()}
	folder := fstest.MapFS{}
	for _, path := range []string{"/assets/a.js", "/assets/b.js", "/assets/core.wasm", "/index.html", "/sw.js"} {
		content, ok := files[path]
		if !ok {
			continue
		}
		m.Files = append(m.Files, web.File{Path: path, Size: int64(len(content)), SHA384: web.Digest([]byte(content))})
		folder[path[1:]+".br"] = &fstest.MapFile{Data: web.Compress([]byte(content), 5)}
	}
	manifest, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	folder["manifest.json"] = &fstest.MapFile{Data: manifest}
	s, err := web.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return s, folder
}

func whole() map[string]string {
	return map[string]string{"/index.html": index, "/assets/a.js": "run()", "/assets/core.wasm": strings.Repeat("\x00asm", 4000), "/sw.js": "wait()"}
}

func ask(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "br" {
		body = brotli.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryFileIsServedWithAndWithoutBrotli(t *testing.T) {
	s, _ := site(t, whole())
	h := s.Handler(web.Options{Door: web.Worker})
	for path, want := range whole() {
		for _, accept := range []string{"", "gzip, deflate, br, zstd", "br;q=0", "gzip"} {
			r := ask(t, h, "GET", path, "Accept-Encoding", accept)
			if got := bodyOf(t, r); r.StatusCode != 200 || got != want {
				t.Errorf("%s accepting %q: %d with %d bytes; want %d", path, accept, r.StatusCode, len(got), len(want))
			}
			if br := r.Header.Get("Content-Encoding") == "br"; br != strings.Contains(accept, "br,") {
				t.Errorf("%s accepting %q: brotli is %v", path, accept, br)
			}
		}
	}
	if got := bodyOf(t, ask(t, h, "GET", "/")); got != index {
		t.Errorf("/ gives %q", got)
	}
	if got := bodyOf(t, ask(t, h, "GET", web.ManifestPath)); got != string(s.ManifestJSON()) {
		t.Errorf("the manifest is %q", got)
	}
}

func TestEveryAnswerCarriesTheHeaders(t *testing.T) {
	s, _ := site(t, whole())
	h := s.Handler(web.Options{Door: web.Worker})
	for _, path := range []string{"/", "/sw.js", "/assets/core.wasm", web.ManifestPath} {
		r := ask(t, h, "GET", path)
		for name, want := range web.Headers() {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", path, name, got, want)
			}
		}
	}
	if got := ask(t, h, "GET", "/").Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("without TLS, HSTS is %q", got)
	}
	secure := s.Handler(web.Options{Door: web.Worker, Secure: true})
	if got := ask(t, secure, "GET", "/").Header.Get("Strict-Transport-Security"); got == "" {
		t.Error("with TLS there is no HSTS")
	}
}

func TestPolicyLetsNothingInlineRunAndNothingLeaveTheOrigin(t *testing.T) {
	policy := web.Headers("'sha256-x'")["Content-Security-Policy"]
	for _, want := range []string{"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval' 'sha256-x';", "connect-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	for _, never := range []string{"unsafe-inline", "'unsafe-eval'", "http:", "https:", "*"} {
		if strings.Contains(policy, never) {
			t.Errorf("the policy has %q: %s", never, policy)
		}
	}
}

func TestOnlyHashedNamesAreKeptByBrowsers(t *testing.T) {
	s, _ := site(t, whole())
	h := s.Handler(web.Options{Door: web.Worker})
	for path, forever := range map[string]bool{"/": false, "/index.html": false, "/sw.js": false, "/assets/a.js": true, "/assets/core.wasm": true} {
		r := ask(t, h, "GET", path)
		if got := strings.Contains(r.Header.Get("Cache-Control"), "immutable"); got != forever {
			t.Errorf("%s: Cache-Control is %q", path, r.Header.Get("Cache-Control"))
		}
		again := ask(t, h, "GET", path, "If-None-Match", r.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked with its tag, the answer is %d", path, again.StatusCode)
		}
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	s, _ := site(t, whole())
	h := s.Handler(web.Options{Door: web.Worker})
	for _, path := range []string{"/nothing", "/assets/", "/assets", "/manifest.json", "/index.html.br", "/../index.html", "/assets/../index.html"} {
		if r := ask(t, h, "GET", path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestPageNamesItsDoor(t *testing.T) {
	s, _ := site(t, whole())
	r := ask(t, s.Handler(web.Options{Door: web.Socket}), "GET", "/")
	if got, want := bodyOf(t, r), strings.Replace(index, "worker", "socket", 1); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestHeadGivesNoBody(t *testing.T) {
	s, _ := site(t, whole())
	r := ask(t, s.Handler(web.Options{Door: web.Worker}), "HEAD", "/assets/a.js")
	if got := bodyOf(t, r); got != "" || r.Header.Get("Content-Length") != "5" {
		t.Errorf("got %q, Content-Length %s", got, r.Header.Get("Content-Length"))
	}
}

func TestProgramWithoutPageSaysSo(t *testing.T) {
	if _, err := web.Load(fstest.MapFS{".keep": {}}); !errors.Is(err, web.ErrNotBuilt) {
		t.Errorf("got %v", err)
	}
	_, folder := site(t, whole())
	delete(folder, "sw.js.br")
	if _, err := web.Load(folder); err == nil {
		t.Error("a page with a file missing was loaded")
	}
}

func TestManifestRefusesWhatIsNoPage(t *testing.T) {
	good := `{"path":"/a","size":1,"sha384":"` + web.Digest(nil) + `"}`
	for name, files := range map[string]string{
		"relative path":  strings.Replace(good, "/a", "a", 1),
		"dotted path":    strings.Replace(good, "/a", "/../a", 1),
		"the root":       strings.Replace(good, "/a", "/", 1),
		"twice":          good + "," + good,
		"out of order":   strings.Replace(good, "/a", "/b", 1) + "," + good,
		"short hash":     strings.Replace(good, web.Digest(nil), "AAAA", 1),
		"negative size":  strings.Replace(good, `"size":1`, `"size":-1`, 1),
		"unknown field":  strings.Replace(good, `"size"`, `"other":1,"size"`, 1),
		"enormous size":  strings.Replace(good, `"size":1`, `"size":99999999999`, 1),
		"no base64 hash": strings.Replace(good, web.Digest(nil), "!", 1),
	} {
		if _, err := web.ParseManifest([]byte(`{"version":1,"files":[` + files + `],"headers":{}}`)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := web.ParseManifest([]byte(`{"version":1,"files":[` + good + `],"headers":{}}`)); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for _, bad := range []string{`{"version":2,"files":[],"headers":{}}`, `{"version":1,"files":[],"headers":{}}{}`, ``, strings.Repeat(" ", web.MaxManifest+1)} {
		if _, err := web.ParseManifest([]byte(bad)); err == nil {
			t.Errorf("accepted %.40q", bad)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"files":[{"path":"/a","size":1,"sha384":"` + web.Digest(nil) + `"}],"headers":{"A":"b"}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := web.ParseManifest(b)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("parsed but can't be encoded: %v", err)
		}
		m2, err := web.ParseManifest(again)
		if err != nil || m2.Build() != m.Build() {
			t.Fatalf("changed when written again: %v", err)
		}
	})
}

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) ed25519.PublicKey { return key(n).Public().(ed25519.PublicKey) }

func TestReleaseNeedsEnoughTrustedKeys(t *testing.T) {
	manifest := []byte("the manifest")
	trusted := []ed25519.PublicKey{public(1), public(2), public(3)}
	var s web.Signatures
	s.Sign(key(1), manifest)
	s.Sign(key(1), manifest) // again counts once
	s.Sign(key(9), manifest) // a stranger's counts for nothing
	if err := s.Check(manifest, trusted, 2); err == nil {
		t.Error("one trusted key was enough for two")
	}
	s.Sign(key(3), manifest)
	if err := s.Check(manifest, trusted, 2); err != nil {
		t.Errorf("two trusted keys: %v", err)
	}
	if err := s.Check([]byte("another manifest"), trusted, 1); err == nil {
		t.Error("the signatures of one manifest held for another")
	}
	if err := s.Check(manifest, []ed25519.PublicKey{public(1), public(1)}, 2); err == nil {
		t.Error("one key counted as two")
	}
	for _, threshold := range []int{0, -1, 4} {
		if err := s.Check(manifest, trusted, threshold); err == nil {
			t.Errorf("a threshold of %d was accepted", threshold)
		}
	}
}

// The screens are tested apart from this program, under headers that must be its.
func TestScreensAreTestedUnderTheseHeaders(t *testing.T) {
	script, err := os.ReadFile("test/serve.mjs")
	if err != nil {
		t.Fatal(err)
	}
	headers := web.Headers()
	delete(headers, "Permissions-Policy") // bears on nothing there
	for name, value := range headers {
		if !strings.Contains(string(script), `"`+name+`"`) || !strings.Contains(string(script), `"`+value+`"`) {
			t.Errorf("test/serve.mjs does not send %s: %s", name, value)
		}
	}
}

// firstLoad is how many bytes of scripts a browser may need before the page can be
// used, with Brotli.
const firstLoad = 180_000

func TestFirstLoadFitsTheBudget(t *testing.T) {
	built, err := web.Embedded()
	if errors.Is(err, web.ErrNotBuilt) {
		t.Skip("the page is not built (make web), so nobody can weigh it")
	} else if err != nil {
		t.Fatal(err)
	}
	h := built.Handler(web.Options{Door: web.Worker})
	named := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+\.js)"`)
	imported := regexp.MustCompile("(?:from|import)\\s*[\"'`]\\./([^\"'`]+\\.js)[\"'`]")
	var scripts, weights []string
	add := func(path string) {
		if !slices.Contains(scripts, path) {
			scripts = append(scripts, path)
		}
	}
	for _, m := range named.FindAllStringSubmatch(bodyOf(t, ask(t, h, "GET", "/")), -1) {
		add(m[1])
	}
	if len(scripts) == 0 {
		t.Fatal("the page names no script")
	}
	all := int64(0)
	for i := 0; i < len(scripts); i++ { // grows as scripts name others
		r := ask(t, h, "GET", scripts[i], "Accept-Encoding", "br")
		all += r.ContentLength
		weights = append(weights, fmt.Sprintf("%8d  %s", r.ContentLength, scripts[i]))
		for _, m := range imported.FindAllStringSubmatch(bodyOf(t, r), -1) {
			add("/assets/" + m[1])
		}
	}
	t.Logf("%d bytes of %d", all, firstLoad)
	if all > firstLoad {
		t.Errorf("%d bytes over the budget:\n%s", all-firstLoad, strings.Join(weights, "\n"))
	}
}

// The typeface wants its license to go along with it, and so do the packages.
func TestLicensesGoAlong(t *testing.T) {
	built, err := web.Embedded()
	if errors.Is(err, web.ErrNotBuilt) {
		t.Skip("the page is not built (make web), so nobody can read its licenses")
	} else if err != nil {
		t.Fatal(err)
	}
	h := built.Handler(web.Options{Door: web.Worker})
	r := ask(t, h, "GET", "/licenses.txt", "Accept-Encoding", "br")
	said := bodyOf(t, r)
	for _, want := range []string{
		"SIL OPEN FONT LICENSE Version 1.1", "Copyright 2022 The Instrument Sans Project Authors", "Apache License",
		"\nreact-dom\n", "\nlexical\n", "\n@sqlite.org/sqlite-wasm\n", "\nemojibase-data\n", "\nGo\n", "\ngithub.com/fxamacker/cbor/v2\n", "The Go Authors",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the licenses do not say %q", want)
		}
	}
	if kind := r.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Errorf("they are served as %s", kind)
	}
	if strings.Contains(bodyOf(t, ask(t, h, "GET", "/sw.js")), "licenses.txt") {
		t.Error("the service worker reads them ahead")
	}
}
