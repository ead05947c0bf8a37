package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sconce/api"
	"sconce/client"
)

// When the disk is full the server says so to whoever writes, serves who reads,
// and goes on by itself once there is room. What could not be stored waited on
// its sender's device, and arrives once.
func TestFullDiskRefusesWritesAndServesReads(t *testing.T) {
	t.Parallel()
	s := onDiskOfItsOwn(t, `mkdir "$DATA.disk" && mount -t tmpfs -o size=16m,mode=700 sconce "$DATA.disk" &&
		cp -a "$DATA/." "$DATA.disk" && mount --bind "$DATA.disk" "$DATA"`)
	smallDisk := s.wrap
	s.wrap = nil
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.kill() })
	writer, reader := newcomer(t, s, "Writer"), newcomer(t, s, "Reader")
	room := directRoom(t, writer, reader)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.wrap = smallDisk
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	send(t, writer, room, "before")
	syncNow(t, writer)

	// The folder as the server sees it.
	ballast := filepath.Join(fmt.Sprintf("/proc/%d/root", s.cmd.Process.Pid), s.data, "ballast")
	fill(t, ballast)
	queued, refusal := writeUntilRefused(t, writer, room)
	if !strings.Contains(refusal.Error(), "disk is full") {
		t.Errorf("the writer is told %q, which does not say that the disk is full", refusal)
	}
	if err := reader.Sync(t.Context()); err != nil {
		t.Errorf("reading while the disk is full: %v", err)
	}
	if got := texts(t, reader, room); len(got) == 0 || got[0] != "before" {
		t.Errorf("while the disk was full the reader got %.200q, want what was sent before", got)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	syncNow(t, writer)
	send(t, writer, room, "after")
	syncNow(t, writer)
	syncNow(t, reader)
	got := texts(t, reader, room)
	if want := 1 + queued + 1; len(got) != want || got[len(got)-1] != "after" {
		t.Errorf("in the end the reader has %d messages, want %d", len(got), want)
	}
}

// A person whose disk is full reads what their device has, but for what ran out
// meanwhile, and is told plainly why nothing else is done; and all goes on when
// there is space.
func TestStoreOnAFullDiskIsReadAndGoesOn(t *testing.T) {
	t.Parallel()
	s := started(t)
	newcomer(t, s, "Bob")
	invited, err := exec.Command(filepath.Join(programs, "sconced"), "invite", "--data", s.data, "Alice").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := errors.Join(os.Mkdir(disk, 0o700), os.WriteFile(filepath.Join(dir, "passphrase"), []byte("pass phrase\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	mount := `mount -t tmpfs -o size=3m,mode=700 sconce "$DIR/disk" || exit 77`
	if out, err := withOwnMounts(mount, nil, "DIR="+dir).CombinedOutput(); err != nil {
		t.Skipf("left out: this user may not mount here: %v: %s", err, out)
	}
	out, err := withOwnMounts(mount+`
		sconce() { "$PROGRAMS/sconce" --store "$DIR/disk/alice" --passphrase-file "$DIR/passphrase" "$@" 2>&1; }
		sconce join "$INVITE" --name Alice --device laptop >/dev/null || exit 1
		sconce send Bob before || exit 1
		sconce send Bob "canary 7704" --expire 15s || exit 1
		cat /dev/zero >"$DIR/disk/ballast" 2>/dev/null
		echo "== full"; sconce read Bob --last 9 --offline
		sleep 16; echo "== ran out"; sconce read Bob --last 9
		echo "== program"; (echo '{"id":1,"method":"rooms"}'; sleep 2; echo '{"id":2,"method":"rooms"}'; sleep 1) | sconce rpc
		echo "== refused"; sconce send Bob "too much"; echo "it ends with $?"
		rm "$DIR/disk/ballast"
		echo "== again"; sconce send Bob after && sconce read Bob --last 9
	`, nil, "DIR="+dir, "PROGRAMS="+programs, "INVITE="+inviteLink.FindString(string(invited))).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	part := map[string]string{}
	for _, p := range strings.Split(string(out), "== ")[1:] {
		name, text, _ := strings.Cut(p, "\n")
		part[name] = text
	}
	for name, want := range map[string][]string{
		"full":    {"before", "canary 7704"},
		"ran out": {"before", "there is no space left where this store is"},
		"refused": {"there is no space left where this store is, so that was not done: free some, and try again", "it ends with 1"},
		"program": {`{"id":1,"result":[{`, `{"id":2,"result":[{`},
		"again":   {"before", "after"},
	} {
		for _, w := range want {
			if !strings.Contains(part[name], w) {
				t.Errorf("%s: it says\n%s\nand not %q", name, part[name], w)
			}
		}
		if name != "full" && strings.Contains(part[name], "canary") {
			t.Errorf("%s: it shows what ran out:\n%s", name, part[name])
		}
	}
}

// A disk that turns read-only while the server runs, as a file system does that
// finds itself damaged, is met like a full one.
func TestDiskThatTurnsReadOnlyRefusesWritesAndServesReads(t *testing.T) {
	t.Parallel()
	requireStrace(t)
	s := started(t)
	writer, reader := newcomer(t, s, "Writer"), newcomer(t, s, "Reader")
	room := directRoom(t, writer, reader)
	send(t, writer, room, "before")
	syncNow(t, writer)

	mend := breakWrites(t, s, "EROFS")
	queued, refusal := writeUntilRefused(t, writer, room)
	if !strings.Contains(refusal.Error(), "cannot write to its database") {
		t.Errorf("the writer is told %q, which does not say that the server cannot write", refusal)
	}
	_, err := writer.NewRoom(t.Context(), "elsewhere", []string{reader.Me().User})
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.Unavailable {
		t.Errorf("making a room while the disk is read-only: %v, want the code %q", err, api.Unavailable)
	}
	if err := reader.Sync(t.Context()); err != nil {
		t.Errorf("reading while the disk is read-only: %v", err)
	}
	if got := texts(t, reader, room); len(got) == 0 || got[0] != "before" {
		t.Errorf("while the disk was read-only the reader got %.200q, want what was sent before", got)
	}

	mend()
	syncNow(t, writer)
	send(t, writer, room, "after")
	syncNow(t, writer)
	syncNow(t, reader)
	got := texts(t, reader, room)
	if want := 1 + queued + 1; len(got) != want || got[len(got)-1] != "after" {
		t.Errorf("in the end the reader has %d messages, want %d", len(got), want)
	}
}

// breakWrites makes whatever a running server writes to its files, or would
// change about them, end with an error, until mend is called.
func breakWrites(t *testing.T, s *sconced, errno string) (mend func()) {
	t.Helper()
	const calls = "pwrite64,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat"
	tracer, err := startProgram("strace", exec.Command("strace", "-f", "-o", "/dev/null", "-p", strconv.Itoa(s.cmd.Process.Pid),
		"-e", "trace="+calls, "-e", "inject="+calls+":error="+errno))
	if err != nil {
		t.Fatal(err)
	}
	mend = sync.OnceFunc(func() { _ = tracer.end(syscall.SIGINT) }) // on which strace lets the server go
	t.Cleanup(mend)
	if _, err := tracer.expect(regexp.MustCompile("attached"), patience); err != nil {
		t.Skipf("left out: strace may not attach to a running program here: %v", err)
	}
	return mend
}

// Without a disk that can be written to there is no server, and one line says why.
func TestReadOnlyDataIsSaidPlainly(t *testing.T) {
	t.Parallel()
	s := onDiskOfItsOwn(t, `mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro "$DATA"`)
	readOnly := s.wrap
	s.wrap = nil
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.wrap = readOnly
	if err := s.start(); err == nil {
		_ = s.kill()
		t.Fatal("the server started on data that it can't write to")
	}
	said := strings.TrimSpace(s.output())
	if s.cmd.ProcessState.ExitCode() != 1 || strings.Count(said, "\n") != 0 || !strings.Contains(said, "read-only") {
		t.Errorf("exit code %d, and it says %q; want 1, and one line that says read-only", s.cmd.ProcessState.ExitCode(), said)
	}
}

// onDiskOfItsOwn gives a server that sees its data folder, $DATA, after what a
// shell command does to it; nobody else does.
func onDiskOfItsOwn(t *testing.T, command string) *sconced {
	t.Helper()
	s, err := newServer(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	data := s.data
	s.wrap = func(args []string) *exec.Cmd {
		return withOwnMounts(command+` && exec "$@"`, args, "DATA="+data)
	}
	if out, err := s.wrap([]string{"true"}).CombinedOutput(); err != nil {
		t.Skipf("left out: this user may not mount here: %v: %s", err, out)
	}
	_ = os.Remove(data + ".disk") // the trial left it, empty
	return s
}

// withOwnMounts runs a shell's commands where what they mount nobody else sees.
func withOwnMounts(commands string, args []string, env ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", commands, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

func send(t *testing.T, c *client.Client, room, text string) {
	t.Helper()
	if _, err := c.Send(room, client.Draft{Text: text}); err != nil {
		t.Fatal(err)
	}
}

// fill takes all the room that a disk has.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
}

// writeUntilRefused sends until the server does not take it: SQLite may have a
// little room left in its own files.
func writeUntilRefused(t *testing.T, c *client.Client, room string) (queued int, refusal error) {
	t.Helper()
	came := eventually(func() bool {
		send(t, c, room, strings.Repeat("x", 4000))
		queued++
		refusal = c.Sync(t.Context())
		return refusal != nil
	})
	if !came {
		t.Fatalf("with its disk full the server took %d messages", queued)
	}
	if e, ok := errors.AsType[*api.Error](refusal); !ok || e.Code != api.Unavailable {
		t.Fatalf("the server refused with %v, want the code %q", refusal, api.Unavailable)
	}
	return queued, refusal
}
