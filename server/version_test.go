package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sconce/api"
	"sconce/internal/sqldb"
	"sconce/server"
)

// aVersion is what is known of a database that an earlier version left: a room of
// two, of whom one has said five things, and both have acknowledged the first two.
type aVersion struct {
	Time             int64 // when it was left, while the logins were good
	Room             string
	Sender, Receiver string // tokens
	Said             []aMessage
	Next             aMessage // has not been sent
}

type aMessage struct {
	ID, Message string
	Seq         uint64
	Time        int64
}

func (m aMessage) request(t *testing.T, room string) *api.AppendRequest {
	return &api.AppendRequest{Room: api.LogID(unhex(t, room)), ID: api.AppendID(unhex(t, m.ID)), Keep: api.KeepMonth, Message: unhex(t, m.Message)}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Databases of every released version open and serve: testdata has one of each,
// as the SQL that makes it.
func TestDatabasesOfEarlierVersionsOpenAndServe(t *testing.T) {
	for _, name := range []string{"version1"} {
		t.Run(name, func(t *testing.T) {
			var v aVersion
			about, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(about, &v); err != nil {
				t.Fatal(err)
			}
			call := serveVersion(t, name, time.UnixMilli(v.Time).Add(time.Minute))
			room := api.LogID(unhex(t, v.Room))

			var read api.ReadResponse
			call(v.Receiver, api.Read.Name, &api.ReadRequest{Log: room, After: v.Said[1].Seq}, &read)
			if len(read.Entries) != 3 {
				t.Fatalf("the receiver reads %d messages, want the 3 that were not acknowledged", len(read.Entries))
			}
			for i, e := range read.Entries {
				want := v.Said[2+i]
				if e.Seq != want.Seq || e.Time != want.Time || !bytes.Equal(e.Message, unhex(t, want.Message)) || e.ID != api.AppendID(unhex(t, want.ID)) {
					t.Errorf("entry %d is not what was said", e.Seq)
				}
			}
			for _, m := range v.Said {
				var again api.AppendResponse
				call(v.Sender, api.Append.Name, m.request(t, v.Room), &again)
				if again.Seq != m.Seq || again.Time != m.Time {
					t.Errorf("a repeat of %d got %+v", m.Seq, again)
				}
			}
			var next api.AppendResponse
			call(v.Sender, api.Append.Name, v.Next.request(t, v.Room), &next)
			if want := v.Said[4].Seq + 1; next.Seq != want {
				t.Errorf("the next message stands at %d, want %d", next.Seq, want)
			}
			var rooms api.RoomsResponse
			call(v.Receiver, api.Rooms.Name, &api.RoomsRequest{}, &rooms)
			if len(rooms.Rooms) != 1 || rooms.Rooms[0].Last != next.Seq || rooms.Rooms[0].Cursor != v.Said[1].Seq || rooms.Rooms[0].Epoch != 1 {
				t.Errorf("the receiver's rooms: %+v", rooms.Rooms)
			}
		})
	}
}

// serveVersion starts a server on such a database, at a time, and gives a way to
// call it.
func serveVersion(t *testing.T, name string, now time.Time) func(token, endpoint string, req, resp any) {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(dir, "sconce.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Write.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Config{Data: dir, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(run) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(token, endpoint string, req, resp any) {
		t.Helper()
		body, err := api.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/"+endpoint, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString(unhex(t, token)))
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %q", endpoint, w.Code, w.Body)
		}
		if err := api.Unmarshal(w.Body.Bytes(), resp); err != nil {
			t.Fatal(err)
		}
	}
}
