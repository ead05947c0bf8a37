//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a sconced that runs, on its own core.
type process struct {
	address string // host and port
	pid     int    // the server's own, also below strace
	ready   time.Duration
	cmd     *exec.Cmd
	log     *bytes.Buffer
	ended   chan struct{} // closed when err is set
	err     error
}

// launch says how to start a server.
type launch struct {
	binary    string
	data      string
	core      int  // -1: any
	slowDisk  bool // a millisecond more for every sync, by strace
	cert, key string
}

// serve starts a server and waits until it is ready.
func serve(ctx context.Context, l launch) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), log: new(bytes.Buffer), ended: make(chan struct{})}
	args := []string{l.binary, "run", "--data", l.data, "--listen", p.address}
	if l.cert != "" {
		args = append(args, "--tls-cert", l.cert, "--tls-key", l.key)
	}
	if l.slowDisk {
		args = append([]string{"strace", "--seccomp-bpf", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
			"-e", "inject=fsync,fdatasync:delay_exit=1000"}, args...)
	}
	p.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, p.log
	p.cmd.Env = withoutBench(os.Environ())
	begin := time.Now()
	start := p.cmd.Start
	if l.core >= 0 {
		start = func() error { return onCores(p.cmd.Start, l.core) }
	}
	if err := start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", args[0], err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err := p.awaitReady(ctx, begin, l.cert != ""); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.pid = p.cmd.Process.Pid
	if l.slowDisk {
		if p.pid, err = childOf(p.pid); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	return p, nil
}

// withoutBench keeps what is meant for this program from those that it starts.
func withoutBench(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, pinnedAs+"=") && !strings.HasPrefix(e, "GOMAXPROCS=") {
			out = append(out, e)
		}
	}
	return out
}

// freePort finds a port below those that outgoing connections take.
func freePort() (int, error) {
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no port is free")
}

const readyWithin = 30 * time.Second

// awaitReady asks the server whether it is ready until it is. With TLS it asks
// for a connection alone.
func (p *process) awaitReady(ctx context.Context, begin time.Time, secure bool) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if p.answers(ctx, client, secure) {
			p.ready = time.Since(begin)
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended at its start: %w: %s", p.err, p.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
		if time.Since(begin) > readyWithin {
			return fmt.Errorf("the server is not ready after %v", readyWithin)
		}
	}
}

func (p *process) answers(ctx context.Context, client *http.Client, secure bool) bool {
	if secure {
		conn, err := net.DialTimeout("tcp", p.address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// childOf finds the one process that pid started.
func childOf(pid int) (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		if f := strings.Fields(string(b)); len(f) > 0 {
			return strconv.Atoi(f[0])
		}
	}
	return 0, errors.New("strace started nothing")
}

// stop asks the server to end and waits for it.
func (p *process) stop() error {
	pid := p.pid
	if pid == 0 {
		pid = p.cmd.Process.Pid
	}
	_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return errors.New("the server did not stop when asked")
	}
	if p.err != nil {
		return fmt.Errorf("the server ended badly: %w: %s", p.err, p.log)
	}
	return nil
}

// build makes the server as it is released: static and without paths.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "sconced")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "sconce/cmd/sconced")
	cmd.Env = append(withoutBench(os.Environ()), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the server: %w: %s", err, out)
	}
	return binary, nil
}
