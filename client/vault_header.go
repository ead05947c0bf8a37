package client

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// VaultKey is one way into a vault: what a person knows, what their
// authenticator gives, or what an open vault hands over. It prints as a secret.
type VaultKey struct {
	kind    byte
	secret  []byte
	passkey PasskeyHint // with kindPasskey, where a vault is to remember it
}

func (VaultKey) String() string             { return redacted }
func (VaultKey) GoString() string           { return redacted }
func (VaultKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }
func (VaultKey) LogValue() slog.Value       { return slog.StringValue(redacted) }

// PassphraseKey is a passphrase. Text typed by a person should be brought to
// Unicode NFC first.
func PassphraseKey(passphrase []byte) VaultKey {
	return VaultKey{kind: kindPassphrase, secret: passphrase}
}

// PasskeyKey is what the PRF extension of a passkey gave for the salt of hint.
// To open a vault the hint may be left zero: the vault has it.
func PasskeyKey(hint PasskeyHint, secret []byte) VaultKey {
	return VaultKey{kind: kindPasskey, secret: secret, passkey: hint}
}

// HandoverKey is what [Vault.Handover] of the same vault gave.
func HandoverKey(token []byte) VaultKey { return VaultKey{kind: kindHandover, secret: token} }

// PasskeyHint is what an authenticator must be asked with. It is no secret.
type PasskeyHint struct {
	Credential []byte // its id, 1 to 1,023 bytes (WebAuthn Level 3, Section 4)
	Salt       []byte // for the PRF extension, 32 bytes
}

func (h PasskeyHint) check() error {
	if len(h.Credential) < 1 || len(h.Credential) > maxCredential || len(h.Salt) != passkeySaltSize {
		return fmt.Errorf("a passkey with a credential of %d bytes and a salt of %d: want 1 to %d, and %d",
			len(h.Credential), len(h.Salt), maxCredential, passkeySaltSize)
	}
	return nil
}

// VaultHint says which ways lead into a vault.
type VaultHint struct {
	Passphrase bool
	Passkey    *PasskeyHint // nil: none does
}

// ReadVaultHint reads from a Store how its vault is opened. It needs no secret,
// and what it gives is not authenticated before the vault opens.
func ReadVaultHint(store Store) (VaultHint, error) {
	raw, err := store.Get(keyHeader)
	if err != nil {
		return VaultHint{}, fmt.Errorf("reading the vault's header: %w", err)
	}
	if raw == nil {
		return VaultHint{}, ErrNoVault
	}
	h, err := parseHeader(raw)
	if err != nil {
		return VaultHint{}, err
	}
	return h.hint(), nil
}

// PassphraseCost is what one guess at the passphrase costs, as the parameters of
// Argon2id (RFC 9106). The zero value means 3 passes over 64 MiB in 2 lanes.
type PassphraseCost struct {
	Passes    uint32
	MemoryKiB uint32
	Lanes     uint8
}

var defaultCost = PassphraseCost{Passes: 3, MemoryKiB: 64 << 10, Lanes: 2}

// The highest cost that a header may demand. Whoever can write the store can
// make it unreadable, but should not be able to take the machine with it.
var maxCost = PassphraseCost{Passes: 16, MemoryKiB: 1 << 20, Lanes: 16}

func (c PassphraseCost) check() error {
	switch {
	case c.Passes < 1 || c.Passes > maxCost.Passes:
		return fmt.Errorf("argon2id with %d passes: want 1 to %d", c.Passes, maxCost.Passes)
	case c.Lanes < 1 || c.Lanes > maxCost.Lanes:
		return fmt.Errorf("argon2id with %d lanes: want 1 to %d", c.Lanes, maxCost.Lanes)
	case c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > maxCost.MemoryKiB:
		return fmt.Errorf("argon2id with %d KiB: want %d to %d", c.MemoryKiB, 8*c.Lanes, maxCost.MemoryKiB)
	}
	return nil
}

// A header record wraps the master key once for each way into the vault:
//
//	version 2 (1) ‖ ways (1) ‖ kind (1) ‖ length (2) ‖ way … ‖ HMAC-SHA-256 of these (32)
//
// where a way is one of
//
//	passphrase   passes (4) ‖ KiB (4) ‖ lanes (1) ‖ salt (16)  ‖ nonce (24) ‖ sealed master key (48)
//	passkey      salt (32) ‖ credential (1 to 1,023)           ‖ nonce (24) ‖ sealed master key (48)
//
// What stands before the nonce is authenticated with the seal, and all of it,
// once the master key is there, by the HMAC. Version 1 had one passphrase and
// nothing else:
//
//	version 1 (1) ‖ passes (4) ‖ KiB (4) ‖ lanes (1) ‖ salt (16) ‖ nonce (24) ‖ sealed master key (48)
const (
	headerVersion  = 2
	headerVersion1 = 1

	kindPassphrase = 1 // see way.context
	kindPasskey    = 2
	kindHandover   = 3 // never stored

	saltSize        = 16
	passkeySaltSize = 32
	maxCredential   = 1023
	passphraseSize  = 4 + 4 + 1 + saltSize
	wrappedSize     = chacha20poly1305.NonceSizeX + len(masterKey{}) + chacha20poly1305.Overhead
	passkeySecret   = 32 // bytes, of the PRF extension
)

// deriveFunc is Argon2id, here or in a place of the platform's.
type deriveFunc = func(passphrase, salt []byte, cost PassphraseCost) ([]byte, error)

func argon2id(passphrase, salt []byte, cost PassphraseCost) ([]byte, error) {
	return argon2.IDKey(passphrase, salt, cost.Passes, cost.MemoryKiB, cost.Lanes, chacha20poly1305.KeySize), nil
}

// header is a header record, taken apart.
type header struct {
	version byte
	ways    []way // at most one of each kind
	raw     []byte
}

// way is the master key, wrapped.
type way struct {
	kind    byte
	head    []byte // what it takes to find the wrapping key, but for the secret
	wrapped []byte // nonce ‖ sealed master key
}

func (w *way) cost() PassphraseCost {
	return PassphraseCost{Passes: binary.BigEndian.Uint32(w.head), MemoryKiB: binary.BigEndian.Uint32(w.head[4:]), Lanes: w.head[8]}
}

func (h *header) find(kind byte) *way {
	for i := range h.ways {
		if h.ways[i].kind == kind {
			return &h.ways[i]
		}
	}
	return nil
}

func (h *header) hint() VaultHint {
	v := VaultHint{Passphrase: h.find(kindPassphrase) != nil}
	if w := h.find(kindPasskey); w != nil {
		v.Passkey = &PasskeyHint{Salt: slices.Clone(w.head[:passkeySaltSize]), Credential: slices.Clone(w.head[passkeySaltSize:])}
	}
	return v
}

// set adds a way, or puts it in the place of the one of its kind.
func (h *header) set(w way) {
	if old := h.find(w.kind); old != nil {
		*old = w
		return
	}
	h.ways = append(h.ways, w)
	slices.SortFunc(h.ways, func(a, b way) int { return int(a.kind) - int(b.kind) })
}

// marshal gives the record, always of the present version.
func (h *header) marshal(m *masterKey) ([]byte, error) {
	b := []byte{headerVersion, byte(len(h.ways))}
	for _, w := range h.ways {
		b = append(b, w.kind)
		b = binary.BigEndian.AppendUint16(b, uint16(len(w.head)+len(w.wrapped)))
		b = append(append(b, w.head...), w.wrapped...)
	}
	sum, err := headerSum(m, b)
	return append(b, sum...), err
}

func headerSum(m *masterKey, b []byte) ([]byte, error) {
	k, err := m.derive("header")
	if err != nil {
		return nil, err
	}
	defer clear(k)
	mac := hmac.New(sha256.New, k)
	mac.Write(b)
	return mac.Sum(nil), nil
}

func damagedHeader(format string, args ...any) error {
	return &DamageError{Key: keyHeader, Reason: fmt.Sprintf(format, args...)}
}

// parseHeader checks all of a header that can be checked without a secret.
func parseHeader(b []byte) (*header, error) {
	switch {
	case len(b) > 0 && b[0] == headerVersion1:
		return parseHeader1(b)
	case len(b) < 2+sha256.Size || b[0] != headerVersion:
		return nil, damagedHeader("unknown version of the header")
	}
	h := &header{version: headerVersion, raw: b}
	rest := b[2 : len(b)-sha256.Size]
	for range b[1] {
		if len(rest) < 3 || len(rest)-3 < int(binary.BigEndian.Uint16(rest[1:])) {
			return nil, damagedHeader("header cut short")
		}
		kind, n := rest[0], int(binary.BigEndian.Uint16(rest[1:]))
		body := rest[3 : 3+n]
		rest = rest[3+n:]
		if n <= wrappedSize || h.find(kind) != nil {
			return nil, damagedHeader("a way into the vault of kind %d and %d bytes", kind, n)
		}
		w := way{kind: kind, head: body[:n-wrappedSize], wrapped: body[n-wrappedSize:]}
		if err := w.check(); err != nil {
			return nil, err
		}
		h.ways = append(h.ways, w)
	}
	if len(rest) != 0 || len(h.ways) == 0 {
		return nil, damagedHeader("header with %d ways and %d bytes more", len(h.ways), len(rest))
	}
	return h, nil
}

func parseHeader1(b []byte) (*header, error) {
	if len(b) != 1+passphraseSize+wrappedSize {
		return nil, damagedHeader("header of %d bytes, want %d", len(b), 1+passphraseSize+wrappedSize)
	}
	w := way{kind: kindPassphrase, head: b[1 : 1+passphraseSize], wrapped: b[1+passphraseSize:]}
	return &header{version: headerVersion1, ways: []way{w}, raw: b}, w.check()
}

func (w *way) check() error {
	switch w.kind {
	case kindPassphrase:
		if len(w.head) != passphraseSize {
			return damagedHeader("passphrase parameters of %d bytes", len(w.head))
		}
		if err := w.cost().check(); err != nil {
			return damagedHeader("%v", err)
		}
		return nil
	case kindPasskey:
		hint := PasskeyHint{Credential: w.head[min(passkeySaltSize, len(w.head)):], Salt: w.head[:min(passkeySaltSize, len(w.head))]}
		if err := hint.check(); err != nil {
			return damagedHeader("%v", err)
		}
		return nil
	}
	return damagedHeader("unknown way into the vault: %d", w.kind)
}

// newHeader wraps a new vault's master key under each of the keys.
func newHeader(m *masterKey, keys []VaultKey, cost PassphraseCost, derive deriveFunc) ([]byte, error) {
	h := &header{version: headerVersion}
	for _, k := range keys {
		if h.find(k.kind) != nil {
			return nil, errors.New("two keys of one kind for a vault")
		}
		w, err := wrap(m, k, cost, derive)
		if err != nil {
			return nil, err
		}
		h.set(w)
	}
	if len(h.ways) == 0 {
		return nil, errors.New("a vault needs a key")
	}
	return h.marshal(m)
}

// wrap makes a way that leads to the master key by a key.
func wrap(m *masterKey, k VaultKey, cost PassphraseCost, derive deriveFunc) (way, error) {
	w := way{kind: k.kind}
	switch k.kind {
	case kindPassphrase:
		if len(k.secret) == 0 {
			return way{}, errors.New("empty passphrase")
		}
		if cost == (PassphraseCost{}) {
			cost = defaultCost
		}
		if err := cost.check(); err != nil {
			return way{}, err
		}
		w.head = binary.BigEndian.AppendUint32(w.head, cost.Passes)
		w.head = binary.BigEndian.AppendUint32(w.head, cost.MemoryKiB)
		w.head = append(w.head, cost.Lanes)
		w.head = append(w.head, randomBytes(saltSize)...)
	case kindPasskey:
		if err := k.passkey.check(); err != nil {
			return way{}, err
		}
		w.head = slices.Concat(k.passkey.Salt, k.passkey.Credential)
	default:
		return way{}, errors.New("this key opens a vault that is there, and can't be kept in one")
	}
	aead, err := w.seal(k, derive)
	if err != nil {
		return way{}, err
	}
	nonce := randomBytes(chacha20poly1305.NonceSizeX)
	w.wrapped = aead.Seal(nonce, nonce, m[:], w.context())
	return w, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand since Go 1.24)
	return b
}

// context is what is authenticated with the wrapped master key. That of a
// passphrase is what version 1 of the header had, so that its way can move into
// a later one without being made anew.
func (w *way) context() []byte { return append([]byte{w.kind}, w.head...) }

func (w *way) seal(k VaultKey, derive deriveFunc) (cipher.AEAD, error) {
	var key []byte
	var err error
	switch k.kind {
	case kindPassphrase:
		key, err = derive(k.secret, w.head[passphraseSize-saltSize:], w.cost())
	case kindPasskey:
		if len(k.secret) != passkeySecret {
			return nil, fmt.Errorf("a passkey's secret of %d bytes: want %d", len(k.secret), passkeySecret)
		}
		key, err = hkdf.Key(sha256.New, k.secret, w.head[:passkeySaltSize], "sconce vault 2: passkey", chacha20poly1305.KeySize)
	}
	if err != nil {
		return nil, fmt.Errorf("deriving the vault's key: %w", err)
	}
	defer clear(key)
	return chacha20poly1305.NewX(key)
}

// unwrap finds the master key. A header that was altered looks like a wrong
// secret; one that no version of the vault wrote is a DamageError.
func (h *header) unwrap(k VaultKey, derive deriveFunc) (*masterKey, error) {
	m, err := h.open(k, derive)
	if err != nil || h.version == headerVersion1 {
		return m, err
	}
	body := len(h.raw) - sha256.Size
	sum, err := headerSum(m, h.raw[:body])
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(sum, h.raw[body:]) {
		if k.kind == kindHandover {
			return nil, ErrPassphrase // of another vault
		}
		return nil, damagedHeader("the header was altered")
	}
	return m, nil
}

func (h *header) open(k VaultKey, derive deriveFunc) (*masterKey, error) {
	if k.kind == kindHandover {
		if len(k.secret) != len(masterKey{}) {
			return nil, ErrPassphrase
		}
		return (*masterKey)(slices.Clone(k.secret)), nil
	}
	w := h.find(k.kind)
	if w == nil || len(k.secret) == 0 {
		return nil, ErrPassphrase
	}
	aead, err := w.seal(k, derive)
	if err != nil {
		return nil, err
	}
	nonce, sealed := w.wrapped[:chacha20poly1305.NonceSizeX], w.wrapped[chacha20poly1305.NonceSizeX:]
	opened, err := aead.Open(nil, nonce, sealed, w.context())
	if err != nil {
		return nil, ErrPassphrase
	}
	defer clear(opened)
	return (*masterKey)(slices.Clone(opened)), nil
}

// Handover gives what opens this vault again without asking its person, for a
// program that takes over from this one: [HandoverKey]. It is the vault's own
// key, so it belongs in memory alone. It works after [ErrReopen] too.
func (v *Vault) Handover() ([]byte, error) {
	if err := v.ready(); err != nil && !errors.Is(err, ErrReopen) {
		return nil, err
	}
	return slices.Clone(v.master[:]), nil
}

// Hint says which ways lead into the vault.
func (v *Vault) Hint() (VaultHint, error) {
	if err := v.ready(); err != nil {
		return VaultHint{}, err
	}
	return ReadVaultHint(v.store)
}

// Check reports, as an error that is [ErrPassphrase], that a key does not open
// the vault.
func (v *Vault) Check(k VaultKey) error {
	if err := v.ready(); err != nil {
		return err
	}
	raw, err := v.store.Get(keyHeader)
	if err != nil {
		return fmt.Errorf("reading the vault's header: %w", err)
	}
	h, err := parseHeader(raw)
	if err != nil {
		return err
	}
	m, err := h.unwrap(k, v.derive)
	if err == nil {
		clear(m[:])
	}
	return err
}

// ChangePassphrase wraps the vault's key under next instead of current; a zero
// cost is the default. It returns [ErrPassphrase] when current is wrong; a vault
// without a passphrase takes any. A copy of the Store from before the change, or
// what a disk keeps of the old header, still opens with the old passphrase.
func (v *Vault) ChangePassphrase(current, next []byte, cost PassphraseCost) error {
	return v.rewrap(func(h *header) error {
		if h.find(kindPassphrase) != nil {
			if _, err := h.unwrap(PassphraseKey(current), v.derive); err != nil {
				return err
			}
		}
		w, err := wrap(v.master, PassphraseKey(next), cost, v.derive)
		if err != nil {
			return err
		}
		h.set(w)
		return nil
	})
}

// SetPasskey makes a [PasskeyKey] open the vault, in the place of the one that
// did, beside the passphrase if there is one.
func (v *Vault) SetPasskey(k VaultKey) error {
	return v.rewrap(func(h *header) error {
		if k.kind != kindPasskey {
			return errors.New("this is not a passkey")
		}
		w, err := wrap(v.master, k, PassphraseCost{}, v.derive)
		if err != nil {
			return err
		}
		h.set(w)
		return nil
	})
}

// DropPasskey makes the passkey open the vault no more. The last way in stays.
func (v *Vault) DropPasskey() error {
	return v.rewrap(func(h *header) error {
		if h.find(kindPasskey) == nil {
			return errors.New("no passkey opens this store")
		}
		if len(h.ways) == 1 {
			return errors.New("the passkey is the only way into this store: set a passphrase first")
		}
		h.ways = slices.DeleteFunc(h.ways, func(w way) bool { return w.kind == kindPasskey })
		return nil
	})
}

// rewrap writes the header anew after a change.
func (v *Vault) rewrap(change func(*header) error) error {
	if err := v.ready(); err != nil {
		return err
	}
	raw, err := v.store.Get(keyHeader)
	if err != nil {
		return fmt.Errorf("reading the vault's header: %w", err)
	}
	h, err := parseHeader(raw)
	if err != nil {
		return err
	}
	if err := change(h); err != nil {
		return err
	}
	next, err := h.marshal(v.master)
	if err != nil {
		return err
	}
	if err := v.store.Apply([]Op{{keyHeader, next}}); err != nil {
		return v.stop(fmt.Errorf("changing the ways into the vault: %w", err))
	}
	return nil
}
