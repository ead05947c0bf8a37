package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"sconce/api"
	"sconce/content"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// hashesKept is how many places of a log's running hash are kept to compare
// with what senders saw.
const hashesKept = 4096

// gapError says that entries do not follow on what was processed.
type gapError struct{ have, got uint64 }

func (e *gapError) Error() string {
	return fmt.Sprintf("the log goes on at %d, this device is at %d", e.got, e.have)
}

// process takes entries of a room's log into account, in order, all that it
// can, and saves the outcome in one Apply. Entries it has seen are passed over.
// A [*room.MissingLogsError] asks for device logs, and a [*gapError] says that
// the entries do not follow; what came before is then saved.
func (c *Client) process(r *roomState, entries []api.Entry) error {
	b := c.batch()
	var stop error
	for i := range entries {
		e := &entries[i]
		if e.Seq <= r.Cursor {
			continue
		}
		if e.Seq != r.Cursor+1 {
			stop = &gapError{r.Cursor, e.Seq}
			break
		}
		if stop = c.step(b, r, e); stop != nil {
			break
		}
		r.Hash = api.Chain(r.Hash, e.Sum())
		r.Cursor = e.Seq
		b.put(r.keyOf(prefixHash, u64(e.Seq)), slices.Clone(r.Hash[:])) // the array goes on with the next entry
		if e.Seq > hashesKept {
			b.delete(r.keyOf(prefixHash, u64(e.Seq-hashesKept)))
		}
	}
	if r.group != nil {
		c.saveGroup(b, r)
	}
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	b.reached = true
	if err := b.apply(); err != nil {
		return err
	}
	return stop
}

// step processes one entry. When it fails nothing has changed.
func (c *Client) step(b *batch, r *roomState, e *api.Entry) error {
	if _, err := c.openGroup(r); err != nil {
		return err
	}
	if e.Sender == c.deviceID() && !e.Gone {
		return c.ownEntry(b, r, e)
	}
	if e.Gone {
		// Whose it was and whether it changed the keys cannot be known any more.
		// It may even be this device's own, if its store is an old copy, so
		// nothing goes out before it has fresh keys.
		c.missed(b, r, e.Seq)
		c.missOutbox(b, r)
		if r.Member && r.Stuck == "" {
			r.Stuck = whyGone
		}
		return nil
	}
	if e.Kind == api.EntryGeneration {
		return c.newGeneration(b, r, e)
	}
	switch {
	case r.group == nil || e.Generation != r.Generation || r.Broken:
		// On the way in, or waiting for a person: this is for others.
		c.missed(b, r, e.Seq)
		return nil
	case r.Stuck != "":
		return c.followStuck(b, r, e)
	}
	return c.foreignEntry(b, r, e)
}

// whyGone is why a device rejoins that was away for longer than the server kept
// a message.
const whyGone = "what came while this device was away is gone"

// followStuck follows what changes the group as far as that goes, though this
// device waits to come in again with fresh keys: so it learns who took it out
// meanwhile, and does not fall behind what it has seen of the people. Messages
// are for it only where something before them is gone, which need not have
// changed the keys: a message with a timer goes early, and must not take along
// those without. An old copy may have read them before, and what burned since
// must not come back.
func (c *Client) followStuck(b *batch, r *roomState, e *api.Entry) error {
	m, err := mls.ParseMessage(e.Message)
	if err != nil || e.Kind == api.EntryApplication && r.Stuck != whyGone {
		c.missed(b, r, e.Seq)
		return nil
	}
	ev, err := r.group.Process(m, timeOf(e.Time))
	if missing, ok := errors.AsType[*room.MissingLogsError](err); ok {
		return missing
	}
	if err != nil {
		c.missed(b, r, e.Seq)
		return nil
	}
	switch ev := ev.(type) {
	case *mls.ApplicationMessage:
		return c.message(b, r, e, ev)
	case *mls.StagedCommit:
		return c.mergeCommit(b, r, e, ev)
	}
	return nil
}

// missed notes an entry that this device will never be able to read. Runs of
// them show as one gap.
func (c *Client) missed(b *batch, r *roomState, seq uint64) {
	if r.Kind == room.Self || r.group == nil && !r.Left && r.Stuck == "" {
		return
	}
	if it, err := c.readItem(b, r, seq-1); err == nil && it != nil && it.Kind == kindGap {
		b.delete(r.keyOf(prefixItem, u64(seq-1)))
	}
	c.addItem(b, r, seq, &itemRecord{Time: c.now(), Kind: kindGap, Text: "messages are missing here"})
}

// foreignEntry processes an entry of somebody else's in the current group.
func (c *Client) foreignEntry(b *batch, r *roomState, e *api.Entry) error {
	m, err := mls.ParseMessage(e.Message)
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	ev, err := r.group.Process(m, timeOf(e.Time)) // the same for all, whenever they read it
	if missing, ok := errors.AsType[*room.MissingLogsError](err); ok {
		return missing
	}
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	switch ev := ev.(type) {
	case *mls.ApplicationMessage:
		return c.message(b, r, e, ev)
	case *mls.ProposalReceived:
		return nil // pending; housekeeping commits it
	case *mls.StagedCommit:
		return c.mergeCommit(b, r, e, ev)
	}
	return nil
}

// cannotProcess decides what an entry means that does not process. A message
// is skipped. A commit that this device can't open means that it must rejoin;
// one that breaks a rule means that the server put into order what it should
// have refused.
func (c *Client) cannotProcess(b *batch, r *roomState, e *api.Entry, err error) error {
	c.log.Info("entry can't be processed", "kind", e.Kind, "err", err)
	switch e.Kind {
	case api.EntryApplication:
		return c.unreadable(b, r, arrival{seq: e.Seq, time: e.Time}, "this message could not be decrypted")
	case api.EntryProposal:
		return nil
	}
	if errors.Is(err, mls.ErrCannotDecrypt) {
		r.Stuck = "a change of keys could not be opened here"
		c.notice(b, r, e.Seq, e.Time, identity.UserID{}, noticeRecord{What: HappenedJoined}, "This device could not follow a change of keys and joins again.")
		return nil
	}
	if _, ok := errors.AsType[*mls.EpochError](err); ok {
		r.Stuck = "a change of keys is missing here"
		return nil
	}
	r.Stuck, r.Broken = "a change that breaks the room's rules was put into order", true
	c.alarm(b, r, "The server let a change into this room that breaks its rules: %v. Compare safety numbers before you go on.", err)
	return nil
}

// message delivers a decrypted message.
func (c *Client) message(b *batch, r *roomState, e *api.Entry, m *mls.ApplicationMessage) error {
	leaf := r.group.Member(m.Sender)
	cred, err := room.CredentialOf(leaf)
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	a := arrival{seq: e.Seq, time: c.stamp(r, e), user: cred.User}
	if cred.User == c.device.User {
		c.sawDevice(b, cred.Device, min(a.time, c.now()))
	}
	if api.DeviceID(cred.Device) != e.Sender {
		c.alarm(b, r, "The server or a member passed a message off as another device's.")
	}
	f, err := content.ParseFrame(m.Data)
	if err != nil {
		return c.unreadable(b, r, a, "a message in a form that this version can't read")
	}
	if err := c.checkPlace(b, r, e, cred.User, f.Place); err != nil {
		return err
	}
	msg, err := content.Decode(f.Message)
	if err != nil {
		return c.unreadable(b, r, a, "a message in a form that this version can't read")
	}
	if err := msg.CheckDate(timeOf(e.Time)); err != nil {
		return c.unreadable(b, r, a, "a message with an impossible date")
	}
	return c.deliver(b, r, a, msg)
}

// stamp is the server's time of an entry as timers count it: never before that
// of an earlier entry, nor before 1970 or long after now, whatever the server says.
func (c *Client) stamp(r *roomState, e *api.Entry) int64 {
	r.Stamp = max(r.Stamp, c.believed(e.Time))
	return r.Stamp
}

// stampAhead is how far a stamp may be ahead of what this device takes for the
// server's time, in milliseconds.
const stampAhead = 24 * 3600_000

// believed is a time of the server's as far as it can be shown.
func (c *Client) believed(at int64) int64 { return max(1, min(at, c.serverTime()+stampAhead)) }

// checkPlace compares what the sender had seen of the log with what this
// device has: that is how a server that drops, reorders or forks is caught.
func (c *Client) checkPlace(b *batch, r *roomState, e *api.Entry, from identity.UserID, p content.Place) error {
	if p.Seq >= e.Seq {
		c.alarm(b, r, "The server moved a message of %s, or they claim to have seen what was not there yet.", c.nameOf(from))
		return nil
	}
	ours, ok, err := c.chainAt(b, r, p.Seq)
	if err != nil {
		return err
	}
	if ok && ours != p.Hash {
		c.alarm(b, r, "The server shows this room differently to %s than to you, or they claim so: something was left out, moved or forked before place %d.", c.nameOf(from), p.Seq+1)
	}
	return nil
}

// ownEntry meets an entry that this very device sent.
func (c *Client) ownEntry(b *batch, r *roomState, e *api.Entry) error {
	s, err := c.loadStaged(r)
	if err != nil {
		return err
	}
	if s != nil {
		req, err := s.request()
		if err != nil {
			return err
		}
		if req.ID == e.ID && bytes.Equal(req.Message, e.Message) && (s.Join || s.Group != nil || r.group != nil && r.Stuck == "") {
			return c.mergeOwn(b, r, e, s)
		}
	}
	for _, o := range r.outbox {
		if o.ID != e.ID {
			continue
		}
		if !bytes.Equal(o.Sealed, e.Message) {
			c.oldCopy(b, r) // it was encrypted by a later state of this store
		}
		return c.sentMessage(b, r, e, o)
	}
	if e.Kind == api.EntryProposal {
		return c.ownProposal(b, r, e)
	}
	// This store does not know what this device once sent.
	c.oldCopy(b, r)
	c.missed(b, r, e.Seq)
	return nil
}

// oldCopy notes that this device's store was put back to an old copy. Ratchet
// keys that it holds were used, so nothing goes out before it has fresh ones.
func (c *Client) oldCopy(b *batch, r *roomState) {
	if r.Stuck != "" || !r.Member {
		return
	}
	r.Stuck = "this device's store is an old copy"
	c.saveRoom(b, r)
	c.roomEvent(b, r)
	b.event(Event{Problem: "This device's store was put back to an old copy. It joins its rooms again with fresh keys."})
}

// ownProposal takes a proposal of one's own into the group's pending ones.
func (c *Client) ownProposal(b *batch, r *roomState, e *api.Entry) error {
	if r.group == nil || r.Stuck != "" || e.Generation != r.Generation {
		return nil
	}
	m, err := mls.ParseMessage(e.Message)
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	_, err = r.group.Process(m, timeOf(e.Time))
	if err != nil && !errors.Is(err, mls.ErrOwnMessage) {
		return c.cannotProcess(b, r, e, err)
	}
	return nil
}

// sentMessage moves a message from the outbox to its place in the timeline.
func (c *Client) sentMessage(b *batch, r *roomState, e *api.Entry, o *outboxEntry) error {
	if o.Message == nil { // it ran out while it was on its way
		c.dropOutbox(b, r, o)
		return nil
	}
	msg, err := content.Decode(o.Message)
	if err != nil {
		return fmt.Errorf("own message: %w", err)
	}
	a := arrival{seq: e.Seq, time: c.stamp(r, e), user: c.device.User, mine: true}
	if err := c.deliver(b, r, a, msg); err != nil {
		return err
	}
	c.dropOutbox(b, r, o)
	return nil
}

// mergeOwn merges the own commit in flight, now that the log holds it.
func (c *Client) mergeOwn(b *batch, r *roomState, e *api.Entry, s *stagedRecord) error {
	defer c.dropStaged(b, r)
	r.won = e.ID
	if s.Group != nil {
		return c.enterGeneration(b, r, s)
	}
	if s.Join {
		staged, err := mls.ParseStagedJoin(c.mlsConfig(), s.Commit)
		if err != nil {
			return err
		}
		g, err := staged.Group()
		if err != nil {
			return err
		}
		r.Generation = e.Generation
		before := r.participants()
		r.Gather = r.Gather || r.Member && r.Kind == room.Group
		if err := c.replaceGroup(b, r, g); err != nil {
			return err
		}
		if r.Kind == room.Self {
			c.planTelling(r, c.credential())
		}
		if len(before.List) > 0 { // what changed meanwhile, this device did not see judged
			c.tellChanges(b, r, e, before, r.participants(), identity.UserID{})
		}
		return nil
	}
	staged, err := r.group.ParseStaged(s.Commit)
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	if s.State != nil {
		if next, err := content.DecodeRoomState(s.State); err == nil {
			c.tellSettings(b, r, e.Seq, e.Time, c.device.User, *next)
		}
		r.State = s.State
	}
	if err := c.mergeCommit(b, r, e, staged); err != nil || s.State == nil || r.group == nil {
		return err
	}
	return c.resendState(b, r)
}

// mergeCommit takes a verified commit that the log has put into order.
func (c *Client) mergeCommit(b *batch, r *roomState, e *api.Entry, s *mls.StagedCommit) error {
	before := r.participants()
	view := s.View()
	if err := r.group.Merge(s); err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	if st, err := c.loadStaged(r); err != nil {
		return err
	} else if st != nil && !s.Own() {
		c.dropStaged(b, r) // made for an epoch that is over
	}
	by, err := room.CredentialOf(view.CommitterLeaf)
	if err != nil {
		return err
	}
	if r.group.Removed() {
		if by.User == c.device.User && c.stillMine() {
			r.Leaver = by.Device
			r.Leaving = true // another device of this person leaves the room for all of them
		}
		c.notice(b, r, e.Seq, e.Time, by.User, c.removedNotice(r), "%s", c.removedText(r, by.User))
		c.failOutbox(b, r, "this device is no longer in the room")
		if err := c.replaceGroup(b, r, nil); err != nil {
			return err
		}
		r.Left, r.Stuck = true, ""
		r.shown()
		return nil
	}
	if err := c.rememberParticipants(r); err != nil {
		return err
	}
	c.tellChanges(b, r, e, before, r.participants(), by.User)
	for _, q := range r.participants().List {
		if _, was := before.Find(q.User); !was {
			if err := c.cameIn(b, r, q.User, e.Seq); err != nil {
				return err
			}
		}
	}
	switch {
	case r.Kind == room.Self:
		if view.External || len(view.Removed) > 0 {
			c.planTelling(r, by)
		}
	case view.External && !s.Own():
		c.planAnswer(r, mls.LeafIndex(view.Committer.Index))
	case s.Own() && len(view.Added) > 0:
		return c.resendState(b, r)
	}
	return nil
}

// answerStep is how much longer each further member waits before it tells a
// newcomer the room's state, in milliseconds. Whoever sees it told keeps quiet.
const answerStep = 1500

// planAnswer plans to tell a device that let itself in the room's name and
// settings, which the server can't.
func (c *Client) planAnswer(r *roomState, newcomer mls.LeafIndex) {
	if !r.stateTold() {
		return
	}
	rank := int64(0)
	for i := range r.group.Members() {
		if i == r.group.Own() {
			break
		}
		if i != newcomer {
			rank++
		}
	}
	r.Answer = c.now() + rank*answerStep
}

// stillMine reports whether this device is one of its person's, as far as it knows.
func (c *Client) stillMine() bool { return c.isMine(c.deviceID()) }

// isMine reports whether a device is one of this person's, as far as is known.
func (c *Client) isMine(id identity.DeviceID) bool {
	log := c.knownLog(c.device.User)
	return log != nil && log.Active(id)
}

func (c *Client) removedText(r *roomState, by identity.UserID) string {
	if r.Leaving {
		return "You left."
	}
	return "You were removed by " + c.nameOf(by) + "."
}

func (c *Client) removedNotice(r *roomState) noticeRecord {
	n := noticeRecord{What: HappenedRemoved, Who: []identity.UserID{c.device.User}}
	if r.Leaving {
		n.What = HappenedLeft
	}
	return n
}

// tellChanges puts what a commit changed among the people into the timeline.
func (c *Client) tellChanges(b *batch, r *roomState, e *api.Entry, before, after room.Participants, by identity.UserID) {
	var text []string
	var n noticeRecord
	for _, q := range after.List {
		old, was := before.Find(q.User)
		switch {
		case !was && r.Kind == room.Direct:
			n.add(HappenedStarted, q.User)
			text = append(text, c.nameOf(by)+" started this conversation.")
		case !was:
			n.add(HappenedAdded, q.User)
			text = append(text, fmt.Sprintf("%s was added by %s.", c.nameOf(q.User), c.nameOf(by)))
		case old.Role != q.Role:
			what, says := HappenedMember, "%s is no admin any more: changed by %s."
			if q.Role == room.Admin {
				what, says = HappenedAdmin, "%s was made an admin by %s."
			}
			n.add(what, q.User)
			text = append(text, fmt.Sprintf(says, c.nameOf(q.User), c.nameOf(by)))
		case old.Pin != q.Pin:
			n.add(HappenedDevice, q.User)
			text = append(text, fmt.Sprintf("The devices of %s changed.", c.nameOf(q.User)))
		}
	}
	for _, q := range before.List {
		if _, stays := after.Find(q.User); stays {
			continue
		}
		if q.User == by {
			n.add(HappenedLeft, q.User)
			text = append(text, c.nameOf(q.User)+" left.")
		} else {
			n.add(HappenedRemoved, q.User)
			text = append(text, c.nameOf(q.User)+" left or was removed.")
		}
	}
	for i, t := range text {
		if i == 5 {
			t = fmt.Sprintf("and %d more changes", len(text)-i)
		}
		if i > 5 {
			break
		}
		text[i] = t
	}
	if len(text) > 0 {
		c.notice(b, r, e.Seq, e.Time, by, n, "%s", joinText(text[:min(len(text), 6)]))
	}
}

// maxNoticed is how many people a notice names.
const maxNoticed = 50

// add notes what happened to somebody. A notice says one thing: of several it
// leaves the telling to its text.
func (n *noticeRecord) add(what Happening, who identity.UserID) {
	if n.What != "" && n.What != what {
		what = HappenedOther
	}
	n.What = what
	if len(n.Who) < maxNoticed {
		n.Who = append(n.Who, who)
	}
}

// tellSettings puts into the timeline what somebody changed of a room's settings,
// if this device knew them before.
func (c *Client) tellSettings(b *batch, r *roomState, seq uint64, time int64, by identity.UserID, s content.RoomState) {
	old := r.state()
	if r.State == nil && r.Kind != room.Direct {
		return // it learns them
	}
	switch {
	case old.Expire != s.Expire || old.Burn != s.Burn:
		c.notice(b, r, seq, time, by, noticeRecord{What: HappenedTimer, Expire: s.Expire, Burn: s.Burn},
			"%s set the timers: %s.", c.nameOf(by), timersText(s.Expire, s.Burn))
	case old.Name != s.Name:
		c.notice(b, r, seq, time, by, noticeRecord{What: HappenedNamed, Name: s.Name}, "%s named the room %q.", c.nameOf(by), s.Name)
	}
}

// timersText says two timers in words.
func timersText(expire, burn uint32) string {
	switch {
	case expire == 0 && burn == 0:
		return "messages stay"
	case burn == 0:
		return "messages go after " + durationText(expire)
	case expire == 0:
		return "messages burn " + durationText(burn) + " after they were read"
	}
	return "messages go after " + durationText(expire) + ", and burn " + durationText(burn) + " after they were read"
}

func durationText(seconds uint32) string {
	for _, u := range []struct {
		in   uint32
		name string
	}{{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		if n := seconds / u.in; n*u.in == seconds && n > 0 {
			if n == 1 {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return "no time"
}

func joinText(parts []string) (s string) {
	for i, p := range parts {
		if i > 0 {
			s += " "
		}
		s += p
	}
	return s
}

// newGeneration meets the beginning of a new MLS group for the room, which
// this device has to join by itself.
func (c *Client) newGeneration(b *batch, r *roomState, e *api.Entry) error {
	if e.Generation != r.Generation+1 {
		c.missed(b, r, e.Seq)
		return nil
	}
	gi, err := mls.ParseGroupInfo(e.Message)
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	p, err := room.ParticipantsOf(&gi.Context)
	if err != nil {
		return c.cannotProcess(b, r, e, err)
	}
	if r.group != nil && r.Stuck == "" { // else this device does not know what it follows on
		if err := room.CheckFollows(gi, r.group.Context()); err != nil || !samePeople(p, r.participants()) {
			r.Stuck, r.Broken = "a new generation of this room began with other people or settings", true
			c.alarm(b, r, "The server let a new generation of this room begin with other people or settings.")
			return nil
		}
	}
	r.Generation = e.Generation
	r.Stuck = "the room goes on with fresh keys for everybody"
	return nil
}

func samePeople(a, b room.Participants) bool {
	return slices.EqualFunc(a.List, b.List, func(x, y room.Participant) bool { return x.User == y.User && x.Role == y.Role })
}
