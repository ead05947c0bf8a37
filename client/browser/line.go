//go:build js && wasm

package browser

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"syscall/js"

	"sconce/client/bridge"
)

// Core is what the worker's script calls:
//
//	connect(onLine: (line: string) => void, onClose: () => void): { send(line: string): void, close(): void }
//	rehearse(): () => void
//
// Each connection is served as [bridge.Serve] serves a pipe. onClose is called
// when the core ends it: its caller sent more than waits to be read. rehearse
// begins what [bridge.Rehearse] does, and gives what ends it.
func Core(ctx context.Context, h *Host, d bridge.Door) js.Value {
	object := js.Global().Get("Object").New()
	object.Set("connect", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return connect(ctx, d, args[0], args[1])
	}))
	object.Set("rehearse", js.FuncOf(func(js.Value, []js.Value) any {
		ctx, stop := context.WithCancel(ctx)
		go h.rehearse(ctx)
		return js.FuncOf(func(js.Value, []js.Value) any { stop(); return nil })
	}))
	return object
}

// rehearse only saves time: when it fails, nothing is worse than without.
func (h *Host) rehearse(ctx context.Context) {
	v, err := h.open(ctx, "rehearsal", "")
	if err == nil {
		s, k := &Store{v: v.Get("store")}, &Keyring{v: v.Get("keyring")}
		err = errors.Join(bridge.Rehearse(ctx, s, k), s.Close(), k.Close())
	}
	if err != nil && ctx.Err() == nil {
		js.Global().Get("console").Call("warn", "sconce: rehearsing: "+err.Error())
	}
}

func connect(ctx context.Context, d bridge.Door, onLine, onClose js.Value) js.Value {
	in := newInput()
	object := js.Global().Get("Object").New()
	send := js.FuncOf(func(_ js.Value, args []js.Value) any { in.add(args[0].String()); return nil })
	end := js.FuncOf(func(js.Value, []js.Value) any { in.end(io.EOF); return nil })
	object.Set("send", send)
	object.Set("close", end)
	go func() {
		err := bridge.Serve(ctx, in, output{onLine}, d)
		in.end(io.EOF) // what is still sent goes nowhere
		if err != nil {
			onClose.Invoke()
		}
		// The script keeps the object, so the two functions stay until the worker
		// ends: a few hundred bytes a tab.
	}()
	return object
}

// maxWaiting bounds the lines of one tab that wait to be read.
const maxWaiting = 16 << 20

var errFlood = errors.New("it sends faster than it can be served")

// input is what a tab sent, as an [io.Reader]. Its writer never waits: it is the
// worker's event loop.
type input struct {
	wake chan struct{} // holds one token while there may be something to read

	mu      sync.Mutex
	waiting []byte
	err     error // after what waits
}

func newInput() *input { return &input{wake: make(chan struct{}, 1)} }

func (i *input) add(line string) {
	i.mu.Lock()
	if i.err == nil {
		i.waiting = append(append(i.waiting, line...), '\n')
	}
	flood := len(i.waiting) > maxWaiting
	i.mu.Unlock()
	if flood {
		i.end(errFlood)
		return
	}
	i.signal()
}

func (i *input) end(err error) {
	i.mu.Lock()
	if i.err == nil {
		i.err = err
	}
	i.mu.Unlock()
	i.signal()
}

func (i *input) signal() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// Read implements io.Reader.
func (i *input) Read(p []byte) (int, error) {
	for {
		i.mu.Lock()
		n, err := copy(p, i.waiting), i.err
		clear(i.waiting[:n]) // a passphrase comes by here
		if i.waiting = i.waiting[n:]; len(i.waiting) == 0 {
			i.waiting = nil
		}
		i.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case err != nil:
			i.signal() // and for who reads again
			return 0, err
		}
		<-i.wake
	}
}

// output gives the script each line that is written. bridge writes whole ones.
type output struct{ onLine js.Value }

// Write implements io.Writer.
func (o output) Write(p []byte) (int, error) {
	_, err := try(func() js.Value { return o.onLine.Invoke(string(bytes.TrimSuffix(p, []byte("\n")))) })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
