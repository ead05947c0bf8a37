package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sconce/web"
)

// Whoever doubts a server compares its page with a manifest: what sconced serves
// passes, and each thing that somebody in between or behind it changes is named.
func TestVerifyWebNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	site, err := web.Embedded()
	if errors.Is(err, web.ErrNotBuilt) {
		t.Skip("the page is not built (make web), so no server serves it")
	} else if err != nil {
		t.Fatal(err)
	}
	m := site.Manifest()
	s := started(t)
	script := scriptOf(t, m)
	build := "build " + m.Build()

	if out, err := verifyPage(s.url()); err != nil || !strings.Contains(out, "serves "+build) {
		t.Errorf("what sconced serves: %v: %s", err, out)
	}
	for name, c := range map[string]struct {
		change func(*http.Response)
		want   []string
	}{
		"one byte of a script": {func(r *http.Response) {
			if r.Request.URL.Path == script {
				rewrite(t, r, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			}
		}, []string{script + " "}},
		"one byte more, for browsers alone": {func(r *http.Response) {
			if r.Request.URL.Path == script && r.Header.Get("Content-Encoding") == "br" {
				r.Header.Del("Content-Encoding")
				rewrite(t, r, func([]byte) []byte { return bytes.Repeat([]byte("x"), 1<<20) })
			}
		}, []string{script + " is longer than its "}},
		"a header taken out": {func(r *http.Response) { r.Header.Del("Content-Security-Policy") },
			[]string{"/ comes without Content-Security-Policy", script + " comes without Content-Security-Policy"}},
		"a file added": {func(r *http.Response) {
			if r.Request.URL.Path == web.ManifestPath {
				rewrite(t, r, func(b []byte) []byte { return withFile(t, b, "/assets/zz.js") })
			}
		}, []string{`/release.json lists "/assets/zz.js", which is not in the manifest`, "/release.json is of build "}},
		"a server that has every file": {func(r *http.Response) {
			if r.StatusCode == http.StatusNotFound {
				r.StatusCode = http.StatusOK
			}
		}, []string{" is there, which no release has"}},
	} {
		out, err := verifyPage(between(t, s.url(), c.change))
		if err == nil || !strings.Contains(out, "does not serve "+build) {
			t.Errorf("%s passes: %s", name, out)
		}
		for _, want := range c.want {
			if !strings.Contains("\n"+out, "\n"+want) && !strings.Contains(out, want+"\n") {
				t.Errorf("%s: %s\nwant a line %q", name, out, want)
			}
		}
	}

	old := m
	old.Files = slices.Clone(m.Files)
	at := slices.IndexFunc(old.Files, func(f web.File) bool { return f.Path == script })
	old.Files[at].SHA384 = web.Digest([]byte("as it was"))
	raw, err := old.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := verifyPage(s.url(), "--manifest", path)
	if err == nil || !strings.Contains(out, "does not serve build "+old.Build()) || !strings.Contains(out, "/release.json is of "+build) || !strings.Contains(out, script+" has other content") {
		t.Errorf("an old manifest: %v: %s", err, out)
	}
}

func verifyPage(server string, args ...string) (string, error) {
	out, err := exec.Command(filepath.Join(programs, "sconce"), append([]string{"verify-web", server}, args...)...).CombinedOutput()
	return string(out), err
}

// scriptOf is a script of the page.
func scriptOf(t *testing.T, m web.Manifest) string {
	t.Helper()
	i := slices.IndexFunc(m.Files, func(f web.File) bool {
		return strings.HasPrefix(f.Path, "/assets/") && strings.HasSuffix(f.Path, ".js")
	})
	if i < 0 {
		t.Fatal("the page has no script")
	}
	return m.Files[i].Path
}

// between is somebody before the server who changes what it answers.
func between(t *testing.T, server string, change func(*http.Response)) string {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = to.Host },
		ModifyResponse: func(r *http.Response) error { change(r); return nil },
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

func rewrite(t *testing.T, r *http.Response, fn func([]byte) []byte) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	_ = r.Body.Close()
	b = fn(b)
	r.Body = io.NopCloser(bytes.NewReader(b))
	r.ContentLength = int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
}

func withFile(t *testing.T, raw []byte, path string) []byte {
	var m web.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Error(err)
		return raw
	}
	m.Files = append(m.Files, web.File{Path: path, SHA384: web.Digest(nil)})
	slices.SortFunc(m.Files, func(a, b web.File) int { return strings.Compare(a.Path, b.Path) })
	b, err := m.Encode()
	if err != nil {
		t.Error(err)
	}
	return b
}
