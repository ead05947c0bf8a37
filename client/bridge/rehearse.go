package bridge

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
)

// Rehearse goes through what a core does when it takes over from another one:
// somebody made up joins a server made up, makes a room, locks, and unlocks by
// what handover gave. A browser compiles a program's functions when they are
// first called, so a core that waits for its turn does all this beforehand.
//
// The store and the keyring must be empty and in memory alone; they stay the
// caller's. Nothing of it reaches a network. When ctx ends Rehearse stops after
// the step that it is at: the longest, joining, makes keys.
func Rehearse(ctx context.Context, store client.Store, keyring client.Keyring) error {
	secrets := identity.NewNetworkSecrets()
	stage, err := newStage(secrets, store, keyring)
	if err != nil {
		return err
	}
	host := NewHost(stage, HostOptions{})
	in, lines := io.Pipe()
	out, answers := io.Pipe()
	r := &rehearsal{lines: lines, answers: make(chan reply, 1)}
	var going sync.WaitGroup
	going.Go(func() { r.listen(out) })
	going.Go(func() { _ = Serve(ctx, in, answers, host) })
	err = r.play(ctx, identity.Invite{Server: "https://stage.invalid", Network: secrets.Key().ID(), Token: identity.NewToken()})
	for _, end := range []io.Closer{in, lines, out, answers} {
		_ = end.Close()
	}
	going.Wait()
	return errors.Join(err, host.Close())
}

// rehearsal is a caller that makes one call after the other.
type rehearsal struct {
	lines   io.Writer
	answers chan reply
}

func (r *rehearsal) play(ctx context.Context, invite identity.Invite) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	var handed HandoverResult
	var room client.RoomView
	steps := []struct {
		method string
		params func() any
		result any
	}{
		{subscribe, nil, nil},
		{Join.Name, func() any {
			passkey := &PasskeySecret{Credential: encode(key), Salt: encode(key), Secret: Secret(encode(key))}
			return JoinParams{Invite: invite.Reveal(), Name: "A", DeviceName: "a", Passkey: passkey}
		}, nil},
		{NewRoom.Name, func() any { return NewRoomParams{Name: "R", Users: []string{}} }, &room},
		{Handover.Name, nil, &handed},
		{Lock.Name, nil, nil},
		{Unlock.Name, func() any { return UnlockParams{Token: handed.Token} }, nil},
		{Handover.Name, nil, nil},
		{State.Name, nil, nil},
		{Me.Name, nil, nil},
		{Settings.Name, nil, nil},
		{Connection.Name, nil, nil},
		{Rooms.Name, nil, nil},
		{Messages.Name, func() any { return MessagesParams{Room: room.Room, Limit: 10} }, nil},
		{Send.Name, func() any { return SendParams{Room: room.Room, Draft: client.Draft{Text: "a"}} }, nil},
		{Lock.Name, nil, nil},
	}
	for _, s := range steps {
		var params any = None{}
		if s.params != nil {
			params = s.params()
		}
		if err := r.call(ctx, s.method, params, s.result); err != nil {
			return fmt.Errorf("%s: %w", s.method, err)
		}
		time.Sleep(time.Millisecond) // in a browser nothing else is heard before everybody sleeps
	}
	return nil
}

func (r *rehearsal) call(ctx context.Context, method string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	line, err := json.Marshal(request{ID: 1, Method: method, Params: raw})
	if err != nil {
		return err
	}
	if _, err := r.lines.Write(append(line, '\n')); err != nil {
		return err
	}
	select {
	case a := <-r.answers:
		switch {
		case a.Error != nil:
			return a.Error
		case result != nil:
			return json.Unmarshal(a.Result, result)
		}
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listen passes on the answers; events are for nobody.
func (r *rehearsal) listen(out io.Reader) {
	for in := bufio.NewReader(out); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var a reply
		if json.Unmarshal(line, &a) == nil && a.ID != nil {
			r.answers <- a
		}
	}
}

// stage is a [Platform] and a server on which nothing is real.
type stage struct {
	store   client.Store
	keyring client.Keyring
	hello   api.HelloResponse
	genesis []byte
	rooms   api.RoomsResponse
}

func newStage(secrets *identity.NetworkSecrets, store client.Store, keyring client.Keyring) (*stage, error) {
	sender, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &stage{store: unclosed{store}, keyring: unclosedRing{keyring}}
	s.hello = api.HelloResponse{Version: api.Version, Network: api.Hash(secrets.Key().ID()), NetworkKey: secrets.Key().Marshal(),
		Time: time.Now().UnixMilli(), Sender: sender.PublicKey().Bytes()}
	s.hello.SenderProof, err = secrets.Sign(client.SenderLabel, s.hello.Sender)
	return s, err
}

// unclosed and unclosedRing outlive the vault in them, as a file would.
type (
	unclosed     struct{ client.Store }
	unclosedRing struct{ client.Keyring }
)

func (unclosed) Close() error     { return nil }
func (unclosedRing) Close() error { return nil }

func (s *stage) About() client.DoorView                               { return client.DoorView{} }
func (s *stage) Hint() (client.VaultHint, error)                      { return client.ReadVaultHint(s.store) }
func (s *stage) Wipe() error                                          { return nil }
func (s *stage) Dial(*client.Vault, string) (client.Transport, error) { return s, nil }

func (s *stage) Create(keys []client.VaultKey) (*client.Vault, error) {
	return client.CreateVaultWith(s.store, s.keyring, keys, client.VaultOptions{})
}

func (s *stage) Open(key client.VaultKey) (*client.Vault, error) {
	return client.OpenVaultWith(s.store, s.keyring, key, client.VaultOptions{})
}

var errStage = errors.New("there is no network on a stage")

// Stream implements [client.Transport].
func (s *stage) Stream(context.Context, []byte, func(), func(*api.Push)) error { return errStage }

// Call implements [client.Transport].
func (s *stage) Call(_ context.Context, name string, _, body []byte) ([]byte, error) {
	switch name {
	case api.Hello.Name:
		return api.Marshal(&s.hello)
	case api.Join.Name:
		var req api.JoinRequest
		if err := api.Unmarshal(body, &req); err != nil {
			return nil, err
		}
		s.genesis = req.Genesis
		log, err := s.log()
		if err != nil {
			return nil, err
		}
		return api.Marshal(&api.JoinResponse{User: api.UserID(log.User()), Name: req.Name})
	case api.Challenge.Name:
		return api.Marshal(&api.ChallengeResponse{Challenge: make([]byte, 32)})
	case api.Login.Name:
		return api.Marshal(&api.LoginResponse{Token: make([]byte, 32)})
	case api.Logs.Name:
		log, err := s.log()
		if err != nil {
			return nil, err
		}
		return api.Marshal(&api.LogsResponse{Logs: []api.LogSlice{{User: api.UserID(log.User()), From: 1, Length: 1}}})
	case api.CreateRoom.Name:
		var req api.CreateRoomRequest
		if err := api.Unmarshal(body, &req); err != nil {
			return nil, err
		}
		s.rooms.Rooms = []api.RoomStatus{{Room: req.Room, Kind: req.Kind, Member: true}}
		return api.Marshal(&api.CreateRoomResponse{Room: req.Room, Created: true})
	case api.Rooms.Name:
		return api.Marshal(&s.rooms)
	}
	return nil, api.Errorf(api.Unavailable, "%v", errStage)
}

func (s *stage) log() (*identity.Log, error) {
	return identity.Open(identity.NetworkID(s.hello.Network), [][]byte{s.genesis})
}
