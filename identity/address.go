package identity

import (
	"errors"
	"fmt"
	"strings"
)

// Address says where a person is to be found: the server, the network whose key
// it must hold, and the person's id. A new device of theirs starts from it. It
// is no secret, but must come from a device of that person.
type Address struct {
	Server  string
	Network NetworkID
	User    UserID
}

const addressVersion = "device1"

// String returns the address as one link.
func (a Address) String() string {
	return a.Server + "/#" + strings.Join([]string{addressVersion, a.Network.String(), a.User.String()}, ".")
}

// ParseAddress reads what [Address.String] wrote, with white space around it
// forgiven.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(strings.TrimSpace(s))
	if err != nil {
		return Address{}, fmt.Errorf("address: %w", err)
	}
	return a, nil
}

func parseAddress(s string) (Address, error) {
	if len(s) > maxInvite {
		return Address{}, fmt.Errorf("longer than %d characters", maxInvite)
	}
	base, fragment, ok := strings.Cut(s, "#")
	if !ok {
		return Address{}, errors.New("it has no #, and with it all that follows is missing")
	}
	server, ok := strings.CutSuffix(base, "/")
	if !ok {
		return Address{}, errors.New("the server's address does not end in /")
	}
	if err := checkServer(server); err != nil {
		return Address{}, err
	}
	fields := strings.Split(fragment, ".")
	if fields[0] != addressVersion {
		return Address{}, errVersion
	}
	if len(fields) != 3 {
		return Address{}, errors.New("incomplete: parts are missing after the #")
	}
	network, err := ParseNetworkID(fields[1])
	if err != nil {
		return Address{}, err
	}
	user, err := ParseUserID(fields[2])
	if err != nil {
		return Address{}, err
	}
	return Address{Server: server, Network: network, User: user}, nil
}
