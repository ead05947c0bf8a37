package clienttest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sconce/client"
)

// Store holds an implementation to the promises of [client.Store]. open opens the
// store that lives in the folder dir, and makes it when there is none; the same
// folder gives the same content again.
func Store(t *testing.T, open func(dir string) (client.Store, error)) {
	opened := func(t *testing.T, dir string) client.Store {
		t.Helper()
		s, err := open(dir)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	for _, c := range []struct {
		name string
		test func(t *testing.T, open func(t *testing.T, dir string) client.Store)
	}{
		{"AbsentIsNilAndEmptyIsNot", storeAbsent},
		{"ScanIsOrderedByBytes", storeOrder},
		{"ScanStopsWithTheErrorOfItsFunction", storeScanError},
		{"CallsInsideScanAreRefused", storeScanning},
		{"ApplyIsInOrder", storeApplyOrder},
		{"KeepsNoSliceItWasGiven", storeOwnership},
		{"BinaryKeysAndBigValues", storeBinary},
		{"ReopenGivesTheSame", storeReopen},
		{"ClosedRefuses", storeClosed},
		{"BehavesAsAnOrderedMap", storeModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, opened) })
	}
}

type openStore = func(t *testing.T, dir string) client.Store

func storeAbsent(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	if v, err := s.Get([]byte("k")); v != nil || err != nil {
		t.Fatalf("Get of an absent key = %v, %v; want nil, nil", v, err)
	}
	apply(t, s, client.Op{Key: []byte("k")})
	apply(t, s)
	apply(t, s, client.Op{Key: []byte("k"), Value: []byte{}})
	if v, err := s.Get([]byte("k")); v == nil || len(v) != 0 || err != nil {
		t.Fatalf("Get of an empty value = %v, %v; want [], nil", v, err)
	}
	err := s.Scan(nil, nil, func(_, v []byte) error {
		if v == nil {
			t.Error("Scan gave nil for an empty value")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, client.Op{Key: []byte("k")})
	if v, err := s.Get([]byte("k")); v != nil || err != nil {
		t.Fatalf("Get of a deleted key = %v, %v; want nil, nil", v, err)
	}
}

func storeOrder(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	keys := []string{"\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "aa", "b", "\x7f", "\x80", "\xff", "\xff\xff"}
	for _, k := range slices.Backward(keys) {
		apply(t, s, client.Op{Key: []byte(k), Value: []byte("v" + k)})
	}
	bounds := append([]string{""}, keys...)
	for _, start := range bounds {
		for _, end := range append(bounds, "nil") {
			var want []string
			for _, k := range keys {
				if k >= start && (end == "nil" || k < end) {
					want = append(want, k)
				}
			}
			to := []byte(end)
			if end == "nil" {
				to = nil
			}
			if got := scan(t, s, []byte(start), to); !slices.Equal(got, want) {
				t.Errorf("Scan(%q, %q) = %q; want %q", start, end, got, want)
			}
		}
	}
	if got := scan(t, s, nil, nil); !slices.Equal(got, keys) {
		t.Errorf("Scan(nil, nil) = %q; want %q", got, keys)
	}
}

func storeScanError(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	apply(t, s, client.Op{Key: []byte("a"), Value: []byte("1")}, client.Op{Key: []byte("b"), Value: []byte("2")})
	enough := errors.New("enough")
	calls := 0
	err := s.Scan(nil, nil, func(_, _ []byte) error { calls++; return enough })
	if err != enough || calls != 1 {
		t.Fatalf("Scan = %v after %d calls; want %v after 1", err, calls, enough)
	}
	if got := scan(t, s, nil, nil); len(got) != 2 {
		t.Fatalf("the Scan after it gave %q; want both keys", got)
	}
}

func storeScanning(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	apply(t, s, client.Op{Key: []byte("a"), Value: []byte("1")})
	err := s.Scan(nil, nil, func(_, _ []byte) error {
		_, get := s.Get([]byte("a"))
		put := s.Apply([]client.Op{{Key: []byte("b"), Value: []byte("2")}})
		again := s.Scan(nil, nil, func(_, _ []byte) error { return nil })
		for name, err := range map[string]error{"Get": get, "Apply": put, "Scan": again} {
			if !errors.Is(err, client.ErrScanning) {
				t.Errorf("%s inside Scan = %v; want %v", name, err, client.ErrScanning)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, client.Op{Key: []byte("c"), Value: []byte("3")})
	if got := scan(t, s, nil, nil); !slices.Equal(got, []string{"a", "c"}) {
		t.Fatalf("after it the store holds %q; want a, c", got)
	}
}

func storeApplyOrder(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	apply(t, s, client.Op{Key: []byte("gone"), Value: []byte("1")}, client.Op{Key: []byte("gone")},
		client.Op{Key: []byte("back")}, client.Op{Key: []byte("back"), Value: []byte("1")},
		client.Op{Key: []byte("twice"), Value: []byte("1")}, client.Op{Key: []byte("twice"), Value: []byte("2")})
	if got := scan(t, s, nil, nil); !slices.Equal(got, []string{"back", "twice"}) {
		t.Fatalf("keys = %q; want back, twice", got)
	}
	if v, err := s.Get([]byte("twice")); string(v) != "2" || err != nil {
		t.Fatalf("Get = %q, %v; want the last value", v, err)
	}
}

func storeOwnership(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	key, value := []byte("key"), []byte("value")
	apply(t, s, client.Op{Key: key, Value: value})
	clear(key)
	clear(value)
	got, err := s.Get([]byte("key"))
	if string(got) != "value" || err != nil {
		t.Fatalf("Get = %q, %v; want the value as it was given", got, err)
	}
	clear(got)
	if again, err := s.Get([]byte("key")); string(again) != "value" || err != nil {
		t.Fatalf("Get = %q, %v; want a value that the caller's change does not reach", again, err)
	}
}

func storeBinary(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	want := map[string][]byte{}
	var ops []client.Op
	for i := range 256 {
		key := []byte{byte(i), 0, byte(255 - i)}
		want[string(key)] = bytes.Repeat(key, i)
		ops = append(ops, client.Op{Key: key, Value: want[string(key)]})
	}
	long := bytes.Repeat([]byte{0xfe}, client.MaxKey)
	want[string(long)] = bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	apply(t, s, append(ops, client.Op{Key: long, Value: want[string(long)]})...)
	for k, v := range want {
		if got, err := s.Get([]byte(k)); !bytes.Equal(got, v) || got == nil || err != nil {
			t.Fatalf("Get(%x) = %d bytes, %v; want %d bytes", k[:3], len(got), err, len(v))
		}
	}
}

func storeReopen(t *testing.T, open openStore) {
	dir := t.TempDir()
	s := open(t, dir)
	apply(t, s, client.Op{Key: []byte("a"), Value: []byte("1")}, client.Op{Key: []byte("b"), Value: []byte("2")})
	apply(t, s, client.Op{Key: []byte("a")})
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s = open(t, dir)
	if got := scan(t, s, nil, nil); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("reopened store holds %q; want b", got)
	}
}

func storeClosed(t *testing.T, open openStore) {
	s := open(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	_, get := s.Get([]byte("a"))
	for name, err := range map[string]error{
		"Get": get, "Apply": s.Apply([]client.Op{{Key: []byte("a")}}),
		"Scan": s.Scan(nil, nil, func(_, _ []byte) error { return nil }),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s of a closed store = %v; want fs.ErrClosed", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// storeModel compares with a map, and with itself reopened.
func storeModel(t *testing.T, open openStore) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		s := open(t, dir)
		model := map[string]string{}
		key := rapid.SliceOfN(rapid.ByteRange(0, 3), 1, 3)
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			var ops []client.Op
			for range rapid.IntRange(0, 6).Draw(rt, "ops") {
				op := client.Op{Key: key.Draw(rt, "key")}
				if rapid.Bool().Draw(rt, "put") {
					op.Value = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "value")...)
					model[string(op.Key)] = string(op.Value)
				} else {
					delete(model, string(op.Key))
				}
				ops = append(ops, op)
			}
			apply(t, s, ops...)
		}
		if rapid.Bool().Draw(rt, "reopen") {
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
			s = open(t, dir)
		}
		got := map[string]string{}
		if err := s.Scan(nil, nil, func(k, v []byte) error { got[string(k)] = string(v); return nil }); err != nil {
			rt.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(model) {
			rt.Fatalf("store holds %q; want %q", got, model)
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func apply(t *testing.T, s client.Store, ops ...client.Op) {
	t.Helper()
	if err := s.Apply(ops); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func scan(t *testing.T, s client.Store, start, end []byte) (keys []string) {
	t.Helper()
	if err := s.Scan(start, end, func(k, _ []byte) error { keys = append(keys, string(k)); return nil }); err != nil {
		t.Fatalf("Scan(%q, %q): %v", start, end, err)
	}
	return keys
}

// Keyring holds an implementation to the promises of [client.Keyring]. open opens
// the keyring that lives in the folder dir, and makes it when there is none.
func Keyring(t *testing.T, open func(dir string) (client.Keyring, error)) {
	opened := func(t *testing.T, dir string) client.Keyring {
		t.Helper()
		k, err := open(dir)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		t.Cleanup(func() { _ = k.Close() })
		return k
	}
	t.Run("NewIsEmpty", func(t *testing.T) {
		if got := content(t, opened(t, t.TempDir())); len(got) != 0 {
			t.Fatalf("a new keyring has %d bytes", len(got))
		}
	})
	t.Run("OverwritesOnlyWhatItIsTold", func(t *testing.T) { keyringOverwrites(t, opened) })
	t.Run("RefusesSlotsOutOfRange", func(t *testing.T) {
		k := opened(t, t.TempDir())
		for _, i := range []int{-1, client.MaxSlots} {
			if err := k.Overwrite([]client.SlotWrite{{Index: 0, Slot: slot(1)}, {Index: i}}); err == nil {
				t.Errorf("Overwrite of slot %d succeeded", i)
			}
		}
	})
	t.Run("ClosedRefuses", func(t *testing.T) {
		k := opened(t, t.TempDir())
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		_, read := k.Read()
		for name, err := range map[string]error{"Read": read, "Overwrite": k.Overwrite([]client.SlotWrite{{}})} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s of a closed keyring = %v; want fs.ErrClosed", name, err)
			}
		}
		if err := k.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func keyringOverwrites(t *testing.T, open func(t *testing.T, dir string) client.Keyring) {
	dir := t.TempDir()
	k := open(t, dir)
	want := map[int]client.Slot{}
	write := func(slots ...client.SlotWrite) {
		t.Helper()
		if err := k.Overwrite(slots); err != nil {
			t.Fatalf("Overwrite: %v", err)
		}
		for _, s := range slots {
			want[s.Index] = s.Slot
		}
		got := content(t, k)
		last := slices.MaxFunc(slots, func(a, b client.SlotWrite) int { return cmp.Compare(a.Index, b.Index) }).Index
		if len(got) < (last+1)*client.SlotSize {
			t.Fatalf("after writing slot %d the keyring has %d bytes", last, len(got))
		}
		for i := range len(got) / client.SlotSize {
			if s := client.Slot(got[i*client.SlotSize:]); s != want[i] {
				t.Fatalf("slot %d holds %x; want %x", i, s[:], func() []byte { w := want[i]; return w[:] }())
			}
		}
	}
	if err := k.Overwrite(nil); err != nil {
		t.Fatalf("Overwrite of nothing: %v", err)
	}
	write(client.SlotWrite{Index: 2, Slot: slot(2)})
	write(client.SlotWrite{Index: 0, Slot: slot(1)}, client.SlotWrite{Index: 3, Slot: slot(3)})
	write(client.SlotWrite{Index: 2, Slot: slot(9)}, client.SlotWrite{Index: 300, Slot: slot(4)}, client.SlotWrite{Index: 1, Slot: slot(5)})
	write(client.SlotWrite{Index: 3}, client.SlotWrite{Index: 2})
	if err := k.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	k = open(t, dir)
	write(client.SlotWrite{Index: 4, Slot: slot(6)})
	write(client.SlotWrite{Index: 5000, Slot: slot(7)})
}

func content(t *testing.T, k client.Keyring) []byte {
	t.Helper()
	b, err := k.Read()
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return b
}

func slot(b byte) client.Slot { return client.Slot(bytes.Repeat([]byte{b}, client.SlotSize)) }
