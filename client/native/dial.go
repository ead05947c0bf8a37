package native

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"sconce/client/wire"
)

// DialOptions are the choices of [Dial]; the zero value is right for a server
// whose certificate the system trusts.
type DialOptions struct {
	// CA holds certificates in PEM that may sign the server's, besides the
	// system's.
	CA []byte
}

// Dial makes the [Transport] to a server, "https://host" or "https://host:port";
// http is for networks on their own wires. It sends nothing yet: an error is
// about the arguments.
func Dial(server string, opts DialOptions) (*Transport, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != server {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://chat.example.org", server)
	}
	roots, err := RootsWith(opts.CA)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots},
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true, // a TLSClientConfig of one's own turns it off
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		// A call waits for nothing on the server but its disk.
		ResponseHeaderTimeout:  20 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	c := &carrier{
		server:    server,
		transport: transport,
		http: &http.Client{
			Transport: transport,
			// Whoever redirects a call would get its token: nobody may.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	return &Transport{Transport: wire.New(u.Host, c), carrier: c}, nil
}

// RootsWith returns the system's roots and the given ones, in PEM; or nil, which
// to crypto/tls means the system's alone, when none are given.
func RootsWith(ca []byte) (*x509.CertPool, error) {
	if len(ca) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine without roots still has the given ones
	}
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA file holds no certificate in PEM form")
	}
	return roots, nil
}

// plainError is an error of the network in plain words.
type plainError struct{ err error }

func plain(err error) error { return &plainError{err} }

func (e *plainError) Error() string { return reason(e.err) }
func (e *plainError) Unwrap() error { return e.err }

// reason says in plain words what is known of a failed connection.
func reason(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is signed by nobody that this device trusts (for a private authority, give its certificate with --ca FILE)"
	}
	if bad, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name than " + bad.Host
	}
	if bad, ok := errors.AsType[x509.CertificateInvalidError](err); ok && bad.Reason == x509.Expired {
		return "its certificate is not valid today; is this device's clock right?"
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok && name.IsNotFound {
		return "there is no host of that name"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers there (connection refused)"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to it from this network"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "it did not answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed), errors.Is(err, fs.ErrClosed):
		return "the connection broke"
	}
	if call, ok := errors.AsType[*url.Error](err); ok {
		err = call.Err // without the URL, which says nothing that the host does not
	}
	return err.Error()
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}
