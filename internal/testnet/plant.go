package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/client"
)

// plants are faults that the network must not have. Tests plant them one by one,
// to show that a run would find them.
type plants struct {
	forgetIDs     bool // the server does not know a repeated append again
	loseCommitted bool // the server answers before its last commit is durable
	lateCommits   bool // the server puts a commit of a past epoch into order
	earlyMerge    bool // a device merges its commit though the server refused it

	seen   map[api.AppendID]bool
	forced map[api.LogID]forced
}

// forced is a commit that stands in a log without the server's verdict.
type forced struct {
	entry api.Entry
	by    *Link
}

// repeat gives a repeated append another id, if the server forgets them.
func (p *plants) repeat(w *Wire, r request) request {
	if !p.forgetIDs || r.name != api.Append.Name {
		return r
	}
	var req api.AppendRequest
	if api.Unmarshal(r.body, &req) != nil {
		return r
	}
	if p.seen == nil {
		p.seen = map[api.AppendID]bool{}
	}
	if !p.seen[req.ID] {
		p.seen[req.ID] = true
		return r
	}
	for i := range req.ID {
		req.ID[i] = byte(w.random.Uint32())
	}
	r.body = must(api.Marshal(&req))
	return r
}

// force stands in for a server, or a committer, that takes a refused commit for
// an accepted one.
func (p *plants) force(w *Wire, l *Link, r request, answer []byte, err error) ([]byte, error) {
	if !p.lateCommits && !p.earlyMerge {
		return answer, err
	}
	switch r.name {
	case api.Append.Name:
		return p.forceAppend(w, l, r, answer, err)
	case api.Read.Name:
		return p.forceRead(l, r, answer, err)
	case api.Rooms.Name:
		return p.forceRooms(l, answer, err)
	}
	return answer, err
}

func (p *plants) forceAppend(w *Wire, l *Link, r request, answer []byte, err error) ([]byte, error) {
	var req api.AppendRequest
	if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code == api.Unauthenticated || api.Unmarshal(r.body, &req) != nil || req.Commit == nil {
		return answer, err
	}
	windows, winErr := w.net.server.windows(l.device)
	if winErr != nil {
		return answer, err
	}
	last := windows[fmt.Sprintf("%x", req.Room[:])].Last
	if p.forced == nil {
		p.forced = map[api.LogID]forced{}
	}
	p.forced[req.Room] = forced{by: l, entry: api.Entry{Seq: last + 1, Kind: api.EntryCommit, Generation: req.Generation,
		Sender: api.DeviceID(l.device.id), ID: req.ID, Time: w.net.Clock.Now().UnixMilli(), Keep: req.Keep, Message: req.Message}}
	return must(api.Marshal(&api.AppendResponse{Seq: last + 1})), nil
}

func (p *plants) sees(l *Link, f forced) bool { return p.lateCommits || f.by == l }

func (p *plants) forceRead(l *Link, r request, answer []byte, err error) ([]byte, error) {
	var req api.ReadRequest
	var resp api.ReadResponse
	if err != nil || api.Unmarshal(r.body, &req) != nil || api.Unmarshal(answer, &resp) != nil {
		return answer, err
	}
	f, ok := p.forced[req.Log]
	at := req.After
	if n := len(resp.Entries); n > 0 {
		at = resp.Entries[n-1].Seq
	}
	if !ok || !p.sees(l, f) || at+1 != f.entry.Seq {
		return answer, err
	}
	resp.Entries = append(slices.Clone(resp.Entries), f.entry)
	resp.Last = max(resp.Last, f.entry.Seq)
	return api.Marshal(&resp)
}

func (p *plants) forceRooms(l *Link, answer []byte, err error) ([]byte, error) {
	var resp api.RoomsResponse
	if err != nil || api.Unmarshal(answer, &resp) != nil {
		return answer, err
	}
	for i := range resp.Rooms {
		s := &resp.Rooms[i]
		if f, ok := p.forced[s.Room]; ok && p.sees(l, f) && s.Last+1 == f.entry.Seq {
			s.Last++
		}
	}
	return api.Marshal(&resp)
}

// killLosing ends the server so that it loses what it did in this call, though
// the caller has the answer.
func (w *Wire) killLosing(ctx context.Context, r request) ([]byte, error) {
	w.net.life++
	if err := w.net.server.Snapshot(w.net.home()); err != nil {
		return nil, err
	}
	answer, err := w.deliver(ctx, r)
	w.net.replace()
	return answer, err
}

// splitStore saves what says how far a room was read apart from what was read.
type splitStore struct{ client.Store }

// Apply implements client.Store, and breaks its promise.
func (s splitStore) Apply(ops []client.Op) error {
	var first, second []client.Op
	for _, op := range ops {
		if op.Key[0] == 'r' {
			second = append(second, op)
		} else {
			first = append(first, op)
		}
	}
	if len(first) > 0 {
		if err := s.Store.Apply(first); err != nil {
			return err
		}
	}
	if len(second) == 0 {
		return nil
	}
	return s.Store.Apply(second)
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err) // our own plain structs always encode
	}
	return b
}
