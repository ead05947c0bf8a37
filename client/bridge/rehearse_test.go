package bridge_test

import (
	"context"
	"errors"
	"testing"

	"sconce/client/bridge"
	"sconce/client/clienttest"
)

// What a core rehearses is what it will do: nothing of it may fail, go on
// afterwards, or be done once its turn has come.
func TestRehearsalGoesThroughAndEnds(t *testing.T) {
	before := rest(0)
	d := clienttest.NewDisk()
	if err := bridge.Rehearse(t.Context(), d.Store(), d.Keyring()); err != nil {
		t.Fatal(err)
	}
	if d.Writes() == 0 {
		t.Error("nothing was stored")
	}
	if after := rest(before); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d = clienttest.NewDisk()
	if err := bridge.Rehearse(ctx, d.Store(), d.Keyring()); !errors.Is(err, context.Canceled) {
		t.Errorf("rehearsing when its turn had come gave %v", err)
	}
	if after := rest(before); after > before {
		t.Errorf("broken off: %d goroutines before, %d after", before, after)
	}
}
