//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of CPU times in /proc: USER_HZ, which Linux fixes at 100 for
// all programs.
const tick = 10 * time.Millisecond

// cores are the two that a run uses: the server has one to itself, and what
// drives it the other.
type cores struct {
	server, driver int
	shared         bool // there is only one
}

// pinnedAs tells a process that it is the driver, and on which cores it runs.
const pinnedAs = "SCONCE_BENCH_CORES"

// pin gives the cores. The first call replaces the process by itself, with all
// threads of the new one bound to the driver's core: threads that run already
// could not be caught.
func pin() (cores, error) {
	var c cores
	if s := os.Getenv(pinnedAs); s != "" {
		_, err := fmt.Sscanf(s, "%d,%d,%t", &c.server, &c.driver, &c.shared)
		return c, err
	}
	c, err := chooseCores()
	if err != nil {
		return c, err
	}
	self, err := os.Executable()
	if err != nil {
		return c, fmt.Errorf("finding this program: %w", err)
	}
	runtime.LockOSThread() // the thread that is bound is the one that goes on
	if err := bind(c.driver); err != nil {
		return c, err
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d,%d,%t", pinnedAs, c.server, c.driver, c.shared))
	return c, fmt.Errorf("starting anew: %w", syscall.Exec(self, os.Args, env))
}

func chooseCores() (c cores, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return c, fmt.Errorf("asking which cores there are: %w", err)
	}
	var all []int
	for i := range 1024 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	c.server, c.driver = all[0], all[len(all)-1]
	c.shared = len(all) == 1
	return c, nil
}

// bind binds the calling thread, and what it starts, to cores.
func bind(cores ...int) error {
	var set unix.CPUSet
	for _, core := range cores {
		set.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("binding to cores %d: %w", cores, err)
	}
	return nil
}

// onCores calls start on a thread bound to cores, so that a process which it
// starts is bound as well.
func onCores(start func() error, cores ...int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	if err := bind(cores...); err != nil {
		return err
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &before))
}

// kind says what machine this is, without saying which.
func kind() string {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a good pointer
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	model := "processor unknown"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores (%s), %s/%s, Linux %s, %s", onlineCores(), model, runtime.GOOS, runtime.GOARCH, release, runtime.Version())
}

// onlineCores counts the machine's cores; runtime.NumCPU counts those that this
// process is bound to.
func onlineCores() int {
	b, _ := os.ReadFile("/proc/stat") // without it the answer is 0, and looks it
	n := 0
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("cpu")) && len(line) > 3 && line[3] != ' ' {
			n++
		}
	}
	return n
}

// load is what the machine and two of its processes had done at a moment.
type load struct {
	at             time.Time
	busy           time.Duration // all cores
	server, driver time.Duration
}

// measureLoad looks at the machine, this process, and the server with pid, or
// no server if that is 0.
func measureLoad(pid int) (load, error) {
	l := load{at: time.Now(), driver: ownTime()}
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return l, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(first)[1:] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return l, fmt.Errorf("reading /proc/stat: %w", err)
		}
		// user, nice, system, idle, iowait, irq, softirq, steal; then guests,
		// which user holds already.
		if i != 3 && i != 4 && i < 8 {
			l.busy += time.Duration(n) * tick
		}
	}
	if pid != 0 {
		l.server, err = processTime(pid)
	}
	return l, err
}

// ambient is how many cores others had between two looks.
func ambient(from, to load) float64 {
	others := (to.busy - from.busy) - (to.server - from.server) - (to.driver - from.driver)
	return max(0, others.Seconds()/to.at.Sub(from.at).Seconds())
}

// processTime is the CPU time that a process has used, in user and system mode.
func processTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; the fields are after it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading times of a process: %d fields", len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// ownTime is the CPU time that this process has used.
func ownTime() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // cannot fail with a good pointer
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// ioCalls counts the system calls of a process that read or write: those on
// sockets and files, not waiting, locking or syncing.
func ioCalls(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	reads, err1 := field(string(b), "syscr:")
	writes, err2 := field(string(b), "syscw:")
	return reads + writes, errors.Join(err1, err2)
}

// memory gives a process's own part of memory and its resident memory, in bytes.
// Pages that several processes have count by share in the first.
func memory(pid int) (pss, rss int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0, err
	}
	pss, err1 := field(string(b), "Pss:")
	rss, err2 := field(string(b), "Rss:")
	return pss << 10, rss << 10, errors.Join(err1, err2)
}

// field reads a number behind its name in a file of /proc.
func field(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				return strconv.ParseInt(words[0], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no %s", name)
}

// syncTime is how long the disk below dir takes to make 4 KiB durable at this
// moment: the median of a hundred.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	if _, err := f.Write(make([]byte, 64*len(block))); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	var took []time.Duration
	for i := range 100 {
		start := time.Now()
		if _, err := f.WriteAt(block, int64(i%64*len(block))); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// countIn counts how often a marker stands in a file; a file that is not there
// has none.
func countIn(path string, marker []byte) (int, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(b, marker), err
}

// tidy gives back what earlier rows left in this process's heap, so that no row
// pays for another.
func tidy() { debug.FreeOSMemory() }
