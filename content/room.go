package content

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"unicode"
)

// RoomState is a room's name and settings. It travels as an encrypted message
// ([Room]), so that the server learns none of it, while the MLS group context
// carries its Hash, so that all members hold the same.
type RoomState struct {
	Version     uint64   // one more at every change
	Salt        [32]byte // fresh at every change; keeps the hash from being guessed
	Name        string   // one line of at most [MaxName] bytes
	Description string   // at most [MaxDescription] bytes
	Expire      uint32   // seconds, 0 for off; see [Timers]
	Burn        uint32   // seconds, 0 for off
}

// roomVersion is the first byte of an encoded RoomState.
const roomVersion = 1

// Next returns a copy to change: its version is one more and its salt is fresh.
func (s RoomState) Next() RoomState {
	s.Version++
	rand.Read(s.Salt[:]) // documented never to fail
	return s
}

// Encode returns the state's one encoding, and refuses what DecodeRoomState
// would refuse.
func (s *RoomState) Encode() ([]byte, error) {
	raw, err := s.marshal()
	if err != nil {
		return nil, err
	}
	if _, err := parseRoomState(raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// Hash is SHA-256(salt ‖ encoding), the value that the group context carries.
func (s *RoomState) Hash() ([32]byte, error) {
	raw, err := s.Encode()
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(slices.Concat(s.Salt[:], raw)), nil
}

// DecodeRoomState reads a state. The caller compares its Hash with the group
// context before believing a word of it. Bytes of a later format give
// [ErrVersion].
func DecodeRoomState(data []byte) (*RoomState, error) {
	s, err := parseRoomState(data)
	if err != nil {
		return nil, err
	}
	again, err := s.marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, malformed("room state not in deterministic form")
	}
	return s, nil
}

func (s *RoomState) marshal() ([]byte, error) {
	return marshalVersioned(roomVersion, []any{s.Version, s.Salt, s.Name, s.Description, s.Expire, s.Burn})
}

func parseRoomState(data []byte) (*RoomState, error) {
	body, err := checkVersioned("room state", roomVersion, data, 1)
	if err != nil {
		return nil, err
	}
	s := new(RoomState)
	l := readList("room state", body)
	s.Version = l.uint("version", 1<<64-1)
	l.fixed("salt", s.Salt[:])
	s.Name = l.text("name", MaxName)
	s.Description = l.text("description", MaxDescription)
	s.Expire = uint32(l.uint("expire", MaxTimer))
	s.Burn = uint32(l.uint("burn", MaxTimer))
	if err := l.end(); err != nil {
		return nil, err
	}
	for _, r := range s.Name {
		if unicode.IsControl(r) {
			return nil, malformed("room name has a control character")
		}
	}
	return s, nil
}

// marshalVersioned puts a version byte before one CBOR item.
func marshalVersioned(version byte, items []any) ([]byte, error) {
	raw, err := encMode.Marshal(items)
	if err != nil {
		return nil, err
	}
	return append([]byte{version}, raw...), nil
}

// checkVersioned returns what follows the version byte, once it is known to be
// one deterministic item of a size we carry.
func checkVersioned(what string, version byte, data []byte, depth int) ([]byte, error) {
	if err := limit(what, "bytes", len(data), MaxMessage); err != nil {
		return nil, err
	}
	switch {
	case len(data) == 0 || data[0] == 0:
		return nil, malformed("%s has no version", what)
	case data[0] > version:
		return nil, ErrVersion
	}
	if err := checkStrict(data[1:], depth); err != nil {
		return nil, err
	}
	return data[1:], nil
}
