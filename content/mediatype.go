package content

import "strings"

// mediaType is a content type without its parameters, in lower case, with the
// one parameter we look at.
type mediaType struct {
	name    string
	charset string
}

func mediaTypeOf(contentType string) mediaType {
	name, parameters, _ := strings.Cut(contentType, ";")
	t := mediaType{name: normal(name)}
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(parameter, "=")
		if normal(key) == "charset" {
			t.charset = strings.Trim(normal(value), `"`)
		}
	}
	return t
}

func normal(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func (t mediaType) isText() bool { return strings.HasPrefix(t.name, "text/") }

// unicode reports whether text of this type is UTF-8, of which ASCII is a part.
func (t mediaType) unicode() bool {
	return t.charset == "" || t.charset == "utf-8" || t.charset == "us-ascii"
}

// printable returns the name if it looks like a media type, and otherwise a
// stand-in: what a stranger wrote there could pose as part of our sentence.
func (t mediaType) printable() string {
	major, minor, ok := strings.Cut(t.name, "/")
	if !ok || major == "" || minor == "" || len(t.name) > 100 {
		return "unknown type"
	}
	for _, r := range major + minor {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$&-^_.+", r) {
			return "unknown type"
		}
	}
	return t.name
}
