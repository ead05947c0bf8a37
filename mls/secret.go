package mls

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is key material. It prints as [secret] everywhere, compares in
// constant time, and can be erased as far as Go allows.
type Secret []byte

func (Secret) String() string               { return "[secret]" }
func (Secret) GoString() string             { return "[secret]" }
func (Secret) Format(f fmt.State, _ rune)   { f.Write([]byte("[secret]")) }
func (Secret) LogValue() slog.Value         { return slog.StringValue("[secret]") }
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s, o) == 1 }

// erase overwrites the bytes. Copies made by the runtime or by callees are out
// of its reach.
func (s Secret) erase() { clear(s) }
