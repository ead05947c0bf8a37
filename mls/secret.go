package mls

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Secret is key material. It prints as [secret], compares in constant time, and
// can be erased as far as Go allows.
//
// No method is asked when fmt prints an unexported field of a struct. A struct
// of yours that has a Secret in one must say itself how it prints, with a Format
// method; those of this package do.
type Secret []byte

func (Secret) String() string               { return "[secret]" }
func (Secret) GoString() string             { return "[secret]" }
func (Secret) Format(f fmt.State, _ rune)   { f.Write([]byte("[secret]")) }
func (Secret) LogValue() slog.Value         { return slog.StringValue("[secret]") }
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// GobEncode refuses, for gob would take the octets as they are. Who stores a
// secret converts it to bytes, and it shows in the source.
func (Secret) GobEncode() ([]byte, error) { return nil, errNotEncoded }

var errNotEncoded = errors.New("mls: a secret does not encode itself")

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s, o) == 1 }

// hidden is embedded in every struct that has secrets in unexported fields, so
// that it prints as [secret] as a whole. Exported fields do not suffice either:
// where a verb does not fit a pointer, fmt prints what it points to without
// asking any method.
type hidden struct{}

func (hidden) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }
func (hidden) LogValue() slog.Value       { return slog.StringValue("[secret]") }

// erase overwrites the bytes. Copies made by the runtime or by callees are out
// of its reach.
func (s Secret) erase() { clear(s) }
