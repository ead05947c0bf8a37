package content

import (
	"crypto/subtle"
	"fmt"
)

// Secret is key material. It prints as [secret], in logs too, and compares in
// constant time. It has no LogValue because this package stays clear of log/slog,
// which reaches String or MarshalText and so prints the same.
type Secret []byte

const redacted = "[secret]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s, o) == 1 }
