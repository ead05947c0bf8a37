package api

import "math/bits"

// What a server sends most often is encoded without reflection: the same bytes as
// the general encoder's, which a test holds against each other, for a fraction of
// its time.
//
// CBOR (RFC 8949, Section 3): a head has a major type and a number; maps have
// their keys in order (Section 4.2.1).
const (
	cborUint  = 0 << 5
	cborInt   = 1 << 5
	cborBytes = 2 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTrue  = 0xf5
	cborNull  = 0xf6
)

// plain is what can be encoded so. ok is false where it is of the seldom kind.
type plain interface {
	appendCBOR(b []byte) (_ []byte, ok bool)
	sizeCBOR() int // at most, but for what is seldom
}

// marshalPlain encodes v if it is plain.
func marshalPlain(v any) (b []byte, ok bool) {
	p, ok := v.(plain)
	if !ok {
		return nil, false
	}
	return p.appendCBOR(make([]byte, 0, p.sizeCBOR()))
}

func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return append(b, major|25, byte(n>>8), byte(n))
	case n < 1<<32:
		return append(b, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	n = bits.ReverseBytes64(n)
	return append(b, major|27, byte(n), byte(n>>8), byte(n>>16), byte(n>>24), byte(n>>32), byte(n>>40), byte(n>>48), byte(n>>56))
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, cborInt, uint64(-1-n))
	}
	return appendHead(b, cborUint, uint64(n))
}

func appendBytes(b, s []byte) []byte {
	if s == nil {
		return append(b, cborNull)
	}
	return append(appendHead(b, cborBytes, uint64(len(s))), s...)
}

func (Empty) sizeCBOR() int                           { return 1 }
func (Empty) appendCBOR(b []byte) (_ []byte, ok bool) { return append(b, cborMap), true }

func (r AppendResponse) sizeCBOR() int { return 32 }

func (r AppendResponse) appendCBOR(b []byte) (_ []byte, ok bool) {
	b = appendHead(append(b, cborMap|2, 1), cborUint, r.Seq)
	return appendInt(append(b, 2), r.Time), true
}

// entrySize is more than an entry takes beside its message.
const entrySize = 192

func (e *Entry) appendCBOR(b []byte) []byte {
	at := len(b)
	b = appendHead(append(b, cborMap, 1), cborUint, e.Seq)
	fields := byte(1)
	number := func(key byte, n uint64) {
		if n != 0 {
			b = appendHead(append(b, key), cborUint, n)
			fields++
		}
	}
	number(2, uint64(e.Kind))
	number(3, uint64(e.Generation))
	number(4, e.Epoch)
	b = appendBytes(append(b, 5), e.Sender[:])
	b = appendBytes(append(b, 6), e.ID[:])
	fields += 2
	if e.Time != 0 {
		b = appendInt(append(b, 7), e.Time)
		fields++
	}
	number(8, uint64(e.Keep))
	if len(e.Message) > 0 {
		b = appendBytes(append(b, 9), e.Message)
		fields++
	}
	if e.Gone {
		b = append(b, 10, cborTrue)
		fields++
	}
	b = appendBytes(append(b, 11), e.Digest[:])
	b[at] = cborMap | (fields + 1)
	return b
}

func sizeOf(entries []Entry) int {
	n := 0
	for i := range entries {
		n += entrySize + len(entries[i].Message)
	}
	return n
}

func appendEntries(b []byte, entries []Entry) []byte {
	if entries == nil {
		return append(b, cborNull)
	}
	b = appendHead(b, cborArray, uint64(len(entries)))
	for i := range entries {
		b = entries[i].appendCBOR(b)
	}
	return b
}

func (r ReadResponse) sizeCBOR() int { return 32 + sizeOf(r.Entries) }

func (r ReadResponse) appendCBOR(b []byte) (_ []byte, ok bool) {
	b = appendEntries(append(b, cborMap|2, 1), r.Entries)
	return appendHead(append(b, 2), cborUint, r.Last), true
}

func (f Frame) sizeCBOR() int {
	n := 64 + len(f.Body)
	if f.Push != nil {
		n += sizeOf(f.Push.Entries)
	}
	return n
}

// appendCBOR knows answers without an error, and pushes of entries.
func (f Frame) appendCBOR(b []byte) (_ []byte, ok bool) {
	switch {
	case f.Name != "" || f.Error != nil:
		return nil, false
	case f.Push == nil && f.Call != 0 && len(f.Body) > 0:
		b = appendHead(append(b, cborMap|2, 1), cborUint, f.Call)
		return append(append(b, 3), f.Body...), true
	case f.Push == nil || f.Call != 0 || len(f.Body) > 0 || len(f.Push.Signal) > 0 || f.Push.From != DeviceID{}:
		return nil, false
	}
	p := f.Push
	b = append(b, cborMap|1, 5)
	if len(p.Entries) == 0 {
		b = appendBytes(append(b, cborMap|2, 1), p.Log[:])
	} else {
		b = appendBytes(append(b, cborMap|3, 1), p.Log[:])
		b = appendEntries(append(b, 2), p.Entries)
	}
	return appendHead(append(b, 3), cborUint, p.Last), true
}
