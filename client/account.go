package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// Join makes a new person with this as their first device. It gives the
// recovery key, which is shown once and kept nowhere. Where joining was
// interrupted, the same call with the same invite finishes it.
func Join(ctx context.Context, cfg Config, invite identity.Invite, name, deviceName string) (*Client, *identity.RecoveryKey, error) {
	cfg.fill()
	c := newClient(cfg)
	recovery, err := c.prepareJoin(ctx, invite, name, deviceName)
	if err != nil {
		return nil, nil, err
	}
	p := c.device.Pending
	resp, err := call(ctx, c.transport, api.Join, nil, &api.JoinRequest{Invite: p.Invite, Name: name, Genesis: p.Genesis})
	if err != nil {
		return nil, nil, fmt.Errorf("joining: %w", err)
	}
	log, err := identity.Open(c.device.Network, [][]byte{p.Genesis})
	if err != nil {
		return nil, nil, fmt.Errorf("joining: %w", err)
	}
	if resp.User != log.User() {
		return nil, nil, errors.New("joining: the server answered for somebody else")
	}
	c.device.Name = resp.Name
	if err := c.admitted(log); err != nil {
		return nil, nil, err
	}
	return c, recovery, nil
}

// prepareJoin makes the device and saves it before anything leaves, or picks
// up what an interrupted join saved.
func (c *Client) prepareJoin(ctx context.Context, invite identity.Invite, name, deviceName string) (*identity.RecoveryKey, error) {
	raw, err := c.vault.Get([]byte{prefixDevice})
	if err != nil {
		return nil, err
	}
	if raw != nil {
		if err := decodeRecord(raw, &c.device); err != nil {
			return nil, err
		}
		p := c.device.Pending
		if p == nil {
			return nil, ErrTaken
		}
		if p.Genesis == nil {
			return nil, errors.New("in this store \"link\" or \"recover\" was begun: finish that, or give another with --store")
		}
		if c.self, err = identity.ParseDeviceSecrets(c.device.Secrets); err != nil {
			return nil, err
		}
		if c.device.Network != invite.Network {
			return nil, errors.New("in this store joining another network was begun: finish that, or give another store with --store")
		}
		p.Invite = []byte(invite.Token.Reveal())
		return identity.ParseRecoveryKey(p.Recovery)
	}
	if err := c.meet(ctx, invite.Server, invite.Network); err != nil {
		return nil, err
	}
	if err := c.makeSecrets(deviceName); err != nil {
		return nil, err
	}
	recovery := identity.NewRecoveryKey()
	genesis, err := identity.NewGenesis(c.device.Network, c.clock(), recovery, c.self)
	if err != nil {
		return nil, fmt.Errorf("making identity: %w", err)
	}
	c.device.Name = name
	c.device.Pending = &pendingJoin{Invite: []byte(invite.Token.Reveal()), Genesis: genesis, Recovery: recovery.Reveal()}
	b := c.batch()
	b.putErasable([]byte{prefixDevice}, encodeRecord(&c.device))
	return recovery, b.apply()
}

// meet asks a server who it is, and holds the answer against the network's id.
func (c *Client) meet(ctx context.Context, server string, network identity.NetworkID) error {
	c.mu.Lock()
	asked := c.now()
	c.mu.Unlock()
	hello, err := call(ctx, c.transport, api.Hello, nil, &api.Empty{})
	if err != nil {
		return fmt.Errorf("reaching the server: %w", err)
	}
	c.mu.Lock()
	c.learnTime(asked, hello.Time)
	c.mu.Unlock()
	if hello.Version != api.Version {
		return fmt.Errorf("the server speaks version %d of the protocol, this program version %d: update the older one", hello.Version, api.Version)
	}
	k, err := identity.ParseNetworkKey(hello.NetworkKey)
	if err != nil {
		return fmt.Errorf("the server's network key: %w", err)
	}
	if k.ID() != network {
		return errors.New("this server is not the network that the link names; do not go on, ask whoever sent you the link")
	}
	if err := k.Verify(SenderLabel, hello.Sender, hello.SenderProof); err != nil {
		return fmt.Errorf("the server's key for proposals: %w", err)
	}
	c.device.Server, c.device.Network, c.device.NetworkKey, c.device.Sender = server, network, hello.NetworkKey, hello.Sender
	return nil
}

// SenderLabel is what the network's key signs the server's key for proposals
// under.
const SenderLabel = room.SenderLabel

func (c *Client) makeSecrets(deviceName string) error {
	private, public, err := room.Suite.GenerateSignatureKey()
	if err != nil {
		return err
	}
	c.self, err = identity.NewDeviceSecrets(deviceName, map[uint16]identity.LeafPair{
		uint16(room.Suite): {Public: public, Secret: private},
	})
	if err != nil {
		return fmt.Errorf("making device: %w", err)
	}
	c.device.Secrets = c.self.Marshal()
	return nil
}

// admitted saves that the device is in its person's log now.
func (c *Client) admitted(log *identity.Log) error {
	d, ok := log.Device(c.deviceID())
	if !ok {
		return errors.New("the device log does not hold this device")
	}
	c.device.User, c.device.Entry, c.device.Pending = log.User(), d.Entry, nil
	b := c.batch()
	b.put([]byte{prefixDevice}, encodeRecord(&c.device))
	c.saveLog(b, log)
	return b.apply()
}

// linkPoll is how often a new device looks whether it was approved.
const linkPoll = time.Second

// Link makes this a further device of a person. address comes from one of
// their devices; show is given the code to type or scan there. Link returns
// when that device has approved, or ctx ends. Where it was interrupted, the same
// call in the same store goes on with the same keys.
func Link(ctx context.Context, cfg Config, address identity.Address, deviceName string, show func(identity.LinkCode)) (*Client, error) {
	cfg.fill()
	c := newClient(cfg)
	resumed, err := c.beginDevice(ctx, address.Server, address.Network, deviceName)
	if err != nil {
		return nil, err
	}
	if resumed {
		if done, err := c.approvedBefore(ctx, address); done || err != nil {
			return c, err
		}
	}
	admission, err := c.self.Join(address.Network, address.User)
	if err != nil {
		return nil, err
	}
	code := identity.NewLinkCode(c.self.Keys())
	offer := &api.OfferLinkRequest{Rendezvous: code.Rendezvous, User: address.User, Admission: admission.Marshal()}
	if _, err := call(ctx, c.transport, api.OfferLink, nil, offer); err != nil {
		return nil, fmt.Errorf("offering this device: %w", err)
	}
	show(code)
	for {
		resp, err := call(ctx, c.transport, api.ReadLink, nil, &api.ReadLinkRequest{Rendezvous: code.Rendezvous})
		if err != nil && apiCode(err) != "" {
			return nil, fmt.Errorf("waiting for approval: %w", err)
		}
		if err == nil && len(resp.Entries) > 0 {
			return c, c.linked(address, resp)
		}
		if err := Pause(ctx, linkPoll); err != nil {
			return nil, fmt.Errorf("nobody approved this device: %w", err)
		}
	}
}

// ErrTaken means that the store belongs to a device already.
var ErrTaken = errors.New("this store belongs to a device already; give another with --store")

// beginDevice makes the keys of a further device and saves them before anything
// leaves, or picks up those that an interrupted link or recovery saved.
func (c *Client) beginDevice(ctx context.Context, server string, network identity.NetworkID, deviceName string) (resumed bool, err error) {
	raw, err := c.vault.Get([]byte{prefixDevice})
	if err != nil {
		return false, err
	}
	if raw != nil {
		if err := decodeRecord(raw, &c.device); err != nil {
			return false, err
		}
		if p := c.device.Pending; p == nil || p.Genesis != nil || c.device.Network != network {
			return false, ErrTaken
		}
		c.self, err = identity.ParseDeviceSecrets(c.device.Secrets)
		return true, errors.Join(err, c.meet(ctx, server, network))
	}
	if err := c.meet(ctx, server, network); err != nil {
		return false, err
	}
	if err := c.makeSecrets(deviceName); err != nil {
		return false, err
	}
	c.device.Pending = &pendingJoin{}
	b := c.batch()
	b.putErasable([]byte{prefixDevice}, encodeRecord(&c.device))
	return false, b.apply()
}

// approvedBefore finishes a link that was approved and then interrupted: the
// device can log in already.
func (c *Client) approvedBefore(ctx context.Context, address identity.Address) (bool, error) {
	c.device.User = address.User
	if _, err := c.login(ctx, false); err != nil {
		c.removed = false // it was never in
		if errors.Is(err, ErrRemoved) || apiCode(err) != "" {
			return false, nil
		}
		return false, err
	}
	if err := c.fetchLogs(ctx, []identity.UserID{address.User}); err != nil {
		return false, err
	}
	resp, err := authed(ctx, c, api.People, &api.PeopleRequest{Users: []api.UserID{api.UserID(address.User)}})
	if err != nil {
		return false, err
	}
	for _, p := range resp.People {
		c.device.Name = p.Name
	}
	log := c.knownLog(address.User)
	if log == nil {
		return false, errors.New("the server does not give your device log")
	}
	return true, c.admitted(log)
}

func (c *Client) linked(address identity.Address, resp *api.ReadLinkResponse) error {
	log, err := identity.Open(address.Network, resp.Entries)
	if err != nil {
		return fmt.Errorf("your device log: %w", err)
	}
	if log.User() != address.User {
		return errors.New("the server gave somebody else's device log")
	}
	c.device.Name = resp.Name
	return c.admitted(log)
}

// Recover makes this the one device of a person who has lost theirs, by the
// recovery key. Every device that was there before is shut out; rooms and
// memberships stay. Where it was interrupted, the same call in the same store
// finishes it.
func Recover(ctx context.Context, cfg Config, server string, network identity.NetworkID, recovery *identity.RecoveryKey, deviceName string) (*Client, error) {
	cfg.fill()
	c := newClient(cfg)
	if _, err := c.beginDevice(ctx, server, network, deviceName); err != nil {
		return nil, err
	}
	found, err := call(ctx, c.transport, api.RecoveryLog, nil, &api.RecoveryLogRequest{Key: recovery.ID()})
	if err != nil {
		return nil, fmt.Errorf("finding whom this recovery key belongs to: %w", err)
	}
	log, err := identity.Open(network, found.Entries)
	if err != nil {
		return nil, fmt.Errorf("your device log: %w", err)
	}
	c.device.Name = found.Name
	if log.Active(c.deviceID()) {
		return c, c.admitted(log) // the answer to the recovery was lost
	}
	admission, err := c.self.Join(network, log.User())
	if err != nil {
		return nil, err
	}
	entry, err := log.Recover(recovery, c.clock(), identity.Recovery{Add: &admission})
	if err != nil {
		return nil, fmt.Errorf("recovering: %w", err)
	}
	if _, err := call(ctx, c.transport, api.AppendLog, nil, &api.AppendLogRequest{User: log.User(), Entry: entry}); err != nil {
		return nil, fmt.Errorf("recovering: %w", err)
	}
	if err := log.Append(entry); err != nil {
		return nil, fmt.Errorf("recovering: %w", err)
	}
	return c, c.admitted(log)
}

// authed makes a call as this device, and logs in first where it must.
func authed[Req, Resp any](ctx context.Context, c *Client, e api.Endpoint[Req, Resp], req *Req) (*Resp, error) {
	resp := new(Resp)
	if err := c.carry(ctx, e.Name, req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *Client) carry(ctx context.Context, name string, req, resp any) error {
	for attempt := 0; ; attempt++ {
		token, err := c.login(ctx, attempt > 0)
		if err != nil {
			return err
		}
		err = carry(ctx, c.transport, name, token, req, resp)
		if apiCode(err) != api.Unauthenticated || attempt > 0 {
			return err
		}
	}
}

// login gives a token, from the server if there is none or renew is set.
func (c *Client) login(ctx context.Context, renew bool) ([]byte, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	token, self, user, network := c.token, c.self, c.device.User, c.device.Network
	c.mu.Unlock()
	if token != nil && !renew {
		return token, nil
	}
	id := self.Keys().ID()
	ch, err := call(ctx, c.transport, api.Challenge, nil, &api.ChallengeRequest{User: user, Device: id})
	if err != nil {
		return nil, c.loginRefused(err)
	}
	sig, err := identity.SignLogin(self, network, ch.Challenge)
	if err != nil {
		return nil, err
	}
	resp, err := call(ctx, c.transport, api.Login, nil,
		&api.LoginRequest{User: user, Device: id, Challenge: ch.Challenge, Signature: sig})
	if err != nil {
		return nil, c.loginRefused(err)
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	c.token = resp.Token
	return resp.Token, nil
}

// loginRefused notes when the server says that this device is no longer one of
// its person's. It is not written down: a server that lies gains no more than
// one that is silent.
func (c *Client) loginRefused(err error) error {
	if apiCode(err) != api.Forbidden {
		return fmt.Errorf("logging in: %w", err)
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.removed = true
	return ErrRemoved
}

// Rename changes the name under which the directory lists this person.
func (c *Client) Rename(ctx context.Context, name string) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	if _, err := authed(ctx, c, api.Rename, &api.RenameRequest{Name: name}); err != nil {
		return fmt.Errorf("changing your name: %w", err)
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.device.Name = name
	b := c.batch()
	b.put([]byte{prefixDevice}, encodeRecord(&c.device))
	me := c.me()
	b.event(Event{Me: &me})
	return b.apply()
}

// Devices lists this person's devices.
func (c *Client) Devices() ([]DeviceView, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	log := c.knownLog(c.device.User)
	if log == nil {
		return nil, errors.New("this device's own log is missing from its store")
	}
	var views []DeviceView
	for _, d := range log.Devices() {
		views = append(views, c.deviceView(log, d))
	}
	return views, nil
}

func (c *Client) deviceView(log *identity.Log, d identity.Device) DeviceView {
	v := DeviceView{Device: d.ID.String(), Name: d.Keys.Name(), This: d.ID == c.deviceID(), Fingerprint: fingerprint(d.ID)}
	if log.User() == c.device.User {
		v.LastSeen = int(c.lastSeen[d.ID])
	}
	for i := range log.Length() {
		if e := log.Entry(i); e.Hash() == d.Entry {
			v.Added = int(e.Time().UnixMilli())
		}
	}
	return v
}

// fingerprint is a device's id, which is the hash of its keys, as far as people
// compare it: 160 bits.
func fingerprint(id identity.DeviceID) string {
	text := id.String()[:32]
	var groups []string
	for i := 0; i < len(text); i += 4 {
		groups = append(groups, text[i:i+4])
	}
	return strings.Join(groups, " ")
}

// seenEvery is how precisely it is kept when a device was heard of, in
// milliseconds.
const seenEvery = 3600_000

// sawDevice notes that one of this person's devices was heard of.
func (c *Client) sawDevice(b *batch, id identity.DeviceID, at int64) {
	at -= at % seenEvery
	if at <= c.lastSeen[id] {
		return
	}
	c.lastSeen[id] = at
	b.put(key(prefixSeen, id[:]), u64(uint64(at)))
}

func (c *Client) loadSeen() error {
	return c.scan([]byte{prefixSeen}, func(k, v []byte) error {
		if len(k) == len(identity.DeviceID{}) && len(v) == 8 {
			c.lastSeen[identity.DeviceID(k)] = int64(binary.BigEndian.Uint64(v))
		}
		return nil
	})
}

// DevicesOf lists the devices of a person of the network.
func (c *Client) DevicesOf(ctx context.Context, user string) ([]DeviceView, error) {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return nil, err
	}
	if err := c.refreshLog(ctx, u); err != nil {
		return nil, err
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	log := c.knownLog(u)
	var views []DeviceView
	for _, d := range log.Devices() {
		views = append(views, c.deviceView(log, d))
	}
	return views, nil
}

// Approve lets a new device in by the code that it shows, and only the device
// that shows it: the code carries a hash of its keys.
func (c *Client) Approve(ctx context.Context, code string) (DeviceView, error) {
	link, err := identity.ParseLinkCode(code)
	if err != nil {
		return DeviceView{}, err
	}
	if err := c.takeTurn(ctx); err != nil {
		return DeviceView{}, err
	}
	defer c.endTurn()
	offer, err := authed(ctx, c, api.ReadLink, &api.ReadLinkRequest{Rendezvous: link.Rendezvous})
	if err != nil {
		return DeviceView{}, fmt.Errorf("finding the new device: %w", err)
	}
	admission, err := identity.ParseAdmission(offer.Admission)
	if err != nil {
		return DeviceView{}, fmt.Errorf("the new device's keys: %w", err)
	}
	if !link.Matches(admission.Keys) {
		return DeviceView{}, errors.New("the keys that the server gave are not those of the device that shows this code: nothing was approved. Begin again; if it happens again, somebody is interfering")
	}
	err = c.growLog(ctx, func(log *identity.Log) ([]byte, error) {
		return log.AddDevice(c.self, c.clock(), admission)
	})
	if err != nil {
		return DeviceView{}, fmt.Errorf("approving: %w", err)
	}
	c.kick()
	return DeviceView{Device: admission.Keys.ID().String(), Name: admission.Keys.Name(), Fingerprint: fingerprint(admission.Keys.ID()), Added: int(c.clock().UnixMilli())}, nil
}

// growLog adds an entry to this person's own log. make is called with the log
// as the server has it, and again when somebody was first. The caller has the
// network's turn.
func (c *Client) growLog(ctx context.Context, make func(*identity.Log) ([]byte, error)) error {
	me := c.device.User
	for range 5 {
		if err := c.fetchLogs(ctx, []identity.UserID{me}); err != nil {
			return err
		}
		if err := c.lock(); err != nil {
			return err
		}
		entry, err := make(c.knownLog(me))
		c.mu.Unlock()
		if err != nil {
			return err
		}
		_, err = authed(ctx, c, api.AppendLog, &api.AppendLogRequest{User: me, Entry: entry})
		switch apiCode(err) {
		case api.Conflict, api.Stale:
			continue
		}
		if err != nil {
			return err
		}
		return c.fetchLogs(ctx, []identity.UserID{me})
	}
	return errors.New("other devices of yours keep changing the list of devices; try again")
}

// RemoveDevice takes one of this person's devices out: of the list, and so of
// every room.
func (c *Client) RemoveDevice(ctx context.Context, device string) error {
	id, err := identity.ParseDeviceID(device)
	if err != nil {
		return err
	}
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	err = c.growLog(ctx, func(log *identity.Log) ([]byte, error) {
		if !log.Active(id) {
			return nil, errors.New("you have no such device")
		}
		return log.RemoveDevice(c.self, c.clock(), id)
	})
	c.endTurn()
	if err != nil {
		return fmt.Errorf("removing the device: %w", err)
	}
	return c.Sync(ctx) // housekeeping takes the device out of every room
}

// refillKeys fills up the stock of key packages on the server, and learns on the
// way by which clock they are judged there. The caller has the turn.
func (c *Client) refillKeys(ctx context.Context) error {
	if err := c.lock(); err != nil {
		return err
	}
	asked := c.now()
	c.mu.Unlock()
	status, err := authed(ctx, c, api.CheckKeyPackages, &api.Empty{})
	if err != nil {
		return fmt.Errorf("checking key packages: %w", err)
	}
	if err := c.lock(); err != nil {
		return err
	}
	c.learnTime(asked, status.Time)
	c.mu.Unlock()
	if status.Left >= api.KeyPackageLow && !status.LastResortUsed {
		return nil
	}
	req := &api.PublishKeyPackagesRequest{}
	if err := c.lock(); err != nil {
		return err
	}
	b := c.batch()
	err = c.makeKeys(b, req, api.KeyPackageGoal-status.Left, status.LastResortUsed)
	if err == nil {
		err = b.apply() // the private halves first
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := authed(ctx, c, api.PublishKeyPackages, req); err != nil {
		return fmt.Errorf("publishing key packages: %w", err)
	}
	return nil
}

func (c *Client) makeKeys(b *batch, req *api.PublishKeyPackagesRequest, n int, lastResort bool) error {
	now := c.now() - c.ahead // the server judges their lifetimes, and nobody gains by it
	if err := c.dropOldKeys(b, now); err != nil {
		return err
	}
	for range max(n, 0) {
		kp, err := c.makeKey(b, now, false)
		if err != nil {
			return err
		}
		req.KeyPackages = append(req.KeyPackages, kp)
	}
	if lastResort {
		kp, err := c.makeKey(b, now, true)
		req.LastResort = kp
		return err
	}
	return nil
}

func (c *Client) makeKey(b *batch, now int64, lastResort bool) ([]byte, error) {
	signer, err := c.signer()
	if err != nil {
		return nil, err
	}
	life := mls.Lifetime{NotBefore: uint64(now/1000 - 3600), NotAfter: uint64(now/1000) + uint64(room.KeyPackageLifetime/time.Second) - 3601}
	kp, secrets, err := mls.NewKeyPackage(room.Suite, signer, mls.KeyPackageOptions{
		Lifetime: life, Capabilities: mls.DefaultCapabilities(), LastResort: lastResort,
	})
	if err != nil {
		return nil, fmt.Errorf("making key package: %w", err)
	}
	ref, err := kp.Ref()
	if err != nil {
		return nil, err
	}
	raw := kp.Bytes()
	b.putErasable(key(prefixKey, ref), encodeRecord(&keyRecord{KeyPackage: raw, Secrets: secrets.Bytes(), LastResort: lastResort, Expires: int64(life.NotAfter) * 1000}))
	return raw, nil
}

// keyGrace is how long after its end a key package's private half is kept, for
// a Welcome that was made in time and read late.
const keyGrace = int64(30 * 24 * time.Hour / time.Millisecond)

func (c *Client) dropOldKeys(b *batch, now int64) error {
	return c.scan([]byte{prefixKey}, func(ref, v []byte) error {
		var k keyRecord
		if err := decodeRecord(v, &k); err != nil {
			return err
		}
		if now > k.Expires+keyGrace {
			b.delete(key(prefixKey, ref))
		}
		return nil
	})
}
