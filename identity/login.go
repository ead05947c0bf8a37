package identity

import "fmt"

// The size of a login challenge, in bytes. The server draws it at random, uses it
// once, and lets it expire; shorter ones could be collected and repeated.
const (
	MinChallenge = 16
	MaxChallenge = 256
)

// SignLogin proves to a network's server that the device holds its login key.
// The signature also names the device's whole declaration of keys.
func SignLogin(s *DeviceSecrets, network NetworkID, challenge []byte) ([]byte, error) {
	if err := checkChallenge(challenge); err != nil {
		return nil, err
	}
	return signEC(s.login, loginMessage(s.keys, network, challenge))
}

// VerifyLogin checks a signature of [SignLogin]. The keys must be those of a
// device that is active now, which is for the caller to know.
func VerifyLogin(k *DeviceKeys, network NetworkID, challenge, signature []byte) error {
	if err := checkChallenge(challenge); err != nil {
		return err
	}
	if err := verifyEC(k.login, loginMessage(k, network, challenge), signature); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	return nil
}

// loginMessage needs no lengths inside: only the challenge, at the end, varies.
func loginMessage(k *DeviceKeys, network NetworkID, challenge []byte) []byte {
	return labelled(labelLogin, network[:], k.id[:], challenge)
}

func checkChallenge(challenge []byte) error {
	if len(challenge) < MinChallenge || len(challenge) > MaxChallenge {
		return fmt.Errorf("login challenge of %d bytes, not %d to %d", len(challenge), MinChallenge, MaxChallenge)
	}
	return nil
}
