package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
)

func TestDeviceSecretsComeBackFromTheStore(t *testing.T) {
	want := newDevice(t, "phone")
	got, err := ParseDeviceSecrets(want.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got.Keys().ID() != want.Keys().ID() || !bytes.Equal(got.Marshal(), want.Marshal()) {
		t.Fatal("got other secrets")
	}
	leaf, ok := got.Leaf(suiteHybrid)
	if !ok || string(leaf.Secret) != "hybrid" {
		t.Fatalf("leaf key is lost: %t", ok)
	}
	sig, err := got.Sign(testNetwork, "note", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := want.Keys().Verify(testNetwork, "note", []byte("hello"), sig); err != nil {
		t.Fatal(err)
	}
}

func TestMalformedSecretsAreRefused(t *testing.T) {
	device, network := newDevice(t, "phone").Marshal(), NewNetworkSecrets().Marshal()
	zeroScalar := append([]byte{version1}, make([]byte, pairSecretSize)...)
	for _, bad := range [][]byte{nil, {1}, device[:len(device)-1], append(device, 0), append([]byte{2}, device[1:]...)} {
		if _, err := ParseDeviceSecrets(bad); err == nil {
			t.Errorf("%d bytes parsed as device secrets", len(bad))
		}
	}
	for _, bad := range [][]byte{nil, {1}, network[1:], append(network, 0), append([]byte{2}, network[1:]...), zeroScalar} {
		if _, err := ParseNetworkSecrets(bad); err == nil {
			t.Errorf("%d bytes parsed as network secrets", len(bad))
		}
	}
}

func TestDeviceKeysHaveOneEncoding(t *testing.T) {
	keys := newDevice(t, "phone").Keys()
	got, err := ParseDeviceKeys(keys.Marshal())
	if err != nil || got.ID() != keys.ID() || got.Name() != "phone" || len(got.Suites()) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	raw := keys.Marshal()
	for _, bad := range [][]byte{
		nil, {version1}, raw[:len(raw)-1], append(bytes.Clone(raw), 0), append([]byte{2}, raw[1:]...),
		make([]byte, maxDeviceKeys+1),
	} {
		if _, err := ParseDeviceKeys(bad); err == nil {
			t.Errorf("%d bytes parsed", len(bad))
		}
	}
}

func TestDeviceKeysOutOfLimitsAreRefused(t *testing.T) {
	good := newDevice(t, "phone")
	wire := func() *deviceKeysWire {
		return &deviceKeysWire{
			Name: "phone", Log: bytes.Clone(good.keys.log), Login: bytes.Clone(good.keys.login),
			Leaves: maps.Clone(good.keys.leaves),
		}
	}
	many := make(map[uint16][]byte)
	for i := range uint16(maxLeaves + 1) {
		many[i] = []byte{byte(i)}
	}
	for claim, change := range map[string]func(*deviceKeysWire){
		"no name":                  func(w *deviceKeysWire) { w.Name = "" },
		"long name":                func(w *deviceKeysWire) { w.Name = strings.Repeat("n", MaxDeviceName+1) },
		"control character":        func(w *deviceKeysWire) { w.Name = "a\nb" },
		"turned writing direction": func(w *deviceKeysWire) { w.Name = "a\u202eb" },
		"broken UTF-8":             func(w *deviceKeysWire) { w.Name = "a\xff" },
		"short log key":            func(w *deviceKeysWire) { w.Log = w.Log[:100] },
		"log key off the curve":    func(w *deviceKeysWire) { w.Log[10] ^= 1 },
		"login key off the curve":  func(w *deviceKeysWire) { w.Login[10] ^= 1 },
		"login key is the log key": func(w *deviceKeysWire) { w.Login = w.Log[:ecPublicSize] },
		"empty leaf key":           func(w *deviceKeysWire) { w.Leaves[1] = nil },
		"long leaf key":            func(w *deviceKeysWire) { w.Leaves[1] = make([]byte, maxLeafKey+1) },
		"one leaf key twice":       func(w *deviceKeysWire) { w.Leaves[1] = w.Leaves[suiteHybrid] },
		"leaf key is login key":    func(w *deviceKeysWire) { w.Leaves[1] = w.Login },
		"leaf key is log key":      func(w *deviceKeysWire) { w.Leaves[1] = w.Log[:ecPublicSize] },
		"too many leaf keys":       func(w *deviceKeysWire) { w.Leaves = many },
	} {
		t.Run(claim, func(t *testing.T) {
			w := wire()
			change(w)
			if _, err := ParseDeviceKeys(encodeVersioned(w)); err == nil {
				t.Fatal("parsed")
			}
		})
	}
	if _, err := ParseDeviceKeys(encodeVersioned(wire())); err != nil {
		t.Fatalf("the unchanged keys: %v", err)
	}
}

func TestSecondEncodingsAreRefused(t *testing.T) {
	for claim, data := range map[string][]byte{
		"long length":       {0x81, 0x58, 0x20},
		"null for bytes":    {0x81, 0xf6},
		"array for bytes":   append([]byte{0x81, 0x98, 0x20}, make([]byte, 32)...),
		"too short an id":   append([]byte{0x81, 0x58, 0x1f}, make([]byte, 31)...),
		"too long an id":    append([]byte{0x81, 0x58, 0x21}, make([]byte, 33)...),
		"one element more":  append(append([]byte{0x82, 0x58, 0x20}, make([]byte, 32)...), 0),
		"no element":        {0x80},
		"indefinite array":  append(append([]byte{0x9f, 0x58, 0x20}, make([]byte, 32)...), 0xff),
		"tag":               append([]byte{0xc0, 0x81, 0x58, 0x20}, make([]byte, 32)...),
		"something after":   append(append([]byte{0x81, 0x58, 0x20}, make([]byte, 32)...), 0),
		"map for the array": {0xa0},
	} {
		if v, err := decode[removeBody](data); err == nil {
			t.Errorf("%s decoded as %v", claim, v)
		}
	}
	if _, err := decode[removeBody](append([]byte{0x81, 0x58, 0x20}, make([]byte, 32)...)); err != nil {
		t.Fatalf("the right encoding: %v", err)
	}
}

func TestSignatureCoversLabelNetworkAndContent(t *testing.T) {
	device, network := newDevice(t, "phone"), NewNetworkSecrets()
	sig, err := device.Sign(testNetwork, "label", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	keys := device.Keys()
	for claim, err := range map[string]error{
		"label":       keys.Verify(testNetwork, "other", []byte("content"), sig),
		"network":     keys.Verify(NetworkID{9}, "label", []byte("content"), sig),
		"content":     keys.Verify(testNetwork, "label", []byte("other"), sig),
		"key":         newDevice(t, "phone").Keys().Verify(testNetwork, "label", []byte("content"), sig),
		"network key": network.Key().Verify("label", []byte("content"), sig),
		"half":        keys.Verify(testNetwork, "label", []byte("content"), sig[:3309]),
		"nothing":     keys.Verify(testNetwork, "label", []byte("content"), nil),
	} {
		if !errors.Is(err, errSignature) {
			t.Errorf("%s: got %v", claim, err)
		}
	}
	for _, label := range []string{"", strings.Repeat("x", maxLabel+1)} {
		if _, err := device.Sign(testNetwork, label, nil); err == nil {
			t.Errorf("signed under a label of %d bytes", len(label))
		}
	}
	if err := keys.Verify(testNetwork, "label", []byte("content"), sig); err != nil {
		t.Fatal(err)
	}
}

func TestNetworkIsNamedByItsKey(t *testing.T) {
	secrets := NewNetworkSecrets()
	again, err := ParseNetworkSecrets(secrets.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := again.Sign("policy", []byte("document"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseNetworkKey(secrets.Key().Marshal())
	if err != nil || key.ID() != secrets.Key().ID() {
		t.Fatalf("got %v, %v", key, err)
	}
	if err := key.Verify("policy", []byte("document"), sig); err != nil {
		t.Fatal(err)
	}
	if err := NewNetworkSecrets().Key().Verify("policy", []byte("document"), sig); err == nil {
		t.Fatal("another network's key verifies")
	}
	raw := key.Marshal()
	for _, bad := range [][]byte{nil, {1}, raw[:len(raw)-1], append([]byte{2}, raw[1:]...)} {
		if _, err := ParseNetworkKey(bad); err == nil {
			t.Errorf("%d bytes parsed", len(bad))
		}
	}
}

func TestLoginAnswersOneChallengeOfOneNetwork(t *testing.T) {
	device := newDevice(t, "phone")
	challenge := bytes.Repeat([]byte{7}, 32)
	sig, err := SignLogin(device, testNetwork, challenge)
	if err != nil {
		t.Fatal(err)
	}
	keys := device.Keys()
	if err := VerifyLogin(keys, testNetwork, challenge, sig); err != nil {
		t.Fatal(err)
	}
	for claim, err := range map[string]error{
		"another challenge": VerifyLogin(keys, testNetwork, bytes.Repeat([]byte{8}, 32), sig),
		"another network":   VerifyLogin(keys, NetworkID{9}, challenge, sig),
		"another device":    VerifyLogin(newDevice(t, "phone").Keys(), testNetwork, challenge, sig),
		"no signature":      VerifyLogin(keys, testNetwork, challenge, nil),
		"short challenge":   VerifyLogin(keys, testNetwork, challenge[:MinChallenge-1], sig),
	} {
		if err == nil {
			t.Errorf("%s passed", claim)
		}
	}
	if _, err := SignLogin(device, testNetwork, make([]byte, MaxChallenge+1)); err == nil {
		t.Fatal("signed an overlong challenge")
	}
}

func TestSafetyNumberIsTheSameFromBothSides(t *testing.T) {
	alice, bob, carol := UserID{1}, UserID{2}, UserID{3}
	n := NewSafetyNumber(alice, bob)
	if n != NewSafetyNumber(bob, alice) {
		t.Fatal("depends on the side")
	}
	if groups := strings.Fields(n.String()); len(groups) != 12 || len(n.String()) != 12*5+11 {
		t.Fatalf("got %s", n)
	}
	if len(strings.ReplaceAll(n.Hex(), " ", "")) != 64 {
		t.Fatalf("got %s", n.Hex())
	}
	if err := n.CheckQR(NewSafetyNumber(bob, alice).QR()); err != nil {
		t.Fatal(err)
	}
	other := NewSafetyNumber(alice, carol)
	if err := n.CheckQR(other.QR()); !errors.Is(err, ErrSafetyMismatch) || other.String() == n.String() {
		t.Fatalf("got %v for another person", err)
	}
	for _, bad := range [][]byte{nil, n.QR()[1:], append([]byte{2}, n.QR()[1:]...)} {
		if err := n.CheckQR(bad); err == nil || errors.Is(err, ErrSafetyMismatch) {
			t.Fatalf("got %v for %d bytes of something else", err, len(bad))
		}
	}
}

func TestSafetyNumberSurvivesNewDevices(t *testing.T) {
	p, other := newPerson(t), newPerson(t)
	before := NewSafetyNumber(p.log.User(), other.log.User())
	p.add(newDevice(t, "laptop"))
	if NewSafetyNumber(p.log.User(), other.log.User()) != before {
		t.Fatal("a new device changed the number")
	}
}

func TestSecretsPrintAsSecret(t *testing.T) {
	device := newDevice(t, "phone")
	leaf, _ := device.Leaf(suiteHybrid)
	for _, v := range []any{
		NewRecoveryKey(), *NewRecoveryKey(), device, *device, NewNetworkSecrets(), NewToken(), leaf,
		device.log, NewRecoveryKey().pair(),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%T with %s prints %s", v, verb, got)
			}
		}
		if got, err := json.Marshal(v); err != nil || string(got) != `"[secret]"` {
			t.Errorf("%T in JSON is %s, %v", v, got, err)
		}
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		if got := strings.Count(out.String(), "[secret]"); got != 2 {
			t.Errorf("%T is logged as %s", v, out.String())
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	p, _ := everyKind(f)
	for _, entry := range p.entries {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEntry(data)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Marshal(), data) {
			t.Fatal("an entry has two encodings")
		}
		scratch := bytes.Clone(data)
		if e, err = ParseEntry(scratch); err != nil {
			t.Fatal(err)
		}
		clear(scratch)
		if !bytes.Equal(e.Marshal(), data) {
			t.Fatal("an entry shares the memory it was parsed from")
		}
		// Whatever it is, the log must judge it without harm.
		before := p.log.Pin()
		if err := p.log.Append(data); err == nil && p.log.Pin() == before {
			t.Fatal("an accepted entry did not count")
		}
	})
}

func FuzzParseAdmission(f *testing.F) {
	a, err := newDevice(f, "phone").Join(testNetwork, UserID{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := ParseAdmission(data); err == nil && !bytes.Equal(a.Marshal(), data) {
			t.Fatal("an admission has two encodings")
		}
	})
}

func FuzzParseDeviceSecrets(f *testing.F) {
	f.Add(newDevice(f, "phone").Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ParseDeviceSecrets(data); err == nil && !bytes.Equal(s.Marshal(), data) {
			t.Fatal("secrets have two encodings")
		}
	})
}
