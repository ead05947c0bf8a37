package client

import (
	"regexp"
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

var mentionLink = regexp.MustCompile(`\[@(?:[^\[\]\\\n]|\\.){0,256}\]\((mimi://[a-z2-7]+/u/)([a-z2-7]+)\)`)

// mentioned lists whom a text names, each once, as far as they are of this
// network. Whether they are in the room is the caller's to look at.
func (c *Client) mentioned(text string) (users []identity.UserID) {
	if !strings.Contains(text, "](mimi://") {
		return nil
	}
	prefix := "mimi://" + c.device.Network.String() + "/u/"
	for _, m := range mentionLink.FindAllStringSubmatch(text, maxMentions) {
		u, err := identity.ParseUserID(m[2])
		if m[1] == prefix && err == nil && !slices.Contains(users, u) {
			users = append(users, u)
		}
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
