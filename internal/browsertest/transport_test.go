package browsertest_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sconce/client"
	"sconce/client/clienttest"
	"sconce/internal/browsertest"
	"sconce/internal/browsertest/remote"
	"sconce/internal/carrier"
)

// stage is the server's end for one test after another.
type stage struct {
	current atomic.Pointer[http.Handler]
	joined  chan *websocket.Conn
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/remote" {
		(*s.current.Load()).ServeHTTP(w, r)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	conn.SetReadLimit(64 << 20)
	s.joined <- conn
	<-r.Context().Done()
}

// frames carries messages of remote.
type frames struct{ *websocket.Conn }

func (b frames) Read(ctx context.Context) ([]byte, error) {
	_, m, err := b.Conn.Read(ctx)
	return m, err
}

func (b frames) Write(ctx context.Context, m []byte) error {
	return b.Conn.Write(ctx, websocket.MessageBinary, m)
}

// The suite of client/clienttest, over the browser's fetch and WebSocket.
func TestTransportKeepsThePromises(t *testing.T) {
	testTransport(t, func(_ *testing.T, p *clienttest.Peer) http.Handler { return carrier.New(p) })
}

// The same where a proxy lets no WebSocket pass.
func TestTransportKeepsThePromisesByPolling(t *testing.T) {
	testTransport(t, func(t *testing.T, p *clienttest.Peer) http.Handler { return carrier.Polling(t, p) })
}

func testTransport(t *testing.T, serve func(*testing.T, *clienttest.Peer) http.Handler) {
	s := &stage{joined: make(chan *websocket.Conn)}
	b := browsertest.Start(t, browsertest.Options{Page: page(t), Handler: s})
	run := b.Run("-drive=transport")
	clienttest.Transport(t, func(t *testing.T, p *clienttest.Peer) client.Transport {
		handler := serve(t, p)
		s.current.Store(&handler)
		select {
		case conn := <-s.joined:
			t.Cleanup(func() { _ = conn.CloseNow() })
			return remote.New(context.Background(), frames{conn})
		case <-run.Ended:
			_, out := run.Wait(time.Second)
			t.Fatalf("the browser's end stopped: %q", out)
		case <-time.After(patience):
			t.Fatal("the browser did not come")
		}
		return nil
	})
	if v := b.Violations(); len(v) > 0 {
		t.Errorf("violations of the content security policy: %q", v)
	}
}
