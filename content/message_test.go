package content

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	alice = "mimi://example.com/u/alice-smith"
	team  = "mimi://example.com/r/engineering_team"
)

// draftVectors returns the folder with the draft's examples, or skips.
func draftVectors(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SCONCE_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "mimi-content")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the draft's examples are not here: %v", err)
	}
	return dir
}

func TestDraftExamplesRoundTripAndHaveTheirID(t *testing.T) {
	dir := draftVectors(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.cbor"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".cbor")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if name == "implied-original" {
				// What a receiver derives beside a message; not a message.
				if _, err := Decode(want); !errors.Is(err, ErrMalformed) {
					t.Fatalf("derived values decoded as a message: %v", err)
				}
				return
			}
			m, err := Decode(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("encoded again:\n got %x\nwant %x", got, want)
			}
			id, err := m.ID(m.SenderURI, m.RoomURI)
			if err != nil {
				t.Fatal(err)
			}
			if want := exampleID(t, dir, name); id.String() != want {
				t.Errorf("id:\n got %v\nwant %s", id, want)
			}
		})
	}
}

func TestDraftExamplesAreSeenAsWhatTheyAre(t *testing.T) {
	dir := draftVectors(t)
	for name, want := range map[string]View{
		"attachment":   {Kind: KindUnsupported, Unsupported: "not shown yet: attachment (video/mp4, 708 MB)"},
		"conferencing": {Kind: KindUnsupported, Unsupported: "not shown yet: invitation to a call"},
		"delete":       {Kind: KindDelete},
		"edit":         {Kind: KindEdit, Text: "Right on! _Congratulations_ y'all!"},
		"expiring":     {Kind: KindText, Text: "__*VPN GOING DOWN*__ I'm rebooting the VPN in ten minutes unless anyone objects."},
		"mention":      {Kind: KindReply, Text: "Kudos to [@Alice Smith](mimi://example.com/u/alice-smith) for making the release happen!"},
		"mention-html": {Kind: KindUnsupported, Unsupported: "not shown yet: text (text/html, 106 bytes)"},
		"multipart-1":  {Kind: KindText, Text: "# Welcome!", Warnings: []Warning{WarnAlternatives}},
		"multipart-2":  {Kind: KindUnsupported, Unsupported: "not shown yet: a reaction to no message"},
		"multipart-3": {Kind: KindUnsupported, Warnings: []Warning{WarnAlternatives},
			Unsupported: "not shown yet: text (text/html, 97 bytes), picture (image/gif, 16 bytes)"},
		"original": {Kind: KindText, Text: "Hi everyone, we just shipped release 2.0. __Good  work__!"},
		"reaction": {Kind: KindReaction, Emoji: []string{"❤"}},
		"reply":    {Kind: KindReply, Text: "Right on! _Congratulations_ 'all!"},
		"unlike":   {Kind: KindUnreact},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name+".cbor"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if want.Text != "" {
			want.Format = FormatMarkdown
		}
		got := m.View()
		if alone := m.InReplyTo.IsZero() && m.Replaces.IsZero(); got.Target.IsZero() != alone {
			t.Errorf("%s has the target %v", name, got.Target)
		}
		got.Target = ID{}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

var idComment = regexp.MustCompile(`message ID = h'([0-9a-f]+)\s+#\s+([0-9a-f]+)'`)

func exampleID(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+".edn"))
	if err != nil {
		t.Fatal(err)
	}
	found := idComment.FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s.edn states no message id", name)
	}
	return string(found[1]) + string(found[2])
}

func TestIDRefusesAnotherSenderOrRoom(t *testing.T) {
	m := Text("hello")
	m.SenderURI, m.RoomURI = alice, team
	if _, err := m.ID("mimi://example.com/u/bob-jones", team); !errors.Is(err, ErrImpostor) {
		t.Errorf("another sender: %v", err)
	}
	if _, err := m.ID(alice, "mimi://example.com/r/other"); !errors.Is(err, ErrImpostor) {
		t.Errorf("another room: %v", err)
	}
	if _, err := Text("hello").ID(strings.Repeat("a", maxURI+1), team); err == nil {
		t.Error("a sender longer than any URI has an id")
	}
	if _, err := m.ID(alice, team); err != nil {
		t.Errorf("the true ones: %v", err)
	}
}

func TestIDBindsSenderRoomSaltAndText(t *testing.T) {
	m := Text("hello")
	ids := map[ID]string{}
	add := func(what string, m *Message, sender, room string) {
		id, err := m.ID(sender, room)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := ids[id]; ok {
			t.Errorf("%s and %s have one id", what, other)
		}
		ids[id] = what
	}
	add("message", m, "ab", "cd")
	add("moved boundary", m, "abc", "d")
	add("other room", m, "ab", "ce")
	add("other salt", Text("hello"), "ab", "cd")
	changed := *m
	changed.Body = single(Render, TypeMarkdown, []byte("hellO"))
	add("other text", &changed, "ab", "cd")
}

func TestDecodedMessageKeepsNoReference(t *testing.T) {
	m := Text("keep me")
	m.Topic = []byte("topic")
	m.Unknown = map[Key]cborRaw{IntKey(-9): {0x61, 'x'}}
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if !reflect.DeepEqual(got, m) {
		t.Errorf("after clearing the input:\n got %+v\nwant %+v", got, m)
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		raw, err := m.Encode()
		if err != nil {
			t.Fatalf("encoding %+v: %v", m, err)
		}
		got, err := Decode(raw)
		if err != nil {
			t.Fatalf("decoding %x: %v", raw, err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("\n got %+v\nwant %+v", got, m)
		}
		got.View()
	})
}

// Every bit counts: a changed byte either is refused or is another message.
func TestChangedBytesAreAnotherMessageOrNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw, err := drawMessage(t).Encode()
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
		raw[at] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
		checkDecode(t, raw)
	})
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden(f) {
		f.Add(g.raw)
	}
	for _, h := range hostile() {
		if len(h.raw) < 4096 {
			f.Add(h.raw)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkDecode(t, data) })
}

type fataler interface{ Fatalf(string, ...any) }

// checkDecode holds what must be true for all bytes.
func checkDecode(t fataler, data []byte) {
	m, err := Decode(data)
	if err != nil {
		if _, ok := errors.AsType[*LimitError](err); !ok && !errors.Is(err, ErrMalformed) {
			t.Fatalf("error without a class: %v", err)
		}
		return
	}
	again, err := m.Encode()
	if err != nil {
		t.Fatalf("decoded and does not encode: %v", err)
	}
	if !bytes.Equal(again, data) {
		t.Fatalf("another encoding:\n got %x\nwant %x", again, data)
	}
	if v := m.View(); v.Kind == "" {
		t.Fatalf("view without a kind: %+v", v)
	}
}

func drawMessage(t *rapid.T) *Message {
	m := &Message{
		Replaces:  drawID(t, "replaces"),
		InReplyTo: drawID(t, "in reply to"),
		Topic:     drawBytes(t, "topic", 40),
	}
	copy(m.Salt[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "salt"))
	m.Expires.When = When(rapid.IntRange(0, 2).Draw(t, "when"))
	if m.Expires.When != Never {
		m.Expires.Seconds = rapid.Uint32Range(0, MaxTimer).Draw(t, "seconds")
	}
	m.SenderURI = drawText(t, "sender", 40)
	m.RoomURI = drawText(t, "room", 40)
	m.Expire = rapid.Uint32Range(0, MaxTimer).Draw(t, "expire")
	m.Burn = rapid.Uint32Range(0, MaxTimer).Draw(t, "burn")
	for range rapid.IntRange(0, 3).Draw(t, "unknown extensions") {
		key := IntKey(rapid.Int64Range(-maxSafeInteger, maxSafeInteger).Draw(t, "key"))
		if name := drawText(t, "key", 20); name != "" {
			key = TextKey(name)
		}
		if key.known() {
			continue
		}
		if m.Unknown == nil {
			m.Unknown = map[Key]cborRaw{}
		}
		m.Unknown[key] = drawValue(t, 3)
	}
	budget := MaxParts - 1
	m.Body = drawPart(t, MaxDepth, &budget)
	return m
}

func drawPart(t *rapid.T, depth int, budget *int) Part {
	p := Part{
		Disposition: Disposition(rapid.Byte().Draw(t, "disposition")),
		Language:    drawText(t, "language", 10),
	}
	contentType := rapid.SampledFrom([]string{
		TypeMarkdown, TypePlain, TypeRoom, TypeSelf, "text/html", "image/png", "", "x",
	}).Draw(t, "content type")
	kinds := 3
	if depth == 1 || *budget < 2 {
		kinds = 2
	}
	switch rapid.IntRange(0, kinds).Draw(t, "payload") {
	case 1:
		p.Payload = Single{contentType, drawBytes(t, "data", MaxEmoji)}
	case 2:
		e := External{
			ContentType: contentType, URL: drawText(t, "url", 40),
			Expires: rapid.Uint32().Draw(t, "expires"), Size: rapid.Uint64().Draw(t, "size"),
			EncAlg: rapid.Uint16().Draw(t, "alg"), HashAlg: rapid.Uint8().Draw(t, "hash alg"),
			ContentHash: drawBytes(t, "content hash", 64),
			Description: drawText(t, "description", 40), Filename: drawText(t, "filename", 20),
		}
		if e.EncAlg != 0 {
			e.Key, e.Nonce, e.AAD = drawBytes(t, "key", 32), drawBytes(t, "nonce", 12), drawBytes(t, "aad", 9)
		}
		p.Payload = e
	case 3:
		n := rapid.IntRange(2, min(4, *budget)).Draw(t, "parts")
		*budget -= n
		m := Multi{Semantics: Semantics(rapid.IntRange(0, 2).Draw(t, "semantics"))}
		for range n {
			m.Parts = append(m.Parts, drawPart(t, depth-1, budget))
		}
		p.Payload = m
	}
	return p
}

// drawValue draws the CBOR of an extension that nobody knows.
func drawValue(t *rapid.T, depth int) cborRaw {
	var v any
	switch kind := rapid.IntRange(0, 8).Draw(t, "value"); {
	case kind == 0:
		v = rapid.Int64().Draw(t, "int")
	case kind == 1:
		v = rapid.Float64().Draw(t, "float")
	case kind == 2:
		v = drawText(t, "text", 20)
	case kind == 3:
		v = rapid.Bool().Draw(t, "bool")
	case kind == 4 || depth == 0:
		v = nil
	case kind == 5:
		v = []any{drawValue(t, depth-1), drawValue(t, depth-1)}
	case kind == 6:
		v = map[any]any{1: drawValue(t, depth-1), "b": drawValue(t, depth-1), -5: drawValue(t, depth-1)}
	case kind == 7:
		v = cborTag{Number: rapid.Uint64Range(4, 1<<40).Draw(t, "tag"), Content: drawValue(t, depth-1)}
	default:
		v = notNil(drawBytes(t, "bytes", 20))
	}
	raw, err := encMode.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func drawID(t *rapid.T, name string) (id ID) {
	if rapid.Bool().Draw(t, name) {
		id[0] = hashSHA256
		copy(id[1:], drawBytes(t, name, 31))
	}
	return id
}

func drawBytes(t *rapid.T, name string, most int) []byte {
	b := rapid.SliceOfN(rapid.Byte(), 0, most).Draw(t, name)
	if len(b) == 0 {
		return nil
	}
	return b
}

func drawText(t *rapid.T, name string, most int) string {
	return rapid.StringN(0, most, most).Draw(t, name)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
