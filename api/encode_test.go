package api

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"
)

func drawEntry(t *rapid.T) Entry {
	number := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Max(30), rapid.Uint64())
	e := Entry{
		Seq: number.Draw(t, "seq"), Kind: EntryKind(number.Draw(t, "kind")), Generation: uint32(number.Draw(t, "generation")),
		Epoch: number.Draw(t, "epoch"), Time: int64(number.Draw(t, "time")), Keep: Keep(number.Draw(t, "keep")), Gone: rapid.Bool().Draw(t, "gone"),
	}
	if rapid.Bool().Draw(t, "sent") {
		copy(e.Sender[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sender"))
		copy(e.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		copy(e.Digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		e.Message = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
	}
	return e
}

func drawEntries(t *rapid.T) []Entry {
	if rapid.Bool().Draw(t, "no list") {
		return nil
	}
	return rapid.SliceOfN(rapid.Custom(drawEntry), 0, 30).Draw(t, "entries")
}

// What is encoded by hand has the bytes of the general encoder.
func TestPlainEncodingIsTheGeneralOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var frame Frame
		if rapid.Bool().Draw(t, "call") {
			frame.Call = rapid.Uint64().Draw(t, "number")
		}
		if rapid.Bool().Draw(t, "body") {
			frame.Body = []byte{0xa0}
		}
		if rapid.Bool().Draw(t, "push") {
			frame.Push = &Push{Log: LogID{1, 2}, Entries: drawEntries(t), Last: rapid.Uint64().Draw(t, "last")}
		}
		if frame.Push != nil && rapid.IntRange(0, 3).Draw(t, "signal") == 0 {
			frame.Push.Signal, frame.Push.From = rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "message"), DeviceID{rapid.Byte().Draw(t, "from")}
		}
		if rapid.IntRange(0, 9).Draw(t, "error") == 0 {
			frame.Error = Errorf(Invalid, "no")
		}
		read := ReadResponse{Entries: drawEntries(t), Last: rapid.Uint64().Draw(t, "last read")}
		at := AppendResponse{Seq: rapid.Uint64().Draw(t, "seq"), Time: rapid.Int64().Draw(t, "time")}
		for _, v := range []any{frame, &frame, read, &read, at, &at, Empty{}, &Empty{}} {
			want, err := encoding.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Marshal(v)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%T: got %x, %v, want %x", v, got, err, want)
			}
			if b, ok := marshalPlain(v); ok && cap(b) > len(b)+64+entrySize*(len(read.Entries)+31) {
				t.Fatalf("%T: %d bytes have a buffer of %d", v, len(b), cap(b))
			}
		}
	})
}

// A field that is added to a type and not to its encoder would be left out
// without a word: each field by itself must change the bytes.
func TestPlainEncodingLeavesNoFieldOut(t *testing.T) {
	entry := func(e Entry) any { return ReadResponse{Entries: []Entry{e}} }
	push := func(p Push) any { return Frame{Push: &p} }
	eachField(t, entry)
	eachField(t, push)
	eachField(t, func(f Frame) any { return f })
	eachField(t, func(r ReadResponse) any { return r })
	eachField(t, func(r AppendResponse) any { return r })
}

func eachField[T any](t *testing.T, whole func(T) any) {
	t.Helper()
	for i := range reflect.TypeFor[T]().NumField() {
		var v T
		f := reflect.ValueOf(&v).Elem().Field(i)
		switch f.Kind() {
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			if raw, ok := f.Addr().Interface().(*cbor.RawMessage); ok {
				*raw = cbor.RawMessage{0xa0}
			}
		case reflect.Array:
			f.Index(0).SetUint(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("x")
		case reflect.Int64, reflect.Int:
			f.SetInt(1)
		default:
			f.SetUint(1)
		}
		name := reflect.TypeFor[T]().Name() + "." + reflect.TypeFor[T]().Field(i).Name
		got, err := Marshal(whole(v))
		want, wrong := encoding.Marshal(whole(v))
		if err != nil || wrong != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v; want %x, %v", name, got, err, want, wrong)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	f := Frame{Push: &Push{Entries: []Entry{{Seq: 1, Kind: 1, Epoch: 1, Time: 1_800_000_000_000, Keep: 2, Message: make([]byte, 1024)}}, Last: 1}}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			_, _ = Marshal(f)
		}
	})
	b.Run("general", func(b *testing.B) {
		for b.Loop() {
			_, _ = encoding.Marshal(f)
		}
	})
}
