package plain

import (
	"regexp"

	"sconce/client"
)

// mention is how a text names a person of the network, or everyone in a room.
var mention = regexp.MustCompile(`\[@(?:[^\[\]\\\n]|\\.){0,256}\]\(mimi://[a-z2-7]+/(?:u/([a-z2-7]+)|r/([0-9a-f]+))\)`)

// Mentions gives a message's text as people read it: of who is mentioned the name
// that the network knows, and not what the sender wrote in its place. What mentions
// nobody stays as it was written.
func Mentions(m client.MessageView) string {
	if len(m.Mentions) == 0 && !m.MentionsAll {
		return m.Text
	}
	return mention.ReplaceAllStringFunc(m.Text, func(link string) string {
		found := mention.FindStringSubmatch(link)
		if m.MentionsAll && found[2] == m.Room {
			return "@all"
		}
		for _, who := range m.Mentions {
			if who.User == found[1] {
				return "@" + Name(who.Name)
			}
		}
		return link
	})
}
