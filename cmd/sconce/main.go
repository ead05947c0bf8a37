// Command sconce is the client on a terminal. "sconce help" lists what it can do.
//
// One process owns a store. A command opens it, gets in step with the server,
// does its work and closes it. While one that stays ("read --follow", "sync
// --wait", "rpc") holds the store, other commands on it go through that process,
// by a socket beside the store.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// What a command ends with.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv, colour: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""}
	code := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// app is one run of the program: where it reads and writes, and the options that
// all commands have.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	colour   bool
	noted    string // the last note

	store          string
	passphraseFile string
	caFile         string
	offline        bool
	json           bool
}

func (a *app) main(ctx context.Context, args []string) int {
	err := a.run(ctx, args)
	if err == nil {
		return exitDone
	}
	if wrong, ok := errors.AsType[*usageError](err); ok {
		a.complain(wrong.message)
		if wrong.usage != "" {
			fmt.Fprintf(a.err, "usage: sconce %s\n", wrong.usage)
		}
		return exitUsage
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if refused, ok := errors.AsType[*bridge.Error](err); errors.Is(err, client.ErrFull) || ok && refused.Code == bridge.Full {
		err = errors.New("there is no space left where this store is, so that was not done: free some, and try again")
	}
	a.complain(err.Error())
	return exitFailed
}

// complain prints an error, parts of which may be a server's or another
// person's words. What was noted already need not be said twice.
func (a *app) complain(message string) {
	if line := "sconce: " + plain.Line(message); line != a.noted {
		fmt.Fprintln(a.err, line)
	}
}

// note tells what a person should know, and a program that reads the output
// need not.
func (a *app) note(format string, args ...any) {
	a.noted = plain.Line(fmt.Sprintf(format, args...))
	fmt.Fprintln(a.err, a.noted)
}

func (a *app) run(ctx context.Context, args []string) error {
	fs := a.options()
	rest, err := parseLeading(fs, args)
	if errors.Is(err, errHelp) || err == nil && len(rest) == 0 {
		if err == nil && isTerminal(a.in) && isTerminal(a.out) {
			return a.start(ctx)
		}
		return help(ctx, a, nil)
	}
	if err != nil {
		return &usageError{message: err.Error(), usage: "COMMAND …; see sconce help"}
	}
	c, rest, err := find(rest)
	if err != nil {
		return err
	}
	err = c.run(ctx, a, rest)
	if errors.Is(err, errHelp) {
		return help(ctx, a, strings.Fields(c.words))
	}
	if wrong, ok := errors.AsType[*usageError](err); ok && wrong.usage == "" {
		wrong.usage = c.synopsis()
	}
	return err
}

// start is the program without a command, on a terminal: the chat, once there is
// somebody to chat as.
func (a *app) start(ctx context.Context) error {
	if a.hasDevice() {
		return chat(ctx, a, nil)
	}
	if err := help(ctx, a, nil); err != nil {
		return err
	}
	a.note("There is no device here yet: begin with join, link or recover. Then sconce alone is a full-screen chat.")
	return nil
}
