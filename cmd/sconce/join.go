package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"sconce/client"
	"sconce/client/native"
	"sconce/identity"
)

const joinUsage = `join INVITE [--name NAME] [--device NAME]
Become a member of a network, with this as your first device

INVITE is the link that you were sent; put it in quotes. --name is what others
see, --device what you call this device. The recovery key is shown once: write
it down. If joining is interrupted, give the same command again.`

func join(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	name := fs.String("name", "", "")
	device := fs.String("device", machine(), "")
	args, err := parse(fs, args, 1, 1)
	if err != nil {
		return err
	}
	invite, err := identity.ParseInvite(args[0])
	if err != nil {
		return notAnInvite(args[0], err)
	}
	if *name == "" {
		if *name, err = a.askName(); err != nil {
			return err
		}
	}
	return a.enter(ctx, native.Place{Server: invite.Server}, func(cfg client.Config) (*client.Client, error) {
		c, recovery, err := client.Join(ctx, cfg, invite, *name, *device)
		if err != nil {
			return nil, err
		}
		a.showMe(c.Me())
		a.showRecovery(recovery)
		return c, nil
	})
}

// notAnInvite says what an invite looks like and who has one, or what was given
// in its place.
func notAnInvite(given string, err error) error {
	if _, invalid := identity.ParseAddress(given); invalid == nil {
		return errors.New("this is the address of a device: to become a further device of that person, it is for \"sconce link\"")
	}
	return fmt.Errorf("%w; it looks like https://chat.example.org/#1.…, and whoever runs the server makes it with \"sconced invite\"", err)
}

// askName asks what others will see, and offers what the system calls the
// person.
func (a *app) askName() (string, error) {
	offer := ""
	if u, err := user.Current(); err == nil {
		offer = u.Username
	}
	name, err := a.askLine(fmt.Sprintf("Your name, as others will see it [%s]: ", offer))
	if err != nil {
		return "", err
	}
	if name != "" {
		return name, nil
	}
	if !isTerminal(a.in) || offer == "" {
		return "", badUsage("say what others will see: --name NAME")
	}
	return offer, nil
}

// showRecovery shows the key, which nothing keeps.
func (a *app) showRecovery(k *identity.RecoveryKey) {
	fmt.Fprintf(a.out, `
Your recovery key, shown this once and kept nowhere:

    %s

Write it on paper and put it where you keep what must not be lost. If you ever
lose all of your devices, it makes you yourself again on a new one. Whoever else
has it can become you.
`, k.Reveal())
}
