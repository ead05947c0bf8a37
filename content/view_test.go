package content

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestComposedMessagesAreSeenAsWhatTheyAre(t *testing.T) {
	target, reaction := ID{1, 2, 3}, ID{1, 4, 5}
	state := &RoomState{Version: 1, Name: "Kitchen"}
	room, err := Room(state)
	if err != nil {
		t.Fatal(err)
	}
	note := ReadMark{Room: [16]byte{1}, Seq: 2}
	self, err := Self(note)
	if err != nil {
		t.Fatal(err)
	}
	changed := Reaction(ID{}, "😀")
	changed.Replaces = reaction
	for name, test := range map[string]struct {
		m    *Message
		want View
	}{
		"text":             {Text("*hi*"), View{Kind: KindText, Text: "*hi*", Format: FormatMarkdown}},
		"reply":            {Reply(target, "hi"), View{Kind: KindReply, Target: target, Text: "hi", Format: FormatMarkdown}},
		"edit":             {Edit(target, "hi"), View{Kind: KindEdit, Target: target, Text: "hi", Format: FormatMarkdown}},
		"delete":           {Delete(target), View{Kind: KindDelete, Target: target}},
		"reaction":         {Reaction(target, "❤"), View{Kind: KindReaction, Target: target, Emoji: []string{"❤"}}},
		"changed reaction": {changed, View{Kind: KindEdit, Target: reaction, Emoji: []string{"😀"}}},
		"unreact":          {Unreact(target, reaction), View{Kind: KindUnreact, Target: reaction}},
		"room":             {room, View{Kind: KindRoomState, Room: state}},
		"self":             {self, View{Kind: KindSelf, Self: []Note{note}}},
	} {
		raw, err := test.m.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := m.View(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, test.want)
		}
	}
}

func TestWhatIsNotShownIsNamed(t *testing.T) {
	external := func(d Disposition, contentType string, size uint64) Part {
		return Part{Disposition: d, Payload: External{ContentType: contentType, Size: size}}
	}
	multi := func(s Semantics, parts ...Part) Part {
		return Part{Disposition: Render, Payload: Multi{s, parts}}
	}
	text := single(Render, TypeMarkdown, []byte("hi"))
	png := single(Inline, "image/png", make([]byte, 123_400))
	for _, test := range []struct {
		name string
		body Part
		want View
	}{
		{"attachment", external(Attachment, "image/png", 123_000),
			View{Unsupported: "not shown yet: attachment (image/png, 123 kB)"}},
		{"conference", external(Session, "", 0),
			View{Unsupported: "not shown yet: invitation to a call"}},
		{"picture", png,
			View{Unsupported: "not shown yet: picture (image/png, 123 kB)"}},
		{"HTML", single(Render, "Text/HTML; charset=utf-8", []byte("<b>")),
			View{Unsupported: "not shown yet: text (text/html, 3 bytes)"}},
		{"text as an attachment", single(Attachment, TypePlain, []byte("x")),
			View{Unsupported: "not shown yet: attachment (text/plain, 1 byte)"}},
		{"type that poses as our words", single(Render, "image/png) from Alice (", []byte("x")),
			View{Unsupported: "not shown yet: picture (unknown type, 1 byte)"}},
		{"text in another charset", single(Render, `text/plain; charset="latin1"`, []byte("x")),
			View{Unsupported: "not shown yet: text that is not UTF-8"}},
		{"text that lies about UTF-8", single(Render, TypePlain, []byte{0xff}),
			View{Unsupported: "not shown yet: text that is not UTF-8"}},
		{"nothing", Part{}, View{Unsupported: "not shown yet: an empty message"}},
		{"reaction to nothing", single(Reacting, TypePlain, []byte("x")),
			View{Unsupported: "not shown yet: a reaction to no message"}},
		{"empty reaction", single(Reacting, TypePlain, nil),
			View{Unsupported: "not shown yet: a reaction"}},
		{"settings of tomorrow", single(Profile, TypeRoom, []byte{2}),
			View{Unsupported: "not shown yet: settings that this version cannot read"}},
		{"settings within a message", multi(ProcessAll, single(Profile, TypeRoom, []byte{1}), png),
			View{Unsupported: "not shown yet: profile (application/vnd.sconce.room+cbor, 1 byte), picture (image/png, 123 kB)"}},
		{"many", multi(ProcessAll, png, png, png, png, png),
			View{Unsupported: "not shown yet: " + strings.Repeat("picture (image/png, 123 kB), ", 2) +
				"picture (image/png, 123 kB) and 2 more"}},
		{"text and picture", multi(ProcessAll, text, png),
			View{Kind: KindText, Text: "hi", Format: FormatMarkdown, Unsupported: "not shown yet: picture (image/png, 123 kB)"}},
		{"text with its picture", multi(SingleUnit, text, png),
			View{Unsupported: "not shown yet: picture (image/png, 123 kB)"}},
		{"two texts", multi(SingleUnit, text, single(Render, TypePlain, []byte("you"))),
			View{Kind: KindText, Text: "hi\n\nyou", Format: FormatPlain}},
		{"choice", multi(ChooseOne, png, single(Render, TypePlain, []byte("plain")), text, single(Render, TypeMarkdown, []byte("late"))),
			View{Kind: KindText, Text: "hi", Format: FormatMarkdown, Warnings: []Warning{WarnAlternatives}}},
		{"choice of a part that lacks something", multi(ChooseOne, multi(ProcessAll, text, png), single(Render, TypePlain, []byte("whole"))),
			View{Kind: KindText, Text: "whole", Format: FormatPlain, Warnings: []Warning{WarnAlternatives}}},
		{"choice of nothing", multi(ChooseOne),
			View{Unsupported: "not shown yet: an empty part"}},
		{"choice of what we cannot show", multi(ChooseOne, png, external(Render, "video/mp4", 2)),
			View{Unsupported: "not shown yet: picture (image/png, 123 kB)", Warnings: []Warning{WarnAlternatives}}},
		{"unknown disposition", single(77, TypePlain, []byte("x")),
			View{Kind: KindText, Text: "x", Format: FormatPlain}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want.Kind == "" {
				test.want.Kind = KindUnsupported
			}
			m := &Message{Body: test.body}
			if got := m.View(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestSeveralReactionsInOneMessageStaySeparate(t *testing.T) {
	emoji := func(s string) Part { return single(Reacting, TypePlain, []byte(s)) }
	m := &Message{
		InReplyTo: ID{1},
		Body:      Part{Disposition: Reacting, Payload: Multi{ProcessAll, []Part{emoji("❤"), emoji("🥳")}}},
	}
	want := View{Kind: KindReaction, Target: ID{1}, Emoji: []string{"❤", "🥳"}}
	if got := m.View(); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestTurnedTextIsFlaggedAndUntouched(t *testing.T) {
	for text, warned := range map[string]bool{
		"pay \u202Eecila\u202C now": true,
		"\u2067isolate\u2069":       true,
		"שלום \u200Fעולם":           false,
		"plain":                     false,
	} {
		v := Text(text).View()
		if v.Text != text {
			t.Errorf("got %q, want %q", v.Text, text)
		}
		if got := len(v.Warnings) == 1 && v.Warnings[0] == WarnDirection; got != warned {
			t.Errorf("%q: warnings %v, want one: %v", text, v.Warnings, warned)
		}
	}
	room, err := Room(&RoomState{Name: "fdp.\u202Eexe"})
	if err != nil {
		t.Fatal(err)
	}
	if v := room.View(); len(v.Warnings) != 1 {
		t.Errorf("room name passed without a warning: %+v", v)
	}
}

func TestSizesAreReadable(t *testing.T) {
	for n, want := range map[uint64]string{
		1: "1 byte", 999: "999 bytes", 1000: "1 kB", 999_499: "999 kB", 999_500: "1 MB",
		708_234_961: "708 MB", 1<<64 - 1: "18 EB",
	} {
		if got := humanSize(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestKeysOfFilesDoNotPrint(t *testing.T) {
	key := Secret("hunter2")
	m := &Message{Body: Part{Payload: External{Key: key}}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, v := range []any{key, m, m.Body.Payload} {
			got := fmt.Sprintf(format, v)
			if strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74") || strings.Contains(got, "104") {
				t.Errorf("%s of %T shows the key: %s", format, v, got)
			}
		}
	}
	if text, _ := key.MarshalText(); string(text) != "[secret]" {
		t.Errorf("marshalled to %q", text)
	}
	if !key.Equal(Secret("hunter2")) || key.Equal(Secret("hunter3")) {
		t.Error("Equal is wrong")
	}
}
