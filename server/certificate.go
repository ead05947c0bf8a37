package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files that may be replaced while the server runs.
type certificate struct {
	cert, key string

	mu      sync.Mutex // guards what follows
	loaded  *tls.Certificate
	changed time.Time // of the certificate's file, when loaded
	looked  time.Time
}

// lookEvery bounds how often a handshake looks at the file.
const lookEvery = 10 * time.Second

func (c *certificate) load() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return fmt.Errorf("reading TLS certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("reading TLS certificate: %w", err)
	}
	c.loaded, c.changed = &pair, info.ModTime()
	return nil
}

// get gives the certificate for a handshake. While new files cannot be read,
// perhaps because only one is written yet, the old ones serve.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > lookEvery {
		c.looked = now
		if info, err := os.Stat(c.cert); err == nil && !info.ModTime().Equal(c.changed) {
			_ = c.load() // the old one stays
		}
	}
	return c.loaded, nil
}
