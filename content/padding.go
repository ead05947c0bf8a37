package content

import (
	"math"
	"math/bits"
)

// PaddedSize returns the size to pad n bytes of plaintext to before they are
// encrypted, so that a ciphertext's length says little about what is inside.
// Most messages are short and fall into five sizes; longer ones follow Padmé,
// which keeps only as many leading bits of the size as it takes to write down
// its exponent, and here adds at most 6.25 %.
//
// MLS carries the padding itself (RFC 9420, Section 6.3.1).
func PaddedSize(n int) int {
	for _, size := range [...]int{256, 512, 1024, 2048, 4096} {
		if n <= size {
			return size
		}
	}
	exponent := bits.Len(uint(n)) - 1
	mask := 1<<(exponent-bits.Len(uint(exponent))) - 1
	if n > math.MaxInt-mask {
		return n // no message is this long; but never return less than n
	}
	return (n + mask) &^ mask
}
