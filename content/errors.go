package content

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is wrapped by every refusal of bytes that are not what they
	// should be. The sender's program is at fault, never the network.
	ErrMalformed = errors.New("malformed content")

	// ErrVersion is returned for bytes whose version byte is later than this
	// program knows. The content may be fine; a newer program can read it.
	ErrVersion = errors.New("written by a newer version")

	// ErrImpostor is returned when a message names a sender or a room that is
	// not the one MLS authenticated.
	ErrImpostor = errors.New("message names another sender or room")
)

// Limits on one message. They bound what a receiver must hold in memory and
// draw; larger things travel as external parts.
const (
	MaxMessage = 256 << 10 // bytes of one encoded message
	MaxText    = 64 << 10  // bytes of one text part
	MaxEmoji   = 64        // bytes of one reaction
	MaxParts   = 32        // parts of one message, at any depth
	MaxDepth   = 4         // parts inside parts (draft, "Depth restrictions")
	MaxTopic   = 4096      // bytes of a topic id (draft, "General handling")
	MaxTimer   = 366 * 24 * 60 * 60

	MaxName        = 256  // bytes of a room's name
	MaxDescription = 4096 // bytes of a room's description
	MaxNotes       = 256  // notes in one message to one's own devices

	maxExtensions = 64
	maxURI        = 2048
	maxToken      = 255 // content types, languages, file names, extension keys
)

// LimitError says that something is larger than we carry. Its text is fit for
// the person who wrote the message.
type LimitError struct {
	What      string // such as "text"
	Size, Max uint64
	Unit      string // such as "bytes"
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s has %d %s; the limit is %d", e.What, e.Size, e.Unit, e.Max)
}

func limit(what, unit string, size, most int) error {
	if size <= most {
		return nil
	}
	return &LimitError{What: what, Size: uint64(size), Max: uint64(most), Unit: unit}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
