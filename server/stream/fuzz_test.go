package stream

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"sconce/api"
	"sconce/internal/duty"
)

// states are what a connection can be in when bytes arrive.
const (
	stranger = iota
	loggedIn
	midCall
	midMessage
	states
)

type anyone struct{}

func (anyone) Authenticate(context.Context, []byte) (duty.Caller, error) {
	return duty.Caller{User: api.UserID{1}, Device: api.DeviceID{1}}, nil
}

func (anyone) Subscribe(_ duty.Caller, s Sink) func() {
	s.Push(api.LogID{1}, 1, []byte{0xa0})
	return func() {}
}

// FuzzStreamInEveryState writes arbitrary bytes to a stream, as they are and as
// the payload of a well-formed message, in each state. The stream must neither
// panic nor outlive its connection.
func FuzzStreamInEveryState(f *testing.F) {
	call := compile(api.Frame{Call: 2, Name: api.Rename.Name, Body: []byte{0xa0}})
	for state := range byte(states) {
		f.Add(state, false, call)
		f.Add(state, true, []byte{0xa2, 0x01, 0x01, 0x02, 0x61, 'x'})
		f.Add(state, false, []byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		f.Add(state, false, []byte{0x89, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0, 0, 0})
	}
	log := slog.New(slog.DiscardHandler)
	r := duty.NewRegistry(log)
	duty.Handle(r, api.Rename, func(context.Context, duty.Caller, *api.RenameRequest) (*api.Empty, error) { return &api.Empty{}, nil })
	duty.Handle(r, api.Append, func(ctx context.Context, _ duty.Caller, _ *api.AppendRequest) (*api.AppendResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s := New(Config{Registry: r, Auth: anyone{}, Delivery: anyone{}, Clock: time.Now, Logger: log})
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, state byte, whole bool, data []byte) {
		ours, theirs := net.Pipe()
		c := newConn(s, theirs, duty.Caller{}, nil)
		if !s.enter(c) {
			t.Fatal("no room")
		}
		go io.Copy(io.Discard, ours) //nolint:errcheck // ends with the pipe
		input := opening(state % states)
		if whole {
			data = message(data)
		}
		_ = ours.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = ours.Write(append(input, data...)) // may well be refused
		ours.Close()
		select {
		case <-c.gone:
		case <-time.After(10 * time.Second):
			t.Fatal("the stream outlived its connection")
		}
	})
}

func opening(state byte) []byte {
	login := compile(api.Frame{Call: 1, Name: api.Authenticate.Name, Body: []byte{0xa1, 0x01, 0x41, 0x00}})
	switch state {
	case loggedIn:
		return login
	case midCall:
		return append(login, compile(api.Frame{Call: 2, Name: api.Append.Name})...)
	case midMessage:
		part, err := ws.CompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpBinary, false, []byte{0xa2})))
		if err != nil {
			panic(err) // a constant
		}
		return append(login, part...)
	}
	return nil
}

func compile(f api.Frame) []byte {
	b, err := api.Marshal(f)
	if err != nil {
		panic(err) // plain fields
	}
	return message(b)
}

func message(payload []byte) []byte {
	b, err := ws.CompileFrame(ws.MaskFrame(ws.NewBinaryFrame(payload)))
	if err != nil {
		panic(err) // writes to memory
	}
	return b
}
