package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What others wrote goes to a terminal, where some characters are orders: an
// escape can move the cursor, fake a prompt or write a file's name into the
// title, and a bidi override can turn what a name seems to say around.

// oneLine makes another's text safe to print within a line.
func oneLine(s string) string {
	return strings.Join(strings.Fields(lines(s)), " ")
}

// lines makes another's text safe to print, and keeps its line breaks.
func lines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\t", "    ").Replace(s)
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == '\n' || !isOrder(r):
			b.WriteRune(r) // a byte that is no UTF-8 becomes U+FFFD
		}
	}
	return b.String()
}

// isOrder reports whether a character draws nothing and steers: controls (C0,
// DEL and C1, which hold the escapes), and format characters, which hold the
// bidi overrides and what hides inside a name. Of the latter the joiners and
// tags stay, because emoji and scripts are made with them.
func isOrder(r rune) bool {
	const zwnj, zwj, firstTag, lastTag = 0x200C, 0x200D, 0xE0020, 0xE007F
	if r == zwnj || r == zwj || firstTag <= r && r <= lastTag {
		return false
	}
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029
}

// safeJSON writes a value as one line of JSON in which every order is escaped.
func safeJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var safe bytes.Buffer
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if isOrder(r) {
			for _, half := range utf16.AppendRune(nil, r) { // as JSON spells what is beyond U+FFFF
				fmt.Fprintf(&safe, "\\u%04x", half)
			}
		} else {
			safe.Write(b[:size])
		}
		b = b[size:]
	}
	return safe.Bytes(), nil
}

// nameOf is a name to show: never nothing, because nothing can't be typed.
func nameOf(s string) string {
	if name := oneLine(s); name != "" {
		return name
	}
	return "(no name)"
}

// short is the part of an id that people see and type.
func short(id string) string {
	const shown = 8
	return id[:min(len(id), shown)]
}

// width is how many columns a text takes, near enough to align by.
func width(s string) (n int) {
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case 0x1100 <= r && r <= 0x115F, 0x2E80 <= r && r <= 0xA4CF, 0xAC00 <= r && r <= 0xD7A3,
			0xF900 <= r && r <= 0xFAFF, 0xFE30 <= r && r <= 0xFE6F, 0xFF00 <= r && r <= 0xFF60, 0x1F300 <= r && r <= 0x1FAFF,
			0x20000 <= r && r <= 0x3FFFD:
			n += 2
		default:
			n++
		}
	}
	return n
}

func pad(s string, to int) string { return s + strings.Repeat(" ", max(0, to-width(s))) }

// table aligns rows. The last cell of a row is never padded; empty columns are
// left out.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if widths[i] > 0 {
				line.WriteString(pad(cell, widths[i]) + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// count says how many in words: "no devices", "1 device", "2 devices".
func count(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + many
	case 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
