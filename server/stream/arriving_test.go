package stream_test

import (
	"net/netip"
	"testing"
	"time"

	"sconce/api"
)

// Streams that are opened and say nothing keep others out only where they come
// from, and only until they log in or end. An office shares an address, and of
// IPv6 one customer has as many as they like.
func TestStreamsThatDoNotLogInAreBoundedByOrigin(t *testing.T) {
	for name, at := range map[string]func(i int) netip.Addr{
		"an address": func(int) netip.Addr { return netip.MustParseAddr("198.51.100.7") },
		"a network": func(i int) netip.Addr {
			a := netip.MustParseAddr("2001:db8::").As16()
			a[14], a[15] = byte(i>>8), byte(i)
			return netip.AddrFrom16(a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, false)
			open := func(i int) (*client, error) { return h.dial(t, "X-Forwarded-For", at(i).String()) }
			var silent []*client
			for i := range 256 {
				c, err := open(i)
				if err != nil {
					t.Fatalf("stream %d: %v", i, err)
				}
				silent = append(silent, c)
			}
			if _, err := open(256); err == nil {
				t.Fatal("one of very many was let in")
			}
			if _, err := h.dial(t, "X-Forwarded-For", "203.0.113.1"); err != nil {
				t.Errorf("somebody elsewhere is kept out: %v", err)
			}
			h.device(t, 7) // over a proxy that does not say for whom
			silent[0].send(api.Authenticate.Name, api.AuthenticateRequest{Token: []byte{1}})
			if f := silent[0].frame(); f.Error != nil {
				t.Fatal(f.Error)
			}
			for _, leaves := range []func(){func() {}, func() { silent[1].conn.Close() }} {
				leaves()
				if !soon(func() bool { _, err := open(257); return err == nil }) {
					t.Fatal("a place that is free again is not given")
				}
			}
			if _, err := open(258); err == nil {
				t.Error("one more than the free places was let in")
			}
		})
	}
}

// A whole office that comes back at one moment gets in.
func TestOfficeLogsInAtOnce(t *testing.T) {
	h := start(t, false)
	for i := range 600 {
		c, err := h.dial(t, "X-Forwarded-For", "198.51.100.7")
		if err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
		c.send(api.Authenticate.Name, api.AuthenticateRequest{Token: []byte{byte(i)}})
		if f := c.frame(); f.Error != nil {
			t.Fatal(f.Error)
		}
	}
}

func soon(done func() bool) bool {
	for range 500 {
		if done() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
