package bridge

import (
	"context"

	"sconce/client"
)

// Me tells who this device and its person are.
var Me = Method[None, client.Me]{"me", func(_ context.Context, c *client.Client, _ None) (client.Me, error) {
	return c.Me(), nil
}}

// Connection tells how this device stands to its server. An event of the same
// name tells when that changes.
var Connection = Method[None, client.ConnectionView]{"connection", func(_ context.Context, c *client.Client, _ None) (client.ConnectionView, error) {
	return c.Connection()
}}

// RenameParams is what [Rename] takes.
type RenameParams struct {
	Name string `json:"name"` // what others see
}

// Rename changes the name under which the directory lists this person.
var Rename = Method[RenameParams, None]{"rename", func(ctx context.Context, c *client.Client, p RenameParams) (None, error) {
	return None{}, c.Rename(ctx, p.Name)
}}

// PeopleParams is what [People] takes.
type PeopleParams struct {
	Query string `json:"query,omitempty"` // part of a name, in any case; empty for all
}

// People lists people of the network, as the server's directory says; when the
// server can't be reached, those that this device knows.
var People = Method[PeopleParams, []client.PersonView]{"people", func(ctx context.Context, c *client.Client, p PeopleParams) ([]client.PersonView, error) {
	return list(c.People(ctx, p.Query))
}}

// SafetyParams is what [Safety] takes.
type SafetyParams struct {
	User string `json:"user"`
}

// Safety gives the number that two people compare, face to face or on the
// phone, to know that nobody stands between them.
var Safety = Method[SafetyParams, client.SafetyView]{"safety", func(ctx context.Context, c *client.Client, p SafetyParams) (client.SafetyView, error) {
	return c.Safety(ctx, p.User)
}}

// CheckSafetyParams is what [CheckSafety] takes.
type CheckSafetyParams struct {
	User    string `json:"user"`
	Scanned string `json:"scanned"` // what a camera read on their screen: SafetyView.qr
}

// CheckSafetyResult is what [CheckSafety] gives.
type CheckSafetyResult struct {
	Same bool `json:"same"` // false is an alarm: somebody stands between the two
}

// CheckSafety compares the code on another person's screen with the safety
// number that this person has for them. Call markVerified if they are the same.
var CheckSafety = Method[CheckSafetyParams, CheckSafetyResult]{"checkSafety", func(ctx context.Context, c *client.Client, p CheckSafetyParams) (CheckSafetyResult, error) {
	same, err := c.CheckSafety(ctx, p.User, p.Scanned)
	return CheckSafetyResult{same}, err
}}

// RoomDevicesParams is what [RoomDevices] takes.
type RoomDevicesParams struct {
	User string `json:"user"`
}

// RoomDevices lists the devices of a person of the network.
var RoomDevices = Method[RoomDevicesParams, []client.DeviceView]{"roomDevices", func(ctx context.Context, c *client.Client, p RoomDevicesParams) ([]client.DeviceView, error) {
	return list(c.DevicesOf(ctx, p.User))
}}

// MarkVerifiedParams is what [MarkVerified] takes.
type MarkVerifiedParams struct {
	User     string `json:"user"`
	Verified bool   `json:"verified"` // false takes it back
}

// MarkVerified records that the numbers were compared and are the same. One's
// other devices learn of it.
var MarkVerified = Method[MarkVerifiedParams, None]{"markVerified", func(ctx context.Context, c *client.Client, p MarkVerifiedParams) (None, error) {
	return None{}, c.MarkVerified(ctx, p.User, p.Verified)
}}

// list makes nothing an empty list: in JSON, null would be one case more.
func list[T any](all []T, err error) ([]T, error) {
	if all == nil {
		all = []T{}
	}
	return all, err
}
