package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/device/db"
)

const (
	// maxLogBytes is how much of logs one answer carries; an entry more fits
	// into [api.MaxBody].
	maxLogBytes = 4 << 20

	// maxWholeLog bounds answers that carry a whole log, for those who cannot call
	// Logs yet.
	maxWholeLog = 7 << 20

	// maxGrown is how large devices can make a log. What is left up to
	// maxWholeLog is for the recovery key: a thief who fills the log must not keep
	// its owner from reading and recovering it, and everyone who meets the log
	// verifies all of it.
	maxGrown = 5 << 20
)

// Begin stores the first entry of a new person's log within tx.
func (s *Service) Begin(ctx context.Context, tx *sql.Tx, log *identity.Log) error {
	q := s.queries.WithTx(tx)
	user, head, recovery := log.User(), log.Head(), log.RecoveryID()
	if err := q.BeginLog(ctx, db.BeginLogParams{UserID: user[:], Head: head[:], Recovery: recovery[:]}); err != nil {
		return fmt.Errorf("beginning log: %w", err)
	}
	if err := q.AddEntry(ctx, db.AddEntryParams{UserID: user[:], Place: 0, Entry: log.Entry(0).Marshal()}); err != nil {
		return fmt.Errorf("storing entry: %w", err)
	}
	return claimDevices(ctx, q, log)
}

// claimDevices makes every active device of the log its person's alone. Its
// inbox and its key packages go by the device's id, so an id has one owner.
func claimDevices(ctx context.Context, q *db.Queries, log *identity.Log) error {
	user := log.User()
	for _, d := range log.Devices() {
		inbox := api.Inbox(api.DeviceID(d.ID))
		added, err := q.AddDevice(ctx, db.AddDeviceParams{DeviceID: d.ID[:], UserID: user[:], Inbox: inbox[:]})
		if err != nil {
			return fmt.Errorf("storing device: %w", err)
		}
		if added > 0 {
			continue
		}
		owner, err := q.DeviceUser(ctx, d.ID[:])
		if err != nil {
			return fmt.Errorf("reading device: %w", err)
		}
		if identity.UserID(owner) != user {
			return api.Errorf(api.Conflict, "the device is another person's: make new keys for it")
		}
	}
	return nil
}

// AppendLog adds the next entry to a log, if it is valid and nobody was first.
func (s *Service) AppendLog(ctx context.Context, c duty.Caller, req *api.AppendLogRequest) (*api.AppendLogResponse, error) {
	if err := s.open.Take(c); err != nil {
		return nil, err
	}
	if len(req.Entry) > identity.MaxEntrySize {
		return nil, api.Errorf(api.TooLarge, "the entry has %d bytes; the limit is %d", len(req.Entry), identity.MaxEntrySize)
	}
	entry, err := identity.ParseEntry(req.Entry)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%v", err)
	}
	log, err := s.Log(ctx, identity.UserID(req.User))
	if err != nil {
		return nil, err
	}
	if log == nil {
		return nil, api.Errorf(api.NotFound, "there is no such person")
	}
	if entry.Index() < log.Length() {
		return repeated(log, entry)
	}
	// Held against itself, an entry is judged as the next one and changes nothing.
	if err := log.CheckFork(req.Entry, req.Entry); err != nil {
		return nil, refused(log, err)
	}
	after, err := s.advance(ctx, log, req.Entry)
	if err != nil {
		return nil, err
	}
	return &api.AppendLogResponse{LogLength: uint32(after.Length()), LogHead: api.Hash(after.Head())}, nil
}

// repeated answers for an entry in a place that is taken. If it is the entry
// there, its sender lost the first answer. If not, somebody was first; that is
// no proof of a fork, because the loser's entry is published nowhere.
func repeated(log *identity.Log, entry *identity.Entry) (*api.AppendLogResponse, error) {
	held := log.Entry(entry.Index())
	if held.Hash() != entry.Hash() {
		return nil, api.Errorf(api.Conflict,
			"the log has another entry in place %d and goes on to %d: two would be a fork; fetch the log and make the entry anew",
			entry.Index(), log.Length())
	}
	return &api.AppendLogResponse{LogLength: uint32(entry.Index()) + 1, LogHead: api.Hash(held.Hash())}, nil
}

func refused(log *identity.Log, err error) error {
	e, ok := errors.AsType[*identity.EntryError](err)
	if ok && (e.Rule == identity.RuleIndex || e.Rule == identity.RulePrevious) {
		return api.Errorf(api.Conflict, "the entry does not follow the log, which has %d entries: fetch it and make the entry anew", log.Length())
	}
	return api.Errorf(api.Invalid, "%v", err)
}

// advance stores an entry that the log would take. The comparison in AdvanceLog
// decides between two that come at once.
func (s *Service) advance(ctx context.Context, before *identity.Log, entry []byte) (*identity.Log, error) {
	entries := make([][]byte, 0, before.Length()+1)
	for i := range before.Length() {
		entries = append(entries, before.Entry(i).Marshal())
	}
	entries = append(entries, entry)
	if err := s.checkSize(entries); err != nil {
		return nil, err
	}
	after, err := identity.Open(s.network, entries)
	if err != nil {
		return nil, refused(before, err)
	}
	gone := removedDevices(before, after)
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		return s.store(ctx, s.queries.WithTx(tx), before, after, gone)
	})
	if sqldb.IsConflict(err) {
		err = lostRace(before)
	}
	if err != nil {
		return nil, err
	}
	s.logs.put(after.User(), after, entries)
	if len(gone) > 0 {
		s.tokens.drop(gone)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return after, nil
}

// checkSize checks the size of a log with a new entry at its end.
func (s *Service) checkSize(entries [][]byte) error {
	size := 0
	for _, e := range entries {
		size += len(e)
	}
	last, err := identity.ParseEntry(entries[len(entries)-1])
	if err != nil {
		return api.Errorf(api.Invalid, "%v", err)
	}
	limit := s.grown
	if k := last.Kind(); k == identity.KindRecover || k == identity.KindSetRecovery {
		limit = maxWholeLog
	}
	if size > limit {
		return api.Errorf(api.TooLarge, "the log would have %d bytes; the limit is %d, and the last places are for the recovery key", size, limit)
	}
	return nil
}

func lostRace(before *identity.Log) error {
	return api.Errorf(api.Conflict, "another entry took place %d of the log at this moment: fetch it and make the entry anew", before.Length())
}

func (s *Service) store(ctx context.Context, q *db.Queries, before, after *identity.Log, gone []identity.DeviceID) error {
	user, oldHead, head, recovery := after.User(), before.Head(), after.Head(), after.RecoveryID()
	n, err := q.AdvanceLog(ctx, db.AdvanceLogParams{
		UserID: user[:], Length: int64(after.Length()), Head: head[:], Recovery: recovery[:],
		OldLength: int64(before.Length()), OldHead: oldHead[:],
	})
	if err != nil {
		return fmt.Errorf("advancing log: %w", err)
	}
	if n == 0 {
		return lostRace(before)
	}
	place := before.Length()
	err = q.AddEntry(ctx, db.AddEntryParams{UserID: user[:], Place: int64(place), Entry: after.Entry(place).Marshal()})
	if err != nil {
		return fmt.Errorf("storing entry: %w", err)
	}
	if err := claimDevices(ctx, q, after); err != nil {
		return err
	}
	return settleDevices(ctx, q, before, after, gone)
}

// settleDevices ends the logins of removed devices, and notes them for the other
// duties. A recovery can bring a removed device back, and with it its right to stay.
func settleDevices(ctx context.Context, q *db.Queries, before, after *identity.Log, gone []identity.DeviceID) error {
	user := after.User()
	for _, id := range gone {
		if err := q.DropTokens(ctx, id[:]); err != nil {
			return fmt.Errorf("ending logins: %w", err)
		}
		if err := q.AddRemoval(ctx, db.AddRemovalParams{DeviceID: id[:], UserID: user[:]}); err != nil {
			return fmt.Errorf("noting removal: %w", err)
		}
	}
	for _, id := range removedDevices(after, before) {
		if err := q.DropRemoval(ctx, id[:]); err != nil {
			return fmt.Errorf("taking back removal: %w", err)
		}
	}
	return nil
}

// removedDevices lists what is active in one log and not in the other.
func removedDevices(before, after *identity.Log) []identity.DeviceID {
	var gone []identity.DeviceID
	for _, d := range before.Devices() {
		if !after.Active(d.ID) {
			gone = append(gone, d.ID)
		}
	}
	return gone
}

// Logs reads logs, in the order asked for, as far as one answer goes.
func (s *Service) Logs(ctx context.Context, c duty.Caller, req *api.LogsRequest) (*api.LogsResponse, error) {
	if err := s.lookups.Take(c.Device, 1); err != nil {
		return nil, err
	}
	if len(req.Logs) > api.MaxBatch {
		return nil, api.Errorf(api.TooLarge, "%d logs asked for; the limit is %d", len(req.Logs), api.MaxBatch)
	}
	users := make([]identity.UserID, len(req.Logs))
	for i, q := range req.Logs {
		users[i] = q.User
	}
	pins, err := s.Pins(ctx, users)
	if err != nil {
		return nil, err
	}
	resp := &api.LogsResponse{Logs: make([]api.LogSlice, len(req.Logs))}
	budget := maxLogBytes
	for i, q := range req.Logs {
		slice := api.LogSlice{User: q.User, From: q.From, Entries: [][]byte{}, Length: uint32(pins[q.User].Length)}
		if budget > 0 && q.From < slice.Length {
			if slice.Entries, budget, err = s.slice(ctx, q, slice.Length, budget); err != nil {
				return nil, fmt.Errorf("reading logs: %w", err)
			}
		}
		resp.Logs[i] = slice
	}
	return resp, nil
}

// slice reads entries until the budget is spent. It asks for few at a time, so
// that a long log is not read whole to be thrown away.
func (s *Service) slice(ctx context.Context, q api.LogQuery, length uint32, budget int) ([][]byte, int, error) {
	const step = 64
	var out [][]byte
	for first := q.From; first < length; first += step {
		entries, err := s.reads.Entries(ctx, db.EntriesParams{
			UserID: q.User[:], First: int64(first), Beyond: int64(min(first+step, length)),
		})
		if err != nil {
			return nil, 0, err
		}
		for _, e := range entries {
			if budget <= 0 {
				return out, budget, nil
			}
			out = append(out, e)
			budget -= len(e)
		}
	}
	return out, budget, nil
}

// RecoveryLog finds the log that a recovery key speaks for.
func (s *Service) RecoveryLog(ctx context.Context, c duty.Caller, req *api.RecoveryLogRequest) (*api.RecoveryLogResponse, error) {
	if err := s.look.Take(c); err != nil {
		return nil, err
	}
	row, err := s.reads.LogByRecovery(ctx, req.Key[:])
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Errorf(api.NotFound, "no person here has this recovery key")
	}
	if err != nil {
		return nil, fmt.Errorf("looking up recovery key: %w", err)
	}
	user := identity.UserID(row)
	entries, err := s.whole(ctx, user)
	if err != nil {
		return nil, err
	}
	name, _, err := s.names.Name(ctx, user)
	if err != nil {
		return nil, err
	}
	return &api.RecoveryLogResponse{User: api.UserID(user), Name: name, Entries: entries}, nil
}

// whole reads a log for somebody who has no login yet.
func (s *Service) whole(ctx context.Context, user identity.UserID) ([][]byte, error) {
	entries, err := s.reads.Entries(ctx, db.EntriesParams{UserID: user[:], First: 0, Beyond: identity.MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("reading log: %w", err)
	}
	size := 0
	for _, e := range entries {
		size += len(e)
	}
	if size > maxWholeLog {
		return nil, api.Errorf(api.TooLarge, "the log has %d bytes, more than one answer carries", size)
	}
	return entries, nil
}
