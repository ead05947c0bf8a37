package delivery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/mls"
	"sconce/room"
	"sconce/server/delivery/db"
	"sconce/server/delivery/journal"
)

// errTaken says that a room with this id or these people is there already.
var errTaken = errors.New("the room is there already")

// CreateRoom makes a room. Of two people who make their direct room at once,
// one does, and the other is told which it is.
func (s *Service) CreateRoom(ctx context.Context, c duty.Caller, req *api.CreateRoomRequest) (*api.CreateRoomResponse, error) {
	r, err := s.newRoom(ctx, c, req)
	if err != nil {
		return nil, err
	}
	if answer, err := s.existing(ctx, r); answer != nil || err != nil {
		return answer, err
	}
	if err := s.creations.Take(c.Device, 1); err != nil {
		return nil, err
	}
	if err := s.store(c, len(req.GroupInfo)+len(req.Tree)); err != nil {
		return nil, err
	}
	// An inbox is made by its first Welcome. A room in its place would keep its
	// owner from all Welcomes, and show them to the room.
	if inbox, err := s.Logs.IsInbox(ctx, req.Room); err != nil {
		return nil, unavailable(err)
	} else if inbox {
		return nil, api.Errorf(api.Conflict, "there is something with this id already: choose another")
	}
	first, err := s.first(ctx, c, r.gi, req.Tree, nil)
	if err != nil {
		return nil, err
	}
	if r.kind != first.participants.Kind {
		return nil, api.Errorf(api.Invalid, "the group is of another kind of room than the request")
	}
	_, err = s.journal.Write(ctx, &journal.Write{Log: req.Room, Change: &journal.Change{
		Create: true,
		Open:   []journal.Opening{{Device: c.Device, User: c.User}},
		Save:   func(ctx context.Context, tx *journal.Tx) error { return r.save(ctx, db.New(tx), c, first.group.Drain) },
	}})
	if errors.Is(err, errTaken) || errors.Is(err, journal.ErrMoved) {
		answer, err := s.existing(ctx, r)
		if answer == nil && err == nil {
			err = api.Errorf(api.Conflict, "there is something with this id already: choose another")
		}
		return answer, err
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateRoomResponse{Room: req.Room, Created: true}, nil
}

// newRoom is a room to be made.
type newRoom struct {
	id    api.LogID
	kind  room.Kind
	pair  []byte
	maker []byte // hash of the request
	gi    *mls.GroupInfo
	info  []byte

	records []mls.Record
}

// newRoom checks what can be seen from the request alone, and that the other
// person exists.
func (s *Service) newRoom(ctx context.Context, c duty.Caller, req *api.CreateRoomRequest) (*newRoom, error) {
	r := &newRoom{id: req.Room, kind: room.Kind(req.Kind), info: req.GroupInfo}
	switch {
	case req.Room == api.LogID{}:
		return nil, api.Errorf(api.Invalid, "a room needs a random id")
	case r.kind < room.Group || r.kind > room.Self:
		return nil, api.Errorf(api.Invalid, "unknown kind %d of room", req.Kind)
	case (r.kind == room.Direct) != (req.Peer != nil):
		return nil, api.Errorf(api.Invalid, "a direct room, and no other, names its other person")
	case req.Peer != nil && *req.Peer == c.User:
		return nil, api.Errorf(api.Invalid, "a direct room is for two people")
	case len(req.GroupInfo) > maxGroupInfo || len(req.Tree) > api.MaxMessage:
		return nil, api.Errorf(api.TooLarge, "the group info or the tree is too large for a new room")
	}
	switch r.kind {
	case room.Direct:
		log, err := s.Logs.Log(ctx, identity.UserID(*req.Peer))
		if err != nil {
			return nil, err
		}
		if log == nil {
			return nil, api.Errorf(api.NotFound, "there is no such person")
		}
		r.pair = pairKey(r.kind, identity.UserID(c.User), identity.UserID(*req.Peer))
	case room.Self:
		r.pair = pairKey(r.kind, identity.UserID(c.User), identity.UserID(c.User))
	}
	gi, err := mls.ParseGroupInfo(req.GroupInfo)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	if !bytes.Equal(gi.Context.GroupID, room.GroupID(room.ID(req.Room), 0)) {
		return nil, api.Errorf(api.Invalid, "the group's id is not that of the room's generation 0")
	}
	r.gi = gi
	h := sha256.New()
	h.Write([]byte("sconce room 1\x00"))
	h.Write(c.Device[:])
	h.Write([]byte{req.Kind})
	h.Write(r.pair)
	h.Write(req.GroupInfo)
	r.maker = h.Sum(nil)
	return r, nil
}

// pairKey is by what a direct or self room is unique.
func pairKey(kind room.Kind, a, b identity.UserID) []byte {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	sum := sha256.Sum256(append(append(append([]byte("sconce pair 1\x00"), byte(kind)), a[:]...), b[:]...))
	return sum[:]
}

// existing answers for a room that is there: the same one, or the one that
// these people have. It is nil if there is none.
func (s *Service) existing(ctx context.Context, r *newRoom) (*api.CreateRoomResponse, error) {
	row, err := s.reads.Room(ctx, r.id[:])
	switch {
	case err == nil && bytes.Equal(row.Maker, r.maker):
		return &api.CreateRoomResponse{Room: r.id, Created: true}, nil
	case err == nil:
		return nil, api.Errorf(api.Conflict, "there is a room with this id already: choose another")
	case !errors.Is(err, sql.ErrNoRows):
		return nil, unavailable(err)
	case r.pair == nil:
		return nil, nil
	}
	id, err := s.reads.RoomOfPair(ctx, r.pair)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, unavailable(err)
	}
	return &api.CreateRoomResponse{Room: api.LogID(id)}, nil
}

func (r *newRoom) save(ctx context.Context, q *db.Queries, c duty.Caller, drain func() []mls.Record) error {
	if r.records == nil { // the transaction may be tried again
		r.records = drain()
	}
	n, err := q.InsertRoom(ctx, db.InsertRoomParams{ID: r.id[:], Kind: int64(r.kind), Pair: r.pair, Maker: r.maker, GroupInfo: r.info})
	if err != nil {
		return err
	}
	if n == 0 {
		return errTaken
	}
	if err := q.AddParticipant(ctx, db.AddParticipantParams{Room: r.id[:], Person: c.User[:]}); err != nil {
		return err
	}
	return saveRecords(ctx, q, r.id, r.records)
}

// firstEpoch is epoch 0 of a generation, found in order.
type firstEpoch struct {
	group        *mls.PublicGroup
	participants room.Participants
}

// first judges epoch 0 of a generation that the caller opens. before is the
// participants of the one before, nil for a new room.
func (s *Service) first(ctx context.Context, c duty.Caller, gi *mls.GroupInfo, tree []byte, before *room.Participants) (*firstEpoch, error) {
	if err := checkInfo(gi); err != nil {
		return nil, err
	}
	if _, err := gi.ExternalPub(); err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	// The follower's own rules are set when it is loaded; this one is stored
	// and dropped.
	group, err := mls.NewPublicGroup(mls.Config{StrictPending: true}, gi, tree, time.UnixMilli(s.Clock.Millis()))
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	logs := logSource{ctx: ctx, logs: s.Logs}
	f := follower{logs: logs, group: group}
	if err := room.CheckFirst(gi, group.Members(), before, s.Sender, f.logs.log); err != nil {
		return nil, f.refusal(err)
	}
	for _, leaf := range group.Members() {
		if leafDevice(leaf) != c.Device {
			return nil, api.Errorf(api.Forbidden, "the group's one member is another device")
		}
		if err := checkLeaf(leaf); err != nil {
			return nil, err
		}
	}
	participants, err := room.ParticipantsOf(&gi.Context)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	return &firstEpoch{group, participants}, nil
}

// openGeneration lets the room go on with a new MLS group, when the one it has
// cannot be used any more. All but the caller's device are out of it, read up
// to here, and come back by external commit.
func (s *Service) openGeneration(ctx context.Context, c duty.Caller, req *api.AppendRequest) (at journal.Place, err error) {
	if err := s.handshakes.Take(c.Device, 1); err != nil {
		return at, err
	}
	part := req.Commit
	if part == nil || len(part.Tree) == 0 || len(part.GroupInfo) > 0 || len(part.Welcomes) > 0 {
		return at, api.Errorf(api.Invalid, "a generation opens with a group info as message and its tree beside it, and nothing else")
	}
	if len(req.Message) > maxGroupInfo {
		return at, api.Errorf(api.TooLarge, "the group info has %d bytes; the limit is %d", len(req.Message), maxGroupInfo)
	}
	gi, err := mls.ParseGroupInfo(req.Message)
	if err != nil {
		return at, api.Errorf(api.Invalid, "%v", err)
	}
	if !bytes.Equal(gi.Context.GroupID, room.GroupID(room.ID(req.Room), req.Generation)) {
		return at, api.Errorf(api.Invalid, "the group's id is not that of the room's generation %d", req.Generation)
	}
	err = s.with(ctx, req.Room, func(f *follower, status journal.Status) error {
		people, err := room.ParticipantsOf(f.group.Context())
		if err != nil {
			return err
		}
		if _, ok := people.Find(identity.UserID(c.User)); !ok {
			return errNoRoom()
		}
		if req.Generation != status.State.Generation+1 {
			return api.Errorf(api.Stale, "the room is in generation %d: sync first", status.State.Generation)
		}
		if err := s.generations.Take(opener{req.Room, c.User}, 1); err != nil {
			return err
		}
		first, err := s.first(ctx, c, gi, part.Tree, &people)
		if err != nil {
			return err
		}
		if err := room.CheckFollows(gi, f.group.Context()); err != nil {
			return api.Errorf(api.Invalid, "%v", err)
		}
		at, err = s.replaceGroup(ctx, f, handshake{c, req, status, s.Clock.Millis()}, first.group)
		return err
	})
	return at, err
}

// replaceGroup appends the opening of a generation.
func (s *Service) replaceGroup(ctx context.Context, f *follower, h handshake, group *mls.PublicGroup) (journal.Place, error) {
	windows, err := s.journal.Windows(ctx, h.caller.Device, []api.LogID{f.room})
	if err != nil {
		return journal.Place{}, err
	}
	change := &journal.Change{From: h.status.State, To: journal.State{Generation: h.req.Generation}}
	if !windows[f.room].Open {
		change.Open = []journal.Opening{{Device: h.caller.Device, User: h.caller.User, At: true}}
	}
	for _, leaf := range f.group.Members() {
		if device := leafDevice(leaf); device != h.caller.Device {
			change.Close = append(change.Close, device)
		}
	}
	e := &effect{room: f.room, groupInfo: h.req.Message, records: group.Drain(), fresh: true}
	change.Save = e.save
	entry := h.entry(api.EntryGeneration)
	entry.Epoch = 0
	f.group = nil // to be read anew, with the room's rules
	return s.journal.Write(ctx, &journal.Write{Log: f.room, Entry: entry, Change: change})
}
