package identity

import (
	"fmt"
	"io"
)

// secret is embedded in every type that holds private bytes. However the value
// is printed, with whatever verb, by fmt, by a JSON encoder or by a structured
// logger (which ask for text), it shows as "[secret]".
type secret struct{}

const secretText = "[secret]"

// String returns "[secret]".
func (secret) String() string { return secretText }

// GoString returns "[secret]".
func (secret) GoString() string { return secretText }

// Format writes "[secret]" for every verb.
func (secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secretText) }

// MarshalText returns "[secret]".
func (secret) MarshalText() ([]byte, error) { return []byte(secretText), nil }
