package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
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
	if !eventually(func() bool { messages = storedMessages(t, s, "true"); return len(messages) >= 10 }) { // they are on the tape first
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

// A message that nobody fetches waits no longer than its keep class, and then is
// gone from all of the server's files. The control are longer classes, which
// wait on and arrive.
func TestMessageThatNobodyFetchesGoesWithItsKeepClass(t *testing.T) {
	t.Parallel()
	const (
		each  = 5
		off   = 25 * time.Hour // the classes of an hour and of a day are over, that of a week is not
		limit = 4 * time.Minute
	)
	s := started(t)
	sender, other := newcomer(t, s, "Sender"), newcomer(t, s, "Other")
	room := directRoom(t, sender, other)
	timers := map[api.Keep]time.Duration{api.KeepHour: time.Minute, api.KeepDay: 20 * time.Hour, api.KeepWeek: 100 * time.Hour, api.KeepMonth: 0}
	for range each { // those that go stand between those that stay
		for keep := api.KeepHour; keep <= api.KeepMonth; keep++ {
			sendTimed(t, sender, room, fmt.Sprint("kept by class ", keep), timers[keep])
		}
	}
	syncNow(t, sender)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	waiting := map[api.Keep][][]byte{}
	for keep := range timers {
		waiting[keep] = storedMessages(t, s, fmt.Sprint("keep = ", keep))
		if n := len(waiting[keep]); n < each {
			t.Fatalf("the database holds %d messages of class %d, want at least %d", n, keep, each)
		}
		if found := inFiles(t, s.data, waiting[keep]); found != len(waiting[keep]) {
			t.Fatalf("the files hold %d of %d messages that wait: the search is blind", found, len(waiting[keep]))
		}
	}

	bringForward(t, s, off)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	due := slices.Concat(waiting[api.KeepHour], waiting[api.KeepDay])
	found := 0
	gone := within(limit, time.Second, func() bool {
		found = inFiles(t, s.data, due)
		return found == 0
	})
	if !gone {
		t.Errorf("%v after they were due, the files hold parts of %d of %d messages", limit, found, len(due))
	}
	for _, keep := range []api.Keep{api.KeepWeek, api.KeepMonth} {
		if found := inFiles(t, s.data, waiting[keep]); found != len(waiting[keep]) {
			t.Errorf("the files hold %d of %d messages of class %d, which is not over", found, len(waiting[keep]), keep)
		}
	}
	syncNow(t, other)
	got := texts(t, other, room)
	if want := 2 * each; len(got) != want || slices.ContainsFunc(got, func(text string) bool {
		return text != fmt.Sprint("kept by class ", api.KeepWeek) && text != fmt.Sprint("kept by class ", api.KeepMonth)
	}) {
		t.Errorf("in the end the other one has %q, want the %d messages that were not due", got, want)
	}
}

func sendTimed(t *testing.T, c *client.Client, room, text string, timer time.Duration) {
	t.Helper()
	if _, err := c.Send(room, client.Draft{Text: text, Expire: int(timer / time.Second)}); err != nil {
		t.Fatal(err)
	}
}

// bringForward makes what waits in the database of a server that does not run
// due that much earlier: to the server it is as if the time had passed.
func bringForward(t *testing.T, s *sconced, by time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.data, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"entry", "log"} {
		if _, err := db.ExecContext(t.Context(), "UPDATE "+table+" SET expires = expires - $1", by.Milliseconds()); err != nil {
			t.Fatal(err)
		}
	}
}

// inFiles counts the messages of which the files below a folder hold any part.
func inFiles(t *testing.T, dir string, messages [][]byte) (found int) {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !f.Type().IsRegular() {
			return nil // a file of the database may go at any moment
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		all.Write(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if holdsPart(all.Bytes(), m) {
			found++
		}
	}
	return found
}
