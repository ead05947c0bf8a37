package room

import (
	"iter"

	"sconce/identity"
	"sconce/mls"
)

// CheckMembers judges every leaf of a group that somebody joins: each is a
// device of a participant, as that person's log at its pin says, and none has
// two. It is what a joiner checks in place of the commits it did not see. Where
// logs are not known it is a [*MissingLogsError].
func CheckMembers(ctx *mls.GroupContext, members iter.Seq2[mls.LeafIndex, *mls.LeafNode], logs LogSource) error {
	p, err := ParticipantsOf(ctx)
	if err != nil {
		return refuse("participants", "%v", err)
	}
	views := map[identity.UserID]identity.View{}
	devices := map[identity.DeviceID]bool{}
	asked := map[identity.UserID]bool{}
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
		v, ok := views[c.User]
		if !ok {
			q, participates := p.Find(c.User)
			if !participates {
				return refuse("leaves", "a device of somebody who does not participate")
			}
			log := logs(c.User)
			if log == nil || log.Length() < q.Pin.Length {
				if !asked[c.User] {
					asked[c.User] = true
					missing.Needs = append(missing.Needs, LogNeed{c.User, q.Pin})
				}
				continue
			}
			if v, err = log.View(q.Pin); err != nil {
				return refuse("pins", "%v", err)
			}
			views[c.User] = v
		}
		if err := identity.AcceptLeaf(v, c, uint16(Suite), leaf.SignatureKey); err != nil {
			return refuse("leaves", "%v", err)
		}
	}
	if len(missing.Needs) > 0 {
		return &missing
	}
	return nil
}

// CheckContext checks that a group context is a room's: its extensions are
// those that every room has, with this server as external sender.
func CheckContext(ctx *mls.GroupContext, sender []byte) error {
	p, err := ParticipantsOf(ctx)
	if err != nil {
		return refuse("participants", "%v", err)
	}
	state, err := StateHash(ctx)
	if err != nil {
		return refuse("state", "%v", err)
	}
	if ctx.CipherSuite != Suite || string(extensionBytes(Extensions(sender, p, state))) != string(extensionBytes(ctx.Extensions)) {
		return refuse("extensions", "the group's context is not a room's")
	}
	return nil
}
