package content

import "github.com/fxamacker/cbor/v2"

// Panics here can only come from option values that contradict each other, and
// those are constants: the package's tests would not start.
var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  maxNesting,
		MaxArrayElements: MaxNotes, // our longest array
		MaxMapPairs:      maxExtensions,
	}.DecMode())
)

// maxNesting is the depth of the deepest message: the message, then one array
// for each part and one for each list of parts between them.
const maxNesting = 1 + MaxDepth + (MaxDepth - 1)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// list reads the items of a CBOR array one after the other. The first thing
// that is wrong stays in err, and every later read returns zero, so a reader
// asks for all it wants and then looks once.
//
// Each read checks the CBOR type itself: the library would take null for a zero
// and numbers for bytes.
type list struct {
	of   string
	rest []cbor.RawMessage
	err  error
}

func readList(of string, raw []byte) *list {
	l := &list{of: of}
	if len(raw) == 0 || raw[0]>>5 != majorArray {
		l.err = malformed("%s is not an array", of)
		return l
	}
	if err := decMode.Unmarshal(raw, &l.rest); err != nil {
		l.err = malformed("%s: %v", of, err)
	}
	return l
}

func (l *list) raw(name string) cbor.RawMessage {
	if l.err == nil && len(l.rest) == 0 {
		l.err = malformed("%s has no %s", l.of, name)
	}
	if l.err != nil {
		return nil
	}
	first := l.rest[0]
	l.rest = l.rest[1:]
	return first
}

// read decodes the next item into v if it has the given major type.
func (l *list) read(name string, major byte, v any) {
	raw := l.raw(name)
	if l.err != nil {
		return
	}
	if raw[0]>>5 != major {
		l.err = malformed("%s of %s has the wrong type", name, l.of)
		return
	}
	if err := decMode.Unmarshal(raw, v); err != nil {
		l.err = malformed("%s of %s: %v", name, l.of, err)
	}
}

func (l *list) uint(name string, most uint64) uint64 {
	var n uint64
	l.read(name, majorUint, &n)
	if l.err == nil && n > most {
		l.err = malformed("%s of %s is %d, more than %d", name, l.of, n, most)
		return 0
	}
	return n
}

func (l *list) bool(name string) bool {
	raw := l.raw(name)
	if l.err != nil {
		return false
	}
	if raw[0] != 0xf4 && raw[0] != 0xf5 {
		l.err = malformed("%s of %s is neither true nor false", name, l.of)
	}
	return raw[0] == 0xf5
}

func (l *list) text(name string, most int) string {
	var s string
	l.read(name, majorText, &s)
	if l.err == nil {
		l.err = limit(name, "bytes", len(s), most)
	}
	return s
}

// bytes returns nil for no bytes, so that a zero value and its decoded copy are
// alike.
func (l *list) bytes(name string, most int) []byte {
	var b []byte
	l.read(name, majorBytes, &b)
	if l.err == nil {
		l.err = limit(name, "bytes", len(b), most)
	}
	if len(b) == 0 {
		return nil
	}
	return b
}

// fixed fills into, which must be met exactly.
func (l *list) fixed(name string, into []byte) {
	var b []byte
	l.read(name, majorBytes, &b)
	if l.err == nil && len(b) != len(into) {
		l.err = malformed("%s of %s has %d bytes, not %d", name, l.of, len(b), len(into))
	}
	if l.err == nil {
		copy(into, b)
	}
}

func (l *list) end() error {
	if l.err == nil && len(l.rest) > 0 {
		l.err = malformed("%s has %d items too many", l.of, len(l.rest))
	}
	return l.err
}

// null reports whether the next item is null, and if so skips it.
func (l *list) null() bool {
	if l.err != nil || len(l.rest) == 0 || l.rest[0][0] != 0xf6 {
		return false
	}
	l.rest = l.rest[1:]
	return true
}
