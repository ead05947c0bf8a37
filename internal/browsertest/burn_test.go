package browsertest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sconce/internal/browsertest"
)

// Once a text has burned, its key is in no file of the browser's profile, so what
// the disk may keep of the sealed text opens for nobody. The text itself never
// was in one. The control, which erases nothing, finds the key.
func TestBurnedKeyLeavesTheProfile(t *testing.T) {
	if found, text := burn(t, "keep"); found == 0 || text != 0 {
		t.Errorf("where nothing is erased the key is in %d files and the text in %d; want at least 1 and 0", found, text)
	}
	if found, text := burn(t, "burn"); found != 0 || text != 0 {
		t.Errorf("after the burn the key is in %d files of the profile, the text in %d; want none", found, text)
	}
}

// burn runs a drive and tells in how many files of the profile the key and the
// text are: after the burn, and again when the browser was killed.
func burn(t *testing.T, drive string) (key, text int) {
	t.Helper()
	profile := t.TempDir()
	b := browsertest.Start(t, browsertest.Options{Page: page(t), Profile: profile})
	canary := "canary " + rand.Text()
	r := b.Run("-drive="+drive, "-canary="+canary)
	var keys [][]byte
	for burned := false; !burned; {
		select {
		case line := <-r.Lines:
			if k, ok := strings.CutPrefix(line, "key "); ok {
				raw, err := hex.DecodeString(k)
				if err != nil || len(raw) != 32 {
					t.Fatalf("the key is %q", k)
				}
				keys = append(keys, raw)
			} else if burned = line == "burned"; !burned {
				t.Fatalf("the browser said %q", line)
			}
		case <-r.Ended:
			_, out := r.Wait(time.Second)
			t.Fatalf("the program ended: %q", out)
		case <-time.After(patience):
			t.Fatal("nothing burned")
		}
	}
	if len(keys) != 1 {
		t.Fatalf("the keyring holds %d keys; want one", len(keys))
	}
	key, text = holds(t, profile, keys[0]), holds(t, profile, []byte(canary))
	b.Close()
	return key + holds(t, profile, keys[0]), text + holds(t, profile, []byte(canary))
}

// holds counts the files of a folder that hold something.
func holds(t *testing.T, dir string, what []byte) (n int) {
	t.Helper()
	read := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // a browser makes and removes files all the time
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		read++
		if bytes.Contains(b, what) {
			n++
		}
		return nil
	})
	if err != nil || read < 10 {
		t.Fatalf("read %d files of the profile: %v", read, err)
	}
	return n
}
