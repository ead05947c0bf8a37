package delivery_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/mls"
	"sconce/room"
	"sconce/server/delivery"
)

var network = identity.NewNetworkSecrets().Key().ID()

// world is a running duty and the people who use it.
type world struct {
	*delivery.Service
	db        *sqldb.DB
	now       atomic.Int64 // milliseconds
	sender    []byte
	senderKey mls.Secret
	stop      func()

	mu   sync.Mutex
	logs map[identity.UserID]*identity.Log
	view func(*identity.Log) *identity.Log // what the server is told instead
}

func (w *world) Log(_ context.Context, user identity.UserID) (*identity.Log, error) {
	w.mu.Lock()
	log, view := w.logs[user], w.view
	w.mu.Unlock()
	if view != nil {
		log = view(log)
	}
	return log, nil
}

func (w *world) IsInbox(_ context.Context, id api.LogID) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, log := range w.logs {
		if slices.ContainsFunc(log.Devices(), func(d identity.Device) bool { return api.Inbox(api.DeviceID(d.ID)) == id }) {
			return true, nil
		}
	}
	return false, nil
}

func start(t testing.TB, db *sqldb.DB) *world {
	t.Helper()
	key, public, err := room.Suite.GenerateSignatureKey()
	must(t, err)
	w := &world{db: db, sender: public, senderKey: key, logs: map[identity.UserID]*identity.Log{}}
	w.now.Store(1_800_000_000_000)
	w.run(t)
	return w
}

// run starts the duty, or starts it again on the same database.
func (w *world) run(t testing.TB) {
	t.Helper()
	s, err := delivery.New(t.Context(), delivery.Config{DB: w.db, Logger: slog.New(slog.DiscardHandler), Logs: w,
		Clock: func() time.Time { return time.UnixMilli(w.now.Load()) }, Sender: w.sender, SenderKey: w.senderKey})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	w.Service, w.stop = s, func() { cancel(); running.Wait() }
	t.Cleanup(w.stop)
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, start(t, db)) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, want api.Code) {
	t.Helper()
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != want {
		t.Errorf("got %v, want code %q", err, want)
	}
}

// person is somebody with devices.
type person struct {
	w   *world
	log *identity.Log
}

func (p *person) id() api.UserID { return api.UserID(p.log.User()) }

// device is one device, and the room it is in.
type device struct {
	*person
	t       testing.TB
	secrets *identity.DeviceSecrets
	room    api.LogID
	group   *mls.Group
	gen     uint32
	cursor  uint64
}

func newSecrets(t testing.TB) *identity.DeviceSecrets {
	t.Helper()
	private, public, err := room.Suite.GenerateSignatureKey()
	must(t, err)
	d, err := identity.NewDeviceSecrets("phone", map[uint16]identity.LeafPair{uint16(room.Suite): {Public: public, Secret: private}})
	must(t, err)
	return d
}

// person makes somebody with one device.
func (w *world) person(t testing.TB) *device {
	t.Helper()
	d := newSecrets(t)
	genesis, err := identity.NewGenesis(network, time.UnixMilli(w.now.Load()), identity.NewRecoveryKey(), d)
	must(t, err)
	log, err := identity.Open(network, [][]byte{genesis})
	must(t, err)
	w.set(log)
	return &device{person: &person{w, log}, t: t, secrets: d}
}

func (w *world) set(log *identity.Log) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[log.User()] = log
}

// extend replaces the log by one with an entry more: what was given out stays.
func (p *person) extend(t testing.TB, entry []byte) {
	t.Helper()
	var entries [][]byte
	for i := range p.log.Length() {
		entries = append(entries, p.log.Entry(i).Marshal())
	}
	log, err := identity.Open(network, append(entries, entry))
	must(t, err)
	p.log = log
	p.w.set(log)
}

// add makes another device of the same person.
func (d *device) add() *device {
	d.t.Helper()
	fresh := newSecrets(d.t)
	a, err := fresh.Join(network, d.log.User())
	must(d.t, err)
	entry, err := d.log.AddDevice(d.secrets, time.UnixMilli(d.w.now.Load()), a)
	must(d.t, err)
	d.extend(d.t, entry)
	return &device{person: d.person, t: d.t, secrets: fresh}
}

func (d *device) deviceID() api.DeviceID { return api.DeviceID(d.secrets.Keys().ID()) }

func (d *device) caller() duty.Caller { return duty.Caller{User: d.id(), Device: d.deviceID()} }

func (d *device) signer() mls.Signer {
	entry, ok := d.log.Device(d.secrets.Keys().ID())
	if !ok {
		d.t.Fatal("the device is not in its log")
	}
	leaf, _ := d.secrets.Leaf(uint16(room.Suite))
	return mls.Signer{Credential: room.Credential(d.log.Credential(entry)), Public: leaf.Public, Private: leaf.Secret}
}

func (d *device) time() time.Time { return time.UnixMilli(d.w.now.Load()) }

func (d *device) config() mls.Config {
	return mls.Config{StrictPending: true, Rules: room.Rules{Logs: func(u identity.UserID) *identity.Log {
		log, _ := d.w.Log(context.Background(), u)
		return log
	}}}
}

func id16() (id [16]byte) { rand.Read(id[:]); return id }

// first makes a group of one for a generation of a room.
func (d *device) first(id api.LogID, generation uint32, people room.Participants) (info, tree []byte) {
	d.t.Helper()
	return d.firstWith(id, generation, people, [32]byte{1})
}

// firstWith is first for a room whose state has this hash.
func (d *device) firstWith(id api.LogID, generation uint32, people room.Participants, state [32]byte) (info, tree []byte) {
	d.t.Helper()
	group, err := mls.Create(d.config(), room.GroupID(room.ID(id), generation), room.Suite, d.signer(), mls.DefaultCapabilities(),
		room.Extensions(d.w.sender, people, state))
	must(d.t, err)
	gi, err := group.GroupInfo(false)
	must(d.t, err)
	d.room, d.group, d.gen = id, group, generation
	return gi.Bytes(), group.Tree()
}

func (d *device) alone(kind room.Kind) room.Participants {
	return room.Participants{Kind: kind, List: []room.Participant{{User: d.log.User(), Role: room.Admin, Pin: d.log.Pin()}}}
}

func (d *device) createRequest(kind room.Kind, peer *device) *api.CreateRoomRequest {
	d.t.Helper()
	req := &api.CreateRoomRequest{Room: id16(), Kind: uint8(kind)}
	if peer != nil {
		u := peer.id()
		req.Peer = &u
	}
	req.GroupInfo, req.Tree = d.first(req.Room, 0, d.alone(kind))
	return req
}

func (d *device) create(kind room.Kind, peer *device) *api.CreateRoomResponse {
	d.t.Helper()
	resp, err := d.w.CreateRoom(d.t.Context(), d.caller(), d.createRequest(kind, peer))
	must(d.t, err)
	return resp
}

// invitation is a device waiting to be added.
type invitation struct {
	d       *device
	kp      *mls.KeyPackage
	secrets *mls.KeyPackageSecrets
}

func (d *device) invitation() invitation {
	d.t.Helper()
	now := uint64(d.time().Unix())
	kp, secrets, err := mls.NewKeyPackage(room.Suite, d.signer(), mls.KeyPackageOptions{
		Lifetime: mls.Lifetime{NotBefore: now - 3600, NotAfter: now + 3600}, Capabilities: mls.DefaultCapabilities()})
	must(d.t, err)
	return invitation{d, kp, secrets}
}

// stage makes a commit with the request that carries it.
func (d *device) stage(o mls.CommitOptions, added ...invitation) (*mls.StagedCommit, *api.AppendRequest) {
	d.t.Helper()
	staged, err := d.group.Commit(o, d.time())
	must(d.t, err)
	return staged, d.request(staged, added...)
}

func (d *device) request(staged *mls.StagedCommit, added ...invitation) *api.AppendRequest {
	d.t.Helper()
	gi, err := staged.GroupInfo()
	must(d.t, err)
	part := &api.CommitPart{GroupInfo: gi.Bytes()}
	for _, a := range added {
		ref, err := a.kp.Ref()
		must(d.t, err)
		part.Welcomes = append(part.Welcomes, api.WelcomePart{Device: a.d.deviceID(), Welcome: staged.WelcomeFor(ref)})
	}
	return &api.AppendRequest{Room: d.room, ID: id16(), Generation: d.gen, Keep: api.KeepMonth, Message: staged.Message(), Commit: part}
}

func (d *device) append(req *api.AppendRequest) (*api.AppendResponse, error) {
	return d.w.Append(d.t.Context(), d.caller(), req)
}

// commit makes a commit, has it accepted, and merges it.
func (d *device) commit(o mls.CommitOptions, added ...invitation) *api.AppendResponse {
	d.t.Helper()
	staged, req := d.stage(o, added...)
	resp, err := d.append(req)
	must(d.t, err)
	must(d.t, d.group.Merge(staged))
	return resp
}

// bring adds devices, and their people where these are new.
func (d *device) bring(others ...*device) (mls.CommitOptions, []invitation) {
	d.t.Helper()
	people, err := room.ParticipantsOf(d.group.Context())
	must(d.t, err)
	var change room.Change
	var o mls.CommitOptions
	var added []invitation
	for _, other := range others {
		a := other.invitation()
		added = append(added, a)
		o.Proposals = append(o.Proposals, &mls.Add{KeyPackage: a.kp})
		if q, ok := people.Find(other.log.User()); ok && q.Pin == other.log.Pin() || slices.ContainsFunc(change.Set, func(q room.Participant) bool { return q.User == other.log.User() }) {
			continue
		} else if ok {
			q.Pin = other.log.Pin()
			change.Set = append(change.Set, q)
			continue
		}
		change.Set = append(change.Set, room.Participant{User: other.log.User(), Role: room.Member, Pin: other.log.Pin()})
	}
	if len(change.Set) > 0 {
		o.Proposals = append(o.Proposals, change.Proposal())
	}
	return o, added
}

// letIn lets others in and has them join by their Welcomes.
func (d *device) letIn(others ...*device) {
	d.t.Helper()
	o, added := d.bring(others...)
	d.commit(o, added...)
	for _, a := range added {
		a.join()
	}
}

// join reads the newest Welcome of the inbox.
func (a invitation) join() {
	d := a.d
	d.t.Helper()
	entries := d.read(api.Inbox(d.deviceID()), 0)
	if len(entries) == 0 {
		d.t.Fatal("no Welcome")
	}
	var e api.WelcomeEntry
	must(d.t, api.Unmarshal(entries[len(entries)-1].Message, &e))
	tree, err := d.w.ReadTree(d.t.Context(), d.caller(), &api.ReadTreeRequest{Tree: e.Tree})
	must(d.t, err)
	m, err := mls.ParseMessage(e.Welcome)
	must(d.t, err)
	group, err := mls.Join(d.config(), m, a.kp, a.secrets, tree.Tree, d.time())
	must(d.t, err)
	d.room, d.group, d.gen, d.cursor = e.Room, group, e.Generation, e.Seq
	if r := d.rooms()[d.room]; r.From != e.Seq+1 || r.Before != e.Hash || !r.Member {
		d.t.Errorf("the Welcome tells of place %d, the room of a window %+v", e.Seq, r)
	}
}

func (d *device) read(log api.LogID, after uint64) []api.Entry {
	d.t.Helper()
	resp, err := d.w.Read(d.t.Context(), d.caller(), &api.ReadRequest{Log: log, After: after})
	must(d.t, err)
	return resp.Entries
}

// sync processes what is new in the room, and returns what was said.
func (d *device) sync() (said []string) {
	d.t.Helper()
	for _, e := range d.read(d.room, d.cursor) {
		d.cursor = e.Seq
		if e.Sender == d.deviceID() || d.group.Removed() {
			continue
		}
		m, err := mls.ParseMessage(e.Message)
		must(d.t, err)
		event, err := d.group.Process(m, time.UnixMilli(e.Time))
		if err != nil {
			d.t.Fatalf("entry %d: %v", e.Seq, err)
		}
		switch v := event.(type) {
		case *mls.ApplicationMessage:
			said = append(said, string(v.Data))
		case *mls.StagedCommit:
			must(d.t, d.group.Merge(v))
		}
	}
	return said
}

func (d *device) sayRequest(text string) *api.AppendRequest {
	d.t.Helper()
	message, err := d.group.Encrypt(nil, []byte(text))
	must(d.t, err)
	return &api.AppendRequest{Room: d.room, ID: id16(), Generation: d.gen, Keep: api.KeepDay, Message: message}
}

func (d *device) say(text string) {
	d.t.Helper()
	_, err := d.append(d.sayRequest(text))
	must(d.t, err)
}

// stageSelf makes an external commit, for a resync if the device is in.
func (d *device) stageSelf(id api.LogID) (*mls.StagedCommit, *api.AppendRequest, *api.ReadGroupInfoResponse) {
	d.t.Helper()
	info, err := d.w.ReadGroupInfo(d.t.Context(), d.caller(), &api.ReadGroupInfoRequest{Room: id})
	must(d.t, err)
	gi, err := mls.ParseGroupInfo(info.GroupInfo)
	must(d.t, err)
	people, err := room.ParticipantsOf(&gi.Context)
	must(d.t, err)
	o := mls.ExternalOptions{Capabilities: mls.DefaultCapabilities()}
	for _, p := range info.Pending {
		if m, err := mls.ParseMessage(p); err == nil {
			if s, _ := m.Sender(); s.Type == mls.SenderMember {
				o.Pending = append(o.Pending, p)
			}
		}
	}
	me, _ := people.Find(d.log.User())
	if me.Pin != d.log.Pin() {
		me.Pin = d.log.Pin()
		o.Proposals = append(o.Proposals, room.Change{Set: []room.Participant{me}}.Proposal())
	}
	public, err := mls.NewPublicGroup(d.config(), gi, info.Tree, d.time())
	must(d.t, err)
	for i, leaf := range public.Members() {
		if c, _ := room.CredentialOf(leaf); api.DeviceID(c.Device) == d.deviceID() {
			o.Resync = &i
		}
	}
	staged, err := mls.JoinExternal(d.config(), gi, info.Tree, d.signer(), o, d.time())
	must(d.t, err)
	d.room, d.gen = id, info.Generation
	return staged, d.request(staged), info
}

// letSelfIn joins by external commit.
func (d *device) letSelfIn(id api.LogID) *api.AppendResponse {
	d.t.Helper()
	staged, req, _ := d.stageSelf(id)
	resp, err := d.append(req)
	must(d.t, err)
	d.group, err = staged.Group()
	must(d.t, err)
	d.cursor = resp.Seq
	return resp
}

func (d *device) rooms() map[api.LogID]api.RoomStatus {
	d.t.Helper()
	resp, err := d.w.Rooms(d.t.Context(), d.caller(), &api.RoomsRequest{})
	must(d.t, err)
	all := map[api.LogID]api.RoomStatus{}
	for _, r := range resp.Rooms {
		all[r.Room] = r
	}
	return all
}
