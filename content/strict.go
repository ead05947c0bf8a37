package content

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// The major types of CBOR (RFC 8949, Section 3.1).
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// maxSafeInteger is the largest map key of either sign that survives a double
// (draft, "Data model restrictions").
const maxSafeInteger = 1<<53 - 1

// checkStrict refuses everything but exactly one deterministic CBOR item
// (RFC 8949, Section 4.2.1) with at most depth arrays, maps and tags inside each
// other. It allocates nothing, so it runs before anything that does.
//
// The CBOR library is lenient where we cannot be: it accepts long forms of
// numbers and unsorted maps, which would give one message several ids.
func checkStrict(data []byte, depth int) error {
	w := walker{rest: data}
	if err := w.item(depth); err != nil {
		return err
	}
	if len(w.rest) > 0 {
		return malformed("%d bytes after the end", len(w.rest))
	}
	return nil
}

type walker struct{ rest []byte }

func (w *walker) item(depth int) error {
	start := w.rest
	major, arg, err := w.head()
	if err != nil {
		return err
	}
	if (major == majorArray || major == majorMap || major == majorTag) && depth == 0 {
		return malformed("nested too deeply")
	}
	switch major {
	case majorBytes, majorText:
		s, err := w.take(arg)
		if err == nil && major == majorText && !utf8.Valid(s) {
			err = malformed("text is not UTF-8")
		}
		return err
	case majorArray:
		for range arg { // each item takes a byte, so a false count ends soon
			if err := w.item(depth - 1); err != nil {
				return err
			}
		}
	case majorMap:
		return w.pairs(arg, depth-1)
	case majorTag:
		return w.tagged(arg, depth-1)
	case majorSimple:
		return checkSimple(start[:len(start)-len(w.rest)])
	}
	return nil
}

// head reads the first byte and the argument of an item. For a simple value or
// a float the argument is its bits, and checkSimple judges them.
func (w *walker) head() (major byte, arg uint64, err error) {
	if len(w.rest) == 0 {
		return 0, 0, malformed("cut short")
	}
	major, info := w.rest[0]>>5, w.rest[0]&31
	w.rest = w.rest[1:]
	switch {
	case info < 24:
		return major, uint64(info), nil
	case info > 27:
		return 0, 0, malformed("indefinite length")
	}
	raw, err := w.take(1 << (info - 24))
	if err != nil {
		return 0, 0, err
	}
	var wide [8]byte
	copy(wide[8-len(raw):], raw)
	arg = binary.BigEndian.Uint64(wide[:])
	least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[info-24]
	if major != majorSimple && arg < least {
		return 0, 0, malformed("number not in its shortest form")
	}
	return major, arg, nil
}

func (w *walker) take(n uint64) ([]byte, error) {
	if n > uint64(len(w.rest)) {
		return nil, malformed("cut short")
	}
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	return taken, nil
}

// pairs walks n map pairs. Keys must rise bytewise, which also rules out
// duplicates.
func (w *walker) pairs(n uint64, depth int) error {
	var last []byte
	for i := range n {
		start := w.rest
		if err := checkKey(start); err != nil {
			return err
		}
		if err := w.item(depth); err != nil {
			return err
		}
		key := start[:len(start)-len(w.rest)]
		if i > 0 {
			switch bytes.Compare(last, key) {
			case 0:
				return malformed("duplicate map key")
			case 1:
				return malformed("map keys out of order")
			}
		}
		last = key
		if err := w.item(depth); err != nil {
			return err
		}
	}
	return nil
}

// checkKey looks at the start of a map key. Draft, "Data model restrictions":
// integers that fit a double, text or byte strings.
func checkKey(data []byte) error {
	w := walker{rest: data}
	major, arg, err := w.head()
	switch {
	case err != nil:
		return err
	case major == majorBytes || major == majorText:
		return nil
	case major == majorUint && arg <= maxSafeInteger:
		return nil
	case major == majorNegative && arg < maxSafeInteger: // the value is -1-arg
		return nil
	}
	return malformed("map key is not a string or a safe integer")
}

// tagged walks the content of a tag. Tags 2 and 3 hold big integers, which must
// be plain integers when they fit (RFC 8949, Section 4.2.2).
func (w *walker) tagged(tag uint64, depth int) error {
	start := w.rest
	if err := w.item(depth); err != nil {
		return err
	}
	if tag != 2 && tag != 3 {
		return nil
	}
	inner := walker{rest: start}
	major, n, err := inner.head()
	if err != nil {
		return err
	}
	if major != majorBytes || n <= 8 || inner.rest[0] == 0 {
		return malformed("big integer not in its shortest form")
	}
	return nil
}

// checkSimple judges false, true, null and floats; other simple values mean
// nothing to anyone yet. Floats must be as short as their value allows, and NaN
// has one form.
func checkSimple(raw []byte) error {
	if raw[0] >= 0xf4 && raw[0] <= 0xf6 {
		return nil
	}
	if raw[0] < 0xf9 {
		return malformed("unassigned simple value")
	}
	var value float64
	if err := decMode.Unmarshal(raw, &value); err != nil {
		return malformed("float: %v", err)
	}
	short, err := encMode.Marshal(value)
	if err != nil {
		return malformed("float: %v", err)
	}
	if !bytes.Equal(raw, short) {
		if math.IsNaN(value) {
			return malformed("NaN other than the quiet one")
		}
		return malformed("float not in its shortest form")
	}
	return nil
}
