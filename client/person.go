package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/room"
)

// knownLog gives the device log of a person as far as this device knows it, or
// nil. It is room.Rules' source; the caller holds c.mu.
func (c *Client) knownLog(u identity.UserID) *identity.Log {
	if l, ok := c.logs[u]; ok {
		return l
	}
	raw, err := c.vault.Get(key(prefixLog, u[:]))
	if err != nil || raw == nil {
		return nil
	}
	var entries [][]byte
	if decodeRecord(raw, &entries) != nil {
		return nil
	}
	l, err := identity.Open(c.device.Network, entries)
	if err != nil {
		c.log.Error("a stored device log does not verify", "err", err)
		return nil
	}
	c.logs[u] = l
	return l
}

// saveLog stores a log after it grew.
func (c *Client) saveLog(b *batch, l *identity.Log) {
	entries := make([][]byte, l.Length())
	for i := range entries {
		entries[i] = l.Entry(i).Marshal()
	}
	u := l.User()
	c.logs[u] = l
	b.put(key(prefixLog, u[:]), encodeRecord(entries))
}

// logBatch is how many logs are asked for at once.
const logBatch = 100

// fetchLogs brings the logs of these people up to date with the server. A log
// that contradicts what is known marks its person as changed. The caller has
// the network's turn and not c.mu.
func (c *Client) fetchLogs(ctx context.Context, users []identity.UserID) error {
	users = slices.Clone(users)
	slices.SortFunc(users, func(a, b identity.UserID) int { return bytes.Compare(a[:], b[:]) })
	users = slices.Compact(users) // who is asked for twice would seem to have grown twice
	for part := range slices.Chunk(users, logBatch) {
		for len(part) > 0 {
			req := &api.LogsRequest{}
			if err := c.lock(); err != nil {
				return err
			}
			for _, u := range part {
				q := api.LogQuery{User: u}
				if l := c.knownLog(u); l != nil {
					q.From = uint32(l.Length())
				}
				req.Logs = append(req.Logs, q)
			}
			c.mu.Unlock()
			resp, err := authed(ctx, c, api.Logs, req)
			if err != nil {
				return fmt.Errorf("reading device logs: %w", err)
			}
			if part, err = c.takeLogs(part, resp.Logs); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeLogs adds slices of logs to what is known, and gives the people whose
// logs are not complete yet.
func (c *Client) takeLogs(asked []identity.UserID, slicesOf []api.LogSlice) (rest []identity.UserID, err error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	b := c.batch()
	for _, s := range slicesOf {
		u := identity.UserID(s.User)
		if !slices.Contains(asked, u) {
			continue
		}
		l, err := c.extendLog(u, s)
		if err != nil {
			c.contradicted(b, u, err)
			continue
		}
		if len(s.Entries) == 0 {
			continue
		}
		c.noteRecovery(b, u, l, int(s.From))
		c.saveLog(b, l)
		if u == c.device.User {
			me := c.me()
			b.event(Event{Me: &me})
		}
		if uint32(l.Length()) < s.Length {
			rest = append(rest, u)
		}
	}
	return rest, b.apply()
}

// noteRecovery says when somebody whom this person has verified took their
// identity back with the recovery key: it is they, or whoever has that key.
func (c *Client) noteRecovery(b *batch, u identity.UserID, l *identity.Log, from int) {
	p, ok := c.people[u]
	if !ok || !p.verified() {
		return
	}
	for i := from; i < l.Length(); i++ {
		if l.Entry(i).Kind() == identity.KindRecover {
			b.event(Event{Problem: fmt.Sprintf("%s came back with their recovery key, and their former devices are out. If you did not hear of it from them, ask.", c.nameOf(u))})
			return
		}
	}
}

func (c *Client) extendLog(u identity.UserID, s api.LogSlice) (*identity.Log, error) {
	l := c.knownLog(u)
	if l == nil {
		if s.From != 0 || len(s.Entries) == 0 {
			return nil, errors.New("the server gave no beginning of a device log")
		}
		l, err := identity.Open(c.device.Network, s.Entries)
		if err != nil {
			return nil, err
		}
		if l.User() != u {
			return nil, errors.New("the server gave somebody else's device log")
		}
		return l, nil
	}
	if int(s.From) != l.Length() && len(s.Entries) > 0 {
		return nil, fmt.Errorf("the server gave entries from %d of a log known up to %d", s.From, l.Length())
	}
	if int(s.Length) < l.Length() {
		return nil, errors.New("the server gave a shorter device log than it did before")
	}
	for _, e := range s.Entries {
		if err := l.Append(e); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// contradicted notes that the server showed a log that can't be true.
func (c *Client) contradicted(b *batch, u identity.UserID, err error) {
	c.log.Warn("a device log contradicts what was known", "err", err)
	p := c.person(u)
	if !p.Changed { // what was verified before says nothing of it any more
		p.Changed, p.At = true, max(p.At, c.serverTime())
		c.savePerson(b, u, p)
	}
	b.event(Event{Problem: fmt.Sprintf("The server shows a history of %s's devices that can't be true: %v. Do not trust what comes from there until you have compared safety numbers.", c.nameOf(u), err)})
}

func (c *Client) person(u identity.UserID) *personRecord {
	p, ok := c.people[u]
	if !ok {
		p = &personRecord{}
		c.people[u] = p
	}
	return p
}

func (c *Client) savePerson(b *batch, u identity.UserID, p *personRecord) {
	b.put(key(prefixPerson, u[:]), encodeRecord(p))
}

// nameOf is what to call a person.
func (c *Client) nameOf(u identity.UserID) string {
	if u == c.device.User {
		return c.device.Name
	}
	if p, ok := c.people[u]; ok && p.Name != "" {
		return p.Name
	}
	return "somebody (" + u.String()[:8] + ")"
}

func (c *Client) trust(u identity.UserID) Trust {
	p, ok := c.people[u]
	switch {
	case u == c.device.User:
		return Verified
	case ok && p.Changed:
		return Changed
	case ok && p.verified():
		return Verified
	}
	return Unverified
}

func (c *Client) personView(u identity.UserID) PersonView {
	v := PersonView{User: u.String(), Name: c.nameOf(u), Trust: c.trust(u), Me: u == c.device.User}
	if l := c.knownLog(u); l != nil {
		v.Devices = len(l.Devices())
	}
	return v
}

// People lists the people of the network whose names hold query, as the server
// says. When the server can't be reached it lists those known here.
func (c *Client) People(ctx context.Context, query string) ([]PersonView, error) {
	if err := c.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer c.endTurn()
	req := &api.PeopleRequest{Query: query}
	var found []identity.UserID
	for {
		resp, err := authed(ctx, c, api.People, req)
		if err != nil {
			if _, away := errors.AsType[*networkError](err); away {
				return c.knownPeople(query)
			}
			return nil, fmt.Errorf("listing people: %w", err)
		}
		for _, p := range resp.People {
			found = append(found, p.User)
		}
		if err := c.takePeople(resp.People); err != nil {
			return nil, err
		}
		if resp.Next == "" || len(resp.People) == 0 || len(found) > 10_000 {
			break
		}
		req.After = resp.Next
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	views := make([]PersonView, len(found))
	for i, u := range found {
		views[i] = c.personView(u)
	}
	return views, nil
}

func (c *Client) knownPeople(query string) ([]PersonView, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	var found []identity.UserID
	for u := range c.people {
		if strings.Contains(strings.ToLower(c.nameOf(u)), strings.ToLower(query)) {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b identity.UserID) int {
		return cmp.Or(cmp.Compare(c.nameOf(a), c.nameOf(b)), bytes.Compare(a[:], b[:]))
	})
	var views []PersonView
	for _, u := range found {
		views = append(views, c.personView(u))
	}
	return views, nil
}

// takePeople remembers names.
func (c *Client) takePeople(list []api.Person) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	b := c.batch()
	for _, q := range list {
		u := identity.UserID(q.User)
		p := c.person(u)
		if p.Name == q.Name || len(q.Name) > api.MaxName {
			continue
		}
		if p.verified() && p.Name != "" {
			b.event(Event{Problem: fmt.Sprintf("%s, whom you have verified, is now called %s, says the server. It is the same person.", p.Name, q.Name)})
		}
		p.Name = q.Name
		c.savePerson(b, u, p)
		for _, r := range c.rooms {
			if _, ok := r.participants().Find(u); ok {
				c.roomEvent(b, r)
			}
		}
	}
	return b.apply()
}

// learnNames asks the directory for the names of people met in rooms.
func (c *Client) learnNames(ctx context.Context, users []identity.UserID) error {
	var ask []api.UserID
	if err := c.lock(); err != nil {
		return err
	}
	for _, u := range users {
		if p, ok := c.people[u]; (!ok || p.Name == "") && u != c.device.User {
			ask = append(ask, u)
		}
	}
	c.mu.Unlock()
	for part := range slices.Chunk(ask, logBatch) {
		resp, err := authed(ctx, c, api.People, &api.PeopleRequest{Users: part})
		if err != nil {
			return fmt.Errorf("reading names: %w", err)
		}
		if err := c.takePeople(resp.People); err != nil {
			return err
		}
	}
	return nil
}

// Safety gives the safety number that this person shares with another.
func (c *Client) Safety(ctx context.Context, user string) (SafetyView, error) {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return SafetyView{}, err
	}
	if err := c.refreshLog(ctx, u); err != nil {
		return SafetyView{}, err
	}
	if err := c.lock(); err != nil {
		return SafetyView{}, err
	}
	defer c.mu.Unlock()
	n := identity.NewSafetyNumber(c.device.User, u)
	return SafetyView{User: user, Name: c.nameOf(u), Trust: c.trust(u), Number: n.String(), QR: safetyQR(n)}, nil
}

// safetyPrefix tells a safety number's code from other ones that a camera meets.
const safetyPrefix = "sconce-safety:"

func safetyQR(n identity.SafetyNumber) string {
	return safetyPrefix + base64.RawURLEncoding.EncodeToString(n.QR())
}

// CheckSafety compares what a camera read on another person's screen with the
// safety number that this person has for them. False is an alarm; a code of
// another kind is an error.
func (c *Client) CheckSafety(ctx context.Context, user, scanned string) (same bool, err error) {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return false, err
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(scanned), safetyPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || err != nil {
		return false, errors.New("this is not the code of a safety number")
	}
	if err := c.refreshLog(ctx, u); err != nil {
		return false, err
	}
	if err := c.lock(); err != nil {
		return false, err
	}
	defer c.mu.Unlock()
	switch err := identity.NewSafetyNumber(c.device.User, u).CheckQR(raw); {
	case errors.Is(err, identity.ErrSafetyMismatch):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// refreshLog makes sure that a person's log is known, from the server if it
// can be reached.
func (c *Client) refreshLog(ctx context.Context, u identity.UserID) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	err := errors.Join(c.fetchLogs(ctx, []identity.UserID{u}), c.learnNames(ctx, []identity.UserID{u}))
	if lockErr := c.lock(); lockErr != nil {
		return lockErr
	}
	defer c.mu.Unlock()
	if c.knownLog(u) != nil {
		return nil
	}
	if err == nil {
		err = errors.New("there is no such person in this network")
	}
	return err
}

// MarkVerified records that safety numbers were compared and are the same, or
// takes that back. One's other devices are told.
func (c *Client) MarkVerified(ctx context.Context, user string, verified bool) error {
	u, err := identity.ParseUserID(user)
	if err != nil {
		return err
	}
	if err := c.refreshLog(ctx, u); err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	b := c.batch()
	note := content.Verified{User: u, Head: c.knownLog(u).Head(), At: c.after(c.person(u).At), Withdrawn: !verified}
	c.noteVerified(b, note)
	c.tellTrust(b, u)
	if err := c.tellSelf(b, note); err != nil {
		return err
	}
	c.kick()
	return b.apply()
}

// noteVerified takes over that somebody was verified, or is not any more, and
// reports whether that is news.
func (c *Client) noteVerified(b *batch, n content.Verified) bool {
	u := identity.UserID(n.User)
	p := c.person(u)
	if int64(n.At) < p.At || int64(n.At) == p.At && !(n.Withdrawn && p.verified()) {
		return false
	}
	p.Verified, p.At = n.Head, int64(n.At)
	if n.Withdrawn {
		p.Verified = identity.Hash{} // and a doubt stays
	} else {
		p.Changed = false
	}
	c.savePerson(b, u, p)
	return true
}

// tellTrust shows the rooms anew in which any of these people are: each shows how
// well its people are known.
func (c *Client) tellTrust(b *batch, users ...identity.UserID) {
	if len(users) == 0 {
		return
	}
	for _, r := range c.rooms {
		if r.Made && slices.ContainsFunc(usersOf(r.participants()), func(u identity.UserID) bool { return slices.Contains(users, u) }) {
			c.roomEvent(b, r)
		}
	}
}

// usersOf lists the people of a room.
func usersOf(p room.Participants) []identity.UserID {
	users := make([]identity.UserID, len(p.List))
	for i, q := range p.List {
		users[i] = q.User
	}
	return users
}
