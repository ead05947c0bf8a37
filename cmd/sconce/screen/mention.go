package screen

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sconce/client"
	"sconce/cmd/sconce/plain"
)

// named makes mentions of what was typed as such: "@" and the name of somebody in
// the room, and of an admin "@all". Where two names fit the longer is meant; what
// is no name stays as it is.
func (m *model) named(r client.RoomView, text string) string {
	links := map[string]string{}
	for _, p := range r.Members {
		name := plain.Name(p.Name)
		if p.User != m.me.User {
			links[name] = client.Mention(m.me.Network, p.User, p.Name)
		}
	}
	if r.Admin && r.Kind != "direct" {
		links["all"] = client.MentionAll(m.me.Network, r.Room)
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
