package content

import "encoding/binary"

// Place is where in a room's log a sender stood when it encrypted: how far it
// had processed the log, and the log's running hash there. Receivers compare
// it with their own, so that a server which drops, reorders or forks is seen.
type Place struct {
	Seq  uint64
	Hash [32]byte
}

const (
	frameVersion = 1
	frameHeader  = 1 + 8 + 32
)

// Frame is the application data of a PrivateMessage: version byte, place, and
// an encoded [Message]. The place is outside the message, because a message
// keeps its bytes, and so its [ID], when it must be encrypted again elsewhere.
type Frame struct {
	Place   Place
	Message []byte
}

// Bytes is the one encoding of the frame.
func (f Frame) Bytes() []byte {
	b := make([]byte, 0, frameHeader+len(f.Message))
	b = append(b, frameVersion)
	b = binary.BigEndian.AppendUint64(b, f.Place.Seq)
	b = append(b, f.Place.Hash[:]...)
	return append(b, f.Message...)
}

// ParseFrame reads what [Frame.Bytes] wrote. The frame keeps b.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) == 0 || b[0] != frameVersion {
		return Frame{}, ErrVersion
	}
	if len(b) < frameHeader {
		return Frame{}, malformed("frame ends early")
	}
	f := Frame{Message: b[frameHeader:]}
	f.Place.Seq = binary.BigEndian.Uint64(b[1:])
	copy(f.Place.Hash[:], b[9:])
	return f, nil
}
