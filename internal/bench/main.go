//go:build linux

// Bench measures what Sconce promises, and writes docs/performance.md: the real
// server as a process on a core of its own, groups, and the client. Begin with
//
//	go run ./internal/bench -quick
//
// which takes a few minutes; without -quick it takes the median of three longer
// runs. -only runs the rows whose names begin so, and writes no page. It needs
// Linux, for what /proc tells of a process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sconce/mls"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	quick bool
	only  string
	page  string
	built string
}

func run() error {
	if folder := os.Getenv(relaying); folder != "" && len(os.Args) == 2 {
		return runRelay(os.Args[1], folder)
	}
	var o options
	flag.BoolVar(&o.quick, "quick", false, "one short run of each row")
	flag.StringVar(&o.only, "only", "", "just the rows whose names begin so, such as pairs,mls-0x0001; no page is written")
	flag.StringVar(&o.page, "page", filepath.Join("docs", "performance.md"), "where the page goes")
	flag.StringVar(&o.built, "server", "", "a sconced that is built already; otherwise this one is")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q is not asked for", flag.Arg(0))
	}
	c, err := pin()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	scratch, err := os.MkdirTemp(diskFolder(), "sconce-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	b := &bench{options: o, cores: c, scratch: scratch}
	return b.run(ctx)
}

// diskFolder is where temporary files are on a disk: the usual folder is in
// memory on many systems, where a sync costs nothing.
func diskFolder() string {
	const onDisk = "/var/tmp"
	if info, err := os.Stat(onDisk); err == nil && info.IsDir() {
		return onDisk
	}
	return os.TempDir()
}

// bench is one run of the program.
type bench struct {
	options
	cores   cores
	scratch string
	size    size
	runs    int
	failed  []error // rows that gave nothing, and samples that no server may give
}

func (b *bench) run(ctx context.Context) error {
	b.size, b.runs = full, 3
	if b.quick {
		b.size, b.runs = short, 1
	}
	machine := kind()
	fmt.Println(machine)
	if b.cores.shared {
		fmt.Println("there is one core only: server and driver share it, and the rates say little")
	}
	server, err := b.serverSection(ctx)
	if err != nil {
		return err
	}
	page, err := b.pageSection(ctx)
	if err != nil {
		return err
	}
	sections := []section{server, b.groupSection(ctx), b.clientSection(ctx), page}
	if b.only == "" && ctx.Err() == nil {
		if err := writeReport(b.page, machine, b.runs, sections); err != nil {
			return fmt.Errorf("writing the page: %w", err)
		}
	}
	return errors.Join(b.failed...)
}

var (
	full = size{
		pairs: 64, flight: 16, crowd: 200, idle: 1000, messages: 96_000, news: 5000, off: 96_000, seconds: 10,
		silence: 10 * time.Second}
	// A short run is long enough for CPU times, not for rates on a busy machine.
	short = size{
		pairs: 32, flight: 16, crowd: 200, idle: 1000, messages: 16_000, news: 600, off: 16_000, seconds: 3,
		silence: 5 * time.Second}
)

// wanted reports whether a row is asked for.
func (b *bench) wanted(name string) bool {
	return slices.ContainsFunc(strings.Split(b.only, ","), func(p string) bool { return strings.HasPrefix(name, p) })
}

// measure runs the rows that are wanted.
func (b *bench) measure(ctx context.Context, rows []row) (all []outcome) {
	for _, r := range rows {
		if !b.wanted(r.name) || ctx.Err() != nil {
			continue
		}
		o := measure(ctx, r, b.runs)
		o.print(os.Stdout)
		if err := errors.Join(o.failure, o.median.check()); err != nil {
			b.failed = append(b.failed, fmt.Errorf("%s: %w", r.name, err))
		}
		all = append(all, o)
	}
	return all
}

func (b *bench) serverSection(ctx context.Context) (s section, err error) {
	s = section{title: "Server", before: serverNotes, conditions: true}
	w := &world{scratch: b.scratch}
	rows := b.serverRows(w)
	var some bool
	for _, r := range rows {
		some = some || b.wanted(r.name)
	}
	if !some {
		return s, nil
	}
	binary, err := b.sconced(ctx)
	if err != nil {
		return s, err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return s, err
	}
	w.binary = info.Size()
	w.launch = launch{binary: binary, data: filepath.Join(b.scratch, "data"), core: b.cores.server}
	if err := w.restart(ctx, nil); err != nil {
		return s, err
	}
	defer w.halt()
	if err := w.settle(ctx, b.size); err != nil {
		return s, err
	}
	fmt.Printf("%d people in %d rooms of two and one of %d\n", len(w.people), len(w.pairs), b.size.crowd+1)
	s.rows = b.measure(ctx, rows)
	return s, nil
}

// sconced gives the server's program, and builds it the first time.
func (b *bench) sconced(ctx context.Context) (string, error) {
	if b.built != "" {
		return b.built, nil
	}
	binary, err := build(ctx, b.scratch)
	if err != nil {
		return "", err
	}
	b.built = binary
	return binary, nil
}

func (b *bench) serverRows(w *world) []row {
	// Each run has a server that has done nothing yet: what devices may send in
	// a minute is limited, and a run takes much of it.
	fresh := func(run func(context.Context) (*sample, error)) func(context.Context) (*sample, error) {
		return func(ctx context.Context) (*sample, error) {
			if err := w.restart(ctx, nil); err != nil {
				return nil, err
			}
			return run(ctx)
		}
	}
	rows := []row{
		{name: "pairs", what: "1 to 1", run: fresh(func(ctx context.Context) (*sample, error) { return w.oneToOne(ctx, b.size, "1 to 1") })},
		{name: "slow", what: "1 to 1 with a slow disk", run: func(ctx context.Context) (*sample, error) { return w.slowDisk(ctx, b.size) }},
		{name: "crowd", what: "1 to 200", run: fresh(func(ctx context.Context) (*sample, error) { return w.fanOut(ctx, b.size, "1 to 200") })},
		{name: "steady", what: "1,000 a second", run: fresh(func(ctx context.Context) (*sample, error) { return w.steady(ctx, b.size) })},
		{name: "bare", what: "1,000 a second through a bare relay", run: func(ctx context.Context) (*sample, error) { return w.bare(ctx, b.size) }},
		{name: "off", what: "storing for who is off", run: fresh(func(ctx context.Context) (*sample, error) { return w.off(ctx, b.size) })},
		{name: "left", what: "bodies left on disk", once: true, run: fresh(func(ctx context.Context) (*sample, error) { return w.left(ctx, b.size) })},
		{name: "idle", what: "idle streams", run: func(ctx context.Context) (*sample, error) { return w.idle(ctx, b.size, false) }},
		{name: "tls", what: "idle streams over TLS", run: func(ctx context.Context) (*sample, error) { return w.idle(ctx, b.size, true) }},
		{name: "start", what: "start", run: w.startUp},
		{name: "empty", what: "empty server", run: w.empty},
	}
	if _, err := exec.LookPath("strace"); err != nil {
		rows[1].run = func(context.Context) (*sample, error) {
			return nil, errors.New("it takes strace to slow the disk down, and there is none")
		}
	}
	return rows
}

func (b *bench) groupSection(ctx context.Context) section {
	var rows []row
	for _, suite := range []mls.CipherSuite{mls.X25519AES128, mls.P256AES128, mls.MLKEM768P256AES256} {
		for _, n := range []int{10, 100, 1000} {
			name := fmt.Sprintf("mls-%#04x-%d", uint16(suite), n)
			rows = append(rows, row{name: name, what: name, run: func(ctx context.Context) (*sample, error) { return groups(ctx, suite, n) }})
		}
	}
	for _, suite := range []mls.CipherSuite{mls.X25519AES128, mls.MLKEM768P256AES256} {
		large, cores := fmt.Sprintf("mls-large-%#04x", uint16(suite)), fmt.Sprintf("mls-cores-%#04x", uint16(suite))
		rows = append(rows,
			row{name: large, what: large, once: true, run: func(context.Context) (*sample, error) { return largeGroups(suite) }},
			row{name: cores, what: cores, run: func(context.Context) (*sample, error) { return b.onTwoCores(suite) }})
	}
	for _, suite := range []mls.CipherSuite{mls.X25519AES128, mls.P256AES128} {
		name := fmt.Sprintf("mls-peer-%#04x", uint16(suite))
		rows = append(rows, row{name: name, what: name, once: true, run: func(ctx context.Context) (*sample, error) { return beside(ctx, b.scratch, suite) }})
	}
	return section{title: "Groups", before: groupNotes, after: groupsTried, rows: b.measure(ctx, rows)}
}

func (b *bench) clientSection(ctx context.Context) section {
	n := 10_000
	if b.quick {
		n = 1000
	}
	rows := []row{{name: "client", what: "catching up", once: true, run: func(ctx context.Context) (*sample, error) { return catchUp(ctx, b.scratch, n) }}}
	return section{title: "Client", before: clientNotes, rows: b.measure(ctx, rows)}
}
