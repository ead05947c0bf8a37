package server

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
)

// DefaultListen is where a server listens that is not told otherwise.
const DefaultListen = "127.0.0.1:7300"

// namedListen is where a server listens that has a name of its own, and is not
// told otherwise.
const namedListen = ":443"

// Config says how to run a server. Only Data must be set.
type Config struct {
	// Data is the folder of everything the server keeps, made if it is missing.
	// One server uses it at a time.
	Data string

	// Listen is the address and port to listen on. Without TLS it must be a
	// loopback address: people's logins would cross the network in the clear.
	Listen string

	// Database is "sqlite:PATH" or a PostgreSQL address. Empty means SQLite in Data.
	Database string

	// TLSCert and TLSKey are PEM files. They are read again when they change.
	TLSCert, TLSKey string

	// ACME gets a certificate for a name, instead of these files.
	ACME ACME

	// URL is how clients reach the server, such as "https://chat.example.org". It
	// goes into invites. Empty means what Listen says.
	URL string

	// Page answers GET for every path that is not the server's own: what people
	// open in a browser. Nil: such paths are not found.
	Page http.Handler

	// DatabaseOptions are for tests, such as the one that shows what happens
	// without syncing.
	DatabaseOptions []sqldb.Option

	Logger *slog.Logger // nil: none
	Clock  duty.Clock   // nil: the system's
}

// withDefaults fills in what is empty.
func (c Config) withDefaults() Config {
	if c.ACME.Name != "" {
		c.Listen = cmp.Or(c.Listen, namedListen)
	}
	c.Listen = cmp.Or(c.Listen, DefaultListen)
	c.Database = databaseOf(c.Data, c.Database)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// databaseOf gives the database of a data folder that has none named for it.
func databaseOf(data, database string) string {
	return cmp.Or(database, "sqlite:"+filepath.Join(data, "sconce.db"))
}

// check finds what can be wrong before anything is opened.
func (c Config) check() error {
	if c.Data == "" {
		return errors.New("no data folder given: where should the server keep its database?")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("TLS needs both a certificate and its key")
	}
	if err := c.ACME.check(c); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen address %q is not HOST:PORT", c.Listen)
	}
	if !c.Secure() && !isLoopback(host) {
		return fmt.Errorf("%s is not a loopback address, and without TLS everything but the messages would cross the network in the clear: "+
			"give the server a name to get a certificate for, or a certificate and its key, or listen on 127.0.0.1 behind a proxy that does TLS", c.Listen)
	}
	if c.URL != "" {
		return checkURL(c.URL)
	}
	if c.TLSCert != "" && isWildcard(host) {
		return fmt.Errorf("%s does not tell how clients reach the server: say so with a URL, such as https://chat.example.org", c.Listen)
	}
	return nil
}

// Secure tells whether the server itself does TLS.
func (c Config) Secure() bool { return c.TLSCert != "" || c.ACME.Name != "" }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.Unmap().IsUnspecified()
}

// checkURL accepts what an invite accepts.
func checkURL(url string) error {
	invite := identity.Invite{Server: url, Token: identity.NewToken()}
	if _, err := identity.ParseInvite(invite.Reveal()); err != nil {
		return fmt.Errorf("URL %q cannot be put into an invite: %w", url, err)
	}
	return nil
}

// publicURL is the URL for invites, given the address that was bound.
func (c Config) publicURL(bound net.Addr) string {
	if c.URL != "" {
		return c.URL
	}
	scheme := "http"
	if c.Secure() {
		scheme = "https"
	}
	host, _, _ := net.SplitHostPort(c.Listen) // checked
	_, port, _ := net.SplitHostPort(bound.String())
	if c.ACME.Name != "" {
		if host = c.ACME.Name; port == "443" {
			return scheme + "://" + strings.ToLower(host)
		}
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(host), port)
}

// settings is what a server leaves in its data folder for commands that come
// after it, such as "invite". A database in the folder is not named, so that the
// folder can be moved.
type settings struct {
	Database string `json:"database,omitempty"`
	URL      string `json:"url"`
}

const settingsFile = "server.json"

func writeSettings(data string, s settings) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	path := filepath.Join(data, settingsFile)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	return nil
}

func readSettings(data string) (settings, error) {
	var s settings
	b, err := os.ReadFile(filepath.Join(data, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("no server has run in %s yet: start one first", data)
	}
	if err != nil {
		return s, fmt.Errorf("reading settings: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", filepath.Join(data, settingsFile), err)
	}
	return s, nil
}

// tlsConfig reads the certificate, and again when its file changes, so that a
// renewed one needs no restart. Nil means no TLS.
func (c Config) tlsConfig() (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	certificate := &certificate{cert: c.TLSCert, key: c.TLSKey}
	if err := certificate.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// A WebSocket needs HTTP/1.1, and little else goes over a connection of ours.
		NextProtos:     []string{"http/1.1"},
		GetCertificate: certificate.get,
	}, nil
}
