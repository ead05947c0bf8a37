//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"sconce/api"
)

// settleTime is how long an empty server has to come to rest, and to give back what
// its start took: that would otherwise hide what streams take.
const settleTime = 6 * time.Second

// idle is what a thousand streams cost that are logged in and say nothing.
func (w *world) idle(ctx context.Context, s size, secure bool) (*sample, error) {
	name, roots := "1,000 idle streams, plain", (*tls.Config)(nil)
	change := func(*launch) {}
	if secure {
		name = "1,000 idle streams, TLS"
		cert, key, pool, err := certificate(w.scratch)
		if err != nil {
			return nil, err
		}
		roots = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
		change = func(l *launch) { l.cert, l.key = cert, key }
	}
	if err := w.restart(ctx, change); err != nil {
		return nil, err
	}
	out, err := w.hold(ctx, s, roots, name)
	if err != nil {
		return nil, err
	}
	return out, w.restart(ctx, nil)
}

func (w *world) hold(ctx context.Context, s size, roots *tls.Config, name string) (*sample, error) {
	var streams []*stream
	defer func() { closeAll(streams) }()
	// One comes first: what the first connection of all takes is not the thousandth's.
	first, err := dial(ctx, w.server.address, roots, w.people[0].token)
	if err != nil {
		return nil, err
	}
	streams = append(streams, silent(first))
	time.Sleep(settleTime)
	var before, after load
	if before, err = measureLoad(w.server.pid); err != nil {
		return nil, err
	}
	empty, _, err := memory(w.server.pid)
	if err != nil {
		return nil, err
	}
	for i := range s.idle {
		c, err := dial(ctx, w.server.address, roots, w.people[i%len(w.people)].token)
		if err != nil {
			return nil, fmt.Errorf("stream %d: %w", i, err)
		}
		streams = append(streams, silent(c))
	}
	if after, err = measureLoad(w.server.pid); err != nil {
		return nil, err
	}
	time.Sleep(s.silence)
	full, _, err := memory(w.server.pid)
	if err != nil {
		return nil, err
	}
	out := &sample{ambient: ambient(before, after)}
	if out.sync, err = syncTime(w.launch.data); err != nil {
		return nil, err
	}
	out.add(name, "MB", float64(full-empty)/float64(s.idle)*1000/1e6)
	out.add("CPU, login of "+name[len("1,000 idle "):], "µs each", (after.server-before.server).Seconds()/float64(s.idle)*1e6)
	return out, nil
}

// silent is a stream that says nothing but that it is there.
func silent(c net.Conn) *stream {
	s := listen(c, newLedger(), api.LogID{}, 0, 0)
	s.start()
	return s
}

// startUp starts the server on data that is there, and looks at it before
// anybody comes.
func (w *world) startUp(ctx context.Context) (*sample, error) {
	if err := w.halt(); err != nil {
		return nil, err
	}
	before, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	if err := w.restart(ctx, nil); err != nil {
		return nil, err
	}
	after, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	// All that the server has used so far was in between.
	used, err := processTime(w.server.pid)
	if err != nil {
		return nil, err
	}
	before.busy += used
	out := &sample{ambient: ambient(before, after)}
	out.add("start to ready", "ms", milliseconds(w.server.ready))
	out.sync, err = syncTime(w.launch.data)
	return out, err
}

// empty is a server on a folder of its own, that nobody has ever come to.
func (w *world) empty(ctx context.Context) (*sample, error) {
	data, err := os.MkdirTemp(w.scratch, "empty")
	if err != nil {
		return nil, err
	}
	l := w.launch
	l.data = data
	p, err := serve(ctx, l)
	if err != nil {
		return nil, err
	}
	time.Sleep(settleTime)
	_, resident, err := memory(p.pid)
	if err != nil {
		return nil, err
	}
	out := &sample{}
	out.add("first start to ready", "ms", milliseconds(p.ready))
	out.add("server binary", "MB", float64(w.binary)/1e6)
	out.add("empty server", "MB resident", float64(resident)/1e6)
	if out.sync, err = syncTime(data); err != nil {
		return nil, err
	}
	return out, p.stop()
}

// certificate makes one for the loopback address, and a pool that trusts it.
func certificate(dir string) (cert, key string, pool *x509.CertPool, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", nil, err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})
	if err := os.WriteFile(cert, certPEM, 0o600); err != nil {
		return "", "", nil, err
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600); err != nil {
		return "", "", nil, err
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool, nil
}
