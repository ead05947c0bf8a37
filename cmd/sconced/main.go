// Command sconced is the Sconce server. "sconced help" lists what it can do, and
// "sconced run --data ./data" is all it takes to begin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

// What a command ends with.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// minProcs is how many goroutines run at once, even on one core: a write that
// waits for the disk must not hold the only place.
const minProcs = 4

// gcPercent lets the heap grow to three times what is in use before it is
// collected. A server at work has little in use for long, and collecting twice as
// often took a tenth of its time; one at rest gives memory back by itself.
const gcPercent = 200

func main() {
	runtime.GOMAXPROCS(max(minProcs, runtime.GOMAXPROCS(0)))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{out: os.Stdout, err: os.Stderr}
	code := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// app is one run of the program: where it writes.
type app struct {
	out, err io.Writer
}

// command is one thing that the program does. The first line of its usage is the
// synopsis, the second says what it is for; the rest is for who asks.
type command struct {
	name  string
	usage string
	run   func(ctx context.Context, a *app, args []string) error
}

// commands lists them in the order of "help".
func commands() []command {
	return []command{
		{"run", runUsage, run},
		{"invite", inviteUsage, invite},
		{"version", versionUsage, version},
		{"help", helpUsage, help},
	}
}

// usageError is a command line that means nothing.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func badUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

func (a *app) main(ctx context.Context, args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	c, ok := find(args[0])
	if !ok {
		fmt.Fprintf(a.err, "sconced: there is no command %q: see sconced help\n", args[0])
		return exitUsage
	}
	err := c.run(ctx, a, args[1:])
	if errors.Is(err, flag.ErrHelp) {
		err = help(ctx, a, []string{c.name})
	}
	if wrong, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(a.err, "sconced: %s\nusage: sconced %s\n", wrong.message, c.synopsis())
		return exitUsage
	}
	if err != nil {
		fmt.Fprintf(a.err, "sconced: %v\n", err)
		return exitFailed
	}
	return exitDone
}

func find(name string) (command, bool) {
	name = strings.TrimLeft(name, "-") // --help and -h mean help
	if name == "h" {
		name = "help"
	}
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func (c command) synopsis() string {
	line, _, _ := strings.Cut(c.usage, "\n")
	return line
}

func (c command) purpose() string {
	_, rest, _ := strings.Cut(c.usage, "\n")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// options gives a set of flags that reports its errors as ours.
func options() *flag.FlagSet {
	fs := flag.NewFlagSet("sconced", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse takes flags before, between and after arguments, and as many arguments
// as the command has.
func parse(fs *flag.FlagSet, args []string, want int) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, badFlag(err)
		}
		if fs.NArg() == 0 {
			break
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
	switch {
	case len(rest) < want:
		return nil, badUsage("too few arguments")
	case len(rest) > want:
		return nil, badUsage("%q is one argument too many", rest[want])
	}
	return rest, nil
}

// badFlag says what is wrong with a flag as people write it, with two dashes.
func badFlag(err error) error {
	message := err.Error()
	for _, r := range []struct{ flags, ours string }{
		{"flag provided but not defined: -", "there is no option --"},
		{"flag needs an argument: -", "a value is missing after --"},
	} {
		if name, ok := strings.CutPrefix(message, r.flags); ok {
			return badUsage("%s%s", r.ours, strings.TrimPrefix(name, "-"))
		}
	}
	return badUsage("%s", strings.Replace(message, "for flag -", "for --", 1))
}

const versionUsage = `version
Say which version this is`

func version(_ context.Context, a *app, args []string) error {
	if _, err := parse(options(), args, 0); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "sconced", buildVersion(), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return nil
}

func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

const helpUsage = `help [COMMAND]
Say what there is, or all about one command`

func help(_ context.Context, a *app, args []string) error {
	if len(args) > 0 {
		c, ok := find(args[0])
		if !ok {
			return badUsage("there is no command %q", args[0])
		}
		fmt.Fprintf(a.out, "usage: sconced %s\n", c.usage)
		return nil
	}
	fmt.Fprintln(a.out, "sconced is the Sconce server.")
	fmt.Fprintln(a.out)
	for _, c := range commands() {
		fmt.Fprintf(a.out, "  %-8s %s\n", c.name, c.purpose())
	}
	fmt.Fprintln(a.out, "\nBegin with: sconced run --data ./data")
	return nil
}
