package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"sconce/identity"
)

// server is a sconced that runs for the demo, in a process of its own.
type server struct {
	program string // the path of sconced
	data    string
	url     string
	network string

	cmd   *exec.Cmd
	log   string        // the file that it logs to
	ended chan struct{} // closed when the process has ended
}

// findServer finds sconced: beside this program, as a build puts it there, or
// on PATH.
func findServer() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "sconced")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath("sconced")
	if err != nil {
		return "", errors.New("there is no sconced beside this program nor on PATH: build all three with \"make build\"")
	}
	return path, nil
}

// patience is how long a server may take to start, on a slow machine too.
const patience = time.Minute

// startServer runs sconced and waits until it can be reached. The caller must
// stop what startServer gives.
func startServer(ctx context.Context, data, listen, log string) (*server, error) {
	program, err := findServer()
	if err != nil {
		return nil, err
	}
	s := &server{program: program, data: data, log: log, ended: make(chan struct{})}
	args := []string{"run", "--data", data}
	if listen != "" {
		args = append(args, "--listen", listen)
	}
	out, err := s.start(args)
	if err != nil {
		return nil, err
	}
	if err := s.awaitGreeting(ctx, out); err != nil {
		return nil, cmp.Or(s.stop(), err)
	}
	return s, nil
}

// start starts the process, and gives what it prints. It is not in the
// terminal's group: Ctrl-C is for the demo, which stops its server last.
func (s *server) start(args []string) (io.Reader, error) {
	log, err := os.OpenFile(s.log, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the server's log: %w", err)
	}
	defer log.Close() // the process has its own
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	s.cmd = exec.Command(s.program, args...)
	s.cmd.Stdout, s.cmd.Stderr = w, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the server: %w", err), out.Close())
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is asked of ProcessState
		close(s.ended)
	}()
	return out, nil
}

// What sconced prints first, once it holds its address.
var (
	networkLine = regexp.MustCompile(`^network (\S+) `)
	serverLine  = regexp.MustCompile(`^ +server +(\S+)$`)
)

// awaitGreeting reads what the server prints until that tells its network and
// its address, and goes on reading so that the server never waits for a reader.
func (s *server) awaitGreeting(ctx context.Context, out io.Reader) error {
	greeted := make(chan [2]string, 1)
	go func() {
		var said [2]string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := networkLine.FindStringSubmatch(lines.Text()); m != nil {
				said[0] = m[1]
			}
			if m := serverLine.FindStringSubmatch(lines.Text()); m != nil {
				said[1] = m[1]
				greeted <- said
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case said := <-greeted:
		s.network, s.url = said[0], said[1]
		return nil
	case <-s.ended:
		return errors.New("the server ended") // stop tells how
	case <-ctx.Done():
		return errors.New("the server did not start in time")
	}
}

// invite makes an invite the way an operator does.
func (s *server) invite(ctx context.Context, name string) (identity.Invite, error) {
	var says, complains bytes.Buffer
	cmd := exec.CommandContext(ctx, s.program, "invite", "--data", s.data, "--", name)
	cmd.Stdout, cmd.Stderr = &says, &complains
	if err := cmd.Run(); err != nil {
		return identity.Invite{}, fmt.Errorf("inviting: %w: %s", err, lastWords(complains.String()))
	}
	return identity.ParseInvite(strings.TrimSpace(says.String()))
}

// stop asks the server to end and waits until it has. An end that was not asked
// for is an error.
func (s *server) stop() error {
	select {
	case <-s.ended:
		text, _ := os.ReadFile(s.log) // the end itself is the news
		return fmt.Errorf("the server ended by itself (%v): %s", s.cmd.ProcessState, lastWords(string(text)))
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping the server: %w", err)
	}
	<-s.ended
	if !s.cmd.ProcessState.Success() {
		return fmt.Errorf("the server did not end well (%v): see %s", s.cmd.ProcessState, s.log)
	}
	return nil
}

// lastWords gives the last line of what a program wrote, without its name.
func lastWords(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimPrefix(text[strings.LastIndexByte(text, '\n')+1:], "sconced: ")
}

// pathLine gives the line to type before the programs are found, where they are
// not: whoever runs a build from its folder has not installed anything.
func (s *server) pathLine() string {
	if _, err := exec.LookPath("sconce"); err == nil {
		return ""
	}
	dir, err := filepath.Abs(filepath.Dir(s.program))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("  export PATH=\"%s:$PATH\"\n", dir)
}
