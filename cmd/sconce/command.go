package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one thing that the program does. The first line of its usage is
// the synopsis, the second says what it is for; the rest is for who asks.
type command struct {
	words string
	usage string
	run   func(ctx context.Context, a *app, args []string) error
}

// commands is filled by init, because help is one of them and reads it.
var commands []command

func init() {
	commands = []command{
		{"chat", chatUsage, chat},
		{"app", appUsage, openApp},
		{"join", joinUsage, join},
		{"link", linkUsage, link},
		{"approve", approveUsage, approve},
		{"recover", recoverUsage, recoverDevice},
		{"whoami", whoamiUsage, whoami},
		{"people", peopleUsage, people},
		{"verify", verifyUsage, verify},
		{"rooms", roomsUsage, rooms},
		{"room new", roomNewUsage, roomNew},
		{"room add", roomAddUsage, roomAdd},
		{"room remove", roomRemoveUsage, roomRemove},
		{"room admin", roomAdminUsage, roomAdmin},
		{"room leave", roomLeaveUsage, roomLeave},
		{"room dismiss", roomDismissUsage, roomDismiss},
		{"room set", roomSetUsage, roomSet},
		{"send", sendUsage, send},
		{"read", readUsage, read},
		{"react", reactUsage, react},
		{"edit", editUsage, edit},
		{"delete", deleteUsage, deleteMessage},
		{"devices", devicesUsage, devices},
		{"device remove", deviceRemoveUsage, deviceRemove},
		{"passphrase", passphraseUsage, passphrase},
		{"sync", syncUsage, syncStore},
		{"rpc", rpcUsage, rpc},
		{"verify-web", verifyWebUsage, verifyWeb},
		{"version", versionUsage, version},
		{"help", helpUsage, help},
	}
}

func (c command) synopsis() string {
	line, _, _ := strings.Cut(c.usage, "\n")
	return line
}

func (c command) brief() string {
	_, rest, _ := strings.Cut(c.usage, "\n")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// usageError is a command line that makes no sense.
type usageError struct{ message, usage string }

func (e *usageError) Error() string { return e.message }

func badUsage(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// find gives the command that args begin with, and the rest of args.
func find(args []string) (command, []string, error) {
	for _, c := range commands {
		words := strings.Fields(c.words)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c, args[len(words):], nil
		}
	}
	var below []string
	for _, c := range commands {
		if strings.HasPrefix(c.words, args[0]+" ") {
			below = append(below, c.synopsis())
		}
	}
	if below != nil {
		return command{}, nil, &usageError{message: fmt.Sprintf("%q needs to know what to do", args[0]), usage: strings.Join(below, "\n       sconce ")}
	}
	message := fmt.Sprintf("there is no command %q; sconce help lists them", args[0])
	if near := nearest(args[0]); near != "" {
		message = fmt.Sprintf("there is no command %q; did you mean %q?", args[0], near)
	}
	return command{}, nil, &usageError{message: message}
}

// nearest gives the command that was probably meant, or "".
func nearest(word string) string {
	best, least := "", 3 // more wrong letters than two is another word
	for _, c := range commands {
		if d := distance(word, c.words); d < least && d < len(word) {
			best, least = c.words, d
		}
	}
	return best
}

// distance is how many letters must be put in, left out or replaced.
func distance(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

var errHelp = flag.ErrHelp

// options makes the options that every command has. They may stand before the
// command or after it.
func (a *app) options() *flag.FlagSet {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&a.store, "store", cmp.Or(a.store, a.env("SCONCE_STORE")), "")
	fs.StringVar(&a.passphraseFile, "passphrase-file", a.passphraseFile, "")
	fs.StringVar(&a.caFile, "ca", a.caFile, "")
	fs.BoolVar(&a.offline, "offline", a.offline, "")
	fs.BoolVar(&a.json, "json", a.json, "")
	return fs
}

const anyNumber = -1

// parse reads a command's line: options anywhere up to "--", and from least to
// most arguments.
func parse(fs *flag.FlagSet, args []string, least, most int) ([]string, error) {
	var plain []string
	for {
		before := len(args)
		rest, err := parseLeading(fs, args)
		if err != nil {
			return nil, err
		}
		taken := before - len(rest)
		if len(rest) == 0 || taken > 0 && args[taken-1] == "--" {
			plain = append(plain, rest...)
			break
		}
		plain, args = append(plain, rest[0]), rest[1:]
	}
	switch {
	case len(plain) < least:
		return nil, badUsage("too few arguments")
	case most != anyNumber && len(plain) > most:
		return nil, badUsage("%q is one argument too many", plain[most])
	}
	return plain, nil
}

// parseLeading reads options up to the first argument.
func parseLeading(fs *flag.FlagSet, args []string) (rest []string, err error) {
	err = fs.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return fs.Args(), err
	}
	message := err.Error()
	for _, r := range []struct{ flags, ours string }{
		{"flag provided but not defined: -", "there is no option --"},
		{"flag needs an argument: -", "a value is missing after --"},
	} {
		if name, ok := strings.CutPrefix(message, r.flags); ok {
			return nil, badUsage("%s%s", r.ours, strings.TrimPrefix(name, "-"))
		}
	}
	return nil, badUsage("%s", strings.Replace(message, "for flag -", "for --", 1))
}
