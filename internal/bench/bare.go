//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// relaying tells this program to be the bare relay, which keeps its file in the
// folder that it names.
const relaying = "SCONCE_BENCH_RELAY"

// bare is what this machine leaves to any server: how long a letter of the same
// size takes, at the same rate over as many connections, through a program that
// does nothing with it but write and sync it, all that wait at once, and pass it on.
func (w *world) bare(ctx context.Context, s size) (out *sample, err error) {
	if err := w.halt(); err != nil { // it would share the core
		return nil, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // as for steady
	r, err := startRelay(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	pairs := make([]barePair, len(w.pairs))
	defer func() {
		for _, p := range pairs {
			p.close()
		}
	}()
	var readers sync.WaitGroup
	each := max(1, s.seconds*steadyRate/len(pairs))
	for i := range pairs {
		if err := pairs[i].open(r.address, each); err != nil {
			return nil, err
		}
	}
	begin, err := measureLoad(r.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	for i := range pairs {
		readers.Go(pairs[i].read)
	}
	err = atRate(steadyRate, each, len(pairs), func(pair, i int) error { return pairs[pair].post(i) })
	if err != nil {
		return nil, err
	}
	readers.Wait()
	end, err := measureLoad(r.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	var all []time.Duration
	for i := range pairs {
		if pairs[i].err != nil {
			return nil, fmt.Errorf("a connection of the relay broke: %w", pairs[i].err)
		}
		all = append(all, pairs[i].took...)
	}
	slices.Sort(all)
	out = &sample{ambient: ambient(begin, end), driver: (end.driver - begin.driver).Seconds() / end.at.Sub(begin.at).Seconds()}
	out.add("bare relay, 1,000/s, p50", "ms", milliseconds(quantile(all, 0.50)))
	out.add("bare relay, 1,000/s, p99", "ms", milliseconds(quantile(all, 0.99)))
	out.sync, err = syncTime(w.launch.data)
	return out, err
}

// barePair is a connection that sends and the one that receives.
type barePair struct {
	from, to net.Conn
	sent     []time.Time // before it is written; read after it came
	took     []time.Duration
	err      error
}

// open connects both, the receiver first. The relay pairs connections in the
// order in which they come.
func (p *barePair) open(address string, each int) (err error) {
	if p.to, err = net.Dial("tcp", address); err != nil {
		return err
	}
	if p.from, err = net.Dial("tcp", address); err != nil {
		return err
	}
	p.sent, p.took = make([]time.Time, each), make([]time.Duration, 0, each)
	return nil
}

func (p *barePair) close() {
	if p.from != nil {
		p.from.Close()
	}
	if p.to != nil {
		p.to.Close()
	}
}

func (p *barePair) post(i int) error {
	var letter [messageSize]byte
	binary.BigEndian.PutUint64(letter[:], uint64(i))
	p.sent[i] = time.Now()
	_, err := p.from.Write(letter[:])
	return err
}

func (p *barePair) read() {
	if p.err = p.to.SetReadDeadline(time.Now().Add(2 * time.Minute)); p.err != nil {
		return
	}
	var letter [messageSize]byte
	for i := range p.sent {
		if _, p.err = io.ReadFull(p.to, letter[:]); p.err != nil {
			return
		}
		if got := binary.BigEndian.Uint64(letter[:]); got != uint64(i) {
			p.err = fmt.Errorf("letter %d came in the place of %d", got, i)
			return
		}
		p.took = append(p.took, time.Since(p.sent[i]))
	}
}

// atRate calls post for letters in turn, at a steady rate, whatever comes back.
// The driver's heap is not collected meanwhile: it is not what is measured.
func atRate(rate, each, talks int, post func(talk, i int) error) error {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	step := time.Second / time.Duration(rate)
	due := time.Now()
	for i := range each {
		for talk := range talks {
			due = due.Add(step)
			if err := sleepUntil(due); err != nil {
				return err
			}
			if err := post(talk, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// relay is the process that relays.
type relay struct {
	address string
	cmd     *exec.Cmd
}

func startRelay(ctx context.Context, w *world) (*relay, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &relay{address: fmt.Sprintf("127.0.0.1:%d", port)}
	r.cmd = exec.CommandContext(ctx, self, r.address)
	r.cmd.Env = append(withoutBench(os.Environ()), relaying+"="+w.scratch)
	r.cmd.Stderr = os.Stderr
	start := r.cmd.Start
	if w.launch.core >= 0 {
		start = func() error { return onCores(r.cmd.Start, w.launch.core) }
	}
	if err := start(); err != nil {
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			return r, conn.Close() // which the relay takes for no pair
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("the relay is not ready: %w", err), r.stop())
		}
	}
}

func (r *relay) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_ = r.cmd.Wait() // it was killed
	return nil
}

// runRelay is the relay's process.
func runRelay(address, folder string) error {
	f, err := os.Create(filepath.Join(folder, "relay"))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const room = 4 << 20
	if _, err := f.Write(make([]byte, room)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if c, err := l.Accept(); err != nil {
		return err
	} else if err := c.Close(); err != nil { // who asked whether we are ready
		return err
	}
	letters := make(chan relayed, 4096)
	go passOn(f, room, letters)
	for {
		to, err := l.Accept()
		if err != nil {
			return err
		}
		from, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			for {
				letter := make([]byte, messageSize)
				if _, err := io.ReadFull(from, letter); err != nil {
					return
				}
				letters <- relayed{to, letter}
			}
		}()
	}
}

type relayed struct {
	to     net.Conn
	letter []byte
}

// passOn writes and syncs all letters that wait, and passes them on.
func passOn(f *os.File, room int64, letters <-chan relayed) {
	var at int64
	var batch []relayed
	var buffer []byte
	for {
		batch, buffer = append(batch[:0], <-letters), buffer[:0]
		for more := true; more; {
			select {
			case r := <-letters:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		for _, r := range batch {
			buffer = append(buffer, r.letter...)
		}
		if at+int64(len(buffer)) > room {
			at = 0
		}
		_, err := f.WriteAt(buffer, at)
		if err == nil {
			err = unix.Fdatasync(int(f.Fd()))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "relay:", err)
			os.Exit(1)
		}
		at += int64(len(buffer))
		for _, r := range batch {
			_, _ = r.to.Write(r.letter) // its reader tells
		}
	}
}
