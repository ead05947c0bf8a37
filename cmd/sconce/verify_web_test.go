package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"crypto/ed25519"

	"sconce/web"
)

// releasedPage is a page, its manifest in a file, and the key that signed it.
func releasedPage(t *testing.T, script string) (site *web.Site, manifest, key string) {
	t.Helper()
	m := web.Manifest{Version: 1, Headers: web.Headers()}
	folder := fstest.MapFS{}
	for _, f := range []struct{ path, content string }{{"/assets/a.js", script}, {"/index.html", "<!doctype html>"}} {
		m.Files = append(m.Files, web.File{Path: f.path, Size: int64(len(f.content)), SHA384: web.Digest([]byte(f.content))})
		folder[f.path[1:]+".br"] = &fstest.MapFile{Data: web.Compress([]byte(f.content), 5)}
	}
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	folder["manifest.json"] = &fstest.MapFile{Data: raw}
	if site, err = web.Load(folder); err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var s web.Signatures
	s.Sign(private, raw)
	sig, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	manifest = filepath.Join(t.TempDir(), "release.json")
	for path, content := range map[string][]byte{manifest: raw, manifest + ".sig": sig} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return site, manifest, base64.StdEncoding.EncodeToString(public)
}

func TestVerifyWebComparesAServerWithASignedManifest(t *testing.T) {
	site, manifest, key := releasedPage(t, "run()")
	server := httptest.NewServer(site.Handler(web.Options{Door: web.Worker}))
	defer server.Close()
	out, complaint, code := sconce(t, "verify-web", server.URL, "--manifest", manifest, "--key", key)
	if code != exitDone || !strings.Contains(out, "serves build "+site.Manifest().Build()) {
		t.Errorf("%d: %s%s", code, out, complaint)
	}

	other, _, strange := releasedPage(t, "steal()")
	evil := httptest.NewServer(other.Handler(web.Options{Door: web.Worker}))
	defer evil.Close()
	if out, complaint, code := sconce(t, "verify-web", evil.URL, "--manifest", manifest); code != exitFailed || !strings.Contains(out, "/assets/a.js is longer than its 5 bytes\n") || !strings.Contains(complaint, "does not serve build") {
		t.Errorf("another page: %d: %s", code, out+complaint)
	}
	if _, complaint, code := sconce(t, "verify-web", server.URL, "--manifest", manifest, "--key", strange); code != exitFailed || !strings.Contains(complaint, "signed by 0 of the trusted keys") {
		t.Errorf("a key that did not sign: %d: %s", code, complaint)
	}
	if _, complaint, code := sconce(t, "verify-web", server.URL, "--manifest", manifest, "--key", key, "--key", strange, "--need", "1"); code != exitDone {
		t.Errorf("one of two keys: %d: %s", code, complaint)
	}
	for _, args := range [][]string{{"--key", key}, {"--manifest", manifest, "--need", "1"}, {"--manifest", manifest, "--key", "short"}} {
		if _, _, code := sconce(t, append([]string{"verify-web", server.URL}, args...)...); code != exitUsage {
			t.Errorf("%q: %d", args, code)
		}
	}
}
