// Package tape keeps records in the order in which they came, on disk when
// [Tape.Append] returns, until they have been moved to where they belong. It is
// what a server writes before it answers, because a record costs one write and
// one sync, and a database transaction many times that.
//
// [Open] a tape, [Tape.Replay] what the last process left on it, move that, and
// [Tape.Erase] it. Then Append. Now and then [Tape.Cut] the tape, move all that
// was appended before, and Erase that, while Append goes on behind the cut.
//
// A tape is two files that take turns. They are written over in place: their
// blocks are there already, so that a sync has no more to write than the record,
// and what was erased is zeros, not merely forgotten; but what stood behind the
// first 4 MiB of a file goes back to the file system as it is.
package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxRecord is how long a record may be.
const MaxRecord = 64 << 20

// ErrFull says that Cut has nowhere to go on: what was cut before is not erased
// yet.
var ErrFull = errors.New("tape: the part before the last cut is not erased yet")

// Tape is used by one goroutine at a time; but Erase may run beside Append.
type Tape struct {
	parts  [2]*part
	at     int    // the part that Append writes to
	serial uint64 // of that part, since it was empty
	left   bool   // both parts hold what an earlier process left
	sync   bool
	buffer []byte // of the last record, to be used again
}

// Open opens the tape whose files are PATH0 and PATH1, which are made if they are
// not there. It is this caller's alone until Close. Without sync, Append does not wait for the disk: for tests of what
// happens then.
func Open(path string, sync bool) (_ *Tape, err error) {
	t := &Tape{sync: sync}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("opening tape: %w", err), t.Close())
		}
	}()
	for i, name := range Names(path) {
		if t.parts[i], err = openPart(name); err != nil {
			return nil, err
		}
	}
	// A file that a crash takes back with its records would not have kept them.
	return t, syncFolder(filepath.Dir(path))
}

// Names gives the names of the files of the tape at path.
func Names(path string) []string { return []string{path + "0", path + "1"} }

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Replay gives fn every record that is on the tape, in order. It is called once,
// before Append; if there were any, Erase comes first. A record is fn's only
// until it returns. The last one may be one of which Append never said that it
// was written.
func (t *Tape) Replay(fn func(record []byte) error) error {
	order := []*part{t.parts[0], t.parts[1]}
	for _, p := range order {
		if err := p.begin(); err != nil {
			return err
		}
		t.serial = max(t.serial, p.serial)
	}
	if order[0].serial > order[1].serial {
		order[0], order[1] = order[1], order[0]
	}
	for _, p := range order {
		if p.serial == 0 {
			continue
		}
		t.left = true
		if err := p.replay(fn); err != nil {
			return err
		}
	}
	return nil
}

// Left reports that there is something on the tape that an earlier process left,
// and Append must wait for Erase.
func (t *Tape) Left() bool { return t.left }

// Append writes a record. When it returns nil the record is durable. On an error
// it may be on the tape or not, until the next Append that succeeds: then it is
// not.
func (t *Tape) Append(record []byte) error {
	switch {
	case t.left:
		return ErrFull
	case len(record) > MaxRecord:
		return fmt.Errorf("tape: a record has %d bytes; the limit is %d", len(record), MaxRecord)
	}
	p := t.parts[t.at]
	if p.end == 0 {
		t.serial++
		p.serial = t.serial
	}
	t.buffer = appendRecord(t.buffer[:0], p.serial, p.end, record)
	err := p.write(t.buffer, t.sync)
	if cap(t.buffer) > keptBuffer {
		t.buffer = nil
	}
	if err != nil {
		return fmt.Errorf("writing to tape: %w", err)
	}
	return nil
}

// keptBuffer is how large a buffer stays for the next record.
const keptBuffer = 1 << 20

// Size is how many bytes stand behind the last cut.
func (t *Tape) Size() int64 { return t.parts[t.at].end }

// Cut makes the next Append begin anew, behind a cut. What stands before it must
// have been erased before Cut is called again: otherwise Cut returns [ErrFull].
func (t *Tape) Cut() error {
	next := 1 - t.at
	if t.left || t.parts[next].end != 0 {
		return ErrFull
	}
	t.at = next
	return nil
}

// Erase wipes what stands before the last cut, or what Replay found. It may be
// repeated if it fails.
func (t *Tape) Erase() error {
	if err := t.parts[1-t.at].wipe(t.sync); err != nil {
		return fmt.Errorf("erasing tape: %w", err)
	}
	if !t.left { // which Append may be looking at
		return nil
	}
	if err := t.parts[t.at].wipe(t.sync); err != nil {
		return fmt.Errorf("erasing tape: %w", err)
	}
	t.left = false
	return nil
}

// Close closes the files, and lets others use them. It may be called twice.
func (t *Tape) Close() error {
	var errs []error
	for _, p := range t.parts {
		if p == nil {
			continue
		}
		if err := p.file.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// A record is a head and what it says. All numbers are big-endian.
//
//	1  version
//	3  zeros
//	4  length of what follows the head
//	8  serial: which filling of the file this is, from 1
//	4  CRC-32C of the place of the record in the file (8), the head before this,
//	   and what follows
//
// The serial keeps a record of an earlier filling, which a crash kept from being
// erased, from being taken for one of this.
const (
	version  = 1
	headSize = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(b []byte, serial uint64, at int64, record []byte) []byte {
	b = append(b, version, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(record)))
	b = binary.BigEndian.AppendUint64(b, serial)
	b = binary.BigEndian.AppendUint32(b, checksum(at, b[len(b)-headSize+4:], record))
	return append(b, record...)
}

func checksum(at int64, head, record []byte) uint32 {
	var place [8]byte
	binary.BigEndian.PutUint64(place[:], uint64(at))
	sum := crc32.Update(0, castagnoli, place[:])
	return crc32.Update(crc32.Update(sum, castagnoli, head), castagnoli, record)
}

// part is one file of a tape.
type part struct {
	file   file
	size   int64  // of the file
	end    int64  // of the last record
	torn   int64  // up to here may be what a failed write left; end, if nothing
	serial uint64 // of the records in it; 0 if there never were any
}

// file is what a part needs of its file. Tests have others.
type file interface {
	ReadAt(b []byte, at int64) (int, error)
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// diskFile syncs what was written and what it takes to find it, but not the
// times of the file.
type diskFile struct {
	*os.File
	raw syscall.RawConn
}

func (f diskFile) Sync() (err error) {
	closed := f.raw.Control(func(fd uintptr) {
		for err = unix.Fdatasync(int(fd)); errors.Is(err, unix.EINTR); {
			err = unix.Fdatasync(int(fd))
		}
	})
	return errors.Join(err, closed)
}

// A file has first bytes from the beginning and kept after it was used. It grows
// by growth at least, which takes the file system long.
const (
	first  = 1 << 20
	growth = 256 << 10
	kept   = 4 << 20
)

func openPart(path string) (*part, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%s is in use by another program", path)
	}
	info, err1 := f.Stat()
	raw, err2 := f.SyscallConn()
	if err := errors.Join(err, err1, err2); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p := &part{file: diskFile{f, raw}, size: info.Size()}
	if p.size < first {
		_ = p.grow(first) // a full disk is found out by who writes
	}
	return p, nil
}

// begin learns which filling the file holds. What is on it that is no whole
// record is to be wiped as well.
func (p *part) begin() error {
	p.torn = p.size
	serial, _, err := p.read(0, nil)
	p.serial = serial
	return err
}

func (p *part) replay(fn func([]byte) error) error {
	var buffer []byte
	for {
		serial, record, err := p.read(p.end, buffer)
		if err != nil || serial != p.serial {
			return err
		}
		if err := fn(record); err != nil {
			return err
		}
		p.end += headSize + int64(len(record))
		buffer = record[:0]
	}
}

// read reads the record at a place. Its serial is 0 if there is no whole one.
func (p *part) read(at int64, buffer []byte) (serial uint64, record []byte, err error) {
	var head [headSize]byte
	if p.size-at < headSize {
		return 0, nil, nil
	}
	if _, err := p.file.ReadAt(head[:], at); err != nil {
		return 0, nil, fmt.Errorf("reading tape: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(head[4:]))
	switch {
	case head[0] == 0:
		return 0, nil, nil
	case head[0] != version && p.serial == 0:
		return 0, nil, fmt.Errorf("reading tape: it begins with version %d, which is newer than this program", head[0])
	case head[0] != version || n > MaxRecord || n > p.size-at-headSize:
		return 0, nil, nil
	}
	record = append(buffer, make([]byte, n)...)
	if _, err := p.file.ReadAt(record, at+headSize); err != nil {
		return 0, nil, fmt.Errorf("reading tape: %w", err)
	}
	if binary.BigEndian.Uint32(head[headSize-4:]) != checksum(at, head[:headSize-4], record) {
		return 0, nil, nil
	}
	return binary.BigEndian.Uint64(head[8:]), record, nil
}

// write appends. What a write before it left that failed is wiped first.
func (p *part) write(b []byte, sync bool) error {
	if p.torn > p.end {
		if err := p.zero(p.end, p.torn); err != nil {
			return err
		}
		if err := p.flush(sync); err != nil {
			return err
		}
		p.torn = p.end
	}
	after := p.end + int64(len(b))
	if after > p.size {
		if err := p.grow(after); err != nil {
			return err
		}
	}
	p.torn = after
	if _, err := p.file.WriteAt(b, p.end); err != nil {
		return err
	}
	if err := p.flush(sync); err != nil {
		return err
	}
	p.end = after
	return nil
}

// grow makes the file larger by zeros that are written: the blocks of a hole
// would have to be found while a record is waited for.
func (p *part) grow(to int64) error {
	to = max(to, p.size+min(max(p.size, growth), 4<<20))
	to += -to & (growth - 1)
	at := p.size
	if err := p.zero(at, to); err != nil {
		// What came of it is given back: on a full disk others need it more.
		return errors.Join(err, p.file.Truncate(at))
	}
	p.size = to
	return nil
}

var zeros [64 << 10]byte

func (p *part) zero(from, to int64) error {
	for from < to {
		n, err := p.file.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

func (p *part) flush(sync bool) error {
	if !sync {
		return nil
	}
	return p.file.Sync()
}

func (p *part) wipe(sync bool) error {
	used := min(max(p.end, p.torn), p.size)
	if p.size > kept {
		if err := p.file.Truncate(kept); err != nil {
			return err
		}
		p.size = kept
	}
	if err := p.zero(0, min(used, p.size)); err != nil {
		return err
	}
	if p.size < kept {
		_ = p.grow(kept) // now, while nobody waits; a full disk is found out by who writes
	}
	if err := p.flush(sync); err != nil {
		return err
	}
	p.end, p.torn = 0, 0
	return nil
}
