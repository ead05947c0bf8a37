package bridge

import (
	"context"
	"encoding/json"

	"sconce/client"
)

// Holder is the [Door] to a client that its process opened itself and will close
// itself, for whoever comes to that process: besides the client's calls it tells
// that it is open, and by unlock whether a key is the one. What would close the
// client, or make another one, is refused as [Busy].
type Holder struct {
	Bridge
	host *Host
}

var _ Door = (*Holder)(nil)

// NewHolder makes the door of a client that the platform's vault belongs to. The
// client remains the caller's, who keeps it running and closes it.
func NewHolder(p Platform, c *client.Client) *Holder {
	h := NewHost(p, HostOptions{})
	h.now = &running{client: c}
	return &Holder{Bridge: Bridge{c}, host: h}
}

// Call implements Door.
func (h *Holder) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *Error) {
	switch method {
	case State.Name, Unlock.Name, Invite.Name:
		return h.host.Call(ctx, method, params)
	}
	if _, ok := byName[method].(servedByHost); ok {
		return nil, errHeld()
	}
	return h.Bridge.Call(ctx, method, params)
}

func errHeld() *Error {
	return Errorf(Busy, "another program has opened this and goes on using it: do it there, or end that program")
}
