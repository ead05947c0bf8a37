//go:build unix

package native

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sconce/client"
)

// Lock keeps other processes away from a store. The system drops it when the
// process ends, however it ends. The file stays, because removing it would let
// two processes lock two files of the same name.
type Lock struct{ file *os.File }

// LockedError means that another process owns the store; the program should
// talk to that process instead.
type LockedError struct {
	Path string
	PID  int // 0 when it is not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	return fmt.Sprintf("%s is held by process %d", e.Path, e.PID)
}

// Is makes it a [client.ErrBusy] for callers that know no processes.
func (e *LockedError) Is(target error) bool { return target == client.ErrBusy }

// TakeLock takes the lock at path at once, or returns *[LockedError].
func TakeLock(path string) (*Lock, error) {
	f, err := openFile(path)
	if errors.Is(err, os.ErrExist) { // another process made it between two looks
		f, err = openFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	err = flock(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = &LockedError{Path: path, PID: holder(f)}
		return nil, errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
	}
	notePID(f)
	return &Lock{file: f}, nil
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// notePID writes down for people who has the lock. A disk that is full takes not
// even that, and the lock holds without it.
func notePID(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	}
}

// holder reads who has the lock. The answer is for a person: the holder may just
// be writing it, or gone.
func holder(f *os.File) int {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// Release gives the lock up.
func (l *Lock) Release() error {
	if err := l.file.Truncate(0); err != nil {
		return errors.Join(err, l.file.Close())
	}
	return l.file.Close()
}
