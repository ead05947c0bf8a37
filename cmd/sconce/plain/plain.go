// Package plain says things to a person at a terminal: what others wrote, with
// nothing left in it that steers the terminal, and times. Begin with [Line] for
// whatever came from another person or the server.
//
// To a terminal some characters are orders: an escape can move the cursor, fake
// a prompt or fill the clipboard, and a bidi override can turn what a name seems
// to say around.
package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line makes another's text safe to print within a line.
func Line(s string) string {
	return strings.Join(strings.Fields(Lines(s)), " ")
}

// Lines makes another's text safe to print, and keeps its line breaks.
func Lines(s string) string {
	s = breaks.Replace(s)
	var b strings.Builder
	stacked := 0 // marks in a row that take no column
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r != '\n' && isOrder(r) {
			continue
		}
		if stacked++; !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			stacked = 0
		}
		if stacked <= mostStacked {
			b.WriteRune(r) // a byte that is no UTF-8 becomes U+FFFD
		}
	}
	return b.String()
}

var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\t", "    ")

// mostStacked is how many marks one letter may carry. The flag of Wales needs
// six; a thousand would be drawn over the lines above and below.
const mostStacked = 8

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

// All gives a view with every text in it made safe: fields named Text keep their
// line breaks, all others become one line. What the view shares with others is
// copied before it is changed.
func All[T any](view T) T {
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	v.Set(reflect.ValueOf(view))
	tame(v, Line)
	return v.Interface().(T)
}

func tame(v reflect.Value, safe func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(safe(v.String()))
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.Name == "Text" {
				tame(value, Lines)
			} else if field.IsExported() {
				tame(value, Line)
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			tame(own.Index(i), safe)
		}
		v.Set(own)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(v.Elem())
		tame(own.Elem(), safe)
		v.Set(own)
	case reflect.Map, reflect.Interface:
		panic("plain: a view holds a " + v.Type().String()) // no view does; a test walks them all
	}
}

// JSON writes a value as one line of JSON in which every order is escaped.
func JSON(v any) ([]byte, error) {
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

// Name is a name to show: never nothing, because nothing can't be typed.
func Name(s string) string {
	if name := Line(s); name != "" {
		return name
	}
	return "(no name)"
}

// Short is the part of an id that people see and type.
func Short(id string) string {
	const shown = 8
	return id[:min(len(id), shown)]
}

// Count says how many in words: "no devices", "1 device", "2 devices".
func Count(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + many
	case 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
