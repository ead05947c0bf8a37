package client

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"sconce/api"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// A signal is what devices that are connected at this moment tell each other,
// and nobody keeps: that a person is writing. It is sealed under a key that the
// group's exporter gives for its sender in the present epoch:
//
//	version (1) ‖ generation (4) ‖ epoch (8) ‖ nonce (24) ‖ sealed( kind (1) ‖ time (8) ‖ number (8) ‖ zeros to 64 )
//
// The server says which device sent it, and the key is for that device, so a
// member alone can't pass for another; a member and the server together could,
// and would gain a false "is writing". Time and number only go up, so that a
// server can't play an old one again.
const (
	signalVersion = 1
	signalHead    = 1 + 4 + 8
	signalPlain   = 64
	signalTyping  = 1

	typingEvery  = 4000 // milliseconds between two signals of a device in a room
	typingFor    = 6000 // how long one counts
	signalWindow = 30_000
)

// signals is what a room remembers of them, in memory alone.
type signals struct {
	sent   int64
	typing map[identity.UserID]int64       // until when
	heard  map[identity.DeviceID][2]uint64 // time and number of the last
}

func (c *Client) signalKey(g *mls.Group, device identity.DeviceID) ([]byte, error) {
	k, err := g.Export("sconce signal 1", device[:], chacha20poly1305.KeySize)
	return []byte(k), err
}

// Typing tells the people of a small room who are there that this person is
// writing. Called more often than every four seconds it does nothing.
func (c *Client) Typing(ctx context.Context, id string) error {
	req, err := c.typingSignal(id)
	if req == nil || err != nil {
		return err
	}
	// Not in the network's turn: it would be late behind a sync, and changes nothing.
	if _, err := authed(ctx, c, api.Signal, req); err != nil {
		return fmt.Errorf("signalling: %w", err)
	}
	return nil
}

// typingSignal makes the signal, or nil where there is nothing to tell.
func (c *Client) typingSignal(id string) (*api.SignalRequest, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return nil, err
	}
	n := len(r.participants().List)
	if c.settings.NoTyping || n < 2 || n > maxReporting || r.Stuck != "" || !r.Made || c.now() < r.signals.sent+typingEvery {
		return nil, nil
	}
	g, err := c.openGroup(r)
	if g == nil || err != nil {
		return nil, err
	}
	k, err := c.signalKey(g, c.deviceID())
	if err != nil {
		return nil, err
	}
	defer clear(k)
	aead, err := chacha20poly1305.NewX(k)
	if err != nil {
		return nil, err
	}
	r.signals.sent = c.now()
	c.signalled++
	b := []byte{signalVersion}
	b = binary.BigEndian.AppendUint32(b, r.Generation)
	b = binary.BigEndian.AppendUint64(b, g.Context().Epoch)
	nonce := randomBytes(chacha20poly1305.NonceSizeX)
	plain := make([]byte, signalPlain)
	plain[0] = signalTyping
	binary.BigEndian.PutUint64(plain[1:], uint64(c.serverTime()))
	binary.BigEndian.PutUint64(plain[9:], c.signalled)
	return &api.SignalRequest{Room: api.LogID(r.id), Message: aead.Seal(append(b, nonce...), nonce, plain, b)}, nil
}

// takeSignal shows a signal. What is not right is passed over in silence: it is
// worth nothing, and whoever sent it learns nothing.
func (c *Client) takeSignal(p *api.Push) {
	if c.lock() != nil {
		return
	}
	defer c.mu.Unlock()
	r, ok := c.rooms[room.ID(p.Log)]
	if !ok || c.settings.NoTyping || r.Kind == room.Self {
		return
	}
	from := identity.DeviceID(p.From)
	user, at, err := c.openSignal(r, from, p.Signal)
	if err != nil {
		c.log.Debug("a signal is passed over", "err", err)
		return
	}
	last, now := r.signals.heard[from], uint64(c.serverTime())
	if at[0] < last[0] || at[0] == last[0] && at[1] <= last[1] || at[0]+signalWindow < now || at[0] > now+signalWindow {
		return
	}
	if r.signals.heard == nil {
		r.signals.heard, r.signals.typing = map[identity.DeviceID][2]uint64{}, map[identity.UserID]int64{}
	}
	r.signals.heard[from] = at
	if user == c.device.User {
		return
	}
	until := c.now() + typingFor
	r.signals.typing[user] = until
	c.events.send([]Event{{Typing: &TypingEvent{Room: hex.EncodeToString(r.id[:]), User: user.String(), Until: int(until)}}})
}

var errSignal = errors.New("not a signal of this group's")

// openSignal opens a signal of a device that is in the group.
func (c *Client) openSignal(r *roomState, from identity.DeviceID, b []byte) (user identity.UserID, at [2]uint64, err error) {
	g, err := c.openGroup(r)
	if g == nil || err != nil {
		return user, at, errors.Join(errSignal, err)
	}
	const nonceEnd = signalHead + chacha20poly1305.NonceSizeX
	if len(b) != nonceEnd+signalPlain+chacha20poly1305.Overhead || b[0] != signalVersion ||
		binary.BigEndian.Uint32(b[1:]) != r.Generation || binary.BigEndian.Uint64(b[5:]) != g.Context().Epoch {
		return user, at, errSignal
	}
	found := false
	for _, leaf := range g.Members() {
		if cred, err := room.CredentialOf(leaf); err == nil && cred.Device == from {
			user, found = cred.User, true
		}
	}
	if !found {
		return user, at, errSignal
	}
	k, err := c.signalKey(g, from)
	if err != nil {
		return user, at, err
	}
	defer clear(k)
	aead, err := chacha20poly1305.NewX(k)
	if err != nil {
		return user, at, err
	}
	plain, err := aead.Open(nil, b[signalHead:nonceEnd], b[nonceEnd:], b[:signalHead])
	if err != nil || plain[0] != signalTyping {
		return user, at, errSignal
	}
	return user, [2]uint64{binary.BigEndian.Uint64(plain[1:]), binary.BigEndian.Uint64(plain[9:])}, nil
}

// stopsTyping notes that somebody's message came.
func (r *roomState) stopsTyping(u identity.UserID) { delete(r.signals.typing, u) }

func (c *Client) showTyping(r *roomState, v *RoomView) {
	for _, q := range r.participants().List {
		if r.signals.typing[q.User] > c.now() {
			v.Typing = append(v.Typing, q.User.String())
		}
	}
}
