package duty

import (
	"net/http"
	"net/netip"
	"strings"
)

// Remote gives the address that a request comes from. Of one from loopback that
// is what a proxy says, if it says anything: the last address of
// X-Forwarded-For, which the nearest proxy has put there itself. Others may write
// into the header what they like, and are not asked.
func Remote(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // without one, the zero Addr is a stranger like any
	remote := from.Addr().Unmap()
	if !remote.IsLoopback() {
		return remote
	}
	lines := r.Header.Values("X-Forwarded-For")
	if len(lines) == 0 {
		return remote
	}
	last := lines[len(lines)-1]
	if forwarded, ok := parseForwarded(last[strings.LastIndexByte(last, ',')+1:]); ok {
		return forwarded
	}
	return remote
}

// parseForwarded reads an address, which some proxies write with its port.
func parseForwarded(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.Unmap(), true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr().Unmap(), err == nil
}
