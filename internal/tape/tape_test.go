package tape

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func open(t testing.TB, path string) *Tape {
	t.Helper()
	tape, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tape.Close() })
	return tape
}

// start opens a tape, and gives what is on it.
func start(t testing.TB, path string) (*Tape, []string) {
	t.Helper()
	tape := open(t, path)
	var all []string
	if err := tape.Replay(func(r []byte) error { all = append(all, string(r)); return nil }); err != nil {
		t.Fatal(err)
	}
	return tape, all
}

// crash gives the path of a tape as it is on disk at this moment, for another
// process to go on with.
func crash(t testing.TB, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "tape")
	for i, name := range Names(path) {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(Names(to)[i], b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// found gives what the next process finds.
func found(t testing.TB, path string) []string {
	t.Helper()
	tape, all := start(t, crash(t, path))
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

func appendAll(t testing.TB, tape *Tape, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := tape.Append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

func equal(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %.80q, want %.80q", got, want)
	}
}

func TestRecordsComeBackInOrderAcrossCuts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	tape, all := start(t, path)
	equal(t, all)
	appendAll(t, tape, "a", "", strings.Repeat("b", 300_000))
	if err := tape.Cut(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, tape, "c", "d")
	if err := tape.Cut(); !errors.Is(err, ErrFull) {
		t.Errorf("a second cut before the first is erased: got %v, want ErrFull", err)
	}
	all = found(t, path)
	equal(t, all, "a", "", strings.Repeat("b", 300_000), "c", "d")

	if err := tape.Erase(); err != nil {
		t.Fatal(err)
	}
	if err := tape.Cut(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, tape, "e")
	all = found(t, path)
	equal(t, all, "c", "d", "e") // the cut does not make the older come later
}

func TestWhatAnEarlierProcessLeftIsErasedFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	first, _ := start(t, path)
	appendAll(t, first, "a")
	path = crash(t, path)
	second, all := start(t, path)
	equal(t, all, "a")
	if !second.Left() {
		t.Error("it does not say that something is left")
	}
	if err := second.Append([]byte("b")); !errors.Is(err, ErrFull) {
		t.Errorf("appending before it is erased: got %v, want ErrFull", err)
	}
	if err := second.Erase(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, second, "b")
	all = found(t, path)
	equal(t, all, "b")
}

func TestNothingErasedIsLeftOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	tape, _ := start(t, path)
	canary := []byte("canarycanary")
	for range 50 {
		appendAll(t, tape, string(bytes.Repeat(canary, 20_000)))
	}
	count := func() (n int) {
		for _, name := range Names(path) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, canary)
		}
		return n
	}
	if count() != 50*20_000 {
		t.Fatal("the control does not find what was written")
	}
	if err := errors.Join(tape.Cut(), tape.Erase()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// A crash leaves any part of the last record. The ones before it are there, and
// what is appended after is as well.
func TestTornRecordIsNoneAndHarmsNoOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "tape")
		whole := rapid.SliceOfN(rapid.StringN(0, 40, 200), 1, 5).Draw(rt, "whole")
		last := rapid.StringN(1, 40, 200).Draw(rt, "last")
		tape, _ := start(t, path)
		defer tape.Close()
		appendAll(t, tape, whole...)
		before := tape.Size()
		appendAll(t, tape, last)
		// Of the last, a piece is as it was before it was written.
		from := rapid.Int64Range(before, tape.Size()-1).Draw(rt, "from")
		to := rapid.Int64Range(from+1, tape.Size()).Draw(rt, "to")
		f, err := os.OpenFile(Names(path)[0], os.O_RDWR, 0)
		if err != nil {
			rt.Fatal(err)
		}
		defer f.Close()
		old := make([]byte, to-from)
		if _, err := f.ReadAt(old, from); err != nil {
			rt.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, to-from), from); err != nil {
			rt.Fatal(err)
		}
		want := slices.Clone(whole)
		if len(bytes.Trim(old, "\x00")) == 0 {
			want = append(want, last) // the piece was zeros before
		}
		path = crash(t, path)
		next, all := start(t, path)
		defer next.Close()
		if !slices.Equal(all, want) {
			rt.Fatalf("got %q, want %q", all, want)
		}
		if err := next.Erase(); err != nil {
			rt.Fatal(err)
		}
		appendAll(t, next, "next")
		if all := found(t, path); !slices.Equal(all, []string{"next"}) {
			rt.Fatalf("after the crash got %q", all)
		}
	})
}

// brokenFile fails after so many writes and syncs.
type brokenFile struct {
	file
	left int
}

var errBroken = errors.New("broken by the test")

func (f *brokenFile) step() error {
	if f.left--; f.left < 0 {
		return errBroken
	}
	return nil
}

func (f *brokenFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.step(); err != nil {
		n, _ := f.file.WriteAt(b[:len(b)/2], at) // some of it got through
		return n, err
	}
	return f.file.WriteAt(b, at)
}

func (f *brokenFile) Sync() error {
	if err := f.step(); err != nil {
		return err
	}
	return f.file.Sync()
}

func TestFailedRecordIsGoneOnceAnotherIsWritten(t *testing.T) {
	for good := range 5 {
		t.Run(fmt.Sprint("after ", good, " steps"), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tape")
			tape, _ := start(t, path)
			appendAll(t, tape, "first")
			real := tape.parts[0].file
			tape.parts[0].file = &brokenFile{real, good}
			failed := 0
			for range 4 {
				if err := tape.Append(bytes.Repeat([]byte("lost"), 100_000)); err != nil {
					failed++
				}
			}
			if failed == 0 {
				t.Fatal("nothing failed")
			}
			tape.parts[0].file = real
			appendAll(t, tape, "second")
			all := found(t, path)
			if len(all) != 2+4-failed || all[0] != "first" || all[len(all)-1] != "second" {
				t.Errorf("%d records are there, want %d", len(all), 2+4-failed)
			}
		})
	}
}

func TestTapeHasOneUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	first := open(t, path)
	if _, err := Open(path, true); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second user: got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestNewerTapeIsNotTakenForAnEmptyOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	if err := os.WriteFile(Names(path)[0], append([]byte{9}, make([]byte, 100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	tape := open(t, path)
	if err := tape.Replay(nil); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("got %v, want an error that names the version", err)
	}
}

func FuzzReplay(f *testing.F) {
	for _, r := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("b"), 1000)} {
		f.Add(appendRecord(appendRecord(nil, 1, 0, r), 1, int64(headSize+len(r)), r), appendRecord(nil, 2, 0, r))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		path := filepath.Join(t.TempDir(), "tape")
		for i, content := range [][]byte{a, b} {
			if err := os.WriteFile(Names(path)[i], content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tape := open(t, path)
		size := 0
		if err := tape.Replay(func(r []byte) error { size += headSize + len(r); return nil }); err != nil {
			return
		}
		if size > len(a)+len(b) {
			t.Errorf("%d bytes came of %d", size, len(a)+len(b))
		}
		if tape.Left() {
			if err := tape.Erase(); err != nil {
				t.Fatal(err)
			}
		}
		appendAll(t, tape, "after")
		if all := found(t, path); !slices.Equal(all, []string{"after"}) {
			t.Errorf("got %q after it was erased", all)
		}
	})
}
