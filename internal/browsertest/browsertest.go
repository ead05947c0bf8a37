// Package browsertest runs Go programs in workers of a real Chromium, over the
// same scripts as the product, for tests that say what becomes of them: begin
// with [Start].
//
// It needs Chromium, node and the packages of web/package.json; a test that
// lacks one of them is skipped, and its name and reason are in the output.
package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sconce/web"
)

// Browser is a Chromium with one page open, which starts and ends workers.
type Browser struct {
	t       testing.TB
	server  *httptest.Server
	profile string
	cmd     *exec.Cmd
	exited  chan struct{}
	control *websocket.Conn

	mu         sync.Mutex
	violations []string
	last       int
	runs       map[int]*Run
	joined     chan *websocket.Conn
}

// Options are the choices of [Start].
type Options struct {
	Profile string       // folder of the browser's files; empty: a new one
	Page    string       // folder that Build made
	Handler http.Handler // serves what is neither the page nor its control
}

// Run is one program in one worker.
type Run struct {
	Lines chan string // what it prints
	Stuck chan struct{}
	Ended chan struct{}
	id    int
	b     *Browser
	mu    sync.Mutex
	code  int
	why   string
}

// Tool finds a program, or skips the test by name.
func Tool(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed, so nothing is tested in a browser", names[0])
	return ""
}

// Root is the folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Build makes the page of web/test/harness, and the tests of a package as its
// program, in an empty folder.
func Build(t testing.TB, pkg, page string) {
	t.Helper()
	BuildPage(t, "test/harness/vite.config.ts", page)
	command(t, Root(t), []string{"GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0"},
		"go", "test", "-c", "-ldflags=-s -w", "-o", filepath.Join(page, "program.wasm"), pkg)
}

// BuildPage makes a page of web/test, with the core in it, in an empty folder.
func BuildPage(t testing.TB, config, page string) {
	t.Helper()
	Tool(t, "chromium", "chromium-browser", "google-chrome")
	npx, root := Tool(t, "npx"), Root(t)
	folder := filepath.Join(root, "web")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "vite")); errors.Is(err, os.ErrNotExist) {
		t.Skip("the packages of web are not installed (npm ci in web/), so nothing is tested in a browser")
	}
	command(t, root, nil, filepath.Join(root, "scripts", "wasm.sh"))
	command(t, folder, nil, npx, "--no-install", "vite", "build", "--logLevel", "error", "-c", config, "--outDir", page, "--emptyOutDir")
}

// Page serves a folder as the product serves its page.
func Page(dir string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	headers := web.Headers()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		files.ServeHTTP(w, r)
	})
}

func command(t testing.TB, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Start opens the page in a new Chromium, which ends with the test.
func Start(t testing.TB, o Options) *Browser {
	t.Helper()
	chromium := Tool(t, "chromium", "chromium-browser", "google-chrome")
	if o.Profile == "" {
		o.Profile = t.TempDir()
	}
	b := &Browser{t: t, profile: o.Profile, runs: map[int]*Run{}, joined: make(chan *websocket.Conn, 1), exited: make(chan struct{})}
	b.server = httptest.NewUnstartedServer(b.handler(o))
	if port := portOf(o.Profile); port != "" { // a profile keeps files for one origin
		listen(t, b.server, port)
	}
	b.server.Start()
	t.Cleanup(b.server.Close)
	keepPort(t, o.Profile, b.server.URL)
	b.cmd = exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+o.Profile, b.server.URL+"/")
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts many processes, which end together
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = b.cmd.Wait(); close(b.exited) }()
	t.Cleanup(b.Kill)
	select {
	case b.control = <-b.joined:
	case <-time.After(60 * time.Second):
		t.Fatal("the page did not call in a minute")
	}
	go b.listen()
	return b
}

// Kill ends all of the browser's processes at once, as a loss of power would.
func (b *Browser) Kill() {
	_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
	<-b.exited
}

// Close ends the browser and its server, so that another may use the profile.
func (b *Browser) Close() {
	b.Kill()
	b.server.CloseClientConnections()
	b.server.Close()
}

// URL is where the page comes from.
func (b *Browser) URL() string { return b.server.URL }

// Violations lists what broke the content security policy.
func (b *Browser) Violations() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.violations
}

func (b *Browser) handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		conn.SetReadLimit(16 << 20)
		b.joined <- conn
		<-b.exited
	})
	mux.Handle("/", Page(o.Page))
	if o.Handler != nil {
		mux.Handle("/v1/", o.Handler)
		mux.Handle("/remote", o.Handler)
	}
	return mux
}

// order is what the page is told, event what it tells.
type (
	order struct {
		Op        string   `json:"op"`
		ID        int      `json:"id"`
		Program   string   `json:"program,omitempty"`
		Args      []string `json:"args"`
		StopAfter int      `json:"stopAfter"`
		NoFiles   bool     `json:"noFiles"`
	}
	event struct {
		ID   int    `json:"id"`
		Kind string `json:"kind"`
		Line string `json:"line"`
		Code int    `json:"code"`
	}
)

// Run starts the program in a worker of its own.
func (b *Browser) Run(args ...string) *Run { return b.RunUntil(-1, args...) }

// RunUntil starts the program and makes it stand still before the nth change to
// its files after it called stopAfter; -1 lets it go on.
func (b *Browser) RunUntil(n int, args ...string) *Run {
	return b.run(order{Args: args, StopAfter: n})
}

// RunWithoutFiles starts the program as in a browser that gives it no files.
func (b *Browser) RunWithoutFiles(args ...string) *Run {
	return b.run(order{Args: args, StopAfter: -1, NoFiles: true})
}

func (b *Browser) run(o order) *Run {
	b.mu.Lock()
	b.last++
	r := &Run{id: b.last, b: b, Lines: make(chan string, 100_000), Stuck: make(chan struct{}), Ended: make(chan struct{})}
	b.runs[r.id] = r
	b.mu.Unlock()
	o.Op, o.ID, o.Program = "run", r.id, "/program.wasm"
	b.tell(o)
	return r
}

// End ends the worker, whatever it is at, and waits until it is gone.
func (r *Run) End() {
	r.b.tell(order{Op: "end", ID: r.id})
	select {
	case <-r.Ended:
	case <-time.After(20 * time.Second):
		r.b.t.Fatal("the worker did not end")
	}
}

// Wait waits for the program to exit by itself.
func (r *Run) Wait(patience time.Duration) (code int, output []string) {
	r.b.t.Helper()
	select {
	case <-r.Ended:
	case <-time.After(patience):
		r.b.t.Fatalf("the program did not end in %v; it printed:\n%s", patience, strings.Join(drain(r.Lines), "\n"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	output = drain(r.Lines)
	if r.why != "" {
		output = append(output, r.why)
	}
	return r.code, output
}

func drain(lines <-chan string) (all []string) {
	for {
		select {
		case l := <-lines:
			all = append(all, l)
		default:
			return all
		}
	}
}

func (b *Browser) tell(o order) {
	text, err := json.Marshal(o)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.control.Write(context.Background(), websocket.MessageText, text); err != nil {
		b.t.Fatalf("the page is gone: %v", err)
	}
}

func (b *Browser) listen() {
	for {
		_, text, err := b.control.Read(context.Background())
		if err != nil {
			return
		}
		var e event
		if err := json.Unmarshal(text, &e); err != nil {
			return
		}
		b.take(e)
	}
}

func (b *Browser) take(e event) {
	b.mu.Lock()
	r := b.runs[e.ID]
	if e.Kind == "violation" {
		b.violations = append(b.violations, e.Line)
	}
	b.mu.Unlock()
	if r == nil {
		return
	}
	switch e.Kind {
	case "out":
		r.Lines <- e.Line
	case "stuck":
		close(r.Stuck)
	case "exit", "ended":
		r.mu.Lock()
		r.code, r.why = e.Code, e.Line
		r.mu.Unlock()
		b.mu.Lock()
		delete(b.runs, e.ID)
		b.mu.Unlock()
		close(r.Ended)
	}
}

const portFile = "sconce-test-port"

func portOf(profile string) string {
	port, err := os.ReadFile(filepath.Join(profile, portFile))
	if err != nil {
		return ""
	}
	return string(port)
}

func keepPort(t testing.TB, profile, url string) {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	if err := os.WriteFile(filepath.Join(profile, portFile), []byte(port), 0o600); err != nil {
		t.Fatal(err)
	}
}

func listen(t testing.TB, s *httptest.Server, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(fmt.Errorf("the port of the profile's origin: %w", err))
	}
	_ = s.Listener.Close()
	s.Listener = l
}
