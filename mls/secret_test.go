package mls

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretPrintsAsSecret(t *testing.T) {
	s := Secret("key material")
	holder := struct{ Key Secret }{s}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("message", "key", s)
	for _, got := range []string{
		fmt.Sprint(s), fmt.Sprintf("%s %v %x %q %d %#v %+v", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", holder, holder, holder), string(encoded), logged.String(), s.String(), s.GoString(),
	} {
		if !strings.Contains(got, "[secret]") {
			t.Errorf("printed as %q", got)
		}
		for _, leak := range []string{"material", "6b6579", "107 101 121", "0x6b", "a2V5"} {
			if strings.Contains(got, leak) {
				t.Errorf("%q holds the secret", got)
			}
		}
	}
}

func TestSecretIsNotEncodedByGob(t *testing.T) {
	for _, v := range []any{Secret("key material"), struct{ Key Secret }{Secret("key material")}, KeyPackageSecrets{Init: Secret("key material")},
		&Signer{Private: Secret("key material")}, []Secret{Secret("key material")}} {
		var out bytes.Buffer
		if err := gob.NewEncoder(&out).Encode(v); !errors.Is(err, errNotEncoded) {
			t.Errorf("%T: got error %v", v, err)
		}
		if bytes.Contains(out.Bytes(), []byte("material")) {
			t.Errorf("%T is encoded with its secret", v)
		}
	}
}

func TestErasedSecretIsZero(t *testing.T) {
	s := Secret("key material")
	alias := s[:3]
	s.erase()
	if !s.Equal(make(Secret, 12)) || alias[0] != 0 {
		t.Error("octets are left")
	}
}
