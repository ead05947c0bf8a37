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
		cmd := exec.Command("sh", append([]string{"-c", command + ` && exec "$@"`, "sh"}, args...)...)
		cmd.Env = append(os.Environ(), "DATA="+data)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		return cmd
	}
	if out, err := s.wrap([]string{"true"}).CombinedOutput(); err != nil {
		t.Skipf("left out: this user may not mount here: %v: %s", err, out)
	}
	_ = os.Remove(data + ".disk") // the trial left it, empty
	return s
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
