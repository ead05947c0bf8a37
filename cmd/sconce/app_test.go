package main

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
)

// A browser keeps files and service workers of an address, also a stranger's.
func TestPageHasAnAddressThatNoOtherPageHad(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has more than one address for its loopback") // elsewhere the port alone is new
	}
	seen := map[netip.Addr]bool{netip.MustParseAddr("127.0.0.1"): true}
	for range 8 {
		l, err := listenForPage(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort(l.Addr().String()).Addr()
		_ = l.Close()
		if !at.IsLoopback() || seen[at] {
			t.Errorf("the page is at %v; want another address of the loopback", at)
		}
		seen[at] = true
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := netip.MustParseAddrPort(free.Addr().String()).Port()
	_ = free.Close()
	l, err := listenForPage(t.Context(), int(port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if want := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String(); l.Addr().String() != want {
		t.Errorf("with a port the page is at %v; want %s", l.Addr(), want)
	}
}
