package client

import (
	"slices"
	"strings"

	"sconce/identity"
)

// Mention gives the Markdown that names a person in a text: a link to their
// MIMI URI, which programs that know no mentions show as a link.
func Mention(network, user, name string) string {
	name = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "\n", " ", "\r", " ").Replace(name)
	return "[@" + name + "](mimi://" + network + "/u/" + user + ")"
}

// maxMentions is how many people one text mentions; further ones are text.
const maxMentions = 50

// maxMentionName is how many characters a mention's name has at most.
const maxMentionName = 256

// maxMentionURI bounds the bytes of a mention's link: two ids of 52 and what is
// between them, with room to spare.
const maxMentionURI = 256

// nextMention finds the first mention in a text: what its link leads to up to the
// person, who that is, and what follows. By hand, because package regexp would
// be 3 % of what a browser downloads.
func nextMention(text string) (prefix, user, rest string, found bool) {
	for {
		_, after, begun := strings.Cut(text, "[@")
		if !begun {
			return "", "", "", false
		}
		text = after
		target, ok := strings.CutPrefix(after[mentionName(after):], "](")
		if !ok {
			continue
		}
		// No further than a link of ours goes: a text of nothing but beginnings must
		// not be read once for each.
		uri, _, closed := strings.Cut(target[:min(len(target), maxMentionURI)], ")")
		host, user, ok := strings.Cut(uri, "/u/")
		network, isMIMI := strings.CutPrefix(host, "mimi://")
		if ok && isMIMI && closed && isID(network) && isID(user) {
			return host + "/u/", user, target[len(uri)+1:], true
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
// network. Whether they are in the room is the caller's to look at.
func (c *Client) mentioned(text string) (users []identity.UserID) {
	if !strings.Contains(text, "](mimi://") {
		return nil
	}
	prefix := "mimi://" + c.device.Network.String() + "/u/"
	for range maxMentions {
		where, user, rest, found := nextMention(text)
		if !found {
			break
		}
		if u, err := identity.ParseUserID(user); where == prefix && err == nil && !slices.Contains(users, u) {
			users = append(users, u)
		}
		text = rest
	}
	return users
}

// mentionsMe reports whether somebody else's message names this person.
func (c *Client) mentionsMe(it *itemRecord) bool {
	return it.User != c.device.User && slices.Contains(c.mentioned(it.Text), c.device.User)
}

// showMentions fills in whom a message mentions: people of the room, by the names
// that the directory has for them, whatever the sender wrote.
func (c *Client) showMentions(r *roomState, it *itemRecord, v *MessageView) {
	if it.Kind == kindNotice {
		return
	}
	users := c.mentioned(it.Text)
	if len(users) == 0 {
		return
	}
	there := r.participants()
	for _, u := range users {
		if _, ok := there.Find(u); ok {
			v.Mentions = append(v.Mentions, MentionView{User: u.String(), Name: c.nameOf(u)})
		}
	}
	v.MentionsMe = c.mentionsMe(it)
}
