package delivery_test

import (
	"testing"
	"time"

	"sconce/api"
	"sconce/internal/sqldb/sqldbtest"
)

// Reading is bounded for each device by itself, and goes on a moment later.
func TestLookupsAreLimited(t *testing.T) {
	w := start(t, sqldbtest.SQLite(t))
	ada, bob := w.person(t), w.person(t)
	read := func() error {
		_, err := w.Read(t.Context(), ada.caller(), &api.ReadRequest{Limit: -1}) // refused for itself, without a look
		return err
	}
	for range 60_000 {
		if e := read().(*api.Error); e.Code != api.Invalid {
			t.Fatalf("within the limit: %v", e)
		}
	}
	wantCode(t, read(), api.RateLimited)
	_, err := w.Rooms(t.Context(), ada.caller(), &api.RoomsRequest{})
	wantCode(t, err, api.RateLimited)
	_, err = w.Rooms(t.Context(), bob.caller(), &api.RoomsRequest{})
	must(t, err)
	w.now.Add((10 * time.Millisecond).Milliseconds())
	wantCode(t, read(), api.Invalid)
}
