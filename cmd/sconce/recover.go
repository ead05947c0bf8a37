package main

import (
	"context"
	"fmt"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
	"sconce/identity"
)

const recoverUsage = `recover ADDRESS [--device NAME]
Become yourself again after all devices were lost

ADDRESS is that of any of your devices, or an invite of your network, or
https://SERVER/#NETWORK. The recovery key is asked for. All devices that you had
are shut out; your rooms and memberships stay.`

func recoverDevice(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	device := fs.String("device", machine(), "")
	args, err := parse(fs, args, 1, 1)
	if err != nil {
		return err
	}
	server, network, err := bridge.ParsePlace(args[0])
	if err != nil {
		return err
	}
	key, err := a.askRecovery(ctx)
	if err != nil {
		return err
	}
	return a.enter(ctx, native.Place{Server: server}, func(cfg client.Config) (*client.Client, error) {
		c, err := client.Recover(ctx, cfg, server, network, key, *device)
		if err != nil {
			return nil, err
		}
		a.showMe(c.Me())
		return c, nil
	})
}

// askRecovery asks for the key without showing it, or reads it from a pipe.
func (a *app) askRecovery(ctx context.Context) (*identity.RecoveryKey, error) {
	if !isTerminal(a.in) {
		line, err := a.inputLine()
		if err != nil {
			return nil, err
		}
		return parseRecovery(line)
	}
	typed, err := a.askSecret(ctx, "Recovery key: ")
	if err != nil {
		return nil, err
	}
	return parseRecovery(string(typed))
}

func parseRecovery(typed string) (*identity.RecoveryKey, error) {
	key, err := identity.ParseRecoveryKey(typed)
	if err != nil {
		return nil, fmt.Errorf("%w; it is the line that begins with SR1- and was shown when you joined", err)
	}
	return key, nil
}
