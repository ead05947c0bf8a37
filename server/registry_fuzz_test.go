package server

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sconce/api"
	"sconce/internal/duty"
)

// FuzzEveryEndpoint calls every endpoint with arbitrary bodies, as a stranger
// and as somebody logged in. An answer of code Internal is a bug.
func FuzzEveryEndpoint(f *testing.F) {
	s, err := New(f.Context(), Config{Data: f.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	// What some duties do, they do in the background.
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.runDuties(ctx)
	}()
	f.Cleanup(func() {
		stop()
		<-ended
	})

	names := s.registry.Names()
	bodies := [][]byte{nil, {0xa0}, []byte("garbage")}
	for _, example := range []any{
		api.JoinRequest{Invite: make([]byte, 26), Name: "x", Genesis: make([]byte, 100)},
		api.AppendRequest{Message: make([]byte, 50), Keep: 1},
		api.LogsRequest{Logs: make([]api.LogQuery, 3)},
		api.ClaimKeyPackagesRequest{Users: make([]api.UserID, 2)},
		api.CreateRoomRequest{Kind: 1, GroupInfo: make([]byte, 10), Tree: make([]byte, 10)},
		api.AckRequest{Acks: []api.Place{{Seq: 1 << 63}}},
	} {
		b, err := api.Marshal(example)
		if err != nil {
			f.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	for i := range names {
		for _, body := range bodies {
			f.Add(byte(i), true, body)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, known bool, body []byte) {
		caller := duty.Caller{Remote: netip.MustParseAddr("127.0.0.1")}
		if known {
			caller.User, caller.Device = api.UserID{1}, api.DeviceID{2}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		name := names[int(which)%len(names)]
		if _, err := s.registry.Call(ctx, caller, name, body); err != nil && err.Code == api.Internal {
			t.Errorf("%s of %x: internal error", name, body)
		}
	})
}

func TestEveryEndpointOfTheContractIsServed(t *testing.T) {
	s, err := New(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names := s.registry.Names()
	for _, want := range []string{
		api.Hello.Name, api.Join.Name, api.Challenge.Name, api.Login.Name, api.People.Name, api.Rename.Name,
		api.AppendLog.Name, api.Logs.Name, api.RecoveryLog.Name, api.OfferLink.Name, api.ReadLink.Name,
		api.PublishKeyPackages.Name, api.CheckKeyPackages.Name, api.ClaimKeyPackages.Name,
		api.Append.Name, api.Read.Name, api.Ack.Name, api.CreateRoom.Name, api.Rooms.Name, api.ReadGroupInfo.Name, api.ReadTree.Name,
	} {
		if !slices.Contains(names, want) {
			t.Errorf("nothing answers %s", want)
		}
	}
}
