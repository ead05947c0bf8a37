package identity

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	inviteVersion = "1"
	maxInvite     = 512
	maxHost       = 253 // RFC 1035, Section 2.3.4, as text
	tokenSize     = 16
)

// Token is the one-time secret that admits a person to a network. It prints as
// "[secret]". It is comparable; a server should look it up by its hash.
type Token struct {
	secret
	raw [tokenSize]byte
}

// NewToken draws a token at random.
func NewToken() Token {
	var t Token
	_, _ = rand.Read(t.raw[:]) // never fails
	return t
}

// ParseToken reads what [Token.Reveal] wrote; there is one spelling. Errors do
// not quote s.
func ParseToken(s string) (Token, error) {
	var t Token
	if err := parseText(t.raw[:], s); err != nil {
		return Token{}, fmt.Errorf("invite token: %w", err)
	}
	return t, nil
}

// Reveal returns the token in lower-case base32, 26 characters.
func (t Token) Reveal() string { return idText.EncodeToString(t.raw[:]) }

// Invite brings a person to a network. Its address pins the network's key, and
// has everything of value in the fragment, which browsers do not send: the page
// can be fetched without a server, a proxy or their logs learning the token.
type Invite struct {
	Server  string // "https://host" or "https://host:port"; http is for networks on their own wires
	Network NetworkID
	Token   Token
}

// Reveal returns the address to hand to the person invited.
func (i Invite) Reveal() string {
	return i.Server + "/#" + strings.Join([]string{inviteVersion, i.Network.String(), i.Token.Reveal()}, ".")
}

// String returns the address without its token, so that logging an invite does
// not give it away.
func (i Invite) String() string {
	return i.Server + "/#" + strings.Join([]string{inviteVersion, i.Network.String(), secretText}, ".")
}

// GoString returns the same as String.
func (i Invite) GoString() string { return i.String() }

// ParseInvite reads what [Invite.Reveal] wrote, with white space around it
// forgiven. Errors do not quote s.
func ParseInvite(s string) (Invite, error) {
	invite, err := parseInvite(strings.TrimSpace(s))
	if err != nil {
		return Invite{}, fmt.Errorf("invite: %w", err)
	}
	return invite, nil
}

func parseInvite(s string) (Invite, error) {
	if len(s) > maxInvite {
		return Invite{}, fmt.Errorf("longer than %d characters", maxInvite)
	}
	address, fragment, ok := strings.Cut(s, "#")
	if !ok {
		return Invite{}, errors.New("it has no #, and with it all that follows is missing")
	}
	server, ok := strings.CutSuffix(address, "/")
	if !ok {
		return Invite{}, errors.New("the server's address does not end in /")
	}
	if err := checkServer(server); err != nil {
		return Invite{}, err
	}
	fields := strings.Split(fragment, ".")
	if fields[0] != inviteVersion {
		return Invite{}, errVersion
	}
	if len(fields) != 3 {
		return Invite{}, errors.New("incomplete: parts are missing after the #")
	}
	network, err := ParseNetworkID(fields[1])
	if err != nil {
		return Invite{}, err
	}
	token, err := ParseToken(fields[2])
	if err != nil {
		return Invite{}, err
	}
	return Invite{Server: server, Network: network, Token: token}, nil
}

// checkServer checks that a server's address is "http" or "https", a host in
// lower case and perhaps a port, and no more: no user, path, query or fragment
// that a person could overlook.
func checkServer(address string) error {
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(address, "http://")
	}
	if !ok {
		return errors.New("the server's address is not http or https")
	}
	host, port := rest, ""
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, ']') {
		host, port = rest[:colon], rest[colon+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return errors.New("the server's port is not a number from 1 to 65535")
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if !ok || !hasOnly(inner, "0123456789abcdef:.") || strings.Count(inner, ":") < 2 {
			return errors.New("the server's address is not an IPv6 address")
		}
		return nil
	}
	if len(host) > maxHost || !hasOnly(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") {
		return errors.New("the server's host is not a name in lower case")
	}
	return nil
}

// hasOnly reports whether s is made of the given characters, and not empty.
func hasOnly(s, characters string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(characters, r) })
}
