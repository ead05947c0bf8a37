package native

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sconce/client"
)

// spellings gives the bytes that a passphrase may stand for in a store. Keyboards
// and systems write the same letter in different ways ("é" is one character here
// and two there), so text is brought to Unicode NFC; stores of before took it as
// it was typed. What is not text, such as a key from a keychain, stays as it is.
func spellings(passphrase []byte) [][]byte {
	if !utf8.Valid(passphrase) || norm.NFC.IsNormal(passphrase) {
		return [][]byte{passphrase}
	}
	return [][]byte{norm.NFC.Bytes(passphrase), passphrase}
}

// anySpelling calls open with each spelling until one is not wrong. A second
// guess costs a second derivation, and is made only for text that is not in NFC.
func anySpelling(passphrase []byte, open func([]byte) error) (err error) {
	for _, spelling := range spellings(passphrase) {
		if err = open(spelling); !errors.Is(err, client.ErrPassphrase) {
			return err
		}
	}
	return err
}

// ChangePassphrase is [client.Vault.ChangePassphrase] for what people type.
func ChangePassphrase(v *client.Vault, current, next []byte, cost client.PassphraseCost) error {
	return anySpelling(current, func(current []byte) error {
		return v.ChangePassphrase(current, spellings(next)[0], cost)
	})
}
