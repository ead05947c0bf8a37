//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"sconce/api"
	"sconce/client"
	"sconce/client/native"
	"sconce/server"
)

// direct is a [client.Transport] into a server in the same process.
type direct struct{ handler http.Handler }

var _ client.Transport = direct{}

func (d direct) Call(ctx context.Context, name string, token, body []byte) ([]byte, error) {
	endpoint := api.Endpoint[api.Empty, api.Empty]{Name: name}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1"+endpoint.Path(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.RemoteAddr = "127.0.0.1:1"
	if token != nil {
		req.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString(token))
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(a, req)
	if a.status == http.StatusOK {
		return a.body, nil
	}
	refused := new(api.Error)
	if err := api.Unmarshal(a.body, refused); err != nil {
		return nil, err
	}
	return nil, refused
}

// Stream is not what is measured here.
func (direct) Stream(context.Context, []byte, func(), func(*api.Push)) error {
	return errors.New("no streams within a process")
}

// answer is an [http.ResponseWriter] that keeps what is written.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }
func (a *answer) Write(b []byte) (int, error) {
	a.body = append(a.body, b...)
	return len(b), nil
}

// catchUp has two people write n messages in a room with a third, whose client
// is off, and then measures how that one catches up: it decrypts, checks, and
// stores all of them on the disk. Server and client share the core; the server's part is small.
func catchUp(ctx context.Context, scratch string, n int) (*sample, error) {
	dir, err := os.MkdirTemp(scratch, "catchup")
	if err != nil {
		return nil, err
	}
	s, err := server.New(ctx, server.Config{Data: filepath.Join(dir, "server"), Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	// Run does what goes on in the background; nobody comes by its socket.
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(run) }()
	out, err := catchUpWith(ctx, s, dir, n)
	stop()
	return out, errors.Join(err, <-ended, s.Close())
}

func catchUpWith(ctx context.Context, s *server.Server, dir string, n int) (*sample, error) {
	var writers []*client.Client
	for i := range 2 {
		c, err := newClient(ctx, s, filepath.Join(dir, fmt.Sprintf("writer%d", i)), fmt.Sprintf("writer %d", i))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		writers = append(writers, c)
	}
	store := filepath.Join(dir, "reader")
	reader, err := newClient(ctx, s, store, "reader")
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	room, err := writers[0].NewRoom(ctx, "bench", []string{writers[1].Me().User, reader.Me().User})
	if err != nil {
		return nil, err
	}
	for _, c := range []*client.Client{reader, writers[1]} {
		if err := c.Sync(ctx); err != nil {
			return nil, err
		}
	}
	reader, empty, err := reopen(s, reader, store)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	if err := say(ctx, writers, room.Room, n); err != nil {
		return nil, err
	}
	tidy()
	out := &sample{}
	before, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	if err := reader.Sync(ctx); err != nil {
		return nil, err
	}
	after, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	if out.lost, out.duplicated, err = missing(reader, room.Room, n); err != nil {
		return nil, err
	}
	out.ambient = ambient(before, after)
	if err := reader.Close(); err != nil {
		return nil, err
	}
	full, err := folderSize(store)
	if err != nil {
		return nil, err
	}
	of := thousands(int64(n))
	out.add("catch-up of "+of, "messages/s", float64(n)/after.at.Sub(before.at).Seconds())
	out.add("catch-up of "+of+", CPU", "µs each", (after.driver-before.driver).Seconds()/float64(n)*1e6)
	out.add("store of "+of, "MB", float64(full-empty)/1e6)
	out.sync, err = syncTime(dir)
	return out, err
}

// reopen closes a client and opens it again, and gives the size of its folder
// between the two, when nothing is under way.
func reopen(s *server.Server, c *client.Client, dir string) (*client.Client, int64, error) {
	if err := c.Close(); err != nil {
		return nil, 0, err
	}
	size, err := folderSize(dir)
	if err != nil {
		return nil, 0, err
	}
	vault, err := native.OpenDir(dir, passphrase, client.VaultOptions{})
	if err != nil {
		return nil, 0, err
	}
	c, err = client.Open(client.Config{Vault: vault, Transport: direct{s.Handler()}})
	if err != nil {
		return nil, 0, errors.Join(err, vault.Close())
	}
	return c, size, nil
}

var passphrase = []byte("passphrase of a measurement")

func newClient(ctx context.Context, s *server.Server, dir, name string) (*client.Client, error) {
	invite, err := s.Invite(ctx, name)
	if err != nil {
		return nil, err
	}
	vault, err := native.CreateDir(dir, passphrase, client.VaultOptions{})
	if err != nil {
		return nil, err
	}
	c, _, err := client.Join(ctx, client.Config{Vault: vault, Transport: direct{s.Handler()}}, invite, name, "bench")
	if err != nil {
		return nil, errors.Join(err, vault.Close())
	}
	return c, c.Sync(ctx)
}

// sayAtOnce is how many messages wait in a writer's outbox together.
const sayAtOnce = 500

// say has the writers send n messages, by turns: one device alone may not send
// as many within a minute.
func say(ctx context.Context, writers []*client.Client, room string, n int) error {
	for i := range n {
		c := writers[i/sayAtOnce%len(writers)]
		text := fmt.Sprintf("message %d, as long as what people write to each other on a working day", i)
		if _, err := c.Send(room, client.Draft{Text: text}); err != nil {
			return err
		}
		if i%sayAtOnce == sayAtOnce-1 || i == n-1 {
			if err := c.Sync(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing counts what of n messages a client does not show, and what it shows
// twice.
func missing(c *client.Client, room string, n int) (lost, twice int, err error) {
	const page = 500
	seen := map[string]int{}
	for before := 0; ; {
		views, err := c.Messages(room, before, page)
		if err != nil || len(views) == 0 {
			return n - len(seen), twice, err
		}
		for _, v := range views {
			if v.Kind != "text" {
				continue
			}
			if seen[v.Text]++; seen[v.Text] > 1 {
				twice++
			}
		}
		before = views[0].Seq
	}
}

func folderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
