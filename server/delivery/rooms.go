package delivery

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/room"
	"sconce/server/delivery/db"
	"sconce/server/delivery/journal"
)

// Rooms lists the caller's rooms in order of id: those in which the device has
// a window, and those in which the person participates and the device is not.
func (s *Service) Rooms(ctx context.Context, c duty.Caller, req *api.RoomsRequest) (*api.RoomsResponse, error) {
	if err := s.lookups.Take(c.Device, 1); err != nil {
		return nil, err
	}
	const page = api.MaxBatch
	in, err := s.reads.DeviceRooms(ctx, db.DeviceRoomsParams{Device: c.Device[:], Log: req.After[:], Limit: page + 1})
	if err != nil {
		return nil, unavailable(err)
	}
	of, err := s.reads.ParticipantRooms(ctx, db.ParticipantRoomsParams{Person: c.User[:], Room: req.After[:], Limit: page + 1})
	if err != nil {
		return nil, unavailable(err)
	}
	rows := make([]db.ParticipantRoomsRow, 0, len(in)+len(of))
	for _, r := range in {
		rows = append(rows, db.ParticipantRoomsRow{Room: r.Log, Kind: r.Kind, Generation: r.Generation, Epoch: r.Epoch})
	}
	rows = append(rows, of...)
	slices.SortFunc(rows, func(a, b db.ParticipantRoomsRow) int { return bytes.Compare(a.Room, b.Room) })
	rows = slices.CompactFunc(rows, func(a, b db.ParticipantRoomsRow) bool { return bytes.Equal(a.Room, b.Room) })
	more := len(rows) > page
	rows = rows[:min(len(rows), page)]

	ids := make([]api.LogID, len(rows))
	for i, r := range rows {
		ids[i] = api.LogID(r.Room)
	}
	windows, err := s.journal.Windows(ctx, c.Device, ids)
	if err != nil {
		return nil, err
	}
	resp := &api.RoomsResponse{Rooms: make([]api.RoomStatus, len(rows)), More: more}
	for i, r := range rows {
		w := windows[ids[i]]
		if !w.Open && !slices.ContainsFunc(of, func(p db.ParticipantRoomsRow) bool { return bytes.Equal(p.Room, r.Room) }) {
			r.Generation, r.Epoch = 0, 0 // how a room goes on is not for who was taken out
		}
		resp.Rooms[i] = api.RoomStatus{Room: ids[i], Kind: uint8(r.Kind), Generation: uint32(r.Generation), Epoch: uint64(r.Epoch),
			Member: w.Open, From: w.From, Last: w.Last, Cursor: w.Taken, Before: w.Before}
	}
	return resp, nil
}

// ReadGroupInfo gives a participant's device what it needs to let itself in.
func (s *Service) ReadGroupInfo(ctx context.Context, c duty.Caller, req *api.ReadGroupInfoRequest) (resp *api.ReadGroupInfoResponse, err error) {
	if err := s.infos.Take(c.Device, 1); err != nil {
		return nil, err
	}
	// Asked first, so that a stranger cannot make the server load groups.
	n, err := s.reads.Participates(ctx, db.ParticipatesParams{Room: req.Room[:], Person: c.User[:]})
	if err != nil {
		return nil, unavailable(err)
	}
	if n == 0 {
		return nil, errNoRoom()
	}
	err = s.with(ctx, req.Room, func(f *follower, at journal.Status) error {
		people, err := room.ParticipantsOf(f.group.Context())
		if err != nil {
			return err
		}
		if _, ok := people.Find(identity.UserID(c.User)); !ok {
			return errNoRoom()
		}
		row, err := s.reads.GroupInfo(ctx, req.Room[:])
		if err != nil {
			return unavailable(err)
		}
		pending, err := s.reads.Proposals(ctx, req.Room[:])
		if err != nil {
			return unavailable(err)
		}
		if len(pending) != at.State.Pending {
			return journal.ErrMoved
		}
		tree := f.group.Tree()
		part, err := s.treePart(tree, req.From)
		if err != nil {
			return err
		}
		resp = &api.ReadGroupInfoResponse{Kind: uint8(row.Kind), Generation: at.State.Generation, GroupInfo: row.GroupInfo,
			Tree: part, TreeSize: uint64(len(tree)), Pending: pending, Seq: at.Last, Hash: at.Hash}
		return nil
	})
	return resp, err
}

// treePart cuts out of a tree what goes into one answer.
func (s *Service) treePart(tree []byte, from uint64) ([]byte, error) {
	size := uint64(len(tree))
	if size > api.MaxTree {
		return nil, errLargeTree(size)
	}
	from = min(from, size) // the group may have gone on, and its tree be smaller
	return tree[from:min(size, from+uint64(s.TreePart))], nil
}

func errLargeTree(size uint64) error {
	return api.Errorf(api.TooLarge, "the group's tree has %d bytes; the limit is %d", size, api.MaxTree)
}

// ReadTree gives a ratchet tree to a device that has a Welcome for it.
func (s *Service) ReadTree(ctx context.Context, c duty.Caller, req *api.ReadTreeRequest) (*api.ReadTreeResponse, error) {
	if err := s.infos.Take(c.Device, 1); err != nil {
		return nil, err
	}
	// The database gives the part alone: a tree may have 64 MiB, and a device makes
	// many calls at once.
	from := int32(min(req.From, api.MaxTree))
	row, err := s.reads.TreePart(ctx, db.TreePartParams{Start: from + 1, Most: int32(s.TreePart), Hash: req.Tree[:], Device: c.Device[:]})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Errorf(api.NotFound, "there is no such tree, or no Welcome for it in this device's inbox")
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if row.Size > api.MaxTree {
		return nil, errLargeTree(uint64(row.Size))
	}
	return &api.ReadTreeResponse{Tree: row.Part, TreeSize: uint64(row.Size)}, nil
}
