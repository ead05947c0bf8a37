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
	return s.appendRead(ctx, c, req, m)
}

func (s *Service) appendRead(ctx context.Context, c duty.Caller, req *api.AppendRequest, m *mls.Message) (*api.AppendResponse, error) {
	// An application's message is looked up as it is written, which costs
	// nothing more; it is looked up here only when it was refused.
	if m.Format != mls.FormatPrivateMessage {
		if answer, err := s.answered(ctx, c, req); answer != nil || err != nil {
			return answer, err
		}
	}
	at, err := s.counted(ctx, c, req, m)
	return s.appended(ctx, c, req, at, err)
}

// appended answers an append by what became of it.
func (s *Service) appended(ctx context.Context, c duty.Caller, req *api.AppendRequest, at journal.Place, err error) (*api.AppendResponse, error) {
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

// BeginAppend is [Service.Append] for who does not wait. A message, which is what
// nearly all appends are, is on its way when it returns.
func (s *Service) BeginAppend(ctx context.Context, c duty.Caller, req *api.AppendRequest, done func(*api.AppendResponse, error)) {
	if err := s.appends.Take(c.Device, 1); err != nil {
		done(nil, err)
		return
	}
	m, err := readAppend(req)
	if err != nil {
		done(nil, err)
		return
	}
	if m.Format != mls.FormatPrivateMessage {
		go func() { done(s.appendRead(ctx, c, req, m)) }() // who called waits for done
		return
	}
	finish := func(at journal.Place, err error) {
		if err == nil {
			done(&api.AppendResponse{Seq: at.Seq, Time: at.Time}, nil)
			return
		}
		go func() { done(s.appended(ctx, c, req, at, err)) }() // which may look it up
	}
	w, err := s.message(c, req, m)
	if err != nil {
		finish(journal.Place{}, err)
		return
	}
	s.journal.Begin(ctx, w, finish)
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
	if m.Format == mls.FormatPrivateMessage {
		w, err := s.message(c, req, m)
		if err != nil {
			return journal.Place{}, err
		}
		return s.journal.Write(ctx, w)
	}
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
	if m.Format == mls.FormatGroupInfo {
		return s.openGeneration(ctx, c, req)
	}
	if err := fits(req, m); err != nil {
		return journal.Place{}, err
	}
	return s.handshake(ctx, c, req, m)
}

// fits reports whether a message is for the room that the request names.
func fits(req *api.AppendRequest, m *mls.Message) error {
	id, _, _, ok := m.Group()
	switch {
	case !ok:
		return api.Errorf(api.Invalid, "a room's log takes no message of this kind")
	case !bytes.Equal(id, room.GroupID(req.Room, req.Generation)):
		return api.Errorf(api.Invalid, "the message is for another group than this room's generation %d", req.Generation)
	}
	return nil
}

// message is the write of an application's message, counted to its device.
func (s *Service) message(c duty.Caller, req *api.AppendRequest, m *mls.Message) (*journal.Write, error) {
	if err := s.store(c, len(req.Message)); err != nil {
		return nil, err
	}
	if err := fits(req, m); err != nil {
		return nil, err
	}
	_, epoch, content, _ := m.Group()
	switch {
	case content != mls.ContentApplication:
		return nil, api.Errorf(api.Invalid, "proposals and commits travel in public messages, so that the server can put only valid ones in order")
	case req.Commit != nil:
		return nil, api.Errorf(api.Invalid, "only a commit has a commit part")
	}
	return &journal.Write{Log: req.Room, Entry: &api.Entry{
		Kind: api.EntryApplication, Generation: req.Generation, Epoch: epoch, Sender: c.Device, ID: req.ID,
		Keep: req.Keep, Message: req.Message,
	}}, nil
}
