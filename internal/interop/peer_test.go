package interop

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// full is set by `make interop`: everything at full length, and what is
// missing is a failure.
var full = os.Getenv("SCONCE_INTEROP") == "full"

// peer is a running Node program with clients of ts-mls in it.
type peer struct {
	t      testing.TB
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *bytes.Buffer
}

// octets travel as hexadecimal.
type octets []byte

func (o octets) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(o)), nil }

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(string(b))
	return err
}

// request is one call; answer is what comes back of any call.
type request map[string]any

type answer struct {
	Error      string
	KeyPackage octets
	Message    octets
	Welcome    octets
	GroupInfo  octets
	Data       octets

	Epoch         uint64
	Leaf          uint32
	Authenticator octets
	TreeHash      octets
	Transcript    octets
	Exported      octets
}

var install = sync.OnceValue(func() error {
	if _, err := exec.LookPath("node"); err != nil {
		return errors.New("no Node on PATH")
	}
	if _, err := os.Stat(filepath.Join("tsmls", "node_modules", "ts-mls", "package.json")); err == nil {
		return nil
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("no npm on PATH")
	}
	ci := exec.Command("npm", "ci", "--omit=dev")
	ci.Dir = "tsmls"
	if out, err := ci.CombinedOutput(); err != nil {
		// Half an installation must not pass for a whole one.
		return errors.Join(fmt.Errorf("npm ci: %w\n%s", err, bytes.TrimSpace(out)), os.RemoveAll(filepath.Join("tsmls", "node_modules")))
	}
	return nil
})

func startPeer(t testing.TB) *peer {
	t.Helper()
	if err := install(); err != nil {
		if full {
			t.Fatalf("ts-mls cannot be had: %v", err)
		}
		t.Skipf("ts-mls cannot be had: %v", err)
	}
	cmd := exec.Command("node", "--import", "./mend.mjs", "peer.mjs")
	cmd.Dir = "tsmls"
	p := &peer{t: t, stderr: &bytes.Buffer{}}
	cmd.Stderr = p.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		_ = p.in.Close() // the program ends with its input
		if err := cmd.Wait(); err != nil {
			t.Errorf("peer: %v\n%s", err, p.stderr)
		}
	})
	return p
}

// call asks, and fails the test if ts-mls refuses.
func (p *peer) call(call, who string, more request) *answer {
	p.t.Helper()
	a := p.ask(call, who, more)
	if a.Error != "" {
		p.t.Fatalf("ts-mls refuses %s by %s: %s", call, who, a.Error)
	}
	return a
}

func (p *peer) ask(call, who string, more request) *answer {
	p.t.Helper()
	r := request{"call": call, "who": who}
	for k, v := range more {
		r[k] = v
	}
	b, err := json.Marshal(r)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		p.t.Fatalf("peer: %v\n%s", err, p.stderr)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		p.t.Fatalf("peer: %v\n%s", err, p.stderr)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		p.t.Fatalf("peer: %v: %s", err, line)
	}
	return &a
}
