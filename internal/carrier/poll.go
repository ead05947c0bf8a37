package carrier

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sconce/api"
	"sconce/client/clienttest"
	"sconce/internal/duty"
	"sconce/server/stream"
)

// Polling is [New] behind a proxy that lets no WebSocket pass: streams go by
// [api.Poll], as the server's own package stream answers it.
func Polling(t testing.TB, p *clienttest.Peer) http.Handler {
	log := slog.New(slog.DiscardHandler)
	b := &polling{peer: p, registry: duty.NewRegistry(log)}
	b.service = stream.New(stream.Config{Registry: b.registry, Auth: b, Delivery: b, Clock: time.Now, Logger: log})
	t.Cleanup(b.service.Close)
	b.service.Register(b.registry)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/{name...}", b.serve)
	mux.HandleFunc("GET "+api.StreamPath, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this proxy knows no such protocol", http.StatusBadRequest)
	})
	return mux
}

type polling struct {
	peer     *clienttest.Peer
	registry *duty.Registry
	service  *stream.Service

	mu   sync.Mutex
	live *clienttest.PeerStream // guarded by mu
}

// device is the one that all of the peer's streams are of.
var device = duty.Caller{Device: api.DeviceID{1}}

// Authenticate implements stream.Authenticator.
func (b *polling) Authenticate(_ context.Context, token []byte) (duty.Caller, error) {
	if !b.peer.LoggedIn(token) {
		return duty.Caller{}, api.Errorf(api.Unauthenticated, "no such token")
	}
	return device, nil
}

// Subscribe implements stream.Delivery.
func (b *polling) Subscribe(_ duty.Caller, sink stream.Sink) func() {
	s := b.peer.Connect()
	b.mu.Lock()
	b.live = s
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case push := <-s.Pushes:
				frame, err := api.Marshal(&api.Frame{Push: push})
				if err == nil {
					sink.Push(push.Log, push.Last, frame)
				}
			case <-s.Break:
				// It takes this subscription back, so it can't be waited for here.
				go func() { _ = b.service.CloseDevice(ctx, device.User, device.Device) }()
				return
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// serve answers a call, unless the stream breaks first: that breaks them all.
func (b *polling) serve(w http.ResponseWriter, r *http.Request) {
	var token []byte
	if text, ok := strings.CutPrefix(r.Header.Get("Authorization")+" ", "Bearer "); ok {
		token, _ = base64.RawURLEncoding.DecodeString(strings.TrimSpace(text))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	type outcome struct {
		answer  []byte
		refused *api.Error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, refused := b.call(ctx, r.PathValue("name"), token, body)
		done <- outcome{answer, refused}
	}()
	select {
	case o := <-done:
		if o.refused != nil {
			o.answer, _ = api.Marshal(o.refused)
			w.WriteHeader(o.refused.Code.Status())
		}
		_, _ = w.Write(o.answer)
	case <-b.broken():
		// In the middle of an answer: a browser that got no part of one makes the
		// request again by itself.
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (b *polling) call(ctx context.Context, name string, token, body []byte) ([]byte, *api.Error) {
	if name != api.Poll.Name {
		return b.peer.Answer(ctx, name, token, body)
	}
	caller, err := b.Authenticate(ctx, token)
	if err != nil {
		return nil, b.registry.Explain(ctx, name, err)
	}
	return b.registry.Call(ctx, caller, name, body)
}

// broken is closed when the newest stream is to break, if it is not broken yet.
func (b *polling) broken() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live == nil {
		return nil
	}
	select {
	case <-b.live.Break:
		return nil
	default:
		return b.live.Break
	}
}
