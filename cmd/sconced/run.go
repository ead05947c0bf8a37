package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"sconce/identity"
	"sconce/server"
	"sconce/web"
)

const runUsage = `run --data DIR [--listen HOST:PORT] [--database DSN] [--name HOST | --tls-cert FILE --tls-key FILE] [--url URL] [--debug]
Run a server, and make its network the first time

  --data DIR          the folder of everything the server keeps; made if missing
  --listen HOST:PORT  where to listen (127.0.0.1:7300); without TLS only on loopback
  --database DSN      sqlite:PATH or postgres://…; SQLite in the data folder if not given
  --name HOST         the server's name, chat.example.org: listen on port 443, and get a certificate from
                      Let's Encrypt, whose terms you agree to by this
  --acme-email ADDR   where the authority may write to
  --acme-url URL      the directory of another authority that speaks ACME
  --acme-root FILE    PEM certificate of who signs that directory's own
  --tls-cert FILE     PEM certificate chain, read again when it changes
  --tls-key FILE      its PEM key
  --url URL           how clients reach the server, for invites: https://chat.example.org
  --debug             log more; never people, content, keys or addresses`

func run(ctx context.Context, a *app, args []string) error {
	var c server.Config
	fs := options()
	fs.StringVar(&c.Data, "data", "", "")
	fs.StringVar(&c.Listen, "listen", "", "")
	fs.StringVar(&c.Database, "database", "", "")
	fs.StringVar(&c.ACME.Name, "name", "", "")
	fs.StringVar(&c.ACME.Email, "acme-email", "", "")
	fs.StringVar(&c.ACME.Directory, "acme-url", "", "")
	fs.StringVar(&c.ACME.Roots, "acme-root", "", "")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "")
	fs.StringVar(&c.TLSKey, "tls-key", "", "")
	fs.StringVar(&c.URL, "url", "", "")
	verbose := fs.Bool("debug", false, "")
	if _, err := parse(fs, args, 0); err != nil {
		return err
	}
	if c.Data == "" {
		return badUsage("say where the server keeps its data: --data ./data")
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	c.Logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
	var err error
	if c.Page, err = page(c); err != nil {
		return err
	}
	s, err := server.New(ctx, c)
	if err != nil {
		return err
	}
	// Whoever interrupts a first start still gets the invite that it made.
	if err := a.greet(context.WithoutCancel(ctx), s, c.Data, c.Page != nil); err != nil {
		s.Close()
		return err
	}
	err = s.Run(ctx)
	if closing := s.Close(); err == nil {
		err = closing
	}
	return err
}

// page gives what browsers are shown, or nil where this program was built
// without it.
func page(c server.Config) (http.Handler, error) {
	site, err := web.Embedded()
	if errors.Is(err, web.ErrNotBuilt) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return site.Handler(web.Options{Door: web.Worker, Secure: c.Secure()}), nil
}

// greet tells what runs and what to do next. At the first start that is a way in.
func (a *app) greet(ctx context.Context, s *server.Server, data string, page bool) error {
	if !s.FirstStart() {
		fmt.Fprintf(a.out, "network %s goes on\n  server  %s\n  data    %s\n\nInvite people with: sconced invite NAME --data %s\n",
			s.Network(), s.URL(), data, data)
		return nil
	}
	first, err := s.Invite(ctx, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, `network %s is made
  server  %s
  data    %s

`, s.Network(), s.URL(), data)
	if line := pathLine(); line != "" {
		fmt.Fprintf(a.out, "In every other terminal, first:\n%s\n", line)
	}
	a.showInvite(first, page)
	fmt.Fprintf(a.out, `
Then, to try it by yourself:
  sconced invite bob --data %s
  sconce join 'THE INVITE' --name bob --store ./bob
  sconce help
`, data)
	return nil
}

// pathLine gives the line to type before "sconce" is found, where it is not:
// whoever runs a build from its folder has not installed anything.
func pathLine() string {
	if _, err := exec.LookPath("sconce"); err == nil {
		return ""
	}
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	dir := filepath.Dir(self)
	if _, err := os.Stat(filepath.Join(dir, "sconce")); err != nil {
		return ""
	}
	return fmt.Sprintf("  export PATH=\"%s:$PATH\"\n", dir)
}

// showInvite shows an invite with its secret: the one place that does.
func (a *app) showInvite(i identity.Invite, page bool) {
	fmt.Fprintln(a.out, "One person can join with this invite, within 14 days.")
	if page {
		fmt.Fprintf(a.out, "In a browser, open:\n  %s\nOr in a terminal:\n", i.Reveal())
	}
	fmt.Fprintf(a.out, "  sconce join '%s' --store ./alice\n", i.Reveal())
}

const inviteUsage = `invite NAME --data DIR
Invite a person to the server in a data folder, whether it runs or not

NAME is what others will see, unless the person chooses another. The invite is
good for one person and 14 days: send it by a way that you trust.`

func invite(ctx context.Context, a *app, args []string) error {
	fs := options()
	data := fs.String("data", "", "")
	args, err := parse(fs, args, 1)
	if err != nil {
		return err
	}
	if *data == "" {
		return badUsage("say where the server keeps its data: --data ./data")
	}
	i, err := server.Invite(ctx, *data, args[0])
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, i.Reveal())
	return nil
}
