package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"sconce/room"
)

// RoomDigest is how one device stands in a room, for comparing devices: members
// that have taken in the same part of the log agree in all but the last fields.
// It holds no content and no secret.
type RoomDigest struct {
	Room       string   `json:"room"` // the self-group's too
	Kind       string   `json:"kind"`
	Member     bool     `json:"member"`
	Generation int      `json:"generation"`
	Epoch      int      `json:"epoch"`
	Keys       string   `json:"keys"`   // hash of the epoch's authenticator (RFC 9420, Section 8.7)
	People     []string `json:"people"` // participants' user ids, in order
	Place      int      `json:"place"`  // how much of the log is taken in
	Log        string   `json:"log"`    // the log's running hash there

	Queued  int    `json:"queued,omitempty"`  // messages that wait to be sent
	Change  bool   `json:"change,omitempty"`  // a change of one's own is in flight
	Waiting string `json:"waiting,omitempty"` // why the room does not go on
	Alarm   string `json:"alarm,omitempty"`
}

// Digest tells how this device stands in all of its rooms, in order of their ids.
func (c *Client) Digest() ([]RoomDigest, error) {
	if err := c.lock(); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	var all []*roomState
	for _, r := range c.rooms {
		if r.Made {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *roomState) int { return bytes.Compare(a.id[:], b.id[:]) })
	digests := make([]RoomDigest, len(all))
	for i, r := range all {
		d, err := c.roomDigest(r)
		if err != nil {
			return nil, err
		}
		digests[i] = d
	}
	return digests, nil
}

func (c *Client) roomDigest(r *roomState) (RoomDigest, error) {
	d := RoomDigest{Room: hex.EncodeToString(r.id[:]), Kind: kindName(r.Kind), Member: r.Member, Generation: int(r.Generation),
		Place: int(r.Cursor), Log: hex.EncodeToString(r.Hash[:8]), Waiting: c.waiting(r), Alarm: r.Alarm}
	for _, q := range r.participants().List {
		d.People = append(d.People, q.User.String())
	}
	for _, o := range r.outbox {
		if o.Failed == "" {
			d.Queued++
		}
	}
	s, err := c.loadStaged(r)
	if err != nil {
		return d, err
	}
	d.Change = s != nil
	g, err := c.openGroup(r)
	if err != nil || g == nil {
		return d, err
	}
	d.Epoch = int(g.Context().Epoch)
	keys := sha256.Sum256(g.EpochAuthenticator())
	d.Keys = hex.EncodeToString(keys[:8])
	return d, nil
}

func kindName(k room.Kind) string {
	switch k {
	case room.Direct:
		return "direct"
	case room.Self:
		return "self"
	}
	return "group"
}
