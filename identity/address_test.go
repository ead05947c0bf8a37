package identity

import "testing"

func TestRecoveryKeyFindsItsLog(t *testing.T) {
	p := newPerson(t)
	if got, want := p.log.RecoveryID(), p.recovery.ID(); got != want {
		t.Errorf("log names recovery key %v, the key is %v", got, want)
	}
	if NewRecoveryKey().ID() == p.log.RecoveryID() {
		t.Error("two recovery keys have one id")
	}
}

func TestAddressReadsBackAndRefusesOtherSpellings(t *testing.T) {
	a := Address{Server: "https://chat.example.org:8443", Network: NetworkID{1}, User: UserID{2}}
	got, err := ParseAddress("  " + a.String() + "\n")
	if err != nil || got != a {
		t.Fatalf("got %v, %v; want %v", got, err, a)
	}
	for _, bad := range []string{
		"", "https://chat.example.org", a.String() + ".more", "https://chat.example.org/path/#device1.x.y",
		Invite{Server: a.Server, Network: a.Network, Token: NewToken()}.Reveal(),
	} {
		if _, err := ParseAddress(bad); err == nil {
			t.Errorf("%q was taken for an address", bad)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add(Address{Server: "https://chat.example.org"}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAddress(s); err == nil {
			if again, err := ParseAddress(a.String()); err != nil || again != a {
				t.Errorf("%q reads as %v and back as %v, %v", s, a, again, err)
			}
		}
	})
}
