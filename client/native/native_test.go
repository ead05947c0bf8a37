package native_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sconce/client"
	"sconce/client/clienttest"
	"sconce/client/native"
)

var cheap = client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}}

var pass = []byte("correct horse")

func TestStoreKeepsThePromises(t *testing.T) {
	clienttest.Store(t, func(dir string) (client.Store, error) { return native.OpenStore(filepath.Join(dir, "a?b%20 c.db")) })
}

func TestKeyringKeepsThePromises(t *testing.T) {
	clienttest.Keyring(t, func(dir string) (client.Keyring, error) { return native.OpenKeyring(filepath.Join(dir, "keyring")) })
}

func TestStoreSettingsAreInForce(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "s"))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "locking_mode": "exclusive",
		"wal_autocheckpoint": "0", "fullfsync": "1",
	} {
		got, err := s.Pragma(pragma)
		if err != nil || got != want {
			t.Errorf("PRAGMA %s = %s, %v; want %s", pragma, got, err, want)
		}
	}
}

func TestDeletedValuesLeaveTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := openStore(t, path)
	marker := []byte("a value that must not stay")
	for i := range 200 {
		apply(t, s, client.Op{Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat(marker, 30)})
	}
	for i := range 200 {
		apply(t, s, client.Op{Key: fmt.Appendf(nil, "k%d", i)})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, path, marker); n != 0 {
		t.Fatalf("the store's files hold the deleted value %d times", n)
	}
}

func TestLogIsCutWhenItGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := openStore(t, path)
	most := int64(0)
	for i := range 40 {
		apply(t, s, client.Op{Key: []byte("k"), Value: bytes.Repeat([]byte{byte(i)}, 1<<20)})
		if info, err := os.Stat(path + "-wal"); err == nil {
			most = max(most, info.Size())
		}
	}
	if most > 6<<20 {
		t.Fatalf("log grew to %d bytes; want at most 4 MiB and one batch", most)
	}
}

// What a process writes is there for the next one, although the first was
// stopped without Close.
func TestAppliedIsThereAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "s"))
	for i := range 50 {
		apply(t, s, client.Op{Key: fmt.Appendf(nil, "k%02d", i), Value: []byte("v")})
	}
	crashed := t.TempDir()
	for _, name := range []string{"s", "s-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	s = openStore(t, filepath.Join(crashed, "s"))
	if err := s.Scan(nil, nil, func(_, _ []byte) error { got++; return nil }); err != nil || got != 50 {
		t.Fatalf("after the crash there are %d keys, %v; want 50", got, err)
	}
}

func TestFailedApplyChangesNothing(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "s"))
	apply(t, s, client.Op{Key: []byte("a"), Value: []byte("1")})
	err := s.Apply([]client.Op{
		{Key: []byte("a"), Value: []byte("2")}, {Key: []byte("b"), Value: []byte("2")},
		{Key: []byte("c"), Value: make([]byte, client.MaxValue+2<<20)},
	})
	if err == nil {
		t.Fatal("Apply took a value over the limit")
	}
	a, errA := s.Get([]byte("a"))
	b, errB := s.Get([]byte("b"))
	if string(a) != "1" || b != nil || errA != nil || errB != nil {
		t.Fatalf("after it a = %q, %v and b = %q, %v; want 1 and nothing", a, errA, b, errB)
	}
	apply(t, s, client.Op{Key: []byte("c"), Value: make([]byte, client.MaxValue+1<<10)})
	if c, err := s.Get([]byte("c")); len(c) != client.MaxValue+1<<10 || err != nil {
		t.Fatalf("the largest value came back as %d bytes, %v", len(c), err)
	}
}

// A disk without space is told from other faults, takes no more to be opened, and
// changes nothing of what is there.
func TestFullDiskIsSaidAndGoesOnWhenThereIsSpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := openStore(t, path)
	put := func(k string, n int) error { return s.Apply([]client.Op{{Key: []byte(k), Value: make([]byte, n)}}) }
	if err := put("a", 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	if _, err := os.Stat(path + "-shm"); err == nil {
		t.Error("it takes shared memory, for which a full disk has no space")
	}
	if _, err := s.Pragma("max_page_count=4"); err != nil {
		t.Fatal(err)
	}
	if err := put("b", 1<<20); !errors.Is(err, client.ErrFull) {
		t.Fatalf("what finds no space is refused with %v", err)
	}
	if v, err := s.Get([]byte("a")); err != nil || len(v) != 10 {
		t.Errorf("what is there reads %d bytes, %v", len(v), err)
	}
	if _, err := s.Pragma("max_page_count=100000"); err != nil {
		t.Fatal(err)
	}
	if err := put("b", 1<<20); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// What the file system is asked for, in order, while a message replaces an
// erasable value: the new key is synced before the record that names it is
// written, and that before the old key is overwritten and synced.
func TestSystemCallsOfApplyAreInOrder(t *testing.T) {
	if dir := os.Getenv("SCONCE_TEST_TRACED_DIR"); dir != "" {
		v := create(t, dir)
		for i := range 3 {
			if err := v.Apply([]client.Put{{Key: []byte("ratchet"), Value: []byte{byte(i)}, Erasable: true}}); err != nil {
				t.Fatal(err)
			}
			_ = os.WriteFile(filepath.Join(dir, "mark"), nil, 0o600)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed, so the order of system calls is not checked")
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command(strace, "-f", "-y", "-o", trace, "-e", "trace=openat,pwrite64,write,fsync,fdatasync",
		os.Args[0], "-test.run=^TestSystemCallsOfApplyAreInOrder$")
	cmd.Env = append(os.Environ(), "SCONCE_TEST_TRACED_DIR="+filepath.Join(dir, "device"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here, so the order of system calls is not checked: %v: %s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	steps := strings.Split(lastApply(string(text)), " ")
	steps = slices.Compact(steps)
	want := []string{"write:keyring", "sync:keyring", "write:store.db-wal", "sync:store.db-wal", "write:keyring", "sync:keyring"}
	if !slices.Equal(steps, want) {
		t.Fatalf("system calls of Apply: %q; want %q", steps, want)
	}
}

var call = regexp.MustCompile(`(openat|pwrite64|write|fsync|fdatasync)\(.*/(keyring|store\.db|store\.db-wal|mark)[>"]`)

// lastApply returns the calls between the last two marks.
func lastApply(trace string) string {
	var done, current []string
	for _, m := range call.FindAllStringSubmatch(trace, -1) {
		switch what, file := m[1], m[2]; {
		case file == "mark":
			if what == "openat" {
				done, current = current, nil
			}
		case strings.HasSuffix(what, "sync"):
			current = append(current, "sync:"+file)
		case what != "openat":
			current = append(current, "write:"+file)
		}
	}
	return strings.Join(done, " ")
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "device")
	v := create(t, dir)
	defer v.Close()
	if err := v.Apply([]client.Put{{Key: []byte("k"), Value: []byte("v"), Erasable: true}}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", d.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVaultOnDiskSurvivesReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "device")
	v := create(t, dir)
	if err := v.Apply([]client.Put{{Key: []byte("a"), Value: []byte("kept")}, {Key: []byte("b"), Value: []byte("burns"), Erasable: true}}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := native.OpenDir(dir, []byte("wrong"), cheap); !errors.Is(err, client.ErrPassphrase) {
		t.Fatalf("OpenDir = %v; want %v", err, client.ErrPassphrase)
	}
	v, err := native.OpenDir(dir, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for key, want := range map[string]string{"a": "kept", "b": "burns"} {
		if got, err := v.Get([]byte(key)); string(got) != want || err != nil {
			t.Errorf("Get(%s) = %q, %v; want %q", key, got, err, want)
		}
	}
}

func TestRestoredStoreFileIsNoticed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "device")
	v := create(t, dir)
	put := func(value string) {
		t.Helper()
		if err := v.Apply([]client.Put{{Key: []byte("ratchet"), Value: []byte(value), Erasable: true}, {Key: []byte("identity"), Value: []byte("me")}}); err != nil {
			t.Fatal(err)
		}
	}
	closed := func() {
		t.Helper()
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put("1")
	closed()
	backup, err := os.ReadFile(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err = native.OpenDir(dir, pass, cheap); err != nil {
		t.Fatal(err)
	}
	put("2")
	closed()
	if err := os.WriteFile(filepath.Join(dir, "store.db"), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := native.OpenDir(dir, pass, cheap); !errors.Is(err, client.ErrRolledBack) {
		t.Fatalf("OpenDir = %v; want %v", err, client.ErrRolledBack)
	}
	v, lost, err := native.RecoverDir(dir, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if len(lost) != 1 || string(lost[0]) != "ratchet" {
		t.Fatalf("lost = %q; want the ratchet", lost)
	}
	if got, err := v.Get([]byte("identity")); string(got) != "me" || err != nil {
		t.Fatalf("Get = %q, %v; want what was not erasable", got, err)
	}
}

func TestOneProcessOwnsAStore(t *testing.T) {
	if dir := os.Getenv("SCONCE_TEST_LOCKED_DIR"); dir != "" {
		_, err := native.OpenDir(dir, pass, cheap)
		fmt.Println(err)
		return
	}
	dir := filepath.Join(t.TempDir(), "device")
	v := create(t, dir)
	cmd := exec.Command(os.Args[0], "-test.run=^TestOneProcessOwnsAStore$")
	cmd.Env = append(os.Environ(), "SCONCE_TEST_LOCKED_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("is held by process %d", os.Getpid()); err != nil || !strings.Contains(string(out), want) {
		t.Fatalf("second process: %s, %v; want %q", out, err, want)
	}
	_, err = native.OpenDir(dir, pass, cheap)
	if locked, ok := errors.AsType[*native.LockedError](err); !ok || locked.PID != os.Getpid() {
		t.Fatalf("OpenDir = %v; want a LockedError with our process", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v, err = native.OpenDir(dir, pass, cheap)
	if err != nil {
		t.Fatalf("OpenDir after Close: %v", err)
	}
	_ = v.Close()
}

func TestCreateDirTakesNoForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if v, err := native.CreateDir(dir, pass, cheap); err == nil {
		_ = v.Close()
		t.Fatal("CreateDir took a folder with another's file")
	}
	if _, err := native.OpenDir(dir, pass, cheap); !errors.Is(err, client.ErrNoVault) {
		t.Fatalf("OpenDir = %v; want %v", err, client.ErrNoVault)
	}
	full := filepath.Join(t.TempDir(), "device")
	_ = create(t, full).Close()
	if _, err := native.CreateDir(full, pass, cheap); !errors.Is(err, client.ErrVaultExists) {
		t.Fatalf("CreateDir over a vault = %v; want %v", err, client.ErrVaultExists)
	}
}

func BenchmarkApply200(b *testing.B) {
	s, err := native.OpenStore(filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := bytes.Repeat([]byte{7}, 500)
	n := 0
	for b.Loop() {
		ops := make([]client.Op, 200)
		for i := range ops {
			ops[i] = client.Op{Key: fmt.Appendf(nil, "message/%09d", n), Value: value}
			n++
		}
		if err := s.Apply(ops); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/record")
}

// One message: its text, its timer and the ratchet that it moved.
func BenchmarkVaultApplyMessage(b *testing.B) {
	v, err := native.CreateDir(filepath.Join(b.TempDir(), "d"), pass, cheap)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	text, state := bytes.Repeat([]byte{7}, 400), bytes.Repeat([]byte{8}, 200)
	n := 0
	for b.Loop() {
		err := v.Apply([]client.Put{
			{Key: fmt.Appendf(nil, "message/%09d", n), Value: text, Erasable: true},
			{Key: fmt.Appendf(nil, "timer/%09d", n), Value: state[:8]},
			{Key: []byte("ratchet/1"), Value: state, Erasable: true},
		})
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func openStore(t *testing.T, path string) *native.Store {
	t.Helper()
	s, err := native.OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t *testing.T, dir string) *client.Vault {
	t.Helper()
	v, err := native.CreateDir(dir, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func apply(t *testing.T, s client.Store, ops ...client.Op) {
	t.Helper()
	if err := s.Apply(ops); err != nil {
		t.Fatal(err)
	}
}

// count counts what in all files whose names begin with path.
func count(t *testing.T, path string, what []byte) (n int) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("files of %s: %v, %v", path, files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(b, what)
	}
	return n
}
