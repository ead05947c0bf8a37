package delivery

import (
	"context"

	"sconce/api"
	"sconce/internal/duty"
)

// Signal passes a few bytes on to the connected devices of a room. The server
// learns that a device of the room signals, and no more.
func (s *Service) Signal(ctx context.Context, c duty.Caller, req *api.SignalRequest) (*api.Empty, error) {
	if n := len(req.Message); n == 0 || n > api.MaxSignal {
		return nil, api.Errorf(api.TooLarge, "a signal has 1 to %d bytes, and not %d", api.MaxSignal, n)
	}
	if err := s.signals.Take(c.Device, 1); err != nil {
		return nil, err
	}
	member, devices, err := s.journal.Signal(ctx, c.Device, req.Room, req.Message, api.MaxSignaled)
	switch {
	case err != nil:
		return nil, err
	case !member || req.Room == api.Inbox(c.Device):
		return nil, errNoRoom()
	case devices > api.MaxSignaled:
		return nil, api.Errorf(api.TooLarge, "signals are for rooms of at most %d devices", api.MaxSignaled)
	}
	return &api.Empty{}, nil
}
