package room

import (
	"bytes"
	"iter"

	"sconce/identity"
	"sconce/mls"
)

// CheckMembers judges every leaf of a group that somebody joins: each is a
// device of a participant, as that person's log at its pin says, and none has
// two. It is what a joiner checks in place of the commits it did not see, and
// it refuses no leaf that those who saw them let in and let stay. Where logs
// are not known it is a [*MissingLogsError].
func CheckMembers(ctx *mls.GroupContext, members iter.Seq2[mls.LeafIndex, *mls.LeafNode], logs LogSource) error {
	p, err := ParticipantsOf(ctx)
	if err != nil {
		return refuse("participants", "%v", err)
	}
	if err := checkSize(p); err != nil {
		return err
	}
	known := map[identity.UserID]knownLog{}
	devices := map[identity.DeviceID]bool{}
	var missing MissingLogsError
	for _, leaf := range members {
		c, err := CredentialOf(leaf)
		if err != nil {
			return err
		}
		if devices[c.Device] {
			return refuse("leaves", "a device has two leaves")
		}
		devices[c.Device] = true
		k, opened := known[c.User]
		if !opened {
			q, participates := p.Find(c.User)
			if !participates {
				return refuse("leaves", "a device of somebody who does not participate")
			}
			if k, err = openLog(logs, q); err != nil {
				return err
			}
			if k.log == nil {
				missing.Needs = append(missing.Needs, LogNeed{c.User, q.Pin})
			}
			known[c.User] = k
		}
		if k.log == nil {
			continue
		}
		if err := k.acceptMember(c, leaf); err != nil {
			return refuse("leaves", "%v", err)
		}
	}
	if len(missing.Needs) > 0 {
		return &missing
	}
	return nil
}

// CheckContext checks that a group context is a room's: it has no more people
// than its kind is for, and its extensions are those that every room has, with
// this server as external sender.
func CheckContext(ctx *mls.GroupContext, sender []byte) error {
	p, err := ParticipantsOf(ctx)
	if err != nil {
		return refuse("participants", "%v", err)
	}
	if err := checkSize(p); err != nil {
		return err
	}
	state, err := StateHash(ctx)
	if err != nil {
		return refuse("state", "%v", err)
	}
	if ctx.CipherSuite != Suite || !bytes.Equal(extensionBytes(Extensions(sender, p, state)), extensionBytes(ctx.Extensions)) {
		return refuse("extensions", "the group's context is not a room's")
	}
	return nil
}

// extensionBytes is one encoding of a list, to compare two.
func extensionBytes(e mls.Extensions) []byte {
	var b []byte
	for _, x := range e {
		b = append(b, byte(x.Type>>8), byte(x.Type), byte(len(x.Data)>>24), byte(len(x.Data)>>16), byte(len(x.Data)>>8), byte(len(x.Data)))
		b = append(b, x.Data...)
	}
	return b
}
