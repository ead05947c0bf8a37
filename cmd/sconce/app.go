package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
	"sconce/cmd/sconce/page"
	"sconce/web"
)

const appUsage = `app [--port N] [--no-browser] [--site DIR]
Use the page for browsers from this computer alone

The page and all that decrypts come from this program, so no server can change
them; a browser on this computer shows it. Enter opens it anew, Ctrl-C ends it.
The store is locked when nobody has touched the page for as long as is set there,
and half a minute after the page has gone.
--no-browser only prints the link, which works once. --port serves it always at
127.0.0.1:N, which others may have used before: better without. --site serves a
page that was packed elsewhere, for who works on it.`

// openApp serves the page until it is interrupted.
func openApp(ctx context.Context, a *app, args []string) error {
	fs := a.options()
	port := fs.Int("port", 0, "")
	quiet := fs.Bool("no-browser", false, "")
	from := fs.String("site", "", "")
	if _, err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	switch {
	case *port < 0 || *port > 65535:
		return badUsage("--port is from 1 to 65535")
	case a.offline:
		return badUsage("the page asks for the server by itself; leave out --offline")
	}
	site, err := thePage(*from)
	if err != nil {
		return err
	}
	door, end, err := a.hostDoor(ctx)
	if err != nil {
		return err
	}
	defer end()
	listener, err := listenForPage(ctx, *port)
	if err != nil {
		return err
	}
	s := page.New(listener.Addr().String(), site.Handler(web.Options{Door: web.Socket}), door)
	w := &window{app: a, page: s, quiet: *quiet}
	return w.run(ctx, listener)
}

// listenForPage listens on the loopback. Of an address that was a page's before,
// the browser may keep files and a service worker, and those of a stranger's page
// would get the link before this program does. On Linux all of 127.0.0.0/8 is the
// loopback, so an address is taken that nobody has had.
func listenForPage(ctx context.Context, port int) (net.Listener, error) {
	var l net.ListenConfig
	if port == 0 && runtime.GOOS == "linux" {
		if listener, err := l.Listen(ctx, "tcp", freshLoopback()+":0"); err == nil {
			return listener, nil
		} // a machine may have been given that one address alone
	}
	return l.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func freshLoopback() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	return netip.AddrFrom4([4]byte{127, b[0], b[1], 2 + b[2]%250}).String()
}

func thePage(dir string) (*web.Site, error) {
	if dir == "" {
		return web.Embedded()
	}
	return web.Load(os.DirFS(dir))
}

// window is the page while it is served, and the links to it.
type window struct {
	*app
	page  *page.Server
	quiet bool
}

func (w *window) run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: w.page, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	failed := make(chan error, 1)
	var serving sync.WaitGroup
	serving.Go(func() { failed <- server.Serve(listener) })
	defer serving.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	serving.Go(func() { w.page.LockWhenAlone(ctx) })
	defer server.Close()
	defer w.page.Close()
	forget := w.open()
	defer func() { forget() }()
	again := w.pressed()
	for {
		select {
		case <-ctx.Done():
			return nil // it is how this ends
		case err := <-failed:
			return err
		case <-w.page.Began():
			forget()
			w.note("the page is open; Enter opens it anew, Ctrl-C ends it")
		case <-again:
			forget()
			forget = w.open()
		}
	}
}

// open makes a link and shows it to a browser; forget takes away what it left.
func (w *window) open() (forget func()) {
	link := w.page.Link()
	if w.quiet {
		fmt.Fprintln(w.out, link)
		return func() {}
	}
	forget, err := showBrowser(link)
	if err != nil {
		w.note("no browser could be started (%v); open this link in one, it works once:", err)
		fmt.Fprintln(w.out, link)
	}
	return forget
}

// pressed receives when the person presses Enter.
func (w *window) pressed() <-chan struct{} {
	if !isTerminal(w.in) {
		return nil
	}
	again := make(chan struct{})
	go func() { // ends with the process
		for b := make([]byte, 256); ; {
			if _, err := w.in.Read(b); err != nil {
				return
			}
			again <- struct{}{}
		}
	}()
	return again
}

// hostDoor gives a door that can also begin a device, unlock and lock: to the
// store itself, or through the process that holds it.
func (a *app) hostDoor(ctx context.Context) (bridge.Door, func(), error) {
	dir, err := a.dir()
	if err != nil {
		return nil, nil, err
	}
	platform := &native.Platform{Dir: dir, Version: programVersion()}
	if a.caFile != "" {
		if platform.CA, err = os.ReadFile(a.caFile); err != nil {
			return nil, nil, fmt.Errorf("reading the CA file: %w", err)
		}
	}
	h := bridge.NewHost(platform, bridge.HostOptions{})
	ctx, stop := context.WithCancel(ctx)
	var sharing sync.WaitGroup
	sharing.Go(func() { a.share(ctx, h, dir) })
	door := bridge.NewBeside(h, func() *bridge.Remote { return holderOf(dir) })
	end := func() {
		stop()
		sharing.Wait()
		if err := door.Close(); err != nil {
			a.note("sconce: %v", err)
		}
	}
	if err := a.unlock(ctx, door); err != nil {
		end()
		return nil, nil, err
	}
	return door, end, nil
}

// unlock opens what is stored, if the passphrase was given in a file.
func (a *app) unlock(ctx context.Context, d bridge.Door) error {
	state, err := bridge.State.Call(ctx, d, bridge.None{})
	if err != nil || state.State != client.PhaseLocked || a.passphraseFile == "" {
		return err
	}
	pass, err := readPassphrase(a.passphraseFile)
	if err != nil {
		return err
	}
	_, err = bridge.Unlock.Call(ctx, d, bridge.UnlockParams{Passphrase: bridge.Secret(pass)})
	return err
}

// share lets other commands use the store while it is open.
func (a *app) share(ctx context.Context, h *bridge.Host, dir string) {
	events, cancel, _ := h.Subscribe(ctx) // a Host's gives no error
	defer func() { cancel() }()
	stop := func() {}
	defer func() { stop() }()
	open := false
	take := func(v client.DoorView) {
		if now := v.State == client.PhaseOpen; now != open {
			open = now
			stop()
			stop = func() {}
			if now {
				stop = a.admit(ctx, h, dir)
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			switch {
			case !ok && ctx.Err() == nil: // too slow: ask how it stands now
				if events, cancel, _ = h.Subscribe(ctx); events == nil {
					return
				}
				if v, err := bridge.State.Call(ctx, h, bridge.None{}); err == nil {
					take(v)
				} else {
					return // the door was closed
				}
			case !ok:
				return
			case e.State != nil:
				take(*e.State)
			}
		}
	}
}

// admit opens the socket for other commands, until stop is called.
func (a *app) admit(ctx context.Context, d bridge.Door, dir string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	listener, err := listen(ctx, dir)
	if err != nil {
		a.note("other commands can't use this store while this one runs: %v", err)
		return cancel
	}
	var accepting sync.WaitGroup
	accepting.Go(func() { accept(ctx, listener, d) })
	return func() { cancel(); accepting.Wait() }
}
