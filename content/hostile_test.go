package content

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

type (
	cborRaw = cbor.RawMessage
	cborTag = cbor.Tag
)

// cborItem encodes the way an honest program would, whatever it is given.
func cborItem(v any) cborRaw { return must(encMode.Marshal(v)) }

type attack struct {
	name string
	raw  []byte
	says string // a part of the error
}

// message7 is a message whose fields can be put wrong one at a time.
func message7(change func(items []any)) []byte {
	items := []any{
		Salt{1}, nil, []byte{}, nil, nil, map[any]any{},
		[]any{1, "", 1, TypePlain, []byte("x")},
	}
	change(items)
	return cborItem(items)
}

// extension is a message with one extension of raw key and value.
func extension(key, value []byte) []byte {
	raw := message7(func([]any) {})
	at := bytes.Index(raw, []byte{0xf6, 0xa0}) + 1 // the empty map after inReplyTo
	return bytes.Join([][]byte{raw[:at], {0xa1}, key, value, raw[at+1:]}, nil)
}

func body(items ...any) []byte {
	return message7(func(m []any) { m[6] = items })
}

func nested(levels int) any {
	part := any([]any{1, "", 1, TypePlain, []byte("x")})
	for range levels - 1 {
		part = []any{1, "", 3, 2, []any{part, []any{1, "", 0}}}
	}
	return part
}

func hostile() []attack {
	good := message7(func([]any) {})
	set := func(i int, v any) []byte { return message7(func(m []any) { m[i] = v }) }
	unknownHash := ID{2, 1}
	many := make([]any, MaxParts)
	for i := range many {
		many[i] = []any{1, "", 0}
	}
	longText := bytes.Repeat([]byte("a"), MaxText+1)
	return []attack{
		{"nothing", nil, "cut short"},
		{"a megabyte of arrays", bytes.Repeat([]byte{0x81}, 1<<20), "limit"},
		{"arrays up to the size limit", bytes.Repeat([]byte{0x81}, MaxMessage), "nested"},
		{"maps up to the size limit", bytes.Repeat([]byte{0xa1, 0x01}, MaxMessage/2), "nested"},
		{"tags up to the size limit", bytes.Repeat([]byte{0xc1}, MaxMessage), "nested"},
		{"an array that claims 2^64-1 items", []byte{0x9b, 255, 255, 255, 255, 255, 255, 255, 255}, "cut short"},
		{"bytes that claim 2^63", []byte{0x5b, 128, 0, 0, 0, 0, 0, 0, 0}, "cut short"},
		{"trailing byte", append(bytes.Clone(good), 0), "after the end"},
		{"cut short", good[:len(good)-1], "cut short"},
		{"not an array", cborItem("hello"), "not an array"},
		{"six fields", cborItem([]any{Salt{}, nil, []byte{}, nil, nil, map[any]any{}}), "no body"},
		{"eight fields", cborItem([]any{Salt{}, nil, []byte{}, nil, nil, map[any]any{}, []any{1, "", 0}, 1}), "too many"},
		{"indefinite array", append([]byte{0x9f}, append(bytes.Clone(good[1:]), 0xff)...), "indefinite"},
		{"long form of the array's length", append([]byte{0x98, 7}, good[1:]...), "shortest"},
		{"short salt", set(0, []byte{1}), "salt"},
		{"salt null", set(0, nil), "salt"},
		{"salt an array of numbers", set(0, make([]int, 16)), "salt"},
		{"tagged message", append([]byte{0xd8, 0x20}, good...), "not an array"},
		{"tagged salt", set(0, cborTag{Number: 64, Content: make([]byte, 16)}), "salt"},
		{"replaces with an unknown hash", set(1, unknownHash), "unknown hash"},
		{"replaces all zero", set(1, ID{}), "unknown hash"},
		{"topic null", set(2, nil), "topic"},
		{"topic too long", set(2, make([]byte, MaxTopic+1)), "limit"},
		{"expires with a float", set(3, []any{true, 1.5}), "time"},
		{"expires with a number for the bool", set(3, []any{1, 1}), "relative"},
		{"expires after more than a year", set(3, []any{true, MaxTimer + 1}), "time"},
		{"expires after 2106", set(3, []any{false, uint64(1 << 32)}), "time"},
		{"extensions an array", set(5, []any{}), "not a map"},
		{"disposition 256", body(256, "", 0), "disposition"},
		{"disposition a float", body(1.0, "", 0), "disposition"},
		{"cardinality 4", body(1, "", 4), "cardinality"},
		{"null part with more", body(1, "", 0, 1), "too many"},
		{"single part without content", body(1, "", 1, "a/b"), "no content"},
		{"content is text", body(1, "", 1, "a/b", "text"), "content"},
		{"unknown semantics", body(1, "", 3, 3, many[:2]), "semantics"},
		{"multipart of one", body(1, "", 3, 2, many[:1]), "multipart"},
		{"too many parts", body(1, "", 3, 2, many), "parts"},
		{"parts nested five deep", set(6, nested(MaxDepth+1)), "nested"},
		{"text too long", body(1, "", 1, TypeMarkdown, longText), "limit is 65536"},
		{"reaction too long", body(2, "", 1, TypePlain, longText[:MaxEmoji+1]), "limit is 64"},
		{"external with a key and no algorithm",
			body(6, "", 2, "a/b", "u", 0, 0, 0, []byte{1}, []byte{}, []byte{}, 0, []byte{}, "", ""), "no algorithm"},
		{"duplicate keys", set(5, cborRaw{0xa2, 0x20, 0x01, 0x20, 0x01}), "duplicate"},
		{"unsorted keys", set(5, cborRaw{0xa2, 0x21, 0x01, 0x20, 0x01}), "out of order"},
		{"duplicate keys deeper", extension([]byte{0x20}, []byte{0xa2, 0x01, 0x01, 0x01, 0x01}), "duplicate"},
		{"key beyond 2^53", extension(cborItem(uint64(1<<53)), []byte{1}), "map key"},
		{"key below -2^53", extension(cborItem(int64(-(1 << 53))), []byte{1}), "map key"},
		{"key of bytes", extension([]byte{0x41, 1}, []byte{1}), "extension key"},
		{"key empty text", extension([]byte{0x60}, []byte{1}), "extension key"},
		{"key of 256 bytes", extension(cborItem(strings.Repeat("k", 256)), []byte{1}), "extension key"},
		{"key an array", extension([]byte{0x80}, []byte{1}), "map key"},
		{"text not UTF-8", extension([]byte{0x20}, []byte{0x61, 0xff}), "UTF-8"},
		{"extension five deep", extension([]byte{0x20}, []byte{0x81, 0x81, 0x81, 0x81, 1}), "nested"},
		{"wide float", extension([]byte{0x20}, []byte{0xfa, 0x3f, 0x80, 0, 0}), "shortest"},
		{"wide NaN", extension([]byte{0x20}, []byte{0xfa, 0x7f, 0xc0, 0, 0}), "NaN"},
		{"signalling NaN", extension([]byte{0x20}, []byte{0xf9, 0x7c, 0x01}), "NaN"},
		{"undefined", extension([]byte{0x20}, []byte{0xf7}), "simple"},
		{"simple value 32", extension([]byte{0x20}, []byte{0xf8, 0x20}), "simple"},
		{"break", extension([]byte{0x20}, []byte{0xff}), "indefinite"},
		{"small big integer", extension([]byte{0x20}, []byte{0xc2, 0x41, 1}), "big integer"},
		{"big integer with a leading zero", extension([]byte{0x20}, append([]byte{0xc2, 0x49, 0}, make([]byte, 8)...)), "big integer"},
		{"sender empty", extension([]byte{0x01}, []byte{0x60}), "empty"},
		{"sender a number", extension([]byte{0x01}, []byte{0x01}), "sender"},
		{"expire zero", extension(cborItem(KeyExpire), []byte{0}), "empty"},
		{"expire more than a year", extension(cborItem(KeyExpire), cborItem(MaxTimer+1)), "expire"},
		{"burn null", extension(cborItem(KeyBurn), []byte{0xf6}), "burn"},
	}
}

func TestHostileBytesAreRefused(t *testing.T) {
	if _, err := Decode(message7(func([]any) {})); err != nil {
		t.Fatalf("the message that all are made from: %v", err)
	}
	if _, err := Decode(extension([]byte{0x20}, []byte{1})); err != nil {
		t.Fatalf("the extension that all are made from: %v", err)
	}
	for _, attack := range hostile() {
		t.Run(attack.name, func(t *testing.T) {
			m, err := Decode(attack.raw)
			if err == nil {
				t.Fatalf("decoded: %+v", m)
			}
			if _, ok := errors.AsType[*LimitError](err); !ok && !errors.Is(err, ErrMalformed) {
				t.Errorf("error without a class: %v", err)
			}
			if !strings.Contains(err.Error(), attack.says) {
				t.Errorf("got %q, want something on %q", err, attack.says)
			}
		})
	}
}

func TestForeignExtensionsKeepTheirBytes(t *testing.T) {
	for name, value := range map[string][]byte{
		"half float":        {0xf9, 0x3e, 0x00},
		"quiet NaN":         {0xf9, 0x7e, 0x00},
		"minus infinity":    {0xf9, 0xfc, 0x00},
		"double":            cborItem(math.Pi),
		"subnormal half":    {0xf9, 0x00, 0x01},
		"time tag":          {0xc1, 0x1a, 0x62, 0x03, 0x66, 0x74},
		"URI tag":           {0xd8, 0x20, 0x61, 'x'},
		"big integer":       append([]byte{0xc2, 0x49, 1}, make([]byte, 8)...),
		"as deep as may be": {0x81, 0xa1, 0x41, 7, 0x81, 1},
		"minus 2^64":        {0x3b, 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		t.Run(name, func(t *testing.T) {
			raw := extension([]byte{0x20}, value)
			m, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Unknown[IntKey(-1)]; !bytes.Equal(got, value) {
				t.Errorf("got %x, want %x", got, value)
			}
			if again, err := m.Encode(); err != nil || !bytes.Equal(again, raw) {
				t.Errorf("encoded again: %x, %v; want %x", again, err, raw)
			}
		})
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	id := ID{1, 2}
	self := []Part{{}, {}}
	self[0].Payload = Multi{Parts: self}
	for name, m := range map[string]*Message{
		"long text":            Text(strings.Repeat("a", MaxText+1)),
		"long emoji":           Reaction(id, strings.Repeat("a", MaxEmoji+1)),
		"foreign hash":         Reply(ID{9}, "x"),
		"part inside itself":   {Body: self[0]},
		"pointer payload":      {Body: Part{Payload: &Single{}}},
		"language not UTF-8":   {Body: Part{Language: "\xff"}},
		"known key as unknown": {Extensions: Extensions{Unknown: map[Key]cborRaw{IntKey(KeyBurn): {1}}}},
		"unknown not CBOR":     {Extensions: Extensions{Unknown: map[Key]cborRaw{IntKey(-1): {0x81}}}},
		"two unknown in one":   {Extensions: Extensions{Unknown: map[Key]cborRaw{IntKey(-1): {1, 2}}}},
		"timer of two years":   {Extensions: Extensions{Expire: 2 * MaxTimer}},
	} {
		if raw, err := m.Encode(); err == nil {
			t.Errorf("%s: encoded to %x", name, raw)
		}
	}
}
