package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"sconce/server"
)

// authority runs an ACME authority that checks names by handshakes with a port
// of this machine. It returns its directory and the file of its own root.
func authority(t *testing.T, checksPort int) (directory, root string, issued func() *x509.CertPool) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "20") // the protocol says to try again
	silent := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(silent, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: 3600}})
	front := wfe.New(silent, store, va.New(silent, 1, checksPort, false, "", store), issuer, []string{"ca.test"}, false, false, 0, 0)
	handler := front.Handler()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	root = filepath.Join(t.TempDir(), "root.pem")
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(root, own, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL + wfe.DirectoryPath, root, func() *x509.CertPool {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(issuer.GetRootCert(0).PEM())
		return pool
	}
}

// freePort finds one; somebody else may take it, but hardly does.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// runNamed runs a server that gets its certificate by itself, until the
// returned stop.
func runNamed(t *testing.T, data string, port int, a server.ACME) (logged *syncBuffer, stop func()) {
	t.Helper()
	logged = new(syncBuffer)
	s, err := server.New(t.Context(), server.Config{
		Data: data, Listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), ACME: a,
		Logger: slog.New(slog.NewTextHandler(logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.URL(), "https://localhost:"+strconv.Itoa(port); got != want {
		t.Errorf("URL is %s; want %s", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return logged, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// answersTLS waits until the server has a certificate that the roots vouch for.
func answersTLS(t *testing.T, port int, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := tls.Dial("tcp", address, &tls.Config{ServerName: "localhost", RootCAs: roots})
		if err == nil {
			defer c.Close()
			return c.ConnectionState().PeerCertificates[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("no certificate came: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestServerGetsItsCertificateByItself(t *testing.T) {
	port, data := freePort(t), t.TempDir()
	directory, root, issued := authority(t, port)
	a := server.ACME{Name: "localhost", Directory: directory, Roots: root}
	logged, stop := runNamed(t, data, port, a)
	first := answersTLS(t, port, issued())
	if err := first.VerifyHostname("localhost"); err != nil {
		t.Error(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: issued()}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://localhost:" + strconv.Itoa(port) + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		&tls.Config{ServerName: "localhost", RootCAs: issued(), MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("somebody other than the authority came with TLS 1.2")
	}
	client.CloseIdleConnections()
	stop()
	if !strings.Contains(logged.String(), "got a certificate") || strings.Contains(logged.String(), "127.0.0.1") {
		t.Errorf("the log says:\n%s", logged)
	}

	// The next start has it already: authorities allow few a week.
	_, stop = runNamed(t, data, port, a)
	defer stop()
	if again := answersTLS(t, port, issued()); again.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("the second start asked for another certificate")
	}
}

func TestServerWithoutCertificateSaysWhy(t *testing.T) {
	port := freePort(t)
	elsewhere := freePort(t) // where the authority looks, and nobody answers
	directory, root, _ := authority(t, elsewhere)
	logged, stop := runNamed(t, t.TempDir(), port, server.ACME{Name: "localhost", Directory: directory, Roots: root})
	defer stop()
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(logged.String(), "got no certificate; trying again later") {
		if time.Now().After(deadline) {
			t.Fatalf("the log says:\n%s", logged)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestNameForCertificateIsChecked(t *testing.T) {
	for why, c := range map[string]server.Config{
		"an address":        {ACME: server.ACME{Name: "192.0.2.1"}},
		"a URL":             {ACME: server.ACME{Name: "https://chat.example.org"}},
		"a wildcard":        {ACME: server.ACME{Name: "*.example.org"}},
		"a port":            {ACME: server.ACME{Name: "chat.example.org:443"}},
		"no name":           {ACME: server.ACME{Email: "ops@example.org"}},
		"files as well":     {ACME: server.ACME{Name: "chat.example.org"}, TLSCert: "cert.pem", TLSKey: "key.pem"},
		"a missing root":    {ACME: server.ACME{Name: "chat.example.org", Roots: "/nowhere/root.pem"}, Listen: "127.0.0.1:0"},
		"a root of nothing": {ACME: server.ACME{Name: "chat.example.org", Roots: os.DevNull}, Listen: "127.0.0.1:0"},
	} {
		c.Data = t.TempDir()
		s, err := server.New(t.Context(), c)
		if err == nil {
			s.Close()
			t.Errorf("%s: accepted", why)
		}
	}
}
