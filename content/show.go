package content

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// shown is what came of a part: the texts to draw, and what could not be drawn.
type shown struct {
	texts        []string
	format       Format
	missing      []string
	alternatives bool // a choice was made
}

func show(p Part) shown {
	switch b := p.Payload.(type) {
	case Single:
		return showSingle(p.Disposition, b)
	case External:
		return shown{missing: []string{describe(p.Disposition, b.ContentType, b.Size)}}
	case Multi:
		return showMulti(b)
	}
	return shown{missing: []string{"an empty part"}}
}

func showSingle(d Disposition, s Single) shown {
	t := mediaTypeOf(s.ContentType)
	format := FormatPlain
	switch t.name {
	case "text/markdown":
		format = FormatMarkdown
	case "text/plain":
	default:
		return shown{missing: []string{describe(d, s.ContentType, uint64(len(s.Data)))}}
	}
	switch {
	case d >= Profile && d <= Preview && d != Inline:
		return shown{missing: []string{describe(d, s.ContentType, uint64(len(s.Data)))}}
	case !t.unicode() || !utf8.Valid(s.Data):
		return shown{missing: []string{"text that is not UTF-8"}}
	}
	return shown{texts: []string{string(s.Data)}, format: format}
}

func showMulti(m Multi) shown {
	children := make([]shown, len(m.Parts))
	for i, p := range m.Parts {
		children[i] = show(p)
	}
	if m.Semantics == ChooseOne {
		return choose(children)
	}
	all := merge(children)
	// One part that cannot be shown makes the unit one that cannot.
	if m.Semantics == SingleUnit && len(all.missing) > 0 {
		return shown{missing: all.missing, alternatives: all.alternatives}
	}
	return all
}

// choose returns the best of several, the earliest among equals because that is
// the order the sender prefers.
func choose(children []shown) shown {
	if len(children) == 0 { // parse refuses this; a message made by hand may be so
		return shown{missing: []string{"an empty part"}}
	}
	best := children[0]
	for _, c := range children[1:] {
		if c.rank() > best.rank() {
			best = c
		}
	}
	best.alternatives = true
	return best
}

func (s shown) rank() int {
	switch {
	case len(s.texts) == 0:
		return 0
	case len(s.missing) > 0:
		return 1
	case s.format == FormatPlain:
		return 2
	}
	return 3
}

// merge puts several together. Mixed formats are drawn as plain text, since
// plain text read as Markdown could change its meaning.
func merge(children []shown) shown {
	var all shown
	for _, c := range children {
		if len(c.texts) > 0 && (len(all.texts) == 0 || c.format == FormatPlain) {
			all.format = c.format
		}
		all.texts = append(all.texts, c.texts...)
		all.missing = append(all.missing, c.missing...)
		all.alternatives = all.alternatives || c.alternatives
	}
	return all
}

// describe names a part, such as "attachment (image/png, 123 kB)".
func describe(d Disposition, contentType string, size uint64) string {
	t := mediaTypeOf(contentType)
	var in []string
	if t.name != "" {
		in = append(in, t.printable())
	}
	if size > 0 {
		in = append(in, humanSize(size))
	}
	if len(in) == 0 {
		return noun(d, t.name)
	}
	return fmt.Sprintf("%s (%s)", noun(d, t.name), strings.Join(in, ", "))
}

func noun(d Disposition, name string) string {
	switch d {
	case Reacting:
		return "reaction"
	case Profile:
		return "profile"
	case Icon:
		return "icon"
	case Attachment:
		return "attachment"
	case Session:
		return "invitation to a call"
	case Preview:
		return "preview"
	}
	major, _, _ := strings.Cut(name, "/")
	switch major {
	case "image":
		return "picture"
	case "audio":
		return "recording"
	case "video", "text":
		return major
	}
	return "content"
}

func humanSize(n uint64) string {
	if n == 1 {
		return "1 byte"
	}
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		size /= 1000
		if size < 999.5 { // else it would round to 1000
			break
		}
	}
	return fmt.Sprintf("%.0f %s", size, unit)
}
