package e2e

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// patience is how long a wait lasts before the test gives up. It is long because
// it costs nothing when all goes well, and machines that test are busy.
const patience = 60 * time.Second

// eventually looks again and again until something is so, and reports whether it
// came to be within patience.
func eventually(so func() bool) bool { return within(patience, 50*time.Millisecond, so) }

// within is eventually with a patience of its own, and a pause between two looks.
func within(limit, pause time.Duration, so func() bool) bool {
	for deadline := time.Now().Add(limit); !so(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// program is a run of a program in the background, with all that it has printed.
type program struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended

	mu      sync.Mutex
	out     []byte        // standard output and error, as they came
	read    int           // how much of out expect has passed
	changed chan struct{} // closed and replaced when out grows
}

// startProgram starts cmd. Whoever starts it ends it with stop or kill.
func startProgram(name string, cmd *exec.Cmd) (*program, error) {
	p := &program{name: name, cmd: cmd, done: make(chan struct{}), changed: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is asked of cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

// Write takes what the program prints.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, b...)
	close(p.changed)
	p.changed = make(chan struct{})
	return len(b), nil
}

// output is all that it has printed.
func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.out)
}

// expect waits until the program prints what matches, after what it was expected
// to print before, and gives the match with its groups.
func (p *program) expect(re *regexp.Regexp, within time.Duration) ([]string, error) {
	deadline := time.After(within)
	for ended := false; ; {
		match, changed := p.next(re)
		if match != nil {
			return match, nil
		}
		if ended {
			return nil, fmt.Errorf("%s ended (%v) and did not print %q; it printed:\n%s", p.name, p.cmd.ProcessState, re, p.output())
		}
		select {
		case <-changed:
		case <-p.done:
			ended = true // look once more: its last words came before its end
		case <-deadline:
			return nil, fmt.Errorf("%s did not print %q within %v; it printed:\n%s", p.name, re, within, p.output())
		}
	}
}

func (p *program) next(re *regexp.Regexp) (match []string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.out[p.read:]
	at := re.FindSubmatchIndex(rest)
	if at == nil {
		return nil, p.changed
	}
	p.read += at[1]
	for _, group := range re.FindSubmatch(rest) {
		match = append(match, string(group))
	}
	return match, nil
}

// say writes a line to the program.
func (p *program) say(line string) error {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return fmt.Errorf("telling %s: %w", p.name, err)
	}
	return nil
}

// stop asks the program to end and waits until it has.
func (p *program) stop() error { return p.end(syscall.SIGTERM) }

// kill ends the program as a power cut does, but for the disk's cache.
func (p *program) kill() error { return p.end(syscall.SIGKILL) }

func (p *program) end(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err == nil {
		err = p.wait()
	}
	select {
	case <-p.done:
		return nil // perhaps before it was told
	default:
		return err
	}
}

// wait waits for the program's end.
func (p *program) wait() error {
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		return errors.New(p.name + " did not end; it printed:\n" + p.output())
	}
}

func (p *program) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}
