//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sconce/mls"
)

// peerFigures has what the peer's program calls what ours has.
var peerFigures = []struct{ ours, theirs string }{
	{"bulk add", "addall_commit_ms"},
	{"join", "join_ms"},
	{"commit, unmerged", "unmerged_commit_ms"},
	{"encrypt 256 B", "app_enc_us"},
	{"decrypt 256 B", "app_dec_us"},
}

// beside measures a group of 1,000 with this implementation and, on the same
// core right after, with npm ts-mls, and how many times as long that takes.
func beside(ctx context.Context, scratch string, suite mls.CipherSuite) (*sample, error) {
	dir, err := peer(ctx, scratch)
	if err != nil {
		return nil, err
	}
	ours, err := groups(ctx, suite, 1000)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", "bench.mjs", suite.String(), "1000")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	line, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ts-mls: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	theirs := map[string]any{}
	if err := json.Unmarshal(line, &theirs); err != nil {
		return nil, fmt.Errorf("ts-mls: %w", err)
	}
	r := groupRun{suite: suite, n: 1000, out: &sample{ambient: ours.ambient}}
	for _, f := range peerFigures {
		value, ok := theirs[f.theirs].(float64)
		if !ok {
			return nil, fmt.Errorf("ts-mls did not say %s", f.theirs)
		}
		unit := "ms"
		if f.theirs[len(f.theirs)-2:] == "us" {
			unit = "µs"
		}
		r.out.add(r.name(f.ours+", ts-mls"), unit, value)
		r.out.add(r.name(f.ours+", ts-mls over ours"), "times", value/ours.figure(r.name(f.ours)))
	}
	return r.out, nil
}

// peer gives a folder of ts-mls and its benchmark, from $SCONCE_PEERS or a folder
// beside the repository, with the packages it needs.
func peer(ctx context.Context, scratch string) (string, error) {
	dir := filepath.Join(scratch, "tsmls")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // another row has made it
	}
	from := os.Getenv("SCONCE_PEERS")
	if from == "" {
		from = filepath.Join("..", "shared", "peers")
	}
	if _, err := os.Stat(filepath.Join(from, "tsmls", "bench.mjs")); err != nil {
		return "", errors.New("ts-mls is not there: set SCONCE_PEERS to the folder that has tsmls/bench.mjs")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("ts-mls needs %s, which is not on PATH", program)
		}
	}
	// In a folder of its own, so that nothing is there if it fails.
	half := dir + ".new"
	if err := os.CopyFS(half, os.DirFS(filepath.Join(from, "tsmls"))); err != nil {
		return "", fmt.Errorf("copying ts-mls: %w", err)
	}
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = half
	if out, err := install.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("npm install for ts-mls: %w: %s", err, bytes.TrimSpace(out)), os.RemoveAll(half))
	}
	return dir, os.Rename(half, dir)
}
