// Command sconce-demo runs a real sconced with two simulated people on its
// network, so that one person alone can try everything: "make demo", or
// "sconce-demo --data ./data" beside the other two programs.
//
// It is a program of its own because the people are clients, which decrypt, and
// the server's program holds nothing that does.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"sconce/identity"
)

const usage = `usage: sconce-demo --data DIR [--listen HOST:PORT]
Run a server with two simulated people on it, to try everything alone

  --data DIR          the folder of everything that is kept; made if missing
  --listen HOST:PORT  where to listen (127.0.0.1:7300); only on loopback

Ada and Ben are programs. They are people of the network like any other, with
keys and devices of their own, whose stores are in DIR/demo. Ada greets whoever
joins; both answer what is written to them, also in rooms. The server is an
ordinary sconced in a process of its own; DIR/demo/server.log is its log.
Started again, the demo goes on where it was; "sconced run --data DIR" runs the
same server without them.
`

// What the program ends with.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := start(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func start(ctx context.Context, args []string) int {
	var d demo
	options := flag.NewFlagSet("sconce-demo", flag.ContinueOnError)
	options.SetOutput(io.Discard)
	options.StringVar(&d.data, "data", "", "")
	options.StringVar(&d.listen, "listen", "", "")
	err := options.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return exitDone
	case err != nil, options.NArg() > 0, d.data == "":
		fmt.Fprint(os.Stderr, "sconce-demo: say where everything is kept, and nothing else that is not below: --data ./data\n"+usage)
		return exitUsage
	}
	d.out = os.Stdout
	d.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := d.run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "sconce-demo: %v\n", err)
		return exitFailed
	}
	return exitDone
}

// demo is one run of the program.
type demo struct {
	data, listen string
	out          io.Writer
	log          *slog.Logger
}

// dir is where the simulated people keep their stores.
func (d *demo) dir() string { return filepath.Join(d.data, "demo") }

func (d *demo) run(ctx context.Context) error {
	if err := d.requireOwnFolder(); err != nil {
		return err
	}
	s, err := startServer(ctx, d.data, d.listen, filepath.Join(d.dir(), "server.log"))
	if err != nil {
		return err
	}
	acting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-s.ended
		cancel() // without the server there is nothing to act on
	}()
	err = d.act(acting, s)
	if ctx.Err() != nil {
		err = nil // an interrupt is how a demo ends
	}
	// The server outlives its simulated people, who say goodbye to it. If it
	// ended before, what went wrong for them follows from that.
	return cmp.Or(s.stop(), err)
}

// requireOwnFolder keeps simulated people out of a network of real ones. Its
// folder is made before the server's files, so that a demo whose first start
// broke off is still one.
func (d *demo) requireOwnFolder() error {
	_, err := os.Stat(d.dir())
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.data, "server.json")); err == nil {
		return fmt.Errorf("%s is the folder of a server with people: give the demo a folder of its own", d.data)
	}
	if err := os.MkdirAll(d.dir(), 0o700); err != nil {
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	return nil
}

// act brings the simulated people in, says what can be tried, and lets them
// answer until ctx ends.
func (d *demo) act(ctx context.Context, s *server) (err error) {
	t, err := assemble(ctx, s, d.dir(), d.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	alone, err := t.alone(ctx)
	if err != nil {
		return err
	}
	if err := d.greetVisitor(ctx, s, alone); err != nil {
		return err
	}
	return t.run(ctx)
}

// greetVisitor tells what is there and what to do next. Whoever comes to a demo
// that nobody has joined yet gets an invite.
func (d *demo) greetVisitor(ctx context.Context, s *server, alone bool) error {
	fmt.Fprintf(d.out, `A demo, with Ada and Ben on it. They are programs that answer what you write.
  server  %s
  data    %s
  network %s

`, s.url, d.data, s.network)
	if !alone {
		fmt.Fprintf(d.out, `It goes on where it was. To bring in somebody else:
%s  sconced invite NAME --data %s
`, s.pathLine(), d.data)
		return nil
	}
	link, err := s.invite(ctx, "")
	if err != nil {
		return err
	}
	tour(d.out, s.pathLine(), link)
	return nil
}

// tour is a first quarter of an hour, in two more terminals.
func tour(w io.Writer, path string, link identity.Invite) {
	fmt.Fprintf(w, `In a second terminal, become a person of this network, and stay:
%s  export SCONCE_STORE=./me
  sconce join '%s'
  sconce read --follow                     Ada greets you within seconds

In a third one, in the same folder. While the second one stays, it asks for no passphrase:
%s  export SCONCE_STORE=./me
  sconce send Ada 'How are you?'           she answers, and knows what to try next
  sconce room new Lunch Ada Ben            a room of three
  sconce send Lunch 'Soup?' --expire 10m   a message that vanishes after ten minutes
  sconce help                              everything else
`, path, link.Reveal(), path)
}
