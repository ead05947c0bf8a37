package content

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRoomStateRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &RoomState{
			Version:     rapid.Uint64().Draw(t, "version"),
			Name:        rapid.StringMatching(`[\pL\pN -]{0,20}`).Draw(t, "name"),
			Description: drawText(t, "description", 50),
			Expire:      rapid.Uint32Range(0, MaxTimer).Draw(t, "expire"),
			Burn:        rapid.Uint32Range(0, MaxTimer).Draw(t, "burn"),
		}
		copy(want.Salt[:], drawBytes(t, "salt", 32))
		raw, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRoomState(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("\n got %+v\nwant %+v", got, want)
		}
	})
}

func TestRoomStateHashCoversSaltAndState(t *testing.T) {
	s := RoomState{Version: 1, Salt: [32]byte{1}, Name: "Kitchen"}
	raw, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(append(bytes.Clone(s.Salt[:]), raw...))
	if got, err := s.Hash(); err != nil || got != want {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
	next := s.Next()
	if next.Version != 2 || next.Salt == s.Salt || next.Name != s.Name {
		t.Errorf("next of %+v is %+v", s, next)
	}
	if got, err := next.Hash(); err != nil || got == want {
		t.Errorf("a changed state keeps its hash: %x, %v", got, err)
	}
}

func TestBadRoomStateIsRefused(t *testing.T) {
	state := func(items ...any) []byte { return append([]byte{roomVersion}, cborItem(items)...) }
	good := state(1, [32]byte{}, "n", "d", 0, 0)
	if _, err := DecodeRoomState(good); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"nothing":       nil,
		"version only":  {roomVersion},
		"version zero":  append([]byte{0}, good[1:]...),
		"trailing byte": append(bytes.Clone(good), 0),
		"null timer":    state(1, [32]byte{}, "n", "d", nil, 0),
		"short salt":    state(1, [31]byte{}, "n", "d", 0, 0),
		"long name":     state(1, [32]byte{}, strings.Repeat("n", MaxName+1), "d", 0, 0),
		"two lines":     state(1, [32]byte{}, "n\nAdmin: ok", "d", 0, 0),
		"long timer":    state(1, [32]byte{}, "n", "d", MaxTimer+1, 0),
		"another field": state(1, [32]byte{}, "n", "d", 0, 0, 0),
		"nested":        state(1, [32]byte{}, "n", "d", 0, []any{}),
	} {
		if s, err := DecodeRoomState(raw); err == nil {
			t.Errorf("%s: decoded %+v", name, s)
		}
	}
	if _, err := DecodeRoomState([]byte{roomVersion + 1}); !errors.Is(err, ErrVersion) {
		t.Errorf("later version: %v", err)
	}
	if _, err := (&RoomState{Name: "a\tb"}).Encode(); !errors.Is(err, ErrMalformed) {
		t.Errorf("name with a tab: %v", err)
	}
}

func TestNotesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		notes := rapid.SliceOfN(rapid.Custom(drawNote), 0, 10).Draw(t, "notes")
		raw, err := EncodeNotes(notes)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeNotes(raw)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(notes) || len(notes) > 0 && !reflect.DeepEqual(got, notes) {
			t.Fatalf("\n got %+v\nwant %+v", got, notes)
		}
	})
}

func drawNote(t *rapid.T) Note {
	var room [16]byte
	var user, head [32]byte
	copy(room[:], drawBytes(t, "room", 16))
	copy(user[:], drawBytes(t, "user", 32))
	copy(head[:], drawBytes(t, "head", 32))
	at := rapid.Uint64Range(0, maxMillis).Draw(t, "at")
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return ReadMark{room, rapid.Uint64().Draw(t, "seq")}
	case 1:
		return BurnStart{room, ID{hashSHA256, user[0]}, at}
	case 2:
		return Verified{user, head, at, rapid.Bool().Draw(t, "withdrawn")}
	case 3:
		return Preference{room, at, rapid.Bool().Draw(t, "pinned"), Notify(rapid.IntRange(0, int(NotifyNone)).Draw(t, "notify"))}
	case 4:
		return Choice{at, rapid.Bool().Draw(t, "receipts"), rapid.Bool().Draw(t, "typing")}
	}
	kind := rapid.Uint64Min(kindChoice+1).Draw(t, "unknown")
	return UnknownNote{kind, cborItem([]any{kind, drawValue(t, 2)})}
}

func TestUnknownNoteDoesNotSpoilTheOthers(t *testing.T) {
	known := ReadMark{Room: [16]byte{1}, Seq: 7}
	raw := append([]byte{selfVersion}, cborItem([]any{[]any{1000, []any{"?"}}, known.items()})...)
	got, err := DecodeNotes(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := []Note{UnknownNote{1000, cborItem([]any{1000, []any{"?"}})}, known}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestBadNotesAreRefused(t *testing.T) {
	notes := func(items ...any) []byte { return append([]byte{selfVersion}, cborItem(items)...) }
	for name, raw := range map[string][]byte{
		"nothing":                 nil,
		"not an array":            {selfVersion, 0x01},
		"note without a kind":     notes([]any{}),
		"note that is a number":   notes(1),
		"kind as text":            notes([]any{"1"}),
		"read mark cut short":     notes([]any{1, [16]byte{}}),
		"read mark with more":     notes([]any{1, [16]byte{}, 1, 1}),
		"burn start of nothing":   notes([]any{2, [16]byte{}, nil, 1}),
		"time past int64":         notes([]any{2, [16]byte{}, ID{1}, uint64(1 << 63)}),
		"withdrawn null":          notes([]any{3, [32]byte{}, [32]byte{}, 1, nil}),
		"unknown and too deep":    notes([]any{9, []any{[]any{[]any{}}}}),
		"more notes than we read": notes(make([]any, MaxNotes+1)...),
	} {
		if got, err := DecodeNotes(raw); err == nil {
			t.Errorf("%s: decoded %+v", name, got)
		}
	}
	if _, err := DecodeNotes([]byte{selfVersion + 1, 0}); !errors.Is(err, ErrVersion) {
		t.Errorf("later version: %v", err)
	}
	if _, err := EncodeNotes([]Note{nil}); !errors.Is(err, ErrMalformed) {
		t.Errorf("nil note: %v", err)
	}
	if _, err := EncodeNotes(make([]Note, MaxNotes+1)); err == nil {
		t.Error("encoded more notes than anyone reads")
	}
}

func FuzzDecodeRoomState(f *testing.F) {
	for _, g := range golden(f) {
		if m, err := Decode(g.raw); err == nil && g.name == "room" {
			f.Add(m.Body.Payload.(Single).Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeRoomState(data)
		if err != nil {
			return
		}
		if again, err := s.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("another encoding: %x, %v; want %x", again, err, data)
		}
	})
}

func FuzzDecodeNotes(f *testing.F) {
	for _, g := range golden(f) {
		if m, err := Decode(g.raw); err == nil && g.name == "self" {
			f.Add(m.Body.Payload.(Single).Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		notes, err := DecodeNotes(data)
		if err != nil {
			return
		}
		if again, err := EncodeNotes(notes); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("another encoding: %x, %v; want %x", again, err, data)
		}
	})
}

func TestReportsRoundTripAndNothingElseIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Report{Delivered: rapid.Uint64().Draw(t, "delivered")}
		want.Read = rapid.Uint64Range(0, want.Delivered).Draw(t, "read")
		m, err := Reports(want)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if v := again.View(); v.Kind != KindReport || *v.Report != want {
			t.Fatalf("got %+v; want %+v", v, want)
		}
	})
	if _, err := Reports(Report{Delivered: 1, Read: 2}); !errors.Is(err, ErrMalformed) {
		t.Errorf("read before it was delivered: %v", err)
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "version only": {reportVersion}, "read before delivered": append([]byte{reportVersion}, cborItem([]any{1, 2})...),
		"one place": append([]byte{reportVersion}, cborItem([]any{1})...), "three": append([]byte{reportVersion}, cborItem([]any{3, 2, 1})...),
	} {
		if r, err := DecodeReport(raw); err == nil {
			t.Errorf("%s: decoded %+v", name, r)
		}
	}
	if _, err := DecodeReport([]byte{reportVersion + 1}); !errors.Is(err, ErrVersion) {
		t.Errorf("later version: %v", err)
	}
}

func FuzzReport(f *testing.F) {
	f.Add(append([]byte{reportVersion}, cborItem([]any{2, 1})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReport(b)
		if err != nil {
			return
		}
		if again, err := r.encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x decoded to %+v, which encodes to %x, %v", b, r, again, err)
		}
	})
}
