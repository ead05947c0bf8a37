package testnet

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/client/clienttest"
)

// burned plays a message that burns, and gives what an attacker then reads who
// has the disks of sender and receiver, every byte that was ever written to
// their stores, the passphrase and every ciphertext that the wire carried: what
// stands in the stores, and what their old keys decrypt.
func burned(t *testing.T, keepErased bool) (stored, decrypted string) {
	run(t, 21, func(t *testing.T, n *Net) {
		alice, bob := n.Blank("alice", "alice/1"), n.Blank("bob", "bob/1")
		alice.KeepErased, bob.KeepErased = keepErased, keepErased
		n.Join(alice)
		n.Join(bob)
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		recorders := map[*Device]*clienttest.Recorder{alice: alice.Disk.Record(), bob: bob.Disk.Record()}
		before := map[*Device]*clienttest.Disk{alice: alice.Disk.Clone(), bob: bob.Disk.Clone()}
		var recorded []api.Entry
		n.Wire.tamper = record(n, room, &recorded)
		m, err := alice.Client.Send(room, client.Draft{Text: "canary that burns", Burn: 600})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := alice.Client.Edit(room, m.ID, "canary that burns, edited"); err != nil { // what it said before burns with it
			t.Fatal(err)
		}
		if err := bob.Client.SetDraft(room, "an answer", m.ID); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		alice.say(room, "canary that stays")
		n.MustQuiet()
		if got := texts(t, bob, room); len(got) != 2 {
			t.Fatalf("bob shows %q", got)
		}
		if err := bob.Client.View(room, digestOf(t, bob, room).Place); err != nil {
			t.Fatal(err)
		}
		n.Advance(time.Hour)
		n.MustQuiet()
		for d, recorder := range recorders {
			_ = texts(t, d, room) // looking at the room takes away what ran out
			_ = d.Client.Close()
			plain, err := attack(d.Disk, recorder)
			if err != nil {
				t.Fatal(err)
			}
			stored += plain
			decrypted += replayed(t, n, d, before[d], room, recorded)
			d.Open()
		}
	})
	return stored, decrypted
}

// replayed opens a device's disk as its thief does: the store as it was before
// the message, as far as the keyring still opens it. A helpful server gives it
// all ciphertext again, and it tells what it shows.
func replayed(t *testing.T, n *Net, d *Device, before *clienttest.Disk, room string, recorded []api.Entry) string {
	t.Helper()
	stolen := d.Disk.Clone()
	stolen.SetStore(before)
	vault, _, err := client.RecoverVault(stolen.Store(), stolen.Keyring(), Passphrase, client.VaultOptions{KeepErased: true})
	if err != nil {
		t.Fatalf("recovering the stolen disk: %v", err)
	}
	thief := n.device(d.Person, d.Name+" stolen")
	c, err := client.Open(thief.config(vault))
	if err != nil {
		return ""
	}
	defer c.Close()
	n.Wire.tamper = replay(room, recorded, func(api.Entry) bool { return true })
	_ = c.Sync(t.Context()) // what it can do it does
	n.Wire.tamper = nil
	list, _ := c.Messages(room, 0, 0)
	var shown strings.Builder
	for _, m := range list {
		shown.WriteString(m.Text + "\n")
	}
	return shown.String()
}

func TestBurnedIsGoneForWhoHasEverything(t *testing.T) {
	stored, decrypted := burned(t, false)
	if strings.Contains(stored, "canary that burns") || strings.Contains(decrypted, "canary that burns") {
		t.Error("the attacker reads what burned")
	}
	if !strings.Contains(stored, "canary that stays") {
		t.Error("the attack does not even find what did not burn")
	}
}

// The control: where nothing is erased, both ways lead to the message.
func TestAttackFindsWhatWasNotErased(t *testing.T) {
	stored, decrypted := burned(t, true)
	if !strings.Contains(stored, "canary that burns") {
		t.Error("the control found nothing in the stores, so the attack proves nothing")
	}
	if !strings.Contains(decrypted, "canary that burns") {
		t.Error("the control decrypted nothing, so the attack on the keys proves nothing")
	}
}

// logged is a log kept in memory.
type logged struct {
	mu sync.Mutex
	strings.Builder
}

// Write implements io.Writer.
func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(b)
}

func TestServerHoldsNoContent(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 22)
	synctest.Test(t, func(t *testing.T) {
		log := new(logged)
		n := NewLogged(t, 22, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		alice, bob := n.Person("alice"), n.Person("bob")
		n.mustLink(alice, "alice/2")
		n.MustQuiet()
		bob.Link.Offline = true // so that entries stay on the server
		v, err := alice.Client.NewRoom(t.Context(), "canaryroom", []string{bob.Client.Me().User})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.Client.SetRoom(t.Context(), v.Room, client.RoomSettings{Name: "canaryroom", Description: "canarytopic", Expire: 7654321}); err != nil {
			t.Fatal(err)
		}
		alice.say(v.Room, "canaryword")
		if _, err := alice.Client.Send(v.Room, client.Draft{Text: "another canaryword", Expire: 5432, Burn: 4321}); err != nil {
			t.Fatal(err)
		}
		alice.MustSync()
		var held strings.Builder
		err = filepath.WalkDir(n.home(), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			held.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(held.String(), "alice") {
			t.Fatal("the control found nothing: the directory's names must be there")
		}
		for _, canary := range []string{"canary", "7654321", "5432", "4321"} {
			if strings.Contains(held.String(), canary) {
				t.Errorf("the server's files hold %q", canary)
			}
			if strings.Contains(log.String(), canary) {
				t.Errorf("the logs hold %q", canary)
			}
		}
		for _, timer := range []uint32{7654321, 5432, 4321} { // as CBOR writes it
			b := must(api.Marshal(timer))
			if len(b) == 5 && strings.Contains(held.String(), string(b)) {
				t.Errorf("the server's files hold the timer %d in CBOR", timer)
			}
		}
		bob.Link.Offline = false
		n.MustQuiet()
		if got := texts(t, bob, v.Room); len(got) != 2 {
			t.Errorf("bob shows %q, want both messages", got)
		}
	})
}
