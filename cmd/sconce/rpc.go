package main

import (
	"context"

	"sconce/client/bridge"
)

const rpcUsage = `rpc
Let a program use the client: JSON lines on standard input and output

Each line in is a request, each line out an answer or an event; docs/bridge.md
lists the calls. Ends with standard input.`

func rpc(ctx context.Context, a *app, args []string) error {
	if _, err := parse(a.options(), args, 0, 0); err != nil {
		return err
	}
	return a.host(ctx, func(ctx context.Context, s *session) error {
		if err := bridge.Serve(ctx, a.in, a.out, s.door); err != nil || s.owner == nil {
			return err
		}
		return s.sync(ctx) // what the last requests queued goes out before this ends
	})
}
