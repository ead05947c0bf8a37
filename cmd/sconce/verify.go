package main

import (
	"context"
	"fmt"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const verifyUsage = `verify PERSON [--mark | --unmark]
Compare safety numbers with a person, and mark them as verified

Meet or call the person. Both of you should see the same number. If you do,
nobody stands between you: --mark says so, on all of your devices.`

func verify(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	mark := fs.Bool("mark", false, "")
	unmark := fs.Bool("unmark", false, "")
	args, err := parse(fs, args, 1, 1)
	if err != nil {
		return err
	}
	if *mark && *unmark {
		return badUsage("--mark and --unmark are opposites")
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		p, err := s.person(ctx, args[0])
		if err != nil {
			return err
		}
		if *mark || *unmark {
			if _, err := bridge.MarkVerified.Call(ctx, s.door, bridge.MarkVerifiedParams{User: p.User, Verified: *mark}); err != nil {
				return err
			}
		}
		safety, err := bridge.Safety.Call(ctx, s.door, bridge.SafetyParams{User: p.User})
		if err != nil {
			return err
		}
		if err := a.showSafety(safety); err != nil || !*mark && !*unmark {
			return err
		}
		return s.settle(ctx)
	})
}

func (a *app) showSafety(v client.SafetyView) error {
	if a.json {
		return a.printJSON(v)
	}
	fmt.Fprintf(a.out, "%s: %s\n\n    %s\n", plain.Name(v.Name), trustNote(v.Trust), plain.Line(v.Number))
	if v.Trust == client.Unverified {
		fmt.Fprint(a.out, "\nIf both of you see this number, add --mark.\n")
	}
	return nil
}
