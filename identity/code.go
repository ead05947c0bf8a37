package identity

import (
	"errors"
	"fmt"
	"strings"
)

// Codes are what people read aloud, type and print: a prefix that names the
// kind and version, then the bytes in Crockford's base32 with a checksum, in
// groups of five. The checksum is the BCH code of Bech32m (BIP 350): it finds
// any four wrong characters, wherever they are, and it covers the prefix.

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	checksumSymbols = 6
	groupSymbols    = 5
	bech32mConstant = 0x2bc830a3
)

func encodeCode(prefix string, data []byte) string {
	symbols := toSymbols(data)
	check := polymod(prefix, symbols, make([]byte, checksumSymbols)) ^ bech32mConstant
	for i := range checksumSymbols {
		symbols = append(symbols, byte(check>>(5*(checksumSymbols-1-i)))&31)
	}
	var b strings.Builder
	b.WriteString(prefix)
	for i, s := range symbols {
		if i%groupSymbols == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(crockford[s])
	}
	return b.String()
}

// decodeCode fills data from a code. It forgives case, spaces, dashes and the
// characters Crockford's alphabet leaves out because they look like others. Its
// errors never quote the input, which may be a secret.
func decodeCode(prefix, s string, data []byte) error {
	symbols, err := readSymbols(s, len(prefix)+symbolCount(len(data))+checksumSymbols)
	if err != nil {
		return err
	}
	for i := range prefix {
		if crockford[symbols[i]] != prefix[i] {
			return fmt.Errorf("it does not begin with %s", prefix)
		}
	}
	symbols = symbols[len(prefix):]
	if polymod(prefix, symbols) != bech32mConstant {
		return errors.New("a character was mistyped: the checksum is wrong")
	}
	return fromSymbols(data, symbols[:len(symbols)-checksumSymbols])
}

func readSymbols(s string, want int) ([]byte, error) {
	symbols := make([]byte, 0, want)
	for _, r := range s {
		switch r {
		case ' ', '\t', '\n', '\r', '-', '\u00a0', '\u2010', '\u2011', '\u2013': // and the dashes word processors put in
			continue
		case 'o', 'O':
			r = '0'
		case 'i', 'I', 'l', 'L':
			r = '1'
		}
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		i := strings.IndexRune(crockford, r)
		if i < 0 {
			return nil, errors.New("it holds a character that no code has")
		}
		if len(symbols) == want {
			return nil, fmt.Errorf("too long: it has %d characters, dashes and spaces not counted", want)
		}
		symbols = append(symbols, byte(i))
	}
	if len(symbols) < want {
		return nil, fmt.Errorf("too short: %d of %d characters, dashes and spaces not counted", len(symbols), want)
	}
	return symbols, nil
}

// polymod is the checksum of BIP 173: the remainder of prefix and symbols as a
// polynomial over GF(32), modulo a generator of degree six. The prefix counts
// as its letters' high bits, a zero, and their low bits.
func polymod(prefix string, parts ...[]byte) uint32 {
	check := uint32(1)
	step := func(symbol byte) {
		top := check >> 25
		check = (check&0x1ffffff)<<5 ^ uint32(symbol)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				check ^= g
			}
		}
	}
	for i := range len(prefix) {
		step(prefix[i] >> 5)
	}
	step(0)
	for i := range len(prefix) {
		step(prefix[i] & 31)
	}
	for _, part := range parts {
		for _, symbol := range part {
			step(symbol)
		}
	}
	return check
}

// symbolCount is how many 5-bit symbols hold n bytes.
func symbolCount(n int) int { return (n*8 + 4) / 5 }

func toSymbols(data []byte) []byte {
	symbols := make([]byte, 0, symbolCount(len(data))+checksumSymbols)
	var buffer, bits uint
	for _, b := range data {
		buffer, bits = buffer<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			symbols = append(symbols, byte(buffer>>bits)&31)
		}
		buffer &= 1<<bits - 1
	}
	if bits > 0 {
		symbols = append(symbols, byte(buffer<<(5-bits))&31)
	}
	return symbols
}

// fromSymbols fills data, which symbolCount made the symbols fit exactly. The
// bits left over must be zero: a code has one spelling.
func fromSymbols(data, symbols []byte) error {
	var buffer, bits uint
	n := 0
	for _, s := range symbols {
		buffer, bits = buffer<<5|uint(s), bits+5
		if bits >= 8 {
			bits -= 8
			data[n] = byte(buffer >> bits)
			n++
			buffer &= 1<<bits - 1
		}
	}
	if buffer != 0 {
		return errors.New("holds bits beyond its end")
	}
	return nil
}
