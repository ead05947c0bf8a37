package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// roomState is one room in memory, guarded by Client.mu.
type roomState struct {
	id room.ID
	roomRecord
	group  *mls.Group    // opened when needed; nil: not opened, or none
	staged *stagedRecord // own commit in flight; nil: not read, or none
	outbox []*outboxEntry
	draft  *draftRecord // nil: none

	// caughtUp says that the log was read to its end since the client opened.
	// Before that nothing is sent: a store that was rolled back must notice first.
	caughtUp bool
	status   *api.RoomStatus // what the server said last
	last     uint64          // the log's end as far as we know
	won      api.AppendID    // the own commit that was merged last

	receipts   map[identity.UserID]receiptRecord // nil: not read
	reportDue  int64                             // when to tell others what came and was read; 0: no need
	reportedAt int64

	signals signals

	firstGone bool // FirstUnread is where to look from, and not it
}

type outboxEntry struct {
	number uint64
	outboxRecord
	report bool  // it tells what came and was read
	shows  bool  // it is a message that screens show, and no reaction or report
	ends   int64 // when its timers run out, though it was never sent; 0: never
	sent   bool  // accepted by the server, not met in the log yet
}

func (r *roomState) keyOf(prefix byte, parts ...[]byte) []byte {
	return key(prefix, append([][]byte{r.id[:]}, parts...)...)
}

func (c *Client) saveRoom(b *batch, r *roomState) {
	r.Counted = true // one of before there was a summary is counted when it is loaded
	b.put(r.keyOf(prefixRoom), encodeRecord(&r.roomRecord))
}

// openGroup gives the room's MLS group, or nil if this device has none.
func (c *Client) openGroup(r *roomState) (*mls.Group, error) {
	if r.group != nil || !r.Member {
		return r.group, nil
	}
	type pair struct{ k, v []byte }
	var records []pair
	err := c.scan(r.keyOf(prefixGroup), func(k, v []byte) error {
		records = append(records, pair{k, v})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading group: %w", err)
	}
	r.group, err = mls.Load(c.mlsConfig(), func(yield func(k, v []byte) bool) {
		for _, p := range records {
			if !yield(p.k, p.v) {
				return
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading group: %w", err)
	}
	return r.group, nil
}

// saveGroup stores what changed in the room's group.
func (c *Client) saveGroup(b *batch, r *roomState) {
	for _, rec := range r.group.Drain() {
		b.puts = append(b.puts, Put{Key: r.keyOf(prefixGroup, rec.Key), Value: rec.Value, Erasable: rec.Secret && rec.Value != nil})
	}
}

// replaceGroup puts a new group in the place of the old one.
func (c *Client) replaceGroup(b *batch, r *roomState, g *mls.Group) error {
	if err := b.deletePrefix(r.keyOf(prefixGroup)); err != nil {
		return err
	}
	r.group, r.Member = g, g != nil
	if g != nil {
		r.Left, r.Stuck, r.Checked = false, "", false
		r.shown()
		for _, o := range r.outbox {
			o.sent = false // its place may lie in what this device passes over: asking again tells
		}
		c.saveGroup(b, r)
		if err := c.rememberParticipants(r); err != nil {
			return err
		}
	}
	return nil
}

// noteSelf remembers which room is the self-group: one whose group says so, of
// this person alone and checked to have no device of others.
func (c *Client) noteSelf(b *batch, r *roomState) {
	p := r.participants()
	if r.Checked && p.Kind == room.Self && len(p.List) == 1 && p.List[0].User == c.device.User && c.device.Self != r.id {
		c.device.Self = r.id
		b.put([]byte{prefixDevice}, encodeRecord(&c.device))
	}
}

func (c *Client) rememberParticipants(r *roomState) error {
	p, err := room.ParticipantsOf(r.group.Context())
	if err != nil {
		return err
	}
	r.Participants = p.Bytes()
	r.Epoch = r.group.Context().Epoch
	return nil
}

func (r *roomState) participants() room.Participants {
	p, err := room.ParseParticipants(r.Participants)
	if err != nil {
		return room.Participants{Kind: r.Kind}
	}
	return p
}

// state is the room's settings as far as this device knows them.
func (r *roomState) state() content.RoomState {
	if s, err := content.DecodeRoomState(r.State); err == nil {
		return *s
	}
	return content.RoomState{}
}

// stateKnown reports whether the settings are those that the group agreed on.
func (r *roomState) stateKnown() bool {
	if r.group == nil {
		return false
	}
	want, err := room.StateHash(r.group.Context())
	if err != nil {
		return false
	}
	s := r.state()
	got, err := s.Hash()
	return err == nil && got == want
}

// stateTold reports whether this device knows settings that others must be told.
// A room of two has none until somebody sets its timers.
func (r *roomState) stateTold() bool {
	return r.stateKnown() && (r.Kind == room.Group || r.State != nil)
}

// loadStaged reads the own commit in flight.
func (c *Client) loadStaged(r *roomState) (*stagedRecord, error) {
	if r.staged != nil {
		return r.staged, nil
	}
	raw, err := c.vault.Get(r.keyOf(prefixStaged))
	if err != nil || raw == nil {
		return nil, err
	}
	r.staged = new(stagedRecord)
	return r.staged, decodeRecord(raw, r.staged)
}

func (c *Client) dropStaged(b *batch, r *roomState) {
	r.staged = nil
	b.delete(r.keyOf(prefixStaged))
}

func (s *stagedRecord) request() (*api.AppendRequest, error) {
	req := new(api.AppendRequest)
	return req, api.Unmarshal(s.Request, req)
}

// findRoom finds a room by the id that screens use.
func (c *Client) findRoom(id string) (*roomState, error) {
	rid, err := parseRoomID(id)
	if err != nil {
		return nil, err
	}
	r, ok := c.rooms[rid]
	if !ok || r.Kind == room.Self {
		return nil, errors.New("there is no such room on this device")
	}
	return r, nil
}

func parseRoomID(s string) (id room.ID, err error) {
	if n, err := fmt.Sscanf(s, "%32x", (*hexBytes)(&id)); n != 1 || err != nil || len(s) != 32 {
		return id, fmt.Errorf("%.40q is not a room id", s)
	}
	return id, nil
}

// Rooms lists the rooms, by name.
func (c *Client) Rooms() ([]RoomView, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	var views []RoomView
	for _, r := range c.rooms {
		if r.Kind == room.Self || !r.Made {
			continue
		}
		v, err := c.roomView(r)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b RoomView) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Room, b.Room)) })
	return views, nil
}

// Room gives one room.
func (c *Client) Room(id string) (RoomView, error) {
	if err := c.lock(); err != nil {
		return RoomView{}, err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return RoomView{}, err
	}
	return c.roomView(r)
}

func (c *Client) roomView(r *roomState) (RoomView, error) {
	s, p := r.state(), r.participants()
	v := RoomView{Room: fmt.Sprintf("%x", r.id[:]), Kind: "group", Name: c.roomName(r), Description: s.Description,
		Expire: int(s.Expire), Burn: int(s.Burn), Last: int(r.Cursor), Left: r.Left, Alarm: r.Alarm,
		Members: []MemberView{}, Admin: p.May(c.device.User), Verified: len(p.List) > 1, Pinned: r.Pinned, Notify: notifyNames[min(r.Notify, content.NotifyNone)]}
	devices := map[identity.UserID]int{}
	if g, err := c.openGroup(r); err != nil {
		return v, err
	} else if g != nil {
		for _, leaf := range g.Members() {
			if cred, err := room.CredentialOf(leaf); err == nil {
				devices[cred.User]++
			}
			if !r.Checked {
				v.Unchecked++
			}
		}
	}
	for _, q := range p.List {
		v.Members = append(v.Members, MemberView{User: q.User.String(), Name: c.nameOf(q.User), Admin: q.Role == room.Admin,
			Trust: c.trust(q.User), Devices: devices[q.User]})
		v.Verified = v.Verified && c.trust(q.User) == Verified
	}
	if r.Kind == room.Direct {
		v.Kind = "direct"
	}
	v.Waiting = c.waiting(r)
	c.showDraft(r, &v)
	c.showTyping(r, &v)
	return v, c.summarize(r, &v)
}

// roomName is what to call a room: a direct one by the other person's name.
func (c *Client) roomName(r *roomState) string {
	s := r.state()
	if r.Kind == room.Direct {
		s.Name = ""
		for _, q := range r.participants().List {
			if q.User != c.device.User {
				return c.nameOf(q.User)
			}
		}
		if len(r.Wanted) > 0 {
			return c.nameOf(r.Wanted[0])
		}
		return ""
	}
	if s.Name == "" {
		return fmt.Sprintf("room %x", r.id[:4])
	}
	return s.Name
}

// waiting says why a room does not go on.
func (c *Client) waiting(r *roomState) string {
	switch {
	case r.Left:
		return ""
	case r.Hidden:
		return "the server says that you are not in this room"
	case r.Behind:
		return "the server has less of this room than this device"
	case r.Leaving:
		return "leaving: any other device in the room completes that when it is next there"
	case r.Stuck != "":
		return "rejoining: " + r.Stuck
	case !r.Member:
		return "this device is on its way in"
	case r.Kind == room.Group && !r.stateKnown():
		return "the room's name is on its way"
	}
	return ""
}

// changed saves a room with what is written, and tells screens.
func (c *Client) changed(b *batch, r *roomState) {
	if !slices.Contains(b.dirty, r) {
		b.dirty = append(b.dirty, r)
	}
	c.roomEvent(b, r)
}

func (c *Client) roomEvent(b *batch, r *roomState) {
	if r.Kind == room.Self || !r.Made {
		return
	}
	if !slices.Contains(b.rooms, r) {
		b.rooms = append(b.rooms, r)
	}
}

// alarm marks a room in which the server or a member was caught out.
func (c *Client) alarm(b *batch, r *roomState, format string, args ...any) {
	r.Alarm = fmt.Sprintf(format, args...)
	c.log.Warn("alarm in a room") // its reason names people, and logs do not
	c.saveRoom(b, r)
	c.roomEvent(b, r)
}

// Dismiss takes note of a room's alarm: the person has looked into it, and goes
// on. A room that stood still because a rule was broken is joined again; one
// that the server says this person is not in counts as left.
func (c *Client) Dismiss(id string) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return err
	}
	if r.Alarm == "" && !r.Broken {
		return errors.New("there is no alarm in this room")
	}
	r.Alarm, r.Broken = "", false
	b := c.batch()
	if r.Hidden {
		if err := c.forgetGroup(b, r); err != nil {
			return err
		}
	}
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	c.kick()
	return b.apply()
}
