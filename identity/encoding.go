package identity

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Everything this package writes starts with a version byte. What has more than
// fixed fields goes on with one CBOR array in the deterministic encoding of
// RFC 8949, Section 4.2.1.
const version1 = 1

var errVersion = errors.New("unknown version")

var encMode = func() cbor.EncMode {
	opts := cbor.CoreDetEncOptions()
	opts.NilContainers = cbor.NilContainerAsEmpty
	mode, err := opts.EncMode()
	if err != nil {
		panic("identity: cbor options: " + err.Error()) // constants above; every test would fail
	}
	return mode
}()

var decMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  6,
		MaxArrayElements: 2 * MaxDevices,
		MaxMapPairs:      2 * maxLeaves,
	}.DecMode()
	if err != nil {
		panic("identity: cbor options: " + err.Error()) // constants above; every test would fail
	}
	return mode
}()

// encode cannot fail: the wire types hold only integers, bytes and text.
func encode(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic("identity: encoding: " + err.Error())
	}
	return b
}

// decode accepts only what encode would write for the same value. Hashes and
// signatures are over bytes, so a second spelling of one value must not exist;
// the comparison also refuses arrays that are too short or too long, nulls, and
// whatever else a forgiving decoder lets through.
func decode[T any](data []byte) (T, error) {
	var v, zero T
	if err := decMode.Unmarshal(data, &v); err != nil {
		return zero, err
	}
	if !bytes.Equal(encode(v), data) {
		return zero, errors.New("not the deterministic encoding")
	}
	return v, nil
}

func encodeVersioned(v any) []byte {
	return append([]byte{version1}, encode(v)...)
}

// decodeVersioned reads what encodeVersioned wrote, if it is at most limit bytes.
func decodeVersioned[T any](data []byte, limit int) (T, error) {
	var zero T
	switch {
	case len(data) == 0:
		return zero, errors.New("empty")
	case len(data) > limit:
		return zero, fmt.Errorf("%d bytes, more than %d", len(data), limit)
	case data[0] != version1:
		return zero, errVersion
	}
	return decode[T](data[1:])
}
