package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACME says how a server gets its certificate by itself (RFC 8555). Setting
// Name, and with it agreeing to the authority's terms, is enough.
type ACME struct {
	// Name is the one that clients use, such as "chat.example.org".
	Name string
	// Email is where the authority writes when something is wrong. It may be empty.
	Email string
	// Directory is the authority's; empty means Let's Encrypt.
	Directory string
	// Roots is a PEM file with who may sign the certificate of the directory
	// itself, for an authority of one's own. Empty: as the system says.
	Roots string
}

// certificatesFolder is where certificates and the account's key are kept, in
// the data folder.
const certificatesFolder = "certificates"

// managed gets and renews one certificate. The authority proves that we have
// the name by a handshake on the very address that we listen on (RFC 8737), so
// that no second port need be open.
type managed struct {
	name  string
	magic *certmagic.Config
	cache *certmagic.Cache
}

func newManaged(data string, a ACME, bound net.Addr, logger *slog.Logger) (*managed, error) {
	roots, err := rootsOf(a.Roots)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	m := &managed{name: a.Name}
	// What certmagic itself logs has the addresses of who shakes hands; what
	// matters comes by events.
	silent := zap.NewNop()
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil },
		Logger:           silent,
	})
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: filepath.Join(data, certificatesFolder)},
		Logger:  silent,
		OnEvent: func(ctx context.Context, event string, about map[string]any) error {
			logCertificate(ctx, logger, event, about)
			return nil
		},
	})
	m.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(m.magic, certmagic.ACMEIssuer{
		CA: a.Directory, TestCA: a.Directory, Email: a.Email, Agreed: true, TrustedRoots: roots,
		DisableHTTPChallenge: true, AltTLSALPNPort: number, Logger: silent,
	})}
	return m, nil
}

// logCertificate says what an operator must know: that it works, or why not.
func logCertificate(ctx context.Context, logger *slog.Logger, event string, about map[string]any) {
	switch event {
	case "cert_obtaining":
		logger.InfoContext(ctx, "asking for a certificate", "renewal", about["renewal"])
	case "cert_obtained":
		logger.InfoContext(ctx, "got a certificate", "renewal", about["renewal"])
	case "cert_failed":
		logger.WarnContext(ctx, "got no certificate; trying again later", "err", about["error"])
	}
}

// run keeps the certificate until ctx ends. The server must already listen.
func (m *managed) run(ctx context.Context) error {
	if err := m.magic.ManageAsync(ctx, []string{m.name}); err != nil {
		return fmt.Errorf("certificate of %s: %w", m.name, err)
	}
	<-ctx.Done()
	m.cache.Stop()
	return nil
}

func (m *managed) tlsConfig() *tls.Config {
	c := m.magic.TLSConfig() // answers the authority's handshake, too
	c.MinVersion = tls.VersionTLS12
	c.NextProtos = append([]string{"http/1.1"}, c.NextProtos...)
	get := c.GetCertificate
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if !isChallenge(hello) {
			// Ours is the one name: whoever asks for none, or another, gets it too.
			hello.ServerName = m.name
		}
		return get(hello)
	}
	// Only the authority may come with less than TLS 1.3.
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if isChallenge(hello) {
			return nil, nil
		}
		strict := c.Clone()
		strict.GetConfigForClient = nil
		strict.MinVersion = tls.VersionTLS13
		return strict, nil
	}
	return c
}

func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == "acme-tls/1"
}

func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the authority's root: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return roots, nil
}

// check finds what can be wrong before anybody is asked.
func (a ACME) check(c Config) error {
	switch {
	case a.Name == "":
		if a != (ACME{}) {
			return errors.New("to get a certificate, the server must know its name, such as chat.example.org")
		}
		return nil
	case c.TLSCert != "":
		return errors.New("either the server gets a certificate for its name, or it is given one: not both")
	case strings.ContainsAny(a.Name, "/:* ") || net.ParseIP(a.Name) != nil:
		return fmt.Errorf("%q is not a name that a certificate can be for, such as chat.example.org", a.Name)
	}
	return nil
}
