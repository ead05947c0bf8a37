package identity

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestInviteComesBack(t *testing.T) {
	for _, server := range []string{
		"https://chat.example.org", "https://chat.example.org:8443", "http://10.0.0.7:8080",
		"http://localhost", "https://[2001:db8::1]", "https://[::1]:65535",
	} {
		want := Invite{Server: server, Network: testNetwork, Token: NewToken()}
		got, err := ParseInvite("  " + want.Reveal() + "\n")
		if err != nil || got != want {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestServerNeverSeesWhatIsInTheFragment(t *testing.T) {
	i := Invite{Server: "https://chat.example.org", Network: testNetwork, Token: NewToken()}
	u, err := url.Parse(i.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if u.RequestURI() != "/" || u.Host != "chat.example.org" || !strings.Contains(u.Fragment, i.Token.Reveal()) {
		t.Fatalf("a browser would ask %q for %q", u.Host, u.RequestURI())
	}
}

func TestPrintedInviteHidesItsToken(t *testing.T) {
	i := Invite{Server: "https://chat.example.org", Network: testNetwork, Token: NewToken()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if text := fmt.Sprintf(verb, i); strings.Contains(text, i.Token.Reveal()) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestMalformedInvitesAreRefused(t *testing.T) {
	good := Invite{Server: "https://chat.example.org", Network: testNetwork, Token: NewToken()}
	fragment := strings.TrimPrefix(good.Reveal(), good.Server+"/")
	network, token := testNetwork.String(), good.Token.Reveal()
	for _, bad := range []string{
		"", "#", "https://chat.example.org/",
		"https://chat.example.org" + fragment,
		"https://chat.example.org/path/" + fragment,
		"https://chat.example.org/?x=1" + fragment,
		"https://user@chat.example.org/" + fragment,
		"https://Chat.example.org/" + fragment,
		"https://chat.example.org:/" + fragment,
		"https://chat.example.org:0/" + fragment,
		"https://chat.example.org:08/" + fragment,
		"https://chat.example.org:65536/" + fragment,
		"https://chat.example.org:80:80/" + fragment,
		"https://[::1/" + fragment, "https://[::1]x/" + fragment, "https://[]/" + fragment, "https://[::zz]/" + fragment,
		"https:///" + fragment, "https://:80/" + fragment, "https://a b/" + fragment, "https://a\x00b/" + fragment,
		"https://" + strings.Repeat("a", maxHost+1) + "/" + fragment,
		"ftp://chat.example.org/" + fragment, "chat.example.org/" + fragment,
		good.Reveal() + "." + token, good.Reveal() + "a", good.Reveal() + "#",
		"https://chat.example.org/#2." + network + "." + token,
		"https://chat.example.org/#1." + network,
		"https://chat.example.org/#1." + strings.ToUpper(network) + "." + token,
		"https://chat.example.org/#1." + network + "." + token[:25] + "b",
		"https://chat.example.org/#1." + network + "." + strings.Repeat("a", maxInvite),
	} {
		if i, err := ParseInvite(bad); err == nil {
			t.Errorf("%q parsed as %v", bad, i)
		}
	}
}

func FuzzParseInvite(f *testing.F) {
	f.Add(Invite{Server: "https://[::1]:80", Network: testNetwork}.Reveal())
	f.Add(Invite{Server: "http://a.b", Network: testNetwork}.Reveal())
	f.Fuzz(func(t *testing.T, s string) {
		i, err := ParseInvite(s)
		if err != nil {
			return
		}
		if i.Reveal() != strings.TrimSpace(s) {
			t.Fatalf("%q is not the only spelling of %q", s, i.Reveal())
		}
		if u, err := url.Parse(i.Reveal()); err != nil || u.Scheme+"://"+u.Host != i.Server {
			t.Fatalf("a browser reads %q otherwise: %v, %v", s, u, err)
		}
	})
}

func TestIDsHaveOneSpelling(t *testing.T) {
	id := UserID{1, 2, 3}
	text := id.String()
	if got, err := ParseUserID(text); err != nil || got != id {
		t.Fatalf("got %v, %v, want %v", got, err, id)
	}
	if got, err := ParseDeviceID(text); err != nil || got != DeviceID(id) {
		t.Fatalf("got %v, %v, want %v", got, err, id)
	}
	if got, err := ParseNetworkID(text); err != nil || got != NetworkID(id) {
		t.Fatalf("got %v, %v, want %v", got, err, id)
	}
	if got, err := ParseHash(text); err != nil || got != Hash(id) {
		t.Fatalf("got %v, %v, want %v", got, err, id)
	}
	for _, bad := range []string{
		"", text[:51], text + "a", strings.ToUpper(text), text[:51] + "b", text[:51] + "=", text[:51] + "1", text[:50] + "\n\n",
	} {
		if _, err := ParseUserID(bad); err == nil {
			t.Errorf("%q parsed", bad)
		}
	}
}
