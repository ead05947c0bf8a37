package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// visitor is a connection from an address.
type visitor struct {
	net.Conn
	from   string
	closed bool
}

func (v *visitor) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(v.from), 4711))
}
func (v *visitor) Close() error { v.closed = true; return nil }

// Nobody takes all the files that a process may have open, and so the places of
// those who come from elsewhere.
func TestConnectionsOfOneOriginAreBounded(t *testing.T) {
	const most = 3
	c := newConnections(most)
	open := func(from string) *visitor {
		v := &visitor{from: from}
		c.changed(v, http.StateNew)
		if v.closed {
			c.changed(v, http.StateClosed) // as net/http then says
		}
		return v
	}
	var first *visitor
	for i := range most {
		if first = open(fmt.Sprintf("2001:db8:1:2::%d", i+1)); first.closed {
			t.Fatalf("connection %d of an origin was closed", i)
		}
	}
	for range 2 {
		if !open("2001:db8:1:2:ffff::1").closed {
			t.Error("an origin has one connection too many")
		}
	}
	if open("2001:db8:1:3::1").closed {
		t.Error("another origin has no place")
	}
	for range 2 * most {
		if open("127.0.0.1").closed || open("::1").closed {
			t.Error("a proxy on this machine has no place")
		}
	}
	for _, how := range []http.ConnState{http.StateClosed, http.StateHijacked} {
		c.changed(first, how)
		c.changed(first, how) // again is nothing
		if first = open("2001:db8:1:2::9"); first.closed {
			t.Error("the place of a connection that is gone, or a stream now, is not free")
		}
		if !open("2001:db8:1:2::8").closed {
			t.Error("a place was freed twice")
		}
	}
}
