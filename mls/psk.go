package mls

import (
	"fmt"
	"math"
)

// pskSecret chains PSKs into the value that the key schedule takes
// (RFC 9420, Section 8.4), in the order of the commit or of the GroupSecrets.
// psks[i] is the key that ids[i] names. With none it is all zero.
func pskSecret(s *suite, ids []PreSharedKeyID, psks []Secret) (Secret, error) {
	if len(ids) != len(psks) {
		return nil, fmt.Errorf("mls: %d PSKs for %d PSK ids", len(psks), len(ids))
	}
	if len(ids) > math.MaxUint16 {
		return nil, invalid("8.4", "more than %d PSKs", math.MaxUint16)
	}
	secret := Secret(s.zero())
	for i, id := range ids {
		extracted := s.extract(s.zero(), psks[i])
		input := s.expandWithLabel(extracted, "derived psk", pskLabel(id, i, len(ids)), s.nh)
		next := s.extract(input, secret)
		extracted.erase()
		input.erase()
		secret.erase()
		secret = next
	}
	return secret, nil
}

// pskLabel is PSKLabel (RFC 9420, Section 8.4).
func pskLabel(id PreSharedKeyID, index, count int) []byte {
	b := id.appendTo(nil)
	b = appendU16(b, uint16(index))
	return appendU16(b, uint16(count))
}
