package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sconce/client"
	"sconce/client/native"
	"sconce/identity"
)

// simulated is a person of the demo: a client like any other, with its store on
// this machine.
type simulated struct {
	character
	client    *client.Client
	transport *native.Transport
	troupe    *troupe
}

// troupe is all simulated people.
type troupe struct {
	people []*simulated
	log    *slog.Logger
}

// assemble lets everyone in: those who were here before from their stores, the
// others by invites of their own.
func assemble(ctx context.Context, s *server, dir string, log *slog.Logger) (*troupe, error) {
	t := &troupe{log: log}
	passphrase, err := keptSecret(filepath.Join(dir, "passphrase"), func() (string, error) { return rand.Text(), nil })
	if err != nil {
		return nil, err
	}
	for _, c := range characters {
		p := &simulated{character: c, troupe: t}
		if err := p.enter(ctx, s, dir, []byte(passphrase)); err != nil {
			return nil, errors.Join(fmt.Errorf("bringing in %s: %w", c.name, err), t.close())
		}
		t.people = append(t.people, p)
	}
	return t, nil
}

// keptSecret reads a file, or makes it first.
func keptSecret(path string, make func() (string, error)) (string, error) {
	b, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(b)), err
	}
	text, err := make()
	if err != nil {
		return "", err
	}
	// A crash leaves the whole of it or nothing.
	if err := os.WriteFile(path+".new", []byte(text+"\n"), 0o600); err != nil {
		return "", err
	}
	return text, os.Rename(path+".new", path)
}

// quick is enough for the passphrase of the demo's stores: nobody needs to guess
// what lies beside them.
var quick = client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}}

// enter opens this person's device, or joins. The invite is kept until that is
// done, because joining that was interrupted goes on with the same one.
func (p *simulated) enter(ctx context.Context, s *server, dir string, passphrase []byte) (err error) {
	store := filepath.Join(dir, strings.ToLower(p.name))
	letter := store + ".invite"
	there, err := native.HasVault(store)
	if err != nil {
		return err
	}
	open := native.CreateDir
	if there {
		open = native.OpenDir
	}
	vault, err := open(store, passphrase, quick)
	if err != nil {
		return err
	}
	if p.transport, err = native.Dial(s.url, native.DialOptions{}); err != nil {
		return errors.Join(err, vault.Close())
	}
	cfg := client.Config{Vault: vault, Transport: p.transport}
	if there {
		if p.client, err = client.Open(cfg); err == nil {
			return os.RemoveAll(letter)
		}
		if _, unused := os.Stat(letter); unused != nil {
			return errors.Join(err, vault.Close()) // nothing is left to join with
		}
	}
	if p.client, err = p.join(ctx, cfg, s, letter); err != nil {
		return errors.Join(err, vault.Close())
	}
	return os.RemoveAll(letter)
}

func (p *simulated) join(ctx context.Context, cfg client.Config, s *server, letter string) (*client.Client, error) {
	link, err := keptSecret(letter, func() (string, error) {
		invite, err := s.invite(ctx, p.name)
		return invite.Reveal(), err
	})
	if err != nil {
		return nil, err
	}
	invite, err := identity.ParseInvite(link)
	if err != nil {
		return nil, err
	}
	invite.Server = s.url // which may have changed since
	c, _, err := client.Join(ctx, cfg, invite, p.name, "demo")
	return c, err
}

// alone reports whether nobody but the simulated people has joined.
func (t *troupe) alone(ctx context.Context) (bool, error) {
	everyone, err := t.people[0].client.People(ctx, "")
	return len(everyone) <= len(t.people), err
}

// includes reports whether a user is simulated. They don't answer each other,
// or they would never stop.
func (t *troupe) includes(user string) bool {
	for _, p := range t.people {
		if p.client.Me().User == user {
			return true
		}
	}
	return false
}

// run lets everyone act until ctx ends or one of them can't go on.
func (t *troupe) run(ctx context.Context) error {
	acting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for _, p := range t.people {
		running.Go(func() { stop(p.client.Run(acting)) })
		running.Go(func() { stop(p.act(acting)) })
	}
	running.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(acting)
}

func (t *troupe) close() error {
	var errs []error
	for _, p := range t.people {
		errs = append(errs, p.client.Close())
		p.transport.Close()
	}
	return errors.Join(errs...)
}

// lookAround is how often a simulated person looks who is new.
const lookAround = 2 * time.Second

// act answers what was written, also before this start, and what is written
// from now on. What fails is tried again at the next look.
func (p *simulated) act(ctx context.Context) error {
	look := time.NewTicker(lookAround)
	defer look.Stop()
	for {
		events, cancel := p.client.Subscribe()
		err := p.attend(ctx, events, look.C)
		cancel()
		if err != nil {
			return err
		}
	}
}

// attend returns nil when events were lost.
func (p *simulated) attend(ctx context.Context, events <-chan client.Event, look <-chan time.Time) error {
	for {
		if err := p.answerAll(ctx); err != nil && ctx.Err() == nil {
			p.troupe.log.WarnContext(ctx, "a simulated person could not answer", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case _, ok := <-events:
			if !ok {
				return nil
			}
		case <-look:
			if !p.greets {
				continue
			}
			if err := p.greetNewcomers(ctx); err != nil && ctx.Err() == nil {
				p.troupe.log.WarnContext(ctx, "a simulated person could not greet", "err", err)
			}
		}
	}
}

// mostRead is how far back a simulated person reads.
const mostRead = 200

// isSaid reports whether a line of a timeline is somebody's words.
func isSaid(m client.MessageView) bool {
	return (m.Kind == "text" || m.Kind == "reply") && !m.Deleted
}

// greetNewcomers writes to everyone with whom there is no conversation yet.
func (p *simulated) greetNewcomers(ctx context.Context) error {
	rooms, err := p.client.Rooms()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range rooms {
		if r.Kind != "direct" {
			continue
		}
		said, err := p.client.Messages(r.Room, 0, mostRead)
		if err != nil {
			return err
		}
		// A room in which nobody wrote is a greeting that was interrupted.
		for _, m := range r.Members {
			known[m.User] = slices.ContainsFunc(said, isSaid)
		}
	}
	everyone, err := p.client.People(ctx, "")
	if err != nil {
		return err
	}
	for _, q := range everyone {
		if known[q.User] || p.troupe.includes(q.User) {
			continue
		}
		room, err := p.client.DirectRoom(ctx, q.User)
		if err != nil {
			return err
		}
		if _, err := p.client.Send(room.Room, client.Draft{Text: greetingFor(q.Name)}); err != nil {
			return err
		}
	}
	return nil
}

// answerAll answers in every room in which somebody wrote something new.
func (p *simulated) answerAll(ctx context.Context) error {
	rooms, err := p.client.Rooms()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if r.Unread == 0 || r.Left {
			continue
		}
		if err := p.answer(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// answer answers the newest thing that a person wrote, and counts all as read.
func (p *simulated) answer(ctx context.Context, r client.RoomView) error {
	said, err := p.client.Messages(r.Room, 0, mostRead)
	if err != nil {
		return err
	}
	unread, answers := r.Unread, 0
	var newest *client.MessageView
	for i := len(said) - 1; i >= 0; i-- {
		m := &said[i]
		switch {
		case !isSaid(*m):
		case m.Mine && !isGreeting(m.Text):
			answers++
		case !m.Mine:
			if newest == nil && unread > 0 && !p.troupe.includes(m.Sender) {
				newest = m
			}
			unread--
		}
	}
	if newest != nil {
		if err := p.reply(ctx, p.client, r, *newest, answers); err != nil {
			return err
		}
	}
	return p.client.View(r.Room, r.Last)
}
