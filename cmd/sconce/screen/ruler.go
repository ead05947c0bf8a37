package screen

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// ruler measures as the terminal does: by characters as they are read, or code
// by code, which most terminals do still. The functions of x/ansi that cut and
// wrap measure in one way and cut in the other, so these are our own.
type ruler struct{ ansi.Method }

// each calls do with every character and every colour of a text, in turn, until
// do says no. A colour has no width.
func (r ruler) each(s string, do func(part string, width int) bool) {
	var state byte
	for len(s) > 0 {
		part, width, n, next := r.DecodeSequenceInString(s, state, nil)
		// A letter with marks behind it is one character; the decoder takes an
		// ASCII letter alone.
		if n == 1 && part[0] > 0x1f && part[0] < 0x7f && len(s) > 1 && s[1] >= 0xc0 {
			if c, w := ansi.FirstGraphemeCluster(s, r.Method); len(c) > 1 {
				part, width, n = c, w, len(c)
			}
		}
		state = next
		if !do(part, width) {
			return
		}
		s = s[n:]
	}
}

func (r ruler) width(s string) (width int) {
	r.each(s, func(_ string, w int) bool { width += w; return true })
	return width
}

// cut shortens a text to so many columns, with a mark where something is left
// out.
func (r ruler) cut(s string, width int) string {
	if r.width(s) <= width {
		return s
	}
	return r.left(s, max(width-1, 0)) + map[bool]string{true: "…"}[width > 0]
}

// left gives as much of a text as there is room for, and all of its colours, so
// that what was begun is ended.
func (r ruler) left(s string, width int) string {
	var b strings.Builder
	full := false
	r.each(s, func(part string, w int) bool {
		full = full || w > width
		if w == 0 && strings.HasPrefix(part, "\x1b") || !full {
			b.WriteString(part)
			width -= w
		}
		return true
	})
	return b.String()
}

// right gives what stands after so many columns, with the colours it has there.
// Of a wide character that is halved, a space stays.
func (r ruler) right(s string, skip int) string {
	var b strings.Builder
	r.each(s, func(part string, w int) bool {
		switch {
		case w == 0 && strings.HasPrefix(part, "\x1b"), skip <= 0:
			b.WriteString(part)
		case w > skip:
			b.WriteString(strings.Repeat(" ", w-skip))
		}
		skip -= w
		return true
	})
	return b.String()
}

// fit makes a text exactly so wide.
func (r ruler) fit(s string, width int) string {
	s = r.cut(s, width)
	return s + strings.Repeat(" ", max(0, width-r.width(s)))
}

// ends puts one text at the left and one at the right of a line, the right one
// whole.
func (r ruler) ends(left, right string, width int) string {
	room := width - r.width(right)
	if right == "" || room < 2 {
		return r.fit(left, width)
	}
	return r.fit(left, room-1) + " " + right
}

// centre puts a text into the middle of a line.
func (r ruler) centre(s string, width int) string {
	return r.fit(strings.Repeat(" ", max(0, width-r.width(s))/2)+s, width)
}

// rule is a line across with a text in it.
func (r ruler) rule(label string, width int) string {
	if label != "" {
		label = " " + label + " "
	}
	free := max(0, width-r.width(label))
	return strings.Repeat("─", free/2) + label + strings.Repeat("─", free-free/2)
}

// wrap breaks a plain text into lines of at most so many columns, between words
// where it can.
func (r ruler) wrap(s string, width int) (lines []string) {
	width = max(width, 2) // the widest letter
	for line := range strings.SplitSeq(s, "\n") {
		lines = append(lines, r.wrapLine(line, width)...)
	}
	return lines
}

func (r ruler) wrapLine(s string, width int) (lines []string) {
	var line, word strings.Builder
	lineWidth, wordWidth := 0, 0
	next := func() {
		lines = append(lines, strings.TrimRight(line.String(), " "))
		line.Reset()
		lineWidth = 0
	}
	endWord := func() {
		line.WriteString(word.String())
		lineWidth += wordWidth
		word.Reset()
		wordWidth = 0
	}
	r.each(s, func(part string, w int) bool {
		if w > width { // a family drawn person by person, on a very narrow screen
			part, w = "?", 1
		}
		switch {
		case part == " " && lineWidth+wordWidth < width:
			word.WriteString(part)
			wordWidth++
			endWord()
			return true
		case part == " ": // the space that the line ends with
			endWord()
			next()
			return true
		case wordWidth+w > width: // no line holds this word
			endWord()
			next()
		case lineWidth+wordWidth+w > width:
			next()
		}
		word.WriteString(part)
		wordWidth += w
		return true
	})
	endWord()
	return append(lines, strings.TrimRight(line.String(), " "))
}
