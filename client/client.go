package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// Config is what a client is made of. The client owns the vault and closes it.
type Config struct {
	Vault     *Vault
	Transport Transport
	Clock     func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: nothing is logged

	// Full says that the vault takes nothing, as [ErrFull] told. Until Run begins
	// nothing is written then: what runs out is shown no more, and removed later.
	Full bool
}

func (c *Config) fill() {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Client is one device of one person. Make it with [Join], [Link], [Recover]
// or [Open].
type Client struct {
	transport Transport
	clock     func() time.Time
	log       *slog.Logger
	turn      chan struct{} // holds a token while nobody has the network's turn
	wake      chan struct{} // tells Run that there is work
	timed     chan struct{} // tells Run that something with a timer changed
	rules     mls.Rules     // the room's, which ask knownLog
	events    events

	mu     sync.Mutex // guards all below; never held over a call out
	vault  *Vault
	device deviceRecord
	self   *identity.DeviceSecrets
	token  []byte
	latest int64     // the latest time known; never goes back
	looked time.Time // when the clock was looked at last
	ahead  int64     // how far now is ahead of the server's clock, in milliseconds
	wrong  int64     // how far this device's clock itself is, if by more than wrongClock
	logs   map[identity.UserID]*identity.Log
	people map[identity.UserID]*personRecord
	rooms  map[room.ID]*roomState

	settings settingsRecord
	searches []*search // under way, the latest last

	lastSeen  map[identity.DeviceID]int64 // this person's devices
	signalled uint64                      // signals made since the client opened
	inbox     uint64                      // the inbox was read up to here since the client opened
	full      bool                        // nothing can be written: see Config.Full
	concealed int64                       // while full: what ran out until then was told to be gone
	broken    error                       // the vault failed: nothing more is done
	failed    chan struct{}               // closed when it is set

	online, wasOnline bool
	reach             Reach
	connection        ConnectionView // as screens were told last
	removed           bool           // the server says that this device is not its person's any more
}

// ErrRemoved means that this device was taken out of its person's devices.
var ErrRemoved = errors.New("this device was removed by another device of yours; join again with \"link\" or \"recover\" in a new store")

// ErrUnfinished means that joining, linking or recovering was begun in this
// store and not finished.
var ErrUnfinished = errors.New("joining was begun in this store and not finished: give the same join, link or recover again")

// ErrNoDevice means that no device was begun in this store.
var ErrNoDevice = errors.New("there is no device in this store yet: begin with join, link or recover")

// Begun reports whether a device was begun in a vault that no client owns: what
// is in it then is worth keeping.
func Begun(v *Vault) (bool, error) {
	raw, err := v.Get([]byte{prefixDevice})
	return raw != nil, err
}

// Open opens the client of a vault in which a device was made before.
func Open(cfg Config) (*Client, error) {
	cfg.fill()
	c := newClient(cfg)
	raw, err := c.vault.Get([]byte{prefixDevice})
	if err != nil {
		return nil, fmt.Errorf("reading device: %w", err)
	}
	if raw == nil {
		return nil, ErrNoDevice
	}
	if err := decodeRecord(raw, &c.device); err != nil {
		return nil, fmt.Errorf("reading device: %w", err)
	}
	if c.device.Pending != nil {
		return nil, ErrUnfinished
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func newClient(cfg Config) *Client {
	c := &Client{
		transport: cfg.Transport, clock: cfg.Clock, log: cfg.Log, vault: cfg.Vault, full: cfg.Full,
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), timed: make(chan struct{}, 1), failed: make(chan struct{}),
		logs: map[identity.UserID]*identity.Log{}, people: map[identity.UserID]*personRecord{},
		rooms: map[room.ID]*roomState{}, lastSeen: map[identity.DeviceID]int64{},
	}
	c.rules = room.Rules{Logs: c.knownLog}
	c.turn <- struct{}{}
	return c
}

// load reads what is kept in memory: people, rooms, outboxes. Groups and logs
// are opened when they are needed.
func (c *Client) load() (err error) {
	if c.self, err = identity.ParseDeviceSecrets(c.device.Secrets); err != nil {
		return fmt.Errorf("reading device: %w", err)
	}
	raw, err := c.vault.Get([]byte{prefixTime})
	if err != nil {
		return err
	}
	if len(raw) == 8 {
		c.latest = int64(binary.BigEndian.Uint64(raw))
	}
	if err := c.scan([]byte{prefixPerson}, func(k, v []byte) error {
		p := new(personRecord)
		c.people[identity.UserID(k)] = p
		return decodeRecord(v, p)
	}); err != nil {
		return fmt.Errorf("reading people: %w", err)
	}
	if err := c.scan([]byte{prefixRoom}, func(k, v []byte) error {
		r := &roomState{id: room.ID(k)}
		c.rooms[r.id] = r
		return decodeRecord(v, &r.roomRecord)
	}); err != nil {
		return fmt.Errorf("reading rooms: %w", err)
	}
	if err := c.loadOutboxes(); err != nil {
		return err
	}
	if err := errors.Join(c.loadDrafts(), c.loadSeen()); err != nil {
		return err
	}
	if raw, err := c.vault.Get([]byte{prefixChoices}); err != nil {
		return err
	} else if raw != nil {
		if err := decodeRecord(raw, &c.settings); err != nil {
			return fmt.Errorf("reading settings: %w", err)
		}
	}
	b := c.batch()
	if err := c.forgetNonces(b); err != nil {
		return err
	}
	for _, r := range c.rooms {
		r.firstGone = true
		if r.owed() != r.Told {
			r.reportDue = c.now() // whether it is to be told is looked at then
		}
		if !r.Counted {
			if err := c.countAnew(r); err != nil {
				return fmt.Errorf("reading a timeline: %w", err)
			}
			c.saveRoom(b, r)
		}
	}
	if c.full {
		return nil
	}
	c.expire(b)
	return b.apply()
}

// scan calls fn with every record below a prefix; keys come without it. The
// slices are fn's to keep.
func (c *Client) scan(prefix []byte, fn func(k, v []byte) error) error {
	return c.vault.Scan(prefix, after(prefix), func(k, v []byte) error {
		return fn(slices.Clone(k[len(prefix):]), slices.Clone(v))
	})
}

// Close ends the client and closes its vault.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events.close()
	if errors.Is(c.broken, errClosed) {
		return nil
	}
	_ = c.fail(errClosed)
	c.broken = errClosed // whatever it was before
	return c.vault.Close()
}

var errClosed = errors.New("the client is closed")

// lock takes the state, unless it can't be used any more.
func (c *Client) lock() error {
	c.mu.Lock()
	if c.broken != nil {
		defer c.mu.Unlock()
		return c.broken
	}
	return nil
}

// takeTurn waits for the network's turn: one flow talks to the server at a
// time, so that flows of several calls never interleave.
func (c *Client) takeTurn(ctx context.Context) error {
	select {
	case <-c.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) endTurn() { c.turn <- struct{}{} }

// kick tells Run that there is something to do.
func (c *Client) kick() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// lookAgain tells the timekeeper that what it waits for changed.
func (c *Client) lookAgain() {
	select {
	case c.timed <- struct{}{}:
	default:
	}
}

// fail keeps why nothing more is done, and gives it back. The first one stays.
func (c *Client) fail(err error) error {
	if c.broken == nil {
		c.broken = err
		close(c.failed)
	}
	return c.broken
}

// Failed is closed when the client can do nothing more, for the reason that [Client.Err] gives.
func (c *Client) Failed() <-chan struct{} { return c.failed }

// Err gives why the client can do nothing more, or nil. What its store failed to
// take is not there, and what it took is: another client of the same vault, opened
// anew, goes on.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// batch gathers changes for one Apply, and events for when it is done.
type batch struct {
	c       *Client
	puts    []Put
	events  []Event
	rooms   []*roomState // changed: their views are made when the changes are saved
	dirty   []*roomState // to be saved with the changes
	reached bool         // an outbox changed, or how far the logs are taken in
	timely  bool         // something with a timer: the time must be saved with it
}

func (c *Client) batch() *batch { return &batch{c: c} }

func (b *batch) put(k, v []byte) { b.puts = append(b.puts, Put{Key: k, Value: v}) }
func (b *batch) putErasable(k, v []byte) {
	b.puts = append(b.puts, Put{Key: k, Value: v, Erasable: true})
}
func (b *batch) delete(k []byte) { b.puts = append(b.puts, Put{Key: k}) }
func (b *batch) event(e Event)   { b.events = append(b.events, e) }
func (b *batch) deletePrefix(p []byte) error {
	return b.c.vault.Scan(p, after(p), func(k, _ []byte) error {
		b.delete(slices.Clone(k))
		return nil
	})
}

// apply makes the changes durable, and only then lets the events out. After an
// error what is in memory may be ahead of the disk, so the client stops.
func (b *batch) apply() error {
	if b.timely {
		b.put([]byte{prefixTime}, u64(uint64(b.c.now())))
	}
	for _, r := range b.dirty {
		if b.c.rooms[r.id] == r {
			b.c.saveRoom(b, r)
		}
	}
	if len(b.puts) > 0 {
		if err := b.c.vault.Apply(b.puts); err != nil {
			return b.c.fail(fmt.Errorf("saving: %w", err))
		}
	}
	if b.timely {
		b.c.lookAgain()
	}
	for _, r := range b.rooms {
		if v, err := b.c.roomView(r); err == nil {
			b.event(Event{Room: &v})
		}
	}
	if b.reached {
		b.c.tellConnection(b)
	}
	b.c.events.send(b.events)
	b.puts, b.events, b.rooms, b.dirty = nil, nil, nil, nil
	return nil
}

// Me tells who this is.
func (c *Client) Me() Me {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.me()
}

func (c *Client) me() Me {
	d := &c.device
	me := Me{User: d.User.String(), Name: d.Name, Device: c.deviceID().String(), DeviceName: c.self.Keys().Name(),
		Network: d.Network.String(), Server: d.Server, Removed: c.removed}
	me.Address = identity.Address{Server: d.Server, Network: d.Network, User: d.User}.String()
	return me
}

func (c *Client) deviceID() identity.DeviceID { return c.self.Keys().ID() }

// credential is how this device's leaves name it.
func (c *Client) credential() identity.Credential {
	return identity.Credential{User: c.device.User, Device: c.deviceID(), Entry: c.device.Entry}
}

// signer is this device as a leaf signs.
func (c *Client) signer() (mls.Signer, error) {
	k, ok := c.self.Leaf(uint16(room.Suite))
	if !ok {
		return mls.Signer{}, fmt.Errorf("this device has no key for suite %v", room.Suite)
	}
	return mls.Signer{Credential: room.Credential(c.credential()), Public: k.Public, Private: mls.Secret(k.Secret)}, nil
}

// mlsConfig is what mls is told for every group.
func (c *Client) mlsConfig() mls.Config {
	return mls.Config{
		Rules:         c.rules,
		Padding:       content.PaddedSize,
		StrictPending: true,
	}
}

// userURI and roomURI are MIMI's names of people and rooms: in place of a
// domain, which may change, stands the network's id.
func (c *Client) userURI(u identity.UserID) string {
	return "mimi://" + c.device.Network.String() + "/u/" + u.String()
}

func (c *Client) roomURI(id room.ID) string {
	return fmt.Sprintf("mimi://%s/r/%x", c.device.Network, id[:])
}

func apiCode(err error) api.Code {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Code
	}
	return ""
}
