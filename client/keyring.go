package client

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"slices"
)

// Keyring is a file of fixed slots that are overwritten where they lie. It is
// kept apart from the [Store] because a database never overwrites: it appends,
// copies and leaves old pages behind. The keys of everything that must be able
// to vanish live here and nowhere else.
//
// What overwriting is worth ends where the file does: a copy-on-write file
// system, a snapshot, a backup or the spare blocks of a flash disk may keep an
// old slot, and no program can reach those.
//
// Concurrency: one goroutine, one call at a time.
type Keyring interface {
	// Read returns the whole content; a new keyring is empty. The caller owns
	// the bytes.
	Read() ([]byte, error)

	// Overwrite puts each slot at SlotSize*Index and leaves every other byte as
	// it is. A file that is too short grows; what nobody wrote reads as zeros.
	// When it returns nil the slots are on stable storage, and what they
	// replaced is not in the file any more. After an error, or a loss of power
	// during the call, each 512-byte sector that it touches is old or new.
	Overwrite(slots []SlotWrite) error

	// Close releases the Keyring; every later call but Close returns an error
	// that is [io/fs.ErrClosed].
	Close() error
}

// SlotSize is the size of a slot of a [Keyring] in bytes.
const SlotSize = 48

// MaxSlots bounds a keyring: more than four million values that can be erased.
const MaxSlots = 1 << 22

// Slot is the content of one place in a [Keyring]. All zeros is a free place.
type Slot [SlotSize]byte

// SlotWrite is one slot to overwrite.
type SlotWrite struct {
	Index int
	Slot  Slot
}

// A slot holds a key, so it prints as a secret, alone or within a SlotWrite.

func (Slot) String() string               { return redacted }
func (Slot) GoString() string             { return redacted }
func (Slot) Format(s fmt.State, _ rune)   { _, _ = io.WriteString(s, redacted) }
func (Slot) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Slot) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[secret]"

// Slot 0 is the header of the keyring:
//
//	version (1) ‖ "keyring" (7) ‖ generation (8) ‖ HMAC-SHA-256 of these (32)
//
// Every other slot is free or
//
//	id (16, random) ‖ key (32, random)
//
// A record names its slot by index and id. The id is what tells a reader of an
// old copy of the record that its slot was erased and used again since.
const (
	ringVersion = 1
	ringMagic   = "keyring"
	ringMACAt   = 1 + len(ringMagic) + 8
	slotIDSize  = 16
	slotKeySize = SlotSize - slotIDSize
)

// slotName is how a record names its slot.
type slotName struct {
	index uint32
	id    [slotIDSize]byte
}

// ErrKeyringFull means that MaxSlots values that can be erased are stored.
var ErrKeyringFull = errors.New("keyring is full")

// ring is what a Vault knows about its Keyring: a mirror of the file, and which
// slots the Store names. The Store's answer is the truth: a slot that is not
// empty and not named is an orphan of a crash and is wiped at open.
type ring struct {
	file       Keyring
	macKey     []byte
	slots      []byte   // mirror of the file, a whole number of slots
	used       []uint64 // bit i is set while a record names slot i
	low        int      // no slot below this one is free
	generation uint64   // in step with the Store's, see (*ring).check
	keepErased bool     // the control experiment of VaultOptions
}

// load reads the file. Part of a slot at the end is what a torn write left of a
// slot that no record can name yet; it counts as a slot, so that it is wiped.
func (r *ring) load() error {
	content, err := r.file.Read()
	if err != nil {
		return fmt.Errorf("reading keyring: %w", err)
	}
	if len(content) > MaxSlots*SlotSize {
		return fmt.Errorf("keyring has %d bytes, more than the %d that are possible", len(content), MaxSlots*SlotSize)
	}
	if tail := len(content) % SlotSize; tail != 0 {
		content = append(content, make([]byte, SlotSize-tail)...)
	}
	r.slots = content
	return nil
}

// header returns the generation in slot 0; ok is false when the slot is damaged,
// empty or of another vault.
func (r *ring) header() (generation uint64, ok bool) {
	if r.count() == 0 {
		return 0, false
	}
	h := r.at(0)
	generation = binary.BigEndian.Uint64(h[1+len(ringMagic):])
	want := r.makeHeader(generation)
	if !hmac.Equal(h, want.Slot[:]) {
		return 0, false
	}
	return generation, true
}

func (r *ring) makeHeader(generation uint64) SlotWrite {
	var s Slot
	s[0] = ringVersion
	copy(s[1:], ringMagic)
	binary.BigEndian.PutUint64(s[1+len(ringMagic):], generation)
	mac := hmac.New(sha256.New, r.macKey)
	mac.Write(s[:ringMACAt])
	mac.Sum(s[:ringMACAt])
	return SlotWrite{Slot: s}
}

// check tells whether the keyring belongs to the state of the Store that has
// this generation and r.used.
//
// Every Apply that touches the keyring raises the generation in both. With new
// slots the keyring is written first, without them the Store is; so a crash
// leaves them at most one apart, in either direction. A copy of the Store that
// is older by more shows in the generation. One that is older by exactly one
// step names the slot that this step wiped, and nothing has used it since.
func (r *ring) check(generation uint64) error {
	written, ok := r.header()
	if !ok {
		return fmt.Errorf("%w: no valid keyring header", ErrRolledBack)
	}
	if written != generation && written != generation-1 && written != generation+1 {
		return fmt.Errorf("%w: generation %d in the store, %d in the keyring", ErrRolledBack, generation, written)
	}
	for i := range r.usedSlots() {
		if i >= r.count() || r.empty(i) {
			return fmt.Errorf("%w: slot %d is named and empty", ErrRolledBack, i)
		}
	}
	return nil
}

// sweep wipes what no record names and writes the generation, in one go. It does
// not write when there is nothing to do.
func (r *ring) sweep(generation uint64) error {
	written, ok := r.header()
	writes := []SlotWrite{r.makeHeader(generation)}
	if !r.keepErased {
		for i := 1; i < r.count(); i++ {
			if !r.isUsed(i) && !r.empty(i) {
				writes = append(writes, SlotWrite{Index: i})
			}
		}
	}
	r.generation = generation
	if ok && written == generation && len(writes) == 1 {
		return nil
	}
	return r.overwrite(writes)
}

// overwrite changes the file and then the mirror.
func (r *ring) overwrite(writes []SlotWrite) error {
	if err := r.file.Overwrite(writes); err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	for i := range writes {
		w := &writes[i]
		r.grow(w.Index + 1)
		copy(r.at(w.Index), w.Slot[:])
	}
	return nil
}

// take finds n free slots from the lowest on, which keeps the file short and
// uses wiped slots before new ones. It changes nothing: the slots count as used
// after mark.
func (r *ring) take(n int) ([]int, error) {
	if n == 0 {
		return nil, nil
	}
	taken := make([]int, 0, n)
	for i := max(r.low, 1); len(taken) < n; i++ {
		if i >= MaxSlots {
			return nil, ErrKeyringFull
		}
		if !r.isUsed(i) && (i >= r.count() || r.empty(i)) {
			taken = append(taken, i)
		}
	}
	return taken, nil
}

// fresh makes the content of a new slot.
func (r *ring) fresh(index int) (slotName, SlotWrite) {
	w := SlotWrite{Index: index}
	_, _ = rand.Read(w.Slot[:]) // never fails (crypto/rand since Go 1.24)
	return slotName{index: uint32(index), id: [slotIDSize]byte(w.Slot[:slotIDSize])}, w
}

// key returns the key in the slot that name means, in memory that the ring
// owns, or ErrErased when the slot holds something else by now.
func (r *ring) key(name slotName) ([]byte, error) {
	i := int(name.index)
	if i < 1 || i >= r.count() || r.empty(i) || !bytes.Equal(r.at(i)[:slotIDSize], name.id[:]) {
		return nil, ErrErased
	}
	return r.at(i)[slotIDSize:], nil
}

func (r *ring) count() int        { return len(r.slots) / SlotSize }
func (r *ring) at(i int) []byte   { return r.slots[i*SlotSize : (i+1)*SlotSize] }
func (r *ring) empty(i int) bool  { return Slot(r.at(i)) == Slot{} }
func (r *ring) isUsed(i int) bool { return i/64 < len(r.used) && r.used[i/64]&(1<<(i%64)) != 0 }

func (r *ring) grow(count int) {
	if count <= r.count() {
		return
	}
	if cap(r.slots) < count*SlotSize { // grow by hand, so that no copy of the keys stays behind
		larger := make([]byte, r.count()*SlotSize, max(2*len(r.slots), count*SlotSize, 4096))
		copy(larger, r.slots)
		clear(r.slots)
		r.slots = larger
	}
	r.slots = r.slots[:count*SlotSize]
}

// mark records whether a record names slot i.
func (r *ring) mark(i int, named bool) {
	for len(r.used) <= i/64 {
		r.used = append(r.used, 0)
	}
	if named {
		r.used[i/64] |= 1 << (i % 64)
		return
	}
	r.used[i/64] &^= 1 << (i % 64)
	r.low = min(r.low, i)
}

// settle moves low past what is used, once for each Apply.
func (r *ring) settle() {
	for r.isUsed(r.low) || r.low == 0 {
		r.low++
	}
}

func (r *ring) usedSlots() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for word, set := range r.used {
			for ; set != 0; set &= set - 1 {
				if !yield(word*64 + bits.TrailingZeros64(set)) {
					return
				}
			}
		}
	}
}

// Which slots are named is kept in the Store as a bitmap in pages, so that
// opening reads a few pages and not every record, and an Apply writes one page.
const (
	pageBytes = 256
	pageSlots = pageBytes * 8
	maxPages  = MaxSlots / pageSlots
)

func (r *ring) page(n int) []byte {
	b := make([]byte, 0, pageBytes)
	for word := n * pageSlots / 64; word < (n+1)*pageSlots/64; word++ {
		var set uint64
		if word < len(r.used) {
			set = r.used[word]
		}
		b = binary.BigEndian.AppendUint64(b, set)
	}
	return b
}

func (r *ring) setPage(n int, b []byte) error {
	if n < 0 || n >= maxPages || len(b) != pageBytes {
		return &DamageError{Reason: fmt.Sprintf("bitmap page %d of %d bytes", n, len(b))}
	}
	if n == 0 && b[7]&1 != 0 {
		return &DamageError{Reason: "the bitmap names the keyring's header"}
	}
	end := (n + 1) * pageSlots / 64
	if len(r.used) < end {
		r.used = append(r.used, make([]uint64, end-len(r.used))...)
	}
	for i := range pageBytes / 8 {
		r.used[n*pageSlots/64+i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return nil
}

// pagesOf returns the pages that hold these slots, each once.
func pagesOf(slots ...[]int) []int {
	var pages []int
	for _, s := range slots {
		for _, i := range s {
			pages = append(pages, i/pageSlots)
		}
	}
	slices.Sort(pages)
	return slices.Compact(pages)
}

// wipe forgets the mirror when the vault closes.
func (r *ring) wipe() {
	clear(r.slots)
	clear(r.macKey)
	r.slots, r.used = nil, nil
}
