package e2e

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sconce/client"
)

// An answer says that a message is durable. The system calls of the server prove
// that it is: after the write that puts the message onto the disk for the first
// time, and before the answer to its sender, an fsync of that file has begun and
// returned.
func TestAnswersWaitForFsync(t *testing.T) {
	t.Parallel()
	requireStrace(t)
	calls, messages := traceSending(t, "")
	for _, m := range messages {
		if err := checkDurable(calls, m); err != nil {
			t.Fatal(err)
		}
	}
}

// The control: without fsync, the same check finds it.
func TestTraceShowsMissingFsync(t *testing.T) {
	t.Parallel()
	requireStrace(t)
	calls, messages := traceSending(t, roleUnsynced)
	for _, m := range messages {
		if err := checkDurable(calls, m); !errors.Is(err, errUnsynced) {
			t.Fatalf("the server ran with synchronous=OFF, and the check of its trace says: %v", err)
		}
	}
}

func requireStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("left out: strace is not installed")
	}
	if out, err := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("left out: strace may not trace here: %v: %s", err, out)
	}
}

// traceSending runs a server under strace, plain or in a role of this test's
// binary, while somebody sends messages one by one. It gives what the server
// did, and the messages as it has them.
func traceSending(t *testing.T, role string) ([]systemCall, [][]byte) {
	t.Helper()
	const messages = 10
	s, err := newServer(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trace")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.wrap = func(args []string) *exec.Cmd {
		if role != "" {
			args[0] = self
		}
		// -D: the server is our child, and strace its.
		cmd := exec.Command("strace", append([]string{"-D", "-f", "-qq", "-y", "-xx", "-s", "5000", "-o", file,
			"-e", "trace=fsync,fdatasync,pwrite64,read,write,writev"}, args...)...)
		if role != "" {
			cmd.Env = append(os.Environ(), roleVariable+"="+role)
		}
		return cmd
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.kill() })
	sender, other := newcomer(t, s, "Sender"), newcomer(t, s, "Other")
	room := directRoom(t, sender, other)
	for n := range messages {
		if _, err := sender.Send(room, client.Draft{Text: numbered(n)}); err != nil {
			t.Fatal(err)
		}
		syncNow(t, sender) // one message after another
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	// The other one has acknowledged none of them, so all are there.
	stored := storedMessages(t, s, "true")
	if len(stored) < messages {
		t.Fatalf("the database holds %d messages, want at least %d", len(stored), messages)
	}
	return readTrace(t, file), stored
}

// storedMessages gives the messages that the database holds and that a condition
// in SQL picks.
func storedMessages(t *testing.T, s *sconced, condition string) [][]byte {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.data, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const application = 1 // api.EntryApplication
	rows, err := db.QueryContext(t.Context(), "SELECT message FROM entry WHERE kind = $1 AND message IS NOT NULL AND "+condition, application)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all [][]byte
	for rows.Next() {
		var m []byte
		if err := rows.Scan(&m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// systemCall is the beginning or the end of one of the server's system calls. What
// is written is known at the beginning, what was read at the end.
type systemCall struct {
	name, file string // file is "fd<path>", in hex
	data       []byte
	ends       bool
	line       string
}

var (
	beginLine  = regexp.MustCompile(`^(\d+) +(\w+)\((\d+<[^>]*>)`)
	resumeLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
	hexData    = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

// readTrace reads strace's file, which has a line for each call, or two where
// another thread's came between: as it begins, "unfinished", and as it is
// "resumed".
func readTrace(t *testing.T, file string) []systemCall {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var calls []systemCall
	under := map[string]systemCall{} // what each thread has begun
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if m := beginLine.FindStringSubmatch(line); m != nil {
			c := systemCall{name: m[2], file: m[3], data: dataOf(line), line: line}
			calls = append(calls, c)
			if strings.HasSuffix(line, "<unfinished ...>") {
				under[m[1]] = c
				continue
			}
			c.ends = true
			calls = append(calls, c)
		}
		if m := resumeLine.FindStringSubmatch(line); m != nil && under[m[1]].name == m[2] {
			c := under[m[1]]
			c.ends, c.line = true, line
			c.data = append(c.data, dataOf(line)...)
			calls = append(calls, c)
		}
	}
	return calls
}

func dataOf(line string) []byte {
	var data []byte
	for _, m := range hexData.FindAllStringSubmatch(line, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(m[1], `\x`, ""))
		if err == nil { // the pattern lets nothing else through
			data = append(data, b...)
		}
	}
	return data
}

var errUnsynced = errors.New("the answer left before the message was synced")

// checkDurable proves of one message that its sender was answered only after it
// was synced.
func checkDurable(calls []systemCall, message []byte) error {
	written := slices.IndexFunc(calls, func(c systemCall) bool {
		return c.name == "pwrite64" && holdsPart(c.data, message)
	})
	if written < 0 {
		return errors.New("the trace does not show the message being written")
	}
	answered, err := answerAfter(calls, written)
	if err != nil {
		return err
	}
	// The record or transaction that it is in ends with the fsync that follows its
	// last write, so the first that begins after this one.
	log := calls[written].file
	isSync := func(c systemCall) bool { return c.file == log && (c.name == "fsync" || c.name == "fdatasync") }
	begun := false
	for _, c := range calls[written:answered] {
		switch {
		case isSync(c) && !c.ends:
			begun = true
		case isSync(c) && begun && strings.HasSuffix(c.line, "= 0"):
			return nil
		}
	}
	return fmt.Errorf("%w: written by\n%.120s\nanswered by\n%.120s", errUnsynced, calls[written].line, calls[answered].line)
}

// holdsPart reports whether data holds any good part of a message, which may
// begin in one page of the database and end in another. How it begins, all of a
// room have in common.
func holdsPart(data, message []byte) bool {
	const part, head = 32, 96
	for chunk := range slices.Chunk(message[min(head, len(message)):], part) {
		if len(chunk) == part && bytes.Contains(data, chunk) {
			return true
		}
	}
	return false
}

// answerAfter finds the answer to the append that was under way at a moment:
// the next thing that is written to the connection on which it came. Where the
// server still listens for its client's leaving, that takes the request's first byte.
func answerAfter(calls []systemCall, moment int) (int, error) {
	for i := moment; i >= 0; i-- {
		request, _ := bytes.CutPrefix(calls[i].data, []byte("P"))
		if !bytes.HasPrefix(request, []byte("OST /v1/append ")) || calls[i].name != "read" || !calls[i].ends {
			continue
		}
		for j := i; j < len(calls); j++ {
			if c := calls[j]; c.file == calls[i].file && c.name == "write" && bytes.HasPrefix(c.data, []byte("HTTP/1.1 200")) {
				if j < moment {
					return 0, fmt.Errorf("%w: the answer stands before the write", errUnsynced)
				}
				return j, nil
			}
		}
	}
	return 0, errors.New("the trace does not show the append and its answer")
}
