//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// visit is one way to meet the page, as web/test/speed.mjs knows it.
type visit struct {
	name, what string
	people     int
	figures    []pageFigure
}

// pageFigure has what the script calls what the page of figures has.
type pageFigure struct {
	theirs, name, unit string
	scale              float64
}

var visits = []visit{
	{name: "first", what: "the page for the first time", people: 1, figures: []pageFigure{
		{"painted", "page, first paint", "ms", 1},
		{"joining", "page, an invite can be taken", "ms", 1},
		{"bytes", "page, first load", "MB", 1e-6},
		{"core", "page, core in Brotli", "MB", 1e-6},
	}},
	{name: "return", what: "the page for who comes back", people: 2, figures: []pageFigure{
		{"painted", "page again, first paint", "ms", 1},
		{"unlocking", "page again, passphrase can be typed", "ms", 1},
		{"list", "page again, passphrase to list", "ms", 1},
		{"composer", "page again, passphrase to composer", "ms", 1},
		{"usable", "page again, all of it", "ms", 1},
	}},
	{name: "tabs", what: "the page in two tabs", people: 2, figures: []pageFigure{
		{"handover", "page, hand-over to another tab", "ms", 1},
	}},
}

func (b *bench) pageSection(ctx context.Context) (section, error) {
	s := section{title: "Page", before: pageNotes, after: pageTried}
	p := &pageBench{bench: b}
	var rows []row
	for _, v := range visits {
		rows = append(rows, row{name: "page-" + v.name, what: v.what, run: func(ctx context.Context) (*sample, error) { return p.visit(ctx, v) }})
	}
	s.rows = b.measure(ctx, rows)
	if p.server == nil {
		return s, nil
	}
	return s, p.server.stop()
}

// pageBench is a server that serves the page, started when a row needs it, and
// what drives a browser before it.
type pageBench struct {
	*bench
	server         *process
	binary, data   string
	node, chromium string
	people         int // who were invited
}

// visit lets a browser meet the page, a few times.
func (p *pageBench) visit(ctx context.Context, v visit) (*sample, error) {
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(p.scratch, "page")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	rounds := 5
	if p.quick {
		rounds = 3
	}
	args := []string{filepath.Join("test", "speed.mjs"), v.name, p.chromium, work, strconv.Itoa(rounds)}
	for range v.people {
		link, err := p.invite(ctx)
		if err != nil {
			return nil, err
		}
		args = append(args, link)
	}
	out := &sample{}
	measured, err := p.drive(ctx, args, out)
	if err != nil {
		return nil, err
	}
	for _, f := range v.figures {
		value, ok := measured[f.theirs]
		if !ok {
			return nil, fmt.Errorf("the browser did not say %s", f.theirs)
		}
		out.add(f.name, f.unit, value*f.scale)
	}
	return out, nil
}

// drive runs the script with a browser, on both cores: nobody has one that is
// bound to half a machine.
func (p *pageBench) drive(ctx context.Context, args []string, out *sample) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, p.node, args...)
	cmd.Dir = "web"
	cmd.Env = withoutBench(os.Environ())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it has a browser to end
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	before, err := measureLoad(p.server.pid)
	if err != nil {
		return nil, err
	}
	if err := onCores(cmd.Start, p.cores.server, p.cores.driver); err != nil {
		return nil, fmt.Errorf("starting the browser: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("the browser: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	after, err := measureLoad(p.server.pid)
	if err != nil {
		return nil, err
	}
	after.driver += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // the browser's own with it
	out.ambient = ambient(before, after)
	measured := map[string]float64{}
	if err := json.Unmarshal(stdout.Bytes(), &measured); err != nil {
		return nil, fmt.Errorf("the browser: %w", err)
	}
	return measured, nil
}

// start finds what is needed, and starts the server.
func (p *pageBench) start(ctx context.Context) (err error) {
	if p.server != nil {
		return nil
	}
	if p.node, err = exec.LookPath("node"); err != nil {
		return errors.New("it takes Node to drive a browser, and there is none")
	}
	if p.chromium, err = chromium(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join("web", "node_modules", "playwright-core")); err != nil {
		return errors.New("the packages of web are not installed: run make web")
	}
	if p.binary, err = p.sconced(ctx); err != nil {
		return err
	}
	if p.data, err = os.MkdirTemp(p.scratch, "page-data"); err != nil {
		return err
	}
	server, err := serve(ctx, launch{binary: p.binary, data: p.data, core: p.cores.server})
	if err != nil {
		return err
	}
	if err := carriesPage(ctx, server.address); err != nil {
		return errors.Join(err, server.stop())
	}
	p.server = server
	return nil
}

func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("it takes Chromium, and there is none")
}

// carriesPage asks a server whether it was built with the page.
func carriesPage(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("the server was built without the page: run make web")
	}
	return nil
}

// invite makes an invite as whoever runs a server does.
func (p *pageBench) invite(ctx context.Context) (string, error) {
	p.people++
	cmd := exec.CommandContext(ctx, p.binary, "invite", fmt.Sprintf("guest %d", p.people), "--data", p.data)
	cmd.Env = withoutBench(os.Environ())
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("inviting: %w", err)
	}
	return string(bytes.TrimSpace(out)), nil
}
