package client

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Vault keeps what a device must remember: a [Store] whose values are sealed,
// and a [Keyring] that makes some of them able to vanish. Open it with
// [OpenVault], or on a new device with [CreateVault].
//
// A value that is put as erasable is sealed under a key of its own, which exists
// only in the keyring. Once the Apply that replaces or deletes it has returned,
// that key is overwritten on stable storage, and nobody can read the value again:
// not with the passphrase, not with every byte that the Store ever wrote.
//
// What a thief without the passphrase sees: the keys of the records (so they are
// structured ids and never content), how long each value is, which are erasable.
// What one who can write the disk can do unseen: put an older version of a
// single record that is not erasable in its old place.
//
// Concurrency: one goroutine owns a Vault; it is not safe for concurrent use.
// fn of a Scan must not call the Vault.
type Vault struct {
	store    Store
	master   *masterKey
	derive   deriveFunc
	values   cipher.AEAD // for kept values and the vault's own records
	ring     ring
	scanning bool
	broken   error // once set, every call returns it
}

// A Vault holds secrets and prints without them, also inside another value.

func (Vault) String() string             { return "[vault]" }
func (Vault) GoString() string           { return "[vault]" }
func (Vault) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[vault]") }
func (Vault) LogValue() slog.Value       { return slog.StringValue("[vault]") }

// VaultOptions are the choices at creating and opening; the zero value is right.
type VaultOptions struct {
	// Cost is used by CreateVault; opening reads it from the header.
	Cost PassphraseCost

	// Derive is Argon2id (RFC 9106) to 32 bytes, where the platform has a better
	// place for its memory than this program. Nil: here.
	Derive func(passphrase, salt []byte, cost PassphraseCost) ([]byte, error)

	// KeepErased leaves the keys of erased values in the keyring. It exists for
	// one purpose: the control experiment that shows that the attack on burned
	// messages succeeds when nothing is erased. The next OpenVault without it
	// erases what it left.
	KeepErased bool
}

var (
	// ErrPassphrase means that the passphrase, or another key, does not open the
	// vault.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrBusy means that another program holds the store.
	ErrBusy = errors.New("another program uses this store")
	// ErrFull means that the device has no more space for what is to be kept. A
	// Store's and a Keyring's errors are this one where they know.
	ErrFull = errors.New("there is no more space for what is to be kept here")
	// ErrNoVault means that the Store holds no vault.
	ErrNoVault = errors.New("no vault in this store")
	// ErrVaultExists means that the Store or the Keyring is already in use.
	ErrVaultExists = errors.New("store or keyring is not empty")
	// ErrErased means that a record is there but its key is gone from the
	// keyring. A vault that opened does not contain such records, so whoever
	// meets one has a Store that was rolled back.
	ErrErased = errors.New("value was erased: the store is older than its keyring")
	// ErrRolledBack means that the Store and the Keyring are not of the same
	// moment: one was restored from a copy, or lost. See [RecoverVault].
	ErrRolledBack = errors.New("store and keyring do not belong together")
	// ErrReopen means that writing was interrupted and it is not known how far
	// it came. The Vault refuses to go on; opening again finds out.
	ErrReopen = errors.New("writing was interrupted: the vault must be opened again")
)

// DamageError is a record that no vault with this key wrote in this place.
type DamageError struct {
	Key    []byte // of the record
	Reason string
}

func (e *DamageError) Error() string { return "store is damaged: " + e.Reason }

// The vault's own records have keys that begin with a zero byte.
var (
	keyHeader = []byte("\x00header")
	keyState  = []byte("\x00state") // version (1) ‖ generation (8), sealed
	keyPages  = []byte("\x00slots") // ‖ page (4): 256 bytes of bitmap, sealed
	endPages  = []byte("\x00slott")
	firstKey  = []byte{1}
)

const stateVersion = 1

func (o *VaultOptions) deriver() deriveFunc {
	if o.Derive != nil {
		return o.Derive
	}
	return argon2id
}

// CreateVault makes a vault that a passphrase opens: see [CreateVaultWith]. The
// passphrase may be any bytes; text typed by a person should be brought to
// Unicode NFC first, as client/native does.
func CreateVault(store Store, keyring Keyring, passphrase []byte, opts VaultOptions) (*Vault, error) {
	return CreateVaultWith(store, keyring, []VaultKey{PassphraseKey(passphrase)}, opts)
}

// CreateVaultWith makes a vault in an empty Store and an empty Keyring, which
// any of the keys opens: a passphrase, a passkey, or one of each. The Vault
// closes both; after an error they remain the caller's to close, and
// CreateVaultWith can be called again.
func CreateVaultWith(store Store, keyring Keyring, keys []VaultKey, opts VaultOptions) (*Vault, error) {
	v := &Vault{store: store, master: new(masterKey), derive: opts.deriver()}
	_, _ = rand.Read(v.master[:]) // never fails (crypto/rand since Go 1.24)
	header, err := newHeader(v.master, keys, opts.Cost, v.derive)
	if err != nil {
		return nil, err
	}
	if err := v.attach(keyring, opts); err != nil {
		return nil, err
	}
	if err := requireEmpty(store, &v.ring); err != nil {
		return nil, err
	}
	const first = 1
	if err := v.ring.sweep(first); err != nil {
		return nil, err
	}
	if err := store.Apply([]Op{{keyHeader, header}, v.stateOp(first)}); err != nil {
		return nil, fmt.Errorf("creating vault: %w", err)
	}
	v.ring.settle()
	return v, nil
}

// requireEmpty lets pass what an interrupted CreateVault leaves: a keyring with
// nothing but a header, and an empty Store.
func requireEmpty(store Store, r *ring) error {
	err := store.Scan(nil, nil, func(_, _ []byte) error { return ErrVaultExists })
	if err != nil {
		return err
	}
	for i := 1; i < r.count(); i++ {
		if !r.empty(i) {
			return ErrVaultExists
		}
	}
	return nil
}

// OpenVault opens a vault by its passphrase: see [OpenVaultWith].
func OpenVault(store Store, keyring Keyring, passphrase []byte, opts VaultOptions) (*Vault, error) {
	return OpenVaultWith(store, keyring, PassphraseKey(passphrase), opts)
}

// OpenVaultWith opens what CreateVault made, and finishes an erasure that a
// crash interrupted. The Vault closes the Store and the Keyring; after an error
// they remain the caller's to close.
//
// Errors to decide on: [ErrNoVault], [ErrPassphrase], [ErrRolledBack],
// *[DamageError].
func OpenVaultWith(store Store, keyring Keyring, key VaultKey, opts VaultOptions) (*Vault, error) {
	v, err := unlock(store, keyring, key, opts)
	if err != nil {
		return nil, err
	}
	generation, err := v.readState()
	if err != nil {
		return nil, err
	}
	if err := v.readPages(); err != nil {
		return nil, err
	}
	if err := v.ring.check(generation); err != nil {
		return nil, err
	}
	if err := v.ring.sweep(generation); err != nil {
		return nil, err
	}
	v.ring.settle()
	return v, nil
}

// RecoverVault opens a vault after [ErrRolledBack] or a [DamageError], with what
// can still be read. It deletes every other record and returns their keys, and
// it erases what no remaining record needs: when the newer copy of the Store
// turns up later, its erasable values are lost. So ask before.
//
// Whoever recovers may have an old memory and must not act on it: protocol state
// that survived can have been used already, so rooms are joined again with fresh
// keys before anything is sent.
func RecoverVault(store Store, keyring Keyring, passphrase []byte, opts VaultOptions) (v *Vault, lost [][]byte, err error) {
	v, err = unlock(store, keyring, PassphraseKey(passphrase), opts)
	if err != nil {
		return nil, nil, err
	}
	written, _ := v.ring.header()
	generation, err := v.readState()
	if _, damaged := errors.AsType[*DamageError](err); err != nil && !damaged {
		return nil, nil, err
	}
	generation = max(generation, written) + 1
	lost, err = v.survey()
	if err != nil {
		return nil, nil, err
	}
	ops, err := v.rebuildOps(lost, generation)
	if err != nil {
		return nil, nil, err
	}
	if err := store.Apply(ops); err != nil {
		return nil, nil, fmt.Errorf("recovering vault: %w", err)
	}
	if err := v.ring.sweep(generation); err != nil {
		return nil, nil, err
	}
	v.ring.settle()
	return v, lost, nil
}

// survey opens every record, marks the slots of those that open and returns the
// keys of the others.
func (v *Vault) survey() (lost [][]byte, err error) {
	err = v.store.Scan(firstKey, nil, func(key, record []byte) error {
		_, head, err := v.open(key, record)
		_, damaged := errors.AsType[*DamageError](err)
		switch {
		case damaged || errors.Is(err, ErrErased):
			lost = append(lost, slices.Clone(key))
		case err != nil:
			return err
		case head.erasable:
			v.ring.mark(int(head.slot.index), true)
		}
		return nil
	})
	return lost, err
}

// rebuildOps deletes what is lost and writes all pages of the bitmap anew.
func (v *Vault) rebuildOps(lost [][]byte, generation uint64) ([]Op, error) {
	var ops []Op
	for _, key := range lost {
		ops = append(ops, Op{Key: key})
	}
	err := v.store.Scan(keyPages, endPages, func(key, _ []byte) error {
		ops = append(ops, Op{Key: slices.Clone(key)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var named []int
	for i := range v.ring.usedSlots() {
		named = append(named, i)
	}
	for _, n := range pagesOf(named) {
		ops = append(ops, v.pageOp(n))
	}
	return append(ops, v.stateOp(generation)), nil
}

// unlock derives the keys and reads the keyring.
func unlock(store Store, keyring Keyring, key VaultKey, opts VaultOptions) (*Vault, error) {
	raw, err := store.Get(keyHeader)
	if err != nil {
		return nil, fmt.Errorf("reading the vault's header: %w", err)
	}
	if raw == nil {
		return nil, ErrNoVault
	}
	h, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	v := &Vault{store: store, derive: opts.deriver()}
	if v.master, err = h.unwrap(key, v.derive); err != nil {
		return nil, err
	}
	return v, v.attach(keyring, opts)
}

// attach derives what v.master is for and reads the keyring.
func (v *Vault) attach(keyring Keyring, opts VaultOptions) error {
	values, err := v.master.derive("values")
	if err != nil {
		return err
	}
	defer clear(values)
	if v.values, err = chacha20poly1305.NewX(values); err != nil {
		return err
	}
	v.ring = ring{file: keyring, keepErased: opts.KeepErased}
	if v.ring.macKey, err = v.master.derive("keyring header"); err != nil {
		return err
	}
	return v.ring.load()
}

func (v *Vault) stateOp(generation uint64) Op {
	state := binary.BigEndian.AppendUint64([]byte{stateVersion}, generation)
	return Op{keyState, v.sealKept(keyState, state)}
}

func (v *Vault) readState() (generation uint64, err error) {
	record, err := v.store.Get(keyState)
	if err != nil {
		return 0, fmt.Errorf("reading the vault's state: %w", err)
	}
	state, err := v.openOwn(keyState, record)
	if err != nil {
		return 0, err
	}
	if len(state) != 1+8 || state[0] != stateVersion {
		return 0, &DamageError{Key: keyState, Reason: "unknown version of the state"}
	}
	return binary.BigEndian.Uint64(state[1:]), nil
}

func pageKey(n int) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(keyPages), uint32(n))
}

func (v *Vault) pageOp(n int) Op {
	key := pageKey(n)
	return Op{key, v.sealKept(key, v.ring.page(n))}
}

func (v *Vault) readPages() error {
	return v.store.Scan(keyPages, endPages, func(key, record []byte) error {
		page, err := v.openOwn(key, record)
		if err != nil {
			return err
		}
		number := key[len(keyPages):]
		if len(number) != 4 {
			return &DamageError{Key: slices.Clone(key), Reason: "a bitmap page without a number"}
		}
		return v.ring.setPage(int(binary.BigEndian.Uint32(number)), page)
	})
}

// openOwn opens one of the vault's own records, which are always kept ones.
func (v *Vault) openOwn(key, record []byte) ([]byte, error) {
	head, err := parseSealed(key, record)
	if err != nil {
		return nil, err
	}
	if head.erasable {
		return nil, &DamageError{Key: slices.Clone(key), Reason: "unknown kind of record"}
	}
	value, _, err := v.open(key, record)
	return value, err
}

// Get returns the value of key, or nil and no error when there is none. The
// caller owns it.
func (v *Vault) Get(key []byte) ([]byte, error) {
	if err := v.ready(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	record, err := v.store.Get(key)
	if err != nil || record == nil {
		return nil, err
	}
	value, _, err := v.open(key, record)
	return value, err
}

// Scan calls fn for every key from start (inclusive) to end (exclusive; nil is
// after every key) in ascending order, as [Store].Scan does. The key is valid
// until fn returns; the value is fn's to keep.
func (v *Vault) Scan(start, end []byte, fn func(key, value []byte) error) error {
	if err := v.ready(); err != nil {
		return err
	}
	v.scanning = true
	defer func() { v.scanning = false }()
	if bytes.Compare(start, firstKey) < 0 {
		start = firstKey
	}
	return v.store.Scan(start, end, func(key, record []byte) error {
		value, _, err := v.open(key, record)
		if err != nil {
			return err
		}
		return fn(key, value)
	})
}

// Close forgets the keys and closes the Keyring, then the Store.
func (v *Vault) Close() error {
	if v.scanning {
		return ErrScanning
	}
	if errors.Is(v.broken, fs.ErrClosed) {
		return nil
	}
	v.broken = fmt.Errorf("vault: %w", fs.ErrClosed)
	clear(v.master[:])
	v.values = nil
	v.ring.wipe()
	return errors.Join(v.ring.file.Close(), v.store.Close())
}

func (v *Vault) ready() error {
	if v.scanning {
		return ErrScanning
	}
	return v.broken
}

// stop ends the vault's work after a write of which nobody knows how far it
// came; going on could give a slot that the Store names to another record.
func (v *Vault) stop(cause error) error {
	v.broken = ErrReopen
	return fmt.Errorf("%w: %w", ErrReopen, cause)
}

func checkKey(key []byte) error {
	switch {
	case len(key) == 0 || len(key) > MaxKey:
		return fmt.Errorf("record key of %d bytes: want 1 to %d", len(key), MaxKey)
	case key[0] == 0:
		return errors.New("record keys that begin with a zero byte are the vault's own")
	}
	return nil
}
