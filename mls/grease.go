package mls

import (
	"crypto/rand"
	"slices"
)

// GREASE (RFC 9420, Section 13.5): values that mean nothing, sent where unknown
// values must be ignored, so that nobody comes to rely on there being none.
// When received they are like any other unknown value: no code here knows them.

// greaseValue gives one of the fifteen reserved values from 0x0A0A to 0xEAEA.
func greaseValue() uint16 {
	var b [1]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return 0x0A0A + uint16(b[0]%15)*0x1010
}

// withGREASE gives capabilities with a value in each list that may have one.
// The lists are copied.
func (c Capabilities) withGREASE() Capabilities {
	c.CipherSuites = appendGREASE(c.CipherSuites)
	c.Extensions = appendGREASE(c.Extensions)
	c.Proposals = appendGREASE(c.Proposals)
	c.Credentials = appendGREASE(c.Credentials)
	return c
}

func appendGREASE[T ~uint16](ids []T) []T {
	if v := T(greaseValue()); !slices.Contains(ids, v) {
		return append(slices.Clone(ids), v)
	}
	return ids
}

// withGREASE gives extensions with one more, of a type that the client's
// capabilities list (RFC 9420, Section 10). With none of these types it gives
// e itself.
func (e Extensions) withGREASE(c Capabilities) Extensions {
	for _, t := range slices.Backward(c.Extensions) {
		if _, has := e.Find(t); isGREASE(t) && !has {
			return append(slices.Clone(e), Extension{Type: t})
		}
	}
	return e
}

// isGREASE is asked of own values only.
func isGREASE(t ExtensionType) bool { return t&0x0f0f == 0x0a0a && t>>8 == t&0xff && t < 0xfafa }
