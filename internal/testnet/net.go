package testnet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"sconce/client"
	"sconce/client/clienttest"
	"sconce/identity"
)

// Net is a network in one process: one server, and the devices on its wire. It
// lives in a synctest bubble, and one goroutine uses it.
type Net struct {
	Clock   *Clock
	Wire    *Wire
	Devices []*Device
	Verbose func(...any) // when set, is told of every step and call

	t        testing.TB
	dir      string
	life     int       // of the server: each has its folder, so that the killed one can write on unseen
	postgres *Postgres // what it uses in the place of a file there; nil: a file
	server   *Server
	log      *slog.Logger
}

// Passphrase opens every device's store.
var Passphrase = []byte("correct horse")

// cheap is what a guess at the passphrase costs here, where nobody guesses.
var cheap = client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}

// New starts an empty network whose faults follow from seed. It ends with the test.
func New(t testing.TB, seed uint64) *Net { return start(t, seed, nil, nil, discard) }

var discard = slog.New(slog.DiscardHandler)

// NewLogged is [New] with the log of server and clients.
func NewLogged(t testing.TB, seed uint64, log *slog.Logger) *Net {
	return start(t, seed, nil, nil, log)
}

// NewOn is [New] with a server that uses a PostgreSQL.
func NewOn(t testing.TB, seed uint64, on *Postgres) *Net { return start(t, seed, on, nil, discard) }

func start(t testing.TB, seed uint64, on *Postgres, from *Snapshot, log *slog.Logger) *Net {
	t.Helper()
	n := &Net{Clock: NewClock(), t: t, dir: t.TempDir(), postgres: on, log: log}
	n.Wire = &Wire{net: n, random: rand.New(rand.NewPCG(seed, 1)), trace: sha256.New()}
	if from != nil {
		from.restore(t, n)
	}
	n.boot()
	t.Cleanup(func() {
		for _, d := range n.Devices {
			_ = d.Client.Close() // a device that crashed has nothing to say
		}
		if err := n.server.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	for _, d := range n.Devices {
		d.Open()
	}
	return n
}

func (n *Net) home() string { return filepath.Join(n.dir, fmt.Sprint(n.life)) }

func (n *Net) boot() {
	n.t.Helper()
	if err := mkdir(n.home()); err != nil {
		n.t.Fatal(err)
	}
	s, err := StartServer(n.home(), n.postgres, n.Clock.Now, n.log)
	if err != nil {
		n.t.Fatalf("starting the server: %v", err)
	}
	n.server = s
	synctest.Wait()
}

// Server is the server that runs at the moment.
func (n *Net) Server() *Server { return n.server }

// Restart stops the server in order and starts it again.
func (n *Net) Restart() {
	n.t.Helper()
	if err := n.server.Close(); err != nil {
		n.t.Fatalf("stopping the server: %v", err)
	}
	n.boot()
}

// Kill ends the server at this moment: what was not committed is gone.
func (n *Net) Kill() {
	n.t.Helper()
	n.life++
	if err := n.server.Snapshot(n.home()); err != nil {
		n.t.Fatal(err)
	}
	n.replace()
}

// replace ends the server, which has nothing more to write where the next one
// reads, and starts the one of the present life.
func (n *Net) replace() {
	n.t.Helper()
	end := n.server.Close // it writes to a folder that nobody looks into again
	if n.postgres != nil {
		end = n.server.cut
	}
	if err := end(); err != nil {
		n.t.Fatalf("ending the server: %v", err)
	}
	n.boot()
}

// Settle gives the server's own tickers a moment.
func (n *Net) Settle() {
	time.Sleep(250 * time.Millisecond) // the bubble's time, which costs nothing
	synctest.Wait()
}

// Advance lets time pass, and the server take away what is due.
func (n *Net) Advance(d time.Duration) {
	n.t.Helper()
	n.Clock.Advance(d)
	if err := n.server.Sweep(context.Background()); err != nil {
		n.t.Fatalf("sweeping: %v", err)
	}
	n.Settle()
}

// Device is one device: a disk, and the client that runs on it.
type Device struct {
	Name   string
	Person string
	Client *client.Client
	Disk   *clienttest.Disk
	Link   *Link

	// KeepErased opens the vault so that nothing is erased: the control
	// experiment of attacks.
	KeepErased bool
	// Clock, when set, is this device's in the place of the network's.
	Clock func() time.Time
	// OnStore, when set, stands before the disk's store.
	OnStore func(client.Store) client.Store

	net     *Net
	user    identity.UserID
	id      identity.DeviceID
	Removed bool // out of its person's devices
}

func (n *Net) device(person, name string) *Device {
	d := &Device{Name: name, Person: person, Disk: clienttest.NewDisk(), net: n}
	d.Link = &Link{wire: n.Wire, name: name, device: d}
	return d
}

func (d *Device) config(v *client.Vault) client.Config {
	clock := d.net.Clock.Now
	if d.Clock != nil {
		clock = d.Clock
	}
	return client.Config{Vault: v, Transport: d.Link, Clock: clock, Log: d.net.log.With("device", d.Name)}
}

func (d *Device) store() client.Store {
	if d.OnStore != nil {
		return d.OnStore(d.Disk.Store())
	}
	return d.Disk.Store()
}

func (d *Device) options() client.VaultOptions {
	return client.VaultOptions{Cost: cheap, KeepErased: d.KeepErased}
}

func (d *Device) create() (client.Config, error) {
	v, err := client.CreateVault(d.store(), d.Disk.Keyring(), Passphrase, d.options())
	return d.config(v), err
}

func (d *Device) entered(c *client.Client) error {
	d.Client = c
	me := c.Me()
	var err, idErr error
	d.user, err = identity.ParseUserID(me.User)
	d.id, idErr = identity.ParseDeviceID(me.Device)
	return errors.Join(err, idErr)
}

// Person invites somebody and gives their first device.
func (n *Net) Person(name string) *Device { return n.Join(n.device(name, name+"/1")) }

// Blank is a device with an empty disk, for [Net.Join] and [Net.Link].
func (n *Net) Blank(person, name string) *Device { return n.device(person, name) }

// Join makes d the first device of its person.
func (n *Net) Join(d *Device) *Device {
	n.t.Helper()
	invite, err := n.server.Invite(context.Background(), d.Person)
	if err != nil {
		n.t.Fatal(err)
	}
	cfg, err := d.create()
	if err != nil {
		n.t.Fatal(err)
	}
	c, _, err := client.Join(context.Background(), cfg, invite, d.Person, d.Name)
	if err == nil {
		err = d.entered(c)
	}
	if err != nil {
		n.t.Fatalf("%s joins: %v", d.Name, err)
	}
	n.Devices = append(n.Devices, d)
	return d
}

// Link makes d a further device of by's person.
func (n *Net) Link(by, d *Device) error {
	cfg, err := d.create()
	if err != nil {
		return err
	}
	address, err := identity.ParseAddress(by.Client.Me().Address)
	if err != nil {
		return err
	}
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	c, err := client.Link(ctx, cfg, address, d.Name, func(code identity.LinkCode) {
		if _, err := by.Client.Approve(ctx, code.String()); err != nil {
			giveUp()
		}
	})
	if err != nil {
		return err
	}
	if err := d.entered(c); err != nil {
		return err
	}
	n.Devices = append(n.Devices, d)
	return nil
}

// Open starts the client on what is on the disk.
func (d *Device) Open() {
	d.net.t.Helper()
	v, err := client.OpenVault(d.store(), d.Disk.Keyring(), Passphrase, d.options())
	if err != nil {
		d.net.t.Fatalf("opening the vault of %s: %v", d.Name, err)
	}
	c, err := client.Open(d.config(v))
	if err == nil {
		err = d.entered(c)
	}
	if err != nil {
		d.net.t.Fatalf("opening %s: %v", d.Name, err)
	}
}

// Reopen ends the client, brings the power back and starts it again.
func (d *Device) Reopen() {
	d.net.t.Helper()
	_ = d.Client.Close() // after a loss of power it can't close in order
	d.Disk.Restart()
	d.Open()
}

// PutBack opens the device on another copy of its store, which is the device's
// from now on.
func (d *Device) PutBack(disk *clienttest.Disk) {
	d.net.t.Helper()
	_ = d.Client.Close()
	d.Disk = disk
	d.Open()
}

// Sync is one sync of the client.
func (d *Device) Sync() error { return d.Client.Sync(context.Background()) }

// MustSync syncs, where nothing may go wrong.
func (d *Device) MustSync() {
	d.net.t.Helper()
	if err := d.Sync(); err != nil {
		d.net.t.Fatalf("%s syncs: %v", d.Name, err)
	}
	d.net.Settle()
}

// Quiet lets everyone sync until nobody learns anything new.
func (n *Net) Quiet() error {
	for range 30 {
		before := n.state()
		for _, d := range n.Devices {
			if d.Removed || d.Link.Offline {
				continue
			}
			if err := d.Sync(); err != nil {
				return fmt.Errorf("%s syncs: %w", d.Name, err)
			}
			n.Settle()
		}
		n.Advance(20 * time.Second) // answers to newcomers come one after another
		if n.state() == before {
			return nil
		}
	}
	return errors.New("the network does not come to rest")
}

// MustQuiet is [Net.Quiet] where nothing may go wrong.
func (n *Net) MustQuiet() {
	n.t.Helper()
	if err := n.Quiet(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *Net) state() string {
	var s string
	for _, d := range n.Devices {
		digest, err := d.Client.Digest()
		s += fmt.Sprint(d.Name, digest, err)
	}
	return s
}

// Trace is the hash of all that went over the wire.
func (n *Net) Trace() string { return fmt.Sprintf("%x", n.Wire.trace.Sum(nil)) }
