// Package bridge is the whole client as named calls in JSON and one stream of
// events: the door for a screen in a browser's worker, for a program on a local
// socket, and for bots in any language. Begin with [New] around a client in this
// process, or with [NewRemote] on a connection to one; both are a [Door].
//
//	bridge.Send.Call(ctx, door, bridge.SendParams{Room: room, Draft: client.Draft{Text: "hello"}})
//
// A call is declared once, as a [Method] with a Go type for what it takes and
// for what it gives; docs/bridge.md is made from those. [Serve] is the framing for
// a pipe or socket: one line of JSON for each request, answer and event.
package bridge

//go:generate go run sconce/internal/gen/bridgedoc
//go:generate go run sconce/internal/gen/bridgets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"sconce/client"
)

// MaxParams is the longest JSON that a call takes, and a line of a request.
const MaxParams = 1 << 20

// Door is a client as named calls. All methods may be called from several
// goroutines.
type Door interface {
	// Call makes the call of that name with a JSON object, or nothing for an
	// empty one. It returns JSON, or an error that tells programs and people why
	// not.
	Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *Error)

	// Subscribe gives the events from now on. A subscriber who is too slow is cut
	// off: the channel closes, and it subscribes and reads anew. cancel closes
	// the channel too.
	Subscribe(ctx context.Context) (events <-chan client.Event, cancel func(), err error)
}

// Bridge is the [Door] to a client in this process.
type Bridge struct{ c *client.Client }

var _ Door = (*Bridge)(nil)

// New makes the door of a client. The client remains the caller's, who keeps it
// running and closes it.
func New(c *client.Client) *Bridge { return &Bridge{c: c} }

// Call implements Door.
func (b *Bridge) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *Error) {
	m, ok := byName[method].(servedByClient)
	if !ok { // there is none, or it is a Host's
		return nil, Errorf(UnknownMethod, "there is no method %.40q", method)
	}
	return m.serve(ctx, b.c, params)
}

// Subscribe implements Door; it returns no error.
func (b *Bridge) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	events, cancel := b.c.Subscribe()
	return events, cancel, nil
}

// Method is one call. P is a struct of what it takes, R what it gives.
type Method[P, R any] struct {
	Name string
	run  func(ctx context.Context, c *client.Client, p P) (R, error)
}

// None is what a call takes or gives that takes or gives nothing.
type None struct{}

// Call makes the call through a door. An error is an *[Error].
func (m Method[P, R]) Call(ctx context.Context, d Door, p P) (R, error) {
	var result R
	err := call(ctx, d, m.Name, p, &result)
	return result, err
}

// call makes the call of what is p in JSON, and reads the answer into result. It
// knows no types, of which there are two for each method: a browser downloads it
// once.
func call(ctx context.Context, d Door, name string, p, result any) error {
	params, err := json.Marshal(p)
	if err != nil {
		return Errorf(Params, "%s: %v", name, err)
	}
	answer, refused := d.Call(ctx, name, params)
	if refused != nil {
		return refused
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return Errorf(Failed, "%s gave what can't be read: %v", name, err)
	}
	return nil
}

// served is a method of any types.
type served interface{ describe() Description }

// servedByClient is a [Method] of any types.
type servedByClient interface {
	served
	serve(ctx context.Context, c *client.Client, params json.RawMessage) (json.RawMessage, *Error)
}

func (m Method[P, R]) describe() Description {
	return Description{Name: m.Name, Params: reflect.TypeFor[P](), Result: reflect.TypeFor[R]()}
}

func (m Method[P, R]) serve(ctx context.Context, c *client.Client, params json.RawMessage) (json.RawMessage, *Error) {
	var p P
	return serve(m.Name, params, &p, func() (any, error) { return m.run(ctx, c, p) })
}

// serve reads JSON into p and makes the call, which knows what that is.
func serve(name string, params json.RawMessage, p any, run func() (any, error)) (json.RawMessage, *Error) {
	if err := parse(params, p); err != nil {
		return nil, Errorf(Params, "%s: %v", name, err)
	}
	result, err := run()
	if err != nil {
		return nil, errorOf(err)
	}
	answer, err := json.Marshal(result)
	if err != nil {
		return nil, Errorf(Failed, "%s: %v", name, err)
	}
	return answer, nil
}

// parse reads params strictly: a field that does not exist is a mistake of the
// caller's, who would wait for its effect in vain.
func parse(params json.RawMessage, v any) error {
	if len(params) > MaxParams {
		return fmt.Errorf("the JSON has %d bytes; the limit is %d", len(params), MaxParams)
	}
	if len(params) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return plainJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the JSON goes on after its end")
	}
	return nil
}

// plainJSON says what is wrong without the names of Go types.
func plainJSON(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("the JSON is a %s; want an object", wrong.Value)
		}
		return fmt.Errorf("%s can't be a %s", wrong.Field, wrong.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the JSON ends in the middle")
	}
	return err
}

// Description is a method as documentation and other languages see it.
type Description struct {
	Name           string
	Params, Result reflect.Type
}

// Methods describes every call, in the order of the documentation.
func Methods() []Description {
	all := make([]Description, len(methods))
	for i, m := range methods {
		all[i] = m.describe()
	}
	return all
}

var methods = []served{
	State, Invite, Join, Link, Recover, Cancel, Unlock, Lock, Forget, Passkey, ChangePassphrase, Handover,
	Me, Connection, Rename, People, Safety, CheckSafety, MarkVerified, RoomDevices,
	Rooms, Room, NewRoom, DirectRoom, AddPeople, RemovePerson, SetAdmin, Leave, Dismiss, SetRoom, Preferences,
	Messages, Message, History, Search, Send, Retry, Discard, Draft, Typing, React, Unreact, Edit, Delete, View, Sync,
	Devices, Approve, RemoveDevice,
	Settings, SetSettings,
}

var byName = func() map[string]served {
	all := make(map[string]served, len(methods))
	for _, m := range methods {
		all[m.describe().Name] = m
	}
	return all
}()
