package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Once every device has a message, the server has it no more: neither in the
// database's file nor in its log. Before that it is there, which is the control
// of the search.
func TestDeliveredMessageIsGoneFromTheServersFiles(t *testing.T) {
	t.Parallel()
	s := started(t)
	sender, other := newcomer(t, s, "Sender"), newcomer(t, s, "Other")
	room := directRoom(t, sender, other)
	for n := range 10 {
		send(t, sender, room, numbered(n))
	}
	syncNow(t, sender)
	var messages [][]byte
	if !eventually(func() bool { messages = storedMessages(t, s); return len(messages) >= 10 }) { // they are on the tape first
		t.Fatalf("the database holds %d messages, want at least 10", len(messages))
	}
	if found := inFiles(t, s.data, messages); found != len(messages) {
		t.Fatalf("the files hold %d of %d messages that wait: the search is blind", found, len(messages))
	}
	syncNow(t, other)
	syncNow(t, sender) // whose self-group may have had messages too
	found := 0
	gone := eventually(func() bool {
		found = inFiles(t, s.data, messages)
		return found == 0
	})
	if !gone {
		t.Fatalf("%v after everyone had them, the files hold parts of %d of %d messages", patience, found, len(messages))
	}
}

// inFiles counts the messages of which the files below a folder hold any part.
func inFiles(t *testing.T, dir string, messages [][]byte) (found int) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, m := range messages {
		if holdsPart(all.Bytes(), m) {
			found++
		}
	}
	return found
}
