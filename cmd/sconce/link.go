package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sconce/client"
	"sconce/client/native"
	"sconce/identity"
)

const linkUsage = `link ADDRESS [--device NAME]
Make this a further device of yours

ADDRESS is what "sconce whoami" shows on a device that you have. This one shows
a code, and waits until you type it there, after "sconce approve".`

// linkTime is how long the server keeps a new device's offer.
const linkTime = 10 * time.Minute

func link(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	device := fs.String("device", machine(), "")
	args, err := parse(fs, args, 1, 1)
	if err != nil {
		return err
	}
	address, err := identity.ParseAddress(args[0])
	if err != nil {
		return notAnAddress(args[0], err)
	}
	return a.enter(ctx, native.Place{Server: address.Server}, func(cfg client.Config) (*client.Client, error) {
		wait, cancel := context.WithTimeout(ctx, linkTime)
		defer cancel()
		c, err := client.Link(wait, cfg, address, *device, a.showCode)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, errors.New("nobody approved this device in ten minutes; give the command again for a new code")
		}
		if err != nil {
			return nil, err
		}
		a.showMe(c.Me())
		return c, nil
	})
}

// notAnAddress says what an address looks like and where there is one, or what
// was given in its place.
func notAnAddress(given string, err error) error {
	if _, invalid := identity.ParseInvite(given); invalid == nil {
		return errors.New("this is an invite, which makes a new person: it is for \"sconce join\"; the address of a device of yours is what \"sconce whoami\" shows there")
	}
	return fmt.Errorf("%w; it looks like https://chat.example.org/#device1.…, and \"sconce whoami\" shows it on a device that you have", err)
}

func (a *app) showCode(code identity.LinkCode) {
	fmt.Fprintf(a.out, `On a device that is yours already, type:

    sconce approve %s

Waiting for that, up to ten minutes.
`, code)
}
