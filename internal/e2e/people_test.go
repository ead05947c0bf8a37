package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sconce/client"
	"sconce/client/native"
	"sconce/identity"
)

// Tests in Go have people in their own process: the same client core, over the
// same HTTP, without the cost of a process for each command.

// cheap opens a store fast. What a passphrase costs is not under test here.
var cheap = client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}}

// newcomer makes a person by a fresh invite.
func newcomer(t *testing.T, s *sconced, name string) *client.Client {
	t.Helper()
	out, err := exec.Command(filepath.Join(programs, "sconced"), "invite", "--data", s.data, name).Output()
	if err != nil {
		t.Fatalf("inviting %s: %v", name, err)
	}
	invite, err := identity.ParseInvite(inviteLink.FindString(string(out)))
	if err != nil {
		t.Fatalf("inviting %s: %v", name, err)
	}
	transport, err := native.Dial(invite.Server, native.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	vault, err := native.CreateDir(filepath.Join(t.TempDir(), name), []byte("passphrase"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := client.Join(ctx, client.Config{Vault: vault, Transport: transport}, invite, name, "test")
	if err != nil {
		t.Fatalf("%s joins: %v", name, err)
	}
	t.Cleanup(func() { c.Close() })
	syncNow(t, c)
	return c
}

// syncNow syncs until it works: the server may be on its way back.
func syncNow(t *testing.T, c *client.Client) {
	t.Helper()
	var last error
	synced := eventually(func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		last = c.Sync(ctx)
		return last == nil
	})
	if !synced {
		t.Fatalf("%s can't sync: %v", c.Me().Name, last)
	}
}

// directRoom gives the room of two people, with both in it.
func directRoom(t *testing.T, a, b *client.Client) string {
	t.Helper()
	room, err := a.DirectRoom(t.Context(), b.Me().User)
	if err != nil {
		t.Fatalf("opening the direct room: %v", err)
	}
	syncNow(t, b)
	return room.Room
}

// texts lists what a person has received in a room, the oldest first.
func texts(t *testing.T, c *client.Client, room string) []string {
	t.Helper()
	const perPage = 500
	var received []string
	for before := 0; ; {
		page, err := c.Messages(room, before, perPage)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slices.Backward(page) {
			if m.Kind == "text" && m.State == client.Received {
				received = append(received, m.Text)
			}
		}
		if len(page) < perPage {
			slices.Reverse(received)
			return received
		}
		before = page[0].Seq
	}
}

// started is a server that runs until the test ends.
func started(t *testing.T, flags ...string) *sconced {
	t.Helper()
	return startedOn(t, "", flags...)
}

// startedOn is started with a database.
func startedOn(t *testing.T, database string, flags ...string) *sconced {
	t.Helper()
	s, err := newServer(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	s.database = database
	if err := s.start(flags...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.kill() })
	return s
}

func numbered(n int) string { return fmt.Sprintf("message %03d", n) }
