//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
	"sconce/mls"
	"sconce/room"
)

// messageSize is what a PrivateMessage comes to on the wire.
const messageSize = 1024

// marker stands in every message in the clear, as authenticated data, so that
// what is left of them on the disk can be counted.
var marker = []byte("sconce bench marker 7f3a9c51")

// talk is a room of which one device sends and all others listen.
type talk struct {
	id      room.ID
	from    *device
	to      []*device
	group   *mls.Group // the sender's
	reader  *mls.Group // of the first who listens, to see that messages can be read
	end     uint64     // of the log, as far as everyone has acknowledged it
	padding int        // makes a message as long as it shall be
}

// open makes a room with everyone in it, by one commit of the sender's.
func open(ctx context.Context, t client.Transport, n network, from *device, to []*device) (*talk, error) {
	k := &talk{from: from, to: to}
	_, _ = rand.Read(k.id[:]) // never fails
	if err := k.create(ctx, t, n); err != nil {
		return nil, err
	}
	if err := k.add(ctx, t); err != nil {
		return nil, err
	}
	return k, k.measurePadding()
}

// logs is what rules are judged by: the logs of those in the room.
func (k *talk) logs() room.LogSource {
	known := map[identity.UserID]*identity.Log{k.from.user(): k.from.log}
	for _, d := range k.to {
		known[d.user()] = d.log
	}
	return func(u identity.UserID) *identity.Log { return known[u] }
}

func (k *talk) config() mls.Config {
	return mls.Config{Rules: room.Rules{Logs: k.logs()}, StrictPending: true}
}

func (k *talk) create(ctx context.Context, t client.Transport, n network) error {
	signer, err := k.from.signer()
	if err != nil {
		return err
	}
	me := room.Participant{User: k.from.user(), Role: room.Admin, Pin: k.from.log.Pin()}
	people := room.Participants{Kind: room.Group, List: []room.Participant{me}}
	k.group, err = mls.Create(k.config(), room.GroupID(k.id, 0), room.Suite, signer, mls.DefaultCapabilities(),
		room.Extensions(n.sender, people, [32]byte{}))
	if err != nil {
		return err
	}
	info, err := k.group.GroupInfo(false)
	if err != nil {
		return err
	}
	_, err = call(ctx, t, api.CreateRoom, k.from.token, &api.CreateRoomRequest{
		Room: api.LogID(k.id), Kind: uint8(room.Group), GroupInfo: info.Bytes(), Tree: k.group.Tree(),
	})
	return err
}

// add brings in those who listen, with the key packages that the server hands
// out for them.
func (k *talk) add(ctx context.Context, t client.Transport) error {
	req := &api.ClaimKeyPackagesRequest{}
	var change room.Change
	for _, d := range k.to {
		req.Users = append(req.Users, api.UserID(d.user()))
		change.Set = append(change.Set, room.Participant{User: d.user(), Role: room.Member, Pin: d.log.Pin()})
	}
	claimed, err := call(ctx, t, api.ClaimKeyPackages, k.from.token, req)
	if err != nil {
		return err
	}
	proposals := []mls.Proposal{change.Proposal()}
	var added []*mls.KeyPackage
	for _, c := range claimed.KeyPackages {
		kp, err := mls.ParseKeyPackage(c.KeyPackage)
		if err != nil {
			return err
		}
		added = append(added, kp)
		proposals = append(proposals, &mls.Add{KeyPackage: kp})
	}
	staged, err := k.group.Commit(mls.CommitOptions{Proposals: proposals}, time.Now())
	if err != nil {
		return err
	}
	if err := k.commit(ctx, t, staged, added); err != nil {
		return err
	}
	return k.listen(staged)
}

func (k *talk) commit(ctx context.Context, t client.Transport, staged *mls.StagedCommit, added []*mls.KeyPackage) error {
	info, err := staged.GroupInfo()
	if err != nil {
		return err
	}
	part := &api.CommitPart{GroupInfo: info.Bytes()}
	for _, kp := range added {
		ref, err := kp.Ref()
		if err != nil {
			return err
		}
		c, err := room.CredentialOf(kp.Leaf)
		if err != nil {
			return err
		}
		part.Welcomes = append(part.Welcomes, api.WelcomePart{Device: api.DeviceID(c.Device), Welcome: staged.WelcomeFor(ref)})
	}
	req := &api.AppendRequest{Room: api.LogID(k.id), Keep: api.KeepMonth, Message: staged.Message(), Commit: part}
	_, _ = rand.Read(req.ID[:]) // never fails
	resp, err := call(ctx, t, api.Append, k.from.token, req)
	if err != nil {
		return err
	}
	k.end = resp.Seq
	return nil
}

// listen merges the commit, and joins the first who listens by it.
func (k *talk) listen(staged *mls.StagedCommit) error {
	kp := k.to[0].kp
	ref, err := kp.public.Ref()
	if err != nil {
		return err
	}
	welcome, err := mls.ParseMessage(staged.WelcomeFor(ref))
	if err != nil {
		return err
	}
	if k.reader, err = mls.Join(k.config(), welcome, kp.public, kp.private, staged.Tree(), time.Now()); err != nil {
		return err
	}
	return k.group.Merge(staged)
}

// text is what message i says. It has k.padding bytes.
func (k *talk) text(i int) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, k.padding), uint64(i)), make([]byte, k.padding-8)...)
}

// measurePadding finds how long a text makes a message of messageSize.
func (k *talk) measurePadding() error {
	k.padding = messageSize / 2
	m, err := k.group.Encrypt(marker, k.text(0))
	if err != nil {
		return err
	}
	k.padding += messageSize - len(m)
	if m, err = k.group.Encrypt(marker, k.text(0)); err != nil {
		return err
	}
	k.group.Drain()
	// Where a length has one digit more, or the signature one byte fewer, a message differs by that.
	if d := len(m) - messageSize; d < -8 || d > 8 {
		return fmt.Errorf("a message has %d bytes, not %d", len(m), messageSize)
	}
	return nil
}

// letter is a message that is ready to be sent.
type letter struct {
	id      api.AppendID
	message []byte
	frame   []byte // the WebSocket frame of its Append
}

// firstLetter is above the numbers that streams give to their other calls.
const firstLetter = 1 << 32

// write makes n letters, numbered from firstLetter on, for the sender's stream.
// It is done before the clock runs: what encrypting costs is measured by
// itself, and would here take the driver's time.
func (k *talk) write(n int) ([]letter, error) {
	letters := make([]letter, n)
	for i := range letters {
		l := &letters[i]
		var err error
		if l.message, err = k.group.Encrypt(marker, k.text(i)); err != nil {
			return nil, err
		}
		_, _ = rand.Read(l.id[:]) // never fails
		body, err := api.Marshal(&api.AppendRequest{
			Room: api.LogID(k.id), ID: l.id, Keep: api.KeepDay, Message: l.message,
		})
		if err != nil {
			return nil, err
		}
		if l.frame, err = callFrame(firstLetter+uint64(i), api.Append.Name, body); err != nil {
			return nil, err
		}
	}
	k.group.Drain()
	return letters, nil
}

// read decrypts a letter, as the first who listens does, and holds it against
// what letter i says.
func (k *talk) read(i int, l *letter) error {
	m, err := mls.ParseMessage(l.message)
	if err != nil {
		return err
	}
	e, err := k.reader.Process(m, time.Now())
	if err != nil {
		return fmt.Errorf("message %d: %w", i, err)
	}
	app, ok := e.(*mls.ApplicationMessage)
	if !ok || binary.BigEndian.Uint64(app.Data) != uint64(i) {
		return errors.New("a message says something else than what was sent")
	}
	return nil
}
