package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"sconce/server"
)

const demoUsage = `demo --data DIR [--listen HOST:PORT]
Run a server with two simulated people on it, to try everything alone

  --data DIR          the folder of everything that is kept; made if missing
  --listen HOST:PORT  where to listen (127.0.0.1:7300); only on loopback

Ada and Ben are programs. They are people of the network like any other, with
keys and devices of their own, whose stores are in DIR/demo. Ada greets whoever
joins; both answer what is written to them, also in rooms. Started again, the
demo goes on where it was; "sconced run" runs the same server without them.`

func demo(ctx context.Context, a *app, args []string) error {
	var c server.Config
	fs := options()
	fs.StringVar(&c.Data, "data", "", "")
	fs.StringVar(&c.Listen, "listen", "", "")
	if _, err := parse(fs, args, 0); err != nil {
		return err
	}
	if c.Data == "" {
		return badUsage("say where the server keeps its data: --data ./data")
	}
	c.Logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := server.New(ctx, c)
	if err != nil {
		return err
	}
	if err := requireDemo(s, c.Data); err != nil {
		return errors.Join(err, s.Close())
	}
	// The server outlives its simulated people, who say goodbye to it.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	acting, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		defer cancel() // without the server there is nothing to act on
		served <- s.Run(serving)
	}()
	err = a.act(acting, s, c)
	if ctx.Err() != nil {
		err = nil // an interrupt is how a demo ends
	}
	stop()
	return errors.Join(err, <-served, s.Close())
}

// requireDemo keeps simulated people out of a network of real ones.
func requireDemo(s *server.Server, data string) error {
	_, err := os.Stat(demoDir(data))
	if errors.Is(err, fs.ErrNotExist) && !s.FirstStart() {
		return fmt.Errorf("%s is the folder of a server with people: give the demo a folder of its own", data)
	}
	return nil
}

// demoDir is where the simulated people keep their stores.
func demoDir(data string) string { return filepath.Join(data, "demo") }

// act brings the simulated people in, says what can be tried, and lets them
// answer until ctx ends.
func (a *app) act(ctx context.Context, s *server.Server, c server.Config) (err error) {
	t, err := assemble(ctx, s, demoDir(c.Data), c.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	alone, err := t.alone(ctx)
	if err != nil {
		return err
	}
	if err := a.greetVisitor(ctx, s, c.Data, alone); err != nil {
		return err
	}
	return t.run(ctx)
}

// greetVisitor tells what is there and what to do next. Whoever comes to a demo
// that nobody has joined yet gets an invite.
func (a *app) greetVisitor(ctx context.Context, s *server.Server, data string, alone bool) error {
	fmt.Fprintf(a.out, `A demo, with Ada and Ben on it. They are programs that answer what you write.
  server  %s
  data    %s
  network %s

`, s.URL(), data, s.Network())
	if !alone {
		fmt.Fprintf(a.out, `It goes on where it was. To bring in somebody else:
  sconced invite NAME --data %s
`, data)
		return nil
	}
	invite, err := s.Invite(ctx, "")
	if err != nil {
		return err
	}
	tour(a.out, pathLine(), invite.Reveal())
	return nil
}

// tour is a first quarter of an hour, in two more terminals.
func tour(w io.Writer, path, link string) {
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
`, path, link, path)
}
