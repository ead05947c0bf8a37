package client

import "errors"

// The ways into the vault of a client that is open. The vault is the client's
// alone, so they go through it.

// VaultHint says which ways lead into the client's vault.
func (c *Client) VaultHint() (VaultHint, error) {
	if err := c.lock(); err != nil {
		return VaultHint{}, err
	}
	defer c.mu.Unlock()
	return c.vault.Hint()
}

// CheckKey reports, as an error that is [ErrPassphrase], that a key does not
// open the client's vault.
func (c *Client) CheckKey(k VaultKey) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	return c.vault.Check(k)
}

// ChangePassphrase is [Vault.ChangePassphrase].
func (c *Client) ChangePassphrase(current, next []byte, cost PassphraseCost) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	return c.vault.ChangePassphrase(current, next, cost)
}

// SetPasskey is [Vault.SetPasskey].
func (c *Client) SetPasskey(k VaultKey) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	return c.vault.SetPasskey(k)
}

// DropPasskey is [Vault.DropPasskey].
func (c *Client) DropPasskey() error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	return c.vault.DropPasskey()
}

// Handover is [Vault.Handover], until the client is closed.
func (c *Client) Handover() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.broken, errClosed) {
		return nil, errClosed
	}
	return c.vault.Handover()
}
