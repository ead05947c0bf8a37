package bridge

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
)

type networkError struct{ down bool }

func (networkError) Error() string       { return "no way to the server" }
func (e networkError) Unreachable() bool { return e.down }

func mistyped[T any](_ T, err error) error { return err }

func TestErrorsKeepTheirCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Error
	}{
		{errors.New("no such room"), Error{Failed, "no such room"}},
		{fmt.Errorf("joining: %w", api.Errorf(api.Conflict, "name taken")), Error{"conflict", "joining: name taken"}},
		{fmt.Errorf("syncing: %w", networkError{true}), Error{Offline, "no way to the server"}},
		{mistyped(identity.ParseLinkCode("SD1-X")), Error{WrongLinkCode, mistyped(identity.ParseLinkCode("SD1-X")).Error()}},
		{fmt.Errorf("recovering: %w", mistyped(identity.ParseRecoveryKey("SR1-X"))), Error{WrongRecovery, "recovering: " + mistyped(identity.ParseRecoveryKey("SR1-X")).Error()}},
		{networkError{false}, Error{Failed, "no way to the server"}},
		{fmt.Errorf("syncing: %w", client.ErrRemoved), Error{Removed, client.ErrRemoved.Error()}},
		{fmt.Errorf("syncing: %w", context.DeadlineExceeded), Error{Offline, "the server did not answer in time"}},
		{context.Canceled, Error{Canceled, "it was interrupted"}},
		{Errorf(Params, "limit"), Error{Params, "limit"}},
	} {
		if got := errorOf(c.err); *got != c.want {
			t.Errorf("errorOf(%v) = %+v; want %+v", c.err, *got, c.want)
		}
	}
}

// Settings that nobody names stay as they are, and the name that a direct room
// shows is never made its own.
func TestSetRoomChangesOnlyWhatItNames(t *testing.T) {
	now := client.RoomView{Kind: "group", Name: "Team", Description: "us", Expire: 60, Burn: 5}
	zero, name := 0, "Us"
	for _, c := range []struct {
		p    SetRoomParams
		kind string
		want client.RoomSettings
	}{
		{SetRoomParams{}, "group", client.RoomSettings{Name: "Team", Description: "us", Expire: 60, Burn: 5}},
		{SetRoomParams{Expire: &zero, Name: &name}, "group", client.RoomSettings{Name: "Us", Description: "us", Burn: 5}},
		{SetRoomParams{Burn: &zero}, "direct", client.RoomSettings{Description: "us", Expire: 60}},
	} {
		now.Kind = c.kind
		if got := c.p.over(now); got != c.want {
			t.Errorf("over(%+v) = %+v; want %+v", c.p, got, c.want)
		}
	}
}
