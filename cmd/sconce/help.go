package main

import (
	"context"
	"fmt"
	"strings"
)

const helpUsage = `help [COMMAND]
List the commands, or explain one`

const optionsHelp = `Options of every command:
  --store DIR             where this device lives (else $SCONCE_STORE, else the
                          folder for settings)
  --passphrase-file FILE  read the passphrase from a file instead of asking
  --offline               do not talk to the server; what is sent waits
  --ca FILE               trust this authority too, for a server with a private one
  --json                  print JSON lines, for programs
  --                      what follows is text, even if it begins with a dash
`

func help(_ context.Context, a *app, args []string) error {
	args, err := parse(a.options(), args, 0, anyNumber)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		var rows [][]string
		for _, c := range commands {
			rows = append(rows, []string{"  " + c.words, c.brief()})
		}
		fmt.Fprintf(a.out, "usage: sconce COMMAND …\n\n%s\n%s", table(rows), optionsHelp)
		return nil
	}
	c, _, err := find(args)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "usage: sconce %s\n\n%s.\n", c.synopsis(), c.brief())
	if _, more, ok := strings.Cut(c.usage, "\n\n"); ok {
		fmt.Fprintf(a.out, "\n%s\n", more)
	}
	return nil
}
