package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// RoomSettings are a room's name and timers, in seconds; 0 is off.
type RoomSettings struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Expire      int    `json:"expire,omitempty"`
	Burn        int    `json:"burn,omitempty"`
}

func parseUsers(ids []string) ([]identity.UserID, error) {
	users := make([]identity.UserID, len(ids))
	for i, s := range ids {
		u, err := identity.ParseUserID(s)
		if err != nil {
			return nil, err
		}
		users[i] = u
	}
	return users, nil
}

// NewRoom makes a room with these people.
func (c *Client) NewRoom(ctx context.Context, name string, people []string) (RoomView, error) {
	users, err := parseUsers(people)
	if err != nil {
		return RoomView{}, err
	}
	s := content.RoomState{Name: name}.Next()
	raw, err := s.Encode()
	if err != nil {
		return RoomView{}, err
	}
	if err := c.takeTurn(ctx); err != nil {
		return RoomView{}, err
	}
	defer c.endTurn()
	r, err := c.makeRoom(ctx, room.Group, users, raw)
	if err != nil {
		return RoomView{}, err
	}
	if err := c.bringWanted(ctx, r); err != nil {
		return RoomView{}, err
	}
	return c.viewAfter(ctx, r)
}

// bringWanted brings in whom the room was made for. It is done again after a
// crash, until it succeeds or the server says that it never will.
func (c *Client) bringWanted(ctx context.Context, r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	wanted, in := r.Wanted, r.Member
	c.mu.Unlock()
	if len(wanted) == 0 || !in {
		return nil
	}
	err := c.addPeople(ctx, r, wanted)
	if err != nil && (unreachable(err) || errors.Is(err, errRoom) && apiCode(err) == "") {
		return err
	}
	if lockErr := c.lock(); lockErr != nil {
		return lockErr
	}
	defer c.mu.Unlock()
	r.Wanted = nil
	b := c.batch()
	c.saveRoom(b, r)
	return errors.Join(err, b.apply())
}

// viewAfter sends what waits and gives the room as it is then.
func (c *Client) viewAfter(ctx context.Context, r *roomState) (RoomView, error) {
	if err := c.sync(ctx); err != nil && !unreachable(err) {
		return RoomView{}, err
	}
	if err := c.lock(); err != nil {
		return RoomView{}, err
	}
	defer c.mu.Unlock()
	return c.roomView(r)
}

// makeRoom makes a room that holds this device alone. The group is saved
// before the server hears of it. The caller has the turn.
func (c *Client) makeRoom(ctx context.Context, kind room.Kind, wanted []identity.UserID, state []byte) (*roomState, error) {
	if err := c.fetchLogs(ctx, []identity.UserID{c.device.User}); err != nil {
		return nil, err
	}
	r, req, err := c.createGroup(kind, wanted, state)
	if err != nil {
		return nil, err
	}
	resp, err := authed(ctx, c, api.CreateRoom, req)
	if err != nil {
		if apiCode(err) != "" {
			c.forget(r)
		}
		return nil, fmt.Errorf("making the room: %w", err)
	}
	if !resp.Created && resp.Room != api.LogID(r.id) {
		c.forget(r)
		return c.existing(ctx, room.ID(resp.Room), kind, wanted)
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	r.Made = true
	b := c.batch()
	c.saveRoom(b, r)
	err = b.apply()
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return r, c.listRooms(ctx)
}

func (c *Client) createGroup(kind room.Kind, wanted []identity.UserID, state []byte) (*roomState, *api.CreateRoomRequest, error) {
	if err := c.lock(); err != nil {
		return nil, nil, err
	}
	defer c.mu.Unlock()
	signer, err := c.signer()
	if err != nil {
		return nil, nil, err
	}
	hash, err := stateHash(state)
	if err != nil {
		return nil, nil, err
	}
	r := &roomState{roomRecord: roomRecord{Kind: kind, State: state, Member: true, Checked: true, Wanted: wanted}}
	_, _ = rand.Read(r.id[:]) // never fails
	me := room.Participant{User: c.device.User, Role: room.Admin, Pin: c.knownLog(c.device.User).Pin()}
	ext := room.Extensions(c.device.Sender, room.Participants{Kind: kind, List: []room.Participant{me}}, hash)
	r.group, err = mls.Create(c.mlsConfig(), room.GroupID(r.id, 0), room.Suite, signer, mls.DefaultCapabilities(), ext)
	if err != nil {
		return nil, nil, fmt.Errorf("making the group: %w", err)
	}
	gi, err := r.group.GroupInfo(false)
	if err != nil {
		return nil, nil, err
	}
	if err := c.rememberParticipants(r); err != nil {
		return nil, nil, err
	}
	b := c.batch()
	c.saveGroup(b, r)
	c.saveRoom(b, r)
	if err := b.apply(); err != nil {
		return nil, nil, err
	}
	c.rooms[r.id] = r
	req := &api.CreateRoomRequest{Room: api.LogID(r.id), Kind: uint8(kind), GroupInfo: gi.Bytes(), Tree: r.group.Tree()}
	if kind == room.Direct {
		peer := api.UserID(wanted[0])
		req.Peer = &peer
	}
	return r, req, nil
}

func stateHash(state []byte) ([32]byte, error) {
	if state == nil {
		return [32]byte{}, nil // direct and self rooms begin without settings
	}
	s, err := content.DecodeRoomState(state)
	if err != nil {
		return [32]byte{}, err
	}
	return s.Hash()
}

// forget drops a room that the server does not have.
func (c *Client) forget(r *roomState) {
	if c.lock() != nil {
		return
	}
	defer c.mu.Unlock()
	delete(c.rooms, r.id)
	b := c.batch()
	if err := b.deletePrefix(r.keyOf(prefixGroup)); err == nil {
		b.delete(r.keyOf(prefixRoom))
		_ = b.apply() // a failure shows at the next use of the vault
	}
}

// existing goes into a room that somebody else, or another device of this
// person, was first to make. Which it is, only the server says, so it must be the
// room that was wanted: with the one person, or with nobody.
func (c *Client) existing(ctx context.Context, id room.ID, kind room.Kind, wanted []identity.UserID) (*roomState, error) {
	if err := c.sync(ctx); err != nil {
		return nil, err
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	r, ok := c.rooms[id]
	if !ok {
		// Its maker has not let this person in yet: what is written waits, and goes
		// out only if it is the room for which it was written. See settleKind.
		r = &roomState{id: id, roomRecord: roomRecord{Kind: kind, Made: true}}
	}
	people := r.participants()
	others := slices.DeleteFunc(usersOf(people), func(u identity.UserID) bool { return u == c.device.User })
	switch {
	case people.Kind != kind,
		len(others) > 0 && !slices.Equal(others, wanted),
		len(r.Wanted) > 0 && !slices.Equal(r.Wanted, wanted):
		return nil, fmt.Errorf("%w: the server gives another room in the place of this one", errRoom)
	case len(others) == 0:
		r.Wanted = wanted // nobody has brought them in yet, as far as is known here
	}
	c.rooms[id] = r
	b := c.batch()
	c.saveRoom(b, r)
	return r, b.apply()
}

// selfRoom makes the self-group where there is none. The caller has the turn.
func (c *Client) selfRoom(ctx context.Context) error {
	if err := c.lock(); err != nil {
		return err
	}
	known := c.device.Self != room.ID{}
	for _, r := range c.rooms {
		known = known || r.Kind == room.Self && r.Made // this device is on its way into it
	}
	c.mu.Unlock()
	if known {
		return nil
	}
	r, err := c.makeRoom(ctx, room.Self, nil, nil)
	if err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	b := c.batch()
	c.noteSelf(b, r)
	return b.apply()
}

// DirectRoom gives the one room that this person shares with another alone,
// and makes it if there is none.
func (c *Client) DirectRoom(ctx context.Context, user string) (RoomView, error) {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return RoomView{}, err
	}
	if u == c.device.User {
		return RoomView{}, errors.New("a direct room is with somebody else")
	}
	if err := c.takeTurn(ctx); err != nil {
		return RoomView{}, err
	}
	defer c.endTurn()
	r, err := c.findDirect(u)
	if err != nil {
		return RoomView{}, err
	}
	if r == nil {
		if r, err = c.makeRoom(ctx, room.Direct, []identity.UserID{u}, nil); err != nil {
			return RoomView{}, err
		}
	}
	if err := c.bringWanted(ctx, r); err != nil {
		return RoomView{}, err
	}
	return c.viewAfter(ctx, r)
}

func (c *Client) findDirect(u identity.UserID) (*roomState, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	for _, r := range c.rooms {
		if r.Kind != room.Direct || r.Left {
			continue
		}
		if _, ok := r.participants().Find(u); (ok || slices.Contains(r.Wanted, u)) && r.Made {
			return r, nil
		}
	}
	return nil, nil
}

// AddPeople brings people into a room, with all of their devices.
func (c *Client) AddPeople(ctx context.Context, id string, people []string) error {
	users, err := parseUsers(people)
	if err != nil {
		return err
	}
	return c.change(ctx, id, func(r *roomState) error { return c.addPeople(ctx, r, users) })
}

// change runs a change of a room with the turn taken, and syncs after.
func (c *Client) change(ctx context.Context, id string, fn func(*roomState) error) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	if err := c.lock(); err != nil {
		return err
	}
	r, err := c.findRoom(id)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err := c.sync(ctx); err != nil {
		return err
	}
	if err := fn(r); err != nil {
		return err
	}
	return c.sync(ctx)
}

// addBatch is how many people go into one commit: their Welcomes and key
// packages must fit a request.
const addBatch = 40

func (c *Client) addPeople(ctx context.Context, r *roomState, users []identity.UserID) error {
	if err := c.lock(); err != nil {
		return err
	}
	p := r.participants()
	users = slices.DeleteFunc(slices.Clone(users), func(u identity.UserID) bool { _, ok := p.Find(u); return ok })
	admin := p.May(c.device.User)
	c.mu.Unlock()
	if len(users) == 0 {
		return nil
	}
	if !admin {
		return errors.New("only an admin of the room brings people in")
	}
	for part := range slices.Chunk(users, addBatch) {
		if err := c.addSplit(ctx, r, part); err != nil {
			return err
		}
	}
	return nil
}

// addSplit adds people in one commit, or in several where one would be too
// large: they may have many devices, or a proxy may let less pass than the
// server.
func (c *Client) addSplit(ctx context.Context, r *roomState, users []identity.UserID) error {
	err := c.addPart(ctx, r, users)
	if half := len(users) / 2; half > 0 && apiCode(err) == api.TooLarge {
		if err := c.addSplit(ctx, r, users[:half]); err != nil {
			return err
		}
		return c.addSplit(ctx, r, users[half:])
	}
	return err
}

func (c *Client) addPart(ctx context.Context, r *roomState, users []identity.UserID) error {
	if err := c.learnNames(ctx, users); err != nil {
		return err
	}
	ids := make([]api.UserID, len(users))
	for i, u := range users {
		ids[i] = api.UserID(u)
	}
	claimed, err := authed(ctx, c, api.ClaimKeyPackages, &api.ClaimKeyPackagesRequest{Users: ids})
	if err != nil {
		return fmt.Errorf("adding: %w", err)
	}
	mine, err := c.claimOwn(ctx, r)
	if err != nil {
		return err
	}
	return c.bringIn(ctx, r, users, append(mine, claimed.KeyPackages...))
}

// bringIn adds the claimed devices of users, and of this person, to a room.
func (c *Client) bringIn(ctx context.Context, r *roomState, users []identity.UserID, claimed []api.ClaimedKeyPackage) error {
	if err := c.fetchLogs(ctx, append(slices.Clone(users), c.device.User)); err != nil { // after, so that they know every claimed device
		return err
	}
	var adds []*mls.KeyPackage
	for _, k := range claimed {
		kp, err := mls.ParseKeyPackage(k.KeyPackage)
		if err != nil {
			return fmt.Errorf("adding: the server gave a key package that can't be read: %w", err)
		}
		adds = append(adds, kp)
	}
	return c.commit(ctx, r, func(r *roomState, g *mls.Group) (*plan, error) { return c.planAdd(r, g, users, adds) })
}

// gather brings this person's other devices in again, once this one has come
// back into a room. If its store was put back to an old copy, it may have been
// leaving the room for all of them and not know it any more; and they wait for
// the end of that.
func (c *Client) gather(ctx context.Context, r *roomState) (moved bool, err error) {
	if err := c.lock(); err != nil {
		return false, err
	}
	idle := !r.Gather || r.Leaving
	c.mu.Unlock()
	if idle {
		return false, nil
	}
	mine, err := c.claimOwn(ctx, r)
	if err == nil && len(mine) > 0 {
		err = c.bringIn(ctx, r, nil, mine)
	}
	if err != nil {
		return false, err
	}
	if err := c.lock(); err != nil {
		return false, err
	}
	defer c.mu.Unlock()
	r.Gather = false
	b := c.batch()
	c.saveRoom(b, r)
	return true, b.apply()
}

// claimOwn claims key packages for the other devices of this person that are
// not in a room yet, so that they need not come in by themselves. Where there
// are none, they will.
func (c *Client) claimOwn(ctx context.Context, r *roomState) ([]api.ClaimedKeyPackage, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	var absent []api.DeviceID
	g, err := c.openGroup(r)
	if log := c.knownLog(c.device.User); g != nil && log != nil {
		in := devicesOf(g)
		for _, d := range log.Devices() {
			if !in[d.ID] {
				absent = append(absent, api.DeviceID(d.ID))
			}
		}
	}
	c.mu.Unlock()
	if err != nil || len(absent) == 0 {
		return nil, err
	}
	claimed, err := authed(ctx, c, api.ClaimKeyPackages,
		&api.ClaimKeyPackagesRequest{Users: []api.UserID{api.UserID(c.device.User)}, Devices: absent})
	if err != nil {
		if apiCode(err) == "" {
			return nil, fmt.Errorf("adding: %w", err)
		}
		return nil, nil
	}
	return claimed.KeyPackages, nil
}

func devicesOf(g *mls.Group) map[identity.DeviceID]bool {
	in := map[identity.DeviceID]bool{}
	for _, leaf := range g.Members() {
		if cred, err := room.CredentialOf(leaf); err == nil {
			in[cred.Device] = true
		}
	}
	return in
}

// planAdd plans to bring in those of users who are not there, and of the
// claimed devices those that belong to them or to this person.
func (c *Client) planAdd(r *roomState, g *mls.Group, users []identity.UserID, adds []*mls.KeyPackage) (*plan, error) {
	role := room.Member
	if r.Kind == room.Direct {
		role = room.Admin
	}
	p := &plan{}
	there := r.participants()
	for _, u := range users {
		if _, ok := there.Find(u); ok {
			continue
		}
		log := c.knownLog(u)
		if log == nil {
			return nil, fmt.Errorf("the server does not give the device log of %s", c.nameOf(u))
		}
		p.change.Set = append(p.change.Set, room.Participant{User: u, Role: role, Pin: log.Pin()})
	}
	if len(users) > 0 && len(p.change.Set) == 0 {
		return p, nil // all of them came in by another way
	}
	in, own := devicesOf(g), false
	for _, kp := range adds {
		cred, err := room.CredentialOf(kp.Leaf)
		if err != nil {
			return nil, err
		}
		_, was := there.Find(cred.User)
		mine := cred.User == c.device.User
		if !was || mine && !in[cred.Device] && c.knownLog(cred.User).Active(cred.Device) {
			p.adds = append(p.adds, kp)
			own = own || mine
		}
	}
	if me, ok := there.Find(c.device.User); own && ok {
		me.Pin = c.knownLog(c.device.User).Pin()
		p.change.Set = append(p.change.Set, me)
	}
	return p, nil
}

// RemovePerson takes a person and all their devices out of a room.
func (c *Client) RemovePerson(ctx context.Context, id, user string) error {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return err
	}
	if u == c.device.User {
		return errors.New("to go yourself, leave the room")
	}
	return c.change(ctx, id, func(r *roomState) error {
		return c.commit(ctx, r, func(r *roomState, g *mls.Group) (*plan, error) {
			there := r.participants()
			switch _, ok := there.Find(u); {
			case !ok:
				return nil, nil
			case r.Kind == room.Direct:
				return nil, errors.New("a direct room stays between the two")
			case !there.May(c.device.User):
				return nil, errors.New("only an admin of the room takes people out")
			}
			return &plan{change: room.Change{Remove: []identity.UserID{u}}, removes: leavesOf(g, u)}, nil
		})
	})
}

// SetAdmin makes a person an admin of a group room, or takes that from them. Where
// nobody is an admin, because the last one left, everyone may do what admins do;
// so the only one stays one until there is another.
func (c *Client) SetAdmin(ctx context.Context, id, user string, admin bool) error {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return err
	}
	role := room.Member
	if admin {
		role = room.Admin
	}
	return c.change(ctx, id, func(r *roomState) error {
		return c.commit(ctx, r, func(r *roomState, g *mls.Group) (*plan, error) {
			there := r.participants()
			q, ok := there.Find(u)
			switch {
			case r.Kind == room.Direct:
				return nil, errors.New("a direct room has no admins")
			case !there.May(c.device.User):
				return nil, errors.New("only an admin of the room says who is one")
			case !ok:
				return nil, errors.New("this person is not in the room")
			case !admin && q.Role == role && there.May(u):
				return nil, errors.New("nobody is an admin of this room, so everybody may do what admins do: make somebody one")
			case q.Role == role:
				return nil, nil
			case !admin && !slices.ContainsFunc(there.List, func(p room.Participant) bool { return p.User != u && p.Role == room.Admin }):
				return nil, errors.New("this is the room's only admin: make somebody else one first")
			}
			q.Role = role
			return &plan{change: room.Change{Set: []room.Participant{q}}}, nil
		})
	})
}

func leavesOf(g *mls.Group, u identity.UserID) (leaves []mls.LeafIndex) {
	for i, leaf := range g.Members() {
		if cred, err := room.CredentialOf(leaf); err == nil && cred.User == u {
			leaves = append(leaves, i)
		}
	}
	return leaves
}

// Leave takes this person out of a room. Their other devices are removed
// first; this one asks to be, and is out once any other member's device has
// committed that.
func (c *Client) Leave(ctx context.Context, id string) error {
	return c.change(ctx, id, func(r *roomState) error {
		if r.Kind != room.Group {
			return errors.New("a direct room can't be left")
		}
		if err := c.intendLeave(r); err != nil {
			return err
		}
		return c.goOut(ctx, r)
	})
}

// intendLeave saves that this device leaves: once begun it is brought to its
// end, since the person's other devices are out already.
func (c *Client) intendLeave(r *roomState) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if r.Left || !r.Member {
		return errors.New("this device is not in this room")
	}
	r.Leaving = true
	b := c.batch()
	c.saveRoom(b, r)
	return b.apply()
}

// goOut takes this person's other devices out, and asks for the same for this one.
func (c *Client) goOut(ctx context.Context, r *roomState) error {
	err := c.commit(ctx, r, func(r *roomState, g *mls.Group) (*plan, error) {
		if c.ownLeaving(g) {
			return nil, nil
		}
		leaves := slices.DeleteFunc(leavesOf(g, c.device.User), func(i mls.LeafIndex) bool { return i == g.Own() })
		return &plan{removes: leaves}, nil
	})
	if err != nil {
		return err
	}
	return c.proposeLeave(ctx, r)
}

func (c *Client) proposeLeave(ctx context.Context, r *roomState) error {
	for range maxAttempts {
		if err := c.lock(); err != nil {
			return err
		}
		g, err := c.openGroup(r)
		if err != nil || g == nil || c.ownLeaving(g) {
			c.mu.Unlock()
			return err
		}
		if g.MemberCount() == 1 {
			c.mu.Unlock()
			return c.shutOut(r) // nobody is left to commit it
		}
		raw, err := g.Propose(&mls.SelfRemove{}, nil)
		b := c.batch()
		c.saveGroup(b, r)
		err = errors.Join(err, b.apply())
		c.mu.Unlock()
		if err != nil {
			return err
		}
		req := &api.AppendRequest{Room: api.LogID(r.id), Generation: r.Generation, Keep: api.KeepMonth, Message: raw}
		_, _ = rand.Read(req.ID[:]) // never fails
		_, err = authed(ctx, c, api.Append, req)
		if apiCode(err) != api.Stale {
			return err
		}
		if err := c.readOn(ctx, r); err != nil {
			return err
		}
	}
	return errors.New("others keep changing this room at the same moment; try again")
}

// SetRoom changes a room's name and timers.
func (c *Client) SetRoom(ctx context.Context, id string, s RoomSettings) error {
	if s.Expire < 0 || s.Burn < 0 || s.Expire > content.MaxTimer || s.Burn > content.MaxTimer {
		return fmt.Errorf("a timer is from 1 second to %d days", content.MaxTimer/86400)
	}
	return c.change(ctx, id, func(r *roomState) error {
		return c.commit(ctx, r, func(r *roomState, g *mls.Group) (*plan, error) {
			if !r.participants().May(c.device.User) {
				return nil, errors.New("only an admin changes the room's settings")
			}
			if r.Kind == room.Group && !r.stateKnown() {
				return nil, errors.New("the room's settings are still on their way to this device; try again in a moment")
			}
			next := r.state().Next()
			next.Name, next.Description, next.Expire, next.Burn = s.Name, s.Description, uint32(s.Expire), uint32(s.Burn)
			raw, err := next.Encode()
			return &plan{state: raw}, err
		})
	})
}
