package mls

import (
	"encoding/binary"
	"fmt"
)

// The presentation language of RFC 9420, Section 2.1: TLS syntax with
// variable-size vector headers (RFC 9420, Section 2.1.2), read strictly:
// lengths in their shortest form, nothing left over.

var (
	errTruncated  = invalid("2.1", "input ends early")
	errTrailing   = invalid("2.1", "bytes left over")
	errLength     = invalid("2.1.2", "vector length is not in its shortest form")
	errLengthBits = invalid("2.1.2", "vector length uses a reserved prefix")
)

// reader consumes one encoded value. The first error sticks and every later
// read gives zero values, so that a parser reads like the struct it parses and
// checks once. Slices it returns alias the input.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) fixed(n int) []byte {
	if n < 0 || len(r.b) < n {
		r.fail(errTruncated)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() uint8 {
	if v := r.fixed(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if v := r.fixed(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if v := r.fixed(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if v := r.fixed(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// length reads a vector's length header (RFC 9420, Section 2.1.2).
func (r *reader) length() int {
	if len(r.b) == 0 {
		r.fail(errTruncated)
		return 0
	}
	switch r.b[0] >> 6 {
	case 0:
		return int(r.u8())
	case 1:
		n := int(r.u16() & 0x3fff)
		if r.err == nil && n < 1<<6 {
			r.fail(errLength)
		}
		return n
	case 2:
		n := int(r.u32() & 0x3fffffff)
		if r.err == nil && n < 1<<14 {
			r.fail(errLength)
		}
		return n
	}
	r.fail(errLengthBits)
	return 0
}

// vec reads opaque<V>.
func (r *reader) vec() []byte {
	n := r.length()
	if r.err != nil {
		return nil
	}
	return r.fixed(n)
}

// sub gives a reader over the next vector's content, for vectors of structs.
func (r *reader) sub() reader {
	v := r.vec()
	return reader{b: v, err: r.err}
}

// optional reads the presence octet of optional<T>.
func (r *reader) optional() bool {
	switch r.u8() {
	case 0:
		return false
	case 1:
		return r.err == nil
	}
	r.fail(invalid("2.1.1", "presence octet is neither 0 nor 1"))
	return false
}

func (r *reader) more() bool { return r.err == nil && len(r.b) > 0 }

// done reports the first error, or that something is left over.
func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = errTrailing
	}
	return r.err
}

// list reads T items<V>.
func list[T any](r *reader, item func(*reader) T) []T {
	s := r.sub()
	var out []T
	for s.more() {
		out = append(out, item(&s))
	}
	if s.err != nil {
		r.fail(s.err)
	}
	return out
}

// listIDs reads a list of 16-bit ids.
func listIDs[T ~uint16](r *reader) []T {
	b := r.vec()
	if len(b)%2 != 0 {
		r.fail(errTruncated)
	}
	if r.err != nil || len(b) == 0 {
		return nil
	}
	out := make([]T, len(b)/2)
	for i := range out {
		out[i] = T(binary.BigEndian.Uint16(b[2*i:]))
	}
	return out
}

// parse runs one parser over all of b.
func parse[T any](b []byte, what string, p func(*reader) T) (T, error) {
	r := reader{b: b}
	v := p(&r)
	if err := r.done(); err != nil {
		var zero T
		return zero, fmt.Errorf("parsing %s: %w", what, err)
	}
	return v, nil
}

func appendU16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func appendU32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func appendU64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// maxVector is the longest vector that a length header can name.
const maxVector = 1<<30 - 1

func lengthSize(n int) int {
	switch {
	case n < 1<<6:
		return 1
	case n < 1<<14:
		return 2
	}
	return 4
}

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return appendU16(b, uint16(n)|1<<14)
	case n <= maxVector:
		return appendU32(b, uint32(n)|1<<31)
	}
	// Every input is bounded far below 2^30 by its reader and every output is
	// made of such inputs, so this cannot be reached.
	panic("mls: vector longer than 2^30-1")
}

// appendVec writes opaque<V>.
func appendVec(b, v []byte) []byte {
	return append(appendLength(b, len(v)), v...)
}

// appendNested writes a vector whose content fill appends, and puts the length
// before it.
func appendNested(b []byte, fill func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, 0)
	b = fill(b)
	n := len(b) - start - 1
	if extra := lengthSize(n) - 1; extra > 0 {
		b = append(b, make([]byte, extra)...)
		copy(b[start+1+extra:], b[start+1:start+1+n])
	}
	appendLength(b[:start], n)
	return b
}

type marshaler interface{ appendTo([]byte) []byte }

func appendList[T marshaler](b []byte, items []T) []byte {
	return appendNested(b, func(b []byte) []byte {
		for _, it := range items {
			b = it.appendTo(b)
		}
		return b
	})
}

func appendOptional(b []byte, present bool) []byte {
	if present {
		return append(b, 1)
	}
	return append(b, 0)
}

// marshal encodes one value, in one piece of memory if the value can tell
// about how long it is.
func marshal(m marshaler) []byte {
	if s, ok := m.(interface{ sizeHint() int }); ok {
		return m.appendTo(make([]byte, 0, s.sizeHint()))
	}
	return m.appendTo(nil)
}
