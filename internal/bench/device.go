//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// network is what a device must know of the server it talks to.
type network struct {
	id     identity.NetworkID
	sender []byte // the server's key for proposals
}

func meet(ctx context.Context, t client.Transport) (network, error) {
	hello, err := call(ctx, t, api.Hello, nil, &api.Empty{})
	if err != nil {
		return network{}, err
	}
	return network{id: identity.NetworkID(hello.Network), sender: hello.Sender}, nil
}

// device is a person with one device, as far as the server can tell.
type device struct {
	name    string
	secrets *identity.DeviceSecrets
	log     *identity.Log
	token   []byte
	kp      keyPackage
}

type keyPackage struct {
	public  *mls.KeyPackage
	private *mls.KeyPackageSecrets
}

func (d *device) id() identity.DeviceID { return d.secrets.Keys().ID() }
func (d *device) user() identity.UserID { return d.log.User() }

// join makes a person of an invite, logs the device in, and publishes a key
// package.
func join(ctx context.Context, t client.Transport, n network, invite []byte, name string) (*device, error) {
	private, public, err := room.Suite.GenerateSignatureKey()
	if err != nil {
		return nil, err
	}
	d := &device{name: name}
	d.secrets, err = identity.NewDeviceSecrets("bench", map[uint16]identity.LeafPair{
		uint16(room.Suite): {Public: public, Secret: private},
	})
	if err != nil {
		return nil, err
	}
	genesis, err := identity.NewGenesis(n.id, time.Now(), identity.NewRecoveryKey(), d.secrets)
	if err != nil {
		return nil, err
	}
	if d.log, err = identity.Open(n.id, [][]byte{genesis}); err != nil {
		return nil, err
	}
	if _, err := call(ctx, t, api.Join, nil, &api.JoinRequest{Invite: invite, Name: name, Genesis: genesis}); err != nil {
		return nil, fmt.Errorf("joining: %w", err)
	}
	if err := d.login(ctx, t, n); err != nil {
		return nil, fmt.Errorf("logging in: %w", err)
	}
	return d, d.publish(ctx, t)
}

func (d *device) login(ctx context.Context, t client.Transport, n network) error {
	c, err := call(ctx, t, api.Challenge, nil, &api.ChallengeRequest{User: api.UserID(d.user()), Device: api.DeviceID(d.id())})
	if err != nil {
		return err
	}
	signature, err := identity.SignLogin(d.secrets, n.id, c.Challenge)
	if err != nil {
		return err
	}
	resp, err := call(ctx, t, api.Login, nil, &api.LoginRequest{
		User: api.UserID(d.user()), Device: api.DeviceID(d.id()), Challenge: c.Challenge, Signature: signature,
	})
	if err != nil {
		return err
	}
	d.token = resp.Token
	return nil
}

func (d *device) publish(ctx context.Context, t client.Transport) (err error) {
	signer, err := d.signer()
	if err != nil {
		return err
	}
	from := uint64(time.Now().Unix() - 3600)
	d.kp.public, d.kp.private, err = mls.NewKeyPackage(room.Suite, signer, mls.KeyPackageOptions{
		Lifetime: mls.Lifetime{NotBefore: from, NotAfter: from + uint64(room.KeyPackageLifetime/time.Second) - 1},
	})
	if err != nil {
		return err
	}
	req := &api.PublishKeyPackagesRequest{KeyPackages: [][]byte{d.kp.public.Bytes()}}
	_, err = call(ctx, t, api.PublishKeyPackages, d.token, req)
	return err
}

// signer is the device as a leaf signs.
func (d *device) signer() (mls.Signer, error) {
	k, ok := d.secrets.Leaf(uint16(room.Suite))
	if !ok {
		return mls.Signer{}, fmt.Errorf("no key for suite %v", room.Suite)
	}
	admitted, ok := d.log.Device(d.id())
	if !ok {
		return mls.Signer{}, fmt.Errorf("the log does not hold the device")
	}
	return mls.Signer{Credential: room.Credential(d.log.Credential(admitted)), Public: k.Public, Private: k.Secret}, nil
}

// call makes a typed call.
func call[Req, Resp any](ctx context.Context, t client.Transport, e api.Endpoint[Req, Resp], token []byte, req *Req) (*Resp, error) {
	body, err := api.Marshal(req)
	if err != nil {
		return nil, err
	}
	answer, err := t.Call(ctx, e.Name, token, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	resp := new(Resp)
	return resp, api.Unmarshal(answer, resp)
}
