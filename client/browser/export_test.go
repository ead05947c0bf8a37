//go:build js && wasm

package browser

import (
	"context"

	"sconce/client/wire"
)

// DialSocket opens a WebSocket to the page's server.
func (h *Host) DialSocket(ctx context.Context, path string) (wire.Conn, error) {
	return carrier{h.Origin()}.Dial(ctx, path)
}
