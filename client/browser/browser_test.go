//go:build js && wasm

// These tests run in a worker of a real browser: internal/browsertest builds
// them, starts Chromium and says what to run.
package browser_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"sconce/client"
	"sconce/client/browser"
	"sconce/client/clienttest"
)

var cheap = client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}}

var pass = []byte("correct horse")

var drive = flag.String("drive", "", "what to do in place of tests")

func TestMain(m *testing.M) {
	flag.Parse()
	if *drive != "" {
		os.Exit(driven(*drive))
	}
	os.Exit(m.Run())
}

func open(t testing.TB) *browser.Host {
	t.Helper()
	h, err := browser.Open()
	if err != nil {
		t.Fatal(err)
	}
	if !h.Persistent() {
		t.Fatal("the browser gave no files")
	}
	return h
}

// named makes a folder's name one of a store.
func named(dir string) string { return strings.NewReplacer("/", "-", "_", "-").Replace(dir) }

func TestStoreKeepsThePromises(t *testing.T) {
	h := open(t)
	clienttest.Store(t, func(dir string) (client.Store, error) { return h.OpenStore(t.Context(), named(dir)) })
}

func TestKeyringKeepsThePromises(t *testing.T) {
	h := open(t)
	clienttest.Keyring(t, func(dir string) (client.Keyring, error) { return h.OpenKeyring(t.Context(), named(dir)) })
}

func TestKeyIsDerivedInAWorkerOfItsOwn(t *testing.T) {
	h := open(t)
	pass, salt := []byte("passphrase"), []byte("sixteen bytes of")
	got, err := h.DeriveElsewhere(t.Context(), pass, salt, 1, 64, 2)
	if want := argon2.IDKey(pass, salt, 1, 64, 2, 32); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("derived %x, %v; want %x", got, err, want)
	}
	before, began := memory(), time.Now()
	if _, err := h.DeriveElsewhere(t.Context(), pass, salt, 3, 64<<10, 2); err != nil {
		t.Fatal(err)
	}
	t.Logf("64 MiB three times took %v", time.Since(began))
	if grown := memory() - before; grown > 16<<20 {
		t.Errorf("this program's memory grew by %d bytes", grown)
	}
}

// memory is how large this program's linear memory is, which never shrinks.
func memory() int {
	return js.Global().Get("sconceMemory").Get("buffer").Get("byteLength").Int()
}

func TestLargestValueFits(t *testing.T) {
	h := open(t)
	s, err := h.OpenStore(t.Context(), "largest")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Apply([]client.Op{{Key: []byte("a"), Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	err = s.Apply([]client.Op{
		{Key: []byte("a"), Value: []byte("2")}, {Key: []byte("b"), Value: []byte("2")},
		{Key: []byte("c"), Value: make([]byte, client.MaxValue+2<<20)},
	})
	if err == nil {
		t.Fatal("Apply took a value over the limit")
	}
	a, errA := s.Get([]byte("a"))
	if string(a) != "1" || errA != nil {
		t.Fatalf("after it a = %q, %v; want 1", a, errA)
	}
	if err := s.Apply([]client.Op{{Key: []byte("c"), Value: make([]byte, client.MaxValue+1<<10)}}); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Get([]byte("c")); len(c) != client.MaxValue+1<<10 || err != nil {
		t.Fatalf("the largest value came back as %d bytes, %v", len(c), err)
	}
}

// driven does what a test outside the browser steers: it prints what it has done.
func driven(what string) int {
	h, err := browser.Open()
	if err != nil {
		fmt.Println("failed", err)
		return 1
	}
	if err := drives[what](h); err != nil {
		fmt.Println("failed", err)
		return 1
	}
	return 0
}
