package bridge

import (
	"context"
	"errors"

	"sconce/client"
)

// enter makes a device in a new store, or goes on where making one was
// interrupted, and runs it.
func (h *Host) enter(ctx context.Context, keys []client.VaultKey, passphrase Secret, server string,
	begin func(context.Context, client.Config) (*client.Client, error)) (client.Me, error) {
	if err := h.takeTurn(ctx); err != nil {
		return client.Me{}, err
	}
	defer h.endTurn()
	if _, locked := h.running(); locked == nil {
		return client.Me{}, client.ErrTaken
	}
	if _, err := h.state(); err != nil {
		return client.Me{}, err
	}
	h.tellState()
	ctx, done := h.entering(ctx)
	defer done()
	v, err := h.vault(keys, passphrase)
	if err != nil {
		return client.Me{}, err
	}
	t, err := h.platform.Dial(v, server)
	if err != nil {
		return client.Me{}, errors.Join(err, h.abandon(v))
	}
	cfg := h.config
	cfg.Vault, cfg.Transport = v, t
	c, err := begin(ctx, cfg)
	if err != nil {
		closeTransport(t)
		return client.Me{}, first(err, h.abandon(v))
	}
	h.start(c, func() { closeTransport(t) }, nil)
	return c.Me(), nil
}

// vault makes a vault that the keys open, or opens with one of them the one that
// an interrupted attempt left.
func (h *Host) vault(keys []client.VaultKey, passphrase Secret) (*client.Vault, error) {
	_, err := h.platform.Hint()
	switch {
	case errors.Is(err, client.ErrNoVault):
		return h.platform.Create(keys)
	case err != nil:
		return nil, err
	}
	if passphrase != "" {
		keys = h.passphraseKeys(passphrase)
	}
	return h.openVault(keys)
}

// spellings gives the bytes that a passphrase may stand for, those to seal with
// first. What can be typed in more than one way, the platform knows.
func (h *Host) spellings(passphrase Secret) [][]byte {
	if p, ok := h.platform.(Speller); ok {
		return p.Spellings([]byte(passphrase))
	}
	return [][]byte{[]byte(passphrase)}
}

func (h *Host) passphraseKeys(passphrase Secret) (keys []client.VaultKey) {
	for _, s := range h.spellings(passphrase) {
		keys = append(keys, client.PassphraseKey(s))
	}
	return keys
}

// openVault opens the vault with the first of the keys that does.
func (h *Host) openVault(keys []client.VaultKey) (v *client.Vault, err error) {
	for _, k := range keys {
		if v, err = h.platform.Open(k); !errors.Is(err, client.ErrPassphrase) {
			return v, err
		}
	}
	return v, err
}

// abandon closes the vault of a device that did not come to be. Nothing is left
// of it, unless the server may know it already: then the same call goes on.
func (h *Host) abandon(v *client.Vault) error {
	begun, err := client.Begun(v)
	if err := errors.Join(err, v.Close()); err != nil {
		return err
	}
	if !begun {
		err = h.platform.Wipe()
	}
	h.mu.Lock()
	h.unfinished = begun
	h.mu.Unlock()
	h.tellState()
	return err
}

// unlock opens the client that is stored here, and runs it.
func (h *Host) unlock(ctx context.Context, keys []client.VaultKey) (client.Me, error) {
	if err := h.takeTurn(ctx); err != nil {
		return client.Me{}, err
	}
	defer h.endTurn()
	if r, locked := h.running(); locked == nil {
		if err := r.check(keys); err != nil {
			return client.Me{}, err
		}
		return r.client.Me(), nil
	}
	v, err := h.openVault(keys)
	if errors.Is(err, client.ErrNoVault) {
		return client.Me{}, Errorf(Locked, "nothing is stored here yet: join, link or recover")
	}
	if err != nil {
		return client.Me{}, err
	}
	c, t, err := h.open(v, false)
	var full error
	if errors.Is(err, client.ErrFull) { // it can be read all the same
		full = err
		_ = v.Close()
		if v, err = h.openVault(keys); err != nil {
			return client.Me{}, err
		}
		c, t, err = h.open(v, true)
	}
	if err != nil {
		h.mu.Lock()
		h.unfinished = errors.Is(err, client.ErrUnfinished) || errors.Is(err, client.ErrNoDevice)
		h.mu.Unlock()
		err = first(err, v.Close())
		h.tellState()
		return client.Me{}, err
	}
	h.start(c, func() { closeTransport(t) }, full)
	return c.Me(), nil
}

// open makes the client of a vault, which may be full. After an error the vault is
// the caller's.
func (h *Host) open(v *client.Vault, full bool) (*client.Client, client.Transport, error) {
	if begun, err := client.Begun(v); err != nil || !begun {
		return nil, nil, first(err, client.ErrNoDevice)
	}
	t, err := h.platform.Dial(v, "")
	if err != nil {
		return nil, nil, err
	}
	cfg := h.config
	cfg.Vault, cfg.Transport, cfg.Full = v, t, full
	c, err := client.Open(cfg)
	if err != nil {
		closeTransport(t)
		return nil, nil, err
	}
	return c, t, nil
}

// forget takes away what is stored here.
func (h *Host) forget(ctx context.Context, passphrase Secret) error {
	if err := h.takeTurn(ctx); err != nil {
		return err
	}
	defer h.endTurn()
	if passphrase != "" {
		if err := h.check(h.passphraseKeys(passphrase)); err != nil {
			return err
		}
	}
	if err := h.shut(); err != nil {
		h.log.Info("closing what is forgotten", "err", err)
	}
	err := h.platform.Wipe()
	h.mu.Lock()
	h.unfinished = false
	h.mu.Unlock()
	h.tellState()
	return err
}

// check reports that none of the keys opens what is stored here.
func (h *Host) check(keys []client.VaultKey) error {
	if r, locked := h.running(); locked == nil {
		return r.check(keys)
	}
	v, err := h.openVault(keys)
	if errors.Is(err, client.ErrRolledBack) {
		return nil // it is the key, and what it opens is damaged: a reason to forget it
	}
	if err != nil {
		return err
	}
	return v.Close()
}

func (r *running) check(keys []client.VaultKey) (err error) {
	for _, k := range keys {
		if err = r.client.CheckKey(k); !errors.Is(err, client.ErrPassphrase) {
			return err
		}
	}
	return err
}

// first gives the error that matters: the one that came first.
func first(err, then error) error {
	if err != nil {
		return err
	}
	return then
}

func closeTransport(t client.Transport) {
	if c, ok := t.(interface{ Close() }); ok {
		c.Close()
	}
}
