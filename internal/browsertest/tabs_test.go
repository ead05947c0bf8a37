package browsertest_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sconce/internal/browsertest"
	"sconce/server"
)

// Several tabs share one core: see web/test/tabs.mjs for what is claimed.
func TestTabsShareOneCore(t *testing.T) {
	chromium, node := browsertest.Tool(t, "chromium", "chromium-browser", "google-chrome"), browsertest.Tool(t, "node")
	dir := t.TempDir()
	browsertest.BuildPage(t, "test/tabs/vite.config.ts", dir)
	url, s := network(t, browsertest.Page(dir))
	invite, err := s.Invite(t.Context(), "Alice")
	if err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), node, "test/tabs.mjs", chromium, t.TempDir(), url, invite.Reveal())
	script.Dir = filepath.Join(browsertest.Root(t), "web")
	out, err := script.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"done"`) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// network runs a real server with a page.
func network(t *testing.T, page http.Handler) (url string, s *server.Server) {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Page: page})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s.URL(), s
}
