package native_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"sconce/api"
	"sconce/client"
	"sconce/client/clienttest"
	"sconce/client/native"
	"sconce/internal/carrier"
)

func TestTransportKeepsThePromises(t *testing.T) {
	clienttest.Transport(t, func(t *testing.T, p *clienttest.Peer) client.Transport {
		return dial(t, httptest.NewServer(carrier.New(p)), nil)
	})
}

// The same over TLS, where a POST travels by HTTP/2 and the stream by HTTP/1.1.
func TestTransportKeepsThePromisesOverTLS(t *testing.T) {
	clienttest.Transport(t, func(t *testing.T, p *clienttest.Peer) client.Transport {
		s := httptest.NewUnstartedServer(carrier.New(p))
		s.EnableHTTP2 = true
		s.StartTLS()
		return dial(t, s, certificate(s))
	})
}

func certificate(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func dial(t *testing.T, s *httptest.Server, ca []byte) *native.Transport {
	t.Helper()
	t.Cleanup(s.Close)
	tr, err := native.Dial(s.URL, native.DialOptions{CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// Every failure of the network is one plain sentence, and says that it is one.
func TestUnreachableServerIsSaidPlainly(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	private := httptest.NewTLSServer(nil)
	defer private.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer proxy.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for name, c := range map[string]struct{ server, want string }{
		"nobody listens":     {closed.URL, "nothing answers there (connection refused)"},
		"unknown authority":  {private.URL, "signed by nobody that this device trusts"},
		"proxy without peer": {proxy.URL, `it answers "502 Bad Gateway"`},
		"cut":                {cut.URL, "can't be reached: "},
	} {
		tr, err := native.Dial(c.server, native.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, callErr := tr.Call(t.Context(), "hello", nil, []byte{0xa0})
		streamErr := tr.Stream(t.Context(), []byte("t"), func() {}, func(*api.Push) {})
		tr.Close()
		for what, err := range map[string]error{"Call": callErr, "Stream": streamErr} {
			unreachable, ok := errors.AsType[*native.UnreachableError](err)
			if !ok || !unreachable.Unreachable() || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %s = %v; want an UnreachableError with %q", name, what, err, c.want)
			}
		}
	}
}

func TestOtherServerIsSaidPlainly(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	tr := dial(t, other, nil)
	want := `is not a Sconce server (it says "404 Not Found")`
	if _, err := tr.Call(t.Context(), "hello", nil, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Call = %v; want %q", err, want)
	}
	if err := tr.Stream(t.Context(), nil, func() {}, func(*api.Push) {}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Stream = %v; want %q", err, want)
	}
}

func TestTokenNeverFollowsARedirect(t *testing.T) {
	reached := false
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer target.Close()
	from := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	tr := dial(t, from, nil)
	_, callErr := tr.Call(t.Context(), "append", []byte("token"), nil)
	streamErr := tr.Stream(t.Context(), []byte("token"), func() {}, func(*api.Push) {})
	if callErr == nil || streamErr == nil || reached {
		t.Fatalf("Call = %v, Stream = %v, redirect followed: %v; want errors and false", callErr, streamErr, reached)
	}
}

func TestEndlessAnswerIsCutOff(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for b := make([]byte, 64<<10); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}))
	tr := dial(t, s, nil)
	if _, err := tr.Call(t.Context(), "hello", nil, nil); err == nil || !strings.Contains(err.Error(), "more than the 8388608 bytes") {
		t.Fatalf("Call = %v; want the limit named", err)
	}
}

// What a hostile server sends ends the stream with an error; it neither hangs
// nor panics, and no answer reaches a call that did not ask.
func TestHostileFramesEndTheStream(t *testing.T) {
	frames := map[string][]byte{
		"garbage":          {0xff, 0x00, 0x13},
		"empty":            {},
		"neither":          {0xa0},
		"a call of ours":   frameOf(t, &api.Frame{Call: 1, Name: "hello", Body: []byte{0xa0}}),
		"unlimited nest":   []byte(strings.Repeat("\x81", 4096)),
		"more than a body": make([]byte, api.MaxBody+1<<20),
	}
	for name, frame := range frames {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer conn.CloseNow()
			_ = conn.Write(r.Context(), websocket.MessageBinary, frame)
			_, _, _ = conn.Read(r.Context())
			<-r.Context().Done()
		}))
		tr := dial(t, s, nil)
		err := tr.Stream(t.Context(), []byte("token"), func() { t.Errorf("%s: ready was called", name) }, func(*api.Push) {})
		if _, ok := errors.AsType[*native.UnreachableError](err); !ok {
			t.Errorf("%s: Stream = %v; want an UnreachableError", name, err)
		}
	}
}

func frameOf(t *testing.T, f *api.Frame) []byte {
	t.Helper()
	b, err := api.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDialRefusesWhatIsNoAddress(t *testing.T) {
	for _, server := range []string{
		"", "chat.example", "ftp://chat.example", "https://", "https://a.example/path", "https://a.example/",
		"https://user@a.example", "https://a.example?q", "https://a.example#f", "https://a b",
	} {
		if _, err := native.Dial(server, native.DialOptions{}); err == nil {
			t.Errorf("Dial(%q) succeeded", server)
		}
	}
	if _, err := native.Dial("https://a.example", native.DialOptions{CA: []byte("no PEM")}); err == nil {
		t.Error("Dial with an empty CA file succeeded")
	}
}

// An old TLS is refused, whatever the server offers.
func TestOldTLSIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	s.StartTLS()
	tr := dial(t, s, certificate(s))
	if _, err := tr.Call(t.Context(), "hello", nil, nil); err == nil || !strings.Contains(fmt.Sprint(err), "version") {
		t.Fatalf("Call over TLS 1.2 = %v; want a refusal", err)
	}
}

// The same where a proxy lets no WebSocket pass.
func TestTransportKeepsThePromisesByPolling(t *testing.T) {
	clienttest.Transport(t, func(t *testing.T, p *clienttest.Peer) client.Transport {
		return dial(t, httptest.NewServer(carrier.Polling(t, p)), nil)
	})
}
