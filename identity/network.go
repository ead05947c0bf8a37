package identity

import (
	"errors"
	"fmt"
)

// NetworkSecrets is the signing key of a network, made by its server at first
// start. It vouches for policy and can never add a device to anyone.
type NetworkSecrets struct {
	secret
	pair pairSecret
	key  *NetworkKey
}

// NewNetworkSecrets makes the key of a new network.
func NewNetworkSecrets() *NetworkSecrets { return networkSecrets(newPairSecret()) }

// ParseNetworkSecrets reads what [NetworkSecrets.Marshal] wrote.
func ParseNetworkSecrets(data []byte) (*NetworkSecrets, error) {
	if len(data) != 1+pairSecretSize {
		return nil, errors.New("network secrets: wrong size")
	}
	if data[0] != version1 {
		return nil, fmt.Errorf("network secrets: %w", errVersion)
	}
	pair, err := parsePairSecret(data[1:])
	if err != nil {
		return nil, fmt.Errorf("network secrets: %w", err)
	}
	return networkSecrets(pair), nil
}

func networkSecrets(pair pairSecret) *NetworkSecrets {
	return &NetworkSecrets{pair: pair, key: networkKey(pair.public())}
}

// Marshal returns the private key in the clear, to be stored sealed.
func (s *NetworkSecrets) Marshal() []byte {
	return append([]byte{version1}, s.pair.marshal()...)
}

// Key is the public half.
func (s *NetworkSecrets) Key() *NetworkKey { return s.key }

// Sign signs content, both ways; the label says what for.
func (s *NetworkSecrets) Sign(label string, content []byte) ([]byte, error) {
	if err := checkLabel(label); err != nil {
		return nil, err
	}
	return s.pair.sign(labelApplication+label, s.key.id, content)
}

// NetworkKey is the public signing key of a network. Its hash is the network's
// id, which every invite pins, so a key from anywhere can be checked with
// [NetworkKey.ID].
type NetworkKey struct {
	pair pairKey
	id   NetworkID
}

// ParseNetworkKey reads what [NetworkKey.Marshal] wrote.
func ParseNetworkKey(data []byte) (*NetworkKey, error) {
	if len(data) == 0 {
		return nil, errors.New("network key: empty")
	}
	if data[0] != version1 {
		return nil, fmt.Errorf("network key: %w", errVersion)
	}
	pair, err := parsePairKey(append(pairKey(nil), data[1:]...))
	if err != nil {
		return nil, fmt.Errorf("network key: %w", err)
	}
	return networkKey(pair), nil
}

func networkKey(pair pairKey) *NetworkKey {
	k := &NetworkKey{pair: pair}
	k.id = NetworkID(labelledHash(labelNetwork, k.Marshal()))
	return k
}

// Marshal returns the key's one encoding.
func (k *NetworkKey) Marshal() []byte { return append([]byte{version1}, k.pair...) }

// ID is the id of the network.
func (k *NetworkKey) ID() NetworkID { return k.id }

// Verify checks a signature of [NetworkSecrets.Sign].
func (k *NetworkKey) Verify(label string, content, signature []byte) error {
	if err := checkLabel(label); err != nil {
		return err
	}
	return k.pair.verify(labelApplication+label, k.id, content, signature)
}
