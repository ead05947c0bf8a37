//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sconce/mls"
)

// largeGroups measures how what a group costs grows with it: adding and joining
// for each member should stay what they are, and a commit in a filled tree grows
// no faster than the tree is deep.
func largeGroups(suite mls.CipherSuite) (*sample, error) {
	out := &sample{}
	before, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	small := map[string]time.Duration{} // of 1,000
	for _, n := range []int{1000, 5000, 10_000} {
		r := &groupRun{suite: suite, n: n, out: out}
		if err := r.make(); err != nil {
			return nil, err
		}
		figures, err := r.growth()
		if err != nil {
			return nil, err
		}
		for _, what := range []string{"bulk add", "join", "process, filled"} {
			took := figures[what]
			out.add(r.name(what+", large"), "ms", milliseconds(took))
			if n == 1000 {
				small[what] = took
				continue
			}
			growth := took.Seconds() / small[what].Seconds()
			if what != "process, filled" {
				growth *= 1000 / float64(n)
			}
			out.add(fmt.Sprintf("%#04x: %s, growth to %s", uint16(suite), what, thousands(int64(n))), "", growth)
		}
		if n == 10_000 {
			size, err := r.memory()
			if err != nil {
				return nil, err
			}
			out.add(fmt.Sprintf("%#04x: group of 10,000 in memory", uint16(suite)), "MB", float64(size)/1e6)
		}
		tidy()
	}
	after, err := measureLoad(0)
	out.ambient = ambient(before, after)
	return out, err
}

// growth gives the CPU time of adding all, of joining, and of following a commit
// once the tree is filled.
func (r *groupRun) growth() (map[string]time.Duration, error) {
	add, err := cost(func() (err error) {
		r.welcome, err = r.first.group.Commit(mls.CommitOptions{Proposals: r.adds}, time.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	enter, err := r.entering()
	if err != nil {
		return nil, err
	}
	join, err := cost(enter)
	if err != nil {
		return nil, err
	}
	process, err := r.processFilled()
	return map[string]time.Duration{"bulk add": add, "join": join, "process, filled": process}, err
}

// processFilled gives the CPU time of following a commit, and leaves the groups
// that it took to fill the tree to the garbage collector.
func (r *groupRun) processFilled() (time.Duration, error) {
	if err := r.first.group.Merge(r.welcome); err != nil {
		return 0, err
	}
	if err := r.fill(); err != nil {
		return 0, err
	}
	st, err := r.first.group.Commit(mls.CommitOptions{}, time.Now())
	if err != nil {
		return 0, err
	}
	tidy()
	took, err := cost(func() error {
		_, err := r.last.process(st.Message())
		return err
	})
	r.first.group, r.last.group = nil, nil
	return took, err
}

// entering gives what joins the group, without looking for its own Welcome and
// without encoding the tree, which are not the joiner's work.
func (r *groupRun) entering() (func() error, error) {
	last := r.others[len(r.others)-1]
	ref, err := last.kp.Ref()
	if err != nil {
		return nil, err
	}
	welcome, tree := r.welcome.WelcomeFor(ref), r.welcome.Tree()
	return func() error {
		m, err := mls.ParseMessage(welcome)
		if err != nil {
			return err
		}
		last.group, err = mls.Join(mls.Config{}, m, last.kp, last.secrets, tree, time.Now())
		return err
	}, nil
}

// memory gives what a member's group takes, the tree it was read from included.
func (r *groupRun) memory() (int64, error) {
	last := r.others[len(r.others)-1]
	ref, err := last.kp.Ref()
	if err != nil {
		return 0, err
	}
	welcome, tree := r.welcome.WelcomeFor(ref), r.welcome.Tree()
	m, err := mls.ParseMessage(welcome)
	if err != nil {
		return 0, err
	}
	last.group = nil
	before := live() - int64(len(tree))
	last.group, err = mls.Join(mls.Config{}, m, last.kp, last.secrets, tree, time.Now())
	after := live()
	runtime.KeepAlive(tree)
	runtime.KeepAlive(last)
	return after - before, err
}

// live is what of the heap is in use.
func live() int64 {
	runtime.GC()
	runtime.GC() // what had a finalizer, too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// onTwoCores measures what a second core brings where a group is large: time by
// the clock, which says something only where others do not use the cores.
func (b *bench) onTwoCores(suite mls.CipherSuite) (*sample, error) {
	if b.cores.shared {
		return nil, errors.New("there is one core only")
	}
	r := &groupRun{suite: suite, n: 1000, out: &sample{}}
	if err := r.make(); err != nil {
		return nil, err
	}
	before, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	add := func() (err error) {
		r.welcome, err = r.first.group.Commit(mls.CommitOptions{Proposals: r.adds}, time.Now())
		return err
	}
	if err := add(); err != nil {
		return nil, err
	}
	join, err := r.entering()
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		what string
		fn   func() error
	}{{"bulk add", add}, {"join", join}} {
		one, two, err := b.clock(c.fn)
		if err != nil {
			return nil, err
		}
		r.out.add(r.name(c.what+" on two cores"), "", two.Seconds()/one.Seconds())
	}
	after, err := measureLoad(0)
	if r.out.ambient = ambient(before, after); r.out.ambient >= crowded {
		return nil, fmt.Errorf("others used %.2f cores, and the clock says nothing then", r.out.ambient)
	}
	return r.out, err
}

// clock times fn on the driver's core alone and on both, by turns, and gives the
// least of each: what disturbs only ever makes it longer.
func (b *bench) clock(fn func() error) (one, two time.Duration, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer func() { err = errors.Join(err, bindAll(b.cores.driver)) }()
	for range 5 {
		for _, on := range [][]int{{b.cores.driver}, {b.cores.driver, b.cores.server}} {
			runtime.GOMAXPROCS(len(on))
			if err := bindAll(on...); err != nil {
				return 0, 0, err
			}
			start := time.Now()
			if err := fn(); err != nil {
				return 0, 0, err
			}
			took, least := time.Since(start), &one
			if len(on) == 2 {
				least = &two
			}
			if *least == 0 || took < *least {
				*least = took
			}
		}
	}
	return one, two, nil
}

// bindAll binds every thread of this process to cores. Threads that are
// started later inherit it.
func bindAll(cores ...int) error {
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("binding a thread: %w", err)
		}
	}
	return nil
}
