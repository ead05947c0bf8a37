package client

import (
	"errors"
	"fmt"
	"slices"

	"sconce/content"
	"sconce/room"
)

// Preferences are how a person wants a room listed. What is nil stays.
type Preferences struct {
	Pinned *bool   `json:"pinned,omitempty"`
	Notify *Notify `json:"notify,omitempty"`
}

var notifyNames = []Notify{content.NotifyAll: NotifyAll, content.NotifyMentions: NotifyMentions, content.NotifyNone: NotifyNone}

// SetPreferences says how the person wants a room listed, on all their devices.
func (c *Client) SetPreferences(id string, p Preferences) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return err
	}
	n := content.Preference{Room: r.id, Pinned: r.Pinned, Notify: r.Notify, At: c.after(r.Prefered)}
	if p.Pinned != nil {
		n.Pinned = *p.Pinned
	}
	if p.Notify != nil {
		i := slices.Index(notifyNames, *p.Notify)
		if i < 0 {
			return fmt.Errorf("notify is %q, %q or %q", NotifyAll, NotifyMentions, NotifyNone)
		}
		n.Notify = content.Notify(i)
	}
	b := c.batch()
	c.takePreference(b, n)
	if err := c.tellSelf(b, n); err != nil {
		return err
	}
	c.kick()
	return b.apply()
}

// after gives a time for a choice that replaces one of an earlier time, also
// where the device that made that had its clock ahead.
func (c *Client) after(earlier int64) uint64 { return uint64(max(c.serverTime(), earlier+1)) }

// takePreference takes a preference over, unless a later one is known.
func (c *Client) takePreference(b *batch, n content.Preference) {
	r, ok := c.rooms[room.ID(n.Room)]
	if !ok || r.Kind == room.Self || int64(n.At) < r.Prefered {
		return
	}
	if int64(n.At) == r.Prefered && (r.Pinned && !n.Pinned || r.Pinned == n.Pinned && r.Notify >= n.Notify) {
		return
	}
	r.Pinned, r.Notify, r.Prefered = n.Pinned, n.Notify, int64(n.At)
	c.changed(b, r)
}

// maxIdleLock is a day.
const maxIdleLock = 24 * 60 * 60

// Settings gives the person's choices.
func (c *Client) Settings() (Settings, error) {
	if err := c.lock(); err != nil {
		return Settings{}, err
	}
	defer c.mu.Unlock()
	return c.settings.view(), nil
}

func (s *settingsRecord) view() Settings {
	return Settings{Receipts: !s.NoReceipts, Typing: !s.NoTyping, Previews: s.Previews, IdleLock: s.IdleLock}
}

// SettingsChange is a change of [Settings]. What is nil stays.
type SettingsChange struct {
	Receipts *bool `json:"receipts,omitempty"`
	Typing   *bool `json:"typing,omitempty"`
	Previews *bool `json:"previews,omitempty"`
	IdleLock *int  `json:"idleLock,omitempty"`
}

// SetSettings changes the person's choices, and gives them as they are then.
func (c *Client) SetSettings(p SettingsChange) (Settings, error) {
	if p.IdleLock != nil && (*p.IdleLock < 0 || *p.IdleLock > maxIdleLock) {
		return Settings{}, errors.New("a device locks by itself after at most a day, or never: 0")
	}
	if err := c.lock(); err != nil {
		return Settings{}, err
	}
	defer c.mu.Unlock()
	b := c.batch()
	s := &c.settings
	replaceBool(&s.Previews, p.Previews, false)
	if p.IdleLock != nil {
		s.IdleLock = *p.IdleLock
	}
	if p.Receipts != nil || p.Typing != nil {
		replaceBool(&s.NoReceipts, p.Receipts, true)
		replaceBool(&s.NoTyping, p.Typing, true)
		n := content.Choice{At: c.after(s.At), Receipts: !s.NoReceipts, Typing: !s.NoTyping}
		s.At = int64(n.At)
		if err := c.tellSelf(b, n); err != nil {
			return Settings{}, err
		}
		c.kick()
	}
	c.saveSettings(b)
	return s.view(), b.apply()
}

func replaceBool(old, next *bool, not bool) {
	if next != nil {
		*old = *next != not
	}
}

func (c *Client) saveSettings(b *batch) {
	b.put([]byte{prefixChoices}, encodeRecord(&c.settings))
	v := c.settings.view()
	b.event(Event{Settings: &v})
}

// takeChoice takes over what was chosen on another device, unless a later choice
// is known.
func (c *Client) takeChoice(b *batch, n content.Choice) {
	s := &c.settings
	if int64(n.At) < s.At || int64(n.At) == s.At && (n.Receipts && s.NoReceipts || n.Typing && s.NoTyping) {
		return // of two at one time the one that tells less
	}
	s.At, s.NoReceipts, s.NoTyping = int64(n.At), !n.Receipts, !n.Typing
	c.saveSettings(b)
}
