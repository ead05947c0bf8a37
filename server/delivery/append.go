package delivery

import (
	"bytes"
	"context"
	"errors"

	"sconce/api"
	"sconce/internal/duty"
	"sconce/mls"
	"sconce/room"
	"sconce/server/delivery/journal"
)

// maxGroupInfo is more than the GroupInfo of the largest room takes.
const maxGroupInfo = 2 << 20

// Append adds one entry to a room's log. A repeat gets the first answer, even
// when the request would no longer be taken.
func (s *Service) Append(ctx context.Context, c duty.Caller, req *api.AppendRequest) (*api.AppendResponse, error) {
	if err := s.appends.Take(c.Device, 1); err != nil {
		return nil, err
	}
	m, err := readAppend(req)
	if err != nil {
		return nil, err
	}
	// An application's message is looked up as it is written, which costs
	// nothing more; it is looked up here only when it was refused.
	if m.Format != mls.FormatPrivateMessage {
		if answer, err := s.answered(ctx, c, req); answer != nil || err != nil {
			return answer, err
		}
	}
	at, err := s.counted(ctx, c, req, m)
	if err == nil {
		return &api.AppendResponse{Seq: at.Seq, Time: at.Time}, nil
	}
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code != api.Unavailable {
		if answer, lookup := s.answered(ctx, c, req); answer != nil || lookup != nil {
			return answer, lookup
		}
	}
	return nil, err
}

func (s *Service) answered(ctx context.Context, c duty.Caller, req *api.AppendRequest) (*api.AppendResponse, error) {
	at, ok, err := s.journal.Answer(ctx, c.Device, req.Room, req.ID)
	if err != nil || !ok {
		return nil, err
	}
	return &api.AppendResponse{Seq: at.Seq, Time: at.Time}, nil
}

// readAppend checks what can be seen from the request alone.
func readAppend(req *api.AppendRequest) (*mls.Message, error) {
	switch n := len(req.Message); {
	case req.ID == api.AppendID{}:
		return nil, api.Errorf(api.Invalid, "an append needs a random id")
	case req.Keep < api.KeepHour || req.Keep > api.KeepMonth:
		return nil, api.Errorf(api.Invalid, "unknown keep class %d", req.Keep)
	case n > api.MaxMessage:
		return nil, api.Errorf(api.TooLarge, "the message has %d bytes; the limit is %d", n, api.MaxMessage)
	case req.Commit != nil && len(req.Commit.GroupInfo) > maxGroupInfo:
		return nil, api.Errorf(api.TooLarge, "the group info has %d bytes; the limit is %d", len(req.Commit.GroupInfo), maxGroupInfo)
	case req.Commit != nil && len(req.Commit.Welcomes) > api.MaxBatch:
		return nil, api.Errorf(api.TooLarge, "%d Welcomes at once; the limit is %d", len(req.Commit.Welcomes), api.MaxBatch)
	}
	m, err := mls.ParseMessage(req.Message)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	return m, nil
}

// counted is append for a device that has not stored too much already. What a
// commit brings about beside its bytes is counted where it is known.
func (s *Service) counted(ctx context.Context, c duty.Caller, req *api.AppendRequest, m *mls.Message) (journal.Place, error) {
	size := len(req.Message)
	if p := req.Commit; p != nil {
		size += len(p.GroupInfo) + len(p.Tree)
		for _, w := range p.Welcomes {
			size += len(w.Welcome)
		}
	}
	if err := s.store(c, size); err != nil {
		return journal.Place{}, err
	}
	return s.append(ctx, c, req, m)
}

// append sends each kind of message its way.
func (s *Service) append(ctx context.Context, c duty.Caller, req *api.AppendRequest, m *mls.Message) (journal.Place, error) {
	if m.Format == mls.FormatGroupInfo {
		return s.openGeneration(ctx, c, req)
	}
	id, epoch, content, ok := m.Group()
	switch {
	case !ok:
		return journal.Place{}, api.Errorf(api.Invalid, "a room's log takes no message of this kind")
	case !bytes.Equal(id, room.GroupID(req.Room, req.Generation)):
		return journal.Place{}, api.Errorf(api.Invalid, "the message is for another group than this room's generation %d", req.Generation)
	case m.Format == mls.FormatPublicMessage:
		return s.handshake(ctx, c, req, m)
	case content != mls.ContentApplication:
		return journal.Place{}, api.Errorf(api.Invalid, "proposals and commits travel in public messages, so that the server can put only valid ones in order")
	case req.Commit != nil:
		return journal.Place{}, api.Errorf(api.Invalid, "only a commit has a commit part")
	}
	return s.journal.Write(ctx, &journal.Write{Log: req.Room, Entry: &api.Entry{
		Kind: api.EntryApplication, Generation: req.Generation, Epoch: epoch, Sender: c.Device, ID: req.ID,
		Keep: req.Keep, Message: req.Message,
	}})
}
