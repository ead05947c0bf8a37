package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// ports hands out each port once, so that scripts that run at the same moment
// don't meet. They are below what the kernel gives to outgoing connections.
var ports struct {
	sync.Mutex
	taken map[int]bool
}

// freePort gives a port that nobody listens on.
func freePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.taken == nil {
		ports.taken = map[int]bool{}
	}
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		if ports.taken[port] {
			continue
		}
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		l.Close()
		ports.taken[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("found no free port")
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// sconced is a server under test: its data and its address stay the same over
// any number of runs.
type sconced struct {
	data string
	port int
	// database is the address of the PostgreSQL that it uses; empty: SQLite in data.
	database string
	secure   bool // it was started with TLS
	// wrap changes the command line before it is started, for example to run it
	// under strace. Nil leaves it.
	wrap func(args []string) *exec.Cmd
	*program
	log string // what earlier runs printed
}

func newServer(data string) (*sconced, error) {
	port, err := freePort()
	return &sconced{data: data, port: port}, err
}

func (s *sconced) url() string {
	if s.secure {
		return "https://" + address(s.port)
	}
	return "http://" + address(s.port)
}

// start runs the server and waits until it is ready.
func (s *sconced) start(flags ...string) error {
	return s.startBy([]string{"sconced", "run"}, flags...)
}

// startBy is start with a command that runs the server.
func (s *sconced) startBy(command []string, flags ...string) error {
	args := slices.Concat([]string{filepath.Join(programs, command[0])}, command[1:], []string{"--data", s.data, "--listen", address(s.port)}, flags)
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	s.secure = slices.Contains(flags, "--tls-cert")
	if s.program != nil {
		s.log += s.output()
	}
	var cmd *exec.Cmd
	if s.wrap != nil {
		cmd = s.wrap(args)
	} else {
		cmd = exec.Command(args[0], args[1:]...)
	}
	p, err := startProgram("server", cmd)
	if err != nil {
		return err
	}
	s.program = p
	return s.ready()
}

func (s *sconced) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const pause = 10 * time.Millisecond
	for {
		if answers(ctx, s.url()+"/readyz") {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("the server ended before it was ready; it printed:\n%s", s.output())
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready within %v; it printed:\n%s", patience, s.output())
		case <-time.After(pause):
		}
	}
}

// anyone is a client that only asks whether somebody is there.
var anyone = &http.Client{Transport: &http.Transport{
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	DisableKeepAlives: true, // a connection that is left would be one more in the server's trace
}}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := anyone.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// databaseFile is the server's database, within its data.
const databaseFile = "sconce.db"
