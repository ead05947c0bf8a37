package identity

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The examples of BIP 350 hold for this checksum too; only the alphabet differs.
func TestChecksumIsThatOfBech32m(t *testing.T) {
	const bech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	for _, text := range []string{
		"a1lqfn3a",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
	} {
		cut := strings.LastIndexByte(text, '1')
		var symbols []byte
		for _, r := range text[cut+1:] {
			symbols = append(symbols, byte(strings.IndexRune(bech32, r)))
		}
		if got := polymod(text[:cut], symbols); got != bech32mConstant {
			t.Errorf("%s: got %#x, want %#x", text, got, bech32mConstant)
		}
	}
}

func TestRecoveryKeyComesBackAsPeopleTypeIt(t *testing.T) {
	key := NewRecoveryKey()
	text := key.Reveal()
	if !strings.HasPrefix(text, "SR1-") || len(text) != len("SR1")+12+58 {
		t.Fatalf("unexpected shape of %d characters", len(text))
	}
	sloppy := strings.NewReplacer("0", "o", "1", "l", "-", " ").Replace(strings.ToLower(text))
	for _, s := range []string{
		text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), "  " + text + "\n", sloppy,
		strings.NewReplacer("0", "O", "1", "I", "-", "\u2013").Replace(text),
	} {
		got, err := ParseRecoveryKey(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.seed != key.seed {
			t.Fatal("got another key")
		}
	}
}

func TestAnyWrongCharacterOfACodeIsFound(t *testing.T) {
	key, link := NewRecoveryKey().Reveal(), NewLinkCode(newDevice(t, "phone").Keys()).String()
	for text, parse := range map[string]func(string) error{
		key:  func(s string) error { _, err := ParseRecoveryKey(s); return err },
		link: func(s string) error { _, err := ParseLinkCode(s); return err },
	} {
		if err := parse(text); err != nil {
			t.Fatal(err)
		}
		for i := range text {
			if text[i] == '-' {
				continue
			}
			for _, r := range crockford + "U!" {
				if byte(r) == text[i] {
					continue
				}
				if parse(text[:i]+string(r)+text[i+1:]) == nil {
					t.Fatalf("%c at %d passed", r, i)
				}
			}
			if parse(text[:i]+text[i+1:]) == nil {
				t.Fatalf("passed without the character at %d", i)
			}
			if parse(text[:i]+"7"+text[i:]) == nil {
				t.Fatalf("passed with a character more at %d", i)
			}
		}
	}
}

func TestAnyFourWrongCharactersAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.ReplaceAll(NewRecoveryKey().Reveal(), "-", ""))
		places := rapid.SliceOfNDistinct(rapid.IntRange(3, len(text)-1), 1, 4, rapid.ID[int]).Draw(t, "places")
		for _, i := range places {
			change := rapid.IntRange(1, 31).Draw(t, "change")
			text[i] = crockford[(strings.IndexByte(crockford, text[i])+change)%32]
		}
		if _, err := ParseRecoveryKey(string(text)); err == nil {
			t.Fatalf("wrong characters at %v passed", places)
		}
	})
}

func TestCodesOfBytesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "data")
		got := make([]byte, len(data))
		if err := decodeCode("SR1", encodeCode("SR1", data), got); err != nil || string(got) != string(data) {
			t.Fatalf("got %x, %v, want %x", got, err, data)
		}
		if decodeCode("SD1", encodeCode("SR1", data), got) == nil {
			t.Fatal("a code of another kind passed")
		}
	})
}

func TestCodeWithBitsBeyondItsEndIsRefused(t *testing.T) {
	data := make([]byte, 1)
	symbols := []byte{0, 1} // eight bits in ten, the last one set
	check := polymod("SR1", symbols, make([]byte, checksumSymbols)) ^ bech32mConstant
	text := "SR1"
	for _, s := range symbols {
		text += string(crockford[s])
	}
	for i := range checksumSymbols {
		text += string(crockford[check>>(5*(checksumSymbols-1-i))&31])
	}
	if decodeCode("SR1", text, data) == nil {
		t.Fatal("passed")
	}
}

func TestErrorsDoNotQuoteTheRecoveryKey(t *testing.T) {
	text := NewRecoveryKey().Reveal()
	for _, bad := range []string{text + "!", text[:len(text)-1], text + "00", "XX" + text[2:]} {
		_, err := ParseRecoveryKey(bad)
		if err == nil || strings.Contains(err.Error(), text[4:9]) {
			t.Fatalf("got %v", err)
		}
	}
}

func FuzzParseRecoveryKey(f *testing.F) {
	f.Add(NewRecoveryKey().Reveal())
	f.Add("SR1-")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseRecoveryKey(s)
		if err != nil {
			return
		}
		again, err := ParseRecoveryKey(k.Reveal())
		if err != nil || again.seed != k.seed {
			t.Fatalf("a parsed key does not come back: %v", err)
		}
	})
}

func TestLinkCodeMeansOneDevice(t *testing.T) {
	phone, other := newDevice(t, "phone").Keys(), newDevice(t, "phone").Keys()
	code := NewLinkCode(phone)
	got, err := ParseLinkCode(strings.ToLower(code.String()))
	if err != nil || got != code {
		t.Fatalf("got %v, %v, want %v", got, err, code)
	}
	if !got.Matches(phone) || got.Matches(other) {
		t.Fatal("the code does not tell devices apart")
	}
	if NewLinkCode(phone).Rendezvous == code.Rendezvous {
		t.Fatal("two codes have one meeting place")
	}
}

func FuzzParseLinkCode(f *testing.F) {
	f.Add(LinkCode{Fingerprint: [FingerprintSize]byte{1}}.String())
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseLinkCode(s)
		if err != nil {
			return
		}
		if again, err := ParseLinkCode(c.String()); err != nil || again != c {
			t.Fatalf("a parsed code does not come back: %v", err)
		}
	})
}
