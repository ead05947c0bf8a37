package plain

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// Named makes mentions of what was typed as such: "@" and the name of somebody
// else in the room, and, where everyone may be meant, "@all". Where two names fit
// the longer is meant; what is no name stays as it is.
func Named(me client.Me, r client.RoomView, text string, everyone bool) string {
	links := map[string]string{}
	for _, p := range r.Members {
		if p.User != me.User {
			links[Name(p.Name)] = client.Mention(me.Network, p.User, p.Name)
		}
	}
	if everyone {
		links["all"] = client.MentionAll(me.Network, r.Room)
	}
	names := slices.SortedFunc(maps.Keys(links), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var b strings.Builder
	before := ' '
	for text != "" {
		if text[0] == '@' && (unicode.IsSpace(before) || before == '(') {
			if i := slices.IndexFunc(names, func(name string) bool { return begins(text[1:], name) }); i >= 0 {
				b.WriteString(links[names[i]])
				text, before = text[1+len(names[i]):], '@'
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(text)
		b.WriteString(text[:size])
		text, before = text[size:], r
	}
	return b.String()
}

// begins reports whether a text begins with a name, as a word of its own.
func begins(text, name string) bool {
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return false
	}
	next, _ := utf8.DecodeRuneInString(text[len(name):])
	return !unicode.IsLetter(next) && !unicode.IsDigit(next)
}
