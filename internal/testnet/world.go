package testnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/client/clienttest"
)

// World is one random run: who is there, what they did, and what that means for
// what must be true in the end.
type World struct {
	*Net
	random *rand.Rand
	steps  []string // what was done, for whoever looks for a failure's cause
	sent   []sentMessage
	lives  map[*Device]*life
	rooms  int
	linked int
	racing bool // somebody acts in the midst of another's change
	choosy bool // people choose how rooms are listed, and whom they verified, as they look at them
}

// sentMessage is a message whose Send returned nil.
type sentMessage struct {
	room, id, text string
	by             *Device
	step           int
	timed          bool
}

// life is what happened to a device's store.
type life struct {
	clone    *clienttest.Disk // an older copy; nil: none
	cloned   int              // at which step
	gaps     [][2]int         // steps that an old copy forgot
	restored bool
	events   <-chan client.Event
	oldCopy  bool // it said that its store is an old copy
	away     int  // steps until it is online again
}

// MaxDevices is how many devices a run may come to have.
const MaxDevices = 20

// shape is how many devices each person has when a run begins.
var shape = []int{3, 2, 1, 2, 3, 1, 2, 2}

// Population puts the people that runs begin with into an empty network.
func Population(t testing.TB, n *Net) *Net {
	t.Helper()
	for i, count := range shape {
		first := n.Person(fmt.Sprintf("p%d", i))
		for k := 1; k < count; k++ {
			if err := n.Link(first, n.Blank(first.Person, fmt.Sprintf("p%d/%d", i, k+1))); err != nil {
				t.Fatalf("linking: %v", err)
			}
		}
	}
	n.MustQuiet()
	return n
}

// NewWorld is a run of a seed that begins with a population.
func NewWorld(t testing.TB, from *Snapshot, seed uint64) *World {
	t.Helper()
	w := &World{Net: from.Resume(t, seed), random: rand.New(rand.NewPCG(seed, 2)), lives: map[*Device]*life{}}
	for _, d := range w.Devices {
		w.follow(d)
	}
	return w
}

func (w *World) follow(d *Device) {
	l := w.lives[d]
	if l == nil {
		l = &life{}
		w.lives[d] = l
	}
	l.events, _ = d.Client.Subscribe()
}

// drain looks at what the devices said.
func (w *World) drain() {
	for _, d := range w.Devices {
		l := w.lives[d]
		for more := true; more; {
			select {
			case e, ok := <-l.events:
				more = ok
				if strings.Contains(e.Problem, "old copy") {
					l.oldCopy = true
				}
			default:
				more = false
			}
		}
	}
}

// action is something that may happen, and how often.
type action struct {
	name   string
	weight int
	run    func(w *World, d *Device) error
}

var actions = []action{
	{"send", 30, (*World).send},
	{"sync", 36, func(_ *World, d *Device) error { return d.Sync() }},
	{"view", 6, (*World).view},
	{"new room", 4, (*World).newRoom},
	{"add", 5, (*World).add},
	{"remove", 3, (*World).remove},
	{"leave", 2, (*World).leave},
	{"direct", 4, (*World).direct},
	{"set room", 3, (*World).setRoom},
	{"set admin", 3, (*World).setAdmin},
	{"link", 2, (*World).link},
	{"remove device", 1, (*World).removeDevice},
	{"go away", 4, (*World).goAway},
	{"clock", 4, (*World).passTime},
	{"copy store", 2, (*World).copyStore},
	{"restore store", 1, (*World).restoreStore},
	{"restart server", 1, func(w *World, _ *Device) error { w.Restart(); return nil }},
	{"kill server", 1, func(w *World, _ *Device) error { w.Kill(); return nil }},
}

func (w *World) pick() action {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	at := w.random.IntN(total)
	for _, a := range actions {
		if at -= a.weight; at < 0 {
			return a
		}
	}
	panic("not reached: the weights are the total")
}

// Live lets a number of things happen, faults included.
func (w *World) Live(steps int, faults float64) {
	w.t.Helper()
	w.Wire.rate = faults
	if faults > 0 {
		w.Wire.before = w.interfere
	}
	for range steps {
		w.step(faults > 0)
	}
	w.Wire.rate, w.Wire.before = 0, nil
}

// interfere lets somebody else act in the moment between a change's making and
// its arrival, so that changes race.
func (w *World) interfere(l *Link, r request) {
	var req api.AppendRequest
	if w.racing || r.name != api.Append.Name || w.random.IntN(4) > 0 || api.Unmarshal(r.body, &req) != nil || req.Commit == nil {
		return
	}
	d := w.anyone()
	if d == l.device {
		return
	}
	w.racing = true
	defer func() { w.racing = false }()
	a := races[w.random.IntN(len(races))]
	err := a(w, d)
	w.Wire.note("meanwhile", d.Name, fmt.Sprint(err))
}

var races = []func(*World, *Device) error{
	(*World).setRoom, (*World).add, (*World).remove, (*World).leave, (*World).send, func(_ *World, d *Device) error { return d.Sync() },
}

func (w *World) step(faults bool) {
	w.t.Helper()
	a, d := w.pick(), w.anyone()
	crash := faults && w.random.IntN(12) == 0
	if crash {
		d.Disk.FailAfter(w.random.IntN(14), clienttest.Failures[w.random.IntN(len(clienttest.Failures))])
	}
	err := a.run(w, d)
	line := fmt.Sprintf("%d %s: %s, crash %v: %v", len(w.steps), d.Name, a.name, crash, err)
	w.steps = append(w.steps, line)
	w.Wire.note("step", line)
	if refused, ok := errors.AsType[*api.Error](err); ok && refused.Code == api.Internal {
		w.t.Errorf("step %s: an internal error of the server", line)
	}
	if crash {
		d.Reopen()
		w.follow(d)
	}
	w.drain()
	w.Clock.Advance(time.Duration(1+w.random.IntN(5)) * time.Second)
	w.Settle()
	w.markRemoved()
	w.comeBack()
}

// markRemoved notes which devices are out of their person's log by now, also
// when nobody heard the answer.
func (w *World) markRemoved() {
	for _, d := range w.Devices {
		if gone, err := w.server.deviceGone(d); err == nil && gone {
			d.Removed = true
		}
	}
}

// anyone picks a device that is still its person's.
func (w *World) anyone() *Device {
	for {
		if d := w.Devices[w.random.IntN(len(w.Devices))]; !d.Removed {
			return d
		}
	}
}

// aRoom picks one of a device's rooms that it has not left.
func (w *World) aRoom(d *Device, kind string) (client.RoomView, bool) {
	rooms, err := d.Client.Rooms()
	if err != nil {
		return client.RoomView{}, false
	}
	rooms = slices.DeleteFunc(rooms, func(r client.RoomView) bool { return r.Left || kind != "" && r.Kind != kind })
	slices.SortFunc(rooms, func(a, b client.RoomView) int { return strings.Compare(a.Room, b.Room) })
	if len(rooms) == 0 {
		return client.RoomView{}, false
	}
	return rooms[w.random.IntN(len(rooms))], true
}

var errNothing = errors.New("nothing to do")

func (w *World) send(d *Device) error {
	r, ok := w.aRoom(d, "")
	if !ok {
		return errNothing
	}
	draft := client.Draft{Text: fmt.Sprintf("message %d of %s in step %d", len(w.sent), d.Name, len(w.steps))}
	switch w.random.IntN(10) {
	case 0:
		draft.Expire = 30 + w.random.IntN(600)
	case 1:
		draft.Burn = 10 + w.random.IntN(100)
	case 2:
		if r.Kind == "group" && r.Admin {
			draft.Text += " " + client.MentionAll(d.Client.Me().Network, r.Room)
		}
	}
	if w.choosy && w.random.IntN(3) == 0 {
		if err := w.choose(d, r); err != nil {
			return err
		}
	}
	v, err := d.Client.Send(r.Room, draft)
	if err != nil {
		return err
	}
	timed := draft.Expire != 0 || draft.Burn != 0 || r.Expire != 0 || r.Burn != 0
	w.sent = append(w.sent, sentMessage{r.Room, v.ID, draft.Text, d, len(w.steps), timed})
	if w.random.IntN(3) > 0 {
		return d.Sync()
	}
	return nil
}

func (w *World) view(d *Device) error {
	r, ok := w.aRoom(d, "")
	if !ok {
		return errNothing
	}
	if w.choosy {
		if err := w.choose(d, r); err != nil {
			return err
		}
	}
	return d.Client.View(r.Room, r.Last)
}

// choose has a person change their mind about a room, on one of their devices.
func (w *World) choose(d *Device, r client.RoomView) error {
	yes := w.random.IntN(2) == 0
	switch w.random.IntN(3) {
	case 0:
		return d.Client.SetPreferences(r.Room, client.Preferences{Pinned: &yes})
	case 1:
		_, err := d.Client.SetSettings(client.SettingsChange{Typing: &yes})
		return err
	}
	if len(r.Members) == 0 {
		return nil
	}
	m := r.Members[w.random.IntN(len(r.Members))]
	if m.User == d.user.String() {
		return nil
	}
	return d.Client.MarkVerified(context.Background(), m.User, yes)
}

// somebody gives some people, as user ids.
func (w *World) somebody(count int) []string {
	var users []string
	for range count {
		u := w.Devices[w.random.IntN(len(w.Devices))].user.String()
		if !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	return users
}

// maxRooms keeps runs short: with few rooms more happens in each.
const maxRooms = 5

func (w *World) newRoom(d *Device) error {
	if w.rooms >= maxRooms {
		return errNothing
	}
	w.rooms++
	people := slices.DeleteFunc(w.somebody(1+w.random.IntN(5)), func(u string) bool { return u == d.user.String() })
	_, err := d.Client.NewRoom(context.Background(), fmt.Sprintf("room %d", w.rooms), people)
	return err
}

func (w *World) add(d *Device) error {
	r, ok := w.aRoom(d, "group")
	if !ok {
		return errNothing
	}
	return d.Client.AddPeople(context.Background(), r.Room, w.somebody(1+w.random.IntN(2)))
}

func (w *World) remove(d *Device) error {
	r, ok := w.aRoom(d, "group")
	if !ok || len(r.Members) < 2 {
		return errNothing
	}
	return d.Client.RemovePerson(context.Background(), r.Room, r.Members[w.random.IntN(len(r.Members))].User)
}

func (w *World) leave(d *Device) error {
	r, ok := w.aRoom(d, "group")
	if !ok || len(r.Members) < 3 {
		return errNothing
	}
	return d.Client.Leave(context.Background(), r.Room)
}

// direct opens a direct room from both ends at once: neither has heard of the other.
func (w *World) direct(d *Device) error {
	other := w.anyone()
	if other.user == d.user {
		return errNothing
	}
	_, err := d.Client.DirectRoom(context.Background(), other.user.String())
	_, otherErr := other.Client.DirectRoom(context.Background(), d.user.String())
	return errors.Join(err, otherErr)
}

func (w *World) setRoom(d *Device) error {
	r, ok := w.aRoom(d, "group")
	if !ok {
		return errNothing
	}
	s := client.RoomSettings{Name: fmt.Sprintf("renamed in step %d", len(w.steps))}
	if w.random.IntN(4) == 0 {
		s.Expire = 600
	}
	return d.Client.SetRoom(context.Background(), r.Room, s)
}

func (w *World) setAdmin(d *Device) error {
	r, ok := w.aRoom(d, "group")
	if !ok || len(r.Members) == 0 {
		return errNothing
	}
	m := r.Members[w.random.IntN(len(r.Members))]
	return d.Client.SetAdmin(context.Background(), r.Room, m.User, !m.Admin)
}

func (w *World) link(d *Device) error {
	if len(w.Devices) >= MaxDevices || d.Link.Offline {
		return errNothing
	}
	w.linked++
	rate := w.Wire.rate
	w.Wire.rate = 0 // a link that fails is begun anew by a person, which is no state of the network
	defer func() { w.Wire.rate = rate }()
	fresh := w.Blank(d.Person, fmt.Sprintf("%s/l%d", d.Person, w.linked))
	if err := w.Link(d, fresh); err != nil {
		return err
	}
	w.follow(fresh)
	return nil
}

func (w *World) removeDevice(d *Device) error {
	var other *Device
	for _, x := range w.Devices {
		if x.user == d.user && x != d && !x.Removed {
			other = x
		}
	}
	if other == nil {
		return errNothing
	}
	return d.Client.RemoveDevice(context.Background(), other.id.String())
}

func (w *World) goAway(d *Device) error {
	d.Link.Offline = true
	w.lives[d].away = 5 + w.random.IntN(60)
	return nil
}

func (w *World) comeBack() {
	for _, d := range w.Devices {
		l := w.lives[d]
		if l.away > 0 {
			l.away--
			d.Link.Offline = l.away > 0
		}
	}
}

func (w *World) passTime(*Device) error {
	spans := []time.Duration{time.Minute, 20 * time.Minute, 3 * time.Hour, 30 * time.Hour}
	w.Advance(spans[w.random.IntN(len(spans))])
	return nil
}

func (w *World) copyStore(d *Device) error {
	l := w.lives[d]
	l.clone, l.cloned = d.Disk.Clone(), len(w.steps)
	return nil
}

// restoreStore puts a device's disk back to an older copy, store and keyring both.
func (w *World) restoreStore(*Device) error {
	for _, d := range w.Devices {
		l := w.lives[d]
		if l.clone == nil || d.Removed {
			continue
		}
		l.gaps = append(l.gaps, [2]int{l.cloned, len(w.steps)})
		_ = d.Client.Close()
		d.Disk = l.clone.Clone()
		d.Open()
		l.clone, l.restored = nil, true
		w.follow(d)
		return nil
	}
	return errNothing
}
