package bridge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sconce/client"
	"sconce/identity"
)

// Secret is text that must not be printed: a passphrase, or what opens a store.
// In JSON it is the text itself.
type Secret string

func (Secret) String() string             { return "[secret]" }
func (Secret) GoString() string           { return "[secret]" }
func (Secret) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[secret]")) }
func (Secret) LogValue() slog.Value       { return slog.StringValue("[secret]") }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode[T ~string](what string, s T) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(string(s), "="))
	if err != nil {
		return nil, Errorf(Params, "%s is not base64url", what)
	}
	return b, nil
}

// State tells how the door stands: whether anything is stored here, and how it
// is opened.
var State = HostMethod[None, client.DoorView]{"state", func(ctx context.Context, h *Host, _ None) (client.DoorView, error) {
	return h.currentState(ctx)
}}

// InviteParams is what [Invite] takes.
type InviteParams struct {
	Code string `json:"code"` // the link that was sent
}

// InviteView is what an invite says.
type InviteView struct {
	Valid   bool   `json:"valid"`
	Server  string `json:"server,omitempty"`
	Network string `json:"network,omitempty"`
	Problem string `json:"problem,omitempty"` // why it is not valid
}

// Invite reads an invite without telling anybody, so that a screen can greet.
// Whether it was used already only joining shows.
var Invite = HostMethod[InviteParams, InviteView]{"invite", func(_ context.Context, _ *Host, p InviteParams) (InviteView, error) {
	i, err := identity.ParseInvite(p.Code)
	if err != nil {
		return InviteView{Problem: err.Error()}, nil
	}
	return InviteView{Valid: true, Server: i.Server, Network: i.Network.String()}, nil
}}

// PasskeySecret is what an authenticator gave for a passkey.
type PasskeySecret struct {
	Credential string `json:"credential,omitempty"` // base64url; not needed to unlock
	Salt       string `json:"salt,omitempty"`       // that it was asked with, base64url of 32 bytes; not needed to unlock
	Secret     Secret `json:"secret"`               // of the PRF extension, base64url of 32 bytes
}

// Format prints no part of it.
func (PasskeySecret) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[secret]")) }

func (p *PasskeySecret) key() (client.VaultKey, error) {
	credential, err := decode("credential", p.Credential)
	if err != nil {
		return client.VaultKey{}, err
	}
	salt, err := decode("salt", p.Salt)
	if err != nil {
		return client.VaultKey{}, err
	}
	secret, err := decode("secret", p.Secret)
	if err != nil {
		return client.VaultKey{}, err
	}
	return client.PasskeyKey(client.PasskeyHint{Credential: credential, Salt: salt}, secret), nil
}

// vaultKeys gives what a new store is opened with from now on, one key of a kind.
func (h *Host) vaultKeys(passphrase Secret, passkey *PasskeySecret) ([]client.VaultKey, error) {
	var keys []client.VaultKey
	if passphrase != "" {
		keys = append(keys, h.passphraseKeys(passphrase)[0])
	}
	if passkey != nil {
		k, err := passkey.key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, Errorf(Params, "what is to open this device: a passphrase, a passkey, or both?")
	}
	return keys, nil
}

// JoinParams is what [Join] takes. What opens the device later is a passphrase,
// a passkey, or either of both.
type JoinParams struct {
	Invite     string         `json:"invite"`
	Name       string         `json:"name"`       // what others see
	DeviceName string         `json:"deviceName"` // what this person calls the device
	Passphrase Secret         `json:"passphrase,omitempty"`
	Passkey    *PasskeySecret `json:"passkey,omitempty"`
}

// JoinResult is what [Join] gives.
type JoinResult struct {
	Me       client.Me `json:"me"`
	Recovery Secret    `json:"recovery"` // to be shown once: nothing keeps it
}

// Join makes a new person with this as their first device. Where it was
// interrupted, the same call with the same invite finishes it.
var Join = HostMethod[JoinParams, JoinResult]{"join", func(ctx context.Context, h *Host, p JoinParams) (JoinResult, error) {
	invite, err := identity.ParseInvite(p.Invite)
	if err != nil {
		return JoinResult{}, Errorf(Params, "%v", err)
	}
	keys, err := h.vaultKeys(p.Passphrase, p.Passkey)
	if err != nil {
		return JoinResult{}, err
	}
	var result JoinResult
	result.Me, err = h.enter(ctx, keys, p.Passphrase, invite.Server, func(ctx context.Context, cfg client.Config) (*client.Client, error) {
		c, recovery, err := client.Join(ctx, cfg, invite, p.Name, p.DeviceName)
		if err == nil {
			result.Recovery = Secret(recovery.Reveal())
		}
		return c, err
	})
	return result, err
}}

// LinkParams is what [Link] takes.
type LinkParams struct {
	Address    string         `json:"address"` // Me.address on a device that is in already
	DeviceName string         `json:"deviceName"`
	Passphrase Secret         `json:"passphrase,omitempty"`
	Passkey    *PasskeySecret `json:"passkey,omitempty"`
}

// EnterResult is what [Link], [Recover] and [Unlock] give.
type EnterResult struct {
	Me client.Me `json:"me"`
}

// linkTime is how long the server keeps a new device's offer.
const linkTime = 10 * time.Minute

// Link makes this a further device of a person. While it waits, an event link
// tells the code to show, which a device that is in already approves.
var Link = HostMethod[LinkParams, EnterResult]{"link", func(ctx context.Context, h *Host, p LinkParams) (EnterResult, error) {
	address, err := identity.ParseAddress(strings.TrimSpace(p.Address))
	if err != nil {
		return EnterResult{}, Errorf(Params, "%v", err)
	}
	keys, err := h.vaultKeys(p.Passphrase, p.Passkey)
	if err != nil {
		return EnterResult{}, err
	}
	me, err := h.enter(ctx, keys, p.Passphrase, address.Server, func(ctx context.Context, cfg client.Config) (*client.Client, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, linkTime, errNobodyApproved)
		defer cancel()
		c, err := client.Link(ctx, cfg, address, p.DeviceName, func(code identity.LinkCode) {
			h.events.send(client.Event{Link: &client.LinkEvent{Code: code.String(), Expires: int(time.Now().Add(linkTime).UnixMilli())}})
		})
		if err != nil && errors.Is(context.Cause(ctx), errNobodyApproved) {
			err = Errorf(Failed, "%v", errNobodyApproved)
		}
		return c, err
	})
	return EnterResult{me}, err
}}

var errNobodyApproved = errors.New("nobody approved this device in ten minutes: ask again for a new code")

// RecoverParams is what [Recover] takes.
type RecoverParams struct {
	Recovery   Secret         `json:"recovery"` // the recovery key
	Address    string         `json:"address"`  // of any device one had, or an invite of the network, or https://SERVER/#NETWORK
	DeviceName string         `json:"deviceName"`
	Passphrase Secret         `json:"passphrase,omitempty"`
	Passkey    *PasskeySecret `json:"passkey,omitempty"`
}

// Recover makes this the one device of a person who has lost theirs. All that
// they had are shut out; rooms and memberships stay.
var Recover = HostMethod[RecoverParams, EnterResult]{"recover", func(ctx context.Context, h *Host, p RecoverParams) (EnterResult, error) {
	server, network, err := ParsePlace(p.Address)
	if err != nil {
		return EnterResult{}, Errorf(Params, "%v", err)
	}
	recovery, err := identity.ParseRecoveryKey(string(p.Recovery))
	if err != nil {
		return EnterResult{}, err
	}
	keys, err := h.vaultKeys(p.Passphrase, p.Passkey)
	if err != nil {
		return EnterResult{}, err
	}
	me, err := h.enter(ctx, keys, p.Passphrase, server, func(ctx context.Context, cfg client.Config) (*client.Client, error) {
		return client.Recover(ctx, cfg, server, network, recovery, p.DeviceName)
	})
	return EnterResult{me}, err
}}

// ParsePlace reads where a network is from whatever a person kept of it: the
// address of a device, an invite, or https://SERVER/#NETWORK.
func ParsePlace(s string) (server string, network identity.NetworkID, err error) {
	s = strings.TrimSpace(s)
	if at, err := identity.ParseAddress(s); err == nil {
		return at.Server, at.Network, nil
	}
	if invite, err := identity.ParseInvite(s); err == nil {
		return invite.Server, invite.Network, nil
	}
	server, id, ok := strings.Cut(s, "/#")
	if !ok {
		return "", network, errors.New("the address is not complete: it needs the network after /#, as in https://chat.example.org/#NETWORK")
	}
	if network, err = identity.ParseNetworkID(id); err != nil {
		return "", network, errors.New("what follows the # is not the id of a network")
	}
	// The rules for a server's address are ParseAddress's.
	whole := identity.Address{Server: server, Network: network}
	if _, err := identity.ParseAddress(whole.String()); err != nil {
		return "", network, err
	}
	return server, network, nil
}

// Cancel ends a join, link or recover under way. What it saved stays, and the
// same call goes on with it.
var Cancel = HostMethod[None, None]{"cancel", func(_ context.Context, h *Host, _ None) (None, error) {
	h.cancelEntering()
	return None{}, nil
}}

// UnlockParams is what [Unlock] takes: one of these.
type UnlockParams struct {
	Passphrase Secret         `json:"passphrase,omitempty"`
	Passkey    *PasskeySecret `json:"passkey,omitempty"`
	Token      Secret         `json:"token,omitempty"` // of handover
}

func (h *Host) unlockKeys(p UnlockParams) ([]client.VaultKey, error) {
	switch {
	case p.Passphrase != "" && p.Passkey == nil && p.Token == "":
		return h.passphraseKeys(p.Passphrase), nil
	case p.Passkey != nil && p.Passphrase == "" && p.Token == "":
		key, err := p.Passkey.key()
		return []client.VaultKey{key}, err
	case p.Token != "" && p.Passphrase == "" && p.Passkey == nil:
		token, err := decode("token", p.Token)
		return []client.VaultKey{client.HandoverKey(token)}, err
	}
	return nil, Errorf(Params, "give a passphrase, a passkey or a token, and one of them")
}

// Unlock opens the client that is stored here, and runs it. Where it is open
// already, the call succeeds if the key would have opened it.
var Unlock = HostMethod[UnlockParams, EnterResult]{"unlock", func(ctx context.Context, h *Host, p UnlockParams) (EnterResult, error) {
	keys, err := h.unlockKeys(p)
	if err != nil {
		return EnterResult{}, err
	}
	me, err := h.unlock(ctx, keys)
	return EnterResult{me}, err
}}

// Lock closes the client, and forgets what opened it.
var Lock = HostMethod[None, None]{"lock", func(ctx context.Context, h *Host, _ None) (None, error) {
	h.cancelEntering()
	if err := h.takeTurn(ctx); err != nil {
		return None{}, err
	}
	defer h.endTurn()
	err := h.shut()
	h.tellState()
	return None{}, err
}}

// ForgetParams is what [Forget] takes.
type ForgetParams struct {
	Passphrase Secret `json:"passphrase,omitempty"` // when given, it must be the one
}

// Forget takes away all that is stored of this device here: it can't be brought
// back. The person's other devices, and the list of them, do not change.
var Forget = HostMethod[ForgetParams, None]{"forget", func(ctx context.Context, h *Host, p ForgetParams) (None, error) {
	h.cancelEntering()
	return None{}, h.forget(ctx, p.Passphrase)
}}

// PasskeyParams is what [Passkey] takes: one of these.
type PasskeyParams struct {
	Add    *PasskeySecret `json:"add,omitempty"`
	Remove bool           `json:"remove,omitempty"`
}

// Passkey makes a passkey open this device from now on, in the place of the one
// that did, or none any more.
var Passkey = HostMethod[PasskeyParams, None]{"passkey", func(ctx context.Context, h *Host, p PasskeyParams) (None, error) {
	if (p.Add != nil) == p.Remove {
		return None{}, Errorf(Params, "add a passkey, or remove it")
	}
	return None{}, h.change(ctx, func(c *client.Client) error {
		if p.Remove {
			return c.DropPasskey()
		}
		key, err := p.Add.key()
		if err != nil {
			return err
		}
		return c.SetPasskey(key)
	})
}}

// change changes what opens this device, and tells everybody.
func (h *Host) change(ctx context.Context, fn func(*client.Client) error) error {
	if err := h.takeTurn(ctx); err != nil {
		return err
	}
	defer h.endTurn()
	r, locked := h.running()
	if locked != nil {
		return locked
	}
	if err := fn(r.client); err != nil {
		return err
	}
	h.tellState()
	return nil
}

// ChangePassphraseParams is what [ChangePassphrase] takes.
type ChangePassphraseParams struct {
	Old Secret `json:"old,omitempty"` // absent where only a passkey opens this device
	New Secret `json:"new"`
}

// ChangePassphrase changes the passphrase of this device, or gives it one.
var ChangePassphrase = HostMethod[ChangePassphraseParams, None]{"changePassphrase", func(ctx context.Context, h *Host, p ChangePassphraseParams) (None, error) {
	if p.New == "" {
		return None{}, Errorf(Params, "the new passphrase is empty")
	}
	return None{}, h.change(ctx, func(c *client.Client) error {
		next := h.spellings(p.New)[0]
		var err error
		for _, old := range h.spellings(p.Old) {
			if err = c.ChangePassphrase(old, next, client.PassphraseCost{}); !errors.Is(err, client.ErrPassphrase) {
				break
			}
		}
		return err
	})
}}

// HandoverResult is what [Handover] gives.
type HandoverResult struct {
	Token Secret `json:"token"` // for unlock; to be kept in memory alone
}

// Handover gives what opens this device again without asking its person, for a
// tab that takes over from this one. Whoever locks drops it everywhere.
var Handover = HostMethod[None, HandoverResult]{"handover", func(_ context.Context, h *Host, _ None) (HandoverResult, error) {
	r, locked := h.running()
	if locked != nil {
		return HandoverResult{}, locked
	}
	token, err := r.client.Handover()
	if err != nil {
		return HandoverResult{}, err
	}
	defer clear(token)
	return HandoverResult{Token: Secret(encode(token))}, nil
}}
