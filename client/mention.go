package client

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"sconce/identity"
	"sconce/room"
)

// Mention gives the Markdown that names a person in a text: a link to their
// MIMI URI, which programs that know no mentions show as a link.
func Mention(network, user, name string) string {
	name = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "\n", " ", "\r", " ").Replace(name)
	return "[@" + name + "](mimi://" + network + "/u/" + user + ")"
}

// MentionAll gives the Markdown that names everyone in a room: a link to the
// room's MIMI URI.
func MentionAll(network, room string) string {
	return "[@all](mimi://" + network + "/r/" + room + ")"
}

// maxMentions is how many people one text mentions; further ones are text.
const maxMentions = 50

// maxMentionName is how many characters a mention's name has at most.
const maxMentionName = 256

// maxMentionURI bounds the bytes of a mention's link: two ids of 52 and what is
// between them, with room to spare.
const maxMentionURI = 256

// mention is whom a link of a text names: a person, or everyone in a room.
type mention struct{ network, user, room string }

// nextMention finds the first mention in a text, and gives what follows it. By
// hand, because package regexp would be 3 % of what a browser downloads.
func nextMention(text string) (m mention, rest string, found bool) {
	for {
		_, after, begun := strings.Cut(text, "[@")
		if !begun {
			return mention{}, "", false
		}
		text = after
		target, ok := strings.CutPrefix(after[mentionName(after):], "](mimi://")
		if !ok {
			continue
		}
		// No further than a link of ours goes: a text of nothing but beginnings must
		// not be read once for each.
		uri, _, closed := strings.Cut(target[:min(len(target), maxMentionURI)], ")")
		network, path, ok := strings.Cut(uri, "/")
		if !ok || !closed || !isID(network) {
			continue
		}
		rest = target[len(uri)+1:]
		if user, ok := strings.CutPrefix(path, "u/"); ok && isID(user) {
			return mention{network: network, user: user}, rest, true
		}
		if room, ok := strings.CutPrefix(path, "r/"); ok && room != "" && strings.Trim(room, "0123456789abcdef") == "" {
			return mention{network: network, room: room}, rest, true
		}
	}
}

// isID reports whether s is made of the letters that ids are written in.
func isID(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// mentionName gives the length of the name that text begins with: characters
// other than brackets and line ends, or any behind a backslash.
func mentionName(text string) int {
	count, escaped := 0, false
	for i, r := range text {
		switch {
		case r == '\n', count == maxMentionName:
			return i
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
			continue
		case r == '[', r == ']':
			return i
		}
		count++
	}
	return len(text)
}

// mentioned lists whom a text names, each once, as far as they are of this
// network, and whether it names everyone in a room. Whether the people are in
// the room, and the author may name everyone, is the caller's to look at.
func (c *Client) mentioned(r *roomState, text string) (users []identity.UserID, all bool) {
	if !strings.Contains(text, "](mimi://") {
		return nil, false
	}
	network, here := c.device.Network.String(), hex.EncodeToString(r.id[:])
	for range maxMentions {
		m, rest, found := nextMention(text)
		if !found {
			break
		}
		if m.network == network {
			all = all || m.room == here
			if u, err := identity.ParseUserID(m.user); err == nil && !slices.Contains(users, u) {
				users = append(users, u)
			}
		}
		text = rest
	}
	return users, all
}

// mentionsAll reports whether an item's text names everyone in a room, and its
// author may do that: in a group an admin, as the room is now, or who did before
// the text was edited. Elsewhere it names nobody.
func (c *Client) mentionsAll(r *roomState, it *itemRecord) bool {
	_, all := c.mentioned(r, it.Text)
	return all && r.Kind == room.Group && (it.All || r.participants().May(it.User))
}

// checkMentions refuses a text of one's own that names everyone, where that
// would have no effect.
func (c *Client) checkMentions(r *roomState, text string) error {
	_, all := c.mentioned(r, text)
	switch {
	case !all:
		return nil
	case r.Kind == room.Direct:
		return errors.New("in a direct conversation there is nobody else to mention")
	case !c.mentionsAll(r, &itemRecord{User: c.device.User, Text: text}):
		return errors.New("only an admin of a room mentions everyone in it")
	}
	return nil
}

// mentionsMe reports whether somebody else's message names this person.
func (c *Client) mentionsMe(r *roomState, it *itemRecord) bool {
	if it.User == c.device.User {
		return false
	}
	users, _ := c.mentioned(r, it.Text)
	return it.All || slices.Contains(users, c.device.User)
}

// showMentions fills in whom a message mentions: people of the room, by the names
// that the directory has for them, whatever the sender wrote.
func (c *Client) showMentions(r *roomState, it *itemRecord, v *MessageView) {
	if it.Kind == kindNotice {
		return
	}
	users, _ := c.mentioned(r, it.Text)
	if len(users) == 0 && !it.All {
		return
	}
	there := r.participants()
	for _, u := range users {
		if _, ok := there.Find(u); ok {
			v.Mentions = append(v.Mentions, MentionView{User: u.String(), Name: c.nameOf(u)})
		}
	}
	v.MentionsAll = it.All
	v.MentionsMe = c.mentionsMe(r, it)
}
