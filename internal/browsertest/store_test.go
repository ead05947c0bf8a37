package browsertest_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"sconce/internal/browsertest"
)

const patience = 3 * time.Minute

// The suites of client/clienttest, and what else client/browser claims, in a
// real browser.
func TestStorageKeepsThePromises(t *testing.T) {
	b := browsertest.Start(t, browsertest.Options{Page: page(t)})
	code, out := b.Run("-test.v", "-rapid.checks=30").Wait(patience)
	if code != 0 {
		t.Fatalf("exit %d:\n%s", code, strings.Join(out, "\n"))
	}
	passed := 0
	for _, line := range out {
		if strings.HasPrefix(strings.TrimSpace(line), "--- PASS") {
			passed++
		}
	}
	if passed < 15 {
		t.Errorf("only %d tests ran:\n%s", passed, strings.Join(out, "\n"))
	}
	if v := b.Violations(); len(v) > 0 {
		t.Errorf("violations of the content security policy: %q", v)
	}
}

// Whatever change to a file is the last one, what was durable is there after it,
// and no batch is there by half.
func TestWorkerThatEndsInTheMiddleLosesNothing(t *testing.T) {
	b := browsertest.Start(t, browsertest.Options{Page: page(t)})
	held := uint64(0)
	for stop := range 16 { // three batches and more; ending a worker that stands still takes seconds
		r := b.RunUntil(stop, "-drive=write")
		select {
		case <-r.Stuck:
		case <-r.Ended:
			_, out := r.Wait(patience)
			t.Fatalf("stopping after %d changes, the program ended: %q", stop, out)
		case <-time.After(patience):
			t.Fatalf("the program did not come to %d changes", stop)
		}
		r.End()
		durable, now := check(t, b, r, held)
		if now > durable+1 {
			t.Fatalf("the store holds batch %d; %d was the last that was durable", now, durable)
		}
		held = now
	}
	if held < 3 {
		t.Errorf("only %d batches were written", held)
	}
}

func TestBrowserThatIsKilledLosesNothing(t *testing.T) {
	profile, dir := t.TempDir(), page(t)
	held := uint64(0)
	for range 4 {
		b := browsertest.Start(t, browsertest.Options{Page: dir, Profile: profile})
		r := b.Run("-drive=write")
		// From when it writes: a busy machine takes its time to begin.
		for deadline := time.Now().Add(patience); len(r.Lines) == 0 && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		b.Close()
		b = browsertest.Start(t, browsertest.Options{Page: dir, Profile: profile})
		_, held = check(t, b, r, held) // the last lines died with the browser
		b.Close()
	}
	if held < 10 {
		t.Errorf("only %d batches were written", held)
	}
}

// check reads what a run that was ended left, and compares it with what the run
// had said was durable.
func check(t *testing.T, b *browsertest.Browser, r *browsertest.Run, before uint64) (durable, held uint64) {
	t.Helper()
	durable = before
	for len(r.Lines) > 0 {
		line := <-r.Lines
		if n, ok := strings.CutPrefix(line, "durable "); ok {
			durable, _ = strconv.ParseUint(n, 10, 64)
		} else {
			t.Fatalf("the writer said %q", line)
		}
	}
	code, out := b.Run("-drive=check").Wait(patience)
	if code != 0 || len(out) != 1 || !strings.HasPrefix(out[0], "holds ") {
		t.Fatalf("after batch %d opening gave: %q", durable, out)
	}
	held, _ = strconv.ParseUint(strings.TrimPrefix(out[0], "holds "), 10, 64)
	if held < durable {
		t.Fatalf("the store holds batch %d; %d was durable", held, durable)
	}
	return durable, held
}

func TestWithoutFilesTheStoreIsInMemory(t *testing.T) {
	b := browsertest.Start(t, browsertest.Options{Page: page(t)})
	for range 2 { // the second finds nothing of the first
		code, out := b.RunWithoutFiles("-drive=memory").Wait(patience)
		if code != 0 || len(out) != 1 || out[0] != "holds 1 while it lasts" {
			t.Fatalf("exit %d: %q", code, out)
		}
	}
}

func TestStorageIsMeasured(t *testing.T) {
	b := browsertest.Start(t, browsertest.Options{Page: page(t)})
	code, out := b.Run("-drive=measure").Wait(patience)
	if code != 0 {
		t.Fatalf("exit %d: %q", code, out)
	}
	t.Log(strings.Join(out, "\n"))
}
