package bridge

import (
	"context"

	"sconce/client"
)

// Devices lists this person's devices.
var Devices = Method[None, []client.DeviceView]{"devices", func(_ context.Context, c *client.Client, _ None) ([]client.DeviceView, error) {
	return list(c.Devices())
}}

// ApproveParams is what [Approve] takes.
type ApproveParams struct {
	Code string `json:"code"` // as the new device shows it
}

// Approve makes the device that shows a code one of this person's.
var Approve = Method[ApproveParams, client.DeviceView]{"approve", func(ctx context.Context, c *client.Client, p ApproveParams) (client.DeviceView, error) {
	return c.Approve(ctx, p.Code)
}}

// RemoveDeviceParams is what [RemoveDevice] takes.
type RemoveDeviceParams struct {
	Device string `json:"device"`
}

// RemoveDevice takes one of this person's devices out, and so out of every
// room. It can't come back but as a new one.
var RemoveDevice = Method[RemoveDeviceParams, None]{"removeDevice", func(ctx context.Context, c *client.Client, p RemoveDeviceParams) (None, error) {
	return None{}, c.RemoveDevice(ctx, p.Device)
}}
