// Package carrier puts the contract of package api, over HTTP and WebSocket,
// before a [clienttest.Peer]: what a server does for [clienttest.Transport] when
// the transport is one of the network. Begin with [New].
package carrier

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"sconce/api"
	"sconce/client/clienttest"
)

// New puts the contract of package api before a peer.
func New(p *clienttest.Peer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/", func(w http.ResponseWriter, r *http.Request) {
		var token []byte
		if text, ok := strings.CutPrefix(r.Header.Get("Authorization")+" ", "Bearer "); ok {
			token, _ = base64.RawURLEncoding.DecodeString(strings.TrimSpace(text))
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		answer, refused := p.Answer(r.Context(), strings.TrimPrefix(r.URL.Path, "/v1/"), token, body)
		if refused != nil {
			answer, _ = api.Marshal(refused)
			w.WriteHeader(refused.Code.Status())
		}
		_, _ = w.Write(answer)
	})
	mux.HandleFunc("GET "+api.StreamPath, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(api.MaxBody + 1<<20)
		serveStream(r.Context(), conn, p)
	})
	return mux
}

func serveStream(ctx context.Context, conn *websocket.Conn, p *clienttest.Peer) {
	login, err := readFrame(ctx, conn)
	if err != nil || login.Name != api.Authenticate.Name {
		return
	}
	var who api.AuthenticateRequest
	if err := api.Unmarshal(login.Body, &who); err != nil || !p.LoggedIn(who.Token) {
		_ = writeFrame(ctx, conn, &api.Frame{Call: login.Call, Error: api.Errorf(api.Unauthenticated, "no such token")})
		return
	}
	s := p.Connect()
	if err := writeFrame(ctx, conn, &api.Frame{Call: login.Call, Body: []byte{0xa0}}); err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		for {
			select {
			case push := <-s.Pushes:
				_ = writeFrame(ctx, conn, &api.Frame{Push: push})
			case <-s.Break:
				_ = conn.CloseNow()
				return
			case <-ctx.Done():
				return
			}
		}
	})
	for {
		f, err := readFrame(ctx, conn)
		if err != nil {
			return
		}
		running.Go(func() {
			answer, refused := p.Answer(ctx, f.Name, who.Token, f.Body)
			_ = writeFrame(ctx, conn, &api.Frame{Call: f.Call, Body: answer, Error: refused})
		})
	}
}

func readFrame(ctx context.Context, conn *websocket.Conn) (*api.Frame, error) {
	_, b, err := conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	f := new(api.Frame)
	return f, api.Unmarshal(b, f)
}

func writeFrame(ctx context.Context, conn *websocket.Conn, f *api.Frame) error {
	b, err := api.Marshal(f)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageBinary, b)
}
