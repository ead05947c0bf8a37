package testnet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
	"sconce/internal/duty"
)

// Check lets the world come to rest without faults, and gives everything that is
// not as it must be.
func (w *World) Check() (wrong []string) {
	for _, d := range w.Devices {
		d.Link.Offline = false
	}
	w.Wire.release(context.Background())
	w.markRemoved()
	w.Advance(20 * time.Second)
	if err := w.Quiet(); err != nil {
		return []string{err.Error()}
	}
	w.Advance(3 * time.Hour) // every timer of the run is over
	w.drain()
	c := &check{World: w, windows: map[*Device]map[string]api.RoomStatus{}, shown: map[*Device]map[string][]client.MessageView{}}
	c.look()
	c.rooms()
	c.stores()
	c.messages()
	c.choices()
	return c.wrong
}

// choices checks that what a person chose is the same on all of their devices.
func (c *check) choices() {
	type choice struct {
		pinned, typing bool
		trust          string
	}
	for id, digests := range c.digests {
		of := map[string]*Device{}
		chosen := map[*Device]choice{}
		for _, d := range c.Devices {
			if r, ok := digests[d]; !ok || !r.Member || r.Kind == "self" {
				continue
			}
			v, err := d.Client.Room(id)
			if err != nil {
				c.fail("%s: %v", d.Name, err)
				continue
			}
			s, err := d.Client.Settings()
			if err != nil {
				c.fail("%s: %v", d.Name, err)
			}
			x := choice{pinned: v.Pinned, typing: s.Typing}
			for _, m := range v.Members {
				x.trust += string(m.Trust) + " "
			}
			chosen[d] = x
			first, ok := of[d.Person]
			if !ok {
				of[d.Person] = d
			} else if chosen[first] != x {
				c.fail("in %s %s and %s show other choices: %+v, %+v", id, first.Name, d.Name, chosen[first], x)
			}
		}
	}
}

// check is a world under examination.
type check struct {
	*World
	wrong   []string
	digests map[string]map[*Device]client.RoomDigest // by room
	windows map[*Device]map[string]api.RoomStatus
	shown   map[*Device]map[string][]client.MessageView
}

func (c *check) fail(format string, args ...any) {
	if len(c.wrong) < 20 {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

// look gathers what every device and the server say.
func (c *check) look() {
	c.digests = map[string]map[*Device]client.RoomDigest{}
	for _, d := range c.Devices {
		if d.Removed {
			continue
		}
		digest, err := d.Client.Digest()
		if err != nil {
			c.fail("%s: %v", d.Name, err)
			continue
		}
		c.shown[d] = map[string][]client.MessageView{}
		if c.windows[d], err = c.server.windows(d); err != nil {
			c.fail("%s: %v", d.Name, err)
		}
		for _, r := range digest {
			if !c.windows[d][r.Room].Member && r.Member && c.lives[d].restored {
				continue // an old copy of a member who was taken out: it can't know, and says so
			}
			if c.digests[r.Room] == nil {
				c.digests[r.Room] = map[*Device]client.RoomDigest{}
			}
			c.digests[r.Room][d] = r
			if r.Kind == "self" {
				continue
			}
			list, err := d.Client.Messages(r.Room, 0, 0)
			if err != nil {
				c.fail("%s: %v", d.Name, err)
			}
			c.shown[d][r.Room] = list
		}
	}
}

// wasHidden begins the alarm of a device that the server told that it was out of a
// room. An old copy of a member who was taken out and let in again was told so
// rightly, and can't know.
const wasHidden = "For a while the server said that you were not in this room"

// rooms checks that the members of a room agree, and that nobody is left outside.
func (c *check) rooms() {
	pairs := map[string]string{}
	for _, id := range sortedKeys(c.digests) {
		var first *Device
		for _, d := range c.Devices {
			r, ok := c.digests[id][d]
			if !ok {
				continue
			}
			if r.Alarm != "" && !(c.lives[d].restored && strings.HasPrefix(r.Alarm, wasHidden)) {
				c.fail("%s has an alarm in %s: %s", d.Name, id, r.Alarm)
			}
			if !r.Member {
				continue
			}
			if r.Queued > 0 || r.Change || r.Waiting != "" && !strings.Contains(r.Waiting, "name") {
				c.fail("%s is not at rest in %s: %d messages queued, change in flight %v, waiting %q", d.Name, id, r.Queued, r.Change, r.Waiting)
			}
			if first == nil {
				first = d
			}
			want := c.digests[id][first]
			if r.Generation != want.Generation || r.Epoch != want.Epoch || r.Keys != want.Keys || r.Place != want.Place ||
				r.Log != want.Log || !slices.Equal(r.People, want.People) {
				c.fail("in %s %s and %s disagree:\n%+v\n%+v", id, first.Name, d.Name, want, r)
			}
		}
		if first == nil {
			continue
		}
		r := c.digests[id][first]
		if r.Kind == "direct" {
			pair := strings.Join(r.People, " ")
			if other, ok := pairs[pair]; ok && len(r.People) == 2 {
				c.fail("the same two people have the direct rooms %s and %s", other, id)
			}
			pairs[pair] = id
		}
		for _, d := range c.Devices {
			if !d.Removed && slices.Contains(r.People, d.user.String()) && !c.digests[id][d].Member {
				c.fail("%s is outside of %s, in which its person is: %+v", d.Name, id, c.digests[id][d])
			}
		}
	}
}

// stores checks that who says to be an old copy is one.
func (c *check) stores() {
	for _, d := range c.Devices {
		if l := c.lives[d]; l.oldCopy && !l.restored {
			c.fail("%s believes that its store is an old copy, and it is not", d.Name)
		}
	}
}

// place is where a message stands.
type place struct {
	room string
	seq  int
}

// messages checks what is shown: every acknowledged message, once, in one order,
// to everyone who was there, and nothing that has run out.
func (c *check) messages() {
	log := map[place]client.MessageView{}
	at := map[string]place{} // by text, which is a message's own
	failed := map[string]*Device{}
	now := int(c.Clock.Now().UnixMilli())
	for _, d := range c.Devices {
		for _, room := range sortedKeys(c.shown[d]) {
			seen := map[string]bool{}
			for _, m := range c.shown[d][room] {
				switch {
				case m.State == client.Failed:
					failed[m.Text] = d
				case m.State == client.Unknown && !c.lives[d].restored && c.stayed(d, room):
					c.fail("%s does not know whether %q was sent, and has been in the room all along", d.Name, m.Text)
				}
				if m.Kind == "unreadable" {
					c.fail("%s can't read the message at %d in %s: %s", d.Name, m.Seq, room, m.Problem)
				}
				if m.Kind != "text" || m.Seq == 0 {
					continue
				}
				if m.Expires != 0 && m.Expires <= now {
					c.fail("%s shows %q, which ran out", d.Name, m.Text)
				}
				if seen[m.Text] {
					c.fail("%s shows %q twice", d.Name, m.Text)
				}
				seen[m.Text] = true
				p := place{room, m.Seq}
				if other, ok := log[p]; ok && !m.Mine && !other.Mine && other.MentionsAll != m.MentionsAll {
					c.fail("%s shows that %q at %d in %s mentions everyone: %t; somebody else does not", d.Name, m.Text, m.Seq, room, m.MentionsAll)
				}
				if other, ok := log[p]; ok && (other.ID != m.ID || other.Text != m.Text || other.Sender != m.Sender) {
					c.fail("%s shows %q at %d in %s, somebody else %q", d.Name, m.Text, m.Seq, room, other.Text)
				}
				log[p] = m
				if was, ok := at[m.Text]; ok && was != p {
					c.fail("%q stands at %v and at %v", m.Text, was, p)
				}
				at[m.Text] = p
			}
		}
	}
	for _, s := range c.sent {
		if d, ok := failed[s.text]; ok && at[s.text] != (place{}) {
			c.fail("%s says that %q could not be sent, and it stands at %v", d.Name, s.text, at[s.text])
		}
		if p, ok := at[s.text]; ok && !s.timed {
			c.everywhere(s, p)
		} else if !ok {
			c.excused(s)
		}
	}
}

// stayed reports whether a device is in a room, and nothing that it shows is from
// before it last came in.
func (c *check) stayed(d *Device, room string) bool {
	i := slices.IndexFunc(c.shown[d][room], func(m client.MessageView) bool { return m.Seq != 0 })
	return c.digests[room][d].Member && i >= 0 && uint64(c.shown[d][room][i].Seq) >= c.windows[d][room].From
}

// everywhere checks that all devices that were there have a message.
func (c *check) everywhere(s sentMessage, p place) {
	for _, d := range c.Devices {
		r, ok := c.digests[p.room][d]
		if !ok || !r.Member || c.windows[d][p.room].From > uint64(p.seq) {
			continue
		}
		if !slices.ContainsFunc(c.shown[d][p.room], func(m client.MessageView) bool { return m.Seq == p.seq && m.Text == s.text }) {
			c.fail("%s does not show %q at %d in %s, and was there from %d", d.Name, s.text, p.seq, p.room, c.windows[d][p.room].From)
		}
	}
}

// excused checks that a message that stands nowhere has a reason not to: it ran
// out, its device was taken out of the room or of its person's devices, or lost
// it with the store.
func (c *check) excused(s sentMessage) {
	if s.timed || s.by.Removed || !c.digests[s.room][s.by].Member {
		return
	}
	for _, gap := range c.lives[s.by].gaps {
		if gap[0] <= s.step && s.step <= gap[1] {
			return
		}
	}
	for _, m := range c.shown[s.by][s.room] {
		if m.ID == s.id && m.State.GivenUp() {
			return
		}
	}
	c.fail("%s sent %q in step %d to %s, and nobody has it", s.by.Name, s.text, s.step, s.room)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// windows tells what the server lets a device read, by room.
func (s *Server) windows(d *Device) (map[string]api.RoomStatus, error) {
	resp, err := s.delivery.Rooms(context.Background(), duty.Caller{User: api.UserID(d.user), Device: api.DeviceID(d.id)}, &api.RoomsRequest{})
	if err != nil {
		return nil, err
	}
	all := map[string]api.RoomStatus{}
	for _, r := range resp.Rooms {
		all[fmt.Sprintf("%x", r.Room[:])] = r
	}
	return all, nil
}

// deviceGone reports whether a device is out of its person's log.
func (s *Server) deviceGone(d *Device) (bool, error) {
	log, err := s.devices.Log(context.Background(), identity.UserID(d.user))
	if err != nil || log == nil {
		return false, err
	}
	return !log.Active(d.id), nil
}
