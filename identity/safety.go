package identity

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	safetyGroups     = 12
	safetyQRSize     = 1 + 32
	safetyGroupBytes = 5
)

// SafetyNumber is what two people compare, by eye or by camera, to know that
// they have each other's true logs. It is the same from both sides.
//
// It is made of the two user ids, that is of the genesis entries, and not of the
// heads of the logs. A number over heads would change with every new phone, and
// people soon wave through a number that often changes. The ids suffice: each
// later entry is signed by a key that leads back to the genesis, so a log with
// the right beginning was written by the person, or by a thief of their keys,
// whom no number can tell apart. New devices are shown by name instead.
type SafetyNumber struct {
	digest [sha512.Size]byte
}

// NewSafetyNumber makes the number of two people. Ids of users already name
// their networks, so the two may be on different ones.
func NewSafetyNumber(a, b UserID) SafetyNumber {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return SafetyNumber{digest: sha512.Sum512(labelled(labelSafety, a[:], b[:]))}
}

// String returns 60 digits in twelve groups of five: about 199 bits.
func (n SafetyNumber) String() string {
	groups := make([]string, safetyGroups)
	for i := range groups {
		var wide [8]byte
		copy(wide[8-safetyGroupBytes:], n.digest[i*safetyGroupBytes:])
		// 2^40 is not a multiple of 100,000; the bias is below one in ten million.
		groups[i] = fmt.Sprintf("%05d", binary.BigEndian.Uint64(wide[:])%100_000)
	}
	return strings.Join(groups, " ")
}

// Hex returns the first 256 bits in groups of four hexadecimal digits.
func (n SafetyNumber) Hex() string {
	text := hex.EncodeToString(n.digest[:32])
	var b strings.Builder
	for i := 0; i < len(text); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text[i : i+4])
	}
	return b.String()
}

// QR returns the bytes to show as a QR code, for [SafetyNumber.CheckQR].
func (n SafetyNumber) QR() []byte {
	return append([]byte{version1}, n.digest[:32]...)
}

// CheckQR compares what a camera read on the other person's screen. An error
// that is [ErrSafetyMismatch] is an alarm; any other means that the code was
// something else.
func (n SafetyNumber) CheckQR(scanned []byte) error {
	if len(scanned) != safetyQRSize {
		return errors.New("safety number: not such a code")
	}
	if scanned[0] != version1 {
		return fmt.Errorf("safety number: %w", errVersion)
	}
	if subtle.ConstantTimeCompare(scanned, n.QR()) != 1 {
		return ErrSafetyMismatch
	}
	return nil
}

// ErrSafetyMismatch means that two people do not see the same identities.
var ErrSafetyMismatch = errors.New("the safety numbers differ")
