package main

import (
	"context"
	"fmt"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

const peopleUsage = `people [QUERY] [--json]
List the people of the network, or those whose names hold QUERY`

func people(ctx context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 0, 1)
	if err != nil {
		return err
	}
	var params bridge.PeopleParams
	if len(args) > 0 {
		params.Query = args[0]
	}
	return a.withDoor(ctx, func(ctx context.Context, s *session) error {
		found, err := bridge.People.Call(ctx, s.door, params)
		if err != nil {
			return err
		}
		s.noteOffline()
		if a.json {
			return printAll(a, found)
		}
		var rows [][]string
		for _, p := range found {
			rows = append(rows, []string{plain.Name(p.Name), personNote(p), p.User})
		}
		fmt.Fprint(a.out, table(rows))
		return nil
	})
}

func personNote(p client.PersonView) string {
	if p.Me {
		return "you"
	}
	return trustNote(p.Trust)
}

// trustNote says in words what is known of an identity.
func trustNote(t client.Trust) string {
	switch t {
	case client.Verified:
		return "verified"
	case client.Changed:
		return "CHANGED: do not trust"
	}
	return "not verified"
}
