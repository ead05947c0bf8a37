//go:build js && wasm

package browser_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"slices"
	"syscall/js"
	"time"

	"sconce/client"
	"sconce/client/browser"
	"sconce/internal/browsertest/remote"
)

// drives are what a test outside the browser asks for by name.
var drives = map[string]func(h *browser.Host) error{
	"write":     driveWrite,
	"check":     driveCheck,
	"measure":   driveMeasure,
	"transport": driveTransport,
	"burn":      driveBurn,
	"keep":      driveKeep,
	"memory":    driveMemory,
}

// vault opens the vault that the drives share, and makes it when there is none.
func vault(h *browser.Host) (*client.Vault, error) { return vaultWith(h, cheap) }

func vaultWith(h *browser.Host, opts client.VaultOptions) (*client.Vault, error) {
	ctx := context.Background()
	s, err := h.OpenStore(ctx, "driven")
	if err != nil {
		return nil, err
	}
	k, err := h.OpenKeyring(ctx, "driven")
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	v, err := client.OpenVault(s, k, pass, opts)
	if errors.Is(err, client.ErrNoVault) {
		v, err = client.CreateVault(s, k, pass, opts)
	}
	if err != nil {
		return nil, errors.Join(err, k.Close(), s.Close())
	}
	return v, nil
}

// driveWrite applies one batch after another, each to both of two records, one
// of which is erasable, and prints a number once it is durable. It goes on until
// it is stopped.
func driveWrite(h *browser.Host) error {
	v, err := vault(h)
	if err != nil {
		return err
	}
	first, err := number(v)
	if err != nil {
		return err
	}
	js.Global().Call("stopAfter")
	for n := first + 1; ; n++ {
		value := binary.BigEndian.AppendUint64(nil, n)
		err := v.Apply([]client.Put{
			{Key: []byte("kept"), Value: value}, {Key: []byte("erasable"), Value: value, Erasable: true},
			{Key: fmt.Appendf(nil, "log/%d", n%50), Value: make([]byte, 2000), Erasable: n%2 == 0},
		})
		if err != nil {
			return err
		}
		fmt.Println("durable", n)
		time.Sleep(0) // let the line out
	}
}

// driveCheck prints the number that both records hold.
func driveCheck(h *browser.Host) error {
	v, err := vault(h)
	if err != nil {
		return err
	}
	n, err := number(v)
	if err != nil {
		return err
	}
	fmt.Println("holds", n)
	return v.Close()
}

func number(v *client.Vault) (uint64, error) {
	kept, err := v.Get([]byte("kept"))
	if err != nil {
		return 0, err
	}
	erasable, err := v.Get([]byte("erasable"))
	if err != nil {
		return 0, err
	}
	if string(kept) != string(erasable) {
		return 0, fmt.Errorf("half a batch: %x and %x", kept, erasable)
	}
	if kept == nil {
		return 0, nil
	}
	return binary.BigEndian.Uint64(kept), nil
}

// driveMeasure prints how long 10,000 sealed records take, and a page of them.
func driveMeasure(h *browser.Host) error {
	v, err := vault(h)
	if err != nil {
		return err
	}
	began := time.Now()
	for batch := range 100 {
		puts := make([]client.Put, 100)
		for i := range puts {
			puts[i] = client.Put{Key: fmt.Appendf(nil, "message/%06d", batch*100+i), Value: make([]byte, 400)}
		}
		if err := v.Apply(puts); err != nil {
			return err
		}
	}
	inserted := time.Since(began)
	began = time.Now()
	for i := range 100 {
		err := v.Apply([]client.Put{
			{Key: fmt.Appendf(nil, "burns/%d", i), Value: make([]byte, 400), Erasable: true},
			{Key: []byte("ratchet"), Value: make([]byte, 200), Erasable: true},
		})
		if err != nil {
			return err
		}
	}
	messages := time.Since(began)
	began = time.Now()
	rows := 0
	err = v.Scan([]byte("message/009950"), []byte("message/010000"), func(_, _ []byte) error { rows++; return nil })
	page := time.Since(began)
	began = time.Now()
	all := 0
	err = errors.Join(err, v.Scan([]byte("message/"), []byte("message0"), func(_, _ []byte) error { all++; return nil }))
	fmt.Printf("measured inserts=%v message=%v page=%v/%d scan=%v/%d memory=%dMiB\n",
		inserted, messages/100, page, rows, time.Since(began), all, memory()>>20)
	return errors.Join(err, v.Close())
}

// driveTransport makes the calls that a test outside asks for, each test with a
// transport of its own.
func driveTransport(h *browser.Host) error {
	for {
		conn, err := h.DialSocket(context.Background(), "/remote")
		if err != nil {
			return nil // the test is over
		}
		_ = remote.Serve(context.Background(), conn, h.Dial()) // until the test hangs up
		conn.Close()
	}
}

// canary is a text that the program itself must not hold, for browsers keep
// programs on disk.
var canary = flag.String("canary", "", "the text that burns")

// driveBurn keeps a text that can be erased, prints the keys in the keyring, and
// then erases the text. It goes on until it is stopped.
func driveBurn(h *browser.Host) error { return burn(h, cheap) }

// driveKeep is the control: it erases nothing.
func driveKeep(h *browser.Host) error {
	kept := cheap
	kept.KeepErased = true
	return burn(h, kept)
}

func burn(h *browser.Host, opts client.VaultOptions) error {
	v, err := vaultWith(h, opts)
	if err != nil {
		return err
	}
	if err := errors.Join(v.Apply([]client.Put{{Key: []byte("m"), Value: []byte(*canary), Erasable: true}}), v.Close()); err != nil {
		return err
	}
	k, err := h.OpenKeyring(context.Background(), "driven")
	if err != nil {
		return err
	}
	ring, err := k.Read()
	if err := errors.Join(err, k.Close()); err != nil {
		return err
	}
	for slot := range slices.Chunk(ring[client.SlotSize:], client.SlotSize) {
		if !bytes.Equal(slot, make([]byte, len(slot))) {
			fmt.Printf("key %x\n", slot[16:])
		}
	}
	if v, err = vaultWith(h, opts); err != nil {
		return err
	}
	if text, err := v.Get([]byte("m")); string(text) != *canary || err != nil {
		return fmt.Errorf("before burning: %q, %w", text, err)
	}
	if err := v.Apply([]client.Put{{Key: []byte("m")}}); err != nil {
		return err
	}
	fmt.Println("burned")
	select {}
}

// driveMemory keeps something where the browser has no files.
func driveMemory(h *browser.Host) error {
	v, err := vault(h)
	if err != nil {
		return err
	}
	if n, err := number(v); n != 0 || err != nil || h.Persistent() {
		return fmt.Errorf("a new store in memory holds %d, %w; persistent: %v", n, err, h.Persistent())
	}
	value := binary.BigEndian.AppendUint64(nil, 1)
	err = v.Apply([]client.Put{{Key: []byte("kept"), Value: value}, {Key: []byte("erasable"), Value: value, Erasable: true}})
	if err != nil {
		return err
	}
	n, err := number(v)
	fmt.Printf("holds %d while it lasts\n", n)
	return errors.Join(err, v.Close())
}
