package client

import (
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Named counts the slots that the Store names, and Filled those that are not
// empty; in an open vault that erases they are the same slots.
func (v *Vault) Named() (named, filled []int) {
	for i := range v.ring.usedSlots() {
		named = append(named, i)
	}
	for i := 1; i < v.ring.count(); i++ {
		if !v.ring.empty(i) {
			filled = append(filled, i)
		}
	}
	return named, filled
}

// ForceOpen tries every key that the keyring holds on a record, whatever slot the
// record names.
func (v *Vault) ForceOpen(key, record []byte) (value []byte, ok bool) {
	head, err := parseSealed(key, record)
	if err != nil || !head.erasable {
		return nil, false
	}
	nonceEnd := head.nonceAt + chacha20poly1305.NonceSizeX
	for i := range v.ring.count() {
		aead, err := v.slotSeal(v.ring.at(i)[slotIDSize:])
		if err != nil {
			return nil, false
		}
		value, err := aead.Open(nil, record[head.nonceAt:nonceEnd], record[nonceEnd:], slices.Concat(record[:head.nonceAt], key))
		if err == nil {
			return value, true
		}
	}
	return nil, false
}

var (
	ParseHeader = func(b []byte) (cost PassphraseCost, size int, err error) {
		h, err := parseHeader(b)
		if err != nil {
			return cost, 0, err
		}
		size = 2 + 32
		for _, w := range h.ways {
			size += 3 + len(w.head) + len(w.wrapped)
			if w.kind == kindPassphrase {
				cost = w.cost()
			}
		}
		if h.version == headerVersion1 {
			size = 1 + passphraseSize + wrappedSize
		}
		return cost, size, nil
	}
	ParseSealed = func(key, record []byte) error { _, err := parseSealed(key, record); return err }
	MaxCost     = maxCost
)

// SetPage and Page are the bitmap's decoder and encoder.
func SetPage(n int, b []byte) ([]byte, error) {
	var r ring
	if err := r.setPage(n, b); err != nil {
		return nil, err
	}
	return r.page(n), nil
}
