//go:build js && wasm

// Package browser gives a client its place in a browser's worker: a [Store] in
// SQLite on the origin's private file system, a [Keyring] in a file of its own
// there, and a [Transport] by fetch and WebSocket. Begin with [Open], which
// takes what the worker's script laid out for it.
//
// Go never waits for the disk here: the worker has handles that read, write and
// flush while the caller waits, so what [client.Store] promises about stable
// storage holds as far as the browser keeps its own word.
package browser

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"

	"sconce/client"
)

// Host is what the worker's script laid out: the object "sconceHost" of
// web/src/worker/host.ts, which names its methods and what they take.
type Host struct{ v js.Value }

// Open finds the host of this worker.
func Open() (*Host, error) {
	v := js.Global().Get("sconceHost")
	if v.Type() != js.TypeObject {
		return nil, errors.New("this program runs in the worker of Sconce's page and nowhere else")
	}
	return &Host{v}, nil
}

// Origin is the server that the page came from, as in "https://chat.example.org".
func (h *Host) Origin() string { return h.v.Get("origin").String() }

// Persistent reports whether the store outlives the worker. It does not where
// the browser has no private file system, as in some private windows.
func (h *Host) Persistent() bool { return h.v.Get("persistent").Bool() }

// Full reports whether the browser gives this site no more space.
func (h *Host) Full() bool { return h.v.Call("full").Bool() }

// Build is the hash of what the page loaded.
func (h *Host) Build() string { return h.v.Get("build").String() }

// Error is a failure of the browser's. Code is one of the constants, or empty.
type Error struct {
	Code    Code
	Message string
}

// Code tells programs what went wrong in the browser.
type Code string

const (
	Quota  Code = "quota"  // the browser gives this site no more space
	Busy   Code = "busy"   // another tab, window or profile holds the store
	Lost   Code = "lost"   // the browser took the files away
	Failed Code = "failed" // anything else
)

func (e *Error) Error() string { return e.Message }

// Is lets a client tell what it knows how to go on from.
func (e *Error) Is(target error) bool {
	return target == client.ErrFull && e.Code == Quota || target == client.ErrBusy && e.Code == Busy
}

// try makes a call into JavaScript. What is thrown there becomes an *[Error].
func try(call func() js.Value) (v js.Value, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case js.Error:
			err = thrown(p.Value)
		default:
			panic(p)
		}
	}()
	return call(), nil
}

// thrown reads what JavaScript threw, which may be anything.
func thrown(v js.Value) error {
	e := &Error{Code: Failed}
	if v.Type() != js.TypeObject {
		e.Message = fmt.Sprintf("the browser failed: %s", v.String())
		return e
	}
	if code := v.Get("code"); code.Type() == js.TypeString {
		e.Code = Code(code.String())
	}
	if e.Message = "the browser failed"; v.Get("message").Type() == js.TypeString {
		e.Message = v.Get("message").String()
	}
	return e
}

// await waits for a promise. When ctx ends first, what the promise gives is lost.
func await(ctx context.Context, promise js.Value) (js.Value, error) {
	type outcome struct {
		v  js.Value
		ok bool
	}
	done := make(chan outcome, 1)
	settle := func(ok bool) js.Func {
		return js.FuncOf(func(_ js.Value, args []js.Value) any {
			v := js.Undefined()
			if len(args) > 0 {
				v = args[0]
			}
			done <- outcome{v, ok}
			return nil
		})
	}
	kept, broken := settle(true), settle(false)
	release := func() { kept.Release(); broken.Release() }
	promise.Call("then", kept, broken)
	select {
	case o := <-done:
		release()
		if !o.ok {
			return js.Undefined(), thrown(o.v)
		}
		return o.v, nil
	case <-ctx.Done():
		// It will still settle, and must find its functions.
		go func() { <-done; release() }()
		return js.Undefined(), context.Cause(ctx)
	}
}

var uint8Array = js.Global().Get("Uint8Array")

// toJS copies bytes into a Uint8Array.
func toJS(b []byte) js.Value {
	a := uint8Array.New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

// toGo copies a Uint8Array. Its result is never nil.
func toGo(a js.Value) []byte {
	b := make([]byte, a.Length())
	js.CopyBytesToGo(b, a)
	return b
}

// HasStore reports whether a store of that name was ever made.
func (h *Host) HasStore(name string) bool { return h.v.Call("hasStore", name).Bool() }

// Wipe removes a store and its keyring, which must be closed. The keyring is
// overwritten first.
func (h *Host) Wipe(ctx context.Context, name string) error {
	if _, err := h.open(ctx, "wipe", name); err != nil {
		return fmt.Errorf("removing the store: %w", err)
	}
	return nil
}
