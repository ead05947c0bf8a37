package native

import (
	"encoding/json"
	"errors"
	"fmt"

	"sconce/client"
)

// Place is what a program must know of a device's server before it can open the
// client: where it is, and who may sign its certificate. It is kept in the
// vault, because it says whom a person talks with.
type Place struct {
	Server string `json:"server"`
	CA     []byte `json:"ca,omitempty"` // PEM; see [DialOptions]
}

// placeKey is a record of the program's. The client's own begin with a letter in
// lower case.
var placeKey = []byte("N/place")

const placeVersion = 1

// SavePlace keeps a Place in a vault that no client owns yet.
func SavePlace(v *client.Vault, p Place) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := v.Apply([]client.Put{{Key: placeKey, Value: append([]byte{placeVersion}, b...)}}); err != nil {
		return fmt.Errorf("saving the server's address: %w", err)
	}
	return nil
}

// ErrNoPlace means that a vault says nothing of a server: no device was begun
// in it.
var ErrNoPlace = errors.New("there is no device in this store yet: begin with join, link or recover")

// LoadPlace reads what SavePlace kept.
func LoadPlace(v *client.Vault) (Place, error) {
	var p Place
	b, err := v.Get(placeKey)
	if err != nil {
		return p, err
	}
	if len(b) == 0 {
		return p, ErrNoPlace
	}
	if b[0] != placeVersion {
		return p, errors.New("this store was written by a later version of this program")
	}
	if err := json.Unmarshal(b[1:], &p); err != nil {
		return p, fmt.Errorf("reading the server's address: %w", err)
	}
	return p, nil
}

// HasVault reports whether there is a vault in a folder.
func HasVault(dir string) (bool, error) {
	err := requireVault(dir)
	if errors.Is(err, client.ErrNoVault) {
		return false, nil
	}
	return err == nil, err
}
